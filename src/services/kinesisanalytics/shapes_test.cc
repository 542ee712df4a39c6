// Shapes of both versions of the API to definitions and back.
#include "services/kinesisanalytics/shapes.h"

#include <gtest/gtest.h>

#include "aws/generated/kinesisanalytics.h"
#include "aws/generated/kinesisanalyticsv2.h"

namespace millstream::services::kinesisanalytics {
namespace {

namespace v1 = aws::kinesisanalytics;
namespace v2 = aws::kinesisanalyticsv2;

constexpr Counts kOne = {.inputs = 1, .outputs = 1, .tables = 1};

template <typename Api>
Api MakeInput() {
  Api input;
  input.name_prefix = "SOURCE";
  input.kinesis_streams_input.emplace().resource_arn = "arn:aws:kinesis:us-east-1:1:stream/in";
  input.input_schema.record_format.record_format_type = "CSV";
  auto& csv = input.input_schema.record_format.mapping_parameters.emplace()
                  .csv_mapping_parameters.emplace();
  csv.record_column_delimiter = "|";
  csv.record_row_delimiter = "\r\n";
  auto& column = input.input_schema.record_columns.emplace_back();
  column.name = "a";
  column.sql_type = "INTEGER";
  return input;
}

TEST(ShapesTest, InputsOfVersion1GoInAndComeOutAgain) {
  auto from = MakeInput<v1::Input>();
  from.kinesis_streams_input->role_arn = "arn:aws:iam::1:role/r";
  from.input_parallelism.emplace().count = 3;
  Definition d;
  ASSERT_FALSE(AddInput(from, kOne, 7, d));
  auto out = DescribeInput<v1::InputDescription>(d.inputs[0]);
  EXPECT_EQ(out.input_id, "7.1");
  EXPECT_EQ(out.in_app_stream_names,
            (std::vector<std::string>{"SOURCE_001", "SOURCE_002", "SOURCE_003"}));
  EXPECT_EQ(out.kinesis_streams_input_description->role_arn, "arn:aws:iam::1:role/r");
  const auto& csv = *out.input_schema->record_format.mapping_parameters->csv_mapping_parameters;
  EXPECT_EQ(csv.record_column_delimiter, "|");
  EXPECT_EQ(csv.record_row_delimiter, "\r\n");
  EXPECT_FALSE(out.input_schema->record_columns[0].mapping.has_value());
}

TEST(ShapesTest, InputsOfVersion2HaveNoRoles) {
  Definition d;
  ASSERT_FALSE(AddInput(MakeInput<v2::Input>(), kOne, 1, d));
  auto out = DescribeInput<v2::InputDescription>(d.inputs[0]);
  EXPECT_FALSE(out.kinesis_streams_input_description->role_arn.has_value());
}

TEST(ShapesTest, CountsAreHeld) {
  Definition d;
  auto input = MakeInput<v1::Input>();
  ASSERT_FALSE(AddInput(input, kOne, 1, d));
  input.name_prefix = "OTHER";
  auto refused = AddInput(input, kOne, 2, d);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->reason, Refusal::kArgument);
  EXPECT_EQ(refused->message, "An application has 1 input at most.");
}

TEST(ShapesTest, AnOutputHasExactlyOneDestination) {
  v1::Output output;
  output.name = "OUT";
  output.destination_schema.record_format_type = "JSON";
  Definition d;
  EXPECT_TRUE(AddOutput(output, kOne, 1, d));
  output.kinesis_streams_output.emplace().resource_arn = "a";
  output.lambda_output.emplace().resource_arn = "b";
  EXPECT_TRUE(AddOutput(output, kOne, 1, d));
  output.lambda_output.reset();
  EXPECT_FALSE(AddOutput(output, kOne, 1, d));
}

TEST(ShapesTest, UpdatesTouchOnlyWhatTheyName) {
  Definition d;
  auto input = MakeInput<v1::Input>();
  input.kinesis_streams_input->role_arn = "role";
  ASSERT_FALSE(AddInput(input, kOne, 1, d));
  v1::InputUpdate update;
  update.input_id = "1.1";
  update.kinesis_streams_input_update.emplace().resource_arn_update = "arn:other";
  update.input_parallelism_update.emplace().count_update = 2;
  ASSERT_FALSE(UpdateInput(update, d));
  EXPECT_EQ(d.inputs[0].resource, "arn:other");
  EXPECT_EQ(d.inputs[0].role_arn, "role");
  EXPECT_EQ(d.inputs[0].parallelism, 2);
  EXPECT_EQ(d.inputs[0].schema.columns.size(), 1u);
  update.input_id = "2.1";
  auto refused = UpdateInput(update, d);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->message, "The application has no input with the id 2.1.");
}

TEST(ShapesTest, PartsAreRemovedById) {
  Definition d;
  d.outputs.resize(2);
  d.outputs[0].id = "1.1";
  d.outputs[1].id = "2.2";
  ASSERT_FALSE(RemoveById(d.outputs, "output", "1.1"));
  ASSERT_EQ(d.outputs.size(), 1u);
  EXPECT_EQ(d.outputs[0].id, "2.2");
  EXPECT_TRUE(RemoveById(d.outputs, "output", "1.1"));
}

}  // namespace
}  // namespace millstream::services::kinesisanalytics
