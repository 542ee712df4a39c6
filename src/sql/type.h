#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millstream::sql {

enum class Kind : uint8_t {
  kNull,  // the type of NULL; becomes any other
  kBoolean,
  kTinyint,
  kSmallint,
  kInteger,
  kBigint,
  kDecimal,  // a scaled int64, at most 19 digits
  kReal,
  kDouble,
  kChar,
  kVarchar,
  kBinary,
  kVarbinary,
  kDate,       // days since 1970-01-01
  kTime,       // milliseconds of the day
  kTimestamp,  // milliseconds since 1970-01-01 UTC
  kInterval,   // day-time: milliseconds
  kRow,        // what a log parser returns: fields packed into one string
};

// How values lie in memory: three forms are enough for all kinds.
enum class Physical : uint8_t { kInt, kDouble, kString };

enum class TimeUnit : uint8_t { kYear, kMonth, kWeek, kDay, kHour, kMinute, kSecond };

struct RowField;

inline constexpr int32_t kVarcharMax = 65535;
inline constexpr int kDecimalPrecisionMax = 18;  // of results; 19 digits are accepted in columns

struct Type {
  Kind kind = Kind::kNull;
  int32_t length = 0;  // of character and binary types; precision of DECIMAL
  int32_t scale = 0;   // of DECIMAL
  TimeUnit from = TimeUnit::kDay;   // of INTERVAL
  TimeUnit to = TimeUnit::kSecond;  // of INTERVAL
  std::shared_ptr<const std::vector<RowField>> fields = {};  // of kRow

  bool operator==(const Type& other) const {
    return kind == other.kind && length == other.length && scale == other.scale;
  }
};

struct RowField {
  std::string name;
  Type type;
};

inline Type MakeType(Kind kind) { return Type{.kind = kind}; }
inline Type Varchar(int32_t length = kVarcharMax) {
  return Type{.kind = Kind::kVarchar, .length = length};
}
inline Type Decimal(int32_t precision, int32_t scale) {
  return Type{.kind = Kind::kDecimal, .length = precision, .scale = scale};
}
Type Interval(TimeUnit from, TimeUnit to);

inline Physical PhysicalOf(Kind kind) {
  switch (kind) {
    case Kind::kReal:
    case Kind::kDouble:
      return Physical::kDouble;
    case Kind::kChar:
    case Kind::kVarchar:
    case Kind::kBinary:
    case Kind::kVarbinary:
    case Kind::kRow:
      return Physical::kString;
    default:
      return Physical::kInt;
  }
}

inline bool IsInteger(Kind k) { return k >= Kind::kTinyint && k <= Kind::kBigint; }
inline bool IsExact(Kind k) { return k >= Kind::kTinyint && k <= Kind::kDecimal; }
inline bool IsApproximate(Kind k) { return k == Kind::kReal || k == Kind::kDouble; }
inline bool IsNumeric(Kind k) { return k >= Kind::kTinyint && k <= Kind::kDouble; }
inline bool IsCharacter(Kind k) { return k == Kind::kChar || k == Kind::kVarchar; }
inline bool IsBinary(Kind k) { return k == Kind::kBinary || k == Kind::kVarbinary; }
inline bool IsDatetime(Kind k) { return k >= Kind::kDate && k <= Kind::kTimestamp; }

// "VARCHAR(32)", "DECIMAL(5,2)", "INTERVAL DAY TO SECOND"
std::string TypeName(const Type& type);
std::string_view UnitName(TimeUnit unit);
// Milliseconds of a unit of fixed length; 0 for YEAR and MONTH.
int64_t UnitMs(TimeUnit unit);
// The DECIMAL that holds every value of an integer kind, e.g. DECIMAL(10,0) for INTEGER.
Type DecimalOf(const Type& type);
// The smallest and largest value of an integer kind.
int64_t IntegerMin(Kind kind);
int64_t IntegerMax(Kind kind);
int64_t PowerOfTen(int exponent);  // 0 to 18

// A constant: of a literal, a default, a test's expectation.
struct Value {
  Type type;
  bool null = true;
  int64_t i = 0;
  double d = 0;
  std::string s;

  static Value Null() { return {}; }
  static Value Int(Type type, int64_t v) {
    return {.type = type, .null = false, .i = v, .d = 0, .s = {}};
  }
  static Value Double(double v) {
    return {.type = MakeType(Kind::kDouble), .null = false, .i = 0, .d = v, .s = {}};
  }
  static Value String(std::string v) {
    int32_t length = static_cast<int32_t>(v.size());
    return {.type = Varchar(length), .null = false, .i = 0, .d = 0, .s = std::move(v)};
  }
};

}  // namespace millstream::sql
