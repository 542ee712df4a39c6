#include "codec/uint128.h"

#include <cstring>

#include "codec/big_endian.h"

namespace millstream::codec {
namespace {

constexpr uint64_t kTo8 = 100'000'000;
constexpr uint64_t kTo16 = kTo8 * kTo8;
constexpr uint64_t kTo19 = kTo16 * 1000;  // the largest power of ten in 64 bits

// floor((2^128 - 1) / kTo19) - 2^64: kTo19 has its top bit set, as the division below needs.
constexpr auto kTo19Reciprocal = static_cast<uint64_t>(kUint128Max / kTo19 - (Uint128{1} << 64));
static_assert(kTo19 >> 63 == 1);

// (high * 2^64 + low) divided by kTo19, for high < kTo19, by two multiplications (N. Moller and
// T. Granlund, "Improved division by invariant integers", algorithm 4). The compiler would call a
// library function for it, five times slower.
inline uint64_t DivideByTo19(uint64_t high, uint64_t low, uint64_t& remainder) {
  const Uint128 q = Uint128{kTo19Reciprocal} * high + MakeUint128(high, low);
  uint64_t quotient = static_cast<uint64_t>(q >> 64) + 1;
  uint64_t rest = low - quotient * kTo19;
  if (rest > static_cast<uint64_t>(q)) {
    --quotient;
    rest += kTo19;
  }
  if (rest >= kTo19) [[unlikely]] {
    ++quotient;
    rest -= kTo19;
  }
  remainder = rest;
  return quotient;
}

// Eight digits, zeros in front included, computed side by side in one register.
inline void Write8(uint32_t value, char* out) {
  const uint64_t high = value / 10000;
  const uint64_t low = value % 10000;
  const uint64_t fours = high | low << 32;
  const uint64_t hundreds = ((fours * 10486) >> 20) & 0x0000007f0000007f;
  const uint64_t twos = hundreds | (fours - hundreds * 100) << 16;
  const uint64_t tens = ((twos * 103) >> 10) & 0x000f000f000f000f;
  const uint64_t digits = tens | (twos - tens * 10) << 8;
  StoreLittleEndian<uint64_t>(out, digits | 0x3030303030303030);
}

// Nineteen digits, zeros in front included.
inline char* Write19(uint64_t value, char* out) {
  const auto top = static_cast<uint32_t>(value / kTo16);
  const uint64_t rest = value % kTo16;
  out[0] = static_cast<char>('0' + top / 100);
  out[1] = static_cast<char>('0' + top / 10 % 10);
  out[2] = static_cast<char>('0' + top % 10);
  Write8(static_cast<uint32_t>(rest / kTo8), out + 3);
  Write8(static_cast<uint32_t>(rest % kTo8), out + 11);
  return out + 19;
}

// Digits without zeros in front; the value is below 2^128.
char* Write128(Uint128 value, char* out) {
  if (value >> 64 == 0) return FormatUint64(static_cast<uint64_t>(value), out);
  const auto high = static_cast<uint64_t>(value >> 64);
  uint64_t low_digits;
  const uint64_t quotient_low =
      DivideByTo19(high % kTo19, static_cast<uint64_t>(value), low_digits);
  out = Write128(MakeUint128(high / kTo19, quotient_low), out);
  return Write19(low_digits, out);
}

// The value of up to 19 digits; false when another character occurs.
bool ReadDigits(std::string_view text, uint64_t& value) {
  value = 0;
  for (const char c : text) {
    const auto digit = static_cast<uint8_t>(c - '0');
    if (digit > 9) return false;
    value = value * 10 + digit;
  }
  return true;
}

constexpr uint64_t kPowers[20] = {1ull,
                                  10ull,
                                  100ull,
                                  1000ull,
                                  10000ull,
                                  100000ull,
                                  1000000ull,
                                  10000000ull,
                                  100000000ull,
                                  1000000000ull,
                                  10000000000ull,
                                  100000000000ull,
                                  1000000000000ull,
                                  10000000000000ull,
                                  100000000000000ull,
                                  1000000000000000ull,
                                  10000000000000000ull,
                                  100000000000000000ull,
                                  1000000000000000000ull,
                                  kTo19};

}  // namespace

char* FormatUint64(uint64_t value, char* out) {
  char digits[20];
  const uint64_t above = value / kTo19;  // 0 or 1
  digits[0] = static_cast<char>('0' + above);
  Write19(value - above * kTo19, digits + 1);
  std::size_t zeros = 0;
  while (zeros < 19 && digits[zeros] == '0') ++zeros;
  std::memcpy(out, digits + zeros, 20 - zeros);
  return out + (20 - zeros);
}

char* FormatUint128(Uint128 value, char* out) { return Write128(value, out); }

char* FormatUint192(const Uint192& value, char* out) {
  if (value.high == 0) return Write128(MakeUint128(value.middle, value.low), out);
  // Sequence numbers come here: 186 bits, hence high < kTo19 and 56 digits in three parts.
  const uint64_t top = value.high / kTo19;
  uint64_t rest;
  const uint64_t middle = DivideByTo19(value.high % kTo19, value.middle, rest);
  uint64_t last;
  const uint64_t low = DivideByTo19(rest, value.low, last);
  // (top, middle, low) is the quotient, below 2^129.
  uint64_t before_last;
  if (top == 0 && middle < kTo19) [[likely]] {
    const uint64_t first = DivideByTo19(middle, low, before_last);
    out = FormatUint64(first, out);
  } else {
    const uint64_t upper = DivideByTo19(top, middle, rest);
    const uint64_t lower = DivideByTo19(rest, low, before_last);
    out = Write128(MakeUint128(upper, lower), out);
  }
  return Write19(last, Write19(before_last, out));
}

std::string ToDecimal(Uint128 value) {
  char text[kUint128DigitsMax];
  return std::string(text, FormatUint128(value, text));
}

std::string ToDecimal(const Uint192& value) {
  char text[kUint192DigitsMax];
  return std::string(text, FormatUint192(value, text));
}

std::optional<Uint128> ParseUint128(std::string_view text) {
  const std::optional<Uint192> wide = ParseUint192(text);
  if (!wide || wide->high != 0) return std::nullopt;
  return MakeUint128(wide->middle, wide->low);
}

std::optional<Uint192> ParseUint192(std::string_view text) {
  if (text.empty()) return std::nullopt;
  Uint192 value;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, 19);
    text.remove_prefix(part.size());
    uint64_t digits;
    if (!ReadDigits(part, digits)) return std::nullopt;
    const uint64_t scale = kPowers[part.size()];
    const Uint128 low = Uint128{value.low} * scale + digits;
    const Uint128 middle = Uint128{value.middle} * scale + static_cast<uint64_t>(low >> 64);
    const Uint128 high = Uint128{value.high} * scale + static_cast<uint64_t>(middle >> 64);
    if (high >> 64 != 0) return std::nullopt;
    value = {static_cast<uint64_t>(high), static_cast<uint64_t>(middle),
             static_cast<uint64_t>(low)};
  }
  return value;
}

}  // namespace millstream::codec
