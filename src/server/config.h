#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "log/store.h"
#include "streams/limits.h"

namespace millstream::server {

// Where and how the server listens.
struct ListenConfig {
  std::string address = "127.0.0.1";
  int64_t port = 4566;    // 0: the system chooses
  std::string port_file;  // gets the port in decimal once the server answers
  int64_t loops = 0;      // 0: one per core
  int64_t connections_max = 20'000;
  int64_t body_bytes_max = 64 << 20;
  int64_t idle_timeout_ms = 300'000;
};

struct TlsConfig {
  std::string certificate;  // PEM chain; empty: plaintext only
  std::string key;
};

struct LogConfig {
  std::string durability = "sync";
  int64_t interval_ms = 1000;
  int64_t cache_bytes = 256 << 20;
  int64_t queue_bytes = 256 << 20;
  int64_t segment_bytes = 256 << 20;
  int64_t wal_file_bytes = 256 << 20;
  int64_t reader_threads = 2;
  int64_t page_bytes = 1 << 30;
};

struct AuditConfig {
  bool enabled = true;
  std::string stream = "millstream-audit";
  std::string level = "all";  // or management: without the calls that carry records
  int64_t shards = 2;
  int64_t queue_events = 10'000;  // above it events are dropped and counted
};

struct AnalyticsConfig {
  std::string buckets_directory;  // empty: reference data in buckets is not supported
  int64_t threads = 2;
  int64_t checkpoint_interval_ms = 10'000;
  int64_t applications_max = 50;  // per account and region
  int64_t state_bytes_max = int64_t{2} << 30;
};

struct LoggingConfig {
  std::string level = "info";
  std::string format = "text";
};

// A stream that exists once the server is up.
struct StreamConfig {
  std::string name;
  std::string account;  // empty: the default
  std::string region;   // empty: the default
  std::string mode = "provisioned";
  int64_t shards = 1;
  int64_t retention_hours = 24;
  std::map<std::string, std::string> tags;
  std::string where;  // "millstream.toml:12", for messages
};

// A SQL application that runs once the server is up: a document as people have it, or code, the schema
// of its input, and the streams on both sides.
struct ApplicationConfig {
  std::string name;      // empty: the document's
  std::string document;  // JSON text of document_file
  std::string code;
  std::string schema;    // JSON text of schema_file
  std::string input;     // source stream
  std::string start = "TRIM_HORIZON";
  std::string output_format = "JSON";
  std::map<std::string, std::string> outputs;  // in-application stream -> stream
  std::string where;
};

struct AccessKeyConfig {
  std::string id;
  std::string secret;
  std::string session_token;
  std::string account;                // empty: the default
  std::string principal;              // ARN; empty: the account's root
  std::vector<std::string> policies;  // JSON texts
  bool enabled = true;
  std::string where;
};

// Makes calls misbehave, for tests of clients (aws::FaultRule). The first rule that matches
// decides.
struct FaultConfig {
  std::string service = "*";
  std::string operation = "*";
  double probability = 1.0;
  int64_t times = -1;  // ends after so many; -1: never
  int64_t delay_ms = 0;
  std::string error;  // the exception's name; empty: a delay only
  std::string message;
  std::string where;
};

// Everything an operator can choose. A plain value; LoadConfig() (config_load.h) makes one and the
// option table (config_options.h) names its parts.
struct Config {
  std::string data_directory = "millstream-data";
  ListenConfig listen;
  TlsConfig tls;
  LogConfig log;
  std::string limits_mode = "on";
  streams::Limits limits;
  streams::TransitionTimes transitions;
  streams::OnDemandOptions on_demand;
  std::string default_account = "000000000000";
  std::string default_region = "us-east-1";
  std::string key_ring_file;  // empty: the user's state folder, see DefaultKeyRingFile()
  AuditConfig audit;
  AnalyticsConfig analytics;
  LoggingConfig logging;
  int64_t shutdown_grace_ms = 10'000;
  int64_t fault_seed = 1;
  std::vector<StreamConfig> streams;
  std::vector<ApplicationConfig> applications;
  std::vector<AccessKeyConfig> access_keys;
  std::vector<FaultConfig> faults;

  log::Durability durability() const {
    return log.durability == "interval" ? log::Durability::kInterval : log::Durability::kSync;
  }
};

}  // namespace millstream::server
