#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millstream::sql {

// One step of the path of a column or of the rows in a record: a member, an element, or all
// elements.
struct PathStep {
  enum class Kind { kMember, kElement, kAll } kind = Kind::kMember;
  std::string name;
  std::size_t index = 0;

  bool operator==(const PathStep&) const = default;
};

// "$.name", "$['a name'].b", "$.list[3]", "$.list[0:].name".
base::Result<std::vector<PathStep>> ParseInputPath(std::string_view path);

}  // namespace millstream::sql
