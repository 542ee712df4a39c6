#include "sql/cast.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "sql/datetime.h"

namespace millstream::sql {

namespace {

constexpr const char* kOutOfRange = "NUMERIC_OUT_OF_RANGE";
constexpr const char* kInvalidCast = "INVALID_CAST";
constexpr const char* kTooLong = "STRING_TRUNCATION";

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Characters of UTF-8 text.
std::size_t Length(std::string_view text) {
  std::size_t n = 0;
  for (char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}
std::size_t PrefixBytes(std::string_view text, std::size_t characters) {
  std::size_t i = 0;
  while (i < text.size()) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80 && characters-- == 0) return i;
    ++i;
  }
  return text.size();
}

[[noreturn]] void OutOfRange(const Type& to, const std::string& text) {
  throw RowError{kOutOfRange, "value " + text + " does not fit " + TypeName(to)};
}
double ToReal(double d) {
  const auto real = static_cast<double>(static_cast<float>(d));
  if (std::isinf(real) && !std::isinf(d)) {
    std::string text;
    AppendDouble(d, text);
    throw RowError{kOutOfRange, "value " + text + " does not fit REAL"};
  }
  return real;
}

int64_t RoundHalfUp(double d, const Type& to) {
  double rounded = std::round(d);
  if (!(rounded >= -9223372036854775808.0 && rounded < 9223372036854775808.0)) {
    std::string text;
    AppendDouble(d, text);
    OutOfRange(to, text);
  }
  return static_cast<int64_t>(rounded);
}

int64_t CheckInteger(int64_t v, const Type& to) {
  if (v < IntegerMin(to.kind) || v > IntegerMax(to.kind)) OutOfRange(to, std::to_string(v));
  return v;
}

int64_t DoubleToDecimal(double d, const Type& to) {
  double scaled = std::round(d * static_cast<double>(PowerOfTen(to.scale)));
  if (!(std::fabs(scaled) < 9.2e18)) {
    std::string text;
    AppendDouble(d, text);
    OutOfRange(to, text);
  }
  int64_t v = static_cast<int64_t>(scaled);
  if (!FitsPrecision(v, to.length)) {
    std::string text;
    AppendDouble(d, text);
    OutOfRange(to, text);
  }
  return v;
}

// Text in the form the target wants: cut to its length, and for CHAR filled up with blanks.
std::string_view FitText(std::string_view text, const Type& to, Arena& arena) {
  std::size_t limit = static_cast<std::size_t>(to.length);
  if (text.size() > limit) {  // bytes; only then can the characters be too many
    text = text.substr(0, PrefixBytes(text, limit));
  }
  if (to.kind == Kind::kChar) {
    std::size_t length = Length(text);
    if (length < limit) {
      char* out = arena.Allocate(text.size() + limit - length);
      std::memcpy(out, text.data(), text.size());
      std::memset(out + text.size(), ' ', limit - length);
      text = {out, text.size() + limit - length};
    }
  }
  return text;
}

std::string_view FitBinary(std::string_view bytes, const Type& to, Arena& arena) {
  std::size_t limit = static_cast<std::size_t>(to.length);
  if (bytes.size() > limit) {
    throw RowError{kTooLong, std::to_string(bytes.size()) + " bytes do not fit " + TypeName(to)};
  }
  if (to.kind == Kind::kBinary && bytes.size() < limit) {
    char* out = arena.Allocate(limit);
    std::memcpy(out, bytes.data(), bytes.size());
    std::memset(out + bytes.size(), 0, limit - bytes.size());
    bytes = {out, limit};
  }
  return bytes;
}

[[noreturn]] void BadText(std::string_view text, const Type& to, const char* format) {
  throw RowError{kInvalidCast, "text '" + std::string(text.substr(0, 100)) + "' is no " +
                                   TypeName(to) + (format[0] == '\0' ? "" : ", expected ") +
                                   format};
}

// Of the text of a time: CAST wants all six fields.
bool HasSeconds(std::string_view text) {
  std::size_t hour = text.find(':');
  if (hour == std::string_view::npos) return false;
  std::size_t minute = text.find_first_not_of("0123456789", hour + 1);
  return minute != std::string_view::npos && text[minute] == ':';
}

void TextTo(CallFrame& frame) {
  const Type& to = frame.expr.type;
  const std::string_view* in = frame.strings(0);
  Vector& out = frame.out;
  switch (to.kind) {
    case Kind::kBoolean:
      frame.ForEachRow([&](int i) {
        std::string_view t = Trim(in[i]);
        auto is = [&](std::string_view word) {
          if (t.size() != word.size()) return false;
          for (std::size_t k = 0; k < t.size(); ++k) {
            if ((t[k] | 0x20) != word[k]) return false;
          }
          return true;
        };
        if (is("true")) {
          out.ints()[i] = 1;
        } else if (is("false")) {
          out.ints()[i] = 0;
        } else if (is("unknown")) {
          out.SetNull(i);
        } else {
          BadText(in[i], to, "TRUE or FALSE");
        }
      });
      return;
    case Kind::kTinyint:
    case Kind::kSmallint:
    case Kind::kInteger:
    case Kind::kBigint:
      frame.ForEachRow([&](int i) {
        std::string_view t = Trim(in[i]);
        int64_t v = 0;
        if (ParseDecimal(t, 19, 0, true, v)) {
          out.ints()[i] = CheckInteger(v, to);
          return;
        }
        double d = 0;
        if (!ParseDouble(t, d)) BadText(in[i], to, "");
        out.ints()[i] = CheckInteger(RoundHalfUp(d, to), to);
      });
      return;
    case Kind::kDecimal:
      frame.ForEachRow([&](int i) {
        std::string_view t = Trim(in[i]);
        int64_t v = 0;
        if (ParseDecimal(t, to.length, to.scale, true, v)) {
          out.ints()[i] = v;
          return;
        }
        double d = 0;
        if (!ParseDouble(t, d)) BadText(in[i], to, "");
        out.ints()[i] = DoubleToDecimal(d, to);
      });
      return;
    case Kind::kReal:
    case Kind::kDouble:
      frame.ForEachRow([&](int i) {
        double d = 0;
        if (!ParseDouble(Trim(in[i]), d)) BadText(in[i], to, "");
        out.doubles()[i] = to.kind == Kind::kReal ? ToReal(d) : d;
      });
      return;
    case Kind::kDate:
      frame.ForEachRow([&](int i) {
        auto v = ParseDate(in[i]);
        if (!v) BadText(in[i], to, "yyyy-MM-dd");
        out.ints()[i] = *v;
      });
      return;
    case Kind::kTime:
      frame.ForEachRow([&](int i) {
        auto v = ParseTime(in[i]);
        if (!v) BadText(in[i], to, "HH:mm:ss");
        out.ints()[i] = *v;
      });
      return;
    case Kind::kTimestamp:
      frame.ForEachRow([&](int i) {
        auto v = ParseTimestamp(in[i]);
        if (!v || !HasSeconds(in[i])) BadText(in[i], to, "yyyy-MM-dd HH:mm:ss");
        out.ints()[i] = *v;
      });
      return;
    case Kind::kInterval:
      frame.ForEachRow([&](int i) {
        auto v = ParseInterval(in[i], to.from, to.to);
        if (!v) BadText(in[i], to, "");
        out.ints()[i] = *v;
      });
      return;
    default:  // text to text
      // A text that is too long is cut, by CAST as the standard has it and by INSERT as documented
      // applications need it (they put a line of a log into VARCHAR(24)).
      frame.ForEachRow([&](int i) { out.strings()[i] = FitText(in[i], to, frame.arena()); });
      return;
  }
}

// What a text of `size` characters shows of a time or an interval, as the examples of the
// documentation have it: a fraction of zero is dropped, and units at the end of an interval.
void Shorten(const Type& from, std::size_t size, std::string& text) {
  if (text.size() <= size) return;
  if (from.kind == Kind::kInterval) text.resize(size);
  std::size_t point = text.size() - std::min<std::size_t>(text.size(), 2);
  if (from.kind == Kind::kTimestamp && text.substr(point) == ".0") text.resize(point);
}

void ToText(CallFrame& frame, const Type& from) {
  const Type& to = frame.expr.type;
  std::string text;
  frame.ForEachRow([&](int i) {
    text.clear();
    AppendText(from, *frame.arguments[0], i, text);
    Shorten(from, static_cast<std::size_t>(to.length), text);
    if (Length(text) > static_cast<std::size_t>(to.length)) {
      throw RowError{kTooLong, "'" + text + "' does not fit " + TypeName(to)};
    }
    frame.out.strings()[i] = FitText(frame.arena().Copy(text), to, frame.arena());
  });
}

}  // namespace

bool FitsPrecision(int64_t value, int precision) {
  if (precision >= 19) return true;
  int64_t limit = PowerOfTen(precision);
  return value > -limit && value < limit;
}

bool Rescale(int64_t value, int from, int to, int64_t& out) {
  if (from == to) {
    out = value;
    return true;
  }
  if (to > from) return !__builtin_mul_overflow(value, PowerOfTen(to - from), &out);
  int64_t divisor = PowerOfTen(from - to);
  int64_t quotient = value / divisor, rest = value % divisor;
  if (rest >= divisor - rest && rest > 0) ++quotient;
  if (rest < 0 && -rest >= divisor + rest) --quotient;
  out = quotient;
  return true;
}

bool ParseDecimal(std::string_view text, int precision, int scale, bool round, int64_t& out) {
  bool negative = false;
  std::size_t i = 0;
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) negative = text[i++] == '-';
  __int128 value = 0;
  int digits = 0, fraction = 0;
  bool point = false, round_up = false, lost = false;
  for (; i < text.size(); ++i) {
    char c = text[i];
    if (c == '.') {
      if (point) return false;
      point = true;
      continue;
    }
    if (c < '0' || c > '9') return false;
    ++digits;
    if (point && fraction >= scale) {
      if (fraction == scale && !lost) round_up = c >= '5';
      if (c != '0' && !round) return false;
      lost = true;
      continue;
    }
    if (value > (static_cast<__int128>(1) << 80)) return false;
    value = value * 10 + (c - '0');
    if (point) ++fraction;
  }
  if (digits == 0) return false;
  while (fraction < scale) {
    value *= 10;
    ++fraction;
  }
  if (round_up) ++value;
  if (negative) value = -value;
  if (value > INT64_MAX || value < INT64_MIN) return false;
  out = static_cast<int64_t>(value);
  return FitsPrecision(out, precision);
}

bool ParseDouble(std::string_view text, double& out) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  if (text.empty()) return false;
  char c = text.front() == '-' && text.size() > 1 ? text[1] : text.front();
  if (!((c >= '0' && c <= '9') || c == '.')) return false;  // no "nan", "inf"
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

void AppendDecimal(int64_t value, int scale, std::string& out) {
  uint64_t magnitude = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  std::string digits = std::to_string(magnitude);
  if (value < 0) out += '-';
  if (scale == 0) {
    out += digits;
    return;
  }
  std::size_t places = static_cast<std::size_t>(scale);
  if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
  out.append(digits, 0, digits.size() - places);
  out += '.';
  out.append(digits, digits.size() - places, std::string::npos);
}

namespace {
// Java's Double.toString: plain between 10^-3 and 10^7, else d.dddEn.
template <typename T>
void AppendJavaDouble(T value, std::string& out) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::isinf(value)) {
    out += value < 0 ? "-Infinity" : "Infinity";
    return;
  }
  double magnitude = std::fabs(static_cast<double>(value));
  char buffer[64];
  if (magnitude == 0 || (magnitude >= 1e-3 && magnitude < 1e7)) {
    auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
    std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
    out += text;
    if (text.find('.') == std::string_view::npos) out += ".0";
    return;
  }
  auto [end, error] =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  std::size_t e = text.find('e');
  std::string_view mantissa = text.substr(0, e);
  out += mantissa;
  if (mantissa.find('.') == std::string_view::npos) out += ".0";
  out += 'E';
  std::string_view exponent = text.substr(e + 1);
  if (exponent.front() == '-') out += '-';
  exponent.remove_prefix(1);
  while (exponent.size() > 1 && exponent.front() == '0') exponent.remove_prefix(1);
  out += exponent;
}
}  // namespace

void AppendDouble(double value, std::string& out) { AppendJavaDouble(value, out); }
void AppendReal(double value, std::string& out) {
  AppendJavaDouble(static_cast<float>(value), out);
}

void AppendText(const Type& type, const Vector& column, int row, std::string& out) {
  switch (type.kind) {
    case Kind::kBoolean: out += column.ints()[row] != 0 ? "TRUE" : "FALSE"; return;
    case Kind::kTinyint:
    case Kind::kSmallint:
    case Kind::kInteger:
    case Kind::kBigint: {
      char buffer[24];
      auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, column.ints()[row]);
      out.append(buffer, static_cast<std::size_t>(end - buffer));
      return;
    }
    case Kind::kDecimal: AppendDecimal(column.ints()[row], type.scale, out); return;
    case Kind::kReal: AppendReal(column.doubles()[row], out); return;
    case Kind::kDouble: AppendDouble(column.doubles()[row], out); return;
    case Kind::kDate: out += FormatDate(column.ints()[row]); return;
    case Kind::kTime: out += FormatTime(column.ints()[row]); return;
    case Kind::kTimestamp: out += FormatTimestamp(column.ints()[row]); return;
    case Kind::kInterval: out += FormatInterval(column.ints()[row], type.from, type.to); return;
    case Kind::kNull: return;
    default: out += column.strings()[row]; return;
  }
}

std::string ValueText(const Value& value) {
  if (value.null) return "NULL";
  Vector column(PhysicalOf(value.type.kind));
  Arena arena;
  column.SetValue(0, value, arena);
  std::string out;
  AppendText(value.type, column, 0, out);
  return out;
}

bool CanAssign(const Type& from, const Type& to) {
  if (from.kind == Kind::kNull || from.kind == to.kind) return true;
  if (IsNumeric(from.kind) && IsNumeric(to.kind)) return true;
  if (IsCharacter(from.kind) && IsCharacter(to.kind)) return true;
  return IsBinary(from.kind) && IsBinary(to.kind);
}

bool CanCast(const Type& from, const Type& to) {
  if (CanAssign(from, to)) return true;
  if (from.kind == Kind::kRow || to.kind == Kind::kRow) return false;
  if (IsNumeric(from.kind)) {
    return IsCharacter(to.kind) || (to.kind == Kind::kInterval && IsExact(from.kind));
  }
  if (IsCharacter(from.kind)) return !IsBinary(to.kind);
  switch (from.kind) {
    case Kind::kDate: return IsCharacter(to.kind) || to.kind == Kind::kTimestamp;
    case Kind::kTime: return IsCharacter(to.kind) || to.kind == Kind::kTimestamp;
    case Kind::kTimestamp:
      return IsCharacter(to.kind) || to.kind == Kind::kDate || to.kind == Kind::kTime;
    case Kind::kInterval:
      return IsCharacter(to.kind) || IsExact(to.kind);
    case Kind::kBoolean: return IsCharacter(to.kind);
    default: return false;
  }
}

std::string ConversionRemedy(const Type& from, const Type& to) {
  if (CanCast(from, to)) return "; write CAST(... AS " + TypeName(to) + ")";
  if (from.kind == Kind::kTimestamp && IsNumeric(to.kind)) {
    return "; write UNIX_TIMESTAMP(...), which gives milliseconds";
  }
  if (IsNumeric(from.kind) && to.kind == Kind::kTimestamp) {
    return "; write TO_TIMESTAMP(...), which takes milliseconds";
  }
  if (IsNumeric(from.kind) && (to.kind == Kind::kDate || to.kind == Kind::kTime)) {
    return "; write CAST(TO_TIMESTAMP(...) AS " + TypeName(to) + "), which takes milliseconds";
  }
  if (IsNumeric(from.kind) && to.kind == Kind::kBoolean) return "; write ... <> 0";
  if (from.kind == Kind::kBoolean && IsNumeric(to.kind)) {
    return "; write CASE WHEN ... THEN 1 ELSE 0 END";
  }
  return "";
}

void CastKernel(CallFrame& frame, const Type& from) {
  const Type& to = frame.expr.type;
  Vector& out = frame.out;
  if (from.kind == Kind::kNull) {
    for (int i = 0; i < frame.rows; ++i) out.SetNull(i);
    return;
  }
  if (IsCharacter(from.kind)) return TextTo(frame);
  if (IsCharacter(to.kind)) return ToText(frame, from);
  if (IsBinary(from.kind)) {
    return frame.ForEachRow([&](int i) {
      out.strings()[i] = FitBinary(frame.strings(0)[i], to, frame.arena());
    });
  }
  if (from.kind == Kind::kRow) {
    return frame.ForEachRow([&](int i) { out.strings()[i] = frame.strings(0)[i]; });
  }
  if (from.kind == Kind::kInterval || to.kind == Kind::kInterval) {
    // The number is of the interval's last unit: CAST(INTERVAL '90' SECOND AS BIGINT) is 90.
    const int64_t* in = frame.ints(0);
    if (from.kind == to.kind) {
      return frame.ForEachRow([&](int i) { out.ints()[i] = in[i]; });
    }
    if (to.kind == Kind::kInterval) {
      int64_t unit = UnitMs(to.to);
      int64_t divisor = from.kind == Kind::kDecimal ? PowerOfTen(from.scale) : 1;
      return frame.ForEachRow([&](int i) {
        __int128 ms = static_cast<__int128>(in[i]) * unit / divisor;
        if (ms > INT64_MAX || ms < INT64_MIN) OutOfRange(to, std::to_string(in[i]));
        out.ints()[i] = static_cast<int64_t>(ms);
      });
    }
    int64_t unit = UnitMs(from.to);
    return frame.ForEachRow([&](int i) {
      if (to.kind == Kind::kDecimal) {
        __int128 scaled = static_cast<__int128>(in[i]) * PowerOfTen(to.scale) / unit;
        if (scaled > INT64_MAX || scaled < INT64_MIN ||
            !FitsPrecision(static_cast<int64_t>(scaled), to.length)) {
          OutOfRange(to, FormatInterval(in[i], from.from, from.to));
        }
        out.ints()[i] = static_cast<int64_t>(scaled);
      } else {
        out.ints()[i] = CheckInteger(in[i] / unit, to);
      }
    });
  }
  if (IsDatetime(from.kind)) {
    const int64_t* in = frame.ints(0);
    int64_t today = FloorDiv(frame.context.query_start_ms, kMsPerDay) * kMsPerDay;
    return frame.ForEachRow([&](int i) {
      int64_t v = in[i];
      if (from.kind == Kind::kDate && to.kind == Kind::kTimestamp) v *= kMsPerDay;
      if (from.kind == Kind::kTime && to.kind == Kind::kTimestamp) v += today;
      if (from.kind == Kind::kTimestamp && to.kind == Kind::kDate) v = FloorDiv(v, kMsPerDay);
      if (from.kind == Kind::kTimestamp && to.kind == Kind::kTime) v = FloorMod(v, kMsPerDay);
      out.ints()[i] = v;
    });
  }
  if (from.kind == Kind::kBoolean) {
    return frame.ForEachRow([&](int i) { out.ints()[i] = frame.ints(0)[i]; });
  }
  // Numbers.
  if (IsApproximate(to.kind)) {
    bool real = to.kind == Kind::kReal;
    auto set = [&](int i, double d) { out.doubles()[i] = real ? ToReal(d) : d; };
    if (IsApproximate(from.kind)) {
      return frame.ForEachRow([&](int i) { set(i, frame.doubles(0)[i]); });
    }
    double divisor = from.kind == Kind::kDecimal ? static_cast<double>(PowerOfTen(from.scale)) : 1;
    return frame.ForEachRow([&](int i) { set(i, static_cast<double>(frame.ints(0)[i]) / divisor); });
  }
  if (IsApproximate(from.kind)) {
    const double* in = frame.doubles(0);
    if (to.kind == Kind::kDecimal) {
      return frame.ForEachRow([&](int i) { out.ints()[i] = DoubleToDecimal(in[i], to); });
    }
    return frame.ForEachRow(
        [&](int i) { out.ints()[i] = CheckInteger(RoundHalfUp(in[i], to), to); });
  }
  const int64_t* in = frame.ints(0);
  int from_scale = from.kind == Kind::kDecimal ? from.scale : 0;
  int to_scale = to.kind == Kind::kDecimal ? to.scale : 0;
  if (from_scale == 0 && to_scale == 0 && IsInteger(to.kind) && IsInteger(from.kind) &&
      from.kind <= to.kind) {  // widening
    bool nulls = frame.PropagateNulls();
    (void)nulls;
    std::memcpy(out.ints(), in, sizeof(int64_t) * static_cast<std::size_t>(frame.rows));
    return;
  }
  frame.ForEachRow([&](int i) {
    int64_t v = 0;
    bool fits = Rescale(in[i], from_scale, to_scale, v);
    if (fits && to.kind == Kind::kDecimal) fits = FitsPrecision(v, to.length);
    if (!fits) {
      std::string text;
      AppendDecimal(in[i], from_scale, text);
      OutOfRange(to, text);
    }
    out.ints()[i] = to.kind == Kind::kDecimal ? v : CheckInteger(v, to);
  });
}

}  // namespace millstream::sql
