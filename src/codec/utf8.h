#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace millstream::codec {

// True for well-formed UTF-8: no surrogates, no overlong forms, nothing above U+10FFFF.
bool IsValidUtf8(std::string_view text);

// The number of code points of valid UTF-8, which is how AWS counts the length of a string.
std::size_t Utf8Length(std::string_view text);

// The length of the well-formed sequence at the front of `text` (1 to 4), or 0 if there is none.
std::size_t Utf8SequenceLength(std::string_view text);

// Appends the code point, which is no surrogate and at most U+10FFFF.
void AppendUtf8(char32_t code_point, std::string& to);

}  // namespace millstream::codec
