#include "codec/json_value.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>
#include <vector>

#include "codec/random_for_test.h"

namespace millstream::codec {
namespace {

JsonDocument Parsed(std::string_view text) {
  base::Result<JsonDocument> document = JsonDocument::Parse(text);
  EXPECT_TRUE(document) << text;
  return document ? std::move(*document) : *JsonDocument::Parse("null");
}

std::string ErrorOf(std::string_view text) {
  const base::Result<JsonDocument> document = JsonDocument::Parse(text);
  return document ? "no error" : document.error().message();
}

TEST(JsonDocumentTest, HoldsEveryTypeOfValue) {
  const JsonDocument document = Parsed(
      R"( {"s":"a\u00e9\"","n":-1.50e3,"t":true,"f":false,"z":null,"a":[1,[],{}],"o":{"x":1}} )");
  const JsonValue root = document.root();
  ASSERT_TRUE(root.is_object());
  EXPECT_EQ(root.size(), 7u);
  EXPECT_EQ(root.Find("s")->AsString(), "a\xc3\xa9\"");
  EXPECT_EQ(root.Find("n")->NumberText(), "-1.50e3");
  EXPECT_EQ(root.Find("n")->AsInt64(), -1500);
  EXPECT_TRUE(root.Find("t")->AsBool());
  EXPECT_FALSE(root.Find("f")->AsBool());
  EXPECT_TRUE(root.Find("z")->is_null());
  EXPECT_EQ(root.Find("a")->size(), 3u);
  EXPECT_EQ(root.Find("o")->Find("x")->AsInt64(), 1);
  EXPECT_FALSE(root.Find("S"));
  EXPECT_FALSE(root.Find("s")->Find("x"));

  std::vector<std::string_view> keys;
  for (const JsonValue member : root) keys.push_back(member.key());
  EXPECT_EQ(keys, (std::vector<std::string_view>{"s", "n", "t", "f", "z", "a", "o"}));
  std::vector<std::string_view> types;
  for (const JsonValue element : *root.Find("a")) types.push_back(element.type_name());
  EXPECT_EQ(types, (std::vector<std::string_view>{"number", "array", "object"}));
}

TEST(JsonDocumentTest, OfMembersOfOneNameTheLastCounts) {
  for (const int others : {0, 20}) {
    std::string text = R"({"a":[{"x":1,"x":2}],"b":1,)";
    for (int i = 0; i < others; ++i) text += "\"k" + std::to_string(i) + "\":0,";
    text += R"("a":{"y":[3]},"a":4,"c":5,"b":6})";
    const JsonDocument document = Parsed(text);
    const JsonValue root = document.root();
    EXPECT_EQ(root.size(), 3u + others);
    EXPECT_EQ(root.Find("a")->AsInt64(), 4);
    EXPECT_EQ(root.Find("b")->AsInt64(), 6);
    std::size_t seen = 0;
    for (const JsonValue member : root) seen += member.is_number() ? 1 : 0;
    EXPECT_EQ(seen, root.size());
  }
  const JsonDocument nested = Parsed(R"([{"a":{"b":1},"a":2},3])");
  std::size_t elements = 0;
  for (const JsonValue element : nested.root()) elements += element.is_null() ? 0 : 1;
  EXPECT_EQ(elements, 2u);
}

TEST(JsonDocumentTest, ReadsWholeNumbersExactlyInEveryForm) {
  const auto signed_of = [](std::string_view text) { return Parsed(text).root().AsInt64(); };
  const auto unsigned_of = [](std::string_view text) { return Parsed(text).root().AsUint64(); };
  EXPECT_EQ(signed_of("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(signed_of("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(signed_of("-9223372036854775808.000"), INT64_MIN);
  EXPECT_EQ(signed_of("9223372036854775808"), std::nullopt);
  EXPECT_EQ(signed_of("3.0"), 3);
  EXPECT_EQ(signed_of("3e2"), 300);
  EXPECT_EQ(signed_of("0.03e2"), 3);
  EXPECT_EQ(signed_of("300e-2"), 3);
  EXPECT_EQ(signed_of("305e-2"), std::nullopt);
  EXPECT_EQ(signed_of("0.5"), std::nullopt);
  EXPECT_EQ(signed_of("-0"), 0);
  EXPECT_EQ(signed_of("-0.0e5"), 0);
  EXPECT_EQ(signed_of("1e99999999999999999999"), std::nullopt);
  EXPECT_EQ(signed_of("0e99999999999999999999"), 0);
  EXPECT_EQ(signed_of("1e-99999999999999999999"), std::nullopt);
  EXPECT_EQ(signed_of("\"1\""), std::nullopt);
  EXPECT_EQ(unsigned_of("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(unsigned_of("1844674407370955161.5e1"), UINT64_MAX);
  EXPECT_EQ(unsigned_of("18446744073709551616"), std::nullopt);
  EXPECT_EQ(unsigned_of("-1"), std::nullopt);
  EXPECT_EQ(unsigned_of("-0.0"), 0u);
}

TEST(JsonDocumentTest, ReadsDoublesToTheNearest) {
  const auto of = [](std::string_view text) { return Parsed(text).root().AsDouble(); };
  EXPECT_EQ(of("0.1"), 0.1);
  EXPECT_EQ(of("1e308"), 1e308);
  EXPECT_EQ(of("1e309"), std::nullopt);
  EXPECT_EQ(of("-1e400"), std::nullopt);
  EXPECT_EQ(of("1e-400"), 0.0);
  EXPECT_EQ(of("0e400"), 0.0);
  EXPECT_EQ(of("true"), std::nullopt);
}

TEST(JsonDocumentTest, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(ErrorOf(""), "expected a value, found the end of the text, at byte 0");
  EXPECT_EQ(ErrorOf("  x"), "expected a value, at byte 2");
  EXPECT_EQ(ErrorOf("{} {}"), "expected the end of the text, at byte 3");
  EXPECT_EQ(ErrorOf("[1 2]"), "expected ',' or ']' after an element, at byte 3");
  EXPECT_EQ(ErrorOf("[1,]"), "expected a value, at byte 3");
  EXPECT_EQ(ErrorOf(R"({"a" 1})"), "expected ':' after a key, at byte 5");
  EXPECT_EQ(ErrorOf(R"({"a":1,})"), "expected a string, at byte 7");
  EXPECT_EQ(ErrorOf(R"({"a":1 "b")"), "expected ',' or '}' after a member, at byte 7");
  EXPECT_EQ(ErrorOf("\"abc"), "string without an end, at byte 0");
  EXPECT_EQ(ErrorOf("\"a\nc\""), "control character in a string, at byte 2");
  EXPECT_EQ(ErrorOf(R"(["\q"])"), "wrong escape in the string, at byte 1");
  EXPECT_EQ(ErrorOf("-"), "malformed number, at byte 0");
  EXPECT_EQ(ErrorOf("01"), "expected the end of the text, at byte 1");
  EXPECT_EQ(ErrorOf("\"a\xff\""), "not UTF-8, at byte 2");
  EXPECT_EQ(ErrorOf(std::string(65, '[')), "nested too deep, at byte 64");
  EXPECT_EQ(ErrorOf(std::string(64, '[') + std::string(64, ']')), "no error");
}

TEST(JsonDocumentTest, ValuesStayValidWhenTheDocumentMoves) {
  JsonDocument first = Parsed(R"({"a":"b"})");
  const JsonValue value = *first.root().Find("a");
  const JsonDocument second = std::move(first);
  EXPECT_EQ(value.AsString(), "b");
  EXPECT_EQ(second.root().Find("a")->AsString(), "b");
}

// Texts that are nearly JSON. Only numbers beyond a double, which we keep as text, make a
// difference.
TEST(JsonDocumentTest, AcceptsTheSameTextsAsSimdjson) {
  RandomForTest random;
  simdjson::dom::parser peer;
  const std::vector<std::string> parts = {
      "{",    "}",    "[", "]",  ",",   ":",       "\"a\"",  "\"",    "1", "-2.5", "1e3",
      "true", "null", " ", "\n", "\\n", "\"\\n\"", "\"b\":", "false", "0", "."};
  int accepted = 0;
  for (int round = 0; round < 30000; ++round) {
    std::string text;
    for (std::size_t i = random.Below(9); i > 0; --i) text += parts[random.Below(parts.size())];
    const bool ours = JsonDocument::Parse(text).has_value();
    const simdjson::error_code error = peer.parse(text).error();
    const bool beyond_double = error == simdjson::NUMBER_ERROR && text.find('e') != text.npos;
    ASSERT_TRUE(ours == (error == simdjson::SUCCESS) || (ours && beyond_double)) << text;
    accepted += ours ? 1 : 0;
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace millstream::codec
