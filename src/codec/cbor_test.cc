#include "codec/cbor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "codec/hex.h"
#include "codec/random_for_test.h"

namespace millstream::codec {
namespace {

std::string FromHex(std::string_view hex) {
  std::string bytes(hex.size() / 2, '\0');
  EXPECT_TRUE(HexDecode(hex, bytes.data()));
  return bytes;
}

template <typename Write>
std::string Written(Write write) {
  std::string bytes;
  CborWriter cbor(bytes);
  write(cbor);
  return HexEncode(bytes);
}

// The examples of RFC 8949, appendix A.
TEST(CborTest, WritesTheIntegersOfRfc8949) {
  const std::pair<int64_t, std::string_view> examples[] = {{0, "00"},
                                                           {10, "0a"},
                                                           {23, "17"},
                                                           {24, "1818"},
                                                           {100, "1864"},
                                                           {1000, "1903e8"},
                                                           {1000000, "1a000f4240"},
                                                           {1000000000000, "1b000000e8d4a51000"},
                                                           {-1, "20"},
                                                           {-10, "29"},
                                                           {-100, "3863"},
                                                           {-1000, "3903e7"},
                                                           {INT64_MAX, "1b7fffffffffffffff"},
                                                           {INT64_MIN, "3b7fffffffffffffff"}};
  for (const auto& [value, hex] : examples) {
    EXPECT_EQ(Written([v = value](CborWriter& cbor) { cbor.Int(v); }), hex);
    const std::string bytes = FromHex(hex);
    CborReader reader(bytes);
    EXPECT_EQ(reader.ReadInt64(), value);
    EXPECT_TRUE(reader.ok() && reader.AtEnd());
  }
}

TEST(CborTest, ReadsTheFloatsOfRfc8949) {
  const std::pair<std::string_view, double> examples[] = {{"f90000", 0.0},
                                                          {"f93c00", 1.0},
                                                          {"f93e00", 1.5},
                                                          {"f97bff", 65504.0},
                                                          {"fa47c35000", 100000.0},
                                                          {"fa7f7fffff", 3.4028234663852886e+38},
                                                          {"fb3ff199999999999a", 1.1},
                                                          {"fb7e37e43c8800759c", 1.0e+300},
                                                          {"f90001", 5.960464477539063e-8},
                                                          {"f90400", 0.00006103515625},
                                                          {"f9c400", -4.0},
                                                          {"fbc010666666666666", -4.1},
                                                          {"f97c00", INFINITY},
                                                          {"f9fc00", -INFINITY},
                                                          {"1864", 100.0},
                                                          {"3863", -100.0}};
  for (const auto& [hex, value] : examples) {
    const std::string bytes = FromHex(hex);
    CborReader reader(bytes);
    EXPECT_EQ(reader.ReadDouble(), value) << hex;
    EXPECT_TRUE(reader.ok() && reader.AtEnd()) << hex;
  }
  const std::string nan = FromHex("f97e00");
  CborReader reader(nan);
  EXPECT_TRUE(std::isnan(reader.ReadDouble()));
}

TEST(CborTest, ReadsDefiniteAndIndefiniteMapsAlike) {
  for (const std::string_view hex : {"a26161016162820203", "bf61610161629f0203ffff",
                                     "bf616101616282"
                                     "0203ff"}) {
    const std::string bytes = FromHex(hex);
    CborReader cbor(bytes);
    std::string seen;
    for (CborItems map = cbor.ReadMap(); cbor.Next(map);) {
      const std::string_view key = cbor.ReadText();
      seen += key;
      if (key == "a") {
        seen += std::to_string(cbor.ReadInt64());
      } else {
        for (CborItems array = cbor.ReadArray(); cbor.Next(array);) {
          seen += std::to_string(cbor.ReadInt64());
        }
      }
    }
    EXPECT_TRUE(cbor.ok()) << hex;
    EXPECT_TRUE(cbor.AtEnd()) << hex;
    EXPECT_EQ(seen, "a1b23") << hex;
  }
}

TEST(CborTest, JoinsChunksAndViewsTheRest) {
  const std::string bytes = FromHex(
      "7f657374726561646d696e67ff"
      "5f42010243030405ff"
      "7f6161ff"
      "7fff"
      "6161");
  CborReader cbor(bytes);
  const std::string_view joined = cbor.ReadText();
  EXPECT_EQ(cbor.ReadBytes(), std::string_view("\x01\x02\x03\x04\x05"));
  EXPECT_EQ(cbor.ReadText(), "a");
  EXPECT_EQ(cbor.ReadText(), "");
  const std::string_view view = cbor.ReadText();
  EXPECT_TRUE(view.data() == bytes.data() + bytes.size() - 1);
  EXPECT_EQ(joined, "streaming");
  EXPECT_TRUE(cbor.ok() && cbor.AtEnd());
}

TEST(CborTest, TimestampsAreTagOneWithMilliseconds) {
  EXPECT_EQ(Written([](CborWriter& cbor) { cbor.EpochMs(1700000000123); }), "c11b0000018bcfe5687b");
  for (const auto& [hex, ms] :
       std::vector<std::pair<std::string_view, int64_t>>{{"c11b0000018bcfe5687b", 1700000000123},
                                                         {"1b0000018bcfe5687b", 1700000000123},
                                                         {"c1fb4278bcfe5687b000", 1700000000123},
                                                         {"c120", -1}}) {
    const std::string bytes = FromHex(hex);
    CborReader cbor(bytes);
    EXPECT_EQ(cbor.ReadEpochMs(), ms) << hex;
    EXPECT_TRUE(cbor.ok() && cbor.AtEnd()) << hex;
  }
}

TEST(CborTest, TheFirstFailureSticksAndNamesItsPlace) {
  const std::string bytes = FromHex("8261610102");
  CborReader cbor(bytes);
  CborItems array = cbor.ReadArray();
  ASSERT_TRUE(cbor.Next(array));
  EXPECT_EQ(cbor.ReadInt64(), 0);
  ASSERT_FALSE(cbor.ok());
  EXPECT_FALSE(cbor.Next(array));
  EXPECT_EQ(cbor.ReadText(), "");
  EXPECT_EQ(cbor.error().code(), base::Code::kInvalidArgument);
  EXPECT_EQ(cbor.error().message(), "expected a CBOR integer, at byte 2");
}

TEST(CborTest, RefusesWhatIsMalformed) {
  for (const std::string_view hex : {"",
                                     "18",
                                     "1901",
                                     "1a010203",
                                     "1b01020304050607",
                                     "1c",
                                     "1d",
                                     "1e",
                                     "1f",
                                     "3f",
                                     "df",
                                     "61",
                                     "41",
                                     "5f",
                                     "5f4101",
                                     "5f6101ff",
                                     "5f5f4101ffff",
                                     "7f4101ff",
                                     "81",
                                     "9f",
                                     "9f01",
                                     "a1",
                                     "a101",
                                     "bf01ff",
                                     "bf",
                                     "ff",
                                     "c1",
                                     "f818",
                                     "f801",
                                     "fa00",
                                     "9bffffffffffffffff",
                                     "7bffffffffffffffff",
                                     "fc",
                                     "fd",
                                     "fe"}) {
    const std::string bytes = FromHex(hex);
    const PlacedForTest placed(bytes, 0);
    CborReader cbor(placed.view());
    cbor.Skip();
    EXPECT_FALSE(cbor.ok()) << hex;
  }
}

TEST(CborTest, SkipsEveryTypeAndKnowsItsDepth) {
  const std::string bytes = FromHex(
      "8e"
      "00"
      "20"
      "4101"
      "6161"
      "8101"
      "a10102"
      "c100"
      "f4"
      "f6"
      "f7"
      "f93c00"
      "f8ff"
      "9f01ff"
      "bf0102ff");
  CborReader cbor(bytes);
  cbor.Skip();
  EXPECT_TRUE(cbor.ok() && cbor.AtEnd()) << (cbor.ok() ? "" : cbor.error().message());

  const std::string deepest = std::string(kCborDepthMax, '\x81') + '\0';
  CborReader at_limit(deepest);
  at_limit.Skip();
  EXPECT_TRUE(at_limit.ok());
  const std::string deeper = std::string(kCborDepthMax + 1, '\x81') + '\0';
  CborReader beyond(deeper);
  beyond.Skip();
  EXPECT_FALSE(beyond.ok());
}

TEST(CborTest, EveryBytesIsReadOrRefusedWithinItsBounds) {
  RandomForTest random;
  for (int round = 0; round < 20000; ++round) {
    const PlacedForTest placed(random.Bytes(random.Below(40)), random.Below(9));
    CborReader cbor(placed.view());
    while (cbor.ok() && !cbor.AtEnd()) cbor.Skip();
    ASSERT_LE(cbor.offset(), placed.view().size());
  }
}

TEST(CborTest, WritesDefiniteAndIndefiniteItems) {
  EXPECT_EQ(Written([](CborWriter& cbor) {
              cbor.BeginMap(2).Text("a").Bytes("\x01").Text("b").BeginArray(2).Bool(true).Null();
            }),
            "a2616141016162"
            "82f5f6");
  EXPECT_EQ(Written([](CborWriter& cbor) {
              cbor.BeginMap().Text("a").BeginArray().Double(1.1).Float(1.5f).Break().Break();
            }),
            "bf61619ffb3ff199999999999afa3fc00000ffff");
  EXPECT_EQ(Written([](CborWriter& cbor) {
              cbor.BeginText().Text("a").Break().BeginBytes().Bytes("b").Break().Uint(UINT64_MAX);
            }),
            "7f6161ff5f4162ff1bffffffffffffffff");
}

}  // namespace
}  // namespace millstream::codec
