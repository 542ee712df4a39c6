#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/application.h"
#include "sql/input_schema.h"
#include "streams/stream_key.h"

// What a SQL application is made of: plain values, the same whether they came through an API, a
// configuration file or a document (document.h). Nothing here runs.
namespace millstream::analytics {

// Where an application lives and what it is called there.
struct ApplicationKey {
  std::string account;
  std::string region;
  std::string name;
  friend auto operator<=>(const ApplicationKey&, const ApplicationKey&) = default;
};

enum class ApplicationStatus : uint8_t {
  kReady,
  kStarting,
  kRunning,
  kStopping,
  kUpdating,
  kDeleting,
};
std::string_view StatusName(ApplicationStatus status);  // "READY"

enum class StartingPosition : uint8_t { kNow, kTrimHorizon, kLastStoppedPoint };
std::string_view StartingPositionName(StartingPosition position);  // "TRIM_HORIZON"
std::optional<StartingPosition> ParseStartingPosition(std::string_view name);

// A function that sees records before the mapping does.
struct RecordProcessor {
  std::string lambda_arn;
  std::string role_arn;
  friend bool operator==(const RecordProcessor&, const RecordProcessor&) = default;
};

inline constexpr int kParallelismMax = 64;

struct Input {
  enum class Kind : uint8_t { kStream, kDeliveryStream };

  std::string id;           // "1.1"; empty until the application is stored
  std::string name_prefix;  // SOURCE_SQL_STREAM
  Kind kind = Kind::kStream;
  std::string resource;  // ARN, or the plain name of a stream of the same account and region
  std::string role_arn;
  std::optional<RecordProcessor> processor;
  sql::InputSchema schema;
  std::string record_encoding;  // "UTF-8" or empty
  int parallelism = 1;          // in-application streams that share the shards, 1 to 64
  // What StartApplication was last given; empty before the first start.
  std::optional<StartingPosition> starting_position;
};

struct Output {
  enum class Kind : uint8_t { kStream, kDeliveryStream, kFunction };
  enum class Format : uint8_t { kJson, kCsv };

  std::string id;
  std::string name;  // of an in-application stream, or "error_stream"
  Kind kind = Kind::kStream;
  std::string resource;  // ARN or plain name, as for inputs
  std::string role_arn;
  Format format = Format::kJson;
};

// A table that is read as a whole from an object of a bucket or from a file.
struct ReferenceDataSource {
  std::string id;
  std::string table_name;
  std::string bucket_arn;  // arn:aws:s3:::bucket
  std::string file_key;
  std::string role_arn;
  std::string file_path;  // instead of bucket and key
  sql::InputSchema schema;
  std::string record_encoding;
};

struct LoggingOption {
  std::string id;
  std::string log_stream_arn;
  std::string role_arn;
};

struct Definition {
  std::string name;
  std::string description;
  std::string code;
  std::string runtime_environment = "SQL-1_0";
  std::string service_execution_role;  // of v2; v1 has roles per input and output
  std::vector<Input> inputs;
  std::vector<Output> outputs;
  std::vector<ReferenceDataSource> reference_tables;
  std::vector<LoggingOption> logging_options;
  std::map<std::string, std::string> tags;

  int64_t version = 1;  // counts every change
  int64_t created_ms = 0;
  int64_t updated_ms = 0;
};

inline constexpr std::string_view kErrorStream = "error_stream";
bool IsErrorStream(std::string_view name);  // in any case

// PREFIX_001 to PREFIX_00n.
std::vector<std::string> InAppStreamNames(const Input& input);
// The name of a resource, which is an ARN or that name: "orders" of "arn:...:stream/orders".
std::string_view ResourceName(std::string_view resource);
// The stream that a resource names, seen from an application's account and region.
streams::StreamKey StreamKeyOf(const ApplicationKey& application, std::string_view resource);
// "1.1": the first of its kind that version 1 brought.
std::string MakeId(int64_t version, std::size_t number);

std::vector<sql::ColumnConfig> SchemaColumns(const sql::InputSchema& schema);
// What the engine needs to know beside the code. Reference tables are without rows.
sql::ApplicationConfig EngineConfig(const Definition& definition);
// What can be judged without the code: schemas, and that ARNs of streams name streams.
base::Status CheckParts(const Definition& definition);
// Everything that can be judged without running: the code against the inputs and tables, schemas,
// names of outputs. kInvalidArgument with line and column where the code is wrong.
base::Status Check(const Definition& definition);

}  // namespace millstream::analytics
