#include "codec/base64.h"

#include <gtest/gtest.h>

#include "codec/hex.h"
#include "codec/random_for_test.h"

namespace millstream::codec {
namespace {

using End = Base64Run::End;

constexpr std::pair<std::string_view, std::string_view> kRfc4648[] = {{"", ""},
                                                                      {"f", "Zg=="},
                                                                      {"fo", "Zm8="},
                                                                      {"foo", "Zm9v"},
                                                                      {"foob", "Zm9vYg=="},
                                                                      {"fooba", "Zm9vYmE="},
                                                                      {"foobar", "Zm9vYmFy"}};

TEST(Base64Test, EncodesAndDecodesTheVectorsOfRfc4648) {
  for (const auto& [bytes, text] : kRfc4648) {
    EXPECT_EQ(Base64Encode(bytes), text);
    EXPECT_EQ(Base64Decode(text), std::string(bytes));
    EXPECT_EQ(Base64DecodedSize(text), bytes.size());
  }
}

TEST(Base64Test, RefusesWhatIsNotTheOneTextOfAValue) {
  for (const std::string_view text : {"Z",
                                      "Zg",
                                      "Zg=",
                                      "Zg===",
                                      "Zg==Zg==",
                                      "=",
                                      "==",
                                      "====",
                                      "Z===",
                                      "Zh==",
                                      "Zm9=",
                                      "Zm8=x",
                                      "Zm9v\n",
                                      "Zm9v=",
                                      "Zm 9v",
                                      "Zm9-",
                                      "Zm9_",
                                      "Zg=a",
                                      "\xff\xff\xff\xff",
                                      "Zm9vZm9vZm9v===="}) {
    EXPECT_EQ(Base64Decode(text), std::nullopt) << text;
    for (std::size_t size = 0; size <= text.size(); ++size) {
      char out[16 + kBase64Slack];
      EXPECT_FALSE(Base64DecodeWithSlack(text, size, out)) << text << " as " << size;
    }
  }
}

TEST(Base64Test, DecodesWithSlackWhatTheOthersDecode) {
  RandomForTest random;
  for (std::size_t size = 0; size < 300; ++size) {
    const std::string bytes = random.Bytes(size);
    // Ends where its memory ends, so that a read behind it is seen by the sanitizer.
    std::string text = Base64Encode(bytes);
    const PlacedForTest placed(text, random.Below(33));
    std::string out(size + kBase64Slack, '\0');
    ASSERT_TRUE(Base64DecodeWithSlack(placed.view(), size, out.data()));
    EXPECT_EQ(out.substr(0, size), bytes);
    EXPECT_FALSE(Base64DecodeWithSlack(placed.view(), size + 1, out.data()));
    if (text.empty()) continue;
    // One byte changed: right, or refused, exactly as the other decoder has it.
    text[random.Below(text.size())] = static_cast<char>(random.Below(256));
    const std::optional<std::string> expected = Base64Decode(text);
    const std::size_t claimed = Base64DecodedSize(text).value_or(size);
    ASSERT_EQ(Base64DecodeWithSlack(text, claimed, out.data()), expected.has_value()) << text;
    if (expected) {
      EXPECT_EQ(out.substr(0, claimed), *expected);
    }
  }
}

TEST(Base64Test, VectorAndScalarCodeAgreeAtAllSizesAndAlignments) {
  RandomForTest random;
  for (std::size_t size = 0; size < 300; ++size) {
    const PlacedForTest bytes(random.Bytes(size), random.Below(33));
    std::string expected(Base64EncodedSize(size), '\0');
    EXPECT_EQ(scalar::Base64Encode(bytes.view(), expected.data()),
              expected.data() + expected.size());
    EXPECT_EQ(Base64Encode(bytes.view()), expected);

    const PlacedForTest text(expected, random.Below(33));
    EXPECT_EQ(Base64Decode(text.view()), std::string(bytes.view()));
  }
}

TEST(Base64Test, EveryWrongByteStopsBothDecodersAtTheSamePlace) {
  RandomForTest random;
  for (int round = 0; round < 20000; ++round) {
    std::string text = Base64Encode(random.Bytes(random.Below(120)));
    for (std::size_t i = random.Below(3); i > 0 && !text.empty(); --i) {
      text[random.Below(text.size())] = static_cast<char>(random.Next());
    }
    const PlacedForTest placed(text, random.Below(33));
    const std::size_t room = random.Below(text.size() + 40);
    const std::unique_ptr<char[]> fast(new char[room]);
    const std::unique_ptr<char[]> slow(new char[room]);
    const Base64Run a = Base64DecodeUntil(placed.view(), fast.get(), room);
    const Base64Run b = scalar::Base64DecodeUntil(placed.view(), slow.get(), room);
    ASSERT_EQ(a.end, b.end) << text;
    if (a.end == End::kNoRoom) continue;
    ASSERT_EQ(a.consumed, b.consumed) << text;
    ASSERT_EQ(a.written, b.written) << text;
    ASSERT_EQ(std::string_view(fast.get(), a.written), std::string_view(slow.get(), b.written));
  }
}

TEST(Base64Test, DecodeUntilFindsTheQuoteBehindTheValue) {
  for (std::size_t size = 0; size < 100; ++size) {
    const std::string bytes(size, 'x');
    const std::string text = Base64Encode(bytes) + "\",\"PartitionKey\":\"a\"}";
    std::string out(size, '\0');
    const Base64Run run = Base64DecodeUntil(text, out.data(), out.size());
    ASSERT_EQ(run.end, End::kStopped);
    EXPECT_EQ(text[run.consumed], '"');
    EXPECT_EQ(run.written, size);
    EXPECT_EQ(out, bytes);
    if (size > 0) {
      EXPECT_EQ(Base64DecodeUntil(text, out.data(), size - 1).end, End::kNoRoom);
    }
  }
}

TEST(HexTest, EncodesInLowerCaseAndReadsBothCases) {
  EXPECT_EQ(HexEncode(std::string_view("\x00\x7f\xff\xa5", 4)), "007fffa5");
  char bytes[4];
  ASSERT_TRUE(HexDecode("007FffA5", bytes));
  EXPECT_EQ(std::string_view(bytes, 4), std::string_view("\x00\x7f\xff\xa5", 4));
}

TEST(HexTest, RefusesOddLengthsAndOtherCharacters) {
  char bytes[4];
  for (const std::string_view text : {"0", "0g", "g0", "00 0", "\xff\xff", "0x"}) {
    EXPECT_FALSE(HexDecode(text, bytes)) << text;
  }
}

}  // namespace
}  // namespace millstream::codec
