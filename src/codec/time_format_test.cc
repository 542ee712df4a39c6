#include "codec/time_format.h"

#include <gtest/gtest.h>

#include <ctime>

#include "codec/random_for_test.h"

namespace millstream::codec {
namespace {

constexpr int64_t kNov1994 = 784111777000;

TEST(TimeFormatTest, FormatsKnownInstants) {
  EXPECT_EQ(FormatHttpDate(kNov1994), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(FormatIso8601Basic(kNov1994), "19941106T084937Z");
  EXPECT_EQ(FormatIso8601(kNov1994 + 7), "1994-11-06T08:49:37.007Z");
  EXPECT_EQ(FormatIso8601Seconds(kNov1994), "1994-11-06T08:49:37Z");
  EXPECT_EQ(FormatIso8601(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(FormatIso8601(INT64_MAX), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(FormatIso8601(INT64_MIN), "0000-01-01T00:00:00.000Z");
}

TEST(TimeFormatTest, AgreesWithTheCLibraryAndReadsItselfBack) {
  RandomForTest random;
  for (int round = 0; round < 20000; ++round) {
    const int64_t ms = static_cast<int64_t>(random.Below(315537897599999)) - 62135596800000;
    const CivilTime civil = ToCivil(ms);
    ASSERT_EQ(FromCivil(civil), ms);
    const time_t seconds = (ms - civil.millisecond) / 1000;
    std::tm tm;
    gmtime_r(&seconds, &tm);
    ASSERT_EQ(civil, (CivilTime{tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                                tm.tm_sec, civil.millisecond, tm.tm_wday}));
    const int64_t whole = seconds * 1000;
    ASSERT_EQ(ParseIso8601Basic(FormatIso8601Basic(ms)), whole);
    ASSERT_EQ(ParseHttpDate(FormatHttpDate(ms)), whole);
    ASSERT_EQ(ParseIso8601(FormatIso8601(ms)), ms);
    ASSERT_EQ(ParseIso8601(FormatIso8601Seconds(ms)), whole);
    char text[kEpochSecondsSizeMax];
    ASSERT_EQ(
        ParseEpochSeconds({text, static_cast<std::size_t>(FormatEpochSeconds(ms, text) - text)}),
        ms);
  }
}

TEST(TimeFormatTest, ReadsTheFormsOfIso8601) {
  EXPECT_EQ(ParseIso8601("1994-11-06"), kNov1994 - (8 * 3600 + 49 * 60 + 37) * 1000);
  EXPECT_EQ(ParseIso8601("1994-11-06 08:49:37"), kNov1994);
  EXPECT_EQ(ParseIso8601("1994-11-06T08:49Z"), kNov1994 - 37000);
  EXPECT_EQ(ParseIso8601("1994-11-06T08:49:37.1239Z"), kNov1994 + 123);
  EXPECT_EQ(ParseIso8601("1994-11-06T10:49:37+02:00"), kNov1994);
  EXPECT_EQ(ParseIso8601("1994-11-06T03:19:37-0530"), kNov1994);
  EXPECT_EQ(ParseIso8601("2024-02-29T00:00:00Z"), 1709164800000);
  for (const std::string_view bad :
       {"", "1994", "1994-13-01", "1994-00-01", "2023-02-29", "1994-11-31", "1994-11-06T",
        "1994-11-06T24:00:00Z", "1994-11-06T08:60:00Z", "1994-11-06T08:49:37.Z",
        "1994-11-06T08:49:37Zx", "1994-11-06T08:49:37+2", "1994-11-06T08:49:37+24:00",
        "1994-11-06x08:49:37Z", "-994-11-06"}) {
    EXPECT_FALSE(ParseIso8601(bad)) << bad;
  }
}

TEST(TimeFormatTest, SigV4DatesAndHttpDatesAreReadExactly) {
  EXPECT_EQ(ParseIso8601Basic("20260101T000000Z"), 1767225600000);
  for (const std::string_view bad : {"", "20260101T000000", "2026-01-01T00:00:00Z",
                                     "20261301T000000Z", "20260101 000000Z", "20260101T000000z"}) {
    EXPECT_FALSE(ParseIso8601Basic(bad)) << bad;
  }
  for (const std::string_view bad :
       {"", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 ovD 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT"}) {
    EXPECT_FALSE(ParseHttpDate(bad)) << bad;
  }
}

TEST(TimeFormatTest, EpochSecondsKeepMillisecondsExactly) {
  const auto text_of = [](int64_t ms) {
    char text[kEpochSecondsSizeMax];
    return std::string(text, FormatEpochSeconds(ms, text));
  };
  EXPECT_EQ(text_of(1700000000000), "1700000000");
  EXPECT_EQ(text_of(1700000000120), "1700000000.12");
  EXPECT_EQ(text_of(-1), "-0.001");
  EXPECT_EQ(text_of(INT64_MIN), "-9223372036854775.808");
  EXPECT_EQ(ParseEpochSeconds("1700000000.123"), 1700000000123);
  EXPECT_EQ(ParseEpochSeconds("1.7e9"), 1700000000000);
  EXPECT_EQ(ParseEpochSeconds("1700000000123e-3"), 1700000000123);
  EXPECT_EQ(ParseEpochSeconds("17E+8"), 1700000000000);
  EXPECT_EQ(ParseEpochSeconds("0.0005"), 1);
  EXPECT_EQ(ParseEpochSeconds("0.00049"), 0);
  EXPECT_EQ(ParseEpochSeconds("-1.5"), -1500);
  EXPECT_EQ(ParseEpochSeconds("1" + std::string(20, '0')), std::nullopt);
  EXPECT_EQ(ParseEpochSeconds("1" + std::string(50, '0') + "e-50"), 1000);
  EXPECT_EQ(ParseEpochSeconds("1." + std::string(60, '3')), 1333);
  EXPECT_EQ(ParseEpochSeconds("1e999999999"), std::nullopt);
  EXPECT_EQ(ParseEpochSeconds("1e-999999999"), 0);
  EXPECT_EQ(ParseEpochSeconds("0e999999999"), 0);
  for (const std::string_view bad : {"", "-", ".5", "1.", "1e", "1e+", "x", "1x", " 1", "NaN"}) {
    EXPECT_FALSE(ParseEpochSeconds(bad)) << bad;
  }
}

}  // namespace
}  // namespace millstream::codec
