#include "sql/constant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millstream::sql {
namespace {

using testing::HasSubstr;

TEST(ConstantTest, ValuesAreShownAsLiterals) {
  EXPECT_EQ(*EvaluateText("1 + 2"), "3");
  EXPECT_EQ(*EvaluateText("'it''s' || '!'"), "'it''s!'");
  EXPECT_EQ(*EvaluateText("NULLIF(1, 1)"), "NULL");
  EXPECT_EQ(*EvaluateText("TIMESTAMP '2026-01-01 00:00:00'"), "2026-01-01 00:00:00.0");
}

TEST(ConstantTest, MistakesHaveAPlace) {
  EXPECT_THAT(EvaluateText("1 +").error().message(), HasSubstr("line 1, column"));
  EXPECT_THAT(EvaluateText("x").error().message(), HasSubstr("X"));
  EXPECT_FALSE(EvaluateText("1 / 0"));
  EXPECT_EQ(ReadType("VARCHAR(x)").error().code(), base::Code::kInvalidArgument);
}

TEST(ConstantTest, ColumnsMapToMembersOfTheirWrittenNames) {
  auto columns =
      ReadColumns("ticker VARCHAR(4), \"a.b\" DECIMAL(5,2),\n \"Price\" DOUBLE NOT NULL");
  ASSERT_TRUE(columns) << columns.error().message();
  ASSERT_EQ(columns->size(), 3u);
  EXPECT_EQ((*columns)[0].name, "TICKER");
  EXPECT_EQ((*columns)[0].mapping, "$.ticker");
  EXPECT_EQ((*columns)[1].type, "DECIMAL(5,2)");
  EXPECT_EQ((*columns)[1].mapping, "$['a.b']");
  EXPECT_EQ((*columns)[2].name, "Price");
  EXPECT_FALSE(ReadColumns("ticker"));
  EXPECT_EQ(ReadColumns("a TEXT").error().message().substr(0, 10), "column 3: ");
  EXPECT_FALSE(ReadColumns("a INTEGER); CREATE STREAM T (b INTEGER"));
  EXPECT_FALSE(ReadColumns(""));
}

}  // namespace
}  // namespace millstream::sql
