#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sql/type.h"

// Texts of SQL's dates, times and intervals, and calendar arithmetic. All times are UTC
// milliseconds since 1970-01-01; dates are days since then.
namespace millstream::sql {

inline constexpr int64_t kMsPerDay = 86'400'000;

struct Civil {
  int64_t year;
  int month;  // 1 to 12
  int day;
};
Civil CivilFromDays(int64_t days);
int64_t DaysFromCivil(int64_t year, int month, int day);

inline int64_t FloorDiv(int64_t a, int64_t b) {
  int64_t q = a / b;
  return (a % b != 0 && ((a < 0) != (b < 0))) ? q - 1 : q;
}
inline int64_t FloorMod(int64_t a, int64_t b) { return a - FloorDiv(a, b) * b; }

// "2026-01-31"
std::optional<int64_t> ParseDate(std::string_view text);
// "23:59:59[.999]"
std::optional<int64_t> ParseTime(std::string_view text);
// "2026-01-31 23:59:59", with 0 to 9 fraction digits, a T for the blank and a trailing Z or
// +hh:mm; a date alone is its midnight. Digits below a millisecond are dropped.
std::optional<int64_t> ParseTimestamp(std::string_view text);
// The value of an INTERVAL literal of these units, in milliseconds.
std::optional<int64_t> ParseInterval(std::string_view text, TimeUnit from, TimeUnit to);

std::string FormatDate(int64_t days);
std::string FormatTime(int64_t ms);            // 23:59:59, with .999 when there are milliseconds
std::string FormatTimestamp(int64_t ms);       // 2026-01-31 23:59:59.0, as JDBC writes it
void AppendTimestamp(int64_t ms, std::string& out);  // 2026-01-31 23:59:59.000, as outputs have it
std::string FormatInterval(int64_t ms, TimeUnit from, TimeUnit to);  // "+1:30"

// The largest multiple of the unit at or before t (calendar months and years included; weeks start
// on Sunday as in SQL).
int64_t FloorTimestamp(int64_t ms, TimeUnit unit);
// The start of the unit behind the one that holds t.
int64_t NextTimestamp(int64_t ms, TimeUnit unit);

}  // namespace millstream::sql
