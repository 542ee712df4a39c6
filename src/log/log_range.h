#pragma once

#include <cstdint>

namespace millstream::log {

// Who numbers which logs: shards take the numbers from 1 on, in order. Engines that keep a journal
// take numbers at random from here on; each owner deletes what its catalog rows do not name.
inline constexpr uint64_t kEngineLogsFirst = uint64_t{1} << 63;

}  // namespace millstream::log
