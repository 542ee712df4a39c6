#include "sql/input_schema.h"

#include <gtest/gtest.h>

#include "sql/application.h"
#include "sql/cast.h"
#include "sql/output_format.h"
#include "sql/parser.h"

namespace millstream::sql {
namespace {

// Maps records and gives the rows as JSON, and the errors.
struct Mapped {
  std::vector<std::string> rows;
  std::vector<std::string> errors;
};

Mapped MapAll(const InputSchema& schema, const std::vector<std::string>& records) {
  Mapped mapped;
  std::vector<PlanColumn> columns;
  for (const MappedColumn& c : schema.columns) {
    PlanColumn column;
    column.name = c.name;
    column.type = ParseType(c.type);
    columns.push_back(column);
  }
  auto mapper = InputMapper::Create(
      schema, true,
      [&](const Batch& rows) {
        for (int i = 0; i < rows.rows; ++i) AppendJsonRow(columns, rows, i, mapped.rows.emplace_back());
      },
      [&](std::string message, int64_t, std::string_view) { mapped.errors.push_back(message); });
  EXPECT_TRUE(mapper) << mapper.error().message();
  RecordFacts facts;
  for (const std::string& record : records) (*mapper)->Map(record, facts);
  (*mapper)->Flush();
  return mapped;
}

TEST(InputMapperTest, CoercesAsTheSchemaPageSays) {
  InputSchema schema;
  schema.columns = {{"I", "INTEGER", "$.i"}, {"D", "DOUBLE", "$.d"}, {"S", "VARCHAR(4)", "$.s"},
                    {"B", "BOOLEAN", "$.b"}, {"T", "TIMESTAMP", "$.t"}};
  Mapped m = MapAll(schema, {R"({"i":1,"d":2.5,"s":"toolong","b":true,"t":"2026-01-02T03:04:05.678Z"})",
                             R"({"t":null,"b":"TRUE","s":true,"d":"7","i":"8"})",
                             R"({"other":{"x":[1,2]},"s":{"k" : [1]},"i":true})",
                             R"({"i":123.4})", R"({"i":99999999999})", R"(not json)"});
  ASSERT_EQ(m.rows.size(), 3u);
  EXPECT_EQ(m.rows[0], R"({"I":1,"D":2.5,"S":"tool","B":true,"T":"2026-01-02 03:04:05.678"})");
  EXPECT_EQ(m.rows[1], R"({"I":8,"D":7,"S":"true","B":true,"T":null})");
  EXPECT_EQ(m.rows[2].substr(0, 8), R"({"I":1,")");
  ASSERT_EQ(m.errors.size(), 3u);
  EXPECT_EQ(m.errors[0], "column I: '123.4' is no INTEGER");
}

TEST(InputMapperTest, ReadsSeveralDocumentsOfOneRecord) {
  InputSchema schema;
  schema.columns = {{"I", "INTEGER", "$.i"}};
  Mapped m = MapAll(schema, {"{\"i\":1}{\"i\":2}\n{\"i\":3}\n"});
  EXPECT_EQ(m.rows, (std::vector<std::string>{R"({"I":1})", R"({"I":2})", R"({"I":3})"}));
}

TEST(InputMapperTest, ExplodesArraysAndRowPaths) {
  InputSchema schema;
  schema.columns = {{"A", "VARCHAR(64)", "$.a.b"}, {"X", "INTEGER", "$.list[0:].x"},
                    {"W", "VARCHAR(64)", "$.list[0:]"}};
  Mapped m = MapAll(schema, {R"({"a":{"b":"q"},"list":[{"x":1},{"x":2}]})", R"({"a":{"b":"z"},"list":[]})"});
  EXPECT_EQ(m.rows, (std::vector<std::string>{
                        R"({"A":"q","X":1,"W":"[{\"x\":1},{\"x\":2}]"})",
                        R"({"A":"q","X":2,"W":"[{\"x\":1},{\"x\":2}]"})", R"({"A":"z","X":null,"W":"[]"})"}));
  InputSchema rows;
  rows.row_path = "$.Records[0:]";
  rows.columns = {{"X", "INTEGER", "$.x"}};
  EXPECT_EQ(MapAll(rows, {R"({"Records":[{"x":1},{"x":2}]})"}).rows,
            (std::vector<std::string>{R"({"X":1})", R"({"X":2})"}));
}

// documented: "Working with JSONPath", the page's record (which lacks braces and a comma there). Its
// blanks are not in the text that the page shows for the array.
constexpr const char* kCustomer =
    R"({"customerName":"John Doe","address":{"streetAddress":{"number":"123","street":"AnyStreet"},)"
    R"("city":"Anytown"},"orders": [ { "orderId":"23284", "itemName":"Widget", "itemPrice":"33.99" }, )"
    R"({"orderId":"63122","itemName":"Gadget","itemPrice":"22.50"},)"
    R"({"orderId":"77284","itemName":"Sprocket","itemPrice":"12.00"}],"tags":["a","b"]})";

TEST(InputMapperTest, ReadsThePathsOfTheJsonPathPage) {
  InputSchema schema;
  schema.columns = {{"A", "VARCHAR(64)", "$.customerName"}, {"B", "VARCHAR(64)", "$.customername"},
                    {"C", "VARCHAR(64)", "$.customerId"},   {"D", "VARCHAR(64)", "$.address.city"},
                    {"E", "VARCHAR(64)", "$.address.streetAddress.street"}};
  EXPECT_EQ(MapAll(schema, {kCustomer}).rows,
            (std::vector<std::string>{
                R"({"A":"John Doe","B":null,"C":null,"D":"Anytown","E":"AnyStreet"})"}));
  schema.columns = {{"ALL_OF_IT", "VARCHAR(256)", "$.orders[0:]"}};
  EXPECT_EQ(MapAll(schema, {kCustomer}).rows,
            (std::vector<std::string>{
                R"({"ALL_OF_IT":"[{\"orderId\":\"23284\",\"itemName\":\"Widget\",\"itemPrice\":\"33.99\"},)"
                R"({\"orderId\":\"63122\",\"itemName\":\"Gadget\",\"itemPrice\":\"22.50\"},)"
                R"({\"orderId\":\"77284\",\"itemName\":\"Sprocket\",\"itemPrice\":\"12.00\"}]"})"}));
  schema.columns = {{"NAME", "VARCHAR(64)", "$.customerName"},
                    {"ID", "INTEGER", "$.orders[0:].orderId"},
                    {"TAGS", "VARCHAR(64)", "$.tags[0:]"}};
  EXPECT_EQ(MapAll(schema, {kCustomer}).rows,
            (std::vector<std::string>{
                R"({"NAME":"John Doe","ID":23284,"TAGS":"[\"a\",\"b\"]"})",
                R"({"NAME":"John Doe","ID":63122,"TAGS":"[\"a\",\"b\"]"})",
                R"({"NAME":"John Doe","ID":77284,"TAGS":"[\"a\",\"b\"]"})"}));
  // Missing elements are NULLs; of an array there is always a row.
  schema.columns = {{"ID", "INTEGER", "$.orders[0:].itemId"}};
  EXPECT_EQ(MapAll(schema, {kCustomer, R"({"orders":[]})"}).rows,
            std::vector<std::string>(4, R"({"ID":null})"));
}

TEST(InputMapperTest, FlattensOneArrayOneLevelDeep) {
  auto create = [](std::vector<MappedColumn> columns) {
    InputSchema schema;
    schema.columns = std::move(columns);
    auto nothing = [](std::string, int64_t, std::string_view) {};
    return InputMapper::Create(schema, true, [](const Batch&) {}, nothing).has_value();
  };
  EXPECT_TRUE(create({{"A", "INTEGER", "$.one[0:].x"}, {"B", "VARCHAR(64)", "$.two[0:]"}}));
  EXPECT_FALSE(create({{"A", "INTEGER", "$.one[0:].x"}, {"B", "INTEGER", "$.two[0:].x"}}));
  EXPECT_FALSE(create({{"A", "INTEGER", "$.one[0:].x[0:].y"}}));
}

// documented: "Mapping JSON Data Types to SQL Data Types". Binaries are shown in base64.
TEST(InputMapperTest, ConvertsAsTheMappingPageSays) {
  struct Case {
    const char *type, *value, *result;  // nullptr: a coercion error
  };
  constexpr Case kCases[] = {
      {"INTEGER", "null", "null"},
      {"VARCHAR(64)", "null", "null"},
      {"TIMESTAMP", "null", "null"},
      {"BOOLEAN", "null", "null"},
      {"INTEGER", "true", "1"},
      {"INTEGER", "false", "0"},
      {"DECIMAL(5,2)", "true", "1.00"},
      {"DOUBLE", "false", "0"},
      {"VARBINARY(4)", "true", "\"AQ==\""},
      {"VARBINARY(4)", "false", "\"AA==\""},
      {"BINARY(4)", "true", "\"AAAAAQ==\""},
      {"BINARY(4)", "false", "\"AAAAAA==\""},
      {"BOOLEAN", "true", "true"},
      {"BOOLEAN", "false", "false"},
      {"VARCHAR(64)", "true", "\"true\""},
      {"VARCHAR(2)", "false", "\"fa\""},
      {"DATE", "true", nullptr},
      {"TIME", "true", nullptr},
      {"TIMESTAMP", "true", nullptr},
      {"INTEGER", "67321", "67321"},
      {"INTEGER", "123.4", nullptr},
      {"SMALLINT", "67321", nullptr},
      {"DECIMAL(5,2)", "67321", nullptr},
      {"DECIMAL(5,2)", "84.51", "84.51"},
      {"VARBINARY(4)", "1", nullptr},
      {"BINARY(4)", "1", nullptr},
      {"BOOLEAN", "0", "false"},
      {"BOOLEAN", "-7", "true"},
      {"VARCHAR(64)", "67321", "\"67321\""},
      {"VARCHAR(64)", "123.4", "\"123.4\""},
      {"DATE", "1", nullptr},
      {"TIME", "1", nullptr},
      {"TIMESTAMP", "1", nullptr},
      {"INTEGER", "\"67321\"", "67321"},
      {"INTEGER", "\"John Doe\"", nullptr},
      {"VARBINARY(4)", "\"X'3F67A23A'\"", "\"P2eiOg==\""},
      {"VARBINARY(4)", "\"X'3F67A23'\"", nullptr},
      {"VARBINARY(4)", "\"John\"", nullptr},
      {"BOOLEAN", "\"TrUe\"", "true"},
      {"BOOLEAN", "\"yes\"", "false"},
      {"VARCHAR(64)", "\"John Doe\"", "\"John Doe\""},
      {"VARCHAR(4)", "\"John Doe\"", "\"John\""},
      {"DATE", "\"1992-02-14\"", "\"1992-02-14\""},
      {"TIMESTAMP", "\"1992-02-14 18:35:44.0\"", "\"1992-02-14 18:35:44.000\""},
      {"TIMESTAMP", "\"February 14\"", nullptr},
      {"DATE", "\"February 14\"", nullptr},
      {"VARCHAR(64)", "[1, {\"a\": 2}]", "\"[1,{\\\"a\\\":2}]\""},
      {"VARCHAR(64)", "{\"a\": 2}", "\"{\\\"a\\\":2}\""},
      {"INTEGER", "[1]", nullptr},
      {"BOOLEAN", "{}", nullptr},
      {"TIMESTAMP", "[]", nullptr},
  };
  for (const Case& c : kCases) {
    InputSchema schema;
    schema.columns = {{"V", c.type, "$.v"}};
    Mapped m = MapAll(schema, {"{\"v\":" + std::string(c.value) + "}"});
    SCOPED_TRACE(std::string(c.value) + " to " + c.type);
    if (c.result == nullptr) {
      EXPECT_TRUE(m.rows.empty());
      EXPECT_EQ(m.errors.size(), 1u);
    } else {
      EXPECT_EQ(m.rows, (std::vector<std::string>{"{\"V\":" + std::string(c.result) + "}"}));
      EXPECT_TRUE(m.errors.empty());
    }
  }
}

// documented: "Exploring the In-Application Error Stream", a parse error.
TEST(InputMapperTest, TickersAreNoIntegers) {
  InputSchema schema;
  schema.columns = {{"TICKER_SYMBOL", "INTEGER", "$.TICKER_SYMBOL"}};
  Mapped m = MapAll(schema, {R"({"TICKER_SYMBOL":"AMZN"})"});
  EXPECT_TRUE(m.rows.empty());
  EXPECT_EQ(m.errors, (std::vector<std::string>{"column TICKER_SYMBOL: 'AMZN' is no INTEGER"}));
}

TEST(InputMapperTest, ReadsCsv) {
  InputSchema schema;
  schema.format = InputSchema::Format::kCsv;
  schema.columns = {{"A", "VARCHAR(64)", ""}, {"B", "INTEGER", ""}};
  Mapped m = MapAll(schema, {"x,1,more\n\"a,\"\"b\",\r\nshort\nbad,x"});
  EXPECT_EQ(m.rows, (std::vector<std::string>{R"({"A":"x","B":1})", R"({"A":"a,\"b","B":null})",
                                              R"({"A":"short","B":null})"}));
  EXPECT_EQ(m.errors, (std::vector<std::string>{"column B: 'x' is no INTEGER"}));
}

TEST(InputMapperTest, TakesDelimitersWithTheirBackslash) {
  InputSchema schema;
  schema.format = InputSchema::Format::kCsv;
  schema.columns = {{"A", "VARCHAR(64)", ""}, {"B", "INTEGER", ""}};
  schema.column_delimiter = R"(\t)";
  schema.row_delimiter = R"(\r\n)";
  Mapped m = MapAll(schema, {"x\t1\r\n\\y\t2\r\n"});
  EXPECT_EQ(m.rows, (std::vector<std::string>{R"({"A":"x","B":1})", R"({"A":"\\y","B":2})"}));
  EXPECT_TRUE(m.errors.empty());
}

TEST(OutputFormatTest, QuotesCsvWhereNeeded) {
  RowBuffer rows({Physical::kString, Physical::kDouble});
  rows.column(0).strings()[0] = "a,\"b";
  rows.column(1).doubles()[0] = 1.5;
  rows.Commit(0);
  std::string out;
  AppendCsvRow({{"A", Varchar(9), false, nullptr}, {"B", MakeType(Kind::kDouble), false, nullptr}},
               rows.view(), 0, ",", out);
  EXPECT_EQ(out, "\"a,\"\"b\",1.5");
}

}  // namespace
}  // namespace millstream::sql
