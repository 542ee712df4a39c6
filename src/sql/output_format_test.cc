#include "sql/output_format.h"

#include <gtest/gtest.h>

#include <charconv>
#include <random>

namespace millstream::sql {
namespace {

std::string Json(const std::vector<PlanColumn>& columns, const Batch& batch, int row) {
  std::string a, b;
  AppendJsonRow(columns, batch, row, a);
  JsonRowWriter(columns).Append(batch, row, b);
  EXPECT_EQ(a, b);
  return a;
}

TEST(OutputFormatTest, ValuesAsJson) {
  std::vector<PlanColumn> columns = {{"A", MakeType(Kind::kInteger), false, nullptr},
                                     {"b\"c", Varchar(16), false, nullptr},
                                     {"T", MakeType(Kind::kTimestamp), false, nullptr}};
  RowBuffer buffer({Physical::kInt, Physical::kString, Physical::kInt});
  buffer.column(0).ints()[0] = -7;
  buffer.column(1).strings()[0] = "x\n\"\xc3\xa9";
  buffer.column(2).ints()[0] = 1;
  buffer.Commit(0);
  buffer.column(0).SetNull(1);
  buffer.column(1).strings()[1] = "";
  buffer.column(2).SetNull(1);
  buffer.Commit(0);
  EXPECT_EQ(Json(columns, buffer.view(), 0),
            "{\"A\":-7,\"b\\\"c\":\"x\\n\\\"\xc3\xa9\",\"T\":\"1970-01-01 00:00:00.001\"}");
  EXPECT_EQ(Json(columns, buffer.view(), 1), R"({"A":null,"b\"c":"","T":null})");
}

std::string JsonOf(double d) {
  std::vector<PlanColumn> columns = {{"D", MakeType(Kind::kDouble), false, nullptr}};
  RowBuffer buffer({Physical::kDouble});
  buffer.column(0).doubles()[0] = d;
  buffer.Commit(0);
  std::string text = Json(columns, buffer.view(), 0);
  return text.substr(5, text.size() - 6);
}

TEST(OutputFormatTest, DoublesAreShort) {
  EXPECT_EQ(JsonOf(20), "20");
  EXPECT_EQ(JsonOf(100000), "100000");
  EXPECT_EQ(JsonOf(-0.05), "-0.05");
  EXPECT_EQ(JsonOf(10.5), "10.5");
  EXPECT_EQ(JsonOf(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(JsonOf(1e300), "1e+300");
  EXPECT_EQ(JsonOf(0), "0");
  EXPECT_EQ(JsonOf(-0.0), "-0");
  EXPECT_EQ(JsonOf(__builtin_nan("")), "null");
}

TEST(OutputFormatTest, DoublesReadBackTheSame) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 50'000; ++i) {
    double d =
        i % 3 == 0 ? static_cast<double>(static_cast<int64_t>(random() >> 12) - (1LL << 51)) / 100
        : i % 3 == 1
            ? static_cast<double>(random() % 1000000) / 1000
            : std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 200) - 100);
    std::string text = JsonOf(d);
    double back = 0;
    std::from_chars(text.data(), text.data() + text.size(), back);
    ASSERT_EQ(back, d) << text;
    char shortest[40];
    auto end = std::to_chars(shortest, shortest + sizeof shortest, d, std::chars_format::fixed);
    if (text.find('e') == std::string::npos) {
      ASSERT_EQ(text, std::string(shortest, end.ptr));
    }
  }
}

}  // namespace
}  // namespace millstream::sql
