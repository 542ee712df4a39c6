#include "codec/time_format.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "codec/uint128.h"

namespace millstream::codec {
namespace {

constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kFirstMs = -62'167'219'200'000;  // 0000-01-01T00:00:00.000Z
constexpr int64_t kLastMs = 253'402'300'799'999;   // 9999-12-31T23:59:59.999Z

constexpr std::string_view kWeekdays = "SunMonTueWedThuFriSat";
constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

char* Put(int64_t value, int digits, char* out) {
  for (int i = digits - 1; i >= 0; --i, value /= 10) out[i] = static_cast<char>('0' + value % 10);
  return out + digits;
}
char* Put(char c, char* out) {
  *out = c;
  return out + 1;
}
char* Put(std::string_view text, char* out) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* PutExtended(const CivilTime& t, char* out) {
  out = Put('-', Put(t.year, 4, out));
  out = Put('-', Put(t.month, 2, out));
  out = Put('T', Put(t.day, 2, out));
  out = Put(':', Put(t.hour, 2, out));
  out = Put(':', Put(t.minute, 2, out));
  return Put(t.second, 2, out);
}

CivilTime ClampedCivil(int64_t epoch_ms) {
  return ToCivil(std::clamp(epoch_ms, kFirstMs, kLastMs));
}

// Takes exactly `digits` digits.
bool Take(std::string_view& text, std::size_t digits, int& value) {
  if (text.size() < digits) return false;
  value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const int digit = text[i] - '0';
    if (digit < 0 || digit > 9) return false;
    value = value * 10 + digit;
  }
  text.remove_prefix(digits);
  return true;
}

bool Take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

bool TakeYear(std::string_view& text, CivilTime& t) {
  int year;
  if (!Take(text, 4, year)) return false;
  t.year = year;
  return true;
}

int DaysIn(int64_t year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return kDays[month - 1] + (month == 2 && leap ? 1 : 0);
}

std::optional<int64_t> Checked(const CivilTime& t) {
  // Second 60 is a leap second: the same instant as the next minute's first.
  if (t.month < 1 || t.month > 12 || t.day < 1 || t.day > DaysIn(t.year, t.month) || t.hour > 23 ||
      t.minute > 59 || t.second > 60) {
    return std::nullopt;
  }
  return FromCivil(t);
}

// "Z", "+hh:mm", "-hhmm", "+hh" or nothing; the rest must be empty.
bool TakeZone(std::string_view text, int64_t& offset_ms) {
  offset_ms = 0;
  if (text.empty() || text == "Z" || text == "z") return true;
  const bool east = text.front() == '+';
  if (!east && text.front() != '-') return false;
  text.remove_prefix(1);
  int hours;
  int minutes = 0;
  if (!Take(text, 2, hours)) return false;
  if (!text.empty()) {
    Take(text, ':');
    if (!Take(text, 2, minutes) || !text.empty()) return false;
  }
  if (hours > 23 || minutes > 59) return false;
  offset_ms = (hours * 60 + minutes) * int64_t{60'000} * (east ? 1 : -1);
  return true;
}

}  // namespace

// Days to dates and back by H. Hinnant's "chrono-compatible low-level date algorithms": years that
// begin in March, in eras of 400.
CivilTime ToCivil(int64_t epoch_ms) {
  const int64_t days = FloorDivide(epoch_ms, kDayMs);
  const int64_t of_day = epoch_ms - days * kDayMs;
  const int64_t shifted = days + 719'468;
  const int64_t era = FloorDivide(shifted, 146'097);
  const int64_t day_of_era = shifted - era * 146'097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_of_year + 2) / 153;

  CivilTime t;
  t.day = static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  t.month = static_cast<int>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  t.year = year_of_era + era * 400 + (t.month <= 2 ? 1 : 0);
  t.hour = static_cast<int>(of_day / 3'600'000);
  t.minute = static_cast<int>(of_day / 60'000 % 60);
  t.second = static_cast<int>(of_day / 1'000 % 60);
  t.millisecond = static_cast<int>(of_day % 1'000);
  t.weekday = static_cast<int>((days % 7 + 11) % 7);  // day 0 was a Thursday
  return t;
}

int64_t FromCivil(const CivilTime& t) {
  const int64_t year = t.year - (t.month <= 2 ? 1 : 0);
  const int64_t era = FloorDivide(year, 400);
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (t.month > 2 ? t.month - 3 : t.month + 9) + 2) / 5 + t.day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  const int64_t days = era * 146'097 + day_of_era - 719'468;
  return days * kDayMs + t.hour * int64_t{3'600'000} + t.minute * int64_t{60'000} +
         t.second * int64_t{1'000} + t.millisecond;
}

char* FormatIso8601Basic(int64_t epoch_ms, char* out) {
  const CivilTime t = ClampedCivil(epoch_ms);
  out = Put(t.day, 2, Put(t.month, 2, Put(t.year, 4, out)));
  out = Put('T', out);
  out = Put(t.second, 2, Put(t.minute, 2, Put(t.hour, 2, out)));
  return Put('Z', out);
}

char* FormatHttpDate(int64_t epoch_ms, char* out) {
  const CivilTime t = ClampedCivil(epoch_ms);
  out = Put(kWeekdays.substr(static_cast<std::size_t>(t.weekday) * 3, 3), out);
  out = Put(' ', Put(t.day, 2, Put(", ", out)));
  out = Put(' ', Put(kMonths.substr(static_cast<std::size_t>(t.month - 1) * 3, 3), out));
  out = Put(' ', Put(t.year, 4, out));
  out = Put(':', Put(t.hour, 2, out));
  out = Put(':', Put(t.minute, 2, out));
  return Put(" GMT", Put(t.second, 2, out));
}

std::string FormatIso8601Basic(int64_t epoch_ms) {
  char text[kIso8601BasicSize];
  return std::string(text, FormatIso8601Basic(epoch_ms, text));
}

std::string FormatIso8601(int64_t epoch_ms) {
  const CivilTime t = ClampedCivil(epoch_ms);
  char text[32];
  char* const end = Put('Z', Put(t.millisecond, 3, Put('.', PutExtended(t, text))));
  return std::string(text, end);
}

std::string FormatIso8601Seconds(int64_t epoch_ms) {
  char text[32];
  return std::string(text, Put('Z', PutExtended(ClampedCivil(epoch_ms), text)));
}

std::string FormatHttpDate(int64_t epoch_ms) {
  char text[kHttpDateSize];
  return std::string(text, FormatHttpDate(epoch_ms, text));
}

char* FormatEpochSeconds(int64_t epoch_ms, char* out) {
  auto magnitude = static_cast<uint64_t>(epoch_ms);
  if (epoch_ms < 0) {
    out = Put('-', out);
    magnitude = 0 - magnitude;
  }
  out = FormatUint64(magnitude / 1000, out);
  const auto fraction = static_cast<int64_t>(magnitude % 1000);
  if (fraction == 0) return out;
  out = Put(fraction, 3, Put('.', out));
  while (out[-1] == '0') --out;
  return out;
}

std::optional<int64_t> ParseIso8601Basic(std::string_view text) {
  CivilTime t;
  if (text.size() != kIso8601BasicSize || !TakeYear(text, t) || !Take(text, 2, t.month) ||
      !Take(text, 2, t.day) || !Take(text, 'T') || !Take(text, 2, t.hour) ||
      !Take(text, 2, t.minute) || !Take(text, 2, t.second) || text != "Z") {
    return std::nullopt;
  }
  return Checked(t);
}

std::optional<int64_t> ParseIso8601(std::string_view text) {
  CivilTime t;
  if (!TakeYear(text, t) || !Take(text, '-') || !Take(text, 2, t.month) || !Take(text, '-') ||
      !Take(text, 2, t.day)) {
    return std::nullopt;
  }
  if (text.empty()) return Checked(t);
  if (!Take(text, 'T') && !Take(text, 't') && !Take(text, ' ')) return std::nullopt;
  if (!Take(text, 2, t.hour) || !Take(text, ':') || !Take(text, 2, t.minute)) return std::nullopt;
  if (Take(text, ':')) {
    if (!Take(text, 2, t.second)) return std::nullopt;
    if (Take(text, '.')) {
      int scale = 100;
      int digit;
      std::size_t digits = 0;
      for (; Take(text, 1, digit); ++digits, scale /= 10) t.millisecond += digit * scale;
      if (digits == 0) return std::nullopt;
    }
  }
  int64_t offset_ms;
  if (!TakeZone(text, offset_ms)) return std::nullopt;
  const std::optional<int64_t> local = Checked(t);
  if (!local) return std::nullopt;
  return *local - offset_ms;
}

std::optional<int64_t> ParseHttpDate(std::string_view text) {
  // "Sun, 06 Nov 1994 08:49:37 GMT"
  if (text.size() != kHttpDateSize || text.substr(3, 2) != ", ") return std::nullopt;
  text.remove_prefix(5);
  CivilTime t;
  if (!Take(text, 2, t.day) || !Take(text, ' ')) return std::nullopt;
  const std::size_t month = kMonths.find(text.substr(0, 3));
  if (month == std::string_view::npos || month % 3 != 0) return std::nullopt;
  t.month = static_cast<int>(month / 3 + 1);
  text.remove_prefix(3);
  if (!Take(text, ' ') || !TakeYear(text, t) || !Take(text, ' ') || !Take(text, 2, t.hour) ||
      !Take(text, ':') || !Take(text, 2, t.minute) || !Take(text, ':') ||
      !Take(text, 2, t.second) || text != " GMT") {
    return std::nullopt;
  }
  return Checked(t);
}

std::optional<int64_t> ParseEpochSeconds(std::string_view text) {
  const bool negative = Take(text, '-');
  // Digits and the power of ten of the last one: the value is digits * 10^exponent milliseconds.
  Uint128 digits = 0;
  int exponent = 3;
  bool any = false;
  constexpr Uint128 kEnough = Uint128{1} << 100;
  const auto take_digits = [&](int step_when_kept, int step_when_dropped) {
    for (int digit; Take(text, 1, digit);) {
      any = true;
      if (digits < kEnough) {
        digits = digits * 10 + static_cast<unsigned>(digit);
        exponent += step_when_kept;
      } else {
        // Thirty digits are beyond rounding to milliseconds within the range of the result.
        exponent += step_when_dropped;
      }
      if (exponent > 10'000 || exponent < -10'000) return;
    }
  };
  take_digits(0, 1);
  if (!any) return std::nullopt;
  if (Take(text, '.')) {
    any = false;
    take_digits(-1, 0);
    if (!any) return std::nullopt;
  }
  if (Take(text, 'e') || Take(text, 'E')) {
    const bool down = Take(text, '-');
    if (!down) Take(text, '+');
    int power = 0;
    int digit;
    any = false;
    while (Take(text, 1, digit)) {
      any = true;
      power = std::min(power * 10 + digit, 100'000);
    }
    if (!any) return std::nullopt;
    exponent += down ? -power : power;
  }
  if (!text.empty()) return std::nullopt;

  constexpr Uint128 kMaxMs = Uint128{INT64_MAX};
  for (; exponent > 0 && digits != 0; --exponent) {
    if (digits > kMaxMs) return std::nullopt;
    digits *= 10;
  }
  if (exponent < 0) {
    Uint128 divisor = 1;
    for (; exponent < 0 && divisor <= digits * 2; ++exponent) divisor *= 10;
    if (exponent < 0) {
      digits = 0;  // less than half of a millisecond
    } else {
      const Uint128 rest = digits % divisor;
      const bool up = rest * 2 >= divisor;
      digits = digits / divisor + (up ? 1 : 0);
    }
  }
  if (digits > kMaxMs) return std::nullopt;
  const auto ms = static_cast<int64_t>(digits);
  return negative ? -ms : ms;
}

}  // namespace millstream::codec
