#include "codec/utf8.h"

#include <simdjson.h>

#include <cstdint>

namespace millstream::codec {

bool IsValidUtf8(std::string_view text) {
  // simdjson's kernels start at 64 bytes; keys are shorter and mostly ASCII.
  if (text.size() < 64) {
    uint8_t any = 0;
    for (const char c : text) any |= static_cast<uint8_t>(c);
    if (any < 0x80) return true;
  }
  return simdjson::validate_utf8(text.data(), text.size());
}

std::size_t Utf8Length(std::string_view text) {
  std::size_t length = 0;
  for (const char c : text) length += (static_cast<uint8_t>(c) & 0xc0) != 0x80;
  return length;
}

std::size_t Utf8SequenceLength(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](std::size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return text.size() >= 2 && continues(1) ? 2 : 0;
  if (first < 0xf0) {
    if (text.size() < 3 || !continues(1) || !continues(2)) return 0;
    if (first == 0xe0 && byte(1) < 0xa0) return 0;   // overlong
    if (first == 0xed && byte(1) >= 0xa0) return 0;  // surrogate
    return 3;
  }
  if (first > 0xf4) return 0;
  if (text.size() < 4 || !continues(1) || !continues(2) || !continues(3)) return 0;
  if (first == 0xf0 && byte(1) < 0x90) return 0;   // overlong
  if (first == 0xf4 && byte(1) >= 0x90) return 0;  // above U+10FFFF
  return 4;
}

void AppendUtf8(char32_t code_point, std::string& to) {
  const auto put = [&](char32_t byte) { to.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | code_point >> 6);
    put(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    put(0xe0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else {
    put(0xf0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3f));
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  }
}

}  // namespace millstream::codec
