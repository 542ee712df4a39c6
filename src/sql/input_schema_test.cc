#include "sql/input_schema.h"

#include <gtest/gtest.h>

#include "sql/application.h"
#include "sql/cast.h"
#include "sql/output_format.h"

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
    std::string type = c.type;
    if (type == "INTEGER") column.type = MakeType(Kind::kInteger);
    if (type == "DOUBLE") column.type = MakeType(Kind::kDouble);
    if (type == "BOOLEAN") column.type = MakeType(Kind::kBoolean);
    if (type == "TIMESTAMP") column.type = MakeType(Kind::kTimestamp);
    if (type == "VARCHAR(4)") column.type = Varchar(4);
    if (type == "VARCHAR(64)") column.type = Varchar(64);
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

TEST(InputMapperTest, ReadsCsv) {
  InputSchema schema;
  schema.format = InputSchema::Format::kCsv;
  schema.columns = {{"A", "VARCHAR(64)", ""}, {"B", "INTEGER", ""}};
  Mapped m = MapAll(schema, {"x,1,more\n\"a,\"\"b\",\r\nshort\nbad,x"});
  EXPECT_EQ(m.rows, (std::vector<std::string>{R"({"A":"x","B":1})", R"({"A":"a,\"b","B":null})",
                                              R"({"A":"short","B":null})"}));
  EXPECT_EQ(m.errors, (std::vector<std::string>{"column B: 'x' is no INTEGER"}));
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
