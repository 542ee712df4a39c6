#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/batch.h"
#include "sql/type.h"

namespace millstream::sql {

struct MappedColumn {
  std::string name;
  std::string type;     // as in CREATE STREAM
  std::string mapping;  // JSON: "$.a.b", "$.list[0:].x"; not used for CSV
};

struct InputSchema {
  enum class Format { kJson, kCsv } format = Format::kJson;
  std::string row_path = "$";          // JSON: where the rows are
  std::string column_delimiter = ",";  // CSV
  std::string row_delimiter = "\n";    // CSV
  std::vector<MappedColumn> columns;
};

// What is known of a record beside its bytes.
struct RecordFacts {
  int64_t rowtime = 0;
  int64_t arrival_ms = 0;
  std::string_view shard_id;
  std::string_view partition_key;
  std::string_view sequence_number;
};

// What is known of the lines of a text, in their order.
class LineFacts {
 public:
  virtual ~LineFacts() = default;
  virtual const RecordFacts& Next() = 0;
};

// Turns records into rows of an input (its columns, then its pseudo columns). Rows gather in a
// buffer that Flush, or 1024 rows, hand to `emit`. A value that does not fit its column makes the
// row an error: `on_error` gets the reason and the record. One thread.
class InputMapper {
 public:
  using Emit = std::function<void(const Batch&)>;
  using OnError =
      std::function<void(std::string message, int64_t rowtime, std::string_view record)>;

  // kInvalidArgument names the column and what is wrong with its type or path.
  static base::Result<std::unique_ptr<InputMapper>> Create(const InputSchema& schema,
                                                           bool has_shards, Emit emit,
                                                           OnError on_error);
  ~InputMapper();

  // One record: a JSON document or several, or lines of CSV.
  void Map(std::string_view record, const RecordFacts& facts);
  // Each line of `text` as a record; empty lines are none. Quickest when the text ends with a line
  // end: lines are then not searched for theirs beforehand.
  void MapLines(std::string_view text, LineFacts& lines);
  void Flush();

 private:
  class Impl;
  explicit InputMapper(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millstream::sql
