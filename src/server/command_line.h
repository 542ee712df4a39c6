#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "server/config_load.h"

namespace millstream::server {

enum class Command {
  kServe,
  kConfig,
  kCertificate,
  kStreams,
  kPut,
  kTail,
  kBench,
  kDoctor,
  kSql,
  kVersion
};

// How the client commands reach a server; AWS's own variables are the defaults.
struct ClientOptions {
  std::string endpoint = "http://127.0.0.1:4566";  // AWS_ENDPOINT_URL_KINESIS, AWS_ENDPOINT_URL
  std::string region = "us-east-1";                // AWS_REGION, AWS_DEFAULT_REGION
  std::string access_key = "test";                 // AWS_ACCESS_KEY_ID
  std::string secret = "test";                     // AWS_SECRET_ACCESS_KEY
  std::string session_token;                       // AWS_SESSION_TOKEN
};

struct CertificateOptions {
  std::string directory = "certificates";
  std::vector<std::string> names;  // beside localhost, 127.0.0.1 and ::1
  int64_t days = 825;
};

struct StreamsOptions {
  std::string stream;  // empty: list all
  bool json = false;
};

struct PutOptions {
  std::string stream;
  std::vector<std::string> data;  // empty: one record per line of standard input
  std::string partition_key;      // empty: a random one for each record
  std::string explicit_hash_key;
};

enum class TailFormat { kHuman, kJson, kNdjson };

struct TailOptions {
  std::string stream;
  bool follow = false;
  TailFormat format = TailFormat::kHuman;
  std::string from = "latest";  // latest, oldest, or a time such as 2026-01-01T00:00:00Z
  std::string shard;            // empty: all
  int64_t records_max = 0;      // 0: no end
};

struct BenchOptions {
  std::string stream = "millstream-bench";
  int64_t seconds = 5;
  int64_t connections = 8;
  int64_t record_bytes = 1024;
  int64_t batch = 500;  // records a PutRecords
};

struct DoctorOptions {
  std::string directory;
};

enum class SqlFormat { kNdjson, kJson, kCsv, kTable };

// [NAME=]VALUE: what an option gives to one in-application stream, or to the only one.
struct SqlOptions {
  std::string application;              // .sql text, or a document that holds an application
  std::string name;                     // which application of a document with several
  std::vector<std::string> inputs;      // [NAME=]FILE; - is standard input
  std::vector<std::string> references;  // NAME=FILE
  std::vector<std::string> schemas;     // [NAME=]FILE
  std::vector<std::string> columns;     // [NAME=]"a VARCHAR(4), b DOUBLE"
  std::vector<std::string> rowtimes;    // [NAME=]$.path or a column
  std::string start = "2026-01-01T00:00:00Z";
  std::string tick = "1ms";
  bool records = false;  // input lines are records as `millstream tail -o json` prints them
  bool header = false;
  std::vector<std::string> outputs;
  SqlFormat format = SqlFormat::kNdjson;
  bool bare = false;
  bool strict = false;
  std::vector<std::string> evaluate;  // expressions, instead of an application
  bool check = false;
  bool explain = false;
  bool print_schema = false;
  std::vector<std::string> follow;  // [NAME=]STREAM of a running server
  std::string from = "latest";
  int64_t rows_max = 0;  // 0: no end
};

// What this process is asked to do.
struct Invocation {
  Command command = Command::kServe;
  ConfigSources config;  // serve, config, doctor
  ClientOptions client;
  CertificateOptions certificate;
  StreamsOptions streams;
  PutOptions put;
  TailOptions tail;
  BenchOptions bench;
  DoctorOptions doctor;
  SqlOptions sql;
};

// The invocation, or the exit code when the process is done: help was shown, or the line was wrong
// and says so on standard error.
tl::expected<Invocation, int> ParseCommandLine(int argc, char** argv);

}  // namespace millstream::server
