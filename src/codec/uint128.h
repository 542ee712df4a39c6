#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Unsigned integers wider than 64 bits and their decimal text: hash keys (128 bits) and sequence
// numbers (186 bits).
namespace millstream::codec {

using Uint128 = unsigned __int128;

inline constexpr Uint128 kUint128Max = ~Uint128{0};

constexpr Uint128 MakeUint128(uint64_t high, uint64_t low) { return (Uint128{high} << 64) | low; }

// Compares as the number it is. Bit layouts are put together by whoever gives them meaning.
struct Uint192 {
  uint64_t high = 0;
  uint64_t middle = 0;
  uint64_t low = 0;
  friend constexpr auto operator<=>(const Uint192&, const Uint192&) = default;
};

inline constexpr std::size_t kUint128DigitsMax = 39;
inline constexpr std::size_t kUint192DigitsMax = 58;

// These write the shortest decimal text (at most ...DigitsMax characters) and return its end.
// `out` has room for ...DigitsMax characters.
char* FormatUint64(uint64_t value, char* out);  // room for 20 characters
char* FormatUint128(Uint128 value, char* out);
char* FormatUint192(const Uint192& value, char* out);
std::string ToDecimal(Uint128 value);
std::string ToDecimal(const Uint192& value);

// Digits only; leading zeros are read. nullopt when empty, when another character occurs, or when
// the value does not fit.
std::optional<Uint128> ParseUint128(std::string_view text);
std::optional<Uint192> ParseUint192(std::string_view text);

}  // namespace millstream::codec
