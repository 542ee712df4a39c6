#include "sql/binder_impl.h"

#include "sql/lexer.h"

namespace millstream::sql::internal {

Binder::From Binder::Wrap(std::unique_ptr<Plan> plan, const ast::TableReference& table,
                          std::string alias) {
  From from;
  Relation relation;
  if (table.alias) alias = table.alias->text;
  relation.alias = alias;
  if (plan->streaming) relation.rowtime = MakeRowtime(table.at);
  if (!table.columns.empty()) {
    if (table.columns.size() > plan->columns.size()) {
      throw SqlError(table.columns.back().at,
                     "the alias names " + std::to_string(table.columns.size()) + " columns, there are " +
                         std::to_string(plan->columns.size()));
    }
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      plan->columns[i].name = table.columns[i].text;
    }
  }
  for (std::size_t i = 0; i < plan->columns.size(); ++i) {
    const PlanColumn& column = plan->columns[i];
    relation.entries.push_back({column.name, MakeColumn(static_cast<int>(i), column.type), false});
  }
  from.scope.relations.push_back(std::move(relation));
  from.plan = std::move(plan);
  return from;
}

Binder::From Binder::BindFrom(const ast::TableReference& table) {
  switch (table.kind) {
    case ast::TableReference::Kind::kJoin: return Join(table);
    case ast::TableReference::Kind::kFunction: return TableFunction(table);
    case ast::TableReference::Kind::kQuery: return Wrap(Query(*table.query), table, "");
    case ast::TableReference::Kind::kNamed: break;
  }
  const ast::Name& name = table.path.back();
  for (auto it = common_.rbegin(); it != common_.rend(); ++it) {
    if ((*it)->name.text != name.text) continue;
    auto hidden = std::vector<const ast::CommonTable*>(common_.begin(), it.base() - 1);
    std::swap(common_, hidden);
    std::unique_ptr<Plan> plan = Query(*(*it)->query);
    const ast::CommonTable* common = nullptr;
    std::swap(common_, hidden);
    for (const ast::CommonTable* c : common_) {
      if (c->name.text == name.text) common = c;
    }
    for (std::size_t i = 0; i < common->columns.size() && i < plan->columns.size(); ++i) {
      plan->columns[i].name = common->columns[i].text;
    }
    return Wrap(std::move(plan), table, name.text);
  }
  if (auto view = catalog_.views.find(name.text); view != catalog_.views.end()) {
    if (++depth_ > 32) throw SqlError(name.at, "views use each other more than 32 deep");
    std::unique_ptr<Plan> plan = Query(*view->second.second);
    --depth_;
    const auto& names = view->second.first;
    for (std::size_t i = 0; i < names.size() && i < plan->columns.size(); ++i) {
      plan->columns[i].name = names[i];
    }
    return Wrap(std::move(plan), table, name.text);
  }
  auto plan = std::make_unique<Plan>();
  plan->at = table.at;
  plan->name = name.text;
  if (auto stream = catalog_.streams.find(name.text); stream != catalog_.streams.end()) {
    if (name.text == "ERROR_STREAM" || name.text == "error_stream") {
      throw SqlError(name.at, "the error stream can be an output but cannot be queried");
    }
    plan->kind = Plan::Kind::kStream;
    plan->columns = stream->second.columns;
    From from = Wrap(std::move(plan), table, name.text);
    std::size_t visible = from.scope.relations[0].entries.size() - stream->second.pseudo.size();
    for (std::size_t i = visible; i < from.scope.relations[0].entries.size(); ++i) {
      from.scope.relations[0].entries[i].hidden = true;
    }
    return from;
  }
  if (auto reference = catalog_.tables.find(name.text); reference != catalog_.tables.end()) {
    plan->kind = Plan::Kind::kTable;
    plan->columns = reference->second.columns;
    plan->streaming = false;
    return Wrap(std::move(plan), table, name.text);
  }
  std::vector<std::string> names;
  for (const auto& [n, s] : catalog_.streams) names.push_back(n);
  for (const auto& [n, t] : catalog_.tables) names.push_back(n);
  for (const auto& [n, v] : catalog_.views) names.push_back(n);
  for (const std::string& n : names) {
    if (!name.quoted && UpperCase(n) == name.text) {
      throw SqlError(name.at, "no stream " + name.text +
                                  "; unquoted names are read in upper case, write \"" + n + "\"");
    }
  }
  if (UpperCase(name.text) == "ERROR_STREAM") {
    throw SqlError(name.at, "error_stream cannot be queried; make it an output of the application");
  }
  // Nothing like it: perhaps an input or a table that is configured later. Callers tell by the code.
  std::string remedy = DidYouMean(name.text, names);
  throw SqlError(name.at, "no stream or table " + name.text + remedy,
                 remedy.empty() ? base::Code::kNotFound : base::Code::kInvalidArgument);
}

JoinSide Binder::SideOf(const ast::TableReference& table, const Plan& plan, ast::JoinKind kind,
                        int64_t& following) {
  JoinSide side;
  following = -1;
  if (!plan.streaming) {
    side.window = JoinSide::Window::kTable;
    return side;
  }
  if (!table.over) {
    side.window = kind == ast::JoinKind::kComma || kind == ast::JoinKind::kCross
                      ? JoinSide::Window::kLatestTime
                      : JoinSide::Window::kLatest;
    return side;
  }
  const ast::WindowSpecification& spec = Resolve(*table.over);
  if (!spec.partition_by.empty()) {
    throw SqlError(spec.at, "the window of a join has no PARTITION BY");
  }
  if (spec.frame == ast::WindowSpecification::Frame::kNone || spec.lower.following ||
      spec.lower.kind == ast::FrameBound::Kind::kUnbounded) {
    throw SqlError(spec.at, "the window of a join has a size: OVER (RANGE INTERVAL '1' MINUTE "
                            "PRECEDING) or OVER (ROWS 10 PRECEDING)");
  }
  bool rows = spec.frame == ast::WindowSpecification::Frame::kRows;
  side.window = rows ? JoinSide::Window::kRows : JoinSide::Window::kRange;
  auto length = [&](const ast::Expression& e) {
    ExprPtr interval = Bind(e);
    if (interval->type.kind != Kind::kInterval || !IsConstant(*interval)) {
      throw SqlError(spec.at, "RANGE goes over an interval: RANGE INTERVAL '1' MINUTE PRECEDING");
    }
    const int64_t ms = EvaluateConstant(interval).i;
    if (ms < 0) throw SqlError(spec.at, "a window cannot be negative");
    return ms;
  };
  if (spec.upper.kind != ast::FrameBound::Kind::kCurrentRow) {
    if (rows || !spec.upper.following || spec.upper.kind != ast::FrameBound::Kind::kOffset) {
      throw SqlError(spec.at,
                     "the window of a join ends at the current row, or RANGE BETWEEN ... AND "
                     "INTERVAL '1' MINUTE FOLLOWING");
    }
    following = length(*spec.upper.offset);
  }
  if (spec.lower.kind == ast::FrameBound::Kind::kOffset) {
    if (rows) {
      side.size = ConstantInteger(*spec.lower.offset, "the number of rows", 0, 10'000'000);
    } else {
      side.size = length(*spec.lower.offset);
    }
  }
  return side;
}

void Binder::ExtractEqual(Plan& join, int left, int right) {
  join.equal.clear();
  if (!join.filter) return;
  std::vector<ExprPtr> parts;
  SplitAnd(join.filter, parts);
  auto side = [&](const Expr& e) {  // 1 left only, 2 right only, 0 none, 3 other
    int s = 0;
    VisitExpr(e, [&](const Expr& x) {
      if (x.op == Expr::Op::kRowtime) s = 3;
      if (x.op == Expr::Op::kColumn) s |= x.index < left ? 1 : x.index < left + right ? 2 : 3;
    });
    return s;
  };
  for (const ExprPtr& part : parts) {
    if (part->op != Expr::Op::kCall || part->function->name != "=") continue;
    ExprPtr a = part->arguments[0], b = part->arguments[1];
    if (a->type.kind == Kind::kChar || b->type.kind == Kind::kChar) continue;
    if (PhysicalOf(a->type.kind) != PhysicalOf(b->type.kind)) continue;
    if (side(*a) == 2 && side(*b) == 1) std::swap(a, b);
    if (side(*a) != 1 || side(*b) != 2) continue;
    b = RewriteExpr(b, [&](const ExprPtr& x) -> ExprPtr {
      return x->op == Expr::Op::kColumn ? MakeColumn(x->index - left, x->type, x->at) : nullptr;
    });
    join.equal.emplace_back(a, b);
  }
}

Binder::From Binder::Join(const ast::TableReference& table) {
  From left = BindFrom(*table.left), right = BindFrom(*table.right);
  int nl = static_cast<int>(left.plan->columns.size());
  int nr = static_cast<int>(right.plan->columns.size());
  auto join = std::make_unique<Plan>();
  join->kind = Plan::Kind::kJoin;
  join->at = table.at;
  join->join = table.join;
  join->streaming = left.plan->streaming || right.plan->streaming;
  int64_t following[2] = {-1, -1};
  if (join->streaming) {
    join->sides[0] = SideOf(*table.left, *left.plan, table.join, following[0]);
    join->sides[1] = SideOf(*table.right, *right.plan, table.join, following[1]);
  } else {
    // All rows of a relation are of one moment: within it, each meets each.
    for (JoinSide& side : join->sides) side = {JoinSide::Window::kRange, 0};
  }
  // Rows of one side that come up to so much later: the other side's rows are kept for as long.
  for (int s = 0; s < 2; ++s) {
    JoinSide& other = join->sides[1 - s];
    if (following[s] < 0) continue;
    if (other.window == JoinSide::Window::kRows || other.window == JoinSide::Window::kTable) {
      throw SqlError(table.at,
                     "rows of a reference table or of a window over ROWS do not wait: write "
                     "RANGE ... PRECEDING on both sides instead of FOLLOWING");
    }
    other.size = std::max(other.window == JoinSide::Window::kRange ? other.size : 0, following[s]);
    other.window = JoinSide::Window::kRange;
  }
  // A stream's rows leave a join with a reference table at their own time.
  bool keeps_time[2];
  for (int s = 0; s < 2; ++s) {
    keeps_time[s] = join->sides[1 - s].window == JoinSide::Window::kTable;
    for (const PlanColumn& c : (s == 0 ? left : right).plan->columns) {
      join->columns.push_back({c.name, c.type, false, keeps_time[s] ? c.rowtime_function : nullptr});
    }
  }
  for (int s = 0; s < 2; ++s) {
    join->columns.push_back({s == 0 ? "LEFT ROWTIME" : "RIGHT ROWTIME", MakeType(Kind::kTimestamp), false,
                             keeps_time[s] ? MakeRowtime(table.at) : nullptr});
  }
  auto shift = [&](Scope& scope, int by, int rowtime_column) {
    auto move = [&](const ExprPtr& e) {
      return RewriteExpr(e, [&](const ExprPtr& x) -> ExprPtr {
        if (x->op == Expr::Op::kColumn) return MakeColumn(x->index + by, x->type, x->at);
        if (x->op == Expr::Op::kRowtime) {
          return MakeColumn(rowtime_column, MakeType(Kind::kTimestamp), x->at);
        }
        return nullptr;
      });
    };
    for (Relation& r : scope.relations) {
      if (r.rowtime) r.rowtime = move(r.rowtime);
      for (Entry& e : r.entries) e.expr = move(e.expr);
    }
  };
  shift(left.scope, 0, nl + nr);
  shift(right.scope, nl, nl + nr + 1);
  std::vector<std::string> shared;
  for (const ast::Name& n : table.using_columns) shared.push_back(n.text);
  if (table.natural) {
    for (const Relation& r : right.scope.relations) {
      for (const Entry& e : r.entries) {
        for (const Relation& l : left.scope.relations) {
          for (const Entry& f : l.entries) {
            if (!e.hidden && !f.hidden && e.name == f.name) shared.push_back(e.name);
          }
        }
      }
    }
  }
  ExprPtr condition;
  for (const std::string& name : shared) {
    ExprPtr a, b;
    for (const Relation& r : left.scope.relations) {
      for (const Entry& e : r.entries) {
        if (e.name == name && !e.hidden) a = e.expr;
      }
    }
    for (Relation& r : right.scope.relations) {
      for (Entry& e : r.entries) {
        if (e.name == name && !e.hidden) {
          b = e.expr;
          e.hidden = true;
        }
      }
    }
    if (!a || !b) throw SqlError(table.at, "column " + name + " of USING is not in both inputs");
    condition = MakeAnd(condition, MakeCall("=", {a, b}, table.at));
  }
  From from;
  for (Relation& r : left.scope.relations) from.scope.relations.push_back(std::move(r));
  for (Relation& r : right.scope.relations) {
    for (const Relation& other : from.scope.relations) {
      if (!r.alias.empty() && other.alias == r.alias) {
        throw SqlError(table.right->at, "two inputs are called " + r.alias +
                                            "; give one of them an alias: " + r.alias + " AS b");
      }
    }
    from.scope.relations.push_back(std::move(r));
  }
  if (table.on) {
    Context saved = context_;
    context_ = Context{};
    context_.scope = &from.scope;
    condition = MakeAnd(condition, Boolean(*table.on, "ON"));
    context_ = saved;
  }
  join->filter = condition;
  join->inputs.push_back(std::move(left.plan));
  join->inputs.push_back(std::move(right.plan));
  ExtractEqual(*join, nl, nr);
  from.plan = std::move(join);
  return from;
}

}  // namespace millstream::sql::internal
