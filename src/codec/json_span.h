#pragma once

#include <cstddef>
#include <string_view>

namespace millstream::codec {

// The length of the JSON value that `text` begins with, found by brackets and quotes alone: what
// tells documents apart that follow each other ({..}{..}, or over several lines). Of an object or
// an array up to its closing bracket; of anything else up to the next blank, comma or bracket. npos
// when the value has no end in `text`. Nothing else is checked.
std::size_t JsonSpan(std::string_view text);

}  // namespace millstream::codec
