#include "analytics/stored_application.h"

#include "codec/json_value.h"
#include "codec/json_writer.h"

namespace millstream::analytics {
namespace {

using base::Code;
using base::Fail;
using codec::JsonValue;
using codec::JsonWriter;

void WriteSchema(const sql::InputSchema& schema, JsonWriter& json) {
  json.Key("schema").BeginObject();
  json.Field("format", schema.format == sql::InputSchema::Format::kCsv ? "csv" : "json");
  json.Field("row_path", schema.row_path);
  json.Field("column_delimiter", schema.column_delimiter);
  json.Field("row_delimiter", schema.row_delimiter);
  json.Key("columns").BeginArray();
  for (const sql::MappedColumn& column : schema.columns) {
    json.BeginObject().Field("name", column.name).Field("type", column.type);
    json.Field("mapping", column.mapping).EndObject();
  }
  json.EndArray().EndObject();
}

std::string Text(JsonValue from, std::string_view name) {
  auto found = from.Find(name);
  return found && found->is_string() ? std::string(found->AsString()) : std::string();
}
int64_t Number(JsonValue from, std::string_view name) {
  auto found = from.Find(name);
  return found ? found->AsInt64().value_or(0) : 0;
}
bool Flag(JsonValue from, std::string_view name) {
  auto found = from.Find(name);
  return found && found->is_bool() && found->AsBool();
}
// Calls `each` for the elements of an array member.
template <typename Each>
void ForEach(JsonValue from, std::string_view name, Each each) {
  if (auto found = from.Find(name)) {
    for (JsonValue element : *found) each(element);
  }
}

sql::InputSchema ReadSchema(JsonValue from) {
  sql::InputSchema schema;
  auto found = from.Find("schema");
  if (!found) return schema;
  if (Text(*found, "format") == "csv") schema.format = sql::InputSchema::Format::kCsv;
  schema.row_path = Text(*found, "row_path");
  schema.column_delimiter = Text(*found, "column_delimiter");
  schema.row_delimiter = Text(*found, "row_delimiter");
  ForEach(*found, "columns", [&](JsonValue column) {
    schema.columns.push_back(
        {Text(column, "name"), Text(column, "type"), Text(column, "mapping")});
  });
  return schema;
}

}  // namespace

std::string EncodeApplication(const StoredApplication& application) {
  const Definition& d = application.definition;
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Field("account", application.key.account);
  json.Field("region", application.key.region);
  json.Field("name", application.key.name);
  json.Field("directory", application.directory);
  json.Field("runs", application.runs);
  json.Field("description", d.description);
  json.Field("code", d.code);
  json.Field("runtime_environment", d.runtime_environment);
  json.Field("service_execution_role", d.service_execution_role);
  json.Field("version", d.version);
  json.Field("created_ms", d.created_ms);
  json.Field("updated_ms", d.updated_ms);
  json.Key("inputs").BeginArray();
  for (const Input& input : d.inputs) {
    json.BeginObject().Field("id", input.id).Field("name_prefix", input.name_prefix);
    json.Field("kind", static_cast<int>(input.kind));
    json.Field("resource", input.resource).Field("role_arn", input.role_arn);
    if (input.processor) {
      json.Key("processor").BeginObject().Field("lambda_arn", input.processor->lambda_arn);
      json.Field("role_arn", input.processor->role_arn).EndObject();
    }
    WriteSchema(input.schema, json);
    json.Field("record_encoding", input.record_encoding);
    json.Field("parallelism", input.parallelism);
    if (input.starting_position) {
      json.Field("starting_position", StartingPositionName(*input.starting_position));
    }
    json.EndObject();
  }
  json.EndArray().Key("outputs").BeginArray();
  for (const Output& output : d.outputs) {
    json.BeginObject().Field("id", output.id).Field("name", output.name);
    json.Field("kind", static_cast<int>(output.kind));
    json.Field("resource", output.resource).Field("role_arn", output.role_arn);
    json.Field("format", output.format == Output::Format::kCsv ? "csv" : "json").EndObject();
  }
  json.EndArray().Key("reference_tables").BeginArray();
  for (const ReferenceDataSource& table : d.reference_tables) {
    json.BeginObject().Field("id", table.id).Field("table_name", table.table_name);
    json.Field("bucket_arn", table.bucket_arn).Field("file_key", table.file_key);
    json.Field("role_arn", table.role_arn).Field("file_path", table.file_path);
    WriteSchema(table.schema, json);
    json.Field("record_encoding", table.record_encoding).EndObject();
  }
  json.EndArray().Key("logging_options").BeginArray();
  for (const LoggingOption& option : d.logging_options) {
    json.BeginObject().Field("id", option.id).Field("log_stream_arn", option.log_stream_arn);
    json.Field("role_arn", option.role_arn).EndObject();
  }
  json.EndArray().Key("tags").BeginObject();
  for (const auto& [key, value] : d.tags) json.Field(key, value);
  json.EndObject().EndObject();
  return out;
}

base::Result<StoredApplication> DecodeApplication(std::string_view text) {
  auto document = codec::JsonDocument::Parse(text);
  if (!document || !document->root().is_object()) {
    return Fail(Code::kDataLoss, "catalog: malformed application");
  }
  JsonValue root = document->root();
  StoredApplication application;
  application.key = {Text(root, "account"), Text(root, "region"), Text(root, "name")};
  application.directory = Text(root, "directory");
  application.runs = Flag(root, "runs");
  if (application.key.name.empty() || application.directory.empty()) {
    return Fail(Code::kDataLoss, "catalog: an application without name or directory");
  }
  Definition& d = application.definition;
  d.name = application.key.name;
  d.description = Text(root, "description");
  d.code = Text(root, "code");
  d.runtime_environment = Text(root, "runtime_environment");
  d.service_execution_role = Text(root, "service_execution_role");
  d.version = Number(root, "version");
  d.created_ms = Number(root, "created_ms");
  d.updated_ms = Number(root, "updated_ms");
  ForEach(root, "inputs", [&](JsonValue from) {
    Input input;
    input.id = Text(from, "id");
    input.name_prefix = Text(from, "name_prefix");
    input.kind = Number(from, "kind") == 1 ? Input::Kind::kDeliveryStream : Input::Kind::kStream;
    input.resource = Text(from, "resource");
    input.role_arn = Text(from, "role_arn");
    if (auto processor = from.Find("processor")) {
      input.processor = {Text(*processor, "lambda_arn"), Text(*processor, "role_arn")};
    }
    input.schema = ReadSchema(from);
    input.record_encoding = Text(from, "record_encoding");
    input.parallelism = static_cast<int>(Number(from, "parallelism"));
    input.starting_position = ParseStartingPosition(Text(from, "starting_position"));
    d.inputs.push_back(std::move(input));
  });
  ForEach(root, "outputs", [&](JsonValue from) {
    Output output;
    output.id = Text(from, "id");
    output.name = Text(from, "name");
    int64_t kind = Number(from, "kind");
    if (kind == 1) output.kind = Output::Kind::kDeliveryStream;
    if (kind == 2) output.kind = Output::Kind::kFunction;
    output.resource = Text(from, "resource");
    output.role_arn = Text(from, "role_arn");
    if (Text(from, "format") == "csv") output.format = Output::Format::kCsv;
    d.outputs.push_back(std::move(output));
  });
  ForEach(root, "reference_tables", [&](JsonValue from) {
    ReferenceDataSource table;
    table.id = Text(from, "id");
    table.table_name = Text(from, "table_name");
    table.bucket_arn = Text(from, "bucket_arn");
    table.file_key = Text(from, "file_key");
    table.role_arn = Text(from, "role_arn");
    table.file_path = Text(from, "file_path");
    table.schema = ReadSchema(from);
    table.record_encoding = Text(from, "record_encoding");
    d.reference_tables.push_back(std::move(table));
  });
  ForEach(root, "logging_options", [&](JsonValue from) {
    d.logging_options.push_back(
        {Text(from, "id"), Text(from, "log_stream_arn"), Text(from, "role_arn")});
  });
  if (auto tags = root.Find("tags")) {
    for (JsonValue tag : *tags) d.tags[std::string(tag.key())] = tag.AsString();
  }
  return application;
}

}  // namespace millstream::analytics
