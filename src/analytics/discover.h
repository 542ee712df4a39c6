#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/input_schema.h"

namespace millstream::analytics {

inline constexpr std::size_t kDiscoverRecordsMax = 1000;  // more are not looked at

struct DiscoverOptions {
  // Types with room for what the sample did not show: BIGINT, DOUBLE, VARCHAR(65535) instead of the
  // smallest that hold it (TINYINT, DECIMAL(5,2), VARCHAR(4)), which is what AWS proposes.
  bool wide = false;
};

struct DiscoveredSchema {
  sql::InputSchema schema;
  bool has_header = false;  // CSV: the first line named the columns
  // Every row of the sample as texts of the columns; nothing where a value is missing or does not
  // fit its column's type. A header line is a row like any other, as AWS shows it.
  std::vector<std::vector<std::optional<std::string>>> rows;
};

// Infers how records map to columns: JSON (objects, also several in a record or in an array;
// nested members two levels deep; other structures as text) or CSV. Names that SQL reserves or
// cannot write are changed to COL_<name>. kInvalidArgument when no format fits.
base::Result<DiscoveredSchema> DiscoverSchema(std::span<const std::string_view> records,
                                              DiscoverOptions options = {});

// The column's name for a member or header of that name: "USER" becomes "COL_USER", "a-b" "COL_ab",
// "@@" at place 0 "COL_0".
std::string DiscoveredColumnName(std::string_view name, std::size_t place);

}  // namespace millstream::analytics
