#include "codec/event_stream.h"

#include <gtest/gtest.h>

#include "codec/crc32.h"
#include "codec/hex.h"
#include "codec/random_for_test.h"

namespace millstream::codec {
namespace {

std::string FromHex(std::string_view hex) {
  std::string bytes(hex.size() / 2, '\0');
  EXPECT_TRUE(HexDecode(hex, bytes.data()));
  return bytes;
}

// Test vectors that AWS's SDKs share.
constexpr std::string_view kEmptyMessage = "000000100000000005c248eb7d98c8ff";
constexpr std::string_view kPayloadOnly =
    "0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936";

TEST(EventStreamTest, WritesAndReadsTheSharedVectors) {
  for (const auto& [hex, payload] :
       {std::pair<std::string_view, std::string_view>{kEmptyMessage, ""},
        {kPayloadOnly, "{'foo':'bar'}"}}) {
    std::string bytes;
    ASSERT_TRUE(AppendEventStreamMessage({}, payload, bytes));
    EXPECT_EQ(HexEncode(bytes), hex);
    EventStreamMessage message;
    const auto size = DecodeEventStreamMessage(bytes, message);
    ASSERT_TRUE(size);
    EXPECT_EQ(*size, bytes.size());
    EXPECT_EQ(message.payload, payload);
    EXPECT_TRUE(message.headers.empty());
  }
}

std::vector<EventStreamHeader> HeadersOfEveryType() {
  return {{"true", true},
          {"false", false},
          {"byte", int8_t{-5}},
          {"short", int16_t{-300}},
          {"int", int32_t{-70000}},
          {"long", int64_t{-5000000000}},
          {"bytes", EventStreamBytes{std::string_view("\0\xff", 2)}},
          {":event-type", std::string_view("SubscribeToShardEvent")},
          {"at", EventStreamTimestamp{1700000000123}},
          {"uuid", EventStreamUuid{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}}};
}

TEST(EventStreamTest, HeadersOfEveryTypeComeBack) {
  std::string bytes = "before";
  const std::vector<EventStreamHeader> headers = HeadersOfEveryType();
  ASSERT_TRUE(AppendEventStreamMessage(headers, "payload", bytes));
  EventStreamMessage message;
  const auto size = DecodeEventStreamMessage(std::string_view(bytes).substr(6), message);
  ASSERT_TRUE(size);
  EXPECT_EQ(*size, bytes.size() - 6);
  EXPECT_EQ(message.headers, headers);
  EXPECT_EQ(message.payload, "payload");
  EXPECT_EQ(message.FindString(":event-type"), "SubscribeToShardEvent");
  EXPECT_EQ(message.FindString("byte"), std::nullopt);
  EXPECT_EQ(message.FindString("none"), std::nullopt);
}

TEST(EventStreamTest, AnyPrefixAsksForMore) {
  std::string bytes;
  ASSERT_TRUE(AppendEventStreamMessage(HeadersOfEveryType(), "payload", bytes));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const PlacedForTest placed(std::string_view(bytes).substr(0, size), 0);
    EventStreamMessage message;
    const auto decoded = DecodeEventStreamMessage(placed.view(), message);
    ASSERT_TRUE(decoded) << size;
    EXPECT_EQ(*decoded, 0u) << size;
  }
}

TEST(EventStreamTest, AnyFlippedBitIsFound) {
  std::string bytes;
  ASSERT_TRUE(AppendEventStreamMessage(HeadersOfEveryType(), "payload", bytes));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EventStreamMessage message;
    const auto decoded = DecodeEventStreamMessage(flipped, message);
    ASSERT_FALSE(decoded) << bit;
    EXPECT_EQ(decoded.error().code(), base::Code::kDataLoss);
  }
}

// A message whose checksums are right around headers that are not.
std::string Sealed(std::string_view headers, uint32_t total, uint32_t headers_size) {
  const auto put = [](std::string& to, uint32_t v) {
    for (int shift = 24; shift >= 0; shift -= 8) to.push_back(static_cast<char>(v >> shift));
  };
  std::string bytes;
  put(bytes, total);
  put(bytes, headers_size);
  put(bytes, Crc32(bytes));
  bytes += headers;
  put(bytes, Crc32(bytes));
  return bytes;
}

TEST(EventStreamTest, RefusesMalformedLengthsAndHeaders) {
  for (const std::string_view hex : {"00", "0561", "0161", "016103", "0161040000", "01610700",
                                     "0161070002aa", "01610a", "0161ff", "016109000102"}) {
    const std::string headers = FromHex(hex);
    const auto size = static_cast<uint32_t>(headers.size());
    EventStreamMessage message;
    const auto decoded = DecodeEventStreamMessage(Sealed(headers, 16 + size, size), message);
    ASSERT_FALSE(decoded) << hex;
    EXPECT_EQ(decoded.error().code(), base::Code::kInvalidArgument);
  }
  EventStreamMessage message;
  EXPECT_FALSE(DecodeEventStreamMessage(Sealed("", 15, 0), message));
  EXPECT_FALSE(DecodeEventStreamMessage(Sealed("", 16, 1), message));
  EXPECT_FALSE(DecodeEventStreamMessage(Sealed("", 0xffffffff, 0), message));
  EXPECT_FALSE(DecodeEventStreamMessage(Sealed("", 20, 0xffffffff), message));
}

TEST(EventStreamTest, RefusesToWriteWhatTheFormatCannotHold) {
  std::string bytes;
  const std::string long_text(40000, 'x');
  const std::vector<EventStreamHeader> no_name = {{"", true}};
  const std::vector<EventStreamHeader> long_name = {
      {std::string_view(long_text).substr(0, 256), true}};
  const std::vector<EventStreamHeader> long_value = {{"a", std::string_view(long_text)}};
  EXPECT_FALSE(AppendEventStreamMessage(no_name, "", bytes));
  EXPECT_FALSE(AppendEventStreamMessage(long_name, "", bytes));
  EXPECT_FALSE(AppendEventStreamMessage(long_value, "", bytes));
  EXPECT_FALSE(AppendEventStreamMessage({}, std::string(kEventStreamMessageMax, 'x'), bytes));
  EXPECT_TRUE(bytes.empty());
}

}  // namespace
}  // namespace millstream::codec
