#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "sql/batch.h"
#include "sql/operator.h"
#include "sql/plan.h"

namespace millstream::sql {

struct ColumnConfig {
  std::string name;
  std::string type;  // as in CREATE STREAM: "VARCHAR(16)", "DOUBLE"
};

// An input: a stream that rows are pushed into from outside. Behind its columns it has the pseudo
// column APPROXIMATE_ARRIVAL_TIME, and for shards SHARD_ID, PARTITION_KEY and SEQUENCE_NUMBER, in
// this order.
struct InputConfig {
  std::string name;  // exact, e.g. SOURCE_SQL_STREAM_001
  std::vector<ColumnConfig> columns;
  bool has_shards = true;
};

// A reference table with all its rows.
struct TableConfig {
  std::string name;
  std::vector<ColumnConfig> columns;
  std::vector<std::vector<Value>> rows;  // of the columns' types
};

struct ApplicationConfig {
  std::vector<InputConfig> inputs;
  std::vector<TableConfig> tables;
  std::size_t text_bytes_max = 100 * 1024;
  // What one operator (a window, a join, a sort) may hold. Beyond it the application stops: Push and
  // Advance answer kResourceExhausted from then on, naming the operator.
  std::size_t state_bytes_max = std::size_t{2} << 30;
};

// The memory of one operator's state.
struct StateSize {
  std::string pump;
  std::string operation;  // "aggregate", "join", ...
  std::size_t bytes = 0;
};

// Receives the rows of one in-application stream, in the order of ROWTIME. The batch is valid during
// the call only. Columns are those of Columns(stream).
using Sink = std::function<void(const Batch& rows)>;

// A running application: its in-application streams and the pumps between them.
//
//   auto app = Application::Create(text, config, clock);
//   app->SetSink("DESTINATION_SQL_STREAM", [](const Batch& rows) { ... });
//   app->Push("SOURCE_SQL_STREAM_001", batch);          // rows with their ROWTIME
//   app->Advance("SOURCE_SQL_STREAM_001", now - 1);     // no earlier row will follow
//
// One thread at a time. Rows are computed inside Push and Advance, so their results are out when
// these return. Runtime errors of rows go to the error sink and never stop the application.
class Application {
 public:
  // kInvalidArgument: "line L, column C: what is wrong; what to write".
  static base::Result<std::unique_ptr<Application>> Create(std::string_view text,
                                                           const ApplicationConfig& config,
                                                           base::Clock& clock);
  // The same checks, nothing kept.
  static base::Status Check(std::string_view text, const ApplicationConfig& config);
  ~Application();

  // Names of all in-application streams, inputs first; without error_stream.
  std::vector<std::string> Streams() const;
  // The columns of a stream; for inputs without pseudo columns. kNotFound.
  base::Result<std::vector<PlanColumn>> Columns(std::string_view stream) const;
  // All columns of an input that Push takes, pseudo columns included.
  base::Result<std::vector<PlanColumn>> InputColumns(std::string_view input) const;

  // Both replace what was set. Names are exact. kNotFound.
  base::Status SetSink(std::string_view stream, Sink sink);
  void SetErrorSink(std::function<void(const ErrorRow&)> sink);

  // Rows into an input. Their ROWTIMEs must not go back, else they are raised to the last one
  // (ROWTIME is assigned, not claimed).
  base::Status Push(std::string_view input, const Batch& rows);
  // No row before `rowtime` will be pushed into this input. INT64_MAX: the input has ended.
  base::Status Advance(std::string_view input, int64_t rowtime);

  // New rows of a reference table, from the next row on: results that are out stay. kNotFound.
  base::Status ReplaceTable(std::string_view table, std::vector<std::vector<Value>> rows);

  // A row that the mapping of an input could not read.
  void ReportInputError(std::string_view name, std::string message, int64_t rowtime,
                        std::string_view row);

  // The state of all operators, to be restored into an application of the same text and inputs.
  std::string Save() const;
  // kDataLoss when the bytes do not fit.
  base::Status Restore(std::string_view state);

  // Of every operator that keeps state.
  std::vector<StateSize> StateSizes() const;

  std::string Explain() const;

 private:
  class Impl;
  explicit Application(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millstream::sql
