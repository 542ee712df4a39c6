#include "codec/json_cursor.h"

#include <gtest/gtest.h>

#include <vector>

#include "codec/base64.h"
#include "codec/json_value.h"
#include "codec/random_for_test.h"

namespace millstream::codec {
namespace {

TEST(JsonCursorTest, WalksAPutRecordsBodyWithoutCopies) {
  const std::string body =
      R"( {"StreamName" : "s", "Records":[{"Data":"aGVsbG8=","PartitionKey":"k1"},)"
      R"({"PartitionKey":"k2","Data":""}],"Extra":{"a":[1,2,{"b":null}]},"N":-12} )";
  JsonCursor json(body);
  std::string_view text;
  char data[16];
  std::size_t written = 99;

  ASSERT_TRUE(json.Consume('{'));
  ASSERT_FALSE(json.ConsumeKey("Stream"));
  ASSERT_FALSE(json.ConsumeKey("StreamNames"));
  ASSERT_TRUE(json.ConsumeKey("StreamName"));
  ASSERT_EQ(json.ReadString(text), JsonScan::kOk);
  EXPECT_EQ(text, "s");
  EXPECT_TRUE(text.data() > body.data() && text.data() < body.data() + body.size());
  ASSERT_TRUE(json.Consume(','));
  ASSERT_EQ(json.ReadKey(text), JsonScan::kOk);
  EXPECT_EQ(text, "Records");
  ASSERT_TRUE(json.Consume('['));
  ASSERT_TRUE(json.Consume('{'));
  ASSERT_TRUE(json.ConsumeKey("Data"));
  ASSERT_EQ(json.ReadBase64(data, sizeof(data), written), JsonScan::kOk);
  EXPECT_EQ(std::string_view(data, written), "hello");
  ASSERT_TRUE(json.Consume(','));
  ASSERT_TRUE(json.ConsumeKey("PartitionKey"));
  ASSERT_EQ(json.ReadString(text), JsonScan::kOk);
  ASSERT_TRUE(json.Consume('}'));
  ASSERT_TRUE(json.Consume(','));
  ASSERT_EQ(json.SkipValue(text), JsonScan::kOk);
  EXPECT_EQ(text, R"({"PartitionKey":"k2","Data":""})");
  ASSERT_TRUE(json.Consume(']'));
  ASSERT_TRUE(json.Consume(','));
  ASSERT_TRUE(json.ConsumeKey("Extra"));
  ASSERT_EQ(json.SkipValue(text), JsonScan::kOk);
  EXPECT_EQ(text, R"({"a":[1,2,{"b":null}]})");
  ASSERT_TRUE(json.Consume(','));
  ASSERT_TRUE(json.ConsumeKey("N"));
  int64_t number = 0;
  ASSERT_EQ(json.ReadInt64(number), JsonScan::kOk);
  EXPECT_EQ(number, -12);
  ASSERT_FALSE(json.AtEnd());
  ASSERT_TRUE(json.Consume('}'));
  EXPECT_TRUE(json.AtEnd());
}

TEST(JsonCursorTest, TellsStringsWithEscapesFromMalformedOnes) {
  const auto scan = [](std::string_view json, std::string_view& raw) {
    return JsonCursor(json).ReadString(raw);
  };
  std::string_view raw;
  EXPECT_EQ(scan(R"("a\"b")", raw), JsonScan::kEscapes);
  EXPECT_EQ(raw, R"(a\"b)");
  EXPECT_EQ(scan(R"("a\\")", raw), JsonScan::kEscapes);
  EXPECT_EQ(raw, R"(a\\)");
  for (const std::string_view bad :
       {"", "a", "\"", "\"a", "\"a\\", "\"a\\\"", "\"a\nb\"", "\"a\\\n\""}) {
    EXPECT_EQ(scan(bad, raw), JsonScan::kMalformed) << bad;
  }
}

TEST(JsonCursorTest, ReadsBase64OrSaysWhyNot) {
  char out[8];
  std::size_t written;
  const auto scan = [&](std::string_view json, std::size_t room) {
    return JsonCursor(json).ReadBase64(out, room, written);
  };
  EXPECT_EQ(scan("\"aGVsbG8=\"", 5), JsonScan::kOk);
  EXPECT_EQ(scan("\"aGVsbG8=\"", 4), JsonScan::kNoRoom);
  EXPECT_EQ(scan("\"\"", 0), JsonScan::kOk);
  EXPECT_EQ(written, 0u);
  EXPECT_EQ(scan(R"("aGVs\/G8=")", 8), JsonScan::kEscapes);
  EXPECT_EQ(scan(R"("aG\/s")", 8), JsonScan::kEscapes);
  for (const std::string_view bad :
       {"", "1", "\"", "\"aGVs", "\"aGV\"", "\"aGV-\"", "\"aGVsbG8\""}) {
    EXPECT_EQ(scan(bad, 8), JsonScan::kMalformed) << bad;
  }
}

TEST(JsonCursorTest, ReadsWholeNumbersThatFit) {
  const auto scan = [](std::string_view json, int64_t& value) {
    return JsonCursor(json).ReadInt64(value);
  };
  int64_t value = 0;
  EXPECT_EQ(scan("-9223372036854775808", value), JsonScan::kOk);
  EXPECT_EQ(value, INT64_MIN);
  for (const std::string_view bad :
       {"", "-", "+1", "1.0", "1e2", "9223372036854775808", "\"1\"", "true", "1."}) {
    EXPECT_EQ(scan(bad, value), JsonScan::kMalformed) << bad;
  }
  uint64_t wide = 0;
  JsonCursor json("18446744073709551615");
  EXPECT_EQ(json.ReadUint64(wide), JsonScan::kOk);
  EXPECT_EQ(wide, UINT64_MAX);
}

TEST(JsonCursorTest, SkipsValuesNestedUpToTheLimitOnly) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  std::string_view raw;
  const std::string deepest = nested(kJsonDepthMax);
  EXPECT_EQ(JsonCursor(deepest).SkipValue(raw), JsonScan::kOk);
  EXPECT_EQ(raw, deepest);
  const std::string deeper = nested(kJsonDepthMax + 1);
  EXPECT_EQ(JsonCursor(deeper).SkipValue(raw), JsonScan::kMalformed);
  for (const std::string_view bad : {"", "[", "[1", "[1,", "[1,]", "{\"a\"}", "{\"a\":}", "{1:2}",
                                     "[1}", "{\"a\":1]", "{\"a\":1,}", "tru", "01x", "-", "]"}) {
    JsonCursor json(bad);
    const bool ok = json.SkipValue(raw) == JsonScan::kOk && json.AtEnd();
    EXPECT_FALSE(ok) << bad;
  }
}

TEST(JsonCursorTest, FindsStringStopsAsTheScalarCodeDoes) {
  RandomForTest random;
  for (int round = 0; round < 5000; ++round) {
    std::string text = random.From("abc\x7f\x80\xff !#[]^", random.Below(200));
    if (!text.empty() && random.Below(4) != 0) {
      text[random.Below(text.size())] = random.From("\"\\\n\x1f\x01\x20", 1)[0];
    }
    const PlacedForTest placed(text, random.Below(33));
    const char* const begin = placed.view().data();
    const char* const end = begin + text.size();
    ASSERT_EQ(FindJsonStringStop(begin, end), scalar::FindJsonStringStop(begin, end)) << text;
  }
}

TEST(UnescapeJsonTest, KnowsEveryEscape) {
  std::string value;
  ASSERT_TRUE(UnescapeJson(R"(a\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00z)", value));
  EXPECT_EQ(value, "a\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
  for (const std::string_view bad : {"\\", "\\x", "\\u", "\\u12", "\\u12g4", "\\ud800", "\\ud800x",
                                     "\\ud800\\u0041", "\\udc00", "\\u-123", "\\u 123"}) {
    EXPECT_FALSE(UnescapeJson(bad, value)) << bad;
  }
}

}  // namespace
}  // namespace millstream::codec
