#pragma once

#include <string>
#include <vector>

#include "sql/batch.h"
#include "sql/plan.h"

namespace millstream::sql {

// One row as an output record: {"NAME":value,...}, names as the stream has them. Numbers are JSON
// numbers, times texts like "2026-01-31 23:59:59.000", binaries base64, NULL is null.
void AppendJsonRow(const std::vector<PlanColumn>& columns, const Batch& rows, int row,
                   std::string& out);
// The same values separated by `delimiter`, without a row delimiter; NULL is empty. A value that
// holds the delimiter, a quote or a line end stands in double quotes.
void AppendCsvRow(const std::vector<PlanColumn>& columns, const Batch& rows, int row,
                  std::string_view delimiter, std::string& out);

}  // namespace millstream::sql
