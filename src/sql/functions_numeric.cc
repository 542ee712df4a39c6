// ABS, CEIL, FLOOR, EXP, LN, LOG10, POWER, SQRT, ROUND, TRUNCATE, SIGN, GREATEST, LEAST.
#include <cmath>

#include "sql/cast.h"
#include "sql/datetime.h"
#include "sql/function_tables.h"

namespace millstream::sql {

namespace {

constexpr const char* kOutOfRange = "NUMERIC_OUT_OF_RANGE";
constexpr const char* kInvalidArgument = "INVALID_ARGUMENT";

Type SameNumber(Arguments& arguments, Position at) {
  if (arguments[0]->type.kind == Kind::kInterval) return arguments[0]->type;
  WantNumber(arguments, 0, at, "the function");
  return arguments[0]->type;
}

void AbsKernel(CallFrame& frame) {
  if (IsApproximate(frame.expr.type.kind)) {
    return frame.ForEachRow(
        [&](int i) { frame.out.doubles()[i] = std::fabs(frame.doubles(0)[i]); });
  }
  int64_t min = IntegerMin(frame.expr.type.kind);
  frame.ForEachRow([&](int i) {
    int64_t v = frame.ints(0)[i];
    if (v == min) throw RowError{kOutOfRange, "ABS(" + std::to_string(v) + ") is out of range"};
    frame.out.ints()[i] = v < 0 ? -v : v;
  });
}

// FLOOR and CEIL of a DECIMAL give DECIMAL(p, 0).
Type ResolveRounded(Arguments& arguments, Position at) {
  WantNumber(arguments, 0, at, "the function");
  Type type = arguments[0]->type;
  if (type.kind == Kind::kDecimal) return Decimal(std::min(19, type.length + 1), 0);
  return type;
}
template <bool up>
void RoundedKernel(CallFrame& frame) {
  const Type& from = frame.expr.arguments[0]->type;
  if (IsApproximate(from.kind)) {
    return frame.ForEachRow([&](int i) {
      double d = frame.doubles(0)[i];
      frame.out.doubles()[i] = up ? std::ceil(d) : std::floor(d);
    });
  }
  int64_t unit = from.kind == Kind::kDecimal ? PowerOfTen(from.scale) : 1;
  frame.ForEachRow([&](int i) {
    int64_t v = frame.ints(0)[i];
    frame.out.ints()[i] = FloorDiv(v, unit) + (up && v % unit != 0 ? 1 : 0);
  });
}

template <int n>
Type ResolveDoubles(Arguments& arguments, Position at) {
  for (int i = 0; i < n; ++i) WantDouble(arguments, i, at, "the function");
  return MakeType(Kind::kDouble);
}

template <double (*function)(double)>
void Double1Kernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) {
    double v = function(frame.doubles(0)[i]);
    if (!std::isfinite(v)) {
      std::string text;
      AppendDouble(frame.doubles(0)[i], text);
      throw RowError{kInvalidArgument,
                     std::string(frame.expr.function->name) + "(" + text + ") is not a number"};
    }
    frame.out.doubles()[i] = v;
  });
}
double Exp(double x) { return std::exp(x); }
double Ln(double x) { return x > 0 ? std::log(x) : NAN; }
double Log10(double x) { return x > 0 ? std::log10(x) : NAN; }
double Sqrt(double x) { return std::sqrt(x); }
double Sin(double x) { return std::sin(x); }
double Cos(double x) { return std::cos(x); }
double Tan(double x) { return std::tan(x); }
double Asin(double x) { return std::asin(x); }
double Acos(double x) { return std::acos(x); }
double Atan(double x) { return std::atan(x); }
double Radians(double x) { return x * M_PI / 180; }
double Degrees(double x) { return x * 180 / M_PI; }

void PowerKernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) {
    double v = std::pow(frame.doubles(0)[i], frame.doubles(1)[i]);
    if (!std::isfinite(v)) throw RowError{kInvalidArgument, "POWER is out of range"};
    frame.out.doubles()[i] = v;
  });
}
void Atan2Kernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) {
    frame.out.doubles()[i] = std::atan2(frame.doubles(0)[i], frame.doubles(1)[i]);
  });
}

Type ResolveSign(Arguments& arguments, Position at) {
  WantNumber(arguments, 0, at, "SIGN");
  return MakeType(Kind::kInteger);
}
void SignKernel(CallFrame& frame) {
  bool approximate = IsApproximate(frame.expr.arguments[0]->type.kind);
  frame.ForEachRow([&](int i) {
    frame.out.ints()[i] = approximate ? (frame.doubles(0)[i] > 0) - (frame.doubles(0)[i] < 0)
                                      : (frame.ints(0)[i] > 0) - (frame.ints(0)[i] < 0);
  });
}

// ROUND(x [, places]), TRUNCATE(x [, places])
Type ResolveRound(Arguments& arguments, Position at) {
  WantNumber(arguments, 0, at, "ROUND");
  if (arguments.size() > 1) {
    WantInteger(arguments, 1, at, "ROUND");
  } else {
    arguments.push_back(MakeConstant(Value::Int(MakeType(Kind::kBigint), 0), at));
  }
  return arguments[0]->type;
}
template <bool round>
void RoundKernel(CallFrame& frame) {
  const Type& type = frame.expr.type;
  frame.ForEachRow([&](int i) {
    int64_t places = std::clamp<int64_t>(frame.ints(1)[i], -18, 18);
    if (IsApproximate(type.kind)) {
      double unit = std::pow(10.0, static_cast<double>(places));
      double v = frame.doubles(0)[i] * unit;
      frame.out.doubles()[i] = (round ? std::round(v) : std::trunc(v)) / unit;
      return;
    }
    int scale = type.kind == Kind::kDecimal ? type.scale : 0;
    int64_t v = frame.ints(0)[i];
    int drop = scale - static_cast<int>(places);
    if (drop > 0) {
      if (drop > 18) {
        v = 0;
      } else {
        int64_t unit = PowerOfTen(drop);
        int64_t rest = v % unit;
        v -= rest;
        if (round && (rest < 0 ? -rest : rest) >= (unit + 1) / 2 &&
            (__builtin_add_overflow(v, rest < 0 ? -unit : unit, &v) ||
             (type.kind != Kind::kDecimal &&
              (v < IntegerMin(type.kind) || v > IntegerMax(type.kind))))) {
          throw RowError{kOutOfRange, "ROUND does not fit " + TypeName(type)};
        }
      }
    }
    frame.out.ints()[i] = v;
  });
}

Type ResolveExtreme(Arguments& arguments, Position at) {
  return Unify(arguments, 0, at, "take the greatest of");
}
template <bool greatest>
void ExtremeKernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) {
    int best = 0;
    for (int a = 1; a < frame.count; ++a) {
      bool less = false;
      switch (frame.out.physical()) {
        case Physical::kInt: less = frame.ints(best)[i] < frame.ints(a)[i]; break;
        case Physical::kDouble: less = frame.doubles(best)[i] < frame.doubles(a)[i]; break;
        case Physical::kString: less = frame.strings(best)[i] < frame.strings(a)[i]; break;
      }
      if (less == greatest) best = a;
    }
    frame.out.CopyRow(i, *frame.arguments[best], i);
  });
}

Type ResolvePi(Arguments&, Position) { return MakeType(Kind::kDouble); }
void PiKernel(CallFrame& frame) {
  for (int i = 0; i < frame.rows; ++i) frame.out.doubles()[i] = M_PI;
}

// STEP of an integer: STEP(i BY n) = (i / n) * n; of a time: see functions_time.cc.
Type ResolveMonotonic(Arguments& arguments, Position) { return arguments[0]->type; }
void IdentityKernel(CallFrame& frame) {
  for (int i = 0; i < frame.rows; ++i) frame.out.CopyRow(i, *frame.arguments[0], i);
}

using M = Function::Monotone;
const Function kFunctions[] = {
    {"ABS", 1, 1, SameNumber, AbsKernel},
    {"FLOOR", 1, 1, ResolveRounded, RoundedKernel<false>, M::kYes},
    {"CEIL", 1, 1, ResolveRounded, RoundedKernel<true>, M::kYes},
    {"CEILING", 1, 1, ResolveRounded, RoundedKernel<true>, M::kYes},
    {"EXP", 1, 1, ResolveDoubles<1>, Double1Kernel<Exp>},
    {"LN", 1, 1, ResolveDoubles<1>, Double1Kernel<Ln>},
    {"LOG10", 1, 1, ResolveDoubles<1>, Double1Kernel<Log10>},
    {"SQRT", 1, 1, ResolveDoubles<1>, Double1Kernel<Sqrt>},
    {"SIN", 1, 1, ResolveDoubles<1>, Double1Kernel<Sin>},
    {"COS", 1, 1, ResolveDoubles<1>, Double1Kernel<Cos>},
    {"TAN", 1, 1, ResolveDoubles<1>, Double1Kernel<Tan>},
    {"ASIN", 1, 1, ResolveDoubles<1>, Double1Kernel<Asin>},
    {"ACOS", 1, 1, ResolveDoubles<1>, Double1Kernel<Acos>},
    {"ATAN", 1, 1, ResolveDoubles<1>, Double1Kernel<Atan>},
    {"ATAN2", 2, 2, ResolveDoubles<2>, Atan2Kernel},
    {"RADIANS", 1, 1, ResolveDoubles<1>, Double1Kernel<Radians>},
    {"DEGREES", 1, 1, ResolveDoubles<1>, Double1Kernel<Degrees>},
    {"POWER", 2, 2, ResolveDoubles<2>, PowerKernel},
    {"SIGN", 1, 1, ResolveSign, SignKernel},
    {"ROUND", 1, 2, ResolveRound, RoundKernel<true>},
    {"TRUNCATE", 1, 2, ResolveRound, RoundKernel<false>},
    {"GREATEST", 1, 1000, ResolveExtreme, ExtremeKernel<true>},
    {"LEAST", 1, 1000, ResolveExtreme, ExtremeKernel<false>},
    {"PI", 0, 0, ResolvePi, PiKernel},
    {"MONOTONIC", 1, 1, ResolveMonotonic, IdentityKernel, M::kYes, false},
};

}  // namespace

std::span<const Function> NumericFunctions() { return kFunctions; }

}  // namespace millstream::sql
