#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace millstream::codec {

// Writes 2 * bytes.size() lower-case digits to `out` and returns the end of what was written.
char* HexEncode(std::string_view bytes, char* out);
std::string HexEncode(std::string_view bytes);

// Writes text.size() / 2 bytes to `out`. False (and `out` undefined) when the length is odd or a
// character is no hex digit; both cases of letters are read.
[[nodiscard]] bool HexDecode(std::string_view text, char* out);

}  // namespace millstream::codec
