#include "codec/json_writer.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "codec/json_value.h"
#include "codec/random_for_test.h"

namespace millstream::codec {
namespace {

TEST(JsonWriterTest, WritesEveryTypeWithItsCommas) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject()
      .Field("s", "a")
      .Field("i", -1)
      .Field("u", uint64_t{18446744073709551615u})
      .Field("d", 0.1)
      .Field("b", true)
      .Key("n")
      .Null()
      .Key("a")
      .BeginArray()
      .Int(1)
      .BeginObject()
      .EndObject()
      .BeginArray()
      .EndArray()
      .Bool(false)
      .EndArray()
      .Key("x")
      .Base64("hello")
      .Key("t")
      .EpochSeconds(1700000000123)
      .Key("r")
      .Raw("[0]")
      .EndObject();
  EXPECT_EQ(text, R"({"s":"a","i":-1,"u":18446744073709551615,"d":0.1,"b":true,"n":null,)"
                  R"("a":[1,{},[],false],"x":"aGVsbG8=","t":1700000000.123,"r":[0]})");
}

TEST(JsonWriterTest, WritesToABufferToo) {
  base::Buffer buffer;
  JsonWriter json(buffer);
  json.BeginArray().String("a").Base64("\xff").EndArray();
  EXPECT_EQ(buffer.view(), R"(["a","/w=="])");
}

TEST(JsonWriterTest, EscapesWhatJsonWantsEscaped) {
  std::string text;
  AppendJsonString(std::string_view("a\"\\/\b\f\n\r\t\x01\x1f\x7f\0é", 15), text);
  EXPECT_EQ(text, "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000é\"");
}

TEST(JsonWriterTest, ReplacesWhatIsNotUtf8) {
  std::string text;
  AppendJsonString(
      "a\xff"
      "b\xc3\xa9\xed\xa0\x80\xc3",
      text);
  EXPECT_EQ(text,
            "\"a\xef\xbf\xbd"
            "b\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST(JsonWriterTest, DoublesReadBackTheSameAndOthersAreNull) {
  RandomForTest random;
  for (int round = 0; round < 2000; ++round) {
    const auto value = std::bit_cast<double>(random.Next());
    std::string text;
    JsonWriter(text).Double(value);
    if (std::isfinite(value)) {
      EXPECT_EQ(JsonDocument::Parse(text)->root().AsDouble(), value);
    } else {
      EXPECT_EQ(text, "null");
    }
  }
  std::string text;
  JsonWriter(text).BeginArray().Double(3).Double(1e21).Double(-0.0).Double(INFINITY);
  EXPECT_EQ(text, "[3,1e+21,-0,null");
}

TEST(JsonWriterTest, AnyStringReadsBackTheSame) {
  RandomForTest random;
  for (int round = 0; round < 2000; ++round) {
    const std::string value = random.From("ab\"\\\n\x01\x7f ", random.Below(150));
    std::string text;
    AppendJsonString(value, text);
    ASSERT_EQ(JsonDocument::Parse(text)->root().AsString(), value);
  }
}

TEST(JsonWriterTest, PlainTextIsItsOwnJson) {
  for (std::size_t size : {1, 7, 8, 9, 16, 23}) {
    for (std::size_t place = 0; place < size; ++place) {
      for (int c = 0; c < 256; ++c) {
        std::string text(size, 'k');
        text[place] = static_cast<char>(c);
        const bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
        ASSERT_EQ(IsPlainInJson(text), plain) << size << " bytes, " << c << " at " << place;
        if (!plain) continue;
        std::string json;
        AppendJsonString(text, json);
        ASSERT_EQ(json, '"' + text + '"');
      }
    }
  }
  EXPECT_TRUE(IsPlainInJson(""));
}

}  // namespace
}  // namespace millstream::codec
