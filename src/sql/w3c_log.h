#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sql/log_columns.h"
#include "sql/row_value.h"

namespace millstream::sql {

// The format of W3C_LOG_PARSE: COMMON, COMMON WITH VHOST, NCSA EXTENDED, REFERER, AGENT, IIS, or
// Apache's specifiers (%h, %>s, %!200,304{Referer}i, names in [] or {}). Columns are COLUMN1 to
// COLUMNn, one per specifier; counts, ports and statuses are numbers in which - is NULL, all else
// is text as it stands in the log. Immutable.
class W3cLogFormat {
 public:
  // Throws RowError when a specifier is unknown or two stand side by side.
  explicit W3cLogFormat(std::string_view format);

  const std::vector<LogColumn>& columns() const { return columns_; }
  // False when the line does not have this form.
  bool Parse(std::string_view line, RowValueBuilder& row) const;

 private:
  std::vector<LogColumn> columns_;
  std::vector<char> letters_;
  std::vector<std::string> before_;  // what stands in front of each field
  std::string behind_;               // and behind the last
};

}  // namespace millstream::sql
