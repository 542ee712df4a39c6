#include "analytics/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millstream::analytics {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Document Read(std::string_view text) {
  auto document = ParseDocument(text);
  EXPECT_TRUE(document) << document.error().message();
  return document ? *document : Document{};
}

// What every form below says.
void ExpectTheApplication(const Definition& d) {
  EXPECT_EQ(d.name, "calls");
  EXPECT_EQ(d.code, "CREATE STREAM s (a INTEGER);");
  ASSERT_EQ(d.inputs.size(), 1u);
  const Input& input = d.inputs[0];
  EXPECT_EQ(input.name_prefix, "SOURCE_SQL_STREAM");
  EXPECT_EQ(ResourceName(input.resource), "orders");
  EXPECT_EQ(input.kind, Input::Kind::kStream);
  EXPECT_EQ(input.parallelism, 2);
  EXPECT_EQ(input.schema.format, sql::InputSchema::Format::kJson);
  EXPECT_EQ(input.schema.row_path, "$.rows");
  ASSERT_EQ(input.schema.columns.size(), 2u);
  EXPECT_EQ(input.schema.columns[0].name, "ticker");
  EXPECT_EQ(input.schema.columns[0].type, "VARCHAR(4)");
  EXPECT_EQ(input.schema.columns[0].mapping, "$.ticker");
  ASSERT_EQ(d.outputs.size(), 1u);
  EXPECT_EQ(d.outputs[0].name, "S");
  EXPECT_EQ(d.outputs[0].kind, Output::Kind::kFunction);
  EXPECT_EQ(d.outputs[0].format, Output::Format::kCsv);
  EXPECT_THAT(d.outputs[0].resource, HasSubstr("alarm"));
  ASSERT_EQ(d.reference_tables.size(), 1u);
  EXPECT_EQ(d.reference_tables[0].table_name, "NAMES");
  EXPECT_EQ(d.reference_tables[0].file_key, "names.csv");
  EXPECT_EQ(d.reference_tables[0].schema.format, sql::InputSchema::Format::kCsv);
  EXPECT_EQ(d.reference_tables[0].schema.column_delimiter, "|");
}

constexpr std::string_view kSchema =
    R"j({"RecordFormat":{"RecordFormatType":"JSON","MappingParameters":
  {"JSONMappingParameters":{"RecordRowPath":"$.rows"}}},"RecordEncoding":"UTF-8","RecordColumns":[
  {"Name":"ticker","Mapping":"$.ticker","SqlType":"VARCHAR(4)"
},
  {"Name":"price","Mapping":"$.price","SqlType":"DOUBLE"}]
})j";
constexpr std::string_view kReferenceSchema = R"j({"RecordFormat":{"RecordFormatType":"CSV","MappingParameters":
  {"CSVMappingParameters":{"RecordRowDelimiter":"\n","RecordColumnDelimiter":"|"}}},"RecordColumns":[
  {"Name":"ticker","SqlType":"VARCHAR(4)"
},{"Name":"name","SqlType":"VARCHAR(16)"}]
})j";

std::string Fill(std::string text) {
  for (auto [what, with] :
       {std::pair("@SCHEMA", kSchema), std::pair("@REFERENCE", kReferenceSchema)}) {
    for (std::size_t at; (at = text.find(what)) != std::string::npos;) {
      text.replace(at, std::string_view(what).size(), with);
    }
  }
  return text;
}

TEST(DocumentTest, DescribeApplicationOfVersion1) {
  Document document = Read(Fill(R"j({"ApplicationDetail":{"ApplicationName":"calls",
    "ApplicationARN":"arn:aws:kinesisanalytics:eu-west-1:1:application/calls","ApplicationStatus":"READY",
    "CreateTimestamp":1.5,"ApplicationVersionId":7,"ApplicationCode":"CREATE STREAM s (a INTEGER);",
    "InputDescriptions":[{"InputId":"1.1","NamePrefix":"SOURCE_SQL_STREAM",
      "InAppStreamNames":["SOURCE_SQL_STREAM_001","SOURCE_SQL_STREAM_002"],
      "KinesisStreamsInputDescription":{"ResourceARN":"arn:aws:kinesis:eu-west-1:1:stream/orders","RoleARN":"arn:aws:iam::1:role/r"},
      "InputSchema":@SCHEMA,"InputParallelism":{"Count":2},
      "InputStartingPositionConfiguration":{"InputStartingPosition":"TRIM_HORIZON"}}],
    "OutputDescriptions":[{"OutputId":"2.1","Name":"S","LambdaOutputDescription":{"ResourceARN":"arn:aws:lambda:eu-west-1:1:function:alarm"},
      "DestinationSchema":{"RecordFormatType":"CSV"}}],
    "ReferenceDataSourceDescriptions":[{"ReferenceId":"3.1","TableName":"NAMES",
      "S3ReferenceDataSourceDescription":{"BucketARN":"arn:aws:s3:::b","FileKey":"names.csv","ReferenceRoleARN":"arn"},
      "ReferenceSchema":@REFERENCE}]}})j"));
  ASSERT_EQ(document.applications.size(), 1u);
  ExpectTheApplication(document.applications[0]);
  EXPECT_EQ(document.applications[0].version, 7);
  EXPECT_EQ(document.applications[0].inputs[0].id, "1.1");
  EXPECT_EQ(document.applications[0].inputs[0].starting_position, StartingPosition::kTrimHorizon);
  EXPECT_THAT(document.notes, IsEmpty());
}

constexpr std::string_view kVersion2 = R"j({"ApplicationName":"calls","RuntimeEnvironment":"SQL-1_0",
    "ServiceExecutionRole":"arn:aws:iam::1:role/r","ApplicationConfiguration":{
    "ApplicationCodeConfiguration":{"CodeContentType":"PLAINTEXT","CodeContent":{"TextContent":"CREATE STREAM s (a INTEGER);"}},
    "SqlApplicationConfiguration":{"Inputs":[{"NamePrefix":"SOURCE_SQL_STREAM",
      "KinesisStreamsInput":{"ResourceARN":"arn:aws:kinesis:eu-west-1:1:stream/orders"},"InputSchema":@SCHEMA,"InputParallelism":{"Count":2}}],
    "Outputs":[{"Name":"S","LambdaOutput":{"ResourceARN":"arn:aws:lambda:eu-west-1:1:function:alarm"},"DestinationSchema":{"RecordFormatType":"CSV"}}],
    "ReferenceDataSources":[{"TableName":"NAMES","S3ReferenceDataSource":{"BucketARN":"arn:aws:s3:::b","FileKey":"names.csv"},"ReferenceSchema":@REFERENCE}]}}})j";

TEST(DocumentTest, CreateApplicationOfVersion2) {
  Document document = Read(Fill(std::string(kVersion2)));
  ExpectTheApplication(document.applications.at(0));
  EXPECT_EQ(document.applications[0].service_execution_role, "arn:aws:iam::1:role/r");
  EXPECT_THAT(document.notes, IsEmpty());
}

TEST(DocumentTest, DescribeApplicationOfVersion2) {
  std::string text = Fill(std::string(kVersion2));
  for (auto [from, to] :
       {std::pair("\"ApplicationConfiguration\"", "\"ApplicationConfigurationDescription\""),
        std::pair("\"ApplicationCodeConfiguration\"",
                  "\"ApplicationCodeConfigurationDescription\""),
        std::pair("\"CodeContent\"", "\"CodeContentDescription\""),
        std::pair("\"SqlApplicationConfiguration\"", "\"SqlApplicationConfigurationDescription\""),
        std::pair("\"Inputs\"", "\"InputDescriptions\""),
        std::pair("\"Outputs\"", "\"OutputDescriptions\""),
        std::pair("\"ReferenceDataSources\"", "\"ReferenceDataSourceDescriptions\""),
        std::pair("\"LambdaOutput\"", "\"LambdaOutputDescription\""),
        std::pair("\"KinesisStreamsInput\"", "\"KinesisStreamsInputDescription\""),
        std::pair("\"S3ReferenceDataSource\"", "\"S3ReferenceDataSourceDescription\"")}) {
    std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, std::string_view(from).size(), to);
  }
  Document document = Read("{\"ApplicationDetail\":" + text + "}");
  ExpectTheApplication(document.applications.at(0));
  EXPECT_THAT(document.notes, IsEmpty());
}

TEST(DocumentTest, CloudFormationOfVersion1) {
  Document document = Read(Fill(
      R"j({"AWSTemplateFormatVersion":"2010-09-09","Parameters":{"Rows":{"Type":"String","Default":"rows"}},
    "Resources":{
      "Orders":{"Type":"AWS::Kinesis::Stream","Properties":{"Name":"orders","ShardCount":1}},
      "App":{"Type":"AWS::KinesisAnalytics::Application","Properties":{"ApplicationName":"calls",
        "ApplicationCode":{"Fn::Join":[" ",["CREATE STREAM",{"Fn::Sub":"s (a ${Type});"}]]},
        "Inputs":[{"NamePrefix":"SOURCE_SQL_STREAM","InputParallelism":{"Count":2},
          "KinesisStreamsInput":{"ResourceARN":{"Fn::GetAtt":["Orders","Arn"]},"RoleARN":{"Fn::GetAtt":["Role","Arn"]}},
          "InputSchema":@SCHEMA}]}},
      "Out":{"Type":"AWS::KinesisAnalytics::ApplicationOutput","DependsOn":"App","Properties":{"ApplicationName":{"Ref":"App"},
        "Output":{"Name":"S","DestinationSchema":{"RecordFormatType":"CSV"},"LambdaOutput":{"ResourceARN":{"Fn::GetAtt":"alarm.Arn"},"RoleARN":"r"}}}},
      "Names":{"Type":"AWS::KinesisAnalytics::ApplicationReferenceDataSource","Properties":{"ApplicationName":{"Ref":"App"},
        "ReferenceDataSource":{"TableName":"NAMES","S3ReferenceDataSource":{"BucketARN":{"Fn::Sub":"arn:aws:s3:::${Bucket}"},"FileKey":"names.csv","ReferenceRoleARN":"r"},
        "ReferenceSchema":@REFERENCE}}}}})j"));
  Definition& d = document.applications.at(0);
  EXPECT_EQ(d.code, "CREATE STREAM s (a Type);");  // no such parameter: its name stays
  d.code = "CREATE STREAM s (a INTEGER);";
  ExpectTheApplication(d);
  EXPECT_EQ(d.inputs[0].resource, "orders");
  EXPECT_EQ(d.reference_tables[0].bucket_arn, "arn:aws:s3:::Bucket");
  EXPECT_THAT(document.notes, IsEmpty());
}

TEST(DocumentTest, CloudFormationOfVersion2) {
  Document document = Read(Fill(
      R"j({"Resources":{"App":{"Type":"AWS::KinesisAnalyticsV2::Application","Properties":)j" +
      std::string(kVersion2) + R"j(},"Zip":{"Type":"AWS::Lambda::Function","Properties":{}}}})j"));
  ExpectTheApplication(document.applications.at(0));
}

TEST(DocumentTest, TerraformOfVersion1) {
  Document document = Read(R"j({"format_version":"1.0","terraform_version":"1.9.0","values":{"root_module":{
    "resources":[{"address":"aws_s3_bucket.b","type":"aws_s3_bucket","values":{}}],
    "child_modules":[{"resources":[{"address":"m.a","type":"aws_kinesis_analytics_application","name":"a","values":{
      "name":"calls","code":"CREATE STREAM s (a INTEGER);","arn":"x","cloudwatch_logging_options":[],"tags":null,
      "inputs":[{"id":"1.1","name_prefix":"SOURCE_SQL_STREAM","kinesis_firehose":[],
        "kinesis_stream":[{"resource_arn":"arn:aws:kinesis:eu-west-1:1:stream/orders","role_arn":"r"}],
        "parallelism":[{"count":2}],"processing_configuration":[],"starting_position_configuration":[{"starting_position":"NOW"}],
        "stream_names":["SOURCE_SQL_STREAM_001"],
        "schema":[{"record_columns":[{"mapping":"$.ticker","name":"ticker","sql_type":"VARCHAR(4)"},{"mapping":"$.price","name":"price","sql_type":"DOUBLE"}],
          "record_encoding":"UTF-8","record_format":[{"mapping_parameters":[{"csv":[],"json":[{"record_row_path":"$.rows"}]}],"record_format_type":"JSON"}]
}]
}],
      "outputs":[{"id":"2.1","name":"S","kinesis_firehose":[],"kinesis_stream":[],"lambda":[{"resource_arn":"arn:aws:lambda:eu-west-1:1:function:alarm","role_arn":"r"}],"schema":[{"record_format_type":"CSV"}]}],
      "reference_data_sources":[{"id":"3.1","table_name":"NAMES","s3":[{"bucket_arn":"arn:aws:s3:::b","file_key":"names.csv","role_arn":"r"}],
        "schema":[{"record_columns":[{"mapping":"","name":"ticker","sql_type":"VARCHAR(4)"}],"record_encoding":"",
          "record_format":[{"mapping_parameters":[{"csv":[{"record_column_delimiter":"|","record_row_delimiter":"\n"}],"json":[]}],"record_format_type":"CSV"}]}]}]
}
}]
}]
}
}
})j");
  ExpectTheApplication(document.applications.at(0));
EXPECT_THAT(document.notes, IsEmpty());
}

TEST(DocumentTest, TerraformOfVersion2InAPlan) {
  Document document = Read(R"j({"planned_values":{"root_module":{"resources":[{"type":"aws_kinesisanalyticsv2_application","values":{
    "name":"calls","runtime_environment":"SQL-1_0","service_execution_role":"r","application_configuration":[{
      "application_code_configuration":[{"code_content":[{"text_content":"CREATE STREAM s (a INTEGER);","s3_content_location":[]}],"code_content_type":"PLAINTEXT"}],
      "flink_application_configuration":[],
      "sql_application_configuration":[{"input":[{"name_prefix":"SOURCE_SQL_STREAM","input_parallelism":[{"count":2}],
          "kinesis_streams_input":[{"resource_arn":"arn:aws:kinesis:eu-west-1:1:stream/orders"}],
          "input_schema":[{"record_column":[{"mapping":"$.ticker","name":"ticker","sql_type":"VARCHAR(4)"},{"mapping":"$.price","name":"price","sql_type":"DOUBLE"}],
            "record_format":[{"mapping_parameters":[{"csv_mapping_parameters":[],"json_mapping_parameters":[{"record_row_path":"$.rows"}]}],"record_format_type":"JSON"}]
}]
}],
        "output":[{"name":"S","destination_schema":[{"record_format_type":"CSV"}],"lambda_output":[{"resource_arn":"arn:aws:lambda:eu-west-1:1:function:alarm"}]}],
        "reference_data_source":[{"table_name":"NAMES","s3_reference_data_source":[{"bucket_arn":"arn:aws:s3:::b","file_key":"names.csv"}],
          "reference_schema":[{"record_column":[{"name":"ticker","sql_type":"VARCHAR(4)"}],"record_format":[{"record_format_type":"CSV",
            "mapping_parameters":[{"csv_mapping_parameters":[{"record_column_delimiter":"|","record_row_delimiter":"\n"}]}]}]}]}]
}]
}]
}
}]
}
}
})j");
  ExpectTheApplication(document.applications.at(0));
}

TEST(DocumentTest, WhatIsNotKnownIsNamed) {
  Document document = Read(R"j({"ApplicationName":"a","ApplicationCode":"x","Colour":"red",
    "Inputs":[{"NamePrefix":"P","Size":3,"InputSchema":{"RecordFormat":{"RecordFormatType":"XML"}}}],
    "Outputs":["x"]})j");
  EXPECT_THAT(document.notes, Contains("Colour: not used"));
  EXPECT_THAT(document.notes, Contains("Inputs[0].Size: not used"));
  EXPECT_THAT(
      document.notes,
      Contains("Inputs[0].InputSchema.RecordFormat.RecordFormatType: neither JSON nor CSV"));
  EXPECT_THAT(document.notes, Contains("Outputs[0]: not an object"));
}

TEST(DocumentTest, FunctionsThatCannotBeResolvedAreNamed) {
  Document document =
      Read(R"j({"Resources":{"A":{"Type":"AWS::KinesisAnalytics::Application","Properties":{
    "ApplicationCode":{"Fn::ImportValue":"x"},"Inputs":[]}}}})j");
  EXPECT_EQ(document.applications.at(0).name, "A");
  EXPECT_THAT(
      document.notes,
      ElementsAre(
          "Resources.A.Properties.ApplicationCode: Fn::ImportValue cannot be resolved here"));
}

TEST(DocumentTest, NamesThatNameEachOtherEnd) {
  Document document = Read(R"j({"Parameters":{},"Resources":{
    "X":{"Type":"T","Properties":{"Name":{"Fn::Sub":"${Y}${Y}${Y}${Y}${Y}${Y}${Y}${Y}"}}},
    "Y":{"Type":"T","Properties":{"Name":{"Fn::Sub":"${X}${X}${X}${X}${X}${X}${X}${X}"}}},
    "A":{"Type":"AWS::KinesisAnalytics::Application","Properties":{"ApplicationCode":{"Ref":"X"},"Inputs":[]}}}})j");
  EXPECT_LT(document.applications.at(0).code.size(), 2'000'000u);
}

TEST(DocumentTest, CloudFormationInYaml) {
  Document document = Read(R"j(AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  Bucket: {Type: String, Default: b}
Resources:
  Orders:
    Type: AWS::Kinesis::Stream
    Properties: {Name: orders, ShardCount: 1}
  App:
    Type: AWS::KinesisAnalytics::Application
    Properties:
      ApplicationName: calls
      ApplicationCode: !Join
        - ' '
        - - CREATE STREAM
          - "s (a INTEGER);"
      Inputs:
        - NamePrefix: SOURCE_SQL_STREAM
          InputParallelism: {Count: 2}
          KinesisStreamsInput:
            ResourceARN: !GetAtt Orders.Arn
            RoleARN: !GetAtt [Role, Arn]
          InputSchema:
            RecordFormat:
              RecordFormatType: JSON
              MappingParameters:
                JSONMappingParameters: {RecordRowPath: $.rows}
            RecordColumns:
              - {Name: ticker, SqlType: VARCHAR(4), Mapping: $.ticker}
              - Name: price
                SqlType: DOUBLE
                Mapping: $.price
  Out:
    Type: AWS::KinesisAnalytics::ApplicationOutput
    Properties:
      ApplicationName: !Ref App
      Output:
        Name: S
        DestinationSchema: {RecordFormatType: CSV}
        LambdaOutput: {ResourceARN: !Sub 'arn:aws:lambda:${Region}:1:function:alarm', RoleARN: r}
  Names:
    Type: AWS::KinesisAnalytics::ApplicationReferenceDataSource
    Properties:
      ApplicationName: !Ref App
      ReferenceDataSource:
        TableName: NAMES
        S3ReferenceDataSource: {BucketARN: !Sub "arn:aws:s3:::${Bucket}", FileKey: names.csv}
        ReferenceSchema:
          RecordFormat:
            RecordFormatType: CSV
            MappingParameters: {CSVMappingParameters: {RecordColumnDelimiter: '|', RecordRowDelimiter: "\n"}}
          RecordColumns: [{Name: ticker, SqlType: VARCHAR(4)}]
)j");
  ASSERT_EQ(document.applications.size(), 1u);
  ExpectTheApplication(document.applications[0]);
  EXPECT_EQ(document.applications[0].reference_tables[0].bucket_arn, "arn:aws:s3:::b");
  EXPECT_THAT(document.notes, IsEmpty());
}

TEST(DocumentTest, YamlThatCannotBeReadIsRefused) {
  EXPECT_THAT(ParseDocument("Resources:\n  A: [1\n").error().message(), HasSubstr("not YAML: line"));
  EXPECT_THAT(ParseDocument("Resources: &x\n  A: *x\n").error().message(), HasSubstr("line 2: YAML aliases are not read"));
  EXPECT_THAT(ParseDocument("Resources: 1\n---\nResources: 2\n").error().message(), HasSubstr("2 YAML documents"));
  EXPECT_THAT(ParseDocument("Resources: {? [1] : 2}\n").error().message(), HasSubstr("a key must be a text"));
  EXPECT_THAT(ParseDocument("Resources: " + std::string(100, '[')).error().message(), HasSubstr("nested too deeply"));
  EXPECT_THAT(ParseDocument("---\nResources\n").error().message(), HasSubstr("not a YAML mapping"));
}

TEST(DocumentTest, SubTakesVariablesAndNamesParametersWithoutAValue) {
  Document document =
      Read(R"j({"Parameters":{"Given":{"Default":"5"},"Open":{"Type":"String"}},"Resources":{
    "App":{"Type":"AWS::KinesisAnalytics::Application","Properties":{"ApplicationCode":
      {"Fn::Sub":["${A} ${Given} ${Open} ${AWS::Region} ${Other} ${!literal}",{"A":{"Ref":"Given"}}]}}}}})j");
  EXPECT_EQ(document.applications.at(0).code, "5 5 Open AWS::Region Other ${literal}");
  const std::string path = "Resources.App.Properties.ApplicationCode: ";
  EXPECT_THAT(document.notes,
              testing::ElementsAre(path + "parameter Open has no default; its name stands for it"));
}

TEST(DocumentTest, WhatIsNoApplicationIsRefused) {
  EXPECT_THAT(ParseDocument("[]").error().message(), HasSubstr("not a JSON object"));
  EXPECT_THAT(ParseDocument("{}").error().message(), HasSubstr("not an application"));
  EXPECT_THAT(ParseDocument(R"j({"Resources":{"B":{"Type":"AWS::S3::Bucket"}}})j").error().message(),
              HasSubstr("no AWS::KinesisAnalytics::Application"));
  EXPECT_EQ(
      ParseDocument(R"j({"ApplicationName":"f","RuntimeEnvironment":"FLINK-1_20"})j").error().code(),
      base::Code::kNotSupported);
}

TEST(DocumentTest, SchemasAloneAreRead) {
  auto alone = ParseSchemaDocument(kSchema);
  ASSERT_TRUE(alone) << alone.error().message();
  ASSERT_EQ(alone->applications.at(0).inputs.size(), 1u);
  EXPECT_EQ(InAppStreamNames(alone->applications[0].inputs[0])[0], "SOURCE_SQL_STREAM_001");
  EXPECT_EQ(alone->applications[0].inputs[0].schema.columns.size(), 2u);

  auto discovered = ParseSchemaDocument(
      Fill(R"j({"InputSchema":@SCHEMA,"ParsedInputRecords":[["a"]],"RawInputRecords":["a"]})j"));
  ASSERT_TRUE(discovered);
  EXPECT_EQ(discovered->applications[0].inputs[0].schema.row_path, "$.rows");
  EXPECT_THAT(discovered->notes, IsEmpty());

  EXPECT_THAT(ParseSchemaDocument(R"j({"a":1})j").error().message(), HasSubstr("not a schema"));
}

TEST(DocumentTest, WrittenSchemasReadBack) {
  Document document = Read(Fill(std::string(kVersion2)));
  auto back = ParseSchemaDocument(SchemaDocument(document.applications[0]));
  ASSERT_TRUE(back) << back.error().message();
  const Definition& d = back->applications.at(0);
  ASSERT_EQ(d.inputs.size(), 1u);
  EXPECT_EQ(d.inputs[0].schema.row_path, "$.rows");
  EXPECT_EQ(d.inputs[0].schema.columns[1].name, "price");
  ASSERT_EQ(d.reference_tables.size(), 1u);
  EXPECT_EQ(d.reference_tables[0].schema.column_delimiter, "|");
}

}  // namespace
}  // namespace millstream::analytics
