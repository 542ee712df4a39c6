#include <gtest/gtest.h>

#include "codec/percent.h"
#include "codec/random_for_test.h"
#include "codec/utf8.h"

namespace millstream::codec {
namespace {

TEST(PercentTest, EncodesAsSigV4Signs) {
  EXPECT_EQ(PercentEncode("AZaz09-._~"), "AZaz09-._~");
  EXPECT_EQ(PercentEncode("a b+/=&%\xc3\xa9"), "a%20b%2B%2F%3D%26%25%C3%A9");
  EXPECT_EQ(PercentEncode("/a b/", true), "/a%20b/");
}

TEST(PercentTest, DecodesAndRefusesBrokenEscapes) {
  std::string text;
  ASSERT_TRUE(PercentDecode("a%20b%2b+%c3%A9", false, text));
  EXPECT_EQ(text, "a b++\xc3\xa9");
  text.clear();
  ASSERT_TRUE(PercentDecode("a+b%2B", true, text));
  EXPECT_EQ(text, "a b+");
  for (const std::string_view bad : {"%", "%1", "%g0", "%0g", "a%", "%%20"}) {
    EXPECT_FALSE(PercentDecode(bad, false, text)) << bad;
  }
}

TEST(PercentTest, AnyBytesComeBack) {
  RandomForTest random;
  for (int round = 0; round < 500; ++round) {
    const std::string bytes = random.Bytes(random.Below(60));
    std::string back;
    ASSERT_TRUE(PercentDecode(PercentEncode(bytes), true, back));
    ASSERT_EQ(back, bytes);
  }
}

TEST(Utf8Test, KnowsWellFormedTextFromOther) {
  for (const std::string_view good :
       {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsValidUtf8(good));
    EXPECT_EQ(Utf8SequenceLength(good), good.size());
  }
  for (const std::string_view bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\x80", "\xe0\xa0",
        "\xed\xa0\x80", "\xf0\x8f\x80\x80", "\xf0\x90\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff"}) {
    EXPECT_FALSE(IsValidUtf8(bad));
    EXPECT_EQ(Utf8SequenceLength(bad), 0u);
  }
}

TEST(Utf8Test, SequencesAndTheWholeTextAgree) {
  RandomForTest random;
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (std::size_t i = random.Below(40); i > 0; --i) {
      const auto code_point = static_cast<char32_t>(random.Below(0x110000));
      if (code_point < 0xd800 || code_point >= 0xe000) AppendUtf8(code_point, text);
    }
    ASSERT_TRUE(IsValidUtf8(text));
    if (!text.empty() && random.Below(2) == 0) {
      text[random.Below(text.size())] = static_cast<char>(random.Next());
    }
    std::size_t at = 0;
    std::size_t length = 0;
    while (const std::size_t size = Utf8SequenceLength(std::string_view(text).substr(at))) {
      at += size;
      ++length;
    }
    ASSERT_EQ(at == text.size(), IsValidUtf8(text));
    if (at == text.size()) {
      ASSERT_EQ(Utf8Length(text), length);
    }
  }
}

}  // namespace
}  // namespace millstream::codec
