#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sql/batch.h"
#include "sql/type.h"

namespace millstream::sql {

struct Plan;

// A query over reference tables inside an expression: x IN (SELECT ...), EXISTS (SELECT ...), a scalar
// (SELECT ...). Its rows, by the values that it compares with the row outside: first those of
// conditions like t.k = s.k, then those of IN. Part of a plan, filled by the application before rows
// come and again when the table is replaced; expressions only read it.
struct TableLookup {
  enum class Kind { kIn, kExists, kValue } kind = Kind::kIn;
  std::shared_ptr<const Plan> plan;  // gives: correlated values, compared values, the value
  int correlated = 0;
  int compared = 0;
  Value absent;  // of kValue: when there are no rows. 0 for a COUNT, else NULL.

  struct Group {             // rows of equal correlated values
    bool null_seen = false;  // a NULL among the compared values
    bool several = false;    // of a scalar query: more than one row
    Value value;
  };
  std::unordered_map<std::string, Group> groups;
  std::unordered_set<std::string> members;  // correlated and compared values

  // Replaces the rows: packed as AppendRow packs the plan's columns.
  void Fill(const std::vector<std::string>& rows);
};

}  // namespace millstream::sql
