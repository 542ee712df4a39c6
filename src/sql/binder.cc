#include "sql/binder.h"

#include <algorithm>
#include <functional>

#include "sql/cast.h"
#include "sql/function_tables.h"
#include "sql/lexer.h"

namespace millstream::sql {

namespace {

using EKind = ast::Expression::Kind;
using AKind = AggregateCall::Kind;

struct Entry {
  std::string name;
  ExprPtr expr;
  bool hidden = false;  // not part of *, e.g. pseudo columns and the right side of USING
};
struct Relation {
  std::string alias;
  std::vector<Entry> entries;
  ExprPtr rowtime;  // null for reference tables
};
struct Scope {
  std::vector<Relation> relations;
};

struct AggregateName {
  std::string_view name;
  AKind kind;
};
constexpr AggregateName kAggregates[] = {
    {"COUNT", AKind::kCount}, {"SUM", AKind::kSum}, {"AVG", AKind::kAvg}, {"MIN", AKind::kMin},
    {"MAX", AKind::kMax}, {"STDDEV_POP", AKind::kStddevPop}, {"STDDEV_SAMP", AKind::kStddevSamp},
    {"STDDEV", AKind::kStddevSamp}, {"VAR_POP", AKind::kVarPop}, {"VAR_SAMP", AKind::kVarSamp},
    {"FIRST_VALUE", AKind::kFirst}, {"LAST_VALUE", AKind::kLast}, {"ANY", AKind::kAny},
    {"SOME", AKind::kAny}, {"EVERY", AKind::kEvery}, {"LISTAGG", AKind::kListagg},
    {"PERCENTILE_CONT", AKind::kPercentileCont}, {"PERCENTILE_DISC", AKind::kPercentileDisc}};
constexpr AggregateName kWindowOnly[] = {
    {"LAG", AKind::kLag}, {"NTH_VALUE", AKind::kNth}, {"EXP_AVG", AKind::kExpAvg},
    {"ROW_NUMBER", AKind::kRowNumber}, {"RANK", AKind::kRank}, {"DENSE_RANK", AKind::kDenseRank}};

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

bool Monotone(const Expr& e) {  // given that only ROWTIME varies
  if (IsConstant(e)) return true;
  switch (e.op) {
    case Expr::Op::kRowtime: return true;
    case Expr::Op::kCast: return Monotone(*e.arguments[0]);
    case Expr::Op::kCall:
      if (e.function->monotone == Function::Monotone::kNo) {
        if (e.function->name == "EXTRACT") {
          return e.arguments[1]->value.i == static_cast<int64_t>(TimeUnit::kYear);
        }
        return false;
      }
      for (std::size_t i = 1; i < e.arguments.size(); ++i) {
        if (!IsConstant(*e.arguments[i])) return false;
      }
      return Monotone(*e.arguments[0]);
    default: return false;
  }
}

// `e` as a function of ROWTIME alone, or null.
ExprPtr AsRowtimeFunction(const ExprPtr& e, const std::vector<PlanColumn>& columns) {
  bool possible = true, varies = false;
  ExprPtr f = RewriteExpr(e, [&](const ExprPtr& x) -> ExprPtr {
    if (x->op == Expr::Op::kColumn) {
      std::size_t i = static_cast<std::size_t>(x->index);
      if (i < columns.size() && columns[i].rowtime_function) return columns[i].rowtime_function;
      possible = false;
    }
    return nullptr;
  });
  if (!possible) return nullptr;
  VisitExpr(*f, [&](const Expr& x) {
    varies |= x.op == Expr::Op::kRowtime;
    if (x.op == Expr::Op::kAggregate || x.op == Expr::Op::kWindow) possible = false;
    if (x.op == Expr::Op::kCall && !x.function->constant && x.function->name != "MONOTONIC") {
      possible = false;
    }
  });
  return possible && varies && Monotone(*f) ? f : nullptr;
}

void SplitAnd(const ExprPtr& e, std::vector<ExprPtr>& out) {
  if (e->op == Expr::Op::kAnd) {
    for (const ExprPtr& a : e->arguments) SplitAnd(a, out);
  } else {
    out.push_back(e);
  }
}

ExprPtr MakeAnd(ExprPtr a, ExprPtr b) {
  if (!a) return b;
  if (!b) return a;
  auto e = std::make_shared<Expr>();
  e->op = Expr::Op::kAnd;
  e->type = BooleanType();
  e->at = b->at;
  e->arguments = {std::move(a), std::move(b)};
  return e;
}
ExprPtr MakeOr(ExprPtr a, ExprPtr b) {
  auto e = std::make_shared<Expr>();
  e->op = Expr::Op::kOr;
  e->type = BooleanType();
  e->at = b->at;
  e->arguments = {std::move(a), std::move(b)};
  return e;
}
ExprPtr MakeNot(ExprPtr a) {
  Position at = a->at;
  return MakeCall("NOT", {std::move(a)}, at);
}
ExprPtr IntConstant(int64_t v, Position at) {
  return MakeConstant(Value::Int(MakeType(Kind::kInteger), v), at);
}

class Binder {
 public:
  explicit Binder(const Catalog& catalog) : catalog_(catalog) {}

  std::unique_ptr<Plan> Query(const ast::Query& query);
  ExprPtr Expression(const ast::Expression& e, const Scope* scope);
  ExprPtr Function(const FunctionInfo& function, std::vector<ExprPtr> arguments, Position at);

 private:
  struct From {
    std::unique_ptr<Plan> plan;
    Scope scope;
  };
  // What the expression being bound may hold.
  struct Context {
    const Scope* scope = nullptr;
    std::vector<AggregateCall>* aggregates = nullptr;
    std::vector<AggregateCall>* window_calls = nullptr;
    std::vector<WindowPlan>* windows = nullptr;
    const std::vector<ast::NamedWindow>* named_windows = nullptr;
    const std::map<std::string, ExprPtr>* parameters = nullptr;
    bool inside_aggregate = false;
  };

  std::unique_ptr<Plan> Select(const ast::Query& query);
  std::unique_ptr<Plan> SetOperation(const ast::Query& query);
  std::unique_ptr<Plan> Values(const ast::Query& query);
  From BindFrom(const ast::TableReference& table);
  From Join(const ast::TableReference& table);
  From TableFunction(const ast::TableReference& table);
  From Wrap(std::unique_ptr<Plan> plan, const ast::TableReference& table, std::string alias);
  JoinSide SideOf(const ast::TableReference& table, const Plan& plan, ast::JoinKind kind);
  const ast::WindowSpecification& Resolve(const ast::WindowSpecification& window);
  void ExtractEqual(Plan& join, int left_columns, int right_columns);

  ExprPtr Bind(const ast::Expression& e);
  ExprPtr Boolean(const ast::Expression& e, const char* clause);
  ExprPtr Name(const ast::Expression& e);
  ExprPtr Binary(const ast::Expression& e);
  ExprPtr Compare(const std::string& op, const ast::Expression& a, const ast::Expression& b,
                  Position at);
  ExprPtr Case(const ast::Expression& e);
  ExprPtr In(const ast::Expression& e);
  ExprPtr Period(const ast::Expression& e);
  ExprPtr Call(const ast::Expression& e);
  ExprPtr Aggregate(const ast::Expression& e, const AggregateName& name);
  ExprPtr WindowCall(const ast::Expression& e, const AggregateName& name);
  AggregateCall MakeAggregate(const ast::Expression& e, const AggregateName& name);
  int WindowIndex(const ast::Expression& e, bool ranking);
  int64_t ConstantInteger(const ast::Expression& e, const char* what, int64_t min, int64_t max);

  const Catalog& catalog_;
  Context context_;
  std::vector<const ast::CommonTable*> common_;
  int depth_ = 0;
};

std::string DefaultName(const ast::SelectItem& item, std::size_t index) {
  if (item.alias) return item.alias->text;
  if (item.expression->kind == EKind::kName) return item.expression->path.back().text;
  return "EXPR$" + std::to_string(index);
}

// --- Expressions -------------------------------------------------------------------------------

ExprPtr Binder::Expression(const ast::Expression& e, const Scope* scope) {
  Context saved = context_;
  context_ = Context{};
  context_.scope = scope;
  ExprPtr bound = Bind(e);
  context_ = saved;
  return bound;
}

ExprPtr Binder::Boolean(const ast::Expression& e, const char* clause) {
  ExprPtr bound = Bind(e);
  if (bound->type.kind == Kind::kNull) bound = MakeCast(bound, BooleanType(), e.at);
  if (bound->type.kind != Kind::kBoolean) {
    throw SqlError(e.at, std::string(clause) + " needs a condition, not " + TypeName(bound->type));
  }
  return bound;
}

ExprPtr Binder::Name(const ast::Expression& e) {
  const ast::Name& last = e.path.back();
  if (context_.parameters != nullptr && e.path.size() == 1) {
    auto it = context_.parameters->find(last.text);
    if (it != context_.parameters->end()) return it->second;
  }
  if (context_.scope == nullptr) {
    throw SqlError(e.at, "a column (" + last.text + ") cannot stand here");
  }
  std::vector<std::string> names, aliases;
  bool rowtime = last.text == "ROWTIME";
  if (e.path.size() == 1) {
    if (rowtime) return MakeRowtime(e.at, true);
    ExprPtr found;
    for (const Relation& relation : context_.scope->relations) {
      for (const Entry& entry : relation.entries) {
        names.push_back(entry.name);
        if (entry.name != last.text) continue;
        if (found && !entry.hidden) {
          throw SqlError(e.at, "column " + last.text + " exists in several inputs; write " +
                                   relation.alias + "." + last.text);
        }
        if (!found) found = entry.expr;
      }
    }
    if (found) return found;
  } else {
    const ast::Name& qualifier = e.path[e.path.size() - 2];
    for (const Relation& relation : context_.scope->relations) {
      aliases.push_back(relation.alias);
      if (relation.alias != qualifier.text) continue;
      if (rowtime && relation.rowtime) {
        auto copy = std::make_shared<Expr>(*relation.rowtime);
        copy->at = e.at;
        copy->unqualified = false;
        return copy;
      }
      for (const Entry& entry : relation.entries) {
        names.push_back(entry.name);
        if (entry.name == last.text) return entry.expr;
      }
      std::string wrong = last.quoted ? "\"" + last.text + "\"" : last.text;
      throw SqlError(last.at, "column " + wrong + " does not exist in " + qualifier.text +
                                  DidYouMean(last.text, names));
    }
    // t.row.FIELD and row.FIELD of log parsers
    for (const Relation& relation : context_.scope->relations) {
      if (e.path.size() == 3 && relation.alias != e.path[0].text) continue;
      for (const Entry& entry : relation.entries) {
        if (entry.name != qualifier.text || entry.expr->type.kind != Kind::kRow) continue;
        const auto& fields = *entry.expr->type.fields;
        for (std::size_t i = 0; i < fields.size(); ++i) {
          if (fields[i].name != last.text) continue;
          ExprPtr field = MakeCall("ROW_FIELD", {entry.expr, IntConstant(static_cast<int64_t>(i), e.at)}, e.at);
          return MakeCast(field, fields[i].type, e.at);
        }
        for (const RowField& field : fields) names.push_back(field.name);
        throw SqlError(last.at, "field " + last.text + " does not exist in " + qualifier.text +
                                    DidYouMean(last.text, names));
      }
    }
    throw SqlError(qualifier.at, "no stream or alias " + qualifier.text + " in FROM" +
                                     DidYouMean(qualifier.text, aliases));
  }
  std::string wrong = last.quoted ? "\"" + last.text + "\"" : last.text;
  std::string message = "column " + wrong + " does not exist";
  for (const std::string& name : names) {  // the most common mistake: quotes forgotten
    if (!last.quoted && UpperCase(name) == last.text && name != last.text) {
      throw SqlError(e.at, message + "; unquoted names are read in upper case, write \"" + name +
                               "\"");
    }
  }
  throw SqlError(e.at, message + DidYouMean(last.text, names));
}

ExprPtr Binder::Compare(const std::string& op, const ast::Expression& a, const ast::Expression& b,
                        Position at) {
  if (a.kind == EKind::kRow || b.kind == EKind::kRow) {
    if (a.kind != b.kind || a.arguments.size() != b.arguments.size()) {
      throw SqlError(at, "rows compare only with rows of as many values");
    }
    if (op != "=" && op != "<>") throw SqlError(at, "rows compare with = and <> only");
    ExprPtr all;
    for (std::size_t i = 0; i < a.arguments.size(); ++i) {
      all = MakeAnd(all, Compare("=", *a.arguments[i], *b.arguments[i], at));
    }
    return op == "=" ? all : MakeNot(all);
  }
  return MakeCall(op, {Bind(a), Bind(b)}, at);
}

ExprPtr Binder::Binary(const ast::Expression& e) {
  const std::string& op = e.text;
  if (op == "AND" || op == "OR") {
    ExprPtr left = Boolean(*e.arguments[0], op.c_str());
    ExprPtr right = Boolean(*e.arguments[1], op.c_str());
    return op == "AND" ? MakeAnd(left, right) : MakeOr(left, right);
  }
  if (op == "=" || op == "<>" || op == "<" || op == "<=" || op == ">" || op == ">=") {
    return Compare(op, *e.arguments[0], *e.arguments[1], e.at);
  }
  return MakeCall(op, {Bind(*e.arguments[0]), Bind(*e.arguments[1])}, e.at);
}

ExprPtr Binder::Case(const ast::Expression& e) {
  std::size_t i = e.has_operand ? 1 : 0;
  std::vector<ExprPtr> conditions, values;
  std::size_t pairs = (e.arguments.size() - i - (e.has_else ? 1 : 0)) / 2;
  for (std::size_t k = 0; k < pairs; ++k, i += 2) {
    conditions.push_back(e.has_operand
                             ? Compare("=", *e.arguments[0], *e.arguments[i], e.arguments[i]->at)
                             : Boolean(*e.arguments[i], "WHEN"));
    values.push_back(Bind(*e.arguments[i + 1]));
  }
  values.push_back(e.has_else ? Bind(*e.arguments[i]) : MakeConstant(Value::Null(), e.at));
  Type type = Unify(values, 0, e.at, "choose between");
  if (type.kind == Kind::kNull) throw SqlError(e.at, "all values of this CASE are NULL");
  auto bound = std::make_shared<Expr>();
  bound->op = Expr::Op::kCase;
  bound->type = type;
  bound->at = e.at;
  for (std::size_t k = 0; k < pairs; ++k) {
    bound->arguments.push_back(conditions[k]);
    bound->arguments.push_back(values[k]);
  }
  bound->arguments.push_back(values.back());
  return bound;
}

ExprPtr Binder::In(const ast::Expression& e) {
  if (e.query) {
    throw SqlError(e.at, "IN (SELECT ...) is not supported; join with the stream or table instead",
                   base::Code::kNotSupported);
  }
  std::vector<ExprPtr> equal;
  for (std::size_t i = 1; i < e.arguments.size(); ++i) {
    equal.push_back(Compare("=", *e.arguments[0], *e.arguments[i], e.arguments[i]->at));
  }
  while (equal.size() > 1) {  // a balanced tree: lists may be long
    std::vector<ExprPtr> half;
    for (std::size_t i = 0; i < equal.size(); i += 2) {
      half.push_back(i + 1 < equal.size() ? MakeOr(equal[i], equal[i + 1]) : equal[i]);
    }
    equal = std::move(half);
  }
  return e.negated ? MakeNot(equal[0]) : equal[0];
}

// Temporal predicates over half-open periods [start, end).
ExprPtr Binder::Period(const ast::Expression& e) {
  auto bounds = [&](const ast::Expression& p, bool point) -> std::pair<ExprPtr, ExprPtr> {
    if (p.kind == EKind::kRow && p.arguments.size() == 2) {
      return {Bind(*p.arguments[0]), Bind(*p.arguments[1])};
    }
    if (point) return {Bind(p), nullptr};
    throw SqlError(p.at, "a period is written (start, end)");
  };
  std::string op = e.text;
  bool strictly = op.rfind("STRICTLY ", 0) == 0, immediately = op.rfind("IMMEDIATELY ", 0) == 0;
  std::string word = strictly || immediately ? op.substr(op.find(' ') + 1) : op;
  auto [s1, e1] = bounds(*e.arguments[0], false);
  auto [s2, e2] = bounds(*e.arguments[1], word == "CONTAINS");
  auto cmp = [&](const char* o, const ExprPtr& a, const ExprPtr& b) {
    return MakeCall(o, {a, b}, e.at);
  };
  auto both = [&](ExprPtr a, ExprPtr b) { return MakeAnd(std::move(a), std::move(b)); };
  if (word == "EQUALS") return both(cmp("=", s1, s2), cmp("=", e1, e2));
  if (word == "CONTAINS") {
    if (!e2) return both(cmp(strictly ? "<" : "<=", s1, s2), cmp("<", s2, e1));
    if (strictly) return both(cmp("<", s1, s2), cmp(">", e1, e2));
    return both(cmp("<=", s1, s2), cmp(">=", e1, e2));
  }
  if (word == "OVERLAPS") {
    if (strictly) return both(cmp("<", s1, s2), both(cmp("<", s2, e1), cmp("<", e1, e2)));
    return both(cmp("<", s1, e2), cmp("<", s2, e1));
  }
  if (word == "PRECEDES") {
    return cmp(immediately ? "=" : strictly ? "<" : "<=", e1, s2);
  }
  if (word == "SUCCEEDS") {
    return cmp(immediately ? "=" : strictly ? ">" : ">=", s1, e2);
  }
  if (word == "LEADS") {  // starts before and does not end after
    if (immediately) return both(cmp("=", e1, s2), cmp("<", s1, s2));
    if (strictly) return both(cmp("<", s1, s2), cmp("<", e1, e2));
    return both(cmp("<=", s1, s2), cmp("<=", e1, e2));
  }
  if (immediately) return both(cmp("=", s1, e2), cmp(">", e1, e2));  // LAGS
  if (strictly) return both(cmp(">", s1, s2), cmp(">", e1, e2));
  return both(cmp(">=", s1, s2), cmp(">=", e1, e2));
}

int64_t Binder::ConstantInteger(const ast::Expression& e, const char* what, int64_t min,
                                int64_t max) {
  ExprPtr bound = Bind(e);
  if (IsConstant(*bound) && IsNumeric(bound->type.kind)) {
    Value v = EvaluateConstant(MakeCast(bound, MakeType(Kind::kBigint), e.at));
    if (!v.null && v.i >= min && v.i <= max) return v.i;
  }
  throw SqlError(e.at, std::string(what) + " must be a whole number from " + std::to_string(min) +
                           " to " + std::to_string(max));
}

ExprPtr Binder::Function(const FunctionInfo& function, std::vector<ExprPtr> arguments,
                         Position at) {
  if (++depth_ > 32) throw SqlError(at, "functions call each other more than 32 deep");
  std::map<std::string, ExprPtr> parameters;
  ExprPtr any_null;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    parameters[function.parameters[i].first] = arguments[i];
    ExprPtr null = MakeCall("IS NULL", {arguments[i]}, at);
    any_null = any_null ? MakeOr(any_null, null) : null;
  }
  Context saved = context_;
  context_ = Context{};
  context_.parameters = &parameters;
  ExprPtr body = Bind(*function.body);
  context_ = saved;
  --depth_;
  if (body->type.kind != function.returns.kind && body->type.kind != Kind::kNull) {
    throw SqlError(function.body->at, "the function returns " + TypeName(function.returns) +
                                          " but its body is " + TypeName(body->type) +
                                          "; write RETURN CAST(... AS " +
                                          TypeName(function.returns) + ")");
  }
  body = MakeCast(body, function.returns, at);
  if (!function.null_on_null_input || !any_null) return body;
  auto guarded = std::make_shared<Expr>();
  guarded->op = Expr::Op::kCase;
  guarded->type = function.returns;
  guarded->at = at;
  guarded->arguments = {any_null, MakeCast(MakeConstant(Value::Null(), at), function.returns, at),
                        body};
  return guarded;
}

ExprPtr Binder::Call(const ast::Expression& e) {
  const AggregateName* aggregate = FindAggregate(e.text, e.over != nullptr);
  if (e.over) {
    if (aggregate == nullptr) {
      if (e.text == "LEAD") {
        throw SqlError(e.at, "LEAD needs rows that have not arrived; use LAG with the roles of the "
                             "rows exchanged", base::Code::kNotSupported);
      }
      throw SqlError(e.at, e.text + " cannot be used with OVER");
    }
    return WindowCall(e, *aggregate);
  }
  if (aggregate != nullptr) return Aggregate(e, *aggregate);
  for (const AggregateName& name : kWindowOnly) {
    if (name.name == e.text) {
      throw SqlError(e.at, e.text + " needs a window: " + e.text + "(...) OVER (ROWS 10 PRECEDING)");
    }
  }
  if (e.star) throw SqlError(e.at, "only COUNT takes *");
  if (e.text == "COALESCE" || e.text == "NVL" || e.text == "IFNULL") {
    std::vector<ExprPtr> values;
    for (const auto& a : e.arguments) values.push_back(Bind(*a));
    if (values.empty()) throw SqlError(e.at, "COALESCE needs values");
    auto bound = std::make_shared<Expr>();
    bound->op = Expr::Op::kCoalesce;
    bound->type = Unify(values, 0, e.at, "choose between");
    bound->at = e.at;
    bound->arguments = std::move(values);
    return bound;
  }
  std::vector<ExprPtr> arguments;
  for (const auto& a : e.arguments) arguments.push_back(Bind(*a));
  if (e.unit) arguments.push_back(IntConstant(static_cast<int64_t>(*e.unit), e.at));
  auto range = catalog_.functions.equal_range(e.text);
  std::string candidates;
  for (auto it = range.first; it != range.second; ++it) {
    const FunctionInfo& f = it->second;
    bool fits = f.parameters.size() == arguments.size();
    candidates += (candidates.empty() ? "" : ", ") + e.text + "(";
    for (std::size_t i = 0; i < f.parameters.size(); ++i) {
      candidates += (i > 0 ? ", " : "") + TypeName(f.parameters[i].second);
      if (fits && arguments[i]->type.kind != Kind::kNull &&
          arguments[i]->type.kind != f.parameters[i].second.kind) {
        fits = false;
      }
    }
    candidates += ")";
    if (!fits) continue;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (arguments[i]->type.kind == Kind::kNull) {
        arguments[i] = MakeCast(arguments[i], f.parameters[i].second, e.at);
      }
    }
    return Function(f, std::move(arguments), e.at);
  }
  if (!candidates.empty()) {
    throw SqlError(e.at, "arguments of functions are not converted; there is " + candidates +
                             ". Write CAST(... AS type)");
  }
  if (FindFunction(e.text) == nullptr) {
    std::vector<std::string> names = FunctionNames();
    for (const auto& [name, f] : catalog_.functions) names.push_back(name);
    for (const AggregateName& name : kAggregates) names.emplace_back(name.name);
    std::string remedy = DidYouMean(e.text, names);
    if (e.text == "SUBSTR") remedy = "; did you mean SUBSTRING?";
    if (e.text == "NOW") remedy = "; write CURRENT_ROW_TIMESTAMP or ROWTIME";
    if (e.text == "LENGTH" || e.text == "LEN") remedy = "; write CHAR_LENGTH(...)";
    if (e.text == "CONCAT") remedy = "; write a || b";
    throw SqlError(e.at, "no function " + e.text + remedy);
  }
  return MakeCall(e.text, std::move(arguments), e.at);
}

AggregateCall Binder::MakeAggregate(const ast::Expression& e, const AggregateName& name) {
  AggregateCall call;
  call.kind = name.kind;
  call.name = std::string(name.name);
  call.distinct = e.distinct;
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
  if (name.kind == AKind::kLag) most = 3;
  if (name.kind == AKind::kNth || name.kind == AKind::kExpAvg || name.kind == AKind::kListagg) most = 2;
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
      throw SqlError(argument->at, call.name + " takes a number, not " + TypeName(type));
    }
  };
  switch (name.kind) {
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
      if (e.arguments.size() > 1) {
        call.offset = ConstantInteger(*e.arguments[1], "the offset of LAG", 0, 1'000'000);
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
        if (named.name.text == at->reference->text) found = named.window.get();
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

int Binder::WindowIndex(const ast::Expression& e, bool ranking) {
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
  if (ranking || framed.frame == ast::WindowSpecification::Frame::kNone) {
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
                                  "CURRENT ROW");
      }
    }
    if (framed.lower.following) {
      throw SqlError(framed.at, "a window cannot start after the current row; write PRECEDING");
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
        all[i].preceding == window.preceding && same(all[i].partition_by, window.partition_by) &&
        same(all[i].order_by, window.order_by) && all[i].descending == window.descending) {
      return static_cast<int>(i);
    }
  }
  all.push_back(std::move(window));
  return static_cast<int>(all.size()) - 1;
}

ExprPtr Binder::WindowCall(const ast::Expression& e, const AggregateName& name) {
  if (context_.windows == nullptr) {
    throw SqlError(e.at, "a window function cannot stand here; use a subquery");
  }
  if (e.distinct || name.kind == AKind::kListagg || name.kind == AKind::kPercentileCont ||
      name.kind == AKind::kPercentileDisc) {
    throw SqlError(e.at, std::string(name.name) + (e.distinct ? "(DISTINCT)" : "") +
                             " over a sliding window is not supported; use GROUP BY",
                   base::Code::kNotSupported);
  }
  AggregateCall call = MakeAggregate(e, name);
  call.window = WindowIndex(e, name.kind >= AKind::kRowNumber);
  auto bound = std::make_shared<Expr>();
  bound->op = Expr::Op::kWindow;
  bound->type = call.type;
  bound->at = e.at;
  bound->index = static_cast<int>(context_.window_calls->size());
  context_.window_calls->push_back(std::move(call));
  return bound;
}

ExprPtr Binder::Bind(const ast::Expression& e) {
  switch (e.kind) {
    case EKind::kLiteral: return MakeConstant(e.value, e.at);
    case EKind::kName: return Name(e);
    case EKind::kStar: throw SqlError(e.at, "* stands alone in a select list or in COUNT(*)");
    case EKind::kCall: return Call(e);
    case EKind::kUnary:
      if (e.text == "NOT") return MakeNot(Boolean(*e.arguments[0], "NOT"));
      if (e.text == "+") return Bind(*e.arguments[0]);
      return MakeCall("NEGATE", {Bind(*e.arguments[0])}, e.at);
    case EKind::kBinary: return Binary(e);
    case EKind::kIs: {
      ExprPtr result;
      if (e.text == "DISTINCT") {
        result = MakeCall("IS DISTINCT FROM", {Bind(*e.arguments[0]), Bind(*e.arguments[1])}, e.at);
      } else if (e.text == "NULL" || e.text == "UNKNOWN") {
        result = MakeCall("IS NULL", {Bind(*e.arguments[0])}, e.at);
      } else {
        result = MakeCall("IS " + e.text, {Bind(*e.arguments[0])}, e.at);
      }
      return e.negated ? MakeNot(result) : result;
    }
    case EKind::kLike: {
      std::vector<ExprPtr> arguments;
      for (const auto& a : e.arguments) arguments.push_back(Bind(*a));
      ExprPtr like = MakeCall(e.text == "LIKE" ? "LIKE" : "SIMILAR TO", std::move(arguments), e.at);
      return e.negated ? MakeNot(like) : like;
    }
    case EKind::kBetween: {
      ExprPtr x = Bind(*e.arguments[0]), low = Bind(*e.arguments[1]), high = Bind(*e.arguments[2]);
      ExprPtr in = MakeAnd(MakeCall(">=", {x, low}, e.at), MakeCall("<=", {x, high}, e.at));
      if (e.symmetric) {
        in = MakeOr(in, MakeAnd(MakeCall(">=", {x, high}, e.at), MakeCall("<=", {x, low}, e.at)));
      }
      return e.negated ? MakeNot(in) : in;
    }
    case EKind::kIn: return In(e);
    case EKind::kCase: return Case(e);
    case EKind::kCast: {
      ExprPtr from = Bind(*e.arguments[0]);
      if (!CanCast(from->type, e.type)) {
        throw SqlError(e.at, "cannot cast " + TypeName(from->type) + " to " + TypeName(e.type));
      }
      return MakeCast(from, e.type, e.at);
    }
    case EKind::kInterval: {
      const ast::Expression& difference = *e.arguments[0];
      ExprPtr bound;
      if (difference.kind == EKind::kBinary && difference.text == "-") {
        bound = MakeCall("DIFFERENCE OF TIMES",
                         {Bind(*difference.arguments[0]), Bind(*difference.arguments[1])}, e.at);
      } else {
        bound = Bind(difference);
        if (bound->type.kind != Kind::kInterval) {
          throw SqlError(e.at, "an interval qualifier follows the difference of two times");
        }
      }
      auto copy = std::make_shared<Expr>(*bound);
      copy->type = e.type;
      return copy;
    }
    case EKind::kPeriod: return Period(e);
    case EKind::kRow: throw SqlError(e.at, "a row of values cannot stand here");
    case EKind::kExists:
    case EKind::kSubquery:
      throw SqlError(e.at, "a query inside an expression is not supported; join with it instead",
                     base::Code::kNotSupported);
    case EKind::kCursor:
      throw SqlError(e.at, "CURSOR is an argument of table functions: TABLE(f(CURSOR(SELECT ...)))");
  }
  throw SqlError(e.at, "unknown expression");
}

// --- FROM --------------------------------------------------------------------------------------

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
  // Nothing like it: perhaps an input or a table that is configured later. Callers tell by the code.
  std::string remedy = DidYouMean(name.text, names);
  throw SqlError(name.at, "no stream or table " + name.text + remedy,
                 remedy.empty() ? base::Code::kNotFound : base::Code::kInvalidArgument);
}

JoinSide Binder::SideOf(const ast::TableReference& table, const Plan& plan, ast::JoinKind kind) {
  JoinSide side;
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
  if (spec.lower.kind == ast::FrameBound::Kind::kOffset) {
    if (rows) {
      side.size = ConstantInteger(*spec.lower.offset, "the number of rows", 0, 10'000'000);
    } else {
      ExprPtr interval = Bind(*spec.lower.offset);
      if (interval->type.kind != Kind::kInterval || !IsConstant(*interval)) {
        throw SqlError(spec.at, "RANGE goes over an interval: RANGE INTERVAL '1' MINUTE PRECEDING");
      }
      side.size = EvaluateConstant(interval).i;
      if (side.size < 0) throw SqlError(spec.at, "a window cannot be negative");
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
  if (!join->streaming) {
    throw SqlError(table.at, "a join of two reference tables is not supported",
                   base::Code::kNotSupported);
  }
  join->sides[0] = SideOf(*table.left, *left.plan, table.join);
  join->sides[1] = SideOf(*table.right, *right.plan, table.join);
  for (const PlanColumn& c : left.plan->columns) join->columns.push_back({c.name, c.type, false, nullptr});
  for (const PlanColumn& c : right.plan->columns) join->columns.push_back({c.name, c.type, false, nullptr});
  join->columns.push_back({"LEFT ROWTIME", MakeType(Kind::kTimestamp), false, nullptr});
  join->columns.push_back({"RIGHT ROWTIME", MakeType(Kind::kTimestamp), false, nullptr});
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

Binder::From Binder::TableFunction(const ast::TableReference& table) {
  const ast::Expression& call = *table.function;
  auto plan = std::make_unique<Plan>();
  plan->kind = Plan::Kind::kTableFunction;
  plan->at = call.at;
  plan->name = call.text;
  static const std::vector<std::string> kNames = {
      "RANDOM_CUT_FOREST", "RANDOM_CUT_FOREST_WITH_EXPLANATION", "TOP_K_ITEMS_TUMBLING",
      "COUNT_DISTINCT_ITEMS_TUMBLING"};
  if (std::find(kNames.begin(), kNames.end(), call.text) == kNames.end()) {
    if (call.text == "HOTSPOTS" || call.text == "GROUP_RANK") {
      throw SqlError(call.at, call.text + " is not supported yet", base::Code::kNotSupported);
    }
    throw SqlError(call.at, "no table function " + call.text + DidYouMean(call.text, kNames));
  }
  if (call.arguments.empty() || call.arguments[0]->kind != EKind::kCursor) {
    throw SqlError(call.at, "the first argument of " + call.text +
                                " is a query: CURSOR(SELECT STREAM * FROM s)");
  }
  std::unique_ptr<Plan> input = Query(*call.arguments[0]->query);
  if (!input->streaming) throw SqlError(call.at, call.text + " needs a stream");
  for (std::size_t i = 1; i < call.arguments.size(); ++i) {
    ExprPtr argument = Expression(*call.arguments[i], nullptr);
    if (!IsConstant(*argument)) {
      throw SqlError(argument->at, "arguments behind the cursor must be constant");
    }
    plan->arguments.push_back(EvaluateConstant(argument));
  }
  std::size_t given = plan->arguments.size();
  auto number = [&](std::size_t i, const char* what, int64_t fallback, int64_t min, int64_t max) {
    if (i >= given) {
      plan->arguments.push_back(Value::Int(MakeType(Kind::kBigint), fallback));
      return;
    }
    Value& v = plan->arguments[i];
    if (v.null || !IsInteger(v.type.kind) || v.i < min || v.i > max) {
      throw SqlError(call.arguments[i + 1]->at, std::string(what) + " of " + call.text +
                                                    " is a whole number from " +
                                                    std::to_string(min) + " to " +
                                                    std::to_string(max));
    }
  };
  auto column = [&](std::size_t i) {
    std::vector<std::string> names;
    if (i < given && IsCharacter(plan->arguments[i].type.kind)) {
      for (std::size_t c = 0; c < input->columns.size(); ++c) {
        const std::string& name = input->columns[c].name;
        names.push_back(name);
        if (name == plan->arguments[i].s || name == UpperCase(plan->arguments[i].s)) {
          return static_cast<int>(c);
        }
      }
      throw SqlError(call.arguments[i + 1]->at, "no column " + plan->arguments[i].s +
                                                    DidYouMean(plan->arguments[i].s, names));
    }
    throw SqlError(call.at, call.text + " needs the name of a column in single quotes");
  };
  if (call.text == "TOP_K_ITEMS_TUMBLING") {
    plan->time_column = column(0);
    if (given < 3) throw SqlError(call.at, "write TOP_K_ITEMS_TUMBLING(CURSOR(...), 'column', k, seconds)");
    number(1, "k", 0, 1, 100000);
    number(2, "the window in seconds", 0, 1, 3600);
    plan->columns = {{"ITEM", Varchar(1024), false, nullptr},
                     {"ITEM_COUNT", MakeType(Kind::kBigint), false, nullptr}};
  } else if (call.text == "COUNT_DISTINCT_ITEMS_TUMBLING") {
    plan->time_column = column(0);
    if (given < 2) {
      throw SqlError(call.at, "write COUNT_DISTINCT_ITEMS_TUMBLING(CURSOR(...), 'column', seconds)");
    }
    number(1, "the window in seconds", 0, 1, 3600);
    plan->columns = {{"NUMBER_OF_DISTINCT_ITEMS", MakeType(Kind::kBigint), false, nullptr}};
  } else {
    number(0, "numberOfTrees", 100, 1, 1000);
    number(1, "subSampleSize", 256, 10, 1000);
    number(2, "timeDecay", 100000, 1, INT32_MAX);
    number(3, "shingleSize", 1, 1, 30);
    for (const PlanColumn& c : input->columns) {
      plan->columns.push_back({c.name, c.type, false, nullptr});
    }
    int numeric = 0;
    for (const PlanColumn& c : input->columns) {
      numeric += IsNumeric(c.type.kind) && c.type.kind != Kind::kDecimal;
    }
    if (numeric == 0) {
      throw SqlError(call.at, call.text + " needs at least one numeric column (DECIMAL does not "
                                          "count); cast to DOUBLE");
    }
    if (numeric > 30) throw SqlError(call.at, call.text + " takes at most 30 numeric columns");
    plan->columns.push_back({"ANOMALY_SCORE", MakeType(Kind::kDouble), false, nullptr});
    if (call.text == "RANDOM_CUT_FOREST_WITH_EXPLANATION") {
      plan->columns.push_back({"ANOMALY_EXPLANATION", Varchar(20480), false, nullptr});
    }
  }
  plan->inputs.push_back(std::move(input));
  return Wrap(std::move(plan), table, "");
}

// --- Queries -----------------------------------------------------------------------------------

std::unique_ptr<Plan> Binder::Values(const ast::Query& query) {
  auto plan = std::make_unique<Plan>();
  plan->kind = Plan::Kind::kValues;
  plan->at = query.at;
  plan->streaming = false;
  std::size_t width = query.rows[0].size();
  std::vector<std::vector<ExprPtr>> columns(width);
  for (const auto& row : query.rows) {
    if (row.size() != width) {
      throw SqlError(row[0]->at, "all rows of VALUES have as many values as the first: " +
                                     std::to_string(width));
    }
    for (std::size_t i = 0; i < width; ++i) columns[i].push_back(Expression(*row[i], nullptr));
  }
  plan->rows.resize(query.rows.size());
  for (std::size_t i = 0; i < width; ++i) {
    Type type = Unify(columns[i], 0, query.at, "put into one column");
    plan->columns.push_back({"EXPR$" + std::to_string(i), type, false, nullptr});
    for (std::size_t r = 0; r < query.rows.size(); ++r) {
      plan->rows[r].push_back(EvaluateConstant(columns[i][r]));
    }
  }
  return plan;
}

std::unique_ptr<Plan> CastColumns(std::unique_ptr<Plan> input, const std::vector<Type>& types) {
  bool same = true;
  auto plan = std::make_unique<Plan>();
  plan->kind = Plan::Kind::kProject;
  plan->at = input->at;
  plan->streaming = input->streaming;
  for (std::size_t i = 0; i < types.size(); ++i) {
    ExprPtr column = MakeColumn(static_cast<int>(i), input->columns[i].type);
    ExprPtr cast = MakeCast(column, types[i], input->at);
    same &= cast == column;
    plan->columns.push_back({input->columns[i].name, types[i], false, nullptr});
    plan->expressions.push_back(cast);
  }
  if (same) return input;
  plan->inputs.push_back(std::move(input));
  return plan;
}

std::unique_ptr<Plan> Binder::SetOperation(const ast::Query& query) {
  auto left = Query(*query.left), right = Query(*query.right);
  if (left->streaming != right->streaming) {
    throw SqlError(query.at, query.operation + " of a stream and a relation is not possible");
  }
  if (query.operation != "UNION" || !query.all) {
    throw SqlError(query.at, (query.operation == "UNION" ? std::string("UNION of streams removes "
                              "duplicates for ever; write UNION ALL")
                              : query.operation + " of streams is not supported; only UNION ALL is"),
                   base::Code::kNotSupported);
  }
  if (left->columns.size() != right->columns.size()) {
    throw SqlError(query.at, "UNION ALL needs as many columns on both sides: " +
                                 std::to_string(left->columns.size()) + " and " +
                                 std::to_string(right->columns.size()));
  }
  std::vector<Type> types;
  for (std::size_t i = 0; i < left->columns.size(); ++i) {
    Type type = CommonType(left->columns[i].type, right->columns[i].type);
    if (type.kind == Kind::kNull) {
      throw SqlError(query.at, "column " + left->columns[i].name + " is " +
                                   TypeName(left->columns[i].type) + " on the left and " +
                                   TypeName(right->columns[i].type) + " on the right");
    }
    types.push_back(type);
  }
  auto plan = std::make_unique<Plan>();
  plan->kind = Plan::Kind::kUnion;
  plan->at = query.at;
  plan->streaming = left->streaming;
  for (std::size_t i = 0; i < types.size(); ++i) {
    plan->columns.push_back({left->columns[i].name, types[i], false, nullptr});
  }
  plan->inputs.push_back(CastColumns(std::move(left), types));
  plan->inputs.push_back(CastColumns(std::move(right), types));
  return plan;
}

std::unique_ptr<Plan> Binder::Query(const ast::Query& query) {
  if (++depth_ > 100) throw SqlError(query.at, "queries nest more than 100 deep");
  std::size_t common = common_.size();
  for (const ast::CommonTable& table : query.with) common_.push_back(&table);
  std::unique_ptr<Plan> plan;
  Context saved = context_;
  context_ = Context{};
  switch (query.kind) {
    case ast::Query::Kind::kSelect: plan = Select(query); break;
    case ast::Query::Kind::kValues: plan = Values(query); break;
    case ast::Query::Kind::kSetOperation: {
      plan = SetOperation(query);
      if (!query.order_by.empty()) {
        auto sort = std::make_unique<Plan>();
        sort->kind = Plan::Kind::kSort;
        sort->at = query.at;
        sort->columns = plan->columns;
        sort->visible = static_cast<int>(plan->columns.size());
        const ast::Expression& lead = *query.order_by[0].expression;
        Scope scope;
        Relation relation;
        for (std::size_t i = 0; i < plan->columns.size(); ++i) {
          relation.entries.push_back(
              {plan->columns[i].name, MakeColumn(static_cast<int>(i), plan->columns[i].type), false});
        }
        relation.rowtime = MakeRowtime();
        scope.relations.push_back(relation);
        sort->order_function = AsRowtimeFunction(Expression(lead, &scope), plan->columns);
        if (!sort->order_function) {
          throw SqlError(lead.at, "the first item of ORDER BY must follow ROWTIME, e.g. ROWTIME or "
                                  "FLOOR(ROWTIME TO SECOND)");
        }
        for (std::size_t i = 1; i < query.order_by.size(); ++i) {
          ExprPtr e = Expression(*query.order_by[i].expression, &scope);
          if (e->op != Expr::Op::kColumn) {
            throw SqlError(e->at, "behind UNION ALL, ORDER BY takes names of columns");
          }
          sort->order.push_back({e->index, query.order_by[i].descending,
                                 query.order_by[i].nulls_first.value_or(!query.order_by[i].descending)});
        }
        sort->inputs.push_back(std::move(plan));
        plan = std::move(sort);
      }
      break;
    }
  }
  context_ = saved;
  common_.resize(common);
  --depth_;
  return plan;
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
      auto project = std::make_unique<Plan>();
      project->kind = Plan::Kind::kProject;
      project->at = query.where->at;
      project->columns = plan->columns;
      project->streaming = streaming;
      project->filter = filter;
      for (std::size_t i = 0; i < plan->columns.size(); ++i) {
        project->expressions.push_back(MakeColumn(static_cast<int>(i), plan->columns[i].type));
      }
      project->inputs.push_back(std::move(plan));
      plan = std::move(project);
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
      if (!own) rowtime = bound;
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
    context_.aggregates = nullptr;
    context_.windows = nullptr;
    const auto& sources = query.stagger ? query.stagger->partition_by : query.group_by;
    for (const auto& source : sources) {
      ExprPtr key = Bind(*source);
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
      } else if (monotonic && !query.stagger) {
        group->time_keys.push_back(static_cast<int>(group->keys.size()));
      }
      group->keys.push_back(key);
      group->columns.push_back(column);
    }
    if (query.stagger) {
      ExprPtr range = Bind(*query.stagger->range);
      if (range->type.kind != Kind::kInterval || !IsConstant(*range)) {
        throw SqlError(query.stagger->at, "STAGGER needs RANGE INTERVAL 'n' unit");
      }
      group->stagger_ms = EvaluateConstant(range).i;
      if (group->stagger_ms <= 0) throw SqlError(query.stagger->at, "the range must be positive");
    } else if (streaming && group->time_keys.empty()) {
      throw SqlError(query.group_by.empty() ? query.at : query.group_by[0]->at,
                     "aggregating a stream needs at least one item in GROUP BY that follows ROWTIME, "
                     "or it would never end; add e.g. STEP(" +
                         (from.scope.relations[0].alias.empty() ? std::string()
                                                                : from.scope.relations[0].alias + ".") +
                         "ROWTIME BY INTERVAL '60' SECOND)");
    } else if (!streaming) {
      throw SqlError(query.at, "grouping a reference table is not supported",
                     base::Code::kNotSupported);
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
    if (having) {
      auto filter = std::make_unique<Plan>();
      filter->kind = Plan::Kind::kProject;
      filter->at = having->at;
      filter->columns = plan->columns;
      filter->filter = having;
      for (std::size_t i = 0; i < plan->columns.size(); ++i) {
        filter->expressions.push_back(MakeColumn(static_cast<int>(i), plan->columns[i].type));
      }
      filter->inputs.push_back(std::move(plan));
      plan = std::move(filter);
    }
  }

  // Window functions: one node for sliding windows, one for rankings.
  if (!window_calls.empty()) {
    std::vector<int> place(window_calls.size());
    for (bool ranks : {false, true}) {
      auto node = std::make_unique<Plan>();
      node->kind = ranks ? Plan::Kind::kRank : Plan::Kind::kWindow;
      node->at = query.at;
      node->columns = plan->columns;
      node->windows = windows;
      for (std::size_t i = 0; i < window_calls.size(); ++i) {
        const AggregateCall& call = window_calls[i];
        if (!windows[static_cast<std::size_t>(call.window)].order_by.empty() != ranks) continue;
        place[i] = static_cast<int>(node->columns.size());
        node->columns.push_back({call.name, call.type, false, nullptr});
        node->calls.push_back(call);
      }
      if (node->calls.empty()) continue;
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
  std::unique_ptr<Plan> sort;
  if (!order.empty()) {
    sort = std::make_unique<Plan>();
    sort->at = query.order_by[0].expression->at;
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
  if (sort) {
    sort->columns = visible;
    sort->inputs.push_back(std::move(plan));
    plan = std::move(sort);
  }
  if (query.limit) {
    auto limit = std::make_unique<Plan>();
    limit->kind = Plan::Kind::kLimit;
    limit->at = query.at;
    limit->columns = plan->columns;
    limit->streaming = plan->streaming;
    context_ = Context{};
    limit->limit = ConstantInteger(*query.limit, "LIMIT", 0, INT64_MAX);
    limit->inputs.push_back(std::move(plan));
    plan = std::move(limit);
  }
  return plan;
}

}  // namespace

std::unique_ptr<Plan> BindQuery(const Catalog& catalog, const ast::Query& query) {
  return Binder(catalog).Query(query);
}

Value BindConstant(const Catalog& catalog, const ast::Expression& expression) {
  ExprPtr e = Binder(catalog).Expression(expression, nullptr);
  if (!IsConstant(*e)) throw SqlError(expression.at, "a constant must stand here");
  return EvaluateConstant(e);
}

void BindFunction(const Catalog& catalog, const FunctionInfo& function) {
  std::vector<ExprPtr> arguments;
  for (std::size_t i = 0; i < function.parameters.size(); ++i) {
    arguments.push_back(MakeColumn(static_cast<int>(i), function.parameters[i].second));
  }
  Binder(catalog).Function(function, std::move(arguments), function.body->at);
}

std::unique_ptr<Plan> BindInsert(const Catalog& catalog, const ast::Insert& insert,
                                 const StreamInfo& target) {
  std::unique_ptr<Plan> query = BindQuery(catalog, *insert.query);
  std::size_t visible = target.columns.size() - target.pseudo.size();
  std::vector<int> places;  // target column of each query column
  if (insert.columns.empty()) {
    for (std::size_t i = 0; i < visible; ++i) places.push_back(static_cast<int>(i));
  } else {
    std::vector<std::string> names;
    for (const PlanColumn& c : target.columns) names.push_back(c.name);
    for (const ast::Name& name : insert.columns) {
      auto it = std::find(names.begin(), names.end(), name.text);
      if (it == names.end()) {
        throw SqlError(name.at, "column " + name.text + " does not exist in " + target.name +
                                    DidYouMean(name.text, names));
      }
      int place = static_cast<int>(it - names.begin());
      if (std::find(places.begin(), places.end(), place) != places.end()) {
        throw SqlError(name.at, "column " + name.text + " is named twice");
      }
      places.push_back(place);
    }
  }
  if (query->columns.size() != places.size()) {
    throw SqlError(insert.query->at, "the query gives " + std::to_string(query->columns.size()) +
                                         " columns, " + target.name + " takes " +
                                         std::to_string(places.size()));
  }
  auto plan = std::make_unique<Plan>();
  plan->kind = Plan::Kind::kProject;
  plan->at = insert.query->at;
  plan->streaming = query->streaming;
  plan->expressions.resize(visible);
  for (std::size_t i = 0; i < visible; ++i) {
    const PlanColumn& to = target.columns[i];
    plan->columns.push_back({to.name, to.type, to.not_null, nullptr});
    plan->expressions[i] = MakeCast(MakeConstant(Value::Null(), plan->at), to.type, plan->at);
  }
  for (std::size_t q = 0; q < places.size(); ++q) {
    std::size_t i = static_cast<std::size_t>(places[q]);
    const PlanColumn &to = target.columns[i], &column = query->columns[q];
    if (!CanAssign(column.type, to.type)) {
      throw SqlError(insert.query->at, "column " + std::to_string(q + 1) + " (" + column.name +
                                           ") is " + TypeName(column.type) + " but " + target.name +
                                           "." + to.name + " is " + TypeName(to.type) +
                                           "; write CAST(... AS " + TypeName(to.type) + ")");
    }
    plan->expressions[i] =
        MakeCast(MakeColumn(static_cast<int>(q), column.type), to.type, plan->at, true);
  }
  plan->inputs.push_back(std::move(query));
  return plan;
}

std::string ExplainPlan(const Plan& plan, int indent) {
  static constexpr const char* kNames[] = {
      "stream", "table", "values", "project", "aggregate", "stagger", "sliding window", "rank",
      "join",   "sort",  "sort within", "union all", "distinct", "table function", "limit"};
  std::string out(static_cast<std::size_t>(indent) * 2, ' ');
  out += kNames[static_cast<int>(plan.kind)];
  std::vector<std::string> names;
  if (!plan.inputs.empty()) {
    for (const auto& input : plan.inputs) {
      for (const PlanColumn& c : input->columns) names.push_back(c.name);
    }
  }
  auto list = [&](const std::vector<ExprPtr>& expressions) {
    std::string text;
    for (const ExprPtr& e : expressions) text += (text.empty() ? "" : ", ") + ExprText(*e, &names);
    return text;
  };
  if (!plan.name.empty()) out += " " + plan.name;
  if (!plan.keys.empty()) out += " by [" + list(plan.keys) + "]";
  for (int k : plan.time_keys) {
    out += " closing on " + ExprText(*plan.keys[static_cast<std::size_t>(k)], &names);
  }
  for (const AggregateCall& call : plan.calls) {
    out += " " + call.name + "(" + (call.argument ? ExprText(*call.argument, &names) : "*") + ")";
  }
  if (plan.filter) out += " where " + ExprText(*plan.filter, &names);
  if (plan.kind == Plan::Kind::kProject) out += " [" + list(plan.expressions) + "]";
  if (plan.rowtime) out += " rowtime " + ExprText(*plan.rowtime, &names);
  for (const auto& [a, b] : plan.equal) {
    out += " on key " + ExprText(*a, &names);
    (void)b;
  }
  if (plan.order_function) out += " by " + ExprText(*plan.order_function, &names);
  if (plan.stagger_ms > 0) out += " for " + std::to_string(plan.stagger_ms) + " ms";
  out += "\n";
  for (const auto& input : plan.inputs) out += ExplainPlan(*input, indent + 1);
  return out;
}

}  // namespace millstream::sql
