#include "sql/window_log.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace millstream::sql {
namespace {

// Against a deque of times; gaps of months among them, which no page spans.
TEST(WindowLogTest, HoldsRowsInOrderWhateverTheirTimes) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    WindowLog log(1, 1);
    std::deque<int64_t> held;
    int64_t time = 1'767'225'600'000;
    for (int round = 0; round < 300; ++round) {
      std::vector<int64_t> times(1 + random() % 1024);
      for (int64_t& t : times) {
        time += static_cast<int64_t>(random() % 1000);
        if (random() % 500 == 0) time += int64_t{86'400'000} * static_cast<int64_t>(random() % 200);
        t = time;
      }
      uint32_t rows = 0;
      for (uint32_t from = 0; from < times.size(); from += rows) {
        rows = static_cast<uint32_t>(times.size()) - from;
        WindowLog::Page& page = log.Room(times.data() + from, rows);
        ASSERT_GT(rows, 0u);
        for (uint32_t i = 0; i < rows; ++i) {
          page.groups[page.rows + i] = 7;
          page.valid(0)[page.rows + i] = 1;
          page.words(0)[page.rows + i] = times[from + i] * 2;
        }
        page.rows += rows;
      }
      held.insert(held.end(), times.begin(), times.end());
      // Some of the oldest leave.
      std::size_t leaving = random() % held.size();
      std::size_t page = 0;
      uint32_t row = log.head();
      for (; leaving > 0; --leaving, held.pop_front()) {
        if (row == log.pages()[page].rows) ++page, row = 0;
        ++row;
      }
      if (row == log.pages()[page].rows) ++page, row = 0;
      log.Drop(page, row);
      std::size_t at = 0;
      row = log.head();
      for (const WindowLog::Page& p : log.pages()) {
        for (; row < p.rows; ++row, ++at) {
          ASSERT_LT(at, held.size());
          ASSERT_EQ(p.time(row), held[at]);
          ASSERT_EQ(p.words(0)[row], held[at] * 2);
        }
        row = 0;
      }
      ASSERT_EQ(at, held.size());
    }
  }
}

}  // namespace
}  // namespace millstream::sql
