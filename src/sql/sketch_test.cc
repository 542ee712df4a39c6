#include "sql/sketch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace millstream::sql {
namespace {

TEST(DistinctCounterTest, IsExactToItsLimitAndWithinThreeStandardErrorsBeyond) {
  DistinctCounter counter(10'000, 14);
  for (int i = 0; i < 10'000; ++i) {
    counter.Add("item " + std::to_string(i));
    counter.Add("item " + std::to_string(i / 2));
  }
  EXPECT_EQ(counter.Count(), 10'000);
  int next = 10'000;
  for (int n : {10'001, 20'000, 100'000, 1'000'000}) {
    while (next < n) counter.Add("item " + std::to_string(next++));
    EXPECT_NEAR(static_cast<double>(counter.Count()), n, n * 3 * 0.0081) << n;
  }
}

TEST(DistinctCounterTest, MergesAndRestores) {
  DistinctCounter a(100, 12), b(100, 12), both(100, 12);
  for (int i = 0; i < 5000; ++i) {
    (i % 2 == 0 ? a : b).Add(std::to_string(i));
    both.Add(std::to_string(i));
  }
  a.Merge(b);
  EXPECT_EQ(a.Count(), both.Count());
  std::string bytes;
  a.Save(bytes);
  DistinctCounter again(100, 12);
  std::string_view in = bytes;
  ASSERT_TRUE(again.Restore(in));
  EXPECT_TRUE(in.empty());
  EXPECT_EQ(again.Count(), a.Count());
}

// Counts are never too high, and too low by at most 2 N / capacity; what is frequent is found.
TEST(ItemCounterTest, BoundsItsMemoryAndItsError) {
  constexpr std::size_t kCapacity = 1000;
  ItemCounter counter(kCapacity);
  std::mt19937_64 random(7);
  std::unordered_map<std::string, int64_t> truth;
  int64_t rows = 0;
  std::size_t most = 0;
  for (; rows < 200'000; ++rows) {
    // Half of the rows are of ten items, the others of a hundred thousand.
    std::string text = random() % 2 == 0 ? "hot " + std::to_string(random() % 10)
                                         : "cold " + std::to_string(random() % 100'000);
    counter.Add(text);
    ++truth[text];
    most = std::max(most, counter.held_bytes());
  }
  EXPECT_LT(most, (kCapacity + 1) * 160);
  auto top = counter.Top(10);
  ASSERT_EQ(top.size(), 10u);
  for (const auto& item : top) {
    EXPECT_EQ(item.text.substr(0, 3), "hot");
    int64_t exact = truth[std::string(item.text)];
    EXPECT_LE(item.count, exact);
    EXPECT_GE(item.count, exact - 2 * rows / static_cast<int64_t>(kCapacity));
  }
}

TEST(QuantileSketchTest, IsWithinOnePercent) {
  QuantileSketch sketch, half;
  std::mt19937_64 random(11);
  std::lognormal_distribution<double> values(2, 3);
  std::vector<double> all;
  for (int i = 0; i < 20'000; ++i) {
    double x = values(random) * (i % 3 == 0 ? -1 : 1);
    all.push_back(x);
    (i % 2 == 0 ? sketch : half).Add(x);
  }
  sketch.Merge(half);
  std::sort(all.begin(), all.end());
  for (double q : {0.0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0}) {
    double exact = all[static_cast<std::size_t>(q * static_cast<double>(all.size() - 1))];
    EXPECT_NEAR(sketch.Quantile(q), exact, std::fabs(exact) * 0.0101) << q;
  }
}

}  // namespace
}  // namespace millstream::sql
