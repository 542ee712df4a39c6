#include <algorithm>

#include "sql/binder_impl.h"
#include "sql/cast.h"
#include "sql/lexer.h"

namespace millstream::sql::internal {

namespace {

// How an expression moves when ROWTIME goes up: the rules that the documentation lists under
// "Monotonic Expressions and Operators".
enum class Direction { kNone, kConstant, kUp, kDown };

Direction Reverse(Direction d) {
  return d == Direction::kUp ? Direction::kDown : d == Direction::kDown ? Direction::kUp : d;
}
Direction Together(Direction a, Direction b) {
  if (a == Direction::kConstant) return b;
  if (b == Direction::kConstant || a == b) return a;
  return Direction::kNone;
}
// Of a constant: -1, 0 or 1; 2 when it is NULL or fails.
int SignOf(const ExprPtr& e) {
  try {
    Value v = EvaluateConstant(e);
    if (v.null) return 2;
    double d = PhysicalOf(v.type.kind) == Physical::kDouble ? v.d : static_cast<double>(v.i);
    return d < 0 ? -1 : d > 0;
  } catch (const SqlError&) {
    return 2;
  }
}

Direction DirectionOf(const Expr& e) {
  if (IsConstant(e)) return Direction::kConstant;
  if (e.op == Expr::Op::kRowtime) return Direction::kUp;
  if (e.op == Expr::Op::kCast) {
    // Numbers as texts are in another order; dates and times are not.
    const Type& from = e.arguments[0]->type;
    bool text = IsCharacter(e.type.kind);
    if (text && !(from.kind == Kind::kTimestamp || from.kind == Kind::kDate || IsCharacter(from.kind))) {
      return Direction::kNone;
    }
    if (!text && IsCharacter(from.kind)) return Direction::kNone;
    if (e.type.kind == Kind::kTime || e.type.kind == Kind::kBoolean) return Direction::kNone;
    return DirectionOf(*e.arguments[0]);
  }
  if (e.op != Expr::Op::kCall) return Direction::kNone;
  std::string_view name = e.function->name;
  const auto& arguments = e.arguments;
  Direction first = DirectionOf(*arguments[0]);
  Direction second = arguments.size() > 1 ? DirectionOf(*arguments[1]) : Direction::kConstant;
  if (name == "NEGATE") return Reverse(first);
  if (name == "+") return Together(first, second);
  if (name == "-" || name == "DIFFERENCE OF TIMES") return Together(first, Reverse(second));
  if (name == "*" || name == "/") {
    bool right = second == Direction::kConstant;
    if (!right && (name == "/" || first != Direction::kConstant)) return Direction::kNone;
    int sign = SignOf(arguments[right ? 1 : 0]);
    if (sign == 2) return Direction::kNone;
    if (sign == 0) return Direction::kConstant;
    return sign > 0 ? (right ? first : second) : Reverse(right ? first : second);
  }
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    if (!IsConstant(*arguments[i])) return Direction::kNone;
  }
  if (name == "EXTRACT") {
    bool year = arguments[1]->value.i == static_cast<int64_t>(TimeUnit::kYear);
    return year ? first : Direction::kNone;
  }
  if (name == "SUBSTRING" || name == "SUBSTRING_FROM") {  // a beginning of the text
    bool number = IsNumeric(arguments[1]->type.kind);
    return number && SignOf(MakeCall("-", {arguments[1], IntConstant(1, e.at)}, e.at)) <= 0
               ? first
               : Direction::kNone;
  }
  return e.function->monotone == Function::Monotone::kNo ? Direction::kNone : first;
}

// Not constant either: ROWTIME * 0 closes nothing.
bool Monotone(const Expr& e) {
  Direction d = DirectionOf(e);
  return d == Direction::kUp || d == Direction::kDown;
}

}  // namespace

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

// What a name stands for, at the place where it is written.
static ExprPtr PlacedAt(const ExprPtr& e, Position at) {
  auto copy = std::make_shared<Expr>(*e);
  copy->at = at;
  return copy;
}

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

// Whether a scope can say what a name means.
static bool Knows(const Scope& scope, const ast::Expression& e) {
  const std::string& name = e.path.back().text;
  for (const Relation& relation : scope.relations) {
    if (e.path.size() > 1) {
      if (relation.alias == e.path[e.path.size() - 2].text) return true;
      continue;
    }
    for (const Entry& entry : relation.entries) {
      if (entry.name == name) return true;
    }
  }
  return false;
}

ExprPtr Binder::Name(const ast::Expression& e) {
  const ast::Name& last = e.path.back();
  if (context_.parameters != nullptr && e.path.size() == 1) {
    auto it = context_.parameters->find(last.text);
    if (it != context_.parameters->end()) return it->second;
  }
  if (context_.scope == nullptr) {
    if (context_.parameters != nullptr && e.path.size() == 1) {
      std::vector<std::string> names;
      for (const auto& [name, value] : *context_.parameters) names.push_back(name);
      throw SqlError(e.at,
                     last.text + " is no parameter of the function" + DidYouMean(last.text, names));
    }
    throw SqlError(e.at, "a column (" + last.text + ") cannot stand here");
  }
  const Scope* inner = context_.scope;
  if (inner->outer != nullptr && !Knows(*inner, e)) {
    context_.scope = inner->outer;
    ExprPtr outside = Name(e);
    context_.scope = inner;
    return RewriteExpr(outside, [](const ExprPtr& x) -> ExprPtr {
      return x->op == Expr::Op::kColumn ? MakeColumn(x->index + kOuter, x->type, x->at) : nullptr;
    });
  }
  std::vector<std::string> names, aliases;
  bool rowtime = last.text == "ROWTIME";
  if (e.path.size() == 1) {
    const auto& relations = context_.scope->relations;
    auto timed = [](const Relation& relation) { return relation.rowtime != nullptr; };
    const bool timeless =
        !relations.empty() && std::none_of(relations.begin(), relations.end(), timed);
    if (rowtime && !timeless) return MakeRowtime(e.at, true);
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
    if (found) return PlacedAt(found, e.at);
    if (rowtime) throw SqlError(e.at, "ROWTIME is of streams; rows of a reference table have none");
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
        if (entry.name == last.text) return PlacedAt(entry.expr, e.at);
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
  std::string remedy = DidYouMean(last.text, names);
  if (remedy.empty() && last.quoted && e.path.size() == 1) {
    remedy = "; texts stand in single quotes: '" + last.text + "'";
  }
  throw SqlError(e.at, message + remedy);
}

// An expression that stands in another more than once counts each time: what walks over it does so.
static void CheckTree(const Expr& e, Position at) {
  static constexpr int kNodesMax = 100'000;
  int left = kNodesMax;
  std::vector<const Expr*> todo = {&e};
  while (!todo.empty()) {
    const Expr& next = *todo.back();
    todo.pop_back();
    if (--left < 0) {
      throw SqlError(at, "the expression is too large: expanded, it has more than " +
                             std::to_string(kNodesMax) + " parts");
    }
    for (const ExprPtr& a : next.arguments) todo.push_back(a.get());
  }
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
    ExprPtr in = Subquery(e);
    return e.negated ? MakeNot(in) : in;
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
    if (strictly) return both(cmp(">", s1, s2), cmp("<", e1, e2));
    return both(cmp("<", s1, e2), cmp("<", s2, e1));
  }
  if (word == "PRECEDES") {
    return cmp(immediately ? "=" : strictly ? "<" : "<=", e1, s2);
  }
  if (word == "SUCCEEDS") {
    return cmp(immediately ? "=" : strictly ? ">" : ">=", s1, e2);
  }
  // The periods overlap; the left one begins first and does not end last.
  if (word == "LEADS") {
    ExprPtr begins = cmp("<", s1, s2);
    if (immediately) return both(begins, cmp("=", e1, e2));
    return both(begins, both(cmp("<", s2, e1), cmp(strictly ? "<" : "<=", e1, e2)));
  }
  // LAGS: the left one ends last and does not begin first.
  ExprPtr ends = cmp(">", e1, e2);
  if (immediately) return both(cmp("=", s1, s2), ends);
  return both(cmp(strictly ? ">" : ">=", s1, s2), both(cmp("<", s1, e2), ends));
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
  CheckTree(*body, at);
  if (!function.null_on_null_input || !any_null) return body;
  auto guarded = std::make_shared<Expr>();
  guarded->op = Expr::Op::kCase;
  guarded->type = function.returns;
  guarded->at = at;
  guarded->arguments = {any_null, MakeCast(MakeConstant(Value::Null(), at), function.returns, at),
                        body};
  return guarded;
}

// Names that people bring from other systems, and what to write.
void Binder::NoFunction(const ast::Expression& e) {
  static constexpr std::pair<std::string_view, std::string_view> kRemedies[] = {
      {"SUBSTR", "did you mean SUBSTRING?"},
      {"LEFT", "write SUBSTRING(s FROM 1 FOR n)"},
      {"RIGHT", "write SUBSTRING(s FROM CHAR_LENGTH(s) - n + 1)"},
      {"LENGTH", "write CHAR_LENGTH(...)"},
      {"LEN", "write CHAR_LENGTH(...)"},
      {"CONCAT", "write a || b"},
      {"LTRIM", "write TRIM(LEADING FROM s)"},
      {"RTRIM", "write TRIM(TRAILING FROM s)"},
      {"INSTR", "write POSITION(part IN s)"},
      {"STRPOS", "write POSITION(part IN s)"},
      {"CHARINDEX", "write POSITION(part IN s)"},
      {"REGEXP_REPLACE", "write REGEX_REPLACE(s, pattern, replacement, 1, 0)"},
      {"REGEXP_LIKE", "write SUBSTRING(s FROM 'pattern') IS NOT NULL"},
      {"REGEXP_EXTRACT", "write SUBSTRING(s FROM 'pattern')"},
      {"NOW", "write CURRENT_ROW_TIMESTAMP or ROWTIME"},
      {"GETDATE", "write CURRENT_ROW_TIMESTAMP or ROWTIME"},
      {"SYSDATE", "write CURRENT_ROW_TIMESTAMP or ROWTIME"},
      {"YEAR", "write EXTRACT(YEAR FROM t)"},
      {"MONTH", "write EXTRACT(MONTH FROM t)"},
      {"DAY", "write EXTRACT(DAY FROM t)"},
      {"HOUR", "write EXTRACT(HOUR FROM t)"},
      {"MINUTE", "write EXTRACT(MINUTE FROM t)"},
      {"SECOND", "write EXTRACT(SECOND FROM t)"},
      {"DATE_PART", "write EXTRACT(HOUR FROM t)"},
      {"DATE_TRUNC", "write FLOOR(t TO MINUTE), or STEP(t BY INTERVAL '5' MINUTE)"},
      {"DATEDIFF", "write TSDIFF(a, b), which gives milliseconds, or (a - b) DAY"},
      {"TIMESTAMPDIFF", "write TSDIFF(a, b), which gives milliseconds, or (a - b) DAY"},
      {"DATEADD", "write t + INTERVAL '1' DAY"},
      {"DATE_ADD", "write t + INTERVAL '1' DAY"},
      {"TIMESTAMPADD", "write t + INTERVAL '1' DAY"},
      {"TO_CHAR", "write TIMESTAMP_TO_CHAR('yyyy-MM-dd', t), or CAST(x AS VARCHAR(20))"},
      {"DATE_FORMAT", "write TIMESTAMP_TO_CHAR('yyyy-MM-dd', t)"},
      {"TO_DATE", "write CHAR_TO_DATE('yyyy-MM-dd', s)"},
      {"STR_TO_DATE", "write CHAR_TO_DATE('yyyy-MM-dd', s)"},
      {"FROM_UNIXTIME", "write TO_TIMESTAMP(...), which takes milliseconds"},
      {"IF", "write CASE WHEN condition THEN a ELSE b END"},
      {"IIF", "write CASE WHEN condition THEN a ELSE b END"},
      {"DECODE", "write CASE x WHEN a THEN b ELSE c END"},
      {"ISNULL", "write x IS NULL, or COALESCE(x, y)"},
      {"POW", "write POWER(x, y)"},
      {"LOG", "write LN(x) or LOG10(x)"},
      {"TRUNC", "write TRUNCATE(x), or FLOOR(t TO DAY)"},
      {"MEDIAN", "write PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY x)"},
      {"PERCENTILE", "write PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY x)"},
      {"STDEV", "write STDDEV_SAMP(x)"},
      {"VARIANCE", "write VAR_SAMP(x)"},
      {"STRING_AGG", "write LISTAGG(x, ',')"},
      {"GROUP_CONCAT", "write LISTAGG(x, ',')"},
      {"ARRAY_AGG", "write LISTAGG(x, ',')"},
      {"COUNT_DISTINCT", "write COUNT(DISTINCT x)"},
      {"APPROX_DISTINCT", "write APPROX_COUNT_DISTINCT(x)"},
      {"BOOL_AND", "write EVERY(x)"},
      {"BOOL_OR", "write ANY(x)"},
      {"JSON_EXTRACT", "write JSON_VALUE(s, '$.a') or JSON_QUERY(s, '$.a')"},
      {"GET_JSON_OBJECT", "write JSON_VALUE(s, '$.a') or JSON_QUERY(s, '$.a')"},
      {"NTILE", "ranking functions are ROW_NUMBER, RANK and DENSE_RANK"},
      {"PERCENT_RANK", "ranking functions are ROW_NUMBER, RANK and DENSE_RANK"},
      {"CUME_DIST", "ranking functions are ROW_NUMBER, RANK and DENSE_RANK"},
      {"ROLLUP", "write one GROUP BY per level, joined by UNION ALL"},
      {"CUBE", "write one GROUP BY per level, joined by UNION ALL"}};
  std::string message = "no function " + e.text;
  for (const auto& [name, remedy] : kRemedies) {
    if (e.text == name) throw SqlError(e.at, message + "; " + std::string(remedy));
  }
  std::vector<std::string> names = FunctionNames();
  for (const auto& [name, f] : catalog_.functions) names.push_back(name);
  for (std::string& name : AggregateNames()) names.push_back(std::move(name));
  throw SqlError(e.at, message + DidYouMean(e.text, names));
}

ExprPtr Binder::Call(const ast::Expression& e) {
  const AggregateName* aggregate = FindAggregate(e.text, e.over != nullptr);
  if (e.over) {
    if (aggregate == nullptr) {
      if (FindFunction(e.text) == nullptr) NoFunction(e);
      throw SqlError(e.at, e.text + " cannot be used with OVER");
    }
    return WindowCall(e, *aggregate);
  }
  if (aggregate != nullptr) return Aggregate(e, *aggregate);
  if (NeedsWindow(e.text)) {
    throw SqlError(e.at, e.text + " needs a window: " + e.text + "(...) OVER (ROWS 10 PRECEDING)");
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
  if (FindFunction(e.text) == nullptr) NoFunction(e);
  return MakeCall(e.text, std::move(arguments), e.at);
}

ExprPtr Binder::Bind(const ast::Expression& e) {
  static constexpr int kBoundMax = 200'000;
  if (++bound_ > kBoundMax) {
    throw SqlError(e.at,
                   "the query is too large: its functions, views and lists expand to more than " +
                       std::to_string(kBoundMax) + " expressions");
  }
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
        std::string is = "IS " + e.text;
        result = MakeCall(is, {Boolean(*e.arguments[0], is.c_str())}, e.at);
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
      CheckTree(*in, e.at);
      return e.negated ? MakeNot(in) : in;
    }
    case EKind::kIn: return In(e);
    case EKind::kCase: return Case(e);
    case EKind::kCast: {
      ExprPtr from = Bind(*e.arguments[0]);
      if (!CanCast(from->type, e.type)) {
        throw SqlError(e.at, "cannot cast " + TypeName(from->type) + " to " + TypeName(e.type) +
                                 ConversionRemedy(from->type, e.type));
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
      if (e.type.from == TimeUnit::kYear || e.type.from == TimeUnit::kMonth) {
        throw SqlError(e.at,
                       "differences in years and months are not supported; write (a - b) DAY, or "
                       "compare EXTRACT(YEAR FROM a) and EXTRACT(YEAR FROM b)");
      }
      auto copy = std::make_shared<Expr>(*bound);
      copy->type = e.type;
      return copy;
    }
    case EKind::kPeriod: return Period(e);
    case EKind::kRow: throw SqlError(e.at, "a row of values cannot stand here");
    case EKind::kExists: {
      ExprPtr exists = Subquery(e);
      return e.negated ? MakeNot(exists) : exists;
    }
    case EKind::kSubquery: return Subquery(e);
    case EKind::kTable:
    case EKind::kDescriptor:
    case EKind::kCursor:
      throw SqlError(e.at, "CURSOR is an argument of table functions: TABLE(f(CURSOR(SELECT ...)))");
  }
  throw SqlError(e.at, "unknown expression");
}

}  // namespace millstream::sql::internal
