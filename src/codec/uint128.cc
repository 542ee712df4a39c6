#include "codec/uint128.h"

#include <array>
#include <cstring>

#include "codec/big_endian.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

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

constexpr uint64_t kAsciiZeros = 0x3030303030303030;

// The eight digits of a value below 10^8, the first one in the low byte, computed side by side.
inline uint64_t Digits8(uint32_t value) {
  const uint64_t high = value / 10000;
  const uint64_t low = value - high * 10000;
  const uint64_t fours = high | low << 32;
  const uint64_t hundreds = ((fours * 10486) >> 20) & 0x0000007f0000007f;
  const uint64_t twos = hundreds | (fours - hundreds * 100) << 16;
  const uint64_t tens = ((twos * 103) >> 10) & 0x000f000f000f000f;
  return tens | (twos - tens * 10) << 8;
}

// Eight digits, zeros in front included.
inline char* Write8(uint32_t value, char* out) {
  StoreLittleEndian<uint64_t>(out, Digits8(value) | kAsciiZeros);
  return out + 8;
}

// One to eight digits; stores eight bytes all the same.
inline char* WriteUpTo8(uint32_t value, char* out) {
  const uint64_t digits = Digits8(value);
  const int zeros = __builtin_ctzll(digits | uint64_t{1} << 56) / 8;
  StoreLittleEndian<uint64_t>(out, (digits | kAsciiZeros) >> (8 * zeros));
  return out + 8 - zeros;
}

// Sixteen digits of a value below 10^16, zeros in front included.
inline char* Write16(uint64_t value, char* out) {
  const uint64_t first = value / kTo8;
  const uint64_t second = value - first * kTo8;
#if defined(__x86_64__)
  // The steps of Digits8 on both halves in one register; SSE2, so every x86-64 has it.
  const __m128i eights = _mm_set_epi64x(static_cast<int64_t>(second), static_cast<int64_t>(first));
  const __m128i high = _mm_srli_epi64(_mm_mul_epu32(eights, _mm_set1_epi64x(0xd1b71759)), 45);
  const __m128i low = _mm_sub_epi64(eights, _mm_mul_epu32(high, _mm_set1_epi64x(10000)));
  const __m128i fours = _mm_or_si128(high, _mm_slli_epi64(low, 32));
  const __m128i hundreds = _mm_srli_epi16(_mm_mulhi_epu16(fours, _mm_set1_epi16(5243)), 3);
  const __m128i rest = _mm_sub_epi16(fours, _mm_mullo_epi16(hundreds, _mm_set1_epi16(100)));
  const __m128i twos = _mm_or_si128(hundreds, _mm_slli_epi32(rest, 16));
  const __m128i tens = _mm_mulhi_epu16(twos, _mm_set1_epi16(6554));
  const __m128i ones = _mm_sub_epi16(twos, _mm_mullo_epi16(tens, _mm_set1_epi16(10)));
  const __m128i digits = _mm_or_si128(tens, _mm_slli_epi16(ones, 8));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_or_si128(digits, _mm_set1_epi8('0')));
  return out + 16;
#else
  return Write8(static_cast<uint32_t>(second), Write8(static_cast<uint32_t>(first), out));
#endif
}

constexpr auto kThreeDigits = [] {
  std::array<std::array<char, 4>, 1000> digits{};
  for (std::size_t i = 0; i < 1000; ++i) {
    digits[i] = {static_cast<char>('0' + i / 100), static_cast<char>('0' + i / 10 % 10),
                 static_cast<char>('0' + i % 10), 0};
  }
  return digits;
}();

// Nineteen digits, zeros in front included.
inline char* Write19(uint64_t value, char* out) {
  const uint64_t top = value / kTo16;
  std::memcpy(out, kThreeDigits[top].data(), 4);  // the fourth is overwritten
  return Write16(value - top * kTo16, out + 3);
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

// Eight characters as a number, or false when one is no digit.
inline bool Read8(const char* from, uint64_t& value) {
  const uint64_t text = LoadLittleEndian<uint64_t>(from);
  // Adding 6 to a nibble above 9 carries; the high nibbles must all be 3.
  if (((text & 0xf0f0f0f0f0f0f0f0) | ((text + 0x0606060606060606) & 0xf0f0f0f0f0f0f0f0) >> 4) !=
      0x3333333333333333) {
    return false;
  }
  uint64_t digits = text & 0x0f0f0f0f0f0f0f0f;
  digits = (digits * 10 + (digits >> 8)) & 0x00ff00ff00ff00ff;
  digits = (digits * 100 + (digits >> 16)) & 0x0000ffff0000ffff;
  value = (digits * 10000 + (digits >> 32)) & 0xffffffff;
  return true;
}

// The value of up to 19 digits; false when another character occurs.
bool ReadDigits(std::string_view text, uint64_t& value) {
  value = 0;
  for (; text.size() >= 8; text.remove_prefix(8)) {
    uint64_t part;
    if (!Read8(text.data(), part)) return false;
    value = value * kTo8 + part;
  }
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
  if (value < kTo8) return WriteUpTo8(static_cast<uint32_t>(value), out);
  if (value < kTo16) {
    out = WriteUpTo8(static_cast<uint32_t>(value / kTo8), out);
    return Write8(static_cast<uint32_t>(value % kTo8), out);
  }
  const uint64_t top = value / kTo16;
  return Write16(value - top * kTo16, WriteUpTo8(static_cast<uint32_t>(top), out));
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
