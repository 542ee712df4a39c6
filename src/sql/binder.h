#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sql/plan.h"
#include "sql/table_lookup.h"

namespace millstream::sql {

struct FunctionInfo {
  std::vector<std::pair<std::string, Type>> parameters;
  Type returns;
  bool null_on_null_input = false;
  std::shared_ptr<ast::Expression> body;
};

// The names an application's statements may use.
struct Catalog {
  std::map<std::string, StreamInfo> streams;
  std::map<std::string, TableInfo> tables;
  std::map<std::string, std::pair<std::vector<std::string>, std::shared_ptr<ast::Query>>> views;
  std::multimap<std::string, FunctionInfo> functions;
  // Every query over tables that stands inside a bound expression; the application fills them.
  mutable std::vector<std::shared_ptr<TableLookup>> lookups = {};
};

// A pump's query with every name and type resolved, its columns cast to those of the target.
// Throws SqlError.
std::unique_ptr<Plan> BindInsert(const Catalog& catalog, const ast::Insert& insert,
                                 const StreamInfo& target);
// A query alone.
std::unique_ptr<Plan> BindQuery(const Catalog& catalog, const ast::Query& query);
// An expression without columns, such as a watermark's delay.
Value BindConstant(const Catalog& catalog, const ast::Expression& expression);
// Checks a function's body against its types.
void BindFunction(const Catalog& catalog, const FunctionInfo& function);

}  // namespace millstream::sql
