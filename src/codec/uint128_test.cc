#include "codec/uint128.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "codec/random_for_test.h"

namespace millstream::codec {
namespace {

// Schoolbook division by ten, a bit at a time.
std::string SlowDecimal(Uint192 value) {
  std::string digits;
  uint64_t words[3] = {value.high, value.middle, value.low};
  do {
    unsigned rest = 0;
    for (uint64_t& word : words) {
      uint64_t quotient = 0;
      for (int bit = 63; bit >= 0; --bit) {
        rest = rest * 2 + (word >> bit & 1);
        quotient = quotient * 2 + rest / 10;
        rest %= 10;
      }
      word = quotient;
    }
    digits.push_back(static_cast<char>('0' + rest));
  } while ((words[0] | words[1] | words[2]) != 0);
  std::reverse(digits.begin(), digits.end());
  return digits;
}

uint64_t OddWord(RandomForTest& random) {
  switch (random.Below(6)) {
    case 0:
      return 0;
    case 1:
      return UINT64_MAX - random.Below(3);
    case 2:
      return 10'000'000'000'000'000'000u - 1 + random.Below(3);
    case 3:
      return uint64_t{1} << random.Below(64);
    default:
      return random.Next() >> random.Below(64);
  }
}

TEST(Uint192Test, FormatsAndParsesAsSchoolbookDivisionDoes) {
  RandomForTest random;
  for (int round = 0; round < 20000; ++round) {
    const Uint192 value{OddWord(random), OddWord(random), OddWord(random)};
    const std::string text = ToDecimal(value);
    ASSERT_EQ(text, SlowDecimal(value));
    ASSERT_EQ(ParseUint192(text), value) << text;
    ASSERT_EQ(ParseUint192("000" + text), value) << text;
  }
}

TEST(Uint192Test, FormatsASequenceNumberInItsKnown56Digits) {
  const std::string text = "49590338271490256608559692538361571095921575989136588898";
  const std::optional<Uint192> value = ParseUint192(text);
  ASSERT_TRUE(value);
  EXPECT_EQ(ToDecimal(*value), text);
  EXPECT_EQ(value->high >> 56, 2u);  // version 2 in bits 184 and 185
}

TEST(Uint192Test, ComparesAsANumber) {
  EXPECT_LT((Uint192{0, UINT64_MAX, UINT64_MAX}), (Uint192{1, 0, 0}));
  EXPECT_LT((Uint192{1, 0, 5}), (Uint192{1, 0, 6}));
}

TEST(Uint192Test, TheLargestValueFitsAndTheNextDoesNot) {
  const std::string largest = "6277101735386680763835789423207666416102355444464034512895";
  EXPECT_EQ(ToDecimal(Uint192{UINT64_MAX, UINT64_MAX, UINT64_MAX}), largest);
  EXPECT_EQ(largest.size(), kUint192DigitsMax);
  EXPECT_TRUE(ParseUint192(largest));
  EXPECT_FALSE(ParseUint192("6277101735386680763835789423207666416102355444464034512896"));
  EXPECT_FALSE(ParseUint192(std::string(80, '9')));
}

TEST(Uint128Test, FormatsAndParsesHashKeys) {
  RandomForTest random;
  for (int round = 0; round < 20000; ++round) {
    const uint64_t high = OddWord(random);
    const uint64_t low = OddWord(random);
    const std::string text = ToDecimal(MakeUint128(high, low));
    ASSERT_EQ(text, SlowDecimal({0, high, low}));
    ASSERT_TRUE(ParseUint128(text) == MakeUint128(high, low)) << text;
  }
  EXPECT_EQ(ToDecimal(kUint128Max), "340282366920938463463374607431768211455");
  EXPECT_FALSE(ParseUint128("340282366920938463463374607431768211456"));
}

TEST(Uint128Test, ParsesDigitsOnly) {
  for (const std::string_view text : {"", "-1", "+1", " 1", "1 ", "1.0", "0x1", "1e3", "12:4"}) {
    EXPECT_FALSE(ParseUint128(text)) << text;
    EXPECT_FALSE(ParseUint192(text)) << text;
  }
}

TEST(Uint128Test, FormatsEveryWidthOf64Bits) {
  uint64_t value = 1;
  for (int digits = 1; digits <= 20; ++digits, value *= 10) {
    char text[20];
    EXPECT_EQ(std::string(text, FormatUint64(value, text)), std::to_string(value));
    EXPECT_EQ(std::string(text, FormatUint64(value - 1, text)), std::to_string(value - 1));
  }
  char text[20];
  EXPECT_EQ(std::string(text, FormatUint64(UINT64_MAX, text)), std::to_string(UINT64_MAX));
}

}  // namespace
}  // namespace millstream::codec
