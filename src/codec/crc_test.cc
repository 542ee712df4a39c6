#include <gtest/gtest.h>

#include "codec/crc32.h"
#include "codec/crc32c.h"
#include "codec/random_for_test.h"

namespace millstream::codec {
namespace {

TEST(Crc32cTest, ChecksTheVectorsOfRfc3720) {
  EXPECT_EQ(Crc32c(""), 0u);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
}

TEST(Crc32Test, ChecksTheUsualVectors) {
  EXPECT_EQ(Crc32(""), 0u);
  EXPECT_EQ(Crc32("123456789"), 0xcbf43926u);
  EXPECT_EQ(Crc32("The quick brown fox jumps over the lazy dog"), 0x414fa339u);
}

TEST(CrcTest, InstructionsAndTablesAgreeAndPartsJoin) {
  RandomForTest random;
  for (int round = 0; round < 3000; ++round) {
    const std::size_t size = random.Below(round % 20 == 0 ? 20000 : 600);
    const PlacedForTest bytes(random.Bytes(size), random.Below(17));
    const std::string_view all = bytes.view();
    const auto seed = static_cast<uint32_t>(random.Next());
    ASSERT_EQ(Crc32c(all, seed), scalar::Crc32c(all, seed)) << size;
    ASSERT_EQ(Crc32(all, seed), scalar::Crc32(all, seed)) << size;
    const std::size_t cut = random.Below(size + 1);
    ASSERT_EQ(Crc32c(all.substr(cut), Crc32c(all.substr(0, cut))), Crc32c(all));
    ASSERT_EQ(Crc32(all.substr(cut), Crc32(all.substr(0, cut))), Crc32(all));
  }
}

}  // namespace
}  // namespace millstream::codec
