#include "sql/binder_impl.h"

#include <functional>

namespace millstream::sql::internal {

namespace {

std::string DefaultName(const ast::SelectItem& item, std::size_t index) {
  if (item.alias) return item.alias->text;
  if (item.expression->kind == EKind::kName) return item.expression->path.back().text;
  return "EXPR$" + std::to_string(index);
}

}  // namespace

// An item of GROUP BY: a name that no input has may be an alias of the select list (an extension).
ExprPtr Binder::GroupKey(const ast::Expression& e, const ast::Query& query) {
  try {
    return Bind(e);
  } catch (const SqlError&) {
    if (e.kind != EKind::kName || e.path.size() != 1) throw;
    for (const ast::SelectItem& item : query.items) {
      if (item.alias && item.alias->text == e.path[0].text) return Bind(*item.expression);
    }
    throw;
  }
}

std::unique_ptr<Plan> Binder::Select(const ast::Query& query) {
  if (!query.from) {
    throw SqlError(query.at, "a query needs FROM; constants come from VALUES (1, 'a')");
  }
  context_.named_windows = &query.windows;  // joins may name windows too
  From from = BindFrom(*query.from);
  bool streaming = from.plan->streaming;
  context_.scope = &from.scope;
  if (query.stream && !streaming) {
    throw SqlError(query.at, "SELECT STREAM needs a stream in FROM; this reads a table only");
  }
  std::unique_ptr<Plan> plan = std::move(from.plan);

  if (query.where) {
    ExprPtr filter = Boolean(*query.where, "WHERE");
    bool inner = plan->kind == Plan::Kind::kJoin &&
                 (plan->join == ast::JoinKind::kInner || plan->join == ast::JoinKind::kCross ||
                  plan->join == ast::JoinKind::kComma);
    if (inner) {
      plan->filter = MakeAnd(plan->filter, filter);
      ExtractEqual(*plan, static_cast<int>(plan->inputs[0]->columns.size()),
                   static_cast<int>(plan->inputs[1]->columns.size()));
    } else {
      plan = FilterRows(std::move(plan), filter, query.where->at);
    }
  }

  std::vector<AggregateCall> aggregates, window_calls;
  std::vector<WindowPlan> windows;
  context_.aggregates = &aggregates;
  context_.window_calls = &window_calls;
  context_.windows = &windows;

  // The select list, * expanded.
  std::vector<ExprPtr> items;
  std::vector<std::string> names;
  ExprPtr rowtime;
  for (const ast::SelectItem& item : query.items) {
    const ast::Expression& e = *item.expression;
    if (e.kind == EKind::kStar) {
      bool found = false;
      for (const Relation& relation : from.scope.relations) {
        if (!e.path.empty() && relation.alias != e.path.back().text) continue;
        found = true;
        for (const Entry& entry : relation.entries) {
          if (entry.hidden) continue;
          items.push_back(entry.expr);
          names.push_back(entry.name);
        }
      }
      if (!found) throw SqlError(e.at, "no stream or alias " + e.path.back().text + " in FROM");
      continue;
    }
    ExprPtr bound = Bind(e);
    if (item.alias && item.alias->text == "ROWTIME") {
      bool own = bound->op == Expr::Op::kRowtime && bound->unqualified;
      if (bound->type.kind != Kind::kTimestamp) {
        throw SqlError(e.at, "ROWTIME must be a TIMESTAMP, not " + TypeName(bound->type));
      }
      if (!own && streaming) rowtime = bound;
    }
    items.push_back(bound);
    names.push_back(DefaultName(item, items.size() - 1));
  }
  ExprPtr having = query.having ? Boolean(*query.having, "HAVING") : nullptr;

  // ORDER BY items: ordinals, aliases, or expressions over the input.
  struct Order {
    ExprPtr e;
    int item = -1;
    const ast::OrderItem* source;
  };
  std::vector<Order> order;
  for (const ast::OrderItem& item : query.order_by) {
    Order o;
    o.source = &item;
    const ast::Expression& e = *item.expression;
    if (e.kind == EKind::kLiteral && IsInteger(e.value.type.kind) && !e.value.null) {
      if (e.value.i < 1 || e.value.i > static_cast<int64_t>(items.size())) {
        throw SqlError(e.at, "ORDER BY " + std::to_string(e.value.i) + ": there are " +
                                 std::to_string(items.size()) + " columns");
      }
      o.item = static_cast<int>(e.value.i) - 1;
    } else if (e.kind == EKind::kName && e.path.size() == 1 && e.path[0].text != "ROWTIME") {
      for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] == e.path[0].text) o.item = static_cast<int>(i);
      }
    }
    o.e = o.item >= 0 ? items[static_cast<std::size_t>(o.item)] : Bind(e);
    order.push_back(o);
  }
  ExprPtr qualify = query.qualify ? Boolean(*query.qualify, "QUALIFY") : nullptr;

  // Grouping.
  bool grouped = query.has_group_by || query.stagger || !aggregates.empty() || having;
  if (grouped) {
    auto group = std::make_unique<Plan>();
    group->kind = query.stagger ? Plan::Kind::kStagger : Plan::Kind::kAggregate;
    group->at = query.at;
    group->streaming = streaming;
    if (query.stagger && !streaming) {
      throw SqlError(query.stagger->at, "WINDOWED BY STAGGER needs a stream; write GROUP BY");
    }
    context_.aggregates = nullptr;
    context_.windows = nullptr;
    const auto& sources = query.stagger ? query.stagger->partition_by : query.group_by;
    for (const auto& source : sources) {
      ExprPtr key = GroupKey(*source, query);
      if (source->kind == EKind::kLiteral && !key->value.null && IsInteger(key->type.kind)) {
        throw SqlError(source->at, "GROUP BY takes expressions, not positions; repeat the "
                                   "expression of the select list");
      }
      ExprPtr function = AsRowtimeFunction(key, plan->columns);
      bool monotonic = false;
      if (!function) {
        VisitExpr(*key, [&](const Expr& x) {
          monotonic |= x.op == Expr::Op::kCall && x.function->name == "MONOTONIC";
        });
      }
      PlanColumn column;
      column.name = ExprText(*key);
      column.type = key->type;
      if (function && !query.stagger) {
        group->time_keys.push_back(static_cast<int>(group->keys.size()));
        // Results carry the end of their window: the key is the function just before it.
        if (function->op == Expr::Op::kRowtime) {
          column.rowtime_function = MakeRowtime();
        } else {
          ExprPtr before = MakeCall(
              "-", {MakeRowtime(), MakeConstant(Value::Int(Interval(TimeUnit::kSecond, TimeUnit::kSecond), 1))},
              key->at);
          column.rowtime_function = RewriteExpr(function, [&](const ExprPtr& x) -> ExprPtr {
            return x->op == Expr::Op::kRowtime ? before : nullptr;
          });
        }
        key = function;
      } else if (monotonic && streaming && !query.stagger) {
        group->time_keys.push_back(static_cast<int>(group->keys.size()));
      }
      group->keys.push_back(key);
      group->columns.push_back(column);
    }
    bool windows_of_function =
        !query.stagger &&
        (plan->kind == Plan::Kind::kWindowing ||
         (plan->kind == Plan::Kind::kProject && !plan->inputs.empty() && query.where &&
          plan->inputs[0]->kind == Plan::Kind::kWindowing));
    if (windows_of_function) {
      group->time_keys.clear();
      GroupWindows(query, *group, plan);
    } else if (query.stagger) {
      ExprPtr range = Bind(*query.stagger->range);
      if (range->type.kind != Kind::kInterval || !IsConstant(*range)) {
        throw SqlError(query.stagger->at, "STAGGER needs RANGE INTERVAL 'n' unit");
      }
      group->stagger_ms = EvaluateConstant(range).i;
      if (group->stagger_ms <= 0) throw SqlError(query.stagger->at, "the range must be positive");
    } else if (streaming && group->time_keys.empty()) {
      bool windows_in_rows = false;
      for (const Relation& relation : from.scope.relations) {
        for (const Entry& entry : relation.entries) windows_in_rows |= entry.name == "WINDOW_END";
      }
      if (windows_in_rows) {
        throw SqlError(query.group_by.empty() ? query.at : query.group_by[0]->at,
                       "a group ends with its window: add window_start, window_end to GROUP BY");
      }
      throw SqlError(
          query.group_by.empty() ? query.at : query.group_by[0]->at,
          "aggregating a stream needs at least one item in GROUP BY that follows ROWTIME, "
          "or it would never end; add e.g. STEP(" +
              (from.scope.relations.size() > 1 || from.scope.relations[0].alias.empty()
                   ? std::string()
                   : from.scope.relations[0].alias + ".") +
              "ROWTIME BY INTERVAL '60' SECOND)");
    }
    for (const AggregateCall& call : aggregates) {
      group->columns.push_back({call.name, call.type, false, nullptr});
    }
    group->calls = aggregates;
    std::vector<std::string> input_names;
    for (const PlanColumn& c : plan->columns) input_names.push_back(c.name);
    std::vector<ExprPtr> keys = group->keys;
    const std::vector<PlanColumn> input_columns = plan->columns;
    std::function<ExprPtr(const ExprPtr&)> after = [&](const ExprPtr& e) -> ExprPtr {
      ExprPtr function = AsRowtimeFunction(e, input_columns);
      for (std::size_t k = 0; k < keys.size(); ++k) {
        if (SameExpr(*e, *keys[k]) || (function && SameExpr(*function, *keys[k]))) {
          return MakeColumn(static_cast<int>(k), keys[k]->type, e->at);
        }
      }
      if (e->op == Expr::Op::kAggregate) {
        return MakeColumn(static_cast<int>(keys.size()) + e->index, e->type, e->at);
      }
      if (e->op == Expr::Op::kRowtime && e->unqualified) return MakeRowtime(e->at, true);
      if (e->op == Expr::Op::kColumn || e->op == Expr::Op::kRowtime) {
        // An expression that GROUP BY holds only inside STEP or FLOOR stands for that item
        // (docs/sql/decisions.md).
        ExprPtr inner = function ? function : e;
        for (std::size_t k = 0; k < keys.size(); ++k) {
          const Expr& key = *keys[k];
          if (key.op == Expr::Op::kCall && key.type.kind == e->type.kind &&
              key.function->monotone != Function::Monotone::kNo && !key.arguments.empty() &&
              SameExpr(*key.arguments[0], *inner)) {
            return MakeColumn(static_cast<int>(k), key.type, e->at);
          }
        }
        std::string name = ExprText(*e, &input_names);
        throw SqlError(e->at, name + " is neither in GROUP BY nor inside an aggregate; add it to " +
                                  (query.stagger ? "PARTITION BY" : "GROUP BY") +
                                  " or write e.g. MAX(" + name + ")");
      }
      return nullptr;
    };
    for (ExprPtr& e : items) e = RewriteExpr(e, after);
    if (having) having = RewriteExpr(having, after);
    if (rowtime) rowtime = RewriteExpr(rowtime, after);
    if (qualify) qualify = RewriteExpr(qualify, after);
    for (Order& o : order) o.e = RewriteExpr(o.e, after);
    for (AggregateCall& c : window_calls) {
      if (c.argument) c.argument = RewriteExpr(c.argument, after);
      if (c.fallback) c.fallback = RewriteExpr(c.fallback, after);
    }
    for (WindowPlan& w : windows) {
      for (ExprPtr& e : w.partition_by) e = RewriteExpr(e, after);
      for (ExprPtr& e : w.order_by) e = RewriteExpr(e, after);
    }
    group->inputs.push_back(std::move(plan));
    plan = std::move(group);
    if (having) plan = FilterRows(std::move(plan), having, having->at);
  }

  // Window functions: one node for sliding windows, one for rankings.
  if (!window_calls.empty()) {
    std::vector<int> place(window_calls.size());
    for (bool ranks : {false, true}) {
      auto node = std::make_unique<Plan>();
      node->kind = ranks ? Plan::Kind::kRank : Plan::Kind::kWindow;
      node->at = query.at;
      node->columns = plan->columns;
      node->streaming = streaming;
      node->windows = windows;
      for (std::size_t i = 0; i < window_calls.size(); ++i) {
        const AggregateCall& call = window_calls[i];
        if (!windows[static_cast<std::size_t>(call.window)].order_by.empty() != ranks) continue;
        place[i] = static_cast<int>(node->columns.size());
        node->columns.push_back({call.name, call.type, false, nullptr});
        node->calls.push_back(call);
      }
      if (node->calls.empty()) continue;
      if (!ranks && !streaming) {
        throw SqlError(query.at,
                       node->calls[0].name +
                           " over a window of a reference table is not supported; "
                           "group the table and join with the result",
                       base::Code::kNotSupported);
      }
      node->inputs.push_back(std::move(plan));
      plan = std::move(node);
    }
    auto after = [&](const ExprPtr& e) -> ExprPtr {
      if (e->op != Expr::Op::kWindow) return nullptr;
      return MakeColumn(place[static_cast<std::size_t>(e->index)], e->type, e->at);
    };
    for (ExprPtr& e : items) e = RewriteExpr(e, after);
    if (rowtime) rowtime = RewriteExpr(rowtime, after);
    if (qualify) qualify = RewriteExpr(qualify, after);
    for (Order& o : order) o.e = RewriteExpr(o.e, after);
  }

  auto project = std::make_unique<Plan>();
  project->kind = Plan::Kind::kProject;
  project->at = query.at;
  project->streaming = streaming;
  project->filter = qualify;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i]->type.kind == Kind::kNull) {
      items[i] = MakeCast(items[i], Varchar(), items[i]->at);
    }
    project->columns.push_back({names[i], items[i]->type, false, nullptr});
    if (!rowtime) {
      project->columns[i].rowtime_function = AsRowtimeFunction(items[i], plan->columns);
    }
  }
  project->expressions = items;

  bool tsort = query.within != nullptr;
  if (tsort && !streaming) {
    throw SqlError(query.within->at,
                   "WITHIN sorts streams; a reference table is sorted as a whole");
  }
  std::unique_ptr<Plan> sort;
  if (!order.empty()) {
    sort = std::make_unique<Plan>();
    sort->at = query.order_by[0].expression->at;
    sort->streaming = streaming;
    sort->visible = static_cast<int>(items.size());
    sort->kind = tsort ? Plan::Kind::kTSort : Plan::Kind::kSort;
    std::size_t first = 0;
    if (tsort) {
      if (!rowtime || !SameExpr(*rowtime, *order[0].e) || order[0].source->descending) {
        throw SqlError(sort->at, "with WITHIN, the first item of ORDER BY must be ascending and be "
                                 "aliased as ROWTIME in the select list: SELECT STREAM ts AS ROWTIME "
                                 "... ORDER BY ts WITHIN INTERVAL '5' SECOND");
      }
      context_.aggregates = nullptr;
      ExprPtr within = Expression(*query.within, nullptr);
      if (within->type.kind != Kind::kInterval || !IsConstant(*within)) {
        throw SqlError(query.within->at, "WITHIN takes an interval: WITHIN INTERVAL '5' SECOND");
      }
      sort->within_ms = EvaluateConstant(within).i;
      if (sort->within_ms < 0) throw SqlError(query.within->at, "WITHIN cannot be negative");
      sort->time_column = static_cast<int>(project->expressions.size());
      project->expressions.push_back(rowtime);
      project->columns.push_back({"ROWTIME", rowtime->type, false, nullptr});
      rowtime = nullptr;
      first = 1;
    } else if (streaming) {
      sort->order_function = AsRowtimeFunction(order[0].e, plan->columns);
      if (!sort->order_function && rowtime && SameExpr(*rowtime, *order[0].e)) {
        sort->order_function = MakeRowtime();
      }
      if (!sort->order_function || order[0].source->descending) {
        throw SqlError(sort->at, "a stream is sorted piece by piece: the first item of ORDER BY must "
                                 "follow ROWTIME, e.g. FLOOR(s.ROWTIME TO SECOND)");
      }
      first = 1;
    }
    for (std::size_t i = first; i < order.size(); ++i) {
      int column = order[i].item;
      if (column < 0) {
        column = static_cast<int>(project->expressions.size());
        project->expressions.push_back(order[i].e);
        project->columns.push_back({"ORDER", order[i].e->type, false, nullptr});
      }
      sort->order.push_back({column, order[i].source->descending,
                             order[i].source->nulls_first.value_or(!order[i].source->descending)});
    }
  }
  project->rowtime = rowtime;
  std::vector<PlanColumn> visible(project->columns.begin(),
                                  project->columns.begin() + static_cast<std::ptrdiff_t>(items.size()));
  project->inputs.push_back(std::move(plan));
  plan = std::move(project);
  if (query.distinct && streaming) {
    auto distinct = std::make_unique<Plan>();
    distinct->kind = Plan::Kind::kDistinct;
    distinct->at = query.at;
    distinct->columns = plan->columns;
    distinct->visible = static_cast<int>(items.size());
    for (const PlanColumn& column : visible) {
      if (column.rowtime_function) distinct->keys.push_back(column.rowtime_function);
    }
    if (distinct->keys.empty()) {
      throw SqlError(query.at, "SELECT STREAM DISTINCT needs a column that follows ROWTIME, e.g. "
                               "FLOOR(ROWTIME TO MINUTE), within which duplicates are removed");
    }
    distinct->inputs.push_back(std::move(plan));
    plan = std::move(distinct);
  }
  if (query.distinct && !streaming) {
    if (plan->columns.size() > items.size()) {
      throw SqlError(query.at, "with SELECT DISTINCT, ORDER BY takes items of the select list");
    }
    plan = DistinctRows(std::move(plan));
  }
  if (sort) {
    sort->columns = visible;
    sort->inputs.push_back(std::move(plan));
    plan = std::move(sort);
  }
  return plan;
}

}  // namespace millstream::sql::internal
