// TUMBLE, HOP, CUMULATE and SESSION: what they add to rows, and grouping by it.
#include "sql/binder_impl.h"
#include "sql/lexer.h"

namespace millstream::sql::internal {

namespace {

constexpr int64_t kWindowsPerRowMax = 100'000;

ExprPtr Milliseconds(int64_t ms, Position at) {
  return MakeConstant(Value::Int(Interval(TimeUnit::kDay, TimeUnit::kSecond), ms), at);
}

// Start, end and time of the window of the row's ROWTIME.
std::vector<ExprPtr> TumbleBounds(const WindowingPlan& w, Position at) {
  ExprPtr time = MakeRowtime(at);
  if (w.offset != 0) time = MakeCall("-", {time, Milliseconds(w.offset, at)}, at);
  ExprPtr start = MakeCall("STEP", {time, Milliseconds(w.size, at)}, at);
  if (w.offset != 0) start = MakeCall("+", {start, Milliseconds(w.offset, at)}, at);
  ExprPtr end = MakeCall("+", {start, Milliseconds(w.size, at)}, at);
  return {start, end, MakeCall("-", {end, Milliseconds(1, at)}, at)};
}

void AddBounds(std::vector<PlanColumn>& columns) {
  for (const char* name : {"WINDOW_START", "WINDOW_END", "WINDOW_TIME"}) {
    columns.push_back({name, MakeType(Kind::kTimestamp), false, nullptr});
  }
}

}  // namespace

Binder::From Binder::Windowing(const ast::TableReference& table) {
  const ast::Expression& call = *table.function;
  WindowingPlan w;
  w.kind = call.text == "TUMBLE"     ? WindowingPlan::Kind::kTumble
           : call.text == "HOP"      ? WindowingPlan::Kind::kHop
           : call.text == "CUMULATE" ? WindowingPlan::Kind::kCumulate
                                     : WindowingPlan::Kind::kSession;
  std::unique_ptr<Plan> input = Query(*call.arguments[0]->query);
  if (!input->streaming) throw SqlError(call.at, call.text + " needs a stream");
  const ast::Name& time = call.arguments[1]->path[0];
  if (time.text != "ROWTIME") {
    std::vector<std::string> names;
    const PlanColumn* found = nullptr;
    for (const PlanColumn& c : input->columns) {
      names.push_back(c.name);
      if (c.name == time.text) found = &c;
    }
    if (found == nullptr) {
      throw SqlError(time.at, "column " + time.text + " does not exist" +
                                  DidYouMean(time.text, names));
    }
    if (!found->rowtime_function || found->rowtime_function->op != Expr::Op::kRowtime) {
      throw SqlError(time.at, time.text + " is not the time that the stream is in order of; declare "
                              "it: CREATE STREAM s (..., WATERMARK FOR " + time.text + " AS " +
                              time.text + " - INTERVAL '5' SECOND), or write DESCRIPTOR(ROWTIME)");
    }
  }
  for (std::size_t i = 2; i < call.arguments.size(); ++i) {
    const ast::Expression& argument = *call.arguments[i];
    ExprPtr bound = Expression(argument, nullptr);
    if (bound->type.kind != Kind::kInterval || !IsConstant(*bound)) {
      throw SqlError(argument.at, "the " + argument.text + " of " + call.text +
                                      " is an interval, e.g. INTERVAL '1' MINUTE");
    }
    int64_t ms = EvaluateConstant(bound).i;
    if (argument.text == "OFFSET") {
      w.offset = ms;
      continue;
    }
    if (ms <= 0) throw SqlError(argument.at, "the " + argument.text + " must be positive");
    (argument.text == "SLIDE" || argument.text == "STEP" ? w.slide : w.size) = ms;
  }
  bool stepped = w.kind == WindowingPlan::Kind::kHop || w.kind == WindowingPlan::Kind::kCumulate;
  if (stepped && (w.slide == 0 || w.size == 0)) {
    throw SqlError(call.at, w.kind == WindowingPlan::Kind::kHop
                                ? "HOP needs the slide and the size: HOP(TABLE s, DESCRIPTOR(ts), "
                                  "INTERVAL '5' SECOND, INTERVAL '1' MINUTE)"
                                : "CUMULATE needs the step and the size: CUMULATE(TABLE s, "
                                  "DESCRIPTOR(ts), INTERVAL '1' HOUR, INTERVAL '1' DAY)");
  }
  if (w.size == 0) throw SqlError(call.at, call.text + " needs the size of its windows");
  if (w.kind == WindowingPlan::Kind::kCumulate && w.size % w.slide != 0) {
    throw SqlError(call.at, "the size of CUMULATE must be a multiple of its step");
  }
  if (stepped && w.size / w.slide > kWindowsPerRowMax) {
    throw SqlError(call.at, "a row may be in at most 100000 windows");
  }
  const auto& keys = call.arguments[0]->arguments;
  if (!keys.empty() && w.kind != WindowingPlan::Kind::kSession) {
    throw SqlError(keys[0]->at, "only SESSION has PARTITION BY; group by the key instead");
  }
  From of_input = Wrap(std::move(input), ast::TableReference(), "");
  input = std::move(of_input.plan);
  for (const auto& key : keys) w.partition_by.push_back(Expression(*key, &of_input.scope));

  auto plan = std::make_unique<Plan>();
  plan->at = call.at;
  plan->columns = input->columns;
  AddBounds(plan->columns);
  if (w.kind == WindowingPlan::Kind::kTumble) {
    plan->kind = Plan::Kind::kProject;
    std::vector<ExprPtr> bounds = TumbleBounds(w, call.at);
    for (std::size_t i = 0; i < plan->columns.size(); ++i) {
      std::size_t inputs = input->columns.size();
      if (i < inputs) {
        plan->expressions.push_back(MakeColumn(static_cast<int>(i), plan->columns[i].type));
      } else {
        plan->expressions.push_back(bounds[i - inputs]);
        plan->columns[i].rowtime_function = bounds[i - inputs];
      }
    }
  } else {
    plan->kind = Plan::Kind::kWindowing;
    plan->name = call.text;
    plan->windowing = std::move(w);
  }
  plan->inputs.push_back(std::move(input));
  return Wrap(std::move(plan), table, "");
}

// `input` is a windowing, perhaps with WHERE behind it; `group` has its keys bound over it. The
// windowing becomes part of the group: its rows stay single, with NULL for their bounds.
void Binder::GroupWindows(const ast::Query& query, Plan& group, std::unique_ptr<Plan>& input) {
  std::unique_ptr<Plan>& place =
      input->kind == Plan::Kind::kWindowing ? input : input->inputs[0];
  Plan& windowing = *place;
  int bounds = static_cast<int>(windowing.inputs[0]->columns.size());
  if (input->filter) {
    VisitExpr(*input->filter, [&](const Expr& x) {
      if (x.op == Expr::Op::kColumn && x.index >= bounds) {
        throw SqlError(x.at, "the bounds of a window are known when it ends; put the condition into "
                             "HAVING", base::Code::kNotSupported);
      }
    });
  }
  group.kind = Plan::Kind::kWindowAggregate;
  group.windowing = windowing.windowing;
  const WindowingPlan& w = group.windowing;
  bool has_start = false, has_end = false;
  std::vector<ExprPtr> plain;
  for (std::size_t k = 0; k < group.keys.size(); ++k) {
    const Expr& key = *group.keys[k];
    WindowPart part = WindowPart::kNone;
    PlanColumn& column = group.columns[k];
    column.rowtime_function = nullptr;
    if (key.op == Expr::Op::kColumn && key.index >= bounds) {
      part = static_cast<WindowPart>(key.index - bounds + 1);
      ExprPtr end = MakeRowtime(key.at);  // results carry the end of their window as ROWTIME
      has_start |= part == WindowPart::kStart;
      has_end |= part != WindowPart::kStart;
      if (part == WindowPart::kEnd) column.rowtime_function = end;
      if (part == WindowPart::kTime) {
        column.rowtime_function = MakeCall("-", {end, Milliseconds(1, key.at)}, key.at);
      }
      if (part == WindowPart::kStart && w.kind == WindowingPlan::Kind::kHop) {
        column.rowtime_function = MakeCall("-", {end, Milliseconds(w.size, key.at)}, key.at);
      }
    } else {
      VisitExpr(key, [&](const Expr& x) {
        if (x.op == Expr::Op::kColumn && x.index >= bounds) {
          throw SqlError(key.at, "the bounds of a window are grouped by as they are: GROUP BY "
                                 "window_start, window_end");
        }
      });
      plain.push_back(group.keys[k]);
    }
    group.window_parts.push_back(part);
  }
  bool identified = has_end || (has_start && w.kind != WindowingPlan::Kind::kCumulate);
  if (!identified) {
    throw SqlError(query.at, "write GROUP BY window_start, window_end behind " + windowing.name);
  }
  if (w.kind == WindowingPlan::Kind::kSession) {
    auto within = [](const std::vector<ExprPtr>& a, const std::vector<ExprPtr>& b) {
      for (const ExprPtr& x : a) {
        bool found = false;
        for (const ExprPtr& y : b) found |= SameExpr(*x, *y);
        if (!found) return false;
      }
      return true;
    };
    if (!within(plain, w.partition_by) || !within(w.partition_by, plain)) {
      throw SqlError(query.at, "sessions are per key: write the keys of GROUP BY beside window_start "
                               "and window_end into SESSION(TABLE s PARTITION BY key, ...) too");
    }
  }
  auto rows = std::make_unique<Plan>();
  rows->kind = Plan::Kind::kProject;
  rows->at = windowing.at;
  rows->columns = windowing.columns;
  for (std::size_t i = 0; i < rows->columns.size(); ++i) {
    const Type& type = rows->columns[i].type;
    rows->expressions.push_back(static_cast<int>(i) < bounds
                                    ? MakeColumn(static_cast<int>(i), type)
                                    : MakeCast(MakeConstant(Value::Null()), type, windowing.at));
  }
  rows->inputs.push_back(std::move(windowing.inputs[0]));
  place = std::move(rows);
}

}  // namespace millstream::sql::internal
