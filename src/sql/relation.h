#pragma once

#include <map>
#include <string>
#include <vector>

#include "sql/operator.h"

namespace millstream::sql {

// The rows of reference tables, by name; of the columns' types.
using TableMap = std::map<std::string, std::vector<std::vector<Value>>>;

// Computes the rows of a query over relations: reference tables, VALUES, and what joins, GROUP BY,
// DISTINCT, ORDER BY and set operators make of them. A relation has no time, so the operators that
// streams run through see all its rows at ROWTIME 0, then the end.
//
// Read() throws SqlError: kNotSupported for what only streams have, kResourceExhausted when an
// operator holds or gives more than `bytes_max`. A row that fails is reported to `runtime` and left
// out.
class RelationReader {
 public:
  using Rows = std::vector<std::string>;  // packed as AppendRow packs the plan's columns

  RelationReader(const TableMap& tables, Runtime& runtime, std::string pump, std::size_t bytes_max)
      : tables_(tables), runtime_(runtime), pump_(std::move(pump)), bytes_max_(bytes_max) {}

  Rows Read(const Plan& plan);

 private:
  Rows Pack(const Plan& plan, const std::vector<std::vector<Value>>& rows);
  // What `op` makes of the rows of the plan's inputs, a port each.
  Rows Run(const Plan& plan, Operator& op, const std::vector<Rows>& inputs);
  Rows AggregateOfNothing(const Plan& plan);
  Rows ExceptOrIntersect(const Plan& plan, const std::vector<Rows>& inputs);
  void CheckSize(const Plan& plan, std::size_t bytes) const;

  const TableMap& tables_;
  Runtime& runtime_;
  const std::string pump_;
  const std::size_t bytes_max_;
};

// Whether the rows of a relation depend on that reference table, also through queries inside its
// expressions.
bool ReadsTable(const Plan& plan, const std::string& table);

}  // namespace millstream::sql
