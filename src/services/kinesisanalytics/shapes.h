#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analytics/applications.h"
#include "analytics/definition.h"
#include "services/kinesisanalytics/control.h"

// From the API's shapes to definitions and back. Both versions of the API spell nearly all of them
// the same, so these are templates over the generated structs; where v1 has roles, v2 has none.
namespace millstream::services::kinesisanalytics {

using analytics::Definition;
using analytics::Refused;
using analytics::Refusal;

inline Refused Invalid(std::string message) {
  return {.reason = Refusal::kArgument, .message = std::move(message)};
}

template <typename T>
std::string RoleOf(const T& from) {
  if constexpr (requires { from.role_arn; }) {
    return from.role_arn;
  } else {
    return {};
  }
}

// ---- in

template <typename RecordFormat>
void ApplyFormat(const RecordFormat& from, sql::InputSchema& schema) {
  schema.format = from.record_format_type == "CSV" ? sql::InputSchema::Format::kCsv
                                                   : sql::InputSchema::Format::kJson;
  if (!from.mapping_parameters) return;
  if (from.mapping_parameters->json_mapping_parameters) {
    schema.row_path = from.mapping_parameters->json_mapping_parameters->record_row_path;
  }
  if (from.mapping_parameters->csv_mapping_parameters) {
    schema.column_delimiter = from.mapping_parameters->csv_mapping_parameters->record_column_delimiter;
    schema.row_delimiter = from.mapping_parameters->csv_mapping_parameters->record_row_delimiter;
  }
}

template <typename Columns>
void ApplyColumns(const Columns& from, sql::InputSchema& schema) {
  schema.columns.clear();
  for (const auto& column : from) {
    schema.columns.push_back({column.name, column.sql_type, column.mapping.value_or("")});
  }
}

template <typename SourceSchema>
sql::InputSchema ToSchema(const SourceSchema& from) {
  sql::InputSchema schema;
  ApplyFormat(from.record_format, schema);
  ApplyColumns(from.record_columns, schema);
  return schema;
}

template <typename Processing>
analytics::RecordProcessor ToProcessor(const Processing& from) {
  return {from.input_lambda_processor.resource_arn, RoleOf(from.input_lambda_processor)};
}

template <typename Input>
std::optional<Refused> AddInput(const Input& from, const Counts& counts, int64_t version,
                                Definition& to) {
  if (to.inputs.size() >= counts.inputs) {
    return Invalid(fmt::format("An application has {} input{} at most.", counts.inputs,
                                          counts.inputs == 1 ? "" : "s"));
  }
  analytics::Input input;
  if (from.kinesis_streams_input.has_value() == from.kinesis_firehose_input.has_value()) {
    return Invalid("Exactly one of KinesisStreamsInput and KinesisFirehoseInput must be given.");
  }
  if (from.kinesis_streams_input) {
    input.resource = from.kinesis_streams_input->resource_arn;
    input.role_arn = RoleOf(*from.kinesis_streams_input);
  } else {
    input.kind = analytics::Input::Kind::kDeliveryStream;
    input.resource = from.kinesis_firehose_input->resource_arn;
    input.role_arn = RoleOf(*from.kinesis_firehose_input);
  }
  for (const analytics::Input& other : to.inputs) {
    if (other.name_prefix == from.name_prefix) {
      return Invalid("There is an input with the name prefix " + from.name_prefix + " already.");
    }
  }
  input.id = analytics::MakeId(version, to.inputs.size() + 1);
  input.name_prefix = from.name_prefix;
  if (from.input_processing_configuration) {
    input.processor = ToProcessor(*from.input_processing_configuration);
  }
  input.schema = ToSchema(from.input_schema);
  input.record_encoding = from.input_schema.record_encoding.value_or("");
  if (from.input_parallelism) input.parallelism = from.input_parallelism->count.value_or(1);
  to.inputs.push_back(std::move(input));
  return std::nullopt;
}

template <typename Output>
std::optional<Refused> AddOutput(const Output& from, const Counts& counts, int64_t version,
                                 Definition& to) {
  if (to.outputs.size() >= counts.outputs) {
    return Invalid(fmt::format("An application has {} outputs at most.", counts.outputs));
  }
  int given = from.kinesis_streams_output.has_value() + from.kinesis_firehose_output.has_value() +
              from.lambda_output.has_value();
  if (given != 1) {
    return Invalid("Exactly one of KinesisStreamsOutput, KinesisFirehoseOutput and LambdaOutput "
                   "must be given.");
  }
  analytics::Output output;
  output.id = analytics::MakeId(version, to.outputs.size() + 1);
  output.name = from.name;
  if (from.kinesis_streams_output) {
    output.resource = from.kinesis_streams_output->resource_arn;
    output.role_arn = RoleOf(*from.kinesis_streams_output);
  } else if (from.kinesis_firehose_output) {
    output.kind = analytics::Output::Kind::kDeliveryStream;
    output.resource = from.kinesis_firehose_output->resource_arn;
    output.role_arn = RoleOf(*from.kinesis_firehose_output);
  } else {
    output.kind = analytics::Output::Kind::kFunction;
    output.resource = from.lambda_output->resource_arn;
    output.role_arn = RoleOf(*from.lambda_output);
  }
  output.format = from.destination_schema.record_format_type == "CSV"
                      ? analytics::Output::Format::kCsv
                      : analytics::Output::Format::kJson;
  to.outputs.push_back(std::move(output));
  return std::nullopt;
}

template <typename Source>
std::optional<Refused> AddTable(const Source& from, const Counts& counts, int64_t version,
                                Definition& to) {
  if (to.reference_tables.size() >= counts.tables) {
    return Invalid(fmt::format("An application has {} reference data source{} at most.",
                                          counts.tables, counts.tables == 1 ? "" : "s"));
  }
  if (!from.s_3_reference_data_source) return Invalid("S3ReferenceDataSource must be given.");
  analytics::ReferenceDataSource table;
  table.id = analytics::MakeId(version, to.reference_tables.size() + 1);
  table.table_name = from.table_name;
  const auto& object = *from.s_3_reference_data_source;
  if constexpr (requires { object.reference_role_arn; }) {
    table.bucket_arn = object.bucket_arn;
    table.file_key = object.file_key;
    table.role_arn = object.reference_role_arn;
  } else {
    table.bucket_arn = object.bucket_arn.value_or("");
    table.file_key = object.file_key.value_or("");
  }
  table.schema = ToSchema(from.reference_schema);
  table.record_encoding = from.reference_schema.record_encoding.value_or("");
  to.reference_tables.push_back(std::move(table));
  return std::nullopt;
}

template <typename Option>
std::optional<Refused> AddLoggingOption(const Option& from, int64_t version, Definition& to) {
  if (!to.logging_options.empty()) {
    return Invalid("An application has 1 CloudWatch logging option at most.");
  }
  to.logging_options.push_back({analytics::MakeId(version, to.logging_options.size() + 1),
                                from.log_stream_arn, RoleOf(from)});
  return std::nullopt;
}

// The element with that id, or why not.
template <typename T>
T* FindById(std::vector<T>& list, const std::string& id) {
  auto found = std::find_if(list.begin(), list.end(), [&](const T& item) { return item.id == id; });
  return found == list.end() ? nullptr : &*found;
}

inline Refused NoSuchId(std::string_view what, const std::string& id) {
  return Invalid(fmt::format("The application has no {} with the id {}.", what, id));
}

template <typename T>
std::optional<Refused> RemoveById(std::vector<T>& list, std::string_view what,
                                  const std::string& id) {
  T* found = FindById(list, id);
  if (found == nullptr) return NoSuchId(what, id);
  list.erase(list.begin() + (found - list.data()));
  return std::nullopt;
}

// Members of updates are optional in v1 and partly required in v2.
inline void Set(const std::optional<std::string>& from, std::string& to) {
  if (from) to = *from;
}
inline void Set(const std::string& from, std::string& to) { to = from; }

template <typename ResourceUpdate, typename T>
void SetResource(const ResourceUpdate& from, T& to) {
  Set(from.resource_arn_update, to.resource);
  if constexpr (requires { from.role_arn_update; }) Set(from.role_arn_update, to.role_arn);
}

template <typename InputUpdate>
std::optional<Refused> UpdateInput(const InputUpdate& from, Definition& to) {
  analytics::Input* input = FindById(to.inputs, from.input_id);
  if (input == nullptr) return NoSuchId("input", from.input_id);
  Set(from.name_prefix_update, input->name_prefix);
  if (from.input_processing_configuration_update) {
    const auto& update = from.input_processing_configuration_update->input_lambda_processor_update;
    if (!input->processor) input->processor.emplace();
    Set(update.resource_arn_update, input->processor->lambda_arn);
    if constexpr (requires { update.role_arn_update; }) {
      Set(update.role_arn_update, input->processor->role_arn);
    }
  }
  if (from.kinesis_streams_input_update) {
    input->kind = analytics::Input::Kind::kStream;
    SetResource(*from.kinesis_streams_input_update, *input);
  }
  if (from.kinesis_firehose_input_update) {
    input->kind = analytics::Input::Kind::kDeliveryStream;
    SetResource(*from.kinesis_firehose_input_update, *input);
  }
  if (from.input_schema_update) {
    const auto& update = *from.input_schema_update;
    if (update.record_format_update) ApplyFormat(*update.record_format_update, input->schema);
    Set(update.record_encoding_update, input->record_encoding);
    if (update.record_column_updates) ApplyColumns(*update.record_column_updates, input->schema);
  }
  if (from.input_parallelism_update) {
    const auto& count = from.input_parallelism_update->count_update;
    if constexpr (requires { count.has_value(); }) {
      if (count) input->parallelism = *count;
    } else {
      input->parallelism = count;
    }
  }
  return std::nullopt;
}

template <typename OutputUpdate>
std::optional<Refused> UpdateOutput(const OutputUpdate& from, Definition& to) {
  analytics::Output* output = FindById(to.outputs, from.output_id);
  if (output == nullptr) return NoSuchId("output", from.output_id);
  Set(from.name_update, output->name);
  if (from.kinesis_streams_output_update) {
    output->kind = analytics::Output::Kind::kStream;
    SetResource(*from.kinesis_streams_output_update, *output);
  }
  if (from.kinesis_firehose_output_update) {
    output->kind = analytics::Output::Kind::kDeliveryStream;
    SetResource(*from.kinesis_firehose_output_update, *output);
  }
  if (from.lambda_output_update) {
    output->kind = analytics::Output::Kind::kFunction;
    SetResource(*from.lambda_output_update, *output);
  }
  if (from.destination_schema_update) {
    output->format = from.destination_schema_update->record_format_type == "CSV"
                         ? analytics::Output::Format::kCsv
                         : analytics::Output::Format::kJson;
  }
  return std::nullopt;
}

template <typename TableUpdate>
std::optional<Refused> UpdateTable(const TableUpdate& from, Definition& to) {
  analytics::ReferenceDataSource* table = FindById(to.reference_tables, from.reference_id);
  if (table == nullptr) return NoSuchId("reference data source", from.reference_id);
  Set(from.table_name_update, table->table_name);
  if (from.s_3_reference_data_source_update) {
    const auto& update = *from.s_3_reference_data_source_update;
    Set(update.bucket_arn_update, table->bucket_arn);
    Set(update.file_key_update, table->file_key);
    if constexpr (requires { update.reference_role_arn_update; }) {
      Set(update.reference_role_arn_update, table->role_arn);
    }
  }
  if (from.reference_schema_update) {
    table->schema = ToSchema(*from.reference_schema_update);
    Set(from.reference_schema_update->record_encoding, table->record_encoding);
  }
  return std::nullopt;
}

template <typename OptionUpdate>
std::optional<Refused> UpdateLoggingOption(const OptionUpdate& from, Definition& to) {
  analytics::LoggingOption* option =
      FindById(to.logging_options, from.cloud_watch_logging_option_id);
  if (option == nullptr) {
    return NoSuchId("CloudWatch logging option", from.cloud_watch_logging_option_id);
  }
  Set(from.log_stream_arn_update, option->log_stream_arn);
  if constexpr (requires { from.role_arn_update; }) Set(from.role_arn_update, option->role_arn);
  return std::nullopt;
}

// Applies `each` to all of an optional list; stops at the first refusal.
template <typename T, typename Each>
std::optional<Refused> ForEach(const std::optional<std::vector<T>>& list, Each each) {
  if (!list) return std::nullopt;
  for (const T& item : *list) {
    if (auto refused = each(item)) return refused;
  }
  return std::nullopt;
}

// ---- out

template <typename SourceSchema>
SourceSchema DescribeSchema(const sql::InputSchema& from, const std::string& encoding) {
  SourceSchema to;
  auto& parameters = to.record_format.mapping_parameters.emplace();
  if (from.format == sql::InputSchema::Format::kCsv) {
    to.record_format.record_format_type = "CSV";
    auto& csv = parameters.csv_mapping_parameters.emplace();
    csv.record_column_delimiter = from.column_delimiter;
    csv.record_row_delimiter = from.row_delimiter;
  } else {
    to.record_format.record_format_type = "JSON";
    parameters.json_mapping_parameters.emplace().record_row_path = from.row_path;
  }
  if (!encoding.empty()) to.record_encoding = encoding;
  for (const sql::MappedColumn& column : from.columns) {
    auto& described = to.record_columns.emplace_back();
    described.name = column.name;
    described.sql_type = column.type;
    if (!column.mapping.empty()) described.mapping = column.mapping;
  }
  return to;
}

template <typename Description>
void DescribeResource(const std::string& resource, const std::string& role, Description& to) {
  to.resource_arn = resource;
  if (!role.empty()) to.role_arn = role;
}

template <typename InputDescription>
InputDescription DescribeInput(const analytics::Input& from) {
  InputDescription to;
  to.input_id = from.id;
  to.name_prefix = from.name_prefix;
  to.in_app_stream_names = analytics::InAppStreamNames(from);
  if (from.processor) {
    auto& lambda = to.input_processing_configuration_description.emplace()
                       .input_lambda_processor_description.emplace();
    DescribeResource(from.processor->lambda_arn, from.processor->role_arn, lambda);
  }
  if (from.kind == analytics::Input::Kind::kStream) {
    DescribeResource(from.resource, from.role_arn, to.kinesis_streams_input_description.emplace());
  } else {
    DescribeResource(from.resource, from.role_arn,
                     to.kinesis_firehose_input_description.emplace());
  }
  to.input_schema = DescribeSchema<typename decltype(to.input_schema)::value_type>(
      from.schema, from.record_encoding);
  to.input_parallelism.emplace().count = from.parallelism;
  auto& start = to.input_starting_position_configuration.emplace();
  if (from.starting_position) {
    start.input_starting_position = StartingPositionName(*from.starting_position);
  }
  return to;
}

template <typename OutputDescription>
OutputDescription DescribeOutput(const analytics::Output& from) {
  OutputDescription to;
  to.output_id = from.id;
  to.name = from.name;
  switch (from.kind) {
    case analytics::Output::Kind::kStream:
      DescribeResource(from.resource, from.role_arn,
                       to.kinesis_streams_output_description.emplace());
      break;
    case analytics::Output::Kind::kDeliveryStream:
      DescribeResource(from.resource, from.role_arn,
                       to.kinesis_firehose_output_description.emplace());
      break;
    case analytics::Output::Kind::kFunction:
      DescribeResource(from.resource, from.role_arn, to.lambda_output_description.emplace());
      break;
  }
  to.destination_schema.emplace().record_format_type =
      from.format == analytics::Output::Format::kCsv ? "CSV" : "JSON";
  return to;
}

// Version 2 has no roles of tables and log streams, and says so by leaving the member out.
template <typename Member>
void SetRole(const std::string& arn, Member& role) {
  if constexpr (requires { role.has_value(); }) {
    if (arn.empty()) return;
  }
  role = arn;
}

template <typename TableDescription>
TableDescription DescribeTable(const analytics::ReferenceDataSource& from) {
  TableDescription to;
  to.reference_id = from.id;
  to.table_name = from.table_name;
  to.s_3_reference_data_source_description.bucket_arn = from.bucket_arn;
  to.s_3_reference_data_source_description.file_key =
      from.file_path.empty() ? from.file_key : from.file_path;
  SetRole(from.role_arn, to.s_3_reference_data_source_description.reference_role_arn);
  to.reference_schema = DescribeSchema<typename decltype(to.reference_schema)::value_type>(
      from.schema, from.record_encoding);
  return to;
}

template <typename OptionDescription>
OptionDescription DescribeLoggingOption(const analytics::LoggingOption& from) {
  OptionDescription to;
  to.cloud_watch_logging_option_id = from.id;
  to.log_stream_arn = from.log_stream_arn;
  SetRole(from.role_arn, to.role_arn);
  return to;
}

template <typename Description, typename T>
std::vector<Description> DescribeAll(const std::vector<T>& from, Description (*describe)(const T&)) {
  std::vector<Description> to;
  for (const T& item : from) to.push_back(describe(item));
  return to;
}

// ---- operations that both versions answer alike

// What DiscoverInputSchema finds in sampled records.
template <typename Output>
aws::Outcome<Output> DiscoveredOutput(const Exceptions& exceptions,
                                      const std::vector<std::string>& records) {
  std::vector<std::string_view> views(records.begin(), records.end());
  if (views.empty()) {
    return aws::FailCall(exceptions.unable_to_detect(
        "Unable to discover the schema: no records were found to sample."));
  }
  auto discovered = analytics::DiscoverSchema(views);
  if (!discovered) {
    return aws::FailCall(exceptions.unable_to_detect("Unable to discover the schema: " +
                                                     discovered.error().message()));
  }
  Output output;
  output.input_schema = DescribeSchema<typename decltype(output.input_schema)::value_type>(
      discovered->schema, "UTF-8");
  auto& parsed = output.parsed_input_records.emplace();
  for (const auto& row : discovered->rows) {
    auto& texts = parsed.emplace_back();
    for (const auto& text : row) texts.push_back(text.value_or("null"));
  }
  output.raw_input_records = records;
  output.processed_input_records.emplace();
  return output;
}

template <typename Tags>
std::vector<std::pair<std::string, std::string>> TagPairs(const Tags& tags) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& tag : tags) pairs.emplace_back(tag.key, tag.value.value_or(""));
  return pairs;
}

// DiscoverInputSchema on a stream or an object, alike in both versions.
template <typename Output, typename Input>
void DiscoverSchema(Control& control, const aws::Call& call, Input input, aws::Reply<Output> reply) {
  if (input.input_processing_configuration) {
    return std::move(reply).Fail(
        control.exceptions().unsupported("Preprocessing functions are not supported yet."));
  }
  control.Run(
      std::move(reply),
      [&control, call, input = std::move(input)]() -> aws::Outcome<Output> {
        if (!input.resource_arn && !input.s_3_configuration) {
          return aws::FailCall(
              control.exceptions().invalid_argument("ResourceARN or S3Configuration must be given."));
        }
        std::string position;
        if (input.input_starting_position_configuration) {
          position = input.input_starting_position_configuration->input_starting_position.value_or(
              "");
        }
        auto sample = input.resource_arn
                          ? control.SampleStream(call, *input.resource_arn, position)
                          : control.SampleObject(input.s_3_configuration->bucket_arn,
                                                  input.s_3_configuration->file_key);
        if (!sample) return aws::FailCall(sample.error());
        return DiscoveredOutput<Output>(control.exceptions(), sample->records);
      });
}

template <typename Output, typename Input>
void TagApplication(Control& control, Input input, aws::Reply<Output> reply) {
  auto key = control.KeyOfArn(input.resource_arn);
  if (!key) return std::move(reply).Fail(key.error());
  auto pairs = TagPairs(input.tags);
  if (auto wrong = control.CheckTags(pairs)) return std::move(reply).Fail(std::move(*wrong));
  control.Run(std::move(reply), [&control, key = *key, pairs]() -> aws::Outcome<Output> {
    auto changed = control.applications().ChangeTags(
        key, [&](Definition& d) -> std::optional<Refused> {
          for (const auto& [name, value] : pairs) d.tags[name] = value;
          if (d.tags.size() > kTagsMax) return Refused{.reason = Refusal::kLimit};
          return std::nullopt;
        });
    if (changed) return Output{};
    if (changed.error().reason == Refusal::kLimit) {
      return aws::FailCall(control.exceptions().too_many_tags(
          fmt::format("An application has {} tags at most.", kTagsMax)));
    }
    return aws::FailCall(control.ToError(changed.error(), key, "TagResource"));
  });
}

template <typename Output, typename Input>
void UntagApplication(Control& control, Input input, aws::Reply<Output> reply) {
  auto key = control.KeyOfArn(input.resource_arn);
  if (!key) return std::move(reply).Fail(key.error());
  control.Run(std::move(reply),
              [&control, key = *key, names = input.tag_keys]() -> aws::Outcome<Output> {
                auto changed = control.applications().ChangeTags(
                    key, [&](Definition& d) -> std::optional<Refused> {
                      for (const std::string& name : names) d.tags.erase(name);
                      return std::nullopt;
                    });
                if (!changed) {
                  return aws::FailCall(control.ToError(changed.error(), key, "UntagResource"));
                }
                return Output{};
              });
}

template <typename Output, typename Input>
void ListTags(Control& control, Input input, aws::Reply<Output> reply) {
  auto key = control.KeyOfArn(input.resource_arn);
  if (!key) return std::move(reply).Fail(key.error());
  auto found = control.applications().Find(*key);
  if (found == nullptr) {
    return std::move(reply).Fail(
        control.ToError({.reason = Refusal::kNotFound}, *key, "ListTagsForResource"));
  }
  Output output;
  auto& tags = output.tags.emplace();
  for (const auto& [name, value] : found->definition.tags) {
    auto& tag = tags.emplace_back();
    tag.key = name;
    tag.value = value;
  }
  std::move(reply).Send(output);
}

}  // namespace millstream::services::kinesisanalytics
