#pragma once

#include <cstdint>
#include <vector>

#include "sql/plan.h"
#include "sql/row_log.h"

namespace millstream::sql {

// The order of two rows of a log by some of its columns: negative, 0, positive. NaN is behind all
// other numbers, so that the order is one.
int CompareRows(const RowLog& rows, uint64_t a, uint64_t b, const std::vector<OrderKey>& keys);

// The numbers of all rows, in that order; equal ones as they came.
std::vector<uint64_t> SortedRows(const RowLog& rows, const std::vector<OrderKey>& keys);

}  // namespace millstream::sql
