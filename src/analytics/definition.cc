#include "analytics/definition.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/clock.h"

namespace millstream::analytics {
namespace {

using base::Code;
using base::Fail;

base::Status CheckSchema(const sql::InputSchema& schema, std::string_view what, bool has_shards) {
  if (schema.columns.empty()) {
    return Fail(Code::kInvalidArgument, fmt::format("{} has no columns", what));
  }
  auto mapper = sql::InputMapper::Create(
      schema, has_shards, [](const sql::Batch&) {},
      [](std::string, int64_t, std::string_view) {});
  if (!mapper) return Fail(mapper.error().Within(what));
  return {};
}

// arn:partition:service:region:account:resource
struct Arn {
  std::string_view service, region, account, resource;
};

std::optional<Arn> SplitArn(std::string_view text) {
  std::string_view parts[5];
  for (std::string_view& part : parts) {
    std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    part = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  return Arn{parts[2], parts[3], parts[4], text};
}

base::Status CheckStream(std::string_view resource, std::string_view what) {
  if (!resource.starts_with("arn:")) return {};
  constexpr std::string_view kStream = "stream/";
  auto arn = SplitArn(resource);
  if (arn && arn->service == "kinesis" && arn->resource.starts_with(kStream) &&
      arn->resource.size() > kStream.size()) {
    return {};
  }
  return Fail(Code::kInvalidArgument, fmt::format("{}: {} is not the ARN of a stream; that is "
                                                  "arn:aws:kinesis:REGION:ACCOUNT:stream/NAME",
                                                  what, resource));
}

}  // namespace

std::string_view StatusName(ApplicationStatus status) {
  switch (status) {
    case ApplicationStatus::kReady: return "READY";
    case ApplicationStatus::kStarting: return "STARTING";
    case ApplicationStatus::kRunning: return "RUNNING";
    case ApplicationStatus::kStopping: return "STOPPING";
    case ApplicationStatus::kUpdating: return "UPDATING";
    case ApplicationStatus::kDeleting: return "DELETING";
  }
  return "";
}

std::string_view StartingPositionName(StartingPosition position) {
  switch (position) {
    case StartingPosition::kNow: return "NOW";
    case StartingPosition::kTrimHorizon: return "TRIM_HORIZON";
    case StartingPosition::kLastStoppedPoint: return "LAST_STOPPED_POINT";
  }
  return "";
}

std::optional<StartingPosition> ParseStartingPosition(std::string_view name) {
  for (auto position : {StartingPosition::kNow, StartingPosition::kTrimHorizon,
                        StartingPosition::kLastStoppedPoint}) {
    if (StartingPositionName(position) == name) return position;
  }
  return std::nullopt;
}

bool IsErrorStream(std::string_view name) {
  return std::equal(name.begin(), name.end(), kErrorStream.begin(), kErrorStream.end(),
                    [](char a, char b) {
                      return std::tolower(static_cast<unsigned char>(a)) == b;
                    });
}

std::vector<std::string> InAppStreamNames(const Input& input) {
  std::vector<std::string> names;
  for (int i = 1; i <= input.parallelism; ++i) {
    names.push_back(fmt::format("{}_{:03}", input.name_prefix, i));
  }
  return names;
}

std::string_view ResourceName(std::string_view resource) {
  if (!resource.starts_with("arn:")) return resource;
  std::size_t last = resource.rfind(':');
  std::string_view name = resource.substr(last + 1);  // "stream/orders" or "function"
  std::size_t slash = name.find('/');
  return slash == std::string_view::npos ? name : name.substr(slash + 1);
}

streams::StreamKey StreamKeyOf(const ApplicationKey& application, std::string_view resource) {
  streams::StreamKey key{application.account, application.region,
                         std::string(ResourceName(resource))};
  if (!resource.starts_with("arn:")) return key;
  if (auto arn = SplitArn(resource)) {
    key.region = arn->region;
    key.account = arn->account;
  }
  return key;
}

std::string MakeId(int64_t version, std::size_t number) {
  return fmt::format("{}.{}", version, number);
}

std::vector<sql::ColumnConfig> SchemaColumns(const sql::InputSchema& schema) {
  std::vector<sql::ColumnConfig> columns;
  for (const sql::MappedColumn& column : schema.columns) {
    columns.push_back({column.name, column.type});
  }
  return columns;
}

sql::ApplicationConfig EngineConfig(const Definition& definition) {
  sql::ApplicationConfig config;
  for (const Input& input : definition.inputs) {
    for (std::string& name : InAppStreamNames(input)) {
      config.inputs.push_back({.name = std::move(name),
                               .columns = SchemaColumns(input.schema),
                               .has_shards = input.kind == Input::Kind::kStream});
    }
  }
  for (const ReferenceDataSource& table : definition.reference_tables) {
    config.tables.push_back(
        {.name = table.table_name, .columns = SchemaColumns(table.schema), .rows = {}});
  }
  return config;
}

base::Status CheckParts(const Definition& definition) {
  for (const Input& input : definition.inputs) {
    if (input.parallelism < 1 || input.parallelism > kParallelismMax) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("input {}: parallelism is {}, must be 1 to {}", input.name_prefix,
                              input.parallelism, kParallelismMax));
    }
    const bool stream = input.kind == Input::Kind::kStream;
    if (stream) TRY(CheckStream(input.resource, "input " + input.name_prefix));
    TRY(CheckSchema(input.schema, "input " + input.name_prefix, stream));
  }
  for (const Output& output : definition.outputs) {
    if (output.kind != Output::Kind::kStream) continue;
    TRY(CheckStream(output.resource, "output " + output.name));
  }
  for (const ReferenceDataSource& table : definition.reference_tables) {
    TRY(CheckSchema(table.schema, "reference table " + table.table_name, false));
  }
  return {};
}

base::Status Check(const Definition& definition) {
  TRY(CheckParts(definition));
  base::ManualClock clock;
  ASSIGN_OR_RETURN(auto application, sql::Application::Create(
                                         definition.code, EngineConfig(definition), clock));
  for (const Output& output : definition.outputs) {
    if (IsErrorStream(output.name) || application->Columns(output.name)) continue;
    std::string known;
    for (const std::string& name : application->Streams()) {
      known += (known.empty() ? "" : ", ") + name;
    }
    return Fail(Code::kInvalidArgument,
                fmt::format("output {}: the code creates no stream of this name; it has: {}, {}",
                            output.name, known, kErrorStream));
  }
  return {};
}

}  // namespace millstream::analytics
