#include "sql/window_sum.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace millstream::sql {
namespace {

TEST(DoubleSumTest, WhatHasLeftLeavesNothingBehind) {
  DoubleSum sum{0, 0};
  sum.Add(0.1);
  sum.Add(1e17);
  sum.Add(3e-9);
  sum.Add(-1e17);
  EXPECT_DOUBLE_EQ(sum.Result(), 0.1 + 3e-9);
}

TEST(DoubleSumTest, DoesNotDriftOverMillionsOfRows) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> exponent(-12, 12);
  std::deque<double> window;
  DoubleSum sum{0, 0};
  for (int i = 0; i < 2'000'000; ++i) {
    double x = std::pow(10.0, exponent(random)) * (i % 2 == 0 ? 1 : -1);
    window.push_back(x);
    sum.Add(x);
    if (window.size() > 20) {
      sum.Add(-window.front());
      window.pop_front();
    }
    if (i % 100'000 != 99'999) continue;
    long double exact = 0, magnitude = 0;
    for (double y : window) exact += y, magnitude += std::fabs(y);
    EXPECT_NEAR(sum.Result(), static_cast<double>(exact), static_cast<double>(magnitude) * 1e-15)
        << i;
  }
}

TEST(ExtremeSumTest, InfinitiesAndGiantsLeaveAsTheyCame) {
  const double infinity = std::numeric_limits<double>::infinity();
  ExtremeSum sum;
  sum.Add(1.7e308, 1);
  sum.Add(1.7e308, 1);
  EXPECT_EQ(sum.Result(5), infinity);  // no DOUBLE is as large
  sum.Add(1.7e308, -1);
  EXPECT_DOUBLE_EQ(sum.Result(5), 1.7e308);
  sum.Add(infinity, 1);
  EXPECT_EQ(sum.Result(5), infinity);
  sum.Add(-infinity, 1);
  EXPECT_TRUE(std::isnan(sum.Result(5)));
  sum.Add(infinity, -1);
  EXPECT_EQ(sum.Result(5), -infinity);
  sum.Add(-infinity, -1);
  sum.Add(std::nan(""), 1);
  EXPECT_TRUE(std::isnan(sum.Result(5)));
  sum.Add(std::nan(""), -1);
  sum.Add(1.7e308, -1);
  EXPECT_EQ(sum.values, 0);
  EXPECT_DOUBLE_EQ(sum.Result(5), 5);
}

TEST(MomentsTest, VarianceIsGoodAfterAnOutlierHasLeft) {
  Moments m{0, {0, 0}, {0, 0}};
  auto add = [&m](double x, int sign) {
    m.count += sign;
    m.Add(x, sign);
  };
  for (double x : {1000.1, 1000.2, 1000.3}) add(x, 1);
  add(1e9, 1);
  add(1e9, -1);
  EXPECT_NEAR(m.SquaredDeviations(), 0.02, 1e-10);  // of these very doubles
  add(1000.1, -1);
  add(1000.2, -1);
  EXPECT_EQ(m.SquaredDeviations(), 0);
}

}  // namespace
}  // namespace millstream::sql
