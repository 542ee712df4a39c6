#include "sql/binder.h"

#include <algorithm>

#include "sql/binder_impl.h"
#include "sql/cast.h"
#include "sql/lexer.h"

namespace millstream::sql {

using internal::Binder;

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

namespace {

// A field of a log goes into a column of text as it stands in the log, although W3C_LOG_PARSE gives
// some as numbers: the documented application inserts a status into VARCHAR(16).
void TakeFieldAsText(Plan& query, std::size_t column) {
  if (query.kind != Plan::Kind::kProject) return;
  ExprPtr& e = query.expressions[column];
  if (e->op != Expr::Op::kCast || !IsNumeric(e->type.kind)) return;
  const ExprPtr field = e->arguments[0];
  if (field->op != Expr::Op::kCall || field->function->name != "ROW_FIELD") return;
  e = field;
  query.columns[column].type = field->type;
}

// Where a column of a query is written, if each of its items is one column.
Position PlaceOf(const ast::Query& query, std::size_t column) {
  if (query.kind != ast::Query::Kind::kSelect || column >= query.items.size()) return query.at;
  for (const ast::SelectItem& item : query.items) {
    if (item.expression->kind == ast::Expression::Kind::kStar) return query.at;
  }
  return query.items[column].expression->at;
}

// The columns that INSERT takes. An item AS ROWTIME sets the row's time, and is a column beside
// that only where the target has one for it.
std::vector<std::size_t> InsertedColumns(const ast::Query& query, const Plan& plan,
                                         std::size_t wanted) {
  std::vector<std::size_t> all, without_rowtime;
  for (std::size_t q = 0; q < plan.columns.size(); ++q) {
    all.push_back(q);
    if (plan.columns[q].name != "ROWTIME") without_rowtime.push_back(q);
  }
  bool sets_rowtime = std::any_of(
      query.items.begin(), query.items.end(),
      [](const ast::SelectItem& item) { return item.alias && item.alias->text == "ROWTIME"; });
  return sets_rowtime && all.size() == wanted + 1 && without_rowtime.size() == wanted
             ? without_rowtime
             : all;
}

}  // namespace

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
  std::vector<std::size_t> given = InsertedColumns(*insert.query, *query, places.size());
  if (given.size() != places.size()) {
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
  for (std::size_t place = 0; place < places.size(); ++place) {
    std::size_t i = static_cast<std::size_t>(places[place]), q = given[place];
    const PlanColumn &to = target.columns[i], &column = query->columns[q];
    if (IsCharacter(to.type.kind)) TakeFieldAsText(*query, q);
    if (!CanAssign(column.type, to.type)) {
      throw SqlError(PlaceOf(*insert.query, q),
                     "column " + std::to_string(q + 1) + " (" + column.name + ") is " +
                         TypeName(column.type) + " but " + target.name + "." + to.name + " is " +
                         TypeName(to.type) + ConversionRemedy(column.type, to.type));
    }
    plan->expressions[i] =
        MakeCast(MakeColumn(static_cast<int>(q), column.type), to.type, plan->at);
  }
  plan->inputs.push_back(std::move(query));
  return plan;
}

}  // namespace millstream::sql
