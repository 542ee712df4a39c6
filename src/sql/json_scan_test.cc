#include "sql/json_scan.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace millstream::sql {
namespace {

// Where a scan ended, counted from the beginning; -1: nowhere.
std::ptrdiff_t At(const std::string& text, const char* end) {
  return end == nullptr ? -1 : end - text.data();
}

std::ptrdiff_t Nested(const std::string& text, bool lines = false) {
  JsonScanned scanned, plain;
  const char* end = text.data() + text.size();
  const auto fast = At(text, EndOfNested(text.data(), end, lines, scanned));
  EXPECT_EQ(fast, At(text, scalar::EndOfNested(text.data(), end, lines, plain))) << text;
  return fast;
}

TEST(JsonScanTest, StepsOverNestedValues) {
  EXPECT_EQ(Nested("[]"), 2);
  EXPECT_EQ(Nested(R"({"a":[1,{"b":"]}"}]} more)"), 20);
  EXPECT_EQ(Nested("[" + std::string(200, ' ') + "]"), 202);
  EXPECT_EQ(Nested("[\"" + std::string(200, ']') + "\"]"), 204);
  EXPECT_EQ(Nested(R"(["\"]","\\"])"), 12);
  EXPECT_EQ(Nested(std::string(63, '[') + std::string(63, ']')), 126);
  EXPECT_EQ(Nested(std::string(64, '[') + std::string(64, ']')), -1);
  for (const char* wrong : {"[", "[}", "{]", "[[]", "[\"]", R"(["\x"])", R"(["\ud800"])",
                            "[\"\n\"]", "[\\]", "[\x01]", "[_]", "{\"a\":[1}]"}) {
    EXPECT_EQ(Nested(wrong), -1) << wrong;
  }
  EXPECT_EQ(Nested("[\r\n\t]", false), 5);
  EXPECT_EQ(Nested("[\r\n\t]", true), -1);
}

TEST(JsonScanTest, StepsOverEscapes) {
  for (const char* right : {R"(\")", R"(\\)", R"(\/)", R"(\b)", R"(\u00e9)", R"(\uD83d\uDe00)"}) {
    std::string text = right;
    EXPECT_EQ(At(text, EndOfEscape(text.data(), text.data() + text.size())),
              static_cast<std::ptrdiff_t>(text.size()));
  }
  for (const char* wrong : {R"(\)", R"(\x)", R"(\u)", R"(\u12)", R"(\u12g4)", R"(\ud83d)",
                            R"(\ud83d\n)", R"(\ud83d\u0041)", R"(\ude00)"}) {
    std::string text = wrong;
    EXPECT_EQ(EndOfEscape(text.data(), text.data() + text.size()), nullptr) << text;
  }
}

TEST(JsonScanTest, VectorsEndWhereBytesDo) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string rare = "\"\\{}[]\n\t\x01_Y\xc3\xa9u,:";
  for (int i = 0; i < 200'000; ++i) {
    std::string text(1 + random() % 300, 'x');
    text += random() % 2 == 0 ? "\"]" : "]";
    text[0] = random() % 2 == 0 ? '[' : '{';
    for (auto n = random() % 24; n > 0; --n)
      text[1 + random() % (text.size() - 1)] =
          rare[random() % (random() % 2 == 0 ? 6 : rare.size())];
    const char* begin = text.data();
    const char* end = begin + text.size();
    JsonScanned fast, plain;
    const bool lines = random() % 2 == 0;
    const char* stop = EndOfNested(begin, end, lines, fast);
    ASSERT_EQ(At(text, stop), At(text, scalar::EndOfNested(begin, end, lines, plain))) << text;
    if (stop != nullptr && !plain.ascii) {
      ASSERT_FALSE(fast.ascii) << text;
    }
    fast = plain = {};
    stop = EndOfText(begin + 1, end, fast);
    ASSERT_EQ(At(text, stop), At(text, scalar::EndOfText(begin + 1, end, plain))) << text;
    if (stop == nullptr) continue;
    ASSERT_EQ(fast.escapes, plain.escapes) << text;
    if (!plain.ascii) {
      ASSERT_FALSE(fast.ascii) << text;
    }
  }
}

}  // namespace
}  // namespace millstream::sql
