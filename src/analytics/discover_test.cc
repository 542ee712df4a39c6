#include "analytics/discover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sql/application.h"

namespace millstream::analytics {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

DiscoveredSchema Discover(std::vector<std::string_view> records, DiscoverOptions options = {}) {
  auto found = DiscoverSchema(records, options);
  EXPECT_TRUE(found) << found.error().message();
  return found ? *found : DiscoveredSchema{};
}

std::vector<std::string> Columns(const DiscoveredSchema& found) {
  std::vector<std::string> out;
  for (const auto& c : found.schema.columns) out.push_back(c.name + " " + c.type + " " + c.mapping);
  return out;
}

using Row = std::vector<std::optional<std::string>>;
constexpr std::nullopt_t kNothing = std::nullopt;

// The column names of the discovery page.
TEST(DiscoverTest, RenamesWhatSqlCannotName) {
  EXPECT_EQ(DiscoveredColumnName("USER", 3), "COL_USER");
  EXPECT_EQ(DiscoveredColumnName("user", 3), "COL_user");
  EXPECT_EQ(DiscoveredColumnName("USER@DOMAIN", 3), "COL_USERDOMAIN");
  EXPECT_EQ(DiscoveredColumnName("@@", 0), "COL_0");
  EXPECT_EQ(DiscoveredColumnName("4th", 0), "COL_4th");
  EXPECT_EQ(DiscoveredColumnName("ticker", 0), "ticker");
  EXPECT_EQ(DiscoveredColumnName(std::string(101, 'a'), 0), "COL_" + std::string(96, 'a'));
}

// The example of the mapping page.
TEST(DiscoverTest, JsonTypesAreTheSmallestThatFit) {
  auto found =
      Discover({R"({"TICKER_SYMBOL":"QXZ","SECTOR":"HEALTHCARE","CHANGE":-3,"PRICE":84.51})",
                R"({"TICKER_SYMBOL":"TGT","SECTOR":"RETAIL","CHANGE":2,"PRICE":116.4})"});
  EXPECT_THAT(Columns(found),
              ElementsAre("TICKER_SYMBOL VARCHAR(4) $.TICKER_SYMBOL", "SECTOR VARCHAR(16) $.SECTOR",
                          "CHANGE TINYINT $.CHANGE", "PRICE DECIMAL(5,2) $.PRICE"));
  EXPECT_EQ(found.schema.row_path, "$");
  EXPECT_THAT(found.rows, ElementsAre(Row{"QXZ", "HEALTHCARE", "-3", "84.51"},
                                      Row{"TGT", "RETAIL", "2", "116.4"}));
}

TEST(DiscoverTest, WideTypesLeaveRoom) {
  auto found = Discover({R"({"a":"x","b":1,"c":1.5,"d":true,"e":"2026-01-01T00:00:00Z","f":null})"},
                        {.wide = true});
  EXPECT_THAT(Columns(found),
              ElementsAre("a VARCHAR(65535) $.a", "b BIGINT $.b", "c DOUBLE $.c", "d BOOLEAN $.d",
                          "e TIMESTAMP $.e", "f VARCHAR(65535) $.f"));
}

TEST(DiscoverTest, IntegersGrow) {
  auto found =
      Discover({R"({"a":127,"b":128,"c":40000,"d":3000000000,"e":1e3,"f":99999999999999999999})"});
  EXPECT_THAT(Columns(found), ElementsAre("a TINYINT $.a", "b SMALLINT $.b", "c INTEGER $.c",
                                          "d BIGINT $.d", "e DOUBLE $.e", "f DOUBLE $.f"));
}

// The S3 example: a header, reserved names, \r\n, VARCHAR sizes without the header's.
TEST(DiscoverTest, CsvWithHeader) {
  auto found =
      Discover({"year,month,state,producer_type,energy_source,units,consumption\r\n"
                "2001,1,AK,TotalElectricPowerIndustry,Coal,ShortTons,47615\r\n"
                "2001,1,AK,ElectricGeneratorsElectricUtilities,Coal,ShortTons,16535\r\n"
                "2001,1,AL,TotalElectricPowerIndustry,Coal,ShortTons,3020601"});
  EXPECT_EQ(found.schema.format, sql::InputSchema::Format::kCsv);
  EXPECT_EQ(found.schema.row_delimiter, "\r\n");
  EXPECT_TRUE(found.has_header);
  EXPECT_THAT(Columns(found),
              ElementsAre("COL_year INTEGER ", "COL_month INTEGER ", "state VARCHAR(4) ",
                          "producer_type VARCHAR(64) ", "energy_source VARCHAR(4) ",
                          "units VARCHAR(16) ", "consumption INTEGER "));
  ASSERT_EQ(found.rows.size(), 4u);
  EXPECT_EQ(found.rows[0], (Row{kNothing, kNothing, "state", "producer_type", "energy_source",
                                "units", kNothing}));
  EXPECT_EQ(found.rows[3],
            (Row{"2001", "1", "AL", "TotalElectricPowerIndustry", "Coal", "ShortTons", "3020601"}));
}

TEST(DiscoverTest, CsvWithoutHeaderNumbersItsColumns) {
  auto found = Discover(
      {"a|2026-01-01 10:00:00|1.5", "b|2026-01-01 10:00:01|", "\"x|y\"|2026-01-01 10:00:02|2"});
  EXPECT_EQ(found.schema.column_delimiter, "|");
  EXPECT_FALSE(found.has_header);
  EXPECT_THAT(Columns(found),
              ElementsAre("COL_0 VARCHAR(4) ", "COL_1 TIMESTAMP ", "COL_2 DECIMAL(2,1) "));
  EXPECT_EQ(found.rows[2], (Row{"x|y", "2026-01-01 10:00:02", "2"}));
  EXPECT_EQ(found.rows[1][2], std::nullopt);
}

TEST(DiscoverTest, NestedMembersTwoLevelsDeep) {
  auto found = Discover(
      {R"({"name":"John","address":{"name":"home","geo":{"lat":1.5,"deep":{"x":1}}},"orders":[{"id":1}]})"});
  EXPECT_THAT(Columns(found),
              ElementsAre("name VARCHAR(4) $.name", "address_name VARCHAR(4) $.address.name",
                          "lat DECIMAL(2,1) $.address.geo.lat",
                          "deep VARCHAR(8) $.address.geo.deep", "orders VARCHAR(16) $.orders[0:]"));
  EXPECT_EQ(found.rows[0][4], R"([{"id":1}])");
}

TEST(DiscoverTest, RowsMayBeInsideAnArray) {
  EXPECT_EQ(Discover({R"({"Records":[{"a":1},{"a":2}]})"}).schema.row_path, "$.Records");
  EXPECT_EQ(Discover({R"({"Records":[{"a":1},{"a":2}]})"}).rows.size(), 2u);
  EXPECT_EQ(Discover({R"([{"a":1},{"a":2}])", R"({"a":3}{"a":4})"}).rows.size(), 4u);
}

TEST(DiscoverTest, AMemberThatChangesItsTypeIsText) {
  auto found = Discover({R"({"a":1,"b":true,"c":"2026-01-01 00:00:00"})",
                         R"({"a":"one","b":2,"c":3})", R"({"d":null})"});
  EXPECT_THAT(Columns(found), ElementsAre("a VARCHAR(4) $.a", "b VARCHAR(4) $.b",
                                          "c VARCHAR(32) $.c", "d VARCHAR(4) $.d"));
}

TEST(DiscoverTest, WhatIsNeitherIsRefused) {
  std::string_view nothing[] = {"just words", "and more, words"};
  auto found = DiscoverSchema(nothing);
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message(), HasSubstr("neither JSON nor lines"));
  std::string_view broken[] = {"{\"a\":", "{]"};
  EXPECT_THAT(DiscoverSchema(broken).error().message(), HasSubstr("look like JSON"));
  EXPECT_FALSE(DiscoverSchema({}));
}

// What was discovered reads the sample back.
TEST(DiscoverTest, TheSchemaReadsTheRecords) {
  std::string_view records[] = {R"({"a.b":1,"t":"2026-01-01T10:00:00.5Z","n":{"x":-1.25}})"};
  auto found = DiscoverSchema(records);
  ASSERT_TRUE(found);
  int rows = 0;
  auto mapper = sql::InputMapper::Create(
      found->schema, false,
      [&](const sql::Batch& batch) {
        rows += batch.rows;
        EXPECT_EQ(batch.columns[0]->ints()[0], 1);
        EXPECT_EQ(batch.columns[1]->ints()[0] % 60000, 500);
        EXPECT_EQ(batch.columns[2]->ints()[0], -125);
      },
      [](std::string message, int64_t, std::string_view) { ADD_FAILURE() << message; });
  ASSERT_TRUE(mapper) << mapper.error().message();
  (*mapper)->Map(records[0], {});
  (*mapper)->Flush();
  EXPECT_EQ(rows, 1);
}

}  // namespace
}  // namespace millstream::analytics
