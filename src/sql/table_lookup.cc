#include "sql/table_lookup.h"

#include "sql/operator.h"
#include "sql/plan.h"

namespace millstream::sql {

void TableLookup::Fill(const std::vector<std::string>& rows) {
  groups.clear();
  members.clear();
  RowBuffer one(PhysicalColumns(plan->columns));
  int columns = static_cast<int>(plan->columns.size());
  for (const std::string& bytes : rows) {
    one.Clear();
    ReadRow(bytes, one, 0, 0, columns);
    std::string key;
    bool null = false;  // equals nothing outside
    for (int c = 0; c < correlated; ++c) {
      null |= one.column(c).valid()[0] == 0;
      AppendKey(one.column(c), 0, key);
    }
    if (null) continue;
    auto [it, fresh] = groups.try_emplace(key);
    Group& group = it->second;
    if (kind == Kind::kValue) {
      group.several = !fresh;
      if (fresh) group.value = one.column(correlated).GetValue(0, plan->columns.back().type);
    }
    for (int c = correlated; c < correlated + compared; ++c) {
      null |= one.column(c).valid()[0] == 0;
      AppendKey(one.column(c), 0, key);
    }
    if (null) {
      group.null_seen = true;
    } else if (compared > 0) {
      members.insert(std::move(key));
    }
  }
}

}  // namespace millstream::sql
