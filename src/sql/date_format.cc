#include "sql/date_format.h"

#include <algorithm>
#include <cstdio>

#include "sql/datetime.h"
#include "sql/error.h"

namespace millstream::sql {

namespace {

constexpr std::string_view kMonths[] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};
constexpr std::string_view kDays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday"};

struct Zone {
  std::string_view name;
  int minutes;
};
constexpr Zone kZones[] = {{"UTC", 0},    {"GMT", 0},    {"UT", 0},     {"Z", 0},
                           {"EST", -300}, {"EDT", -240}, {"CST", -360}, {"CDT", -300},
                           {"MST", -420}, {"MDT", -360}, {"PST", -480}, {"PDT", -420},
                           {"AKST", -540}, {"AKDT", -480}, {"HST", -600}, {"WET", 0},
                           {"WEST", 60},  {"CET", 60},   {"CEST", 120}, {"EET", 120},
                           {"EEST", 180}, {"MSK", 180},  {"BST", 60},   {"IST", 330},
                           {"JST", 540},  {"KST", 540},  {"HKT", 480},  {"SGT", 480},
                           {"AEST", 600}, {"AEDT", 660}, {"NZST", 720}, {"NZDT", 780}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool StartsWithIgnoringCase(std::string_view text, std::string_view word) {
  if (text.size() < word.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if ((text[i] | 0x20) != (word[i] | 0x20)) return false;
  }
  return true;
}

bool Numeric(char letter, int count) {
  switch (letter) {
    case 'M':
    case 'L':
      return count < 3;
    case 'E':
    case 'a':
    case 'G':
    case 'z':
    case 'Z':
    case 'X':
    case 0: return false;
    default: return true;
  }
}

void Pad(int64_t value, int width, std::string& out) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%0*lld", width, static_cast<long long>(value));
  out += buffer;
}

// The longest of the names (or their first three letters) that the text starts with; -1 if none.
template <std::size_t n>
int MatchName(const std::string_view (&names)[n], std::string_view text, std::size_t& used) {
  int best = -1;
  used = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::string_view name : {names[i], names[i].substr(0, 3)}) {
      if (name.size() > used && StartsWithIgnoringCase(text, name)) {
        best = static_cast<int>(i);
        used = name.size();
      }
    }
  }
  return best;
}

// "+0100", "-08:00", "+1:30", "GMT+1", "PST". Minutes east of UTC.
bool ParseZone(std::string_view text, std::size_t& at, int& minutes) {
  std::string_view rest = text.substr(at);
  std::size_t used = 0;
  int base = 0;
  bool named = false;
  for (const Zone& zone : kZones) {
    if (zone.name.size() > used && StartsWithIgnoringCase(rest, zone.name) &&
        (rest.size() == zone.name.size() || !IsLetter(rest[zone.name.size()]))) {
      used = zone.name.size();
      base = zone.minutes;
      named = true;
    }
  }
  if (used < rest.size() && (rest[used] == '+' || rest[used] == '-') && base == 0) {
    int sign = rest[used] == '-' ? -1 : 1;
    std::size_t i = used + 1, start = i;
    while (i < rest.size() && IsDigit(rest[i]) && i - start < 4) ++i;
    std::size_t digits = i - start;
    if (digits > 0) {
      int value = 0;
      for (std::size_t k = start; k < i; ++k) value = value * 10 + (rest[k] - '0');
      int hours = digits <= 2 ? value : value / 100;
      int mins = digits <= 2 ? 0 : value % 100;
      if (digits <= 2 && i + 2 < rest.size() && rest[i] == ':' && IsDigit(rest[i + 1]) &&
          IsDigit(rest[i + 2])) {
        mins = (rest[i + 1] - '0') * 10 + (rest[i + 2] - '0');
        i += 3;
      }
      if (hours > 23 || mins > 59) return false;
      minutes = sign * (hours * 60 + mins);
      at += i;
      return true;
    }
  }
  if (!named) return false;
  minutes = base;
  at += used;
  return true;
}

// The day on or before `day` that is the weekday (1 is Sunday).
int64_t OnOrBefore(int64_t day, int weekday) { return day - FloorMod(day + 4 - (weekday - 1), 7); }
// The Sunday that starts week 1 of a year or month which starts at `first`.
int64_t FirstWeek(int64_t first) { return OnOrBefore(first, 1); }

// The date fields of a text, each with the position at which it was read: where several say the
// day, that which was read last counts, as in java.util.Calendar.
struct DateFields {
  enum Field {
    kMonth,
    kDay,
    kDayOfYear,
    kWeek,
    kWeekOfMonth,
    kWeekday,
    kWeekdayInMonth,
    kWeekYear,
    kFields
  };
  int64_t year = 1970;
  int64_t value[kFields] = {1, 1, 1, 1, 1, 1, 1, 0};
  int stamp[kFields] = {};
  int next = 1;

  void Set(Field field, int64_t v) {
    value[field] = v;
    stamp[field] = next++;
  }
  // Nothing when there is no such day in the month or year.
  std::optional<int64_t> Days() const {
    const int weekday = stamp[kWeekday] != 0 ? static_cast<int>(value[kWeekday]) : 1;
    if (stamp[kWeekYear] != 0 && stamp[kMonth] == 0 && stamp[kDay] == 0 && stamp[kDayOfYear] == 0) {
      return FirstWeek(DaysFromCivil(value[kWeekYear], 1, 1)) + 7 * (value[kWeek] - 1) + weekday -
             1;
    }
    auto both = [&](Field a) {
      return stamp[a] == 0 || stamp[kWeekday] == 0 ? 0 : std::max(stamp[a], stamp[kWeekday]);
    };
    int day = stamp[kDay], week_of_month = both(kWeekOfMonth), in_month = both(kWeekdayInMonth),
        week = both(kWeek),
        best = std::max({day, week_of_month, in_month, stamp[kDayOfYear], week});
    if (best == 0) {  // one of the weeks alone, or the weekday
      week_of_month = stamp[kWeekOfMonth];
      in_month = std::max(stamp[kWeekdayInMonth], stamp[kWeekday]);
      week = stamp[kWeek];
      best = std::max({week_of_month, in_month, week});
    }
    const int64_t year_start = DaysFromCivil(year, 1, 1);
    const int64_t month_start = DaysFromCivil(year, static_cast<int>(value[kMonth]), 1);
    if (best == day) {
      const int64_t days = month_start + value[kDay] - 1;
      if (CivilFromDays(days).month != value[kMonth]) return std::nullopt;  // February 30
      return days;
    }
    if (best == stamp[kDayOfYear]) {
      const int64_t days = year_start + value[kDayOfYear] - 1;
      if (CivilFromDays(days).year != year) return std::nullopt;
      return days;
    }
    if (best == week_of_month && stamp[kWeekOfMonth] >= stamp[kWeek]) {
      return FirstWeek(month_start) + 7 * (value[kWeekOfMonth] - 1) + weekday - 1;
    }
    if (best == in_month && stamp[kWeekdayInMonth] >= stamp[kWeek]) {
      return OnOrBefore(month_start + 7 * value[kWeekdayInMonth] - 1, weekday);
    }
    return FirstWeek(year_start) + 7 * (value[kWeek] - 1) + weekday - 1;
  }
};

}  // namespace

DateFormat::DateFormat(std::string_view pattern) {
  static constexpr std::string_view kLetters = "GyYMLwWDdFEuaHkKhmsSzZX";
  for (std::size_t i = 0; i < pattern.size();) {
    char c = pattern[i];
    if (c == '\'') {
      std::string literal;
      ++i;
      if (i < pattern.size() && pattern[i] == '\'') {
        literal = "'";
        ++i;
      } else {
        while (true) {
          if (i >= pattern.size()) {
            throw RowError{"INVALID_FORMAT", "a quote in the date format does not end"};
          }
          if (pattern[i] == '\'') {
            if (i + 1 < pattern.size() && pattern[i + 1] == '\'') {
              literal += '\'';
              i += 2;
              continue;
            }
            ++i;
            break;
          }
          literal += pattern[i++];
        }
      }
      items_.push_back({0, 0, literal});
    } else if (IsLetter(c)) {
      if (kLetters.find(c) == std::string_view::npos) {
        throw RowError{"INVALID_FORMAT", std::string("illegal pattern character '") + c +
                                             "' in the date format; quote texts: ''T''"};
      }
      int count = 0;
      while (i < pattern.size() && pattern[i] == c) {
        ++i;
        ++count;
      }
      if (c == 'X' && count > 3)
        throw RowError{"INVALID_FORMAT", "a zone in the date format is one to three letters X"};
      items_.push_back({c, count, {}});
    } else {
      items_.push_back({0, 0, std::string(1, c)});
      ++i;
    }
  }
  for (std::size_t i = 0; i + 1 < items_.size(); ++i) {
    items_[i].numeric_next = Numeric(items_[i].letter, items_[i].count) &&
                             Numeric(items_[i + 1].letter, items_[i + 1].count);
  }
}

std::optional<int64_t> DateFormat::Parse(std::string_view text, int64_t now_ms) const {
  DateFields date;
  int64_t hour = -1, minute = 0, second = 0, ms = 0;
  int64_t hour12 = -1;
  bool pm = false, bc = false;
  int zone = 0;
  std::size_t at = 0;
  for (const Item& item : items_) {
    if (item.letter == 0) {
      for (char c : item.literal) {
        if (at >= text.size() || text[at] != c) return std::nullopt;
        ++at;
      }
      continue;
    }
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
    int64_t value = 0;
    std::size_t digits = 0;
    if (Numeric(item.letter, item.count)) {
      std::size_t most = item.numeric_next ? static_cast<std::size_t>(item.count) : 18;
      bool negative = item.letter == 'y' && at < text.size() && text[at] == '-' &&
                      at + 1 < text.size() && IsDigit(text[at + 1]);
      if (negative) ++at;
      while (at < text.size() && digits < most && IsDigit(text[at])) {
        value = value * 10 + (text[at++] - '0');
        ++digits;
      }
      if (digits == 0) return std::nullopt;
      if (negative) value = -value;
    }
    auto within = [&](int64_t low, int64_t high) { return value >= low && value <= high; };
    switch (item.letter) {
      case 'y':
      case 'Y':
        if (value > 292'000'000 || value < -292'000'000) return std::nullopt;
        if (item.count == 2 && digits == 2) {
          // The year of these two digits within 80 years before and 20 after now.
          int64_t this_year = CivilFromDays(FloorDiv(now_ms, kMsPerDay)).year;
          int64_t first = this_year - 80;
          value += first - first % 100;
          if (value < first) value += 100;
        }
        if (item.letter == 'Y') date.Set(DateFields::kWeekYear, value);
        date.year = value;
        break;
      case 'M':
      case 'L':
        if (item.count >= 3) {
          std::size_t used = 0;
          int found = MatchName(kMonths, text.substr(at), used);
          if (found >= 0) {
            date.Set(DateFields::kMonth, found + 1);
            at += used;
            break;
          }
          return std::nullopt;
        }
        if (!within(1, 12)) return std::nullopt;
        date.Set(DateFields::kMonth, value);
        break;
      case 'd':
        if (!within(1, 31)) return std::nullopt;
        date.Set(DateFields::kDay, value);
        break;
      case 'D':
        if (!within(1, 366)) return std::nullopt;
        date.Set(DateFields::kDayOfYear, value);
        break;
      case 'w':
        if (!within(1, 53)) return std::nullopt;
        date.Set(DateFields::kWeek, value);
        break;
      case 'W':
        if (!within(0, 6)) return std::nullopt;
        date.Set(DateFields::kWeekOfMonth, value);
        break;
      case 'F':
        if (!within(1, 5)) return std::nullopt;
        date.Set(DateFields::kWeekdayInMonth, value);
        break;
      case 'u':  // 7 is Sunday
        if (!within(1, 7)) return std::nullopt;
        date.Set(DateFields::kWeekday, value % 7 + 1);
        break;
      case 'H':
        if (!within(0, 23)) return std::nullopt;
        hour = value;
        break;
      case 'k':
        if (!within(1, 24)) return std::nullopt;
        hour = value % 24;
        break;
      case 'K':
        if (!within(0, 11)) return std::nullopt;
        hour12 = value;
        break;
      case 'h':
        if (!within(0, 12)) return std::nullopt;
        hour12 = value % 12;
        break;
      case 'm':
        if (!within(0, 59)) return std::nullopt;
        minute = value;
        break;
      case 's':
        if (!within(0, 59)) return std::nullopt;
        second = value;
        break;
      case 'S':
        if (!within(0, 999)) return std::nullopt;
        ms = value;
        break;
      case 'E': {
        std::size_t used = 0;
        const int weekday = MatchName(kDays, text.substr(at), used);
        if (weekday < 0) return std::nullopt;
        date.Set(DateFields::kWeekday, weekday + 1);
        at += used;
        break;
      }
      case 'a':
        if (StartsWithIgnoringCase(text.substr(at), "AM")) {
          pm = false;
        } else if (StartsWithIgnoringCase(text.substr(at), "PM")) {
          pm = true;
        } else {
          return std::nullopt;
        }
        at += 2;
        break;
      case 'G':
        if (StartsWithIgnoringCase(text.substr(at), "AD")) {
          bc = false;
        } else if (StartsWithIgnoringCase(text.substr(at), "BC")) {
          bc = true;
        } else {
          return std::nullopt;
        }
        at += 2;
        break;
      case 'z':
      case 'Z':
      case 'X':
        if (!ParseZone(text, at, zone)) return std::nullopt;
        break;
      default:
        break;
    }
  }
  if (bc) date.year = 1 - date.year;
  // The half of the day counts for hours of twelve, and alone.
  if (hour12 >= 0 || hour < 0) hour = std::max<int64_t>(hour12, 0) + (pm ? 12 : 0);
  const std::optional<int64_t> days = date.Days();
  if (!days) return std::nullopt;
  return *days * kMsPerDay + ((hour * 60 + minute) * 60 + second) * 1000 + ms - zone * 60'000LL;
}

void DateFormat::Format(int64_t ms, std::string& out) const {
  int64_t days = FloorDiv(ms, kMsPerDay);
  int64_t rest = ms - days * kMsPerDay;
  Civil c = CivilFromDays(days);
  int64_t hour = rest / 3'600'000, minute = rest / 60'000 % 60, second = rest / 1000 % 60;
  int weekday = static_cast<int>(FloorMod(days + 4, 7));  // 0 is Sunday
  int64_t first = DaysFromCivil(c.year, 1, 1);
  int first_weekday = static_cast<int>(FloorMod(first + 4, 7));
  int64_t day_of_year = days - first + 1;
  // Weeks start on Sunday; the week that holds January 1 is week 1 (US rules).
  int64_t week = (day_of_year - 1 + first_weekday) / 7 + 1;
  int64_t week_year = c.year;
  int64_t saturday = days + (6 - weekday);
  if (CivilFromDays(saturday).year > c.year) {
    week = 1;
    week_year = c.year + 1;
  }
  for (const Item& item : items_) {
    switch (item.letter) {
      case 0: out += item.literal; break;
      case 'G': out += c.year > 0 ? "AD" : "BC"; break;
      case 'y':
      case 'Y': {
        int64_t year = item.letter == 'Y' ? week_year : c.year > 0 ? c.year : 1 - c.year;
        if (item.count == 2) {
          Pad(FloorMod(year, 100), 2, out);
        } else {
          Pad(year, item.count, out);
        }
        break;
      }
      case 'M':
      case 'L':
        if (item.count >= 4) {
          out += kMonths[c.month - 1];
        } else if (item.count == 3) {
          out += kMonths[c.month - 1].substr(0, 3);
        } else {
          Pad(c.month, item.count, out);
        }
        break;
      case 'w': Pad(week, item.count, out); break;
      case 'W': {
        int first_of_month = static_cast<int>(FloorMod(days - c.day + 1 + 4, 7));
        Pad((c.day - 1 + first_of_month) / 7 + 1, item.count, out);
        break;
      }
      case 'D': Pad(day_of_year, item.count, out); break;
      case 'd': Pad(c.day, item.count, out); break;
      case 'F': Pad((c.day - 1) / 7 + 1, item.count, out); break;
      case 'E': out += item.count >= 4 ? kDays[weekday] : kDays[weekday].substr(0, 3); break;
      case 'u': Pad(weekday == 0 ? 7 : weekday, item.count, out); break;
      case 'a': out += hour < 12 ? "AM" : "PM"; break;
      case 'H': Pad(hour, item.count, out); break;
      case 'k': Pad(hour == 0 ? 24 : hour, item.count, out); break;
      case 'K': Pad(hour % 12, item.count, out); break;
      case 'h': Pad(hour % 12 == 0 ? 12 : hour % 12, item.count, out); break;
      case 'm': Pad(minute, item.count, out); break;
      case 's': Pad(second, item.count, out); break;
      case 'S': Pad(rest % 1000, item.count, out); break;
      case 'z': out += item.count >= 4 ? "Coordinated Universal Time" : "UTC"; break;
      case 'Z': out += "+0000"; break;
      case 'X': out += "Z"; break;
      default: break;
    }
  }
}

}  // namespace millstream::sql
