#include "codec/percent.h"

#include <array>
#include <cstdint>

#include "codec/hex.h"

namespace millstream::codec {
namespace {

constexpr std::array<bool, 256> kUnreserved = [] {
  std::array<bool, 256> unreserved{};
  for (int c = 'a'; c <= 'z'; ++c) unreserved[c] = unreserved[c - 'a' + 'A'] = true;
  for (int c = '0'; c <= '9'; ++c) unreserved[c] = true;
  for (const char c : {'-', '.', '_', '~'}) unreserved[static_cast<uint8_t>(c)] = true;
  return unreserved;
}();

}  // namespace

void PercentEncode(std::string_view text, bool keep_slash, std::string& to) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (kUnreserved[byte] || (keep_slash && c == '/')) {
      to.push_back(c);
    } else {
      to.push_back('%');
      to.push_back(kDigits[byte >> 4]);
      to.push_back(kDigits[byte & 15]);
    }
  }
}

std::string PercentEncode(std::string_view text, bool keep_slash) {
  std::string encoded;
  encoded.reserve(text.size());
  PercentEncode(text, keep_slash, encoded);
  return encoded;
}

bool PercentDecode(std::string_view text, bool plus_is_space, std::string& to) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      to.push_back(' ');
    } else if (text[i] == '%') {
      char byte;
      if (text.size() - i < 3 || !HexDecode(text.substr(i + 1, 2), &byte)) return false;
      to.push_back(byte);
      i += 2;
    } else {
      to.push_back(text[i]);
    }
  }
  return true;
}

}  // namespace millstream::codec
