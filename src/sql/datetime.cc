#include "sql/datetime.h"

#include <cstdio>
#include <cstring>

namespace millstream::sql {

namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {
    while (!text_.empty() && text_.front() == ' ') text_.remove_prefix(1);
    while (!text_.empty() && text_.back() == ' ') text_.remove_suffix(1);
  }
  bool Done() const { return at_ == text_.size(); }
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool Take(char c) {
    if (Peek() != c) return false;
    ++at_;
    return true;
  }
  // Between `min` and `max` digits.
  bool Digits(int min, int max, int64_t& out) {
    int n = 0;
    out = 0;
    while (n < max && Peek() >= '0' && Peek() <= '9') {
      out = out * 10 + (text_[at_++] - '0');
      ++n;
    }
    return n >= min;
  }
  // A fraction behind the point, as milliseconds; up to nine digits.
  bool Milliseconds(int64_t& out) {
    out = 0;
    int n = 0;
    while (Peek() >= '0' && Peek() <= '9') {
      if (n < 3) out = out * 10 + (text_[at_] - '0');
      ++n;
      ++at_;
    }
    for (int i = n; i < 3; ++i) out *= 10;
    return n >= 1 && n <= 9;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

bool ScanDate(Scanner& s, int64_t& days) {
  int64_t year = 0, month = 0, day = 0;
  if (!s.Digits(1, 4, year) || !s.Take('-') || !s.Digits(1, 2, month) || !s.Take('-') ||
      !s.Digits(1, 2, day)) {
    return false;
  }
  if (month < 1 || month > 12 || day < 1) return false;
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  int last = month == 2 && leap ? 29 : kDays[month - 1];
  if (day > last) return false;
  days = DaysFromCivil(year, static_cast<int>(month), static_cast<int>(day));
  return true;
}

bool ScanTime(Scanner& s, int64_t& ms) {
  int64_t hour = 0, minute = 0, second = 0, fraction = 0;
  if (!s.Digits(1, 2, hour) || !s.Take(':') || !s.Digits(1, 2, minute)) return false;
  if (s.Take(':') && !s.Digits(1, 2, second)) return false;
  if (s.Take('.') && !s.Milliseconds(fraction)) return false;
  if (hour > 23 || minute > 59 || second > 59) return false;
  ms = ((hour * 60 + minute) * 60 + second) * 1000 + fraction;
  return true;
}

std::string Pad(int64_t value, int width) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%0*lld", width, static_cast<long long>(value));
  return buffer;
}

// `digits` digits of a value that has no more.
char* PutDigits(int64_t value, int digits, char* out) {
  for (int i = digits; i-- > 0; value /= 10) out[i] = static_cast<char>('0' + value % 10);
  return out + digits;
}

char* PutDate(int64_t days, char* out) {
  Civil c = CivilFromDays(days);
  if (c.year >= 0 && c.year <= 9999) {
    out = PutDigits(c.year, 4, out);
  } else {
    std::string year = Pad(c.year, 4);
    std::memcpy(out, year.data(), year.size());
    out += year.size();
  }
  *out++ = '-';
  out = PutDigits(c.month, 2, out);
  *out++ = '-';
  return PutDigits(c.day, 2, out);
}

char* PutTime(int64_t ms, char* out) {
  int64_t s = ms / 1000;
  out = PutDigits(s / 3600, 2, out);
  *out++ = ':';
  out = PutDigits(s / 60 % 60, 2, out);
  *out++ = ':';
  return PutDigits(s % 60, 2, out);
}

constexpr std::size_t kTimestampMax = 48;  // of any 64-bit number of milliseconds

}  // namespace

// Howard Hinnant's algorithms on the proleptic Gregorian calendar.
Civil CivilFromDays(int64_t z) {
  z += 719468;
  int64_t era = FloorDiv(z, 146097);
  int64_t doe = z - era * 146097;
  int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  int64_t mp = (5 * doy + 2) / 153;
  int day = static_cast<int>(doy - (153 * mp + 2) / 5 + 1);
  int month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  return {yoe + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

int64_t DaysFromCivil(int64_t year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  int64_t era = FloorDiv(year, 400);
  int64_t yoe = year - era * 400;
  int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + doe - 719468;
}

std::optional<int64_t> ParseDate(std::string_view text) {
  Scanner s(text);
  int64_t days = 0;
  if (!ScanDate(s, days) || !s.Done()) return std::nullopt;
  return days;
}

std::optional<int64_t> ParseTime(std::string_view text) {
  Scanner s(text);
  int64_t ms = 0;
  if (!ScanTime(s, ms) || !s.Done()) return std::nullopt;
  return ms;
}

std::optional<int64_t> ParseTimestamp(std::string_view text) {
  Scanner s(text);
  int64_t days = 0, ms = 0;
  if (!ScanDate(s, days)) return std::nullopt;
  if (s.Done()) return days * kMsPerDay;
  if (!s.Take(' ') && !s.Take('T') && !s.Take('t')) return std::nullopt;
  while (s.Take(' ')) {
  }
  if (!ScanTime(s, ms)) return std::nullopt;
  int64_t offset = 0;
  if (s.Take('Z') || s.Take('z')) {
  } else if (s.Peek() == '+' || s.Peek() == '-') {
    int64_t sign = s.Take('-') ? -1 : (s.Take('+'), 1);
    int64_t hours = 0, minutes = 0;
    if (!s.Digits(2, 2, hours)) return std::nullopt;
    s.Take(':');
    if (!s.Done() && !s.Digits(2, 2, minutes)) return std::nullopt;
    if (hours > 18 || minutes > 59) return std::nullopt;
    offset = sign * (hours * 60 + minutes) * 60'000;
  }
  if (!s.Done()) return std::nullopt;
  return days * kMsPerDay + ms - offset;
}

std::optional<int64_t> ParseInterval(std::string_view text, TimeUnit from, TimeUnit to) {
  if (UnitMs(from) == 0) return std::nullopt;
  Scanner s(text);
  int64_t sign = s.Take('-') ? -1 : (s.Take('+'), 1);
  int64_t total = 0, value = 0;
  if (!s.Digits(1, 12, value)) return std::nullopt;
  total = value * UnitMs(from);
  TimeUnit unit = from;
  while (unit < to) {
    if (!(unit <= TimeUnit::kDay ? s.Take(' ') : s.Take(':'))) return std::nullopt;
    while (s.Take(' ')) {
    }
    unit = static_cast<TimeUnit>(static_cast<int>(unit) + 1);
    if (!s.Digits(1, 2, value)) return std::nullopt;
    int64_t limit = unit == TimeUnit::kHour ? 23 : 59;
    if (value > limit) return std::nullopt;
    total += value * UnitMs(unit);
  }
  if (to == TimeUnit::kSecond && s.Take('.')) {
    int64_t fraction = 0;
    if (!s.Milliseconds(fraction)) return std::nullopt;
    total += fraction;
  }
  if (!s.Done()) return std::nullopt;
  return sign * total;
}

std::string FormatDate(int64_t days) {
  char text[kTimestampMax];
  return {text, PutDate(days, text)};
}

std::string FormatTime(int64_t ms) {
  char text[kTimestampMax];
  char* end = PutTime(ms, text);
  if (ms % 1000 != 0) {
    *end++ = '.';
    end = PutDigits(ms % 1000, 3, end);
  }
  return {text, end};
}

void AppendTimestamp(int64_t ms, std::string& out) {
  char text[kTimestampMax];
  int64_t days = FloorDiv(ms, kMsPerDay);
  int64_t rest = ms - days * kMsPerDay;
  char* end = PutDate(days, text);
  *end++ = ' ';
  end = PutTime(rest, end);
  *end++ = '.';
  end = PutDigits(rest % 1000, 3, end);
  out.append(text, end);
}

std::string FormatTimestamp(int64_t ms) {
  std::string out;
  AppendTimestamp(ms, out);
  for (int i = 0; i < 2 && out.back() == '0'; ++i) out.pop_back();
  return out;
}

std::string FormatInterval(int64_t ms, TimeUnit from, TimeUnit to) {
  std::string out = ms < 0 ? "-" : "+";
  uint64_t rest = ms < 0 ? 0 - static_cast<uint64_t>(ms) : static_cast<uint64_t>(ms);
  for (TimeUnit unit = from;; unit = static_cast<TimeUnit>(static_cast<int>(unit) + 1)) {
    if (UnitMs(unit) == 0) return out + std::to_string(rest);
    uint64_t size = static_cast<uint64_t>(UnitMs(unit));
    uint64_t value = rest / size;
    rest %= size;
    out += unit == from ? std::to_string(value) : Pad(static_cast<int64_t>(value), 2);
    if (unit >= to) break;
    out += unit <= TimeUnit::kDay ? " " : ":";
  }
  if (to == TimeUnit::kSecond && rest != 0) out += "." + Pad(static_cast<int64_t>(rest), 3);
  return out;
}

namespace {
// Around the ends of 64 bits, not beyond them.
int64_t Times(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}
}  // namespace

int64_t FloorTimestamp(int64_t ms, TimeUnit unit) {
  switch (unit) {
    case TimeUnit::kYear: {
      Civil c = CivilFromDays(FloorDiv(ms, kMsPerDay));
      return Times(DaysFromCivil(c.year, 1, 1), kMsPerDay);
    }
    case TimeUnit::kMonth: {
      Civil c = CivilFromDays(FloorDiv(ms, kMsPerDay));
      return Times(DaysFromCivil(c.year, c.month, 1), kMsPerDay);
    }
    case TimeUnit::kWeek: {
      int64_t days = FloorDiv(ms, kMsPerDay);
      return Times(days - FloorMod(days + 4, 7), kMsPerDay);  // 1970-01-01 was a Thursday
    }
    default:
      return Times(FloorDiv(ms, UnitMs(unit)), UnitMs(unit));
  }
}

int64_t NextTimestamp(int64_t ms, TimeUnit unit) {
  int64_t floor = FloorTimestamp(ms, unit);
  switch (unit) {
    case TimeUnit::kYear: {
      Civil c = CivilFromDays(FloorDiv(floor, kMsPerDay));
      return Times(DaysFromCivil(c.year + 1, 1, 1), kMsPerDay);
    }
    case TimeUnit::kMonth: {
      Civil c = CivilFromDays(FloorDiv(floor, kMsPerDay));
      return Times(
          c.month == 12 ? DaysFromCivil(c.year + 1, 1, 1) : DaysFromCivil(c.year, c.month + 1, 1),
          kMsPerDay);
    }
    default:
      return static_cast<int64_t>(static_cast<uint64_t>(floor) +
                                  static_cast<uint64_t>(UnitMs(unit)));
  }
}

}  // namespace millstream::sql
