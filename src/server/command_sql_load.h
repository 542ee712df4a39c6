#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "analytics/definition.h"
#include "base/result.h"
#include "server/command_line.h"
#include "server/command_sql_reader.h"

namespace millstream::server {

// An in-application stream that rows come into.
struct SqlStream {
  std::string name = {};
  sql::InputSchema schema = {};               // without columns until it is known
  bool format_known = true;                   // columns given in SQL say nothing of JSON or CSV
  bool header = false;                        // the first line of its file is no record
  std::unique_ptr<RecordReader> reader = {};  // its file
  std::string follow = {};                    // or the stream of a server
  std::string rowtime = {};
};

struct SqlTable {
  sql::TableConfig config;
  std::string path;  // empty: declared, but no file was given
};

// Everything that the command line names, read and put together.
struct SqlSetup {
  std::string label;  // of the code in messages: "app.sql"
  analytics::Definition definition;
  std::vector<SqlStream> streams;
  std::vector<SqlTable> tables;
  std::vector<std::string> notes;  // for the user: what was assumed, what was not used
};

enum class SqlFault : uint8_t { kRunning, kUsage, kApplication };
struct SqlProblem {
  SqlFault fault;
  base::Error error;
};
template <typename T>
using SqlResult = tl::expected<T, SqlProblem>;

// Schemas that nobody gave are discovered from the inputs' first records; reference tables are
// read.
SqlResult<SqlSetup> LoadSql(const SqlOptions& options);
// Discovers from these records, and notes what was assumed.
SqlResult<bool> DiscoverStream(SqlStream& stream, const std::vector<std::string_view>& records,
                               std::vector<std::string>& notes);
// What the engine needs beside the code.
sql::ApplicationConfig SqlConfig(const SqlSetup& setup, bool has_shards);

// NAME=value: the name, or nothing when `text` is a value alone.
std::pair<std::string, std::string> SplitName(const std::string& text);
// The place of the one that `name` names as SQL would: exactly, else in any case. -1: none.
int FindByName(const std::vector<std::string>& names, const std::string& name);

}  // namespace millstream::server
