#include "codec/json_span.h"

#include <gtest/gtest.h>

namespace millstream::codec {
namespace {

TEST(JsonSpanTest, EndsAtTheClosingBracketOfTheFirstValue) {
  EXPECT_EQ(JsonSpan(R"({"a":1}{"b":2})"), 7u);
  EXPECT_EQ(JsonSpan("[1,[2],3] [4]"), 9u);
  EXPECT_EQ(JsonSpan("{\n \"a\": [\n1]\n}\n"), 14u);
}

TEST(JsonSpanTest, BracketsInTextsDoNotCount) {
  EXPECT_EQ(JsonSpan(R"({"a":"}\"]"} )"), 12u);
  EXPECT_EQ(JsonSpan(R"("{" 1)"), 3u);
}

TEST(JsonSpanTest, ScalarsEndWhereSomethingElseBegins) {
  EXPECT_EQ(JsonSpan("12 13"), 2u);
  EXPECT_EQ(JsonSpan("true,"), 4u);
  EXPECT_EQ(JsonSpan("1]"), 1u);
}

TEST(JsonSpanTest, AnUnfinishedValueHasNoEnd) {
  EXPECT_EQ(JsonSpan(R"({"a":[1)"), std::string_view::npos);
  EXPECT_EQ(JsonSpan(R"("abc\")"), std::string_view::npos);
  EXPECT_EQ(JsonSpan(""), std::string_view::npos);
}

}  // namespace
}  // namespace millstream::codec
