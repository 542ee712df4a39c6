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

}  // namespace millstream::sql::internal
