#include "sql/row_order.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace millstream::sql {

namespace {

int CompareValues(const Vector& v, int a, const Vector& w, int b, const OrderKey& key) {
  const bool x = v.valid()[a] != 0, y = w.valid()[b] != 0;
  if (!x || !y) {
    if (x == y) return 0;
    return x == key.nulls_first ? 1 : -1;
  }
  int c = 0;
  switch (v.physical()) {
    case Physical::kInt:
      c = v.ints()[a] < w.ints()[b] ? -1 : v.ints()[a] > w.ints()[b];
      break;
    case Physical::kDouble: {
      const double p = v.doubles()[a], q = w.doubles()[b];
      c = p < q   ? -1
          : p > q ? 1
                  : static_cast<int>(std::isnan(p)) - static_cast<int>(std::isnan(q));
      break;
    }
    case Physical::kString:
      c = v.strings()[a].compare(w.strings()[b]);
      break;
  }
  return key.descending ? -c : c;
}

}  // namespace

int CompareRows(const RowLog& rows, uint64_t a, uint64_t b, const std::vector<OrderKey>& keys) {
  for (const OrderKey& key : keys) {
    int c = CompareValues(rows.column(a, key.column), RowLog::RowOf(a), rows.column(b, key.column),
                          RowLog::RowOf(b), key);
    if (c != 0) return c;
  }
  return 0;
}

std::vector<uint64_t> SortedRows(const RowLog& rows, const std::vector<OrderKey>& keys) {
  std::vector<uint64_t> numbers(rows.size());
  std::iota(numbers.begin(), numbers.end(), rows.first());
  std::stable_sort(numbers.begin(), numbers.end(),
                   [&](uint64_t a, uint64_t b) { return CompareRows(rows, a, b, keys) < 0; });
  return numbers;
}

}  // namespace millstream::sql
