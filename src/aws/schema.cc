#include "aws/schema.h"

#include <algorithm>

namespace millstream::aws {
namespace {

// The entry of `items` called `name`, found by its sorted index.
template <typename Item>
const Item* FindByName(std::span<const Item> items, std::span<const uint16_t> by_name,
                       std::string_view name) {
  auto at = std::lower_bound(
      by_name.begin(), by_name.end(), name,
      [&](uint16_t index, std::string_view wanted) { return items[index].name < wanted; });
  if (at == by_name.end() || items[*at].name != name) return nullptr;
  return &items[*at];
}

}  // namespace

const MemberSchema* ShapeSchema::Find(std::string_view member_name) const {
  return FindByName(members, by_name, member_name);
}

const OperationSchema* ServiceSchema::Find(std::string_view operation) const {
  return FindByName(operations, operations_by_name, operation);
}

}  // namespace millstream::aws
