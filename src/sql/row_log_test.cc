#include "sql/row_log.h"

#include <gtest/gtest.h>

#include <random>

namespace millstream::sql {
namespace {

const std::vector<Physical> kColumns = {Physical::kInt, Physical::kString};

void Add(RowBuffer& rows, int64_t value, std::string_view text) {
  const int at = rows.rows();
  rows.column(0).ints()[at] = value;
  if (text.empty()) {
    rows.column(1).SetNull(at);
  } else {
    rows.column(1).valid()[at] = 1;
    rows.column(1).strings()[at] = rows.arena().Copy(text);
  }
  rows.Commit(value * 10);
}

std::string TextOf(int64_t value) {
  if (value % 3 == 0) return "";
  return std::string(static_cast<std::size_t>(value % 40), 'a') + std::to_string(value);
}

// A log against a plain list: batches of any size come, rows go from the front, others are read.
TEST(RowLog, HoldsWhatWasAppended) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  RowLog log(kColumns);
  RowBuffer batch(kColumns), out(kColumns);
  int64_t next = 0, first = 0;
  for (int step = 0; step < 400; ++step) {
    batch.Clear();
    const int rows = static_cast<int>(random() % kBatchRows) + 1;
    for (int i = 0; i < rows; ++i) Add(batch, next + i, TextOf(next + i));
    const int from = static_cast<int>(random() % static_cast<uint64_t>(rows));
    if (from > 0) log.Append(batch.view().columns, batch.rowtime(), 0, from);
    log.Append(batch.view().columns, batch.rowtime(), from, rows);
    next += rows;
    if (random() % 4 == 0) {
      std::string bytes;
      batch.Clear();
      Add(batch, next, TextOf(next));
      AppendRow(batch.view(), 0, bytes);
      log.AppendPacked(bytes, next * 10, 2);
      ++next;
    }
    ASSERT_EQ(log.end(), static_cast<uint64_t>(next));
    std::vector<uint64_t> numbers;
    const bool scattered = random() % 2 == 0;
    for (int64_t n = first; n < next && numbers.size() < kBatchRows;
         n += scattered ? 1 + static_cast<int64_t>(random() % 5) : 1) {
      numbers.push_back(static_cast<uint64_t>(n));
    }
    out.Clear();
    log.Read(numbers.data(), static_cast<int>(numbers.size()), 2, out, 0, 0);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const int at = static_cast<int>(i);
      const auto n = static_cast<int64_t>(numbers[i]);
      ASSERT_EQ(out.column(0).ints()[at], n);
      ASSERT_EQ(log.rowtime(numbers[i]), n * 10);
      ASSERT_EQ(out.column(1).valid()[at] != 0, !TextOf(n).empty());
      if (out.column(1).valid()[at] != 0) {
        ASSERT_EQ(out.column(1).strings()[at], TextOf(n));
      }
    }
    first = std::max(first, next - static_cast<int64_t>(random() % 5000));
    log.DropBefore(static_cast<uint64_t>(first));
    ASSERT_EQ(log.first(), static_cast<uint64_t>(first));
  }
  log.Clear();
  EXPECT_TRUE(log.empty());
  EXPECT_EQ(log.bytes(), 0U);
}

TEST(RowLog, PackedRowsComeBack) {
  RowLog log(kColumns);
  RowBuffer batch(kColumns);
  Add(batch, 7, "seven");
  Add(batch, 8, "");
  log.Append(batch.view().columns, batch.rowtime(), 0, 2);
  for (uint64_t n = 0; n < 2; ++n) {
    std::string before, after;
    AppendRow(batch.view(), static_cast<int>(n), before);
    log.Pack(n, 2, after);
    EXPECT_EQ(before, after);
  }
}

}  // namespace
}  // namespace millstream::sql
