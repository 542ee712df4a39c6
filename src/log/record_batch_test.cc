#include "log/record_batch.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "codec/base64.h"
#include "codec/hex.h"

namespace millstream::log {
namespace {

struct Decoded {
  std::string key, value;
  int64_t timestamp_ms;
  std::vector<std::pair<std::string, std::string>> headers;
};

TEST(RecordBatchTest, GivesBackWhatWasAdded) {
  RecordBatchBuilder builder(1'700'000'000'000);
  const RecordHeader headers[] = {{"ehk", "12345"}, {"empty", ""}, {"null", {}}};
  builder.Add("user-1", "first", headers);
  builder.Add("user-2", std::string_view(), {}, 7);
  ASSERT_TRUE(builder.AddBase64("user-3", codec::Base64Encode("third"), 5, headers, 3));
  Batch batch = std::move(builder).Finish();
  EXPECT_EQ(batch.record_count, 3);
  EXPECT_EQ(batch.max_timestamp_ms, 1'700'000'000'007);
  StampBaseOffset(batch.bytes.data(), 1000);
  ASSERT_TRUE(CheckBatch(batch.bytes.view()));

  auto view = RecordBatchView::Parse(batch.bytes.view());
  ASSERT_TRUE(view);
  EXPECT_EQ(view->base_offset(), 1000);
  EXPECT_EQ(view->next_offset(), 1003);
  RecordReader reader(*view);
  RecordView record;
  ASSERT_TRUE(reader.Next(record));
  EXPECT_EQ(record.key, "user-1");
  EXPECT_EQ(record.value, "first");
  EXPECT_EQ(record.offset, 1000);
  EXPECT_EQ(record.Header("ehk"), "12345");
  EXPECT_EQ(record.Header("empty"), "");
  ASSERT_TRUE(record.Header("null").has_value());
  EXPECT_EQ(record.Header("null")->data(), nullptr);
  EXPECT_FALSE(record.Header("absent"));
  ASSERT_TRUE(reader.Next(record));
  EXPECT_EQ(record.value.data(), nullptr);
  EXPECT_EQ(record.timestamp_ms, 1'700'000'000'007);
  ASSERT_TRUE(reader.Next(record));
  EXPECT_EQ(record.value, "third");
  EXPECT_FALSE(reader.Next(record));
  EXPECT_TRUE(reader.status());
}

// Bytes made by hand from the format's description; pins field order, varints and the CRC's range.
TEST(RecordBatchTest, HasKafkasBytes) {
  RecordBatchBuilder builder(0x0102);
  builder.Add("k", "v");
  Batch batch = std::move(builder).Finish();
  const std::string hex = codec::HexEncode(batch.bytes.view());
  EXPECT_EQ(hex.substr(0, 34), "00000000000000000000003a0000000002");
  EXPECT_EQ(hex.substr(42),
            "0000"
            "00000000"
            "0000000000000102"
            "0000000000000102"
            "ffffffffffffffff"
            "ffff"
            "ffffffff"
            "00000001"
            "10"
            "00"
            "00"
            "00"
            "026b"
            "0276"
            "00");
}

TEST(RecordBatchTest, RefusesBadBase64AndStaysUsable) {
  RecordBatchBuilder builder(5);
  builder.Add("a", "1");
  const std::size_t size = builder.size();
  EXPECT_FALSE(builder.AddBase64("b", "####", 3, {}, 99));
  EXPECT_FALSE(builder.AddBase64("b", "abc", 2));
  EXPECT_EQ(builder.size(), size);
  builder.Add("c", "2");
  Batch batch = std::move(builder).Finish();
  EXPECT_EQ(batch.record_count, 2);
  EXPECT_EQ(batch.max_timestamp_ms, 5);
  EXPECT_TRUE(CheckBatch(batch.bytes.view()));
}

TEST(RecordBatchTest, HoldsElevenMegabytesInOneRecord) {
  const std::string value(11u << 20, 'x');
  RecordBatchBuilder builder(5, RecordBatchBuilder::RecordBytesMax(1, value.size()) + 100);
  builder.Add("k", value);
  Batch batch = std::move(builder).Finish();
  ASSERT_TRUE(CheckBatch(batch.bytes.view()));
}

TEST(RecordBatchTest, RandomBatchesRoundTripAndEveryDamageIsFound) {
  const uint64_t seed = 20261124;
  SCOPED_TRACE(seed);
  base::SeededRandom random(seed);
  for (int round = 0; round < 200; ++round) {
    RecordBatchBuilder builder(static_cast<int64_t>(random.Below(1u << 30)));
    std::vector<std::string> values;
    const uint64_t count = 1 + random.Below(20);
    for (uint64_t i = 0; i < count; ++i) {
      std::string value(random.Below(300), '\0');
      random.Fill(value.data(), value.size());
      builder.Add("key" + std::to_string(i), value, {},
                  static_cast<int64_t>(random.Below(2000)) - 1000);
      values.push_back(value);
    }
    Batch batch = std::move(builder).Finish();
    auto view = RecordBatchView::Parse(batch.bytes.view());
    ASSERT_TRUE(view);
    RecordReader reader(*view);
    RecordView record;
    for (const std::string& value : values) {
      ASSERT_TRUE(reader.Next(record));
      ASSERT_EQ(record.value, value);
    }
    ASSERT_FALSE(reader.Next(record));
    ASSERT_TRUE(reader.status());

    // Any flipped bit behind the stampable part is noticed.
    std::string damaged(batch.bytes.view());
    const std::size_t bit = (16 * 8) + random.Below((damaged.size() - 16) * 8);
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(CheckBatch(damaged)) << "bit " << bit;
    // And any cut.
    EXPECT_FALSE(CheckBatch(std::string_view(damaged).substr(0, random.Below(damaged.size()))));
  }
}

}  // namespace
}  // namespace millstream::log
