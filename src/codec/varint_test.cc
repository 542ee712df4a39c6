#include "codec/varint.h"

#include <gtest/gtest.h>

#include "codec/big_endian.h"
#include "codec/random_for_test.h"

namespace millstream::codec {
namespace {

TEST(VarintTest, WritesTheKnownBytesOfZigZag) {
  const std::pair<int32_t, std::string_view> examples[] = {{0, std::string_view("\0", 1)},
                                                           {-1, "\x01"},
                                                           {1, "\x02"},
                                                           {63, "\x7e"},
                                                           {-64, "\x7f"},
                                                           {64, "\x80\x01"},
                                                           {-65, "\x81\x01"},
                                                           {INT32_MAX, "\xfe\xff\xff\xff\x0f"},
                                                           {INT32_MIN, "\xff\xff\xff\xff\x0f"}};
  for (const auto& [value, bytes] : examples) {
    char out[kVarintSizeMax];
    EXPECT_EQ(std::string_view(out, WriteVarint(value, out) - out), bytes);
    EXPECT_EQ(VarintSize(value), bytes.size());
  }
}

TEST(VarintTest, EveryWidthComesBackInItsSize) {
  RandomForTest random;
  for (int round = 0; round < 20000; ++round) {
    const uint64_t value = random.Next() >> random.Below(64);
    char out[kVarlongSizeMax];
    std::string_view bytes(out, WriteVarlong(static_cast<int64_t>(value), out) - out);
    ASSERT_EQ(bytes.size(), VarlongSize(static_cast<int64_t>(value)));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      std::string_view cut = bytes.substr(0, size);
      int64_t ignored;
      ASSERT_FALSE(ReadVarlong(cut, ignored));
      ASSERT_EQ(cut.size(), size);
    }
    int64_t back;
    ASSERT_TRUE(ReadVarlong(bytes, back));
    ASSERT_TRUE(bytes.empty());
    ASSERT_EQ(back, static_cast<int64_t>(value));

    const auto narrow = static_cast<int32_t>(value);
    std::string_view narrow_bytes(out, WriteVarint(narrow, out) - out);
    ASSERT_EQ(narrow_bytes.size(), VarintSize(narrow));
    int32_t narrow_back;
    ASSERT_TRUE(ReadVarint(narrow_bytes, narrow_back));
    ASSERT_EQ(narrow_back, narrow);
  }
}

TEST(VarintTest, RefusesWhatDoesNotFit) {
  std::string_view five("\xff\xff\xff\xff\x1f", 5);
  uint32_t narrow;
  EXPECT_FALSE(ReadUnsignedVarint(five, narrow));
  EXPECT_EQ(five.size(), 5u);
  std::string_view six("\x80\x80\x80\x80\x80\x00", 6);
  EXPECT_FALSE(ReadUnsignedVarint(six, narrow));
  std::string_view ten("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
  uint64_t wide;
  EXPECT_FALSE(ReadUnsignedVarlong(ten, wide));
  std::string_view endless("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11);
  EXPECT_FALSE(ReadUnsignedVarlong(endless, wide));
}

TEST(BigEndianTest, StoresTheHighByteFirst) {
  char bytes[8];
  StoreBigEndian<uint32_t>(bytes, 0x01020304);
  EXPECT_EQ(std::string_view(bytes, 4), "\x01\x02\x03\x04");
  EXPECT_EQ(LoadBigEndian<uint16_t>(bytes), 0x0102);
  StoreLittleEndian<uint16_t>(bytes, 0x0102);
  EXPECT_EQ(std::string_view(bytes, 2), "\x02\x01");
  StoreBigEndian<int64_t>(bytes, -2);
  EXPECT_EQ(LoadBigEndian<int64_t>(bytes), -2);
  EXPECT_EQ(LoadLittleEndian<int8_t>(bytes + 7), -2);
}

}  // namespace
}  // namespace millstream::codec
