// Operators and predicates: + - * / %, comparisons, NOT, IS.
#include <cmath>

#include "sql/cast.h"
#include "sql/datetime.h"
#include "sql/function_tables.h"

namespace millstream::sql {

namespace {

constexpr const char* kOverflow = "NUMERIC_OUT_OF_RANGE";
constexpr const char* kDivisionByZero = "DIVISION_BY_ZERO";

// p digits of which s behind the point, where p exceeds what we hold: the digits before the point
// stay as long as `scale_min` behind it stay too.
Type CapDecimal(int precision, int scale, int scale_min) {
  if (precision > kDecimalPrecisionMax) {
    int whole = precision - scale;
    scale = std::max(std::min(scale, scale_min), kDecimalPrecisionMax - whole);
    precision = kDecimalPrecisionMax;
  }
  return Decimal(precision, std::clamp(scale, 0, kDecimalPrecisionMax));
}

int ScaleOf(const Type& type) { return type.kind == Kind::kDecimal ? type.scale : 0; }

Type ResolveNumeric(Arguments& arguments, char op) {
  const Type a = arguments[0]->type, b = arguments[1]->type;
  if (IsApproximate(a.kind) || IsApproximate(b.kind)) {
    Type type = a.kind == Kind::kReal && b.kind == Kind::kReal ? a : MakeType(Kind::kDouble);
    for (ExprPtr& e : arguments) e = MakeCast(e, type, e->at);
    return type;
  }
  if (a.kind != Kind::kDecimal && b.kind != Kind::kDecimal) return a.kind > b.kind ? a : b;
  Type x = DecimalOf(a), y = DecimalOf(b);
  int p1 = x.length, s1 = x.scale, p2 = y.length, s2 = y.scale;
  switch (op) {
    case '+':
    case '-': {
      int s = std::max(s1, s2);
      return CapDecimal(std::max(p1 - s1, p2 - s2) + s + 1, s, s);
    }
    case '*': return CapDecimal(p1 + p2, s1 + s2, s1);
    case '/': {
      int d = p1 - s1 + s2, s = std::max(6, s1 + p2 + 1);
      return CapDecimal(d + s, s, s1);
    }
    default: {  // %
      int s = std::max(s1, s2);
      return CapDecimal(std::min(p1 - s1, p2 - s2) + s, s, s);
    }
  }
}

[[noreturn]] void BadOperands(const char* op, const Arguments& arguments, Position at) {
  const Type &a = arguments[0]->type, &b = arguments[1]->type;
  std::string remedy;
  if (IsCharacter(a.kind) && IsCharacter(b.kind) && op[0] == '+') {
    remedy = "; texts are joined with ||";
  } else if (IsCharacter(a.kind) || IsCharacter(b.kind)) {
    remedy = "; write CAST(... AS type)";
  } else if (IsDatetime(a.kind) && IsNumeric(b.kind)) {
    remedy = "; write e.g. t " + std::string(op) + " INTERVAL '1' SECOND";
  }
  throw SqlError(at, "cannot compute " + TypeName(a) + " " + op + " " + TypeName(b) + remedy);
}

Type WidestInterval(const Type& a, const Type& b) {
  return Interval(std::min(a.from, b.from), std::max(a.to, b.to));
}

template <char op>
Type ResolveArithmetic(Arguments& arguments, Position at) {
  static constexpr char kOp[] = {op, '\0'};
  for (int i = 0; i < 2; ++i) {  // NULL takes the type of the other side
    std::size_t k = static_cast<std::size_t>(i);
    if (arguments[k]->type.kind == Kind::kNull) {
      Type other = arguments[1 - k]->type;
      if (other.kind == Kind::kNull) other = MakeType(Kind::kInteger);
      if (IsDatetime(other.kind)) other = Interval(TimeUnit::kDay, TimeUnit::kSecond);
      arguments[k] = MakeCast(arguments[k], other, at);
    }
  }
  const Type a = arguments[0]->type, b = arguments[1]->type;
  if (IsNumeric(a.kind) && IsNumeric(b.kind)) return ResolveNumeric(arguments, op);
  if constexpr (op == '+' || op == '-') {
    if (IsDatetime(a.kind) && b.kind == Kind::kInterval) {
      if (a.kind == Kind::kDate && b.to > TimeUnit::kDay) {
        arguments[0] = MakeCast(arguments[0], MakeType(Kind::kTimestamp), at);
        return MakeType(Kind::kTimestamp);
      }
      return a;
    }
    if (a.kind == Kind::kInterval && b.kind == Kind::kInterval) return WidestInterval(a, b);
    if (op == '+' && a.kind == Kind::kInterval && IsDatetime(b.kind)) {
      std::swap(arguments[0], arguments[1]);
      return ResolveArithmetic<op>(arguments, at);
    }
    if (op == '-' && IsDatetime(a.kind) && a.kind == b.kind) {
      throw SqlError(at, "the difference of two times needs a unit: write (a - b) SECOND, or "
                         "TSDIFF(a, b) for milliseconds");
    }
  }
  if constexpr (op == '*' || op == '/') {
    if (op == '*' && IsNumeric(a.kind) && b.kind == Kind::kInterval) {
      std::swap(arguments[0], arguments[1]);
    }
    if (arguments[0]->type.kind == Kind::kInterval && IsNumeric(arguments[1]->type.kind)) {
      arguments[1] = MakeCast(arguments[1], MakeType(Kind::kDouble), at);
      return arguments[0]->type;
    }
  }
  BadOperands(kOp, arguments, at);
}

template <char op>
void IntegerKernel(CallFrame& frame) {
  const int64_t* a = frame.ints(0);
  const int64_t* b = frame.ints(1);
  int64_t* out = frame.out.ints();
  bool nulls = frame.PropagateNulls();
  int64_t min = IntegerMin(frame.expr.type.kind), max = IntegerMax(frame.expr.type.kind);
  if constexpr (op == '+' || op == '-' || op == '*') {
    bool bad = false;
    for (int i = 0; i < frame.rows; ++i) {
      bool over = op == '+'   ? __builtin_add_overflow(a[i], b[i], &out[i])
                  : op == '-' ? __builtin_sub_overflow(a[i], b[i], &out[i])
                              : __builtin_mul_overflow(a[i], b[i], &out[i]);
      bad |= over | (out[i] < min) | (out[i] > max);
    }
    if (!bad) return;
  }
  for (int i = 0; i < frame.rows; ++i) {
    if (nulls && frame.out.valid()[i] == 0) continue;
    bool over = false;
    if constexpr (op == '/' || op == '%') {
      if (b[i] == 0) {
        frame.Fail(i, kDivisionByZero, "division by zero: " + std::to_string(a[i]) + " / 0");
        continue;
      }
      if (b[i] == -1) {
        over = op == '/' && a[i] == INT64_MIN;
        out[i] = op == '%' ? 0 : static_cast<int64_t>(0 - static_cast<uint64_t>(a[i]));
      } else {
        out[i] = op == '/' ? a[i] / b[i] : a[i] % b[i];
      }
    } else {
      over = op == '+'   ? __builtin_add_overflow(a[i], b[i], &out[i])
             : op == '-' ? __builtin_sub_overflow(a[i], b[i], &out[i])
                         : __builtin_mul_overflow(a[i], b[i], &out[i]);
    }
    if (over || out[i] < min || out[i] > max) {
      frame.Fail(i, kOverflow, std::to_string(a[i]) + " " + op + " " + std::to_string(b[i]) +
                                   " does not fit " + TypeName(frame.expr.type));
    }
  }
}

__int128 Pow10(int n) {
  __int128 out = 1;
  for (int i = 0; i < n; ++i) out *= 10;
  return out;
}

template <char op>
void DecimalKernel(CallFrame& frame) {
  const Type& type = frame.expr.type;
  int sa = ScaleOf(frame.expr.arguments[0]->type), sb = ScaleOf(frame.expr.arguments[1]->type);
  int s = type.scale;
  const int64_t* a = frame.ints(0);
  const int64_t* b = frame.ints(1);
  int64_t* out = frame.out.ints();
  auto shift = [](__int128 v, int by) {  // v * 10^by, rounded half away from zero when by < 0
    if (by >= 0) return v * Pow10(std::min(by, 19));
    __int128 d = Pow10(-by), q = v / d, r = v % d;
    if (r < 0 ? -2 * r >= d : 2 * r >= d) q += v < 0 ? -1 : 1;
    return q;
  };
  frame.ForEachRow([&](int i) {
    __int128 v = 0;
    if constexpr (op == '+') v = shift(a[i], s - sa) + shift(b[i], s - sb);
    if constexpr (op == '-') v = shift(a[i], s - sa) - shift(b[i], s - sb);
    if constexpr (op == '*') v = shift(static_cast<__int128>(a[i]) * b[i], s - sa - sb);
    if constexpr (op == '/' || op == '%') {
      if (b[i] == 0) throw RowError{kDivisionByZero, "division by zero"};
      if constexpr (op == '/') {
        int by = s - sa + sb;  // at most 18 + 18: the product of 19 and 36 digits needs care
        __int128 n = a[i];
        if (by >= 0) {
          int first = std::min(by, 18);
          n *= Pow10(first);
          v = n / b[i];
          if (by > first) v = v * Pow10(by - first) + (n % b[i]) * Pow10(by - first) / b[i];
        } else {
          v = n / b[i] / Pow10(-by);
        }
      } else {
        v = shift(a[i], s - sa) % shift(b[i], s - sb);
      }
    }
    if (v > INT64_MAX || v < INT64_MIN || !FitsPrecision(static_cast<int64_t>(v), 19)) {
      throw RowError{kOverflow, std::string("the result of ") + op + " does not fit " +
                                    TypeName(type)};
    }
    out[i] = static_cast<int64_t>(v);
  });
}

template <char op>
void DoubleKernel(CallFrame& frame) {
  const double* a = frame.doubles(0);
  const double* b = frame.doubles(1);
  double* out = frame.out.doubles();
  bool nulls = frame.PropagateNulls();
  bool real = frame.expr.type.kind == Kind::kReal;
  for (int i = 0; i < frame.rows; ++i) {
    if constexpr (op == '+') out[i] = a[i] + b[i];
    if constexpr (op == '-') out[i] = a[i] - b[i];
    if constexpr (op == '*') out[i] = a[i] * b[i];
    if constexpr (op == '/') out[i] = a[i] / b[i];
    if constexpr (op == '%') out[i] = std::fmod(a[i], b[i]);
    if (real) out[i] = static_cast<double>(static_cast<float>(out[i]));
  }
  if constexpr (op == '/' || op == '%') {
    for (int i = 0; i < frame.rows; ++i) {
      if (b[i] == 0 && !(nulls && frame.out.valid()[i] == 0)) {
        frame.Fail(i, kDivisionByZero, "division by zero");
      }
    }
  }
}

template <char op>
void ArithmeticKernel(CallFrame& frame) {
  const Type& type = frame.expr.type;
  switch (type.kind) {
    case Kind::kReal:
    case Kind::kDouble: return DoubleKernel<op>(frame);
    case Kind::kDecimal: return DecimalKernel<op>(frame);
    case Kind::kInterval:
      if constexpr (op == '*' || op == '/') {
        return frame.ForEachRow([&](int i) {
          double d = frame.doubles(1)[i];
          if (op == '/' && d == 0) throw RowError{kDivisionByZero, "division by zero"};
          double ms = static_cast<double>(frame.ints(0)[i]);
          double v = std::floor(op == '*' ? ms * d : ms / d);
          if (!(std::fabs(v) < 9.2e18)) throw RowError{kOverflow, "the interval is out of range"};
          frame.out.ints()[i] = static_cast<int64_t>(v);
        });
      } else {
        return IntegerKernel<op>(frame);
      }
    case Kind::kDate:
      return frame.ForEachRow([&](int i) {
        int64_t days = FloorDiv(frame.ints(1)[i], kMsPerDay);
        frame.out.ints()[i] = frame.ints(0)[i] + (op == '-' ? -days : days);
      });
    case Kind::kTime:
      return frame.ForEachRow([&](int i) {
        int64_t ms = frame.ints(1)[i] % kMsPerDay;
        frame.out.ints()[i] =
            FloorMod(frame.ints(0)[i] + (op == '-' ? -ms : ms), kMsPerDay);
      });
    default: return IntegerKernel<op>(frame);
  }
}

// (a - b) SECOND: the difference in milliseconds.
Type ResolveDifference(Arguments& arguments, Position at) {
  Unify(arguments, 0, at, "subtract");
  if (!IsDatetime(arguments[0]->type.kind) && arguments[0]->type.kind != Kind::kNull) {
    throw SqlError(at, "an interval qualifier follows the difference of two times: (t1 - t2) "
                       "SECOND");
  }
  return Interval(TimeUnit::kDay, TimeUnit::kSecond);  // the binder sets the qualifier
}
void DifferenceKernel(CallFrame& frame) {
  bool dates = frame.expr.arguments[0]->type.kind == Kind::kDate;
  frame.ForEachRow([&](int i) {
    int64_t v = 0;
    if (__builtin_sub_overflow(frame.ints(0)[i], frame.ints(1)[i], &v)) {
      throw RowError{kOverflow, "the difference of times is out of range"};
    }
    frame.out.ints()[i] = dates ? v * kMsPerDay : v;
  });
}

Type ResolveNegate(Arguments& arguments, Position at) {
  if (arguments[0]->type.kind == Kind::kInterval) return arguments[0]->type;
  WantNumber(arguments, 0, at, "unary -");
  return arguments[0]->type;
}
void NegateKernel(CallFrame& frame) {
  if (IsApproximate(frame.expr.type.kind)) {
    return frame.ForEachRow([&](int i) { frame.out.doubles()[i] = -frame.doubles(0)[i]; });
  }
  int64_t min = IntegerMin(frame.expr.type.kind);
  frame.ForEachRow([&](int i) {
    int64_t v = frame.ints(0)[i];
    if (v == min) throw RowError{kOverflow, "-" + std::to_string(v) + " is out of range"};
    frame.out.ints()[i] = -v;
  });
}

// Comparisons.

std::string_view TrimBlanks(std::string_view s) {
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

Type ResolveComparison(Arguments& arguments, Position at) {
  Type type = Unify(arguments, 0, at, "compare");
  if (type.kind == Kind::kRow) throw SqlError(at, "rows of log parsers cannot be compared");
  if (type.kind == Kind::kNull) {
    for (ExprPtr& e : arguments) e = MakeCast(e, MakeType(Kind::kInteger), at);
  }
  return BooleanType();
}

template <typename Compare>
void CompareKernel(CallFrame& frame, Compare compare) {
  frame.PropagateNulls();
  int64_t* out = frame.out.ints();
  switch (frame.arguments[0]->physical()) {
    case Physical::kInt: {
      const int64_t *a = frame.ints(0), *b = frame.ints(1);
      for (int i = 0; i < frame.rows; ++i) out[i] = compare(a[i], b[i]);
      return;
    }
    case Physical::kDouble: {
      const double *a = frame.doubles(0), *b = frame.doubles(1);
      for (int i = 0; i < frame.rows; ++i) out[i] = compare(a[i], b[i]);
      return;
    }
    case Physical::kString: {
      const std::string_view *a = frame.strings(0), *b = frame.strings(1);
      bool padded = frame.expr.arguments[0]->type.kind == Kind::kChar ||
                    frame.expr.arguments[1]->type.kind == Kind::kChar;
      const uint8_t* valid = frame.out.valid();
      for (int i = 0; i < frame.rows; ++i) {
        if (valid[i] == 0) continue;
        out[i] = padded ? compare(TrimBlanks(a[i]), TrimBlanks(b[i])) : compare(a[i], b[i]);
      }
      return;
    }
  }
}

template <typename Op>
void ComparisonKernel(CallFrame& frame) {
  CompareKernel(frame, [](const auto& a, const auto& b) -> int64_t { return Op()(a, b) ? 1 : 0; });
}

void DistinctKernel(CallFrame& frame) {
  const Vector &a = *frame.arguments[0], &b = *frame.arguments[1];
  for (int i = 0; i < frame.rows; ++i) {
    bool differ = true;
    if (a.valid()[i] == 0 || b.valid()[i] == 0) {
      differ = a.valid()[i] != b.valid()[i];
    } else if (a.physical() == Physical::kString) {
      differ = TrimBlanks(a.strings()[i]) != TrimBlanks(b.strings()[i]);
    } else if (a.physical() == Physical::kDouble) {
      differ = a.doubles()[i] != b.doubles()[i];
    } else {
      differ = a.ints()[i] != b.ints()[i];
    }
    frame.out.ints()[i] = differ;
  }
}

Type ResolveBoolean(Arguments& arguments, Position at) {
  WantKind(arguments, 0, Kind::kBoolean, at, "NOT");
  return BooleanType();
}
void NotKernel(CallFrame& frame) {
  frame.PropagateNulls();
  for (int i = 0; i < frame.rows; ++i) frame.out.ints()[i] = frame.ints(0)[i] == 0;
}
Type ResolveAny(Arguments&, Position) { return BooleanType(); }
void IsNullKernel(CallFrame& frame) {
  for (int i = 0; i < frame.rows; ++i) frame.out.ints()[i] = frame.arguments[0]->valid()[i] == 0;
}
template <int value>
void IsTruthKernel(CallFrame& frame) {
  const Vector& a = *frame.arguments[0];
  for (int i = 0; i < frame.rows; ++i) {
    frame.out.ints()[i] = a.valid()[i] != 0 && (a.ints()[i] != 0) == (value != 0);
  }
}

Type ResolveNullIf(Arguments& arguments, Position at) {
  Type type = arguments[0]->type;
  Arguments both = arguments;
  Unify(both, 0, at, "compare");
  arguments.insert(arguments.end(), both.begin(), both.end());
  return type;
}
void NullIfKernel(CallFrame& frame) {
  for (int i = 0; i < frame.rows; ++i) {
    frame.out.CopyRow(i, *frame.arguments[0], i);
    const Vector &a = *frame.arguments[2], &b = *frame.arguments[3];
    if (a.valid()[i] == 0 || b.valid()[i] == 0) continue;
    bool equal = a.physical() == Physical::kString   ? a.strings()[i] == b.strings()[i]
                 : a.physical() == Physical::kDouble ? a.doubles()[i] == b.doubles()[i]
                                                     : a.ints()[i] == b.ints()[i];
    if (equal) frame.out.SetNull(i);
  }
}

using M = Function::Monotone;
const Function kFunctions[] = {
    {"+", 2, 2, ResolveArithmetic<'+'>, ArithmeticKernel<'+'>, M::kStrict},
    {"-", 2, 2, ResolveArithmetic<'-'>, ArithmeticKernel<'-'>, M::kStrict},
    {"*", 2, 2, ResolveArithmetic<'*'>, ArithmeticKernel<'*'>, M::kYes},
    {"/", 2, 2, ResolveArithmetic<'/'>, ArithmeticKernel<'/'>, M::kYes},
    {"%", 2, 2, ResolveArithmetic<'%'>, ArithmeticKernel<'%'>},
    {"MOD", 2, 2, ResolveArithmetic<'%'>, ArithmeticKernel<'%'>},
    {"DIFFERENCE OF TIMES", 2, 2, ResolveDifference, DifferenceKernel, M::kStrict},
    {"NEGATE", 1, 1, ResolveNegate, NegateKernel},
    {"=", 2, 2, ResolveComparison, ComparisonKernel<std::equal_to<>>},
    {"<>", 2, 2, ResolveComparison, ComparisonKernel<std::not_equal_to<>>},
    {"<", 2, 2, ResolveComparison, ComparisonKernel<std::less<>>},
    {"<=", 2, 2, ResolveComparison, ComparisonKernel<std::less_equal<>>},
    {">", 2, 2, ResolveComparison, ComparisonKernel<std::greater<>>},
    {">=", 2, 2, ResolveComparison, ComparisonKernel<std::greater_equal<>>},
    {"IS DISTINCT FROM", 2, 2, ResolveComparison, DistinctKernel},
    {"NOT", 1, 1, ResolveBoolean, NotKernel},
    {"IS NULL", 1, 1, ResolveAny, IsNullKernel},
    {"IS TRUE", 1, 1, ResolveBoolean, IsTruthKernel<1>},
    {"IS FALSE", 1, 1, ResolveBoolean, IsTruthKernel<0>},
    {"NULLIF", 2, 2, ResolveNullIf, NullIfKernel},
};

}  // namespace

std::span<const Function> OperatorFunctions() { return kFunctions; }

}  // namespace millstream::sql
