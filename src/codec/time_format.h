#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Texts of points in time. All are UTC, given as milliseconds since 1970-01-01, and depend on
// neither the locale nor the environment's time zone. Formatting is for the years 0000 to 9999;
// times outside are clamped to them.
namespace millstream::codec {

inline constexpr std::size_t kIso8601BasicSize = 16;  // 20260101T000000Z
inline constexpr std::size_t kHttpDateSize = 29;      // Sun, 06 Nov 1994 08:49:37 GMT

// These write exactly that many characters and return their end.
char* FormatIso8601Basic(int64_t epoch_ms, char* out);
char* FormatHttpDate(int64_t epoch_ms, char* out);

std::string FormatIso8601Basic(int64_t epoch_ms);
std::string FormatIso8601(int64_t epoch_ms);         // 2026-01-01T00:00:00.000Z
std::string FormatIso8601Seconds(int64_t epoch_ms);  // 2026-01-01T00:00:00Z
std::string FormatHttpDate(int64_t epoch_ms);

// Epoch seconds with as many digits of a fraction as needed: "1700000000", "1700000000.123".
// Writes at most 24 characters and returns their end.
inline constexpr std::size_t kEpochSecondsSizeMax = 24;
char* FormatEpochSeconds(int64_t epoch_ms, char* out);

// "20260101T000000Z", exactly; SigV4's date.
std::optional<int64_t> ParseIso8601Basic(std::string_view text);
// "2026-01-01", or with "T00:00[:00[.fff...]]" (or a blank for the T) and optionally "Z", "+hh:mm"
// or "-hhmm"; without a zone it is UTC. Digits below a millisecond are dropped.
std::optional<int64_t> ParseIso8601(std::string_view text);
// RFC 1123 dates, exactly as FormatHttpDate writes them (the day's name is not checked).
std::optional<int64_t> ParseHttpDate(std::string_view text);
// A decimal number of epoch seconds, as JSON writes numbers ("1.7e9" too), rounded to the nearest
// millisecond without going through a double.
std::optional<int64_t> ParseEpochSeconds(std::string_view text);

struct CivilTime {
  int64_t year = 1970;
  int month = 1;  // 1 to 12
  int day = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int millisecond = 0;
  int weekday = 4;  // 0 is Sunday
  friend bool operator==(const CivilTime&, const CivilTime&) = default;
};
CivilTime ToCivil(int64_t epoch_ms);
// Requires valid fields (weekday is not looked at).
int64_t FromCivil(const CivilTime& civil);

}  // namespace millstream::codec
