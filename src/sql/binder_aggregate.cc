#include "sql/binder_impl.h"

#include "sql/cast.h"
#include "sql/lexer.h"

namespace millstream::sql::internal {

namespace {
constexpr AggregateName kAggregates[] = {
    {"COUNT", AKind::kCount}, {"SUM", AKind::kSum}, {"AVG", AKind::kAvg}, {"MIN", AKind::kMin},
    {"MAX", AKind::kMax}, {"STDDEV_POP", AKind::kStddevPop}, {"STDDEV_SAMP", AKind::kStddevSamp},
    {"STDDEV", AKind::kStddevSamp}, {"VAR_POP", AKind::kVarPop}, {"VAR_SAMP", AKind::kVarSamp},
    {"FIRST_VALUE", AKind::kFirst}, {"LAST_VALUE", AKind::kLast}, {"ANY", AKind::kAny},
    {"SOME", AKind::kAny}, {"EVERY", AKind::kEvery}, {"LISTAGG", AKind::kListagg},
    {"APPROX_COUNT_DISTINCT", AKind::kApproxCount}, {"APPROX_PERCENTILE", AKind::kApproxPercentile},
    {"PERCENTILE_CONT", AKind::kPercentileCont}, {"PERCENTILE_DISC", AKind::kPercentileDisc}};
constexpr AggregateName kWindowOnly[] = {
    {"LAG", AKind::kLag}, {"LEAD", AKind::kLead}, {"NTH_VALUE", AKind::kNth}, {"EXP_AVG", AKind::kExpAvg},
    {"ROW_NUMBER", AKind::kRowNumber}, {"RANK", AKind::kRank}, {"DENSE_RANK", AKind::kDenseRank}};

}  // namespace

const AggregateName* FindAggregate(std::string_view name, bool window) {
  for (const AggregateName& a : kAggregates) {
    if (a.name == name) return &a;
  }
  if (window) {
    for (const AggregateName& a : kWindowOnly) {
      if (a.name == name) return &a;
    }
  }
  return nullptr;
}

bool NeedsWindow(std::string_view name) {
  for (const AggregateName& a : kWindowOnly) {
    if (a.name == name) return true;
  }
  return false;
}
std::vector<std::string> AggregateNames() {
  std::vector<std::string> names;
  for (const AggregateName& a : kAggregates) names.emplace_back(a.name);
  return names;
}

AggregateCall Binder::MakeAggregate(const ast::Expression& e, const AggregateName& name) {
  AggregateCall call;
  call.kind = name.kind;
  call.name = std::string(name.name);
  call.distinct = e.distinct;
  switch (name.kind) {
    case AKind::kCount:
    case AKind::kSum:
    case AKind::kAvg: break;
    case AKind::kMin:
    case AKind::kMax:
    case AKind::kAny:
    case AKind::kEvery:
    case AKind::kApproxCount: call.distinct = false; break;  // the same without
    default:
      if (!e.distinct) break;
      throw SqlError(e.at, call.name + "(DISTINCT) is not supported; DISTINCT goes with COUNT, SUM, AVG, MIN and MAX",
                     base::Code::kNotSupported);
  }
  call.ignore_nulls = e.ignore_nulls;
  call.from_last = e.from_last;
  bool ranking = name.kind >= AKind::kRowNumber;
  if (e.star) {
    if (name.kind != AKind::kCount) throw SqlError(e.at, "only COUNT takes *");
    call.kind = AKind::kCountRows;
    call.type = MakeType(Kind::kBigint);
    return call;
  }
  if (ranking) {
    if (!e.arguments.empty()) throw SqlError(e.at, call.name + " takes no arguments");
    call.type = MakeType(Kind::kBigint);
    return call;
  }
  const ast::Expression* argument = e.arguments.empty() ? nullptr : e.arguments[0].get();
  bool percentile = name.kind == AKind::kPercentileCont || name.kind == AKind::kPercentileDisc;
  if (argument == nullptr) throw SqlError(e.at, call.name + " needs an argument");
  if (percentile) {
    ExprPtr fraction = Bind(*argument);
    if (!IsConstant(*fraction) || !IsNumeric(fraction->type.kind)) {
      throw SqlError(argument->at, "the percentile must be a constant from 0 to 1");
    }
    call.fraction = EvaluateConstant(MakeCast(fraction, MakeType(Kind::kDouble), e.at)).d;
    if (!(call.fraction >= 0 && call.fraction <= 1)) {
      throw SqlError(argument->at, "the percentile must be from 0 to 1");
    }
    if (e.within_group.size() != 1) {
      throw SqlError(e.at, "write " + call.name + "(0.9) WITHIN GROUP (ORDER BY x)");
    }
    argument = e.within_group[0].expression.get();
    call.descending = e.within_group[0].descending;
  }
  std::size_t most = 1;
  if (name.kind == AKind::kLag || name.kind == AKind::kLead) most = 3;
  if (name.kind == AKind::kNth || name.kind == AKind::kExpAvg || name.kind == AKind::kListagg ||
      name.kind == AKind::kApproxPercentile) {
    most = 2;
  }
  if (e.arguments.size() > most) {
    throw SqlError(e.at, call.name + " takes at most " + std::to_string(most) + " argument" +
                             (most == 1 ? "" : "s"));
  }
  call.argument = Bind(*argument);
  Type type = call.argument->type;
  auto cast = [&](Kind kind) { call.argument = MakeCast(call.argument, MakeType(kind), e.at); };
  auto number = [&] {
    if (type.kind == Kind::kNull) cast(Kind::kInteger);
    if (!IsNumeric(call.argument->type.kind) && call.argument->type.kind != Kind::kInterval) {
      throw SqlError(argument->at, call.name + " takes a number, not " + TypeName(type) +
                                       ConversionRemedy(type, MakeType(Kind::kDouble)));
    }
  };
  switch (name.kind) {
    case AKind::kApproxCount:
      if (type.kind == Kind::kNull) cast(Kind::kInteger);
      call.type = MakeType(Kind::kBigint);
      break;
    case AKind::kApproxPercentile: {
      number();
      cast(Kind::kDouble);
      call.type = MakeType(Kind::kDouble);
      ExprPtr fraction = e.arguments.size() > 1 ? Bind(*e.arguments[1]) : nullptr;
      if (!fraction || !IsConstant(*fraction) || !IsNumeric(fraction->type.kind)) {
        throw SqlError(e.at, "write APPROX_PERCENTILE(x, 0.9)");
      }
      call.fraction = EvaluateConstant(MakeCast(fraction, MakeType(Kind::kDouble), e.at)).d;
      if (!(call.fraction >= 0 && call.fraction <= 1)) {
        throw SqlError(e.at, "the percentile must be from 0 to 1");
      }
      break;
    }
    case AKind::kCount: call.type = MakeType(Kind::kBigint); break;
    case AKind::kSum:
      number();
      type = call.argument->type;
      call.type = IsInteger(type.kind)           ? MakeType(Kind::kBigint)
                  : type.kind == Kind::kDecimal  ? Decimal(19, type.scale)
                  : type.kind == Kind::kInterval ? type
                                                 : MakeType(Kind::kDouble);
      break;
    case AKind::kAvg:
      number();
      call.type = call.argument->type;
      break;
    case AKind::kStddevPop:
    case AKind::kStddevSamp:
    case AKind::kVarPop:
    case AKind::kVarSamp:
      number();
      cast(Kind::kDouble);
      call.type = MakeType(Kind::kDouble);
      break;
    case AKind::kPercentileCont:
    case AKind::kPercentileDisc:
      number();
      cast(Kind::kDouble);
      call.type = MakeType(Kind::kDouble);
      break;
    case AKind::kAny:
    case AKind::kEvery:
      if (type.kind != Kind::kBoolean) {
        throw SqlError(argument->at, call.name + " takes a condition, not " + TypeName(type));
      }
      call.type = BooleanType();
      break;
    case AKind::kListagg: {
      if (!IsCharacter(type.kind)) call.argument = MakeCast(call.argument, Varchar(), e.at);
      if (e.arguments.size() > 1) {
        ExprPtr separator = Bind(*e.arguments[1]);
        if (!IsConstant(*separator) || !IsCharacter(separator->type.kind)) {
          throw SqlError(e.arguments[1]->at, "the separator must be a constant text");
        }
        call.separator = EvaluateConstant(separator).s;
      }
      call.type = Varchar();
      break;
    }
    case AKind::kExpAvg: {
      number();
      cast(Kind::kDouble);
      call.type = MakeType(Kind::kDouble);
      ExprPtr half = e.arguments.size() > 1 ? Bind(*e.arguments[1]) : nullptr;
      if (!half || half->type.kind != Kind::kInterval || !IsConstant(*half)) {
        throw SqlError(e.at, "write EXP_AVG(x, INTERVAL '1' MINUTE)");
      }
      call.offset = EvaluateConstant(half).i;
      if (call.offset <= 0) throw SqlError(e.at, "the interval of EXP_AVG must be positive");
      break;
    }
    case AKind::kLag:
    case AKind::kLead:
      if (e.arguments.size() > 1) {
        call.offset = ConstantInteger(*e.arguments[1], ("the offset of " + call.name).c_str(), 0, 1'000'000);
      }
      if (e.arguments.size() > 2) {
        std::vector<ExprPtr> both = {call.argument, Bind(*e.arguments[2])};
        type = Unify(both, 0, e.at, "choose between");
        call.argument = both[0];
        call.fallback = both[1];
      }
      call.type = call.argument->type;
      break;
    case AKind::kNth:
      if (e.arguments.size() != 2) throw SqlError(e.at, "write NTH_VALUE(x, n)");
      call.offset = ConstantInteger(*e.arguments[1], "n of NTH_VALUE", 1, 1'000'000);
      call.type = type;
      break;
    default: call.type = type; break;
  }
  if (call.type.kind == Kind::kNull) {
    cast(Kind::kInteger);
    call.type = MakeType(Kind::kInteger);
  }
  if (e.filter) {
    ExprPtr condition = Boolean(*e.filter, "FILTER");
    auto filtered = std::make_shared<Expr>();
    filtered->op = Expr::Op::kCase;
    filtered->type = call.argument->type;
    filtered->at = e.at;
    filtered->arguments = {condition, call.argument,
                           MakeCast(MakeConstant(Value::Null(), e.at), call.argument->type, e.at)};
    call.argument = filtered;
  }
  return call;
}

ExprPtr Binder::Aggregate(const ast::Expression& e, const AggregateName& name) {
  if (context_.inside_aggregate) {
    throw SqlError(e.at, "aggregates cannot be nested; use a subquery");
  }
  if (context_.aggregates == nullptr) {
    throw SqlError(e.at, std::string(name.name) +
                             " cannot stand here; conditions on aggregates go into HAVING");
  }
  context_.inside_aggregate = true;
  AggregateCall call = MakeAggregate(e, name);
  if (e.star && e.filter) {
    ExprPtr condition = Boolean(*e.filter, "FILTER");
    auto filtered = std::make_shared<Expr>();
    filtered->op = Expr::Op::kCase;
    filtered->type = MakeType(Kind::kInteger);
    filtered->at = e.at;
    filtered->arguments = {condition, IntConstant(1, e.at),
                           MakeCast(MakeConstant(Value::Null(), e.at), filtered->type, e.at)};
    call.kind = AKind::kCount;
    call.argument = filtered;
  }
  context_.inside_aggregate = false;
  auto bound = std::make_shared<Expr>();
  bound->op = Expr::Op::kAggregate;
  bound->type = call.type;
  bound->at = e.at;
  auto& all = *context_.aggregates;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].kind == call.kind && all[i].distinct == call.distinct &&
        all[i].ignore_nulls == call.ignore_nulls && all[i].fraction == call.fraction &&
        all[i].separator == call.separator && all[i].descending == call.descending &&
        (call.argument == nullptr ? all[i].argument == nullptr
                                  : all[i].argument && SameExpr(*all[i].argument, *call.argument))) {
      bound->index = static_cast<int>(i);
      return bound;
    }
  }
  bound->index = static_cast<int>(all.size());
  all.push_back(std::move(call));
  return bound;
}

const ast::WindowSpecification& Binder::Resolve(const ast::WindowSpecification& window) {
  const ast::WindowSpecification* at = &window;
  for (int i = 0; at->reference && at->partition_by.empty() && at->order_by.empty() &&
                  at->frame == ast::WindowSpecification::Frame::kNone;
       ++i) {
    if (i > 32) throw SqlError(window.at, "windows refer to each other in a circle");
    const ast::WindowSpecification* found = nullptr;
    std::vector<std::string> names;
    if (context_.named_windows != nullptr) {
      for (const ast::NamedWindow& named : *context_.named_windows) {
        names.push_back(named.name.text);
        if (named.name.text != at->reference->text) continue;
        if (found != nullptr)
          throw SqlError(named.name.at, "window " + named.name.text + " is defined twice");
        found = named.window.get();
      }
    }
    if (found == nullptr) {
      throw SqlError(at->reference->at, "no window " + at->reference->text +
                                            DidYouMean(at->reference->text, names) +
                                            (names.empty() ? "; define it with WINDOW " +
                                                                 at->reference->text + " AS (...)"
                                                           : ""));
    }
    at = found;
  }
  return *at;
}

// How long LEAD waits: RANGE INTERVAL ... FOLLOWING, which is also BETWEEN CURRENT ROW AND it.
int64_t Binder::LeadWait(const ast::WindowSpecification& framed) {
  using Kind = ast::FrameBound::Kind;
  const bool between = framed.upper.following && framed.upper.kind == Kind::kOffset;
  const ast::FrameBound& end = between ? framed.upper : framed.lower;
  if (framed.frame != ast::WindowSpecification::Frame::kRange || end.kind != Kind::kOffset || !end.following ||
      (between && framed.lower.kind != Kind::kCurrentRow)) {
    throw SqlError(framed.at, "LEAD waits for rows to come: say how long, e.g. LEAD(x) OVER (PARTITION BY k RANGE "
                              "INTERVAL '1' MINUTE FOLLOWING)");
  }
  ExprPtr interval = Bind(*end.offset);
  if (interval->type.kind != sql::Kind::kInterval || !IsConstant(*interval)) {
    throw SqlError(end.offset->at, "RANGE goes over an interval: RANGE INTERVAL '10' SECOND FOLLOWING");
  }
  const int64_t wait = EvaluateConstant(interval).i;
  if (wait < 0) throw SqlError(end.offset->at, "LEAD cannot wait for less than no time");
  return wait;
}

int Binder::WindowIndex(const ast::Expression& e, bool ranking, bool lead) {
  const ast::WindowSpecification& spec = Resolve(*e.over);
  const ast::WindowSpecification* base = &spec;
  WindowPlan window;
  if (spec.reference) {  // (w ROWS ...): the partition of w, the frame given here
    ast::WindowSpecification reference;
    reference.at = spec.at;
    reference.reference = spec.reference;
    base = &Resolve(reference);
  }
  for (const auto& p : (spec.partition_by.empty() ? *base : spec).partition_by) {
    window.partition_by.push_back(Bind(*p));
  }
  const ast::WindowSpecification& framed =
      spec.frame == ast::WindowSpecification::Frame::kNone ? *base : spec;
  for (const ast::OrderItem& item : (spec.order_by.empty() ? *base : spec).order_by) {
    ExprPtr order = Bind(*item.expression);
    if (order->op == Expr::Op::kRowtime && !item.descending) continue;
    if (!ranking) {
      throw SqlError(item.expression->at, "a sliding window is ordered by ROWTIME; leave ORDER BY "
                                          "away");
    }
    window.order_by.push_back(order);
    window.descending.push_back(item.descending);
  }
  if (lead) {
    window.following = LeadWait(framed);
  } else if (ranking || framed.frame == ast::WindowSpecification::Frame::kNone) {
    window.rows = true;
    window.unbounded = true;
  } else {
    bool rows = framed.frame == ast::WindowSpecification::Frame::kRows;
    window.rows = rows;
    if (framed.upper.kind != ast::FrameBound::Kind::kCurrentRow) {
      Value end;
      if (framed.upper.offset) {
        ExprPtr offset = Bind(*framed.upper.offset);
        if (IsConstant(*offset)) end = EvaluateConstant(offset);
      }
      if (end.null || end.i != 0) {
        throw SqlError(framed.at, "a window must end at the current row; write BETWEEN ... AND "
                                  "CURRENT ROW. Only LEAD looks ahead");
      }
    }
    if (framed.lower.following) {
      throw SqlError(framed.at, "a window cannot start after the current row; write PRECEDING. Only LEAD "
                                "looks ahead");
    }
    if (framed.lower.kind == ast::FrameBound::Kind::kUnbounded) {
      window.unbounded = true;
    } else if (framed.lower.kind == ast::FrameBound::Kind::kOffset) {
      const ast::Expression& offset = *framed.lower.offset;
      if (rows) {
        window.preceding = ConstantInteger(offset, "the number of rows", 0, 100'000'000);
      } else {
        ExprPtr interval = Bind(offset);
        if (interval->type.kind != Kind::kInterval || !IsConstant(*interval)) {
          throw SqlError(offset.at, "RANGE goes over an interval: RANGE INTERVAL '10' SECOND "
                                    "PRECEDING");
        }
        window.preceding = EvaluateConstant(interval).i;
        if (window.preceding < 0) throw SqlError(offset.at, "a window cannot be negative");
      }
    }
  }
  auto same = [](const std::vector<ExprPtr>& a, const std::vector<ExprPtr>& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (!SameExpr(*a[i], *b[i])) return false;
    }
    return true;
  };
  auto& all = *context_.windows;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].rows == window.rows && all[i].unbounded == window.unbounded &&
        all[i].preceding == window.preceding && all[i].following == window.following &&
        same(all[i].partition_by, window.partition_by) &&
        same(all[i].order_by, window.order_by) && all[i].descending == window.descending) {
      return static_cast<int>(i);
    }
  }
  all.push_back(std::move(window));
  return static_cast<int>(all.size()) - 1;
}

ExprPtr Binder::WindowCall(const ast::Expression& e, const AggregateName& name) {
  if (context_.windows == nullptr || context_.inside_aggregate || context_.inside_window) {
    throw SqlError(e.at, "a window function cannot stand here; use a subquery");
  }
  context_.inside_window = true;
  AggregateCall call = MakeAggregate(e, name);
  call.window = WindowIndex(e, name.kind >= AKind::kRowNumber, name.kind == AKind::kLead);
  context_.inside_window = false;
  if ((name.kind == AKind::kRank || name.kind == AKind::kDenseRank) &&
      (*context_.windows)[static_cast<std::size_t>(call.window)].order_by.empty()) {
    throw SqlError(
        e.at,
        call.name + " ranks by values: write " + call.name +
            "() OVER (PARTITION BY k ORDER BY x DESC); ROW_NUMBER counts in order of ROWTIME");
  }
  auto bound = std::make_shared<Expr>();
  bound->op = Expr::Op::kWindow;
  bound->type = call.type;
  bound->at = e.at;
  bound->index = static_cast<int>(context_.window_calls->size());
  context_.window_calls->push_back(std::move(call));
  return bound;
}

}  // namespace millstream::sql::internal
