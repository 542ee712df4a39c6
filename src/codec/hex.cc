#include "codec/hex.h"

#include <array>
#include <cstdint>

namespace millstream::codec {
namespace {

constexpr uint8_t kNoDigit = 0xff;

constexpr std::array<uint8_t, 256> kValues = [] {
  std::array<uint8_t, 256> values{};
  values.fill(kNoDigit);
  for (uint8_t i = 0; i < 10; ++i) values['0' + i] = i;
  for (uint8_t i = 0; i < 6; ++i) values['a' + i] = values['A' + i] = static_cast<uint8_t>(10 + i);
  return values;
}();

}  // namespace

char* HexEncode(std::string_view bytes, char* out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    *out++ = kDigits[byte >> 4];
    *out++ = kDigits[byte & 15];
  }
  return out;
}

std::string HexEncode(std::string_view bytes) {
  std::string text(bytes.size() * 2, '\0');
  HexEncode(bytes, text.data());
  return text;
}

bool HexDecode(std::string_view text, char* out) {
  if (text.size() % 2 != 0) return false;
  uint8_t bad = 0;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const uint8_t high = kValues[static_cast<uint8_t>(text[i])];
    const uint8_t low = kValues[static_cast<uint8_t>(text[i + 1])];
    bad |= (high | low) & 0xf0;
    *out++ = static_cast<char>((high << 4) | (low & 15));
  }
  return bad == 0;
}

}  // namespace millstream::codec
