#pragma once

#include <string_view>

namespace millstream::base {

// Names the calling thread for ps, top and perf; at most 15 bytes are kept.
void NameThisThread(std::string_view name);

}  // namespace millstream::base
