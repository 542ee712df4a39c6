#include "sql/window_values.h"

#include <gtest/gtest.h>

#include <random>

namespace millstream::sql {
namespace {

TEST(OrderedNumbersTest, HoldsWhatASortedVectorHolds) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    OrderedNumbers numbers;
    std::vector<double> sorted;
    const uint64_t kinds = seed % 2 == 0 ? 50 : 100'000;
    for (int i = 0; i < 20'000; ++i) {
      const bool shrinks = i > 12'000 ? random() % 4 != 0 : random() % 4 == 0;
      if (!sorted.empty() && shrinks) {
        const std::size_t at = random() % sorted.size();
        numbers.Erase(sorted[at]);
        sorted.erase(sorted.begin() + static_cast<std::ptrdiff_t>(at));
      } else {
        double x = static_cast<double>(random() % kinds) - 20;
        if (random() % 100 == 0) x = std::nan("");
        numbers.Insert(x);
        sorted.insert(std::upper_bound(sorted.begin(), sorted.end(), x, LessNumber), x);
      }
      ASSERT_EQ(numbers.size(), sorted.size());
      if (sorted.empty()) continue;
      const std::size_t at = random() % sorted.size();
      if (std::isnan(sorted[at])) {
        ASSERT_TRUE(std::isnan(numbers.At(at)));
      } else {
        ASSERT_EQ(numbers.At(at), sorted[at]);
      }
    }
  }
}

TEST(OrderedNumbersTest, Percentiles) {
  OrderedNumbers numbers;
  for (double x : {4.0, 1.0, 3.0, 2.0}) numbers.Insert(x);
  EXPECT_EQ(numbers.Percentile(0.5, false, false), 2);
  EXPECT_EQ(numbers.Percentile(0.5, true, false), 3);
  EXPECT_EQ(numbers.Percentile(0.5, false, true), 2.5);
  EXPECT_EQ(numbers.Percentile(0, false, false), 1);
  EXPECT_EQ(numbers.Percentile(1, false, true), 4);
}

}  // namespace
}  // namespace millstream::sql
