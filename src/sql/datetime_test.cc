#include "sql/datetime.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace millstream::sql {
namespace {

TEST(Datetime, WritesTimestampsAsJdbcDoes) {
  EXPECT_EQ(FormatTimestamp(0), "1970-01-01 00:00:00.0");
  EXPECT_EQ(FormatTimestamp(-1), "1969-12-31 23:59:59.999");
  EXPECT_EQ(FormatTimestamp(120), "1970-01-01 00:00:00.12");
  EXPECT_EQ(FormatTimestamp(1'767'225'600'000), "2026-01-01 00:00:00.0");
  EXPECT_EQ(FormatTime(86'399'000), "23:59:59");
  EXPECT_EQ(FormatTime(86'399'010), "23:59:59.010");
  EXPECT_EQ(FormatDate(-1), "1969-12-31");
}

TEST(Datetime, OutputsHaveThreeDigitsOfASecond) {
  std::string text = "at ";
  AppendTimestamp(1'767'225'600'010, text);
  EXPECT_EQ(text, "at 2026-01-01 00:00:00.010");
}

TEST(Datetime, AnyTimestampIsWrittenByItsParts) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    // Years of up to nine digits, before and after 0.
    const int64_t ms = static_cast<int64_t>(random()) >> (random() % 40);
    const int64_t days = FloorDiv(ms, kMsPerDay), rest = FloorMod(ms, kMsPerDay);
    const Civil c = CivilFromDays(days);
    std::string text;
    AppendTimestamp(ms, text);
    ASSERT_EQ(text, fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}", c.year, c.month, c.day,
                                rest / 3'600'000, rest / 60'000 % 60, rest / 1000 % 60, rest % 1000));
    if (c.year >= 0 && c.year <= 9999) {
      EXPECT_EQ(ParseTimestamp(text), ms);
      EXPECT_EQ(ParseTimestamp(FormatTimestamp(ms)), ms);
    }
  }
}

}  // namespace
}  // namespace millstream::sql
