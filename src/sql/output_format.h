#pragma once

#include <string>
#include <vector>

#include "sql/batch.h"
#include "sql/plan.h"

namespace millstream::sql {

// One row as an output record: {"NAME":value,...}, names as the stream has them. Numbers are JSON
// numbers (the shortest that read back the same), times texts like "2026-01-31 23:59:59.000", binaries base64, NULL is null.
void AppendJsonRow(const std::vector<PlanColumn>& columns, const Batch& rows, int row,
                   std::string& out);
// The same for many rows: names are escaped once.
class JsonRowWriter {
 public:
  explicit JsonRowWriter(const std::vector<PlanColumn>& columns);
  void Append(const Batch& rows, int row, std::string& out) const;

 private:
  struct Column {
    std::string prefix;  // {"NAME": or ,"NAME":
    Type type;
  };
  std::vector<Column> columns_;
};
// The same values separated by `delimiter`, without a row delimiter; NULL is empty. A value that
// holds the delimiter, a quote or a line end stands in double quotes.
void AppendCsvRow(const std::vector<PlanColumn>& columns, const Batch& rows, int row,
                  std::string_view delimiter, std::string& out);

}  // namespace millstream::sql
