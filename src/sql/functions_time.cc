// Dates and times: FLOOR/CEIL/STEP of times, EXTRACT, conversions, the clocks.
#include "sql/date_format.h"
#include "sql/datetime.h"
#include "sql/function_tables.h"

namespace millstream::sql {

namespace {

// FLOOR(t TO unit): the unit is the second argument, an integer constant.
Type ResolveToUnit(Arguments& arguments, Position at) {
  Kind kind = arguments[0]->type.kind;
  if (kind == Kind::kNull) WantKind(arguments, 0, Kind::kTimestamp, at, "FLOOR");
  if (kind == Kind::kInterval) return arguments[0]->type;
  if (!IsDatetime(arguments[0]->type.kind)) {
    throw SqlError(arguments[0]->at, "FLOOR and CEIL ... TO take a time, not " +
                                         TypeName(arguments[0]->type));
  }
  return arguments[0]->type;
}

// Times at the very ends of 64 bits (the year -292275055) go around: what is computed of them is no
// use, but it is defined.
int64_t WrapMinus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

int64_t FloorValue(int64_t v, TimeUnit unit, Kind kind) {
  if (kind == Kind::kDate) return FloorDiv(FloorTimestamp(v * kMsPerDay, unit), kMsPerDay);
  if (kind == Kind::kInterval) {
    int64_t size = UnitMs(unit) == 0 ? 1 : UnitMs(unit);
    return FloorDiv(v, size) * size;
  }
  return FloorTimestamp(v, unit);
}

template <bool ceil>
void ToUnitKernel(CallFrame& frame) {
  Kind kind = frame.expr.type.kind;
  TimeUnit unit = static_cast<TimeUnit>(frame.expr.arguments[1]->value.i);
  int64_t fixed = UnitMs(unit);
  if (!ceil && kind == Kind::kTimestamp && fixed != 0 && unit != TimeUnit::kWeek) {
    frame.PropagateNulls();
    const int64_t* in = frame.ints(0);
    int64_t* out = frame.out.ints();
    for (int i = 0; i < frame.rows; ++i) {
      int64_t rest = in[i] % fixed;
      out[i] = WrapMinus(in[i], rest + (rest < 0 ? fixed : 0));
    }
    return;
  }
  frame.ForEachRow([&](int i) {
    int64_t v = frame.ints(0)[i];
    int64_t floor = FloorValue(v, unit, kind);
    if (ceil && floor != v) {
      if (kind == Kind::kDate) {
        floor = FloorDiv(NextTimestamp(v * kMsPerDay, unit), kMsPerDay);
      } else if (kind == Kind::kInterval) {
        floor += UnitMs(unit) == 0 ? 1 : UnitMs(unit);
      } else {
        floor = NextTimestamp(v, unit);
      }
    }
    frame.out.ints()[i] = floor;
  });
}

// STEP(t BY interval), STEP(i BY n): the largest multiple at or before. Integers divide towards
// zero, as documented.
Type ResolveStep(Arguments& arguments, Position at) {
  Kind kind = arguments[0]->type.kind;
  if (kind == Kind::kNull) kind = Kind::kTimestamp;
  if (IsDatetime(kind) || kind == Kind::kInterval) {
    if (arguments[0]->type.kind == Kind::kNull) WantKind(arguments, 0, kind, at, "STEP");
    if (kind == Kind::kDate) arguments[0] = MakeCast(arguments[0], MakeType(Kind::kTimestamp), at);
    if (arguments[1]->type.kind != Kind::kInterval) {
      throw SqlError(arguments[1]->at, "STEP of a time goes BY an interval: STEP(t BY INTERVAL '10' "
                                       "SECOND)");
    }
    if (IsConstant(*arguments[1]) && EvaluateConstant(arguments[1]).i <= 0) {
      throw SqlError(arguments[1]->at, "STEP goes BY a positive interval");
    }
    return arguments[0]->type;
  }
  WantNumber(arguments, 0, at, "STEP");
  WantNumber(arguments, 1, at, "STEP");
  if (!IsInteger(arguments[0]->type.kind)) {
    throw SqlError(arguments[0]->at, "STEP takes a time or an integer, not " +
                                         TypeName(arguments[0]->type));
  }
  WantInteger(arguments, 1, at, "STEP");
  return arguments[0]->type;
}
void StepKernel(CallFrame& frame) {
  bool time = !IsInteger(frame.expr.type.kind);
  const int64_t *in = frame.ints(0), *by = frame.ints(1);
  int64_t* out = frame.out.ints();
  if (frame.expr.arguments[1]->op == Expr::Op::kConstant && time) {
    frame.PropagateNulls();
    int64_t step = by[0];
    for (int i = 0; i < frame.rows; ++i) {
      int64_t rest = in[i] % step;
      out[i] = WrapMinus(in[i], rest + (rest < 0 ? step : 0));
    }
    return;
  }
  frame.ForEachRow([&](int i) {
    if (by[i] == 0 || (time && by[i] < 0)) {
      throw RowError{"DIVISION_BY_ZERO", "STEP goes BY a positive number"};
    }
    if (by[i] == -1) {
      out[i] = in[i];
      return;
    }
    out[i] = time ? WrapMinus(in[i], FloorMod(in[i], by[i])) : in[i] / by[i] * by[i];
  });
}

Type ResolveUnix(Arguments& arguments, Position at) {
  WantKind(arguments, 0, Kind::kTimestamp, at, "UNIX_TIMESTAMP");
  return MakeType(Kind::kBigint);
}
Type ResolveToTimestamp(Arguments& arguments, Position at) {
  WantInteger(arguments, 0, at, "TO_TIMESTAMP");
  return MakeType(Kind::kTimestamp);
}
void CopyIntKernel(CallFrame& frame) {
  frame.PropagateNulls();
  std::memcpy(frame.out.ints(), frame.ints(0), sizeof(int64_t) * static_cast<std::size_t>(frame.rows));
}

// Milliseconds between two times. The documentation says second minus first, every known
// application passes (later, earlier) and wants a positive number: the absolute value is both.
Type ResolveTsdiff(Arguments& arguments, Position at) {
  WantKind(arguments, 0, Kind::kTimestamp, at, "TSDIFF");
  WantKind(arguments, 1, Kind::kTimestamp, at, "TSDIFF");
  return MakeType(Kind::kBigint);
}
void TsdiffKernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) {
    int64_t v = 0;
    if (__builtin_sub_overflow(frame.ints(1)[i], frame.ints(0)[i], &v) || v == INT64_MIN) {
      throw RowError{"NUMERIC_OUT_OF_RANGE", "TSDIFF is out of range"};
    }
    frame.out.ints()[i] = v < 0 ? -v : v;
  });
}

Type ResolveExtract(Arguments& arguments, Position at) {
  Kind kind = arguments[0]->type.kind;
  if (kind == Kind::kNull) WantKind(arguments, 0, Kind::kTimestamp, at, "EXTRACT");
  if (kind != Kind::kInterval && !IsDatetime(arguments[0]->type.kind)) {
    throw SqlError(arguments[0]->at, "EXTRACT takes a time or an interval, not " +
                                         TypeName(arguments[0]->type));
  }
  TimeUnit unit = static_cast<TimeUnit>(arguments[1]->value.i);
  return unit == TimeUnit::kSecond ? Decimal(5, 3) : MakeType(Kind::kBigint);
}
void ExtractKernel(CallFrame& frame) {
  Kind kind = frame.expr.arguments[0]->type.kind;
  TimeUnit unit = static_cast<TimeUnit>(frame.expr.arguments[1]->value.i);
  frame.ForEachRow([&](int i) {
    int64_t v = frame.ints(0)[i];
    int64_t out = 0;
    if (kind == Kind::kInterval) {
      switch (unit) {
        case TimeUnit::kDay: out = v / kMsPerDay; break;
        case TimeUnit::kHour: out = v / 3'600'000 % 24; break;
        case TimeUnit::kMinute: out = v / 60'000 % 60; break;
        case TimeUnit::kSecond: out = v % 60'000; break;
        case TimeUnit::kWeek: out = v / (7 * kMsPerDay); break;
        default: out = 0; break;
      }
      frame.out.ints()[i] = out;
      return;
    }
    if (kind == Kind::kDate) v *= kMsPerDay;
    int64_t days = FloorDiv(v, kMsPerDay), rest = v - days * kMsPerDay;
    Civil c = CivilFromDays(days);
    switch (unit) {
      case TimeUnit::kYear: out = c.year; break;
      case TimeUnit::kMonth: out = c.month; break;
      case TimeUnit::kWeek: {
        int64_t thursday = days - FloorMod(days + 3, 7) + 3;  // ISO week
        Civil t = CivilFromDays(thursday);
        out = (thursday - DaysFromCivil(t.year, 1, 1)) / 7 + 1;
        break;
      }
      case TimeUnit::kDay: out = c.day; break;
      case TimeUnit::kHour: out = rest / 3'600'000; break;
      case TimeUnit::kMinute: out = rest / 60'000 % 60; break;
      case TimeUnit::kSecond: out = rest % 60'000; break;
    }
    frame.out.ints()[i] = out;
  });
}

// The format last used; it is nearly always constant.
struct CachedFormat {
  std::string key;
  std::unique_ptr<DateFormat> format;
};
DateFormat& FormatOf(CallFrame& frame, std::string_view pattern) {
  if (frame.state == nullptr) frame.state = std::make_shared<CachedFormat>();
  auto& cached = *static_cast<CachedFormat*>(frame.state.get());
  if (cached.format == nullptr || cached.key != pattern) {
    cached.format = std::make_unique<DateFormat>(pattern);
    cached.key = std::string(pattern);
  }
  return *cached.format;
}

template <Kind kind>
Type ResolveCharTo(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "CHAR_TO_TIMESTAMP (the format comes first)");
  WantText(arguments, 1, at, "CHAR_TO_TIMESTAMP");
  return MakeType(kind);
}
template <Kind kind>
void CharToKernel(CallFrame& frame) {
  frame.ForEachRow([&](int i) {
    std::string_view format = frame.strings(0)[i], text = frame.strings(1)[i];
    auto ms = FormatOf(frame, format).Parse(text, frame.context.query_start_ms);
    if (!ms) {
      throw RowError{"INVALID_DATETIME", "text '" + std::string(text.substr(0, 100)) +
                                             "' does not match the format '" + std::string(format) +
                                             "'"};
    }
    if (kind == Kind::kDate) *ms = FloorDiv(*ms, kMsPerDay);
    if (kind == Kind::kTime) *ms = FloorMod(*ms, kMsPerDay);
    frame.out.ints()[i] = *ms;
  });
}

template <Kind kind>
Type ResolveToChar(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "TIMESTAMP_TO_CHAR (the format comes first)");
  WantKind(arguments, 1, kind, at, "TIMESTAMP_TO_CHAR");
  return Varchar(1024);
}
template <Kind kind>
void ToCharKernel(CallFrame& frame) {
  std::string out;
  frame.ForEachRow([&](int i) {
    int64_t v = frame.ints(1)[i];
    if (kind == Kind::kDate) v *= kMsPerDay;
    out.clear();
    FormatOf(frame, frame.strings(0)[i]).Format(v, out);
    frame.out.strings()[i] = frame.arena().Copy(out);
  });
}

template <Kind kind>
Type ResolveClock(Arguments&, Position) {
  return MakeType(kind);
}
template <Kind kind, bool row>
void ClockKernel(CallFrame& frame) {
  int64_t v = row ? frame.context.now_ms : frame.context.query_start_ms;
  if (kind == Kind::kDate) v = FloorDiv(v, kMsPerDay);
  if (kind == Kind::kTime) v = FloorMod(v, kMsPerDay);
  for (int i = 0; i < frame.rows; ++i) frame.out.ints()[i] = v;
}

using M = Function::Monotone;
const Function kFunctions[] = {
    {"FLOOR_TO", 2, 2, ResolveToUnit, ToUnitKernel<false>, M::kYes},
    {"CEIL_TO", 2, 2, ResolveToUnit, ToUnitKernel<true>, M::kYes},
    {"STEP", 2, 2, ResolveStep, StepKernel, M::kYes},
    {"UNIX_TIMESTAMP", 1, 1, ResolveUnix, CopyIntKernel, M::kStrict},
    {"TO_TIMESTAMP", 1, 1, ResolveToTimestamp, CopyIntKernel, M::kStrict},
    {"TSDIFF", 2, 2, ResolveTsdiff, TsdiffKernel},
    {"EXTRACT", 2, 2, ResolveExtract, ExtractKernel},
    {"CHAR_TO_TIMESTAMP", 2, 2, ResolveCharTo<Kind::kTimestamp>, CharToKernel<Kind::kTimestamp>},
    {"CHAR_TO_DATE", 2, 2, ResolveCharTo<Kind::kDate>, CharToKernel<Kind::kDate>},
    {"CHAR_TO_TIME", 2, 2, ResolveCharTo<Kind::kTime>, CharToKernel<Kind::kTime>},
    {"TIMESTAMP_TO_CHAR", 2, 2, ResolveToChar<Kind::kTimestamp>, ToCharKernel<Kind::kTimestamp>},
    {"DATE_TO_CHAR", 2, 2, ResolveToChar<Kind::kDate>, ToCharKernel<Kind::kDate>},
    {"TIME_TO_CHAR", 2, 2, ResolveToChar<Kind::kTime>, ToCharKernel<Kind::kTime>},
    {"CURRENT_TIMESTAMP", 0, 0, ResolveClock<Kind::kTimestamp>,
     ClockKernel<Kind::kTimestamp, false>, M::kNo, false},
    {"LOCALTIMESTAMP", 0, 0, ResolveClock<Kind::kTimestamp>, ClockKernel<Kind::kTimestamp, false>,
     M::kNo, false},
    {"CURRENT_DATE", 0, 0, ResolveClock<Kind::kDate>, ClockKernel<Kind::kDate, false>, M::kNo,
     false},
    {"CURRENT_TIME", 0, 0, ResolveClock<Kind::kTime>, ClockKernel<Kind::kTime, false>, M::kNo,
     false},
    {"LOCALTIME", 0, 0, ResolveClock<Kind::kTime>, ClockKernel<Kind::kTime, false>, M::kNo, false},
    {"CURRENT_ROW_TIMESTAMP", 0, 0, ResolveClock<Kind::kTimestamp>,
     ClockKernel<Kind::kTimestamp, true>, M::kNo, false},
};

}  // namespace

std::span<const Function> TimeFunctions() { return kFunctions; }

}  // namespace millstream::sql
