#include "analytics/stored_application.h"

#include <gtest/gtest.h>

namespace millstream::analytics {
namespace {

StoredApplication Whole() {
  StoredApplication a;
  a.key = {"000000000000", "us-east-1", "app"};
  a.directory = "d";
  a.runs = true;
  Definition& d = a.definition;
  d.name = "app";
  d.description = "what \"it\" does";
  d.code = "CREATE STREAM s (a INTEGER);\n";
  d.service_execution_role = "role";
  d.version = 12;
  d.created_ms = 1'700'000'000'000;
  d.updated_ms = 1'700'000'001'000;
  d.tags = {{"k", "v"}};
  Input input;
  input.id = "1.1";
  input.name_prefix = "S";
  input.resource = "arn:aws:kinesis:us-east-1:000000000000:stream/in";
  input.processor = RecordProcessor{"lambda", "role"};
  input.schema.format = sql::InputSchema::Format::kCsv;
  input.schema.column_delimiter = "|";
  input.schema.columns = {{"a", "INTEGER", ""}};
  input.parallelism = 4;
  input.starting_position = StartingPosition::kTrimHorizon;
  d.inputs = {input};
  Output output;
  output.id = "1.2";
  output.name = "OUT";
  output.kind = Output::Kind::kFunction;
  output.resource = "f";
  output.format = Output::Format::kCsv;
  d.outputs = {output};
  ReferenceDataSource table;
  table.id = "2.1";
  table.table_name = "T";
  table.bucket_arn = "arn:aws:s3:::b";
  table.file_key = "k";
  table.schema.columns = {{"x", "VARCHAR(4)", "$.x"}};
  d.reference_tables = {table};
  d.logging_options = {{"3.1", "log", "role"}};
  return a;
}

TEST(StoredApplicationTest, ReadsBackWhatItWrote) {
  std::string json = EncodeApplication(Whole());
  auto decoded = DecodeApplication(json);
  ASSERT_TRUE(decoded) << decoded.error().message();
  EXPECT_EQ(EncodeApplication(*decoded), json);
  EXPECT_TRUE(decoded->runs);
  EXPECT_EQ(decoded->definition.inputs[0].schema.column_delimiter, "|");
  EXPECT_EQ(decoded->definition.inputs[0].starting_position, StartingPosition::kTrimHorizon);
  EXPECT_EQ(decoded->definition.outputs[0].kind, Output::Kind::kFunction);
  EXPECT_EQ(decoded->definition.version, 12);
}

TEST(StoredApplicationTest, RefusesWhatIsNoApplication) {
  EXPECT_FALSE(DecodeApplication("{"));
  EXPECT_FALSE(DecodeApplication("[]"));
  EXPECT_FALSE(DecodeApplication("{}"));
}

}  // namespace
}  // namespace millstream::analytics
