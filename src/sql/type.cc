#include "sql/type.h"

#include <limits>

namespace millstream::sql {

Type Interval(TimeUnit from, TimeUnit to) {
  Type type{.kind = Kind::kInterval};
  type.from = from;
  type.to = to;
  return type;
}

std::string_view UnitName(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::kYear: return "YEAR";
    case TimeUnit::kMonth: return "MONTH";
    case TimeUnit::kWeek: return "WEEK";
    case TimeUnit::kDay: return "DAY";
    case TimeUnit::kHour: return "HOUR";
    case TimeUnit::kMinute: return "MINUTE";
    case TimeUnit::kSecond: return "SECOND";
  }
  return "?";
}

int64_t UnitMs(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::kYear:
    case TimeUnit::kMonth: return 0;
    case TimeUnit::kWeek: return 7 * 86'400'000LL;
    case TimeUnit::kDay: return 86'400'000LL;
    case TimeUnit::kHour: return 3'600'000LL;
    case TimeUnit::kMinute: return 60'000LL;
    case TimeUnit::kSecond: return 1'000LL;
  }
  return 0;
}

std::string TypeName(const Type& type) {
  auto with_length = [&](const char* name) {
    return std::string(name) + "(" + std::to_string(type.length) + ")";
  };
  switch (type.kind) {
    case Kind::kNull: return "NULL";
    case Kind::kBoolean: return "BOOLEAN";
    case Kind::kTinyint: return "TINYINT";
    case Kind::kSmallint: return "SMALLINT";
    case Kind::kInteger: return "INTEGER";
    case Kind::kBigint: return "BIGINT";
    case Kind::kDecimal:
      return "DECIMAL(" + std::to_string(type.length) + "," + std::to_string(type.scale) + ")";
    case Kind::kReal: return "REAL";
    case Kind::kDouble: return "DOUBLE";
    case Kind::kChar: return with_length("CHAR");
    case Kind::kVarchar: return with_length("VARCHAR");
    case Kind::kBinary: return with_length("BINARY");
    case Kind::kVarbinary: return with_length("VARBINARY");
    case Kind::kDate: return "DATE";
    case Kind::kTime: return "TIME";
    case Kind::kTimestamp: return "TIMESTAMP";
    case Kind::kInterval: {
      std::string name = "INTERVAL " + std::string(UnitName(type.from));
      if (type.from != type.to) name += " TO " + std::string(UnitName(type.to));
      return name;
    }
    case Kind::kRow: return "ROW";
  }
  return "?";
}

Type DecimalOf(const Type& type) {
  switch (type.kind) {
    case Kind::kTinyint: return Decimal(3, 0);
    case Kind::kSmallint: return Decimal(5, 0);
    case Kind::kInteger: return Decimal(10, 0);
    case Kind::kBigint: return Decimal(19, 0);
    default: return type;
  }
}

int64_t IntegerMin(Kind kind) {
  switch (kind) {
    case Kind::kTinyint: return std::numeric_limits<int8_t>::min();
    case Kind::kSmallint: return std::numeric_limits<int16_t>::min();
    case Kind::kInteger: return std::numeric_limits<int32_t>::min();
    default: return std::numeric_limits<int64_t>::min();
  }
}

int64_t IntegerMax(Kind kind) {
  switch (kind) {
    case Kind::kTinyint: return std::numeric_limits<int8_t>::max();
    case Kind::kSmallint: return std::numeric_limits<int16_t>::max();
    case Kind::kInteger: return std::numeric_limits<int32_t>::max();
    default: return std::numeric_limits<int64_t>::max();
  }
}

int64_t PowerOfTen(int exponent) {
  static constexpr int64_t kPowers[] = {1LL,
                                        10LL,
                                        100LL,
                                        1000LL,
                                        10000LL,
                                        100000LL,
                                        1000000LL,
                                        10000000LL,
                                        100000000LL,
                                        1000000000LL,
                                        10000000000LL,
                                        100000000000LL,
                                        1000000000000LL,
                                        10000000000000LL,
                                        100000000000000LL,
                                        1000000000000000LL,
                                        10000000000000000LL,
                                        100000000000000000LL,
                                        1000000000000000000LL};
  return kPowers[exponent < 0 ? 0 : exponent > 18 ? 18 : exponent];
}

}  // namespace millstream::sql
