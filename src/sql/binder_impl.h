#pragma once

// Inside of the binder: one class, its parts in binder_expression.cc, binder_aggregate.cc,
// binder_from.cc, binder_table_function.cc, binder_query.cc and binder_select.cc.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sql/binder.h"
#include "sql/function_tables.h"

namespace millstream::sql::internal {

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
  // Of a query inside an expression: what stands around it. Its columns count from kOuter.
  const Scope* outer = nullptr;
};
inline constexpr int kOuter = 1 << 20;

struct AggregateName {
  std::string_view name;
  AKind kind;
};
// What an aggregate function is called; `window` adds those that need OVER. Null: none.
const AggregateName* FindAggregate(std::string_view name, bool window);
bool NeedsWindow(std::string_view name);
std::vector<std::string> AggregateNames();

// `e` as a function of ROWTIME alone, or null.
ExprPtr AsRowtimeFunction(const ExprPtr& e, const std::vector<PlanColumn>& columns);

// The rows that meet a condition, as they are.
std::unique_ptr<Plan> FilterRows(std::unique_ptr<Plan> rows, ExprPtr condition, Position at);
// A relation without its repeated rows.
std::unique_ptr<Plan> DistinctRows(std::unique_ptr<Plan> relation);

void SplitAnd(const ExprPtr& e, std::vector<ExprPtr>& out);
// Either may be null.
ExprPtr MakeAnd(ExprPtr a, ExprPtr b);
ExprPtr MakeOr(ExprPtr a, ExprPtr b);
ExprPtr MakeNot(ExprPtr a);
ExprPtr IntConstant(int64_t v, Position at);

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
    bool inside_aggregate = false, inside_window = false;
  };

  std::unique_ptr<Plan> Select(const ast::Query& query);
  void GroupWindows(const ast::Query& query, Plan& group, std::unique_ptr<Plan>& input);
  std::unique_ptr<Plan> SetOperation(const ast::Query& query);
  std::unique_ptr<Plan> OrderRows(const ast::Query& query, std::unique_ptr<Plan> plan);
  std::unique_ptr<Plan> Limit(const ast::Query& query, std::unique_ptr<Plan> plan);
  std::unique_ptr<Plan> Values(const ast::Query& query);
  From BindFrom(const ast::TableReference& table);
  From Join(const ast::TableReference& table);
  From TableFunction(const ast::TableReference& table);
  From Windowing(const ast::TableReference& table);
  From Wrap(std::unique_ptr<Plan> plan, const ast::TableReference& table, std::string alias);
  // `following`: how long a row of the other side waits for rows of this one; -1: it does not.
  JoinSide SideOf(const ast::TableReference& table, const Plan& plan, ast::JoinKind kind,
                  int64_t& following);
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
  ExprPtr Subquery(const ast::Expression& e);
  ExprPtr Period(const ast::Expression& e);
  ExprPtr Call(const ast::Expression& e);
  [[noreturn]] void NoFunction(const ast::Expression& e);
  ExprPtr GroupKey(const ast::Expression& e, const ast::Query& query);
  ExprPtr Aggregate(const ast::Expression& e, const AggregateName& name);
  ExprPtr WindowCall(const ast::Expression& e, const AggregateName& name);
  AggregateCall MakeAggregate(const ast::Expression& e, const AggregateName& name);
  int WindowIndex(const ast::Expression& e, bool ranking, bool lead);
  int64_t LeadWait(const ast::WindowSpecification& framed);
  int64_t ConstantInteger(const ast::Expression& e, const char* what, int64_t min, int64_t max);

  const Catalog& catalog_;
  Context context_;
  std::vector<const ast::CommonTable*> common_;
  int depth_ = 0;
  // What functions, views and lists expand to: a text of a few lines may double over and over.
  int bound_ = 0, queries_ = 0;
};

}  // namespace millstream::sql::internal
