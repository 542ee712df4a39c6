#include "analytics/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "analytics/document_node.h"
#include "analytics/yaml.h"
#include "codec/json_value.h"
#include "codec/json_writer.h"

namespace millstream::analytics {
namespace {

using base::Code;
using base::Fail;
using base::Result;
using base::Status;
using codec::JsonValue;

// Every list of names is one thing: as requests, descriptions and Terraform's blocks call it.
using Names = std::initializer_list<std::string_view>;

void ReadSchema(Node schema, sql::InputSchema& out, std::string& encoding) {
  encoding = schema.Text({"RecordEncoding", "record_encoding"});
  for (Node column : schema.List({"RecordColumns", "record_columns", "record_column"})) {
    out.columns.push_back({column.Text({"Name", "name"}), column.Text({"SqlType", "sql_type"}),
                           column.Text({"Mapping", "mapping"})});
  }
  Node format = schema.Get({"RecordFormat", "record_format"});
  if (!format) return;
  std::string type = format.Text({"RecordFormatType", "record_format_type"});
  Node parameters = format.Get({"MappingParameters", "mapping_parameters"});
  Node csv = parameters.Get({"CSVMappingParameters", "csv_mapping_parameters", "csv"});
  Node json = parameters.Get({"JSONMappingParameters", "json_mapping_parameters", "json"});
  if (type == "CSV" || (type.empty() && csv)) {
    out.format = sql::InputSchema::Format::kCsv;
    std::string columns = csv.Text({"RecordColumnDelimiter", "record_column_delimiter"});
    std::string rows = csv.Text({"RecordRowDelimiter", "record_row_delimiter"});
    if (!columns.empty()) out.column_delimiter = columns;
    if (!rows.empty()) out.row_delimiter = rows;
  } else {
    if (!type.empty() && type != "JSON") format.Note("RecordFormatType", "neither JSON nor CSV");
    std::string path = json.Text({"RecordRowPath", "record_row_path"});
    if (!path.empty()) out.row_path = path;
  }
}

std::optional<RecordProcessor> ReadProcessor(Node from) {
  Node lambda = from.Get({"InputLambdaProcessor", "InputLambdaProcessorDescription",
                          "input_lambda_processor", "lambda"});
  if (!lambda) return std::nullopt;
  return RecordProcessor{lambda.Text({"ResourceARN", "resource_arn"}),
                         lambda.Text({"RoleARN", "role_arn"})};
}

Input ReadInput(Node from) {
  Input input;
  input.id = from.Text({"InputId", "Id", "id", "input_id"});
  input.name_prefix = from.Text({"NamePrefix", "name_prefix"});
  from.Skip({"InAppStreamNames", "in_app_stream_names", "stream_names"});
  if (Node stream = from.Get({"KinesisStreamsInput", "KinesisStreamsInputDescription",
                              "kinesis_streams_input", "kinesis_stream"})) {
    input.resource = stream.Text({"ResourceARN", "resource_arn"});
    input.role_arn = stream.Text({"RoleARN", "role_arn"});
  } else if (Node firehose = from.Get({"KinesisFirehoseInput", "KinesisFirehoseInputDescription",
                                       "kinesis_firehose_input", "kinesis_firehose"})) {
    input.kind = Input::Kind::kDeliveryStream;
    input.resource = firehose.Text({"ResourceARN", "resource_arn"});
    input.role_arn = firehose.Text({"RoleARN", "role_arn"});
  }
  input.processor = ReadProcessor(
      from.Get({"InputProcessingConfiguration", "InputProcessingConfigurationDescription",
                "input_processing_configuration", "processing_configuration"}));
  if (Node parallelism = from.Get({"InputParallelism", "input_parallelism", "parallelism"})) {
    input.parallelism = static_cast<int>(
        std::clamp<int64_t>(parallelism.Int({"Count", "count"}).value_or(1), INT32_MIN, INT32_MAX));
  }
  if (Node position =
          from.Get({"InputStartingPositionConfiguration", "input_starting_position_configuration",
                    "starting_position_configuration"})) {
    input.starting_position = ParseStartingPosition(
        position.Text({"InputStartingPosition", "input_starting_position", "starting_position"}));
  }
  ReadSchema(from.Get({"InputSchema", "input_schema", "schema"}), input.schema,
             input.record_encoding);
  return input;
}

Output ReadOutput(Node from) {
  Output output;
  output.id = from.Text({"OutputId", "output_id", "id"});
  output.name = from.Text({"Name", "name"});
  Node to;
  if ((to = from.Get({"KinesisStreamsOutput", "KinesisStreamsOutputDescription",
                      "kinesis_streams_output", "kinesis_stream"}))) {
    output.kind = Output::Kind::kStream;
  } else if ((to = from.Get({"KinesisFirehoseOutput", "KinesisFirehoseOutputDescription",
                             "kinesis_firehose_output", "kinesis_firehose"}))) {
    output.kind = Output::Kind::kDeliveryStream;
  } else if ((to = from.Get(
                  {"LambdaOutput", "LambdaOutputDescription", "lambda_output", "lambda"}))) {
    output.kind = Output::Kind::kFunction;
  }
  output.resource = to.Text({"ResourceARN", "resource_arn"});
  output.role_arn = to.Text({"RoleARN", "role_arn"});
  std::string format = from.Get({"DestinationSchema", "destination_schema", "schema"})
                           .Text({"RecordFormatType", "record_format_type"});
  if (format == "CSV") output.format = Output::Format::kCsv;
  return output;
}

ReferenceDataSource ReadReference(Node from) {
  ReferenceDataSource table;
  table.id = from.Text({"ReferenceId", "reference_id", "id"});
  table.table_name = from.Text({"TableName", "table_name"});
  Node object = from.Get({"S3ReferenceDataSource", "S3ReferenceDataSourceDescription",
                          "s3_reference_data_source", "s3"});
  table.bucket_arn = object.Text({"BucketARN", "bucket_arn"});
  table.file_key = object.Text({"FileKey", "file_key"});
  table.role_arn = object.Text({"ReferenceRoleARN", "role_arn"});
  ReadSchema(from.Get({"ReferenceSchema", "reference_schema", "schema"}), table.schema,
             table.record_encoding);
  return table;
}

void ReadParts(Node from, Definition& out) {
  for (Node input : from.List({"Inputs", "InputDescriptions", "inputs", "input"})) {
    out.inputs.push_back(ReadInput(input));
  }
  for (Node output : from.List({"Outputs", "OutputDescriptions", "outputs", "output"})) {
    out.outputs.push_back(ReadOutput(output));
  }
  for (Node table : from.List({"ReferenceDataSources", "ReferenceDataSourceDescriptions",
                               "reference_data_sources", "reference_data_source"})) {
    out.reference_tables.push_back(ReadReference(table));
  }
}

// An application of any version and source.
Result<Definition> ReadApplication(Node from) {
  Definition out;
  out.name = from.Text({"ApplicationName", "name"});
  out.description = from.Text({"ApplicationDescription", "description"});
  out.service_execution_role = from.Text({"ServiceExecutionRole", "service_execution_role"});
  out.version = from.Int({"ApplicationVersionId", "version_id", "version"}).value_or(1);
  std::string runtime = from.Text({"RuntimeEnvironment", "runtime_environment"});
  if (!runtime.empty()) out.runtime_environment = runtime;
  if (out.runtime_environment != "SQL-1_0") {
    return Fail(Code::kNotSupported,
                fmt::format("application {}: RuntimeEnvironment is {}; only SQL-1_0 can be read",
                            out.name, runtime));
  }
  out.code = from.Text({"ApplicationCode", "code"});
  ReadParts(from, out);
  Node v2 = from.Get({"ApplicationConfiguration", "ApplicationConfigurationDescription",
                      "application_configuration"});
  if (Node code = v2.Get({"ApplicationCodeConfiguration", "ApplicationCodeConfigurationDescription",
                          "application_code_configuration"})) {
    code.Skip({"CodeContentType", "code_content_type"});
    Node content = code.Get({"CodeContent", "CodeContentDescription", "code_content"});
    out.code = content.Text({"TextContent", "text_content"});
    content.Skip({"CodeMD5", "CodeSize"});
    if (content.Get(
            {"S3ContentLocation", "s3_content_location", "S3ApplicationCodeLocationDescription"})) {
      content.Note("S3ContentLocation", "code in a bucket cannot be read; put it into TextContent");
    }
  }
  ReadParts(v2.Get({"SqlApplicationConfiguration", "SqlApplicationConfigurationDescription",
                    "sql_application_configuration"}),
            out);
  for (Node tag : from.List({"Tags"})) {
    std::string key = tag.Text({"Key"});
    out.tags[key] = tag.Text({"Value"});
  }
  for (Node option : from.List({"CloudWatchLoggingOptions", "CloudWatchLoggingOptionDescriptions",
                                "cloudwatch_logging_options"})) {
    out.logging_options.push_back({option.Text({"CloudWatchLoggingOptionId", "id"}),
                                   option.Text({"LogStreamARN", "log_stream_arn"}),
                                   option.Text({"RoleARN", "role_arn"})});
  }
  // What says where it ran and when, and nothing about what it does.
  from.Skip({"ApplicationARN",
             "ApplicationStatus",
             "CreateTimestamp",
             "LastUpdateTimestamp",
             "ApplicationMode",
             "ApplicationVersionCreateTimestamp",
             "ConditionalToken",
             "arn",
             "id",
             "status",
             "create_timestamp",
             "last_update_timestamp",
             "tags",
             "tags_all",
             "timeouts",
             "start_application",
             "start_applications",
             "force_stop",
             "application_mode",
             "region",
             "RunConfiguration"});
  return out;
}

Status AddApplication(Node from, Document& out) {
  ASSIGN_OR_RETURN(Definition application, ReadApplication(from));
  out.applications.push_back(std::move(application));
  return {};
}

// Resources of a template that add to an application of it name that by Ref or by its name.
Status ReadTemplate(Node resources, Document& out) {
  std::vector<std::pair<std::string, std::string>> ids;  // logical name, application's name
  std::vector<Node> additions;
  for (Node resource : resources.Members()) {
    resource.Skip({"DependsOn", "Metadata", "DeletionPolicy", "UpdateReplacePolicy", "Condition",
                   "CreationPolicy", "UpdatePolicy"});
    std::string type = resource.Text({"Type"});
    bool ours = type.starts_with("AWS::KinesisAnalytics::") ||
                type.starts_with("AWS::KinesisAnalyticsV2::");
    if (!ours) {
      resource.SkipAll();
      continue;
    }
    Node properties = resource.Get({"Properties"});
    std::string kind = type.substr(type.rfind(':') + 1);
    if (kind == "Application") {
      std::size_t before = out.applications.size();
      TRY(AddApplication(properties, out));
      Definition& application = out.applications[before];
      if (application.name.empty()) application.name = resource.name();
      ids.emplace_back(resource.name(), application.name);
    } else if (kind == "ApplicationOutput" || kind == "ApplicationReferenceDataSource") {
      additions.push_back(properties);
    } else if (kind == "ApplicationCloudWatchLoggingOption") {
      properties.SkipAll();
    } else {
      resource.Note("Type", type + " is not known");
      properties.SkipAll();
    }
  }
  for (Node addition : additions) {
    std::string name = addition.Text({"ApplicationName"});
    for (const auto& [id, application] : ids) {
      if (id == name) name = application;
    }
    auto at = std::find_if(out.applications.begin(), out.applications.end(),
                           [&](const Definition& d) { return d.name == name; });
    if (at == out.applications.end()) {
      addition.Note("ApplicationName", "no application " + name + " in this template");
      addition.SkipAll();
      continue;
    }
    if (Node output = addition.Get({"Output"})) at->outputs.push_back(ReadOutput(output));
    if (Node table = addition.Get({"ReferenceDataSource"}))
      at->reference_tables.push_back(ReadReference(table));
  }
  if (out.applications.empty()) {
    return Fail(Code::kInvalidArgument,
                "the template has no AWS::KinesisAnalytics::Application and no "
                "AWS::KinesisAnalyticsV2::Application");
  }
  return {};
}

constexpr std::string_view kTerraformTypes[] = {"aws_kinesis_analytics_application",
                                                "aws_kinesisanalyticsv2_application"};

bool IsTerraformType(std::string_view type) {
  return std::find(std::begin(kTerraformTypes), std::end(kTerraformTypes), type) !=
         std::end(kTerraformTypes);
}

Status ReadModule(Node module, Document& out, int depth = 0) {
  for (Node resource : module.List({"resources"})) {
    std::string type = resource.Text({"type"});
    if (IsTerraformType(type)) {
      TRY(AddApplication(resource.Get({"values"}), out));
    }
    resource.SkipAll();
  }
  module.SkipAll();
  if (depth == 64) return {};
  for (Node child : module.List({"child_modules"})) TRY(ReadModule(child, out, depth + 1));
  return {};
}

// The file of a state: values lie in instances.
Status ReadState(Node root, Document& out) {
  for (Node resource : root.List({"resources"})) {
    if (IsTerraformType(resource.Text({"type"}))) {
      for (Node instance : resource.List({"instances"})) {
        TRY(AddApplication(instance.Get({"attributes"}), out));
        instance.SkipAll();
      }
    }
    resource.SkipAll();
  }
  return {};
}

// Configuration in JSON, as programs write it: { "resource": { type: { name: {...} } } }.
Status ReadConfiguration(Node resources, Document& out) {
  for (std::string_view type : kTerraformTypes) {
    for (Node resource : resources.Get({type}).Members()) {
      std::size_t before = out.applications.size();
      TRY(AddApplication(resource, out));
      Definition& application = out.applications[before];
      if (application.name.empty()) application.name = resource.name();
      if (application.code.find("${") != std::string::npos) {
        return Fail(Code::kNotSupported,
                    fmt::format("application {}: the code has a ${{...}} that only Terraform can "
                                "resolve; give what `terraform show -json` says of a plan",
                                application.name));
      }
    }
  }
  resources.SkipAll();
  return {};
}

Status ReadTerraform(Node root, Document& out) {
  Node values = root.Get({"planned_values"});
  if (!values) values = root.Get({"values"});
  root.SkipAll();
  if (values) {
    TRY(ReadModule(values.Get({"root_module"}), out));
    values.SkipAll();
  } else if (Node resources = root.Get({"resource"})) {
    TRY(ReadConfiguration(resources, out));
  } else {
    TRY(ReadState(root, out));
  }
  if (out.applications.empty()) {
    return Fail(Code::kInvalidArgument,
                "no resource is an aws_kinesis_analytics_application or "
                "aws_kinesisanalyticsv2_application");
  }
  return {};
}

Status ReadAny(Node root, Document& out) {
  if (Node resources = root.Get({"Resources"})) {
    root.Skip({"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Mappings",
               "Conditions", "Outputs", "Transform", "Rules", "Globals"});
    return ReadTemplate(resources, out);
  }
  if (root.Has("terraform_version") || root.Has("planned_values") || root.Has("values") ||
      root.Has("resource")) {
    return ReadTerraform(root, out);
  }
  if (Node detail = root.Get({"ApplicationDetail"})) return AddApplication(detail, out);
  if (root.Has("ApplicationName") || root.Has("ApplicationCode") ||
      root.Has("ApplicationConfiguration")) {
    return AddApplication(root, out);
  }
  return Fail(
      Code::kInvalidArgument,
      "not an application: expected the JSON of describe-application or create-application, a "
      "CloudFormation template, the output of terraform show -json, or a terraform.tfstate");
}

Result<codec::JsonDocument> ParseText(std::string_view text) {
  std::string converted;
  std::size_t start = text.find_first_not_of(" \t\r\n");
  if (start != std::string_view::npos && text[start] != '{' && text[start] != '[' &&
      LooksLikeYaml(text)) {
    ASSIGN_OR_RETURN(converted, JsonOfYaml(text));
    text = converted;
  }
  auto json = codec::JsonDocument::Parse(text);
  if (!json) return Fail(Code::kInvalidArgument, "not JSON: " + json.error().message());
  if (!json->root().is_object()) return Fail(Code::kInvalidArgument, "not a JSON object");
  return json;
}

void WriteSchema(codec::JsonWriter& json, const sql::InputSchema& schema) {
  bool csv = schema.format == sql::InputSchema::Format::kCsv;
  json.BeginObject().Key("RecordFormat").BeginObject();
  json.Field("RecordFormatType", csv ? "CSV" : "JSON").Key("MappingParameters").BeginObject();
  if (csv) {
    json.Key("CSVMappingParameters").BeginObject();
    json.Field("RecordRowDelimiter", schema.row_delimiter)
        .Field("RecordColumnDelimiter", schema.column_delimiter);
  } else {
    json.Key("JSONMappingParameters").BeginObject().Field("RecordRowPath", schema.row_path);
  }
  json.EndObject().EndObject().EndObject();
  json.Field("RecordEncoding", "UTF-8").Key("RecordColumns").BeginArray();
  for (const sql::MappedColumn& column : schema.columns) {
    json.BeginObject().Field("Name", column.name).Field("SqlType", column.type);
    if (!csv && !column.mapping.empty()) json.Field("Mapping", column.mapping);
    json.EndObject();
  }
  json.EndArray().EndObject();
}

}  // namespace

Result<Document> ParseDocument(std::string_view text) {
  ASSIGN_OR_RETURN(codec::JsonDocument json, ParseText(text));
  Document out;
  DocumentContext context(json.root(), out.notes);
  TRY(ReadAny(context.root(), out));
  context.NoteUnused();
  return out;
}

Result<Document> ParseSchemaDocument(std::string_view text) {
  ASSIGN_OR_RETURN(codec::JsonDocument json, ParseText(text));
  Document out;
  DocumentContext context(json.root(), out.notes);
  Node root = context.root();
  bool lists = root.Has("Inputs") || root.Has("ReferenceDataSources");
  if (lists && !root.Has("ApplicationName") && !root.Has("ApplicationCode")) {
    ReadParts(root, out.applications.emplace_back());
  } else if (root.Has("RecordColumns") || root.Has("InputSchema")) {
    Input input;
    input.name_prefix = root.Text({"NamePrefix"});
    if (input.name_prefix.empty()) input.name_prefix = "SOURCE_SQL_STREAM";
    Node schema = root.Get({"InputSchema"});
    ReadSchema(schema ? schema : root, input.schema, input.record_encoding);
    root.Skip({"ParsedInputRecords", "ProcessedInputRecords", "RawInputRecords"});
    out.applications.emplace_back().inputs.push_back(std::move(input));
  } else {
    auto read = ReadAny(root, out);
    if (!read) {
      return Fail(Code::kInvalidArgument,
                  "not a schema: expected an InputSchema ({\"RecordColumns\": [...], "
                  "\"RecordFormat\": ...}), "
                  "{\"Inputs\": [...]}, or a document of an application");
    }
  }
  context.NoteUnused();
  return out;
}

std::string SchemaDocument(const Definition& definition) {
  std::string out;
  codec::JsonWriter json(out);
  json.BeginObject().Key("Inputs").BeginArray();
  for (const Input& input : definition.inputs) {
    json.BeginObject().Field("NamePrefix", input.name_prefix).Key("InputSchema");
    WriteSchema(json, input.schema);
    json.EndObject();
  }
  json.EndArray();
  if (!definition.reference_tables.empty()) {
    json.Key("ReferenceDataSources").BeginArray();
    for (const ReferenceDataSource& table : definition.reference_tables) {
      json.BeginObject().Field("TableName", table.table_name).Key("ReferenceSchema");
      WriteSchema(json, table.schema);
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
  out += '\n';
  return out;
}

}  // namespace millstream::analytics
