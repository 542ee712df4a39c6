#include "sql/binder_impl.h"


namespace millstream::sql::internal {

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
  const std::string& operation = query.operation;
  const bool streaming = left->streaming;
  if (streaming != right->streaming) {
    throw SqlError(query.at, operation + " of a stream and a relation is not possible");
  }
  if (operation != "UNION" && query.all) {
    throw SqlError(query.at, operation + " ALL does not exist; write " + operation);
  }
  if (streaming && !query.all) {
    throw SqlError(query.at,
                   operation == "UNION"
                       ? std::string("UNION of streams would remember all rows for ever to remove "
                                     "duplicates; write UNION ALL")
                       : operation + " of streams is not supported; UNION ALL is, and " +
                             operation + " of reference tables",
                   base::Code::kNotSupported);
  }
  if (left->columns.size() != right->columns.size()) {
    throw SqlError(query.at, operation + (query.all ? " ALL" : "") +
                                 " needs as many columns on both sides: " +
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
  plan->kind = operation == "EXCEPT"      ? Plan::Kind::kExcept
               : operation == "INTERSECT" ? Plan::Kind::kIntersect
                                          : Plan::Kind::kUnion;
  plan->at = query.at;
  plan->streaming = streaming;
  for (std::size_t i = 0; i < types.size(); ++i) {
    plan->columns.push_back({left->columns[i].name, types[i], false, nullptr});
  }
  plan->inputs.push_back(CastColumns(std::move(left), types));
  plan->inputs.push_back(CastColumns(std::move(right), types));
  if (operation == "UNION" && !query.all) plan = DistinctRows(std::move(plan));
  return plan;
}

std::unique_ptr<Plan> FilterRows(std::unique_ptr<Plan> rows, ExprPtr condition, Position at) {
  auto filter = std::make_unique<Plan>();
  filter->kind = Plan::Kind::kProject;
  filter->at = at;
  filter->columns = rows->columns;
  filter->streaming = rows->streaming;
  filter->filter = std::move(condition);
  for (std::size_t i = 0; i < rows->columns.size(); ++i) {
    filter->expressions.push_back(MakeColumn(static_cast<int>(i), rows->columns[i].type));
  }
  filter->inputs.push_back(std::move(rows));
  return filter;
}

std::unique_ptr<Plan> DistinctRows(std::unique_ptr<Plan> relation) {
  auto distinct = std::make_unique<Plan>();
  distinct->kind = Plan::Kind::kDistinct;
  distinct->at = relation->at;
  distinct->streaming = false;
  distinct->columns = relation->columns;
  distinct->visible = static_cast<int>(relation->columns.size());
  distinct->inputs.push_back(std::move(relation));
  return distinct;
}

// ORDER BY behind VALUES or a set operator: over the columns of its result.
std::unique_ptr<Plan> Binder::OrderRows(const ast::Query& query, std::unique_ptr<Plan> plan) {
  if (query.within) {
    throw SqlError(query.within->at,
                   "WITHIN stands in a SELECT of its own: SELECT STREAM ts AS "
                   "ROWTIME, ... FROM (... UNION ALL ...) ORDER BY ts WITHIN ...");
  }
  auto sort = std::make_unique<Plan>();
  sort->kind = Plan::Kind::kSort;
  sort->at = query.at;
  sort->streaming = plan->streaming;
  sort->columns = plan->columns;
  sort->visible = static_cast<int>(plan->columns.size());
  Scope scope;
  Relation relation;
  for (std::size_t i = 0; i < plan->columns.size(); ++i) {
    relation.entries.push_back(
        {plan->columns[i].name, MakeColumn(static_cast<int>(i), plan->columns[i].type), false});
  }
  if (plan->streaming) relation.rowtime = MakeRowtime();
  scope.relations.push_back(relation);
  std::size_t first = 0;
  if (plan->streaming) {
    const ast::Expression& lead = *query.order_by[0].expression;
    sort->order_function = AsRowtimeFunction(Expression(lead, &scope), plan->columns);
    if (!sort->order_function || query.order_by[0].descending) {
      throw SqlError(lead.at,
                     "the first item of ORDER BY must follow ROWTIME, e.g. ROWTIME or "
                     "FLOOR(ROWTIME TO SECOND)");
    }
    first = 1;
  }
  for (std::size_t i = first; i < query.order_by.size(); ++i) {
    const ast::OrderItem& item = query.order_by[i];
    ExprPtr e = Expression(*item.expression, &scope);
    int column = e->op == Expr::Op::kColumn ? e->index : -1;
    if (item.expression->kind == EKind::kLiteral && IsInteger(e->type.kind) && !e->value.null) {
      if (e->value.i < 1 || e->value.i > static_cast<int64_t>(plan->columns.size())) {
        throw SqlError(e->at, "ORDER BY " + std::to_string(e->value.i) + ": there are " +
                                  std::to_string(plan->columns.size()) + " columns");
      }
      column = static_cast<int>(e->value.i) - 1;
    }
    if (column < 0) {
      throw SqlError(item.expression->at,
                     "behind " + (query.operation.empty() ? "VALUES" : query.operation) +
                         ", ORDER BY takes names of columns and their positions");
    }
    sort->order.push_back({column, item.descending, item.nulls_first.value_or(!item.descending)});
  }
  sort->inputs.push_back(std::move(plan));
  return sort;
}

std::unique_ptr<Plan> Binder::Limit(const ast::Query& query, std::unique_ptr<Plan> plan) {
  auto limit = std::make_unique<Plan>();
  limit->kind = Plan::Kind::kLimit;
  limit->at = query.at;
  limit->columns = plan->columns;
  limit->streaming = plan->streaming;
  context_ = Context{};
  limit->limit = ConstantInteger(*query.limit, "LIMIT", 0, INT64_MAX);
  limit->inputs.push_back(std::move(plan));
  return limit;
}

std::unique_ptr<Plan> Binder::Query(const ast::Query& query) {
  if (++queries_ > 1000) {
    throw SqlError(query.at,
                   "more than 1000 queries in one, those of its views and of WITH included");
  }
  if (++depth_ > 100) throw SqlError(query.at, "queries nest more than 100 deep");
  std::size_t common = common_.size();
  for (const ast::CommonTable& table : query.with) common_.push_back(&table);
  std::unique_ptr<Plan> plan;
  Context saved = context_;
  context_ = Context{};
  switch (query.kind) {
    case ast::Query::Kind::kSelect: plan = Select(query); break;
    case ast::Query::Kind::kValues: plan = Values(query); break;
    case ast::Query::Kind::kSetOperation:
      plan = SetOperation(query);
      break;
  }
  if (query.kind != ast::Query::Kind::kSelect && !query.order_by.empty()) {
    plan = OrderRows(query, std::move(plan));
  }
  if (query.limit) plan = Limit(query, std::move(plan));
  context_ = saved;
  common_.resize(common);
  --depth_;
  return plan;
}

}  // namespace millstream::sql::internal
