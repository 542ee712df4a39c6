#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/command_sql_reader.h"
#include "sql/input_schema.h"

namespace millstream::server {

struct SqlInputOptions {
  sql::InputSchema schema;
  bool has_shards = false;  // whether rows carry SHARD_ID, PARTITION_KEY and SEQUENCE_NUMBER
  std::string rowtime;      // a member ($.path) or a column; empty: see below
  int64_t start_ms = 0;     // ROWTIME of the first record
  int64_t tick_ms = 1;      // how much later each further one is
  bool records = false;     // lines of `millstream tail -o json`: ROWTIME is their arrival
};

// Records to rows of one in-application stream, with their ROWTIME. Where that comes from is the
// same for the same bytes, so that a run can be repeated. One thread.
class SqlInput {
 public:
  // Rows ascend in ROWTIME: a time that goes back is raised.
  using Emit = std::function<void(const sql::Batch& rows)>;
  using OnError = sql::InputMapper::OnError;

  // kInvalidArgument names what is wrong with the schema or with `rowtime`.
  static base::Result<std::unique_ptr<SqlInput>> Create(SqlInputOptions options, Emit emit,
                                                        OnError on_error);
  ~SqlInput();

  // One record of the input.
  void Add(std::string_view record);
  // One record for each line, empty ones excepted. The text ends with a line end.
  void AddLines(std::string_view text);
  // A record of a stream, with what is known of it.
  void Add(std::string_view record, const sql::RecordFacts& facts);
  // Rows gather until there are 1024.
  void Flush();

 private:
  class Impl;
  explicit SqlInput(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The data of a line as `millstream tail -o json` prints it; empty when it is none.
std::string RecordData(std::string_view line);
// A number of seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by its
// size, as milliseconds.
int64_t EpochMs(double number);
// "0", "1ms", "10s", "5m", "1h", "1d".
base::Result<int64_t> ParseDurationMs(std::string_view text);

}  // namespace millstream::server
