#include "server/command_sql_load.h"

#include <fmt/format.h>

#include <algorithm>

#include "analytics/discover.h"
#include "analytics/document.h"
#include "analytics/yaml.h"
#include "base/file_system.h"
#include "server/command_sql_input.h"
#include "sql/constant.h"
#include "sql/input_csv.h"
#include "sql/lexer.h"

namespace millstream::server {

using base::Code;
using base::Error;

namespace {

constexpr std::size_t kSampleRecords = 100;
constexpr const char* kDefaultStream = "SOURCE_SQL_STREAM_001";
constexpr std::size_t kProgramBytesMax = 64 << 20;

tl::unexpected<SqlProblem> Usage(std::string message) {
  return tl::unexpected(
      SqlProblem{SqlFault::kUsage, Error(Code::kInvalidArgument, std::move(message))});
}
tl::unexpected<SqlProblem> Running(Error error) {
  return tl::unexpected(SqlProblem{SqlFault::kRunning, std::move(error)});
}
tl::unexpected<SqlProblem> Application(Error error) {
  return tl::unexpected(SqlProblem{SqlFault::kApplication, std::move(error)});
}

SqlResult<std::string> ReadAll(const std::string& path) {
  auto reader = RecordReader::Open(path);
  if (!reader) return Running(reader.error());
  (*reader)->set_lines_only();
  (*reader)->set_delimiter(std::string(1, '\0'));
  std::string text;
  bool too_long = false;
  while (true) {
    auto more = (*reader)->Read([&](std::string_view part) {
      if (!text.empty()) text += '\0';
      text += part;
      too_long = text.size() > kProgramBytesMax;
      return !too_long;
    });
    if (!more) return Running(more.error());
    if (too_long)
      return Running(Error(Code::kInvalidArgument, path + ": too long for an application"));
    if (!*more) return text;
  }
}

bool BeginsJson(std::string_view record) {
  std::size_t start = record.find_first_not_of(" \t\r\n");
  return start != std::string_view::npos && (record[start] == '{' || record[start] == '[');
}

bool FileExists(const std::string& path) {
  base::RealFileSystem files;
  return files.Exists(path).value_or(false);
}

class Loader {
 public:
  explicit Loader(const SqlOptions& options) : options_(options) {}

  SqlResult<SqlSetup> Load() {
    if (auto read = ReadApplication(); !read) return tl::unexpected(read.error());
    if (auto read = ReadSchemas(); !read) return tl::unexpected(read.error());
    for (const analytics::Input& input : setup_.definition.inputs) {
      if (input.processor) {
        setup_.notes.push_back(
            fmt::format("input {}: {} does not run here; give its records as they come out of it",
                        input.name_prefix, input.processor->lambda_arn));
      }
      for (std::string& name : analytics::InAppStreamNames(input)) {
        setup_.streams.push_back({.name = std::move(name), .schema = input.schema});
      }
    }
    if (auto done = NameTables(); !done) return tl::unexpected(done.error());
    if (auto done = AddNamed(); !done) return tl::unexpected(done.error());
    if (auto done = OpenInputs(); !done) return tl::unexpected(done.error());
    if (auto done = ReadReferences(); !done) return tl::unexpected(done.error());
    return std::move(setup_);
  }

 private:
  SqlResult<bool> ReadApplication() {
    auto text = ReadAll(options_.application);
    if (!text) return tl::unexpected(text.error());
    setup_.label = options_.application == "-" ? "(standard input)" : options_.application;
    std::size_t start = text->find_first_not_of(" \t\r\n");
    if (start == std::string::npos || ((*text)[start] != '{' && !analytics::LooksLikeYaml(*text))) {
      if (options_.application.ends_with(".tf")) {
        return Application(Error(
            Code::kNotSupported,
            setup_.label + ": Terraform's own language is not read; give what `terraform show "
                           "-json` says of a plan or a state, or the terraform.tfstate"));
      }
      setup_.definition.code = std::move(*text);
      return true;
    }
    auto document = analytics::ParseDocument(*text);
    if (!document) return Application(document.error().Within(setup_.label));
    Note(*document);
    std::size_t chosen = 0;
    if (!options_.name.empty() || document->applications.size() > 1) {
      std::string names;
      chosen = document->applications.size();
      for (std::size_t i = 0; i < document->applications.size(); ++i) {
        const std::string& name = document->applications[i].name;
        names += (names.empty() ? "" : ", ") + name;
        if (name == options_.name) chosen = i;
      }
      if (chosen == document->applications.size()) {
        return Usage(
            fmt::format("{}: choose one of its applications with --name: {}", setup_.label, names));
      }
    }
    setup_.definition = std::move(document->applications[chosen]);
    setup_.label +=
        setup_.definition.name.empty() ? " (code)" : fmt::format(" ({})", setup_.definition.name);
    return true;
  }

  void Note(const analytics::Document& document) {
    for (const std::string& note : document.notes)
      setup_.notes.push_back(setup_.label + ": " + note);
  }

  SqlResult<bool> ReadSchemas() {
    std::vector<std::string> schemas = options_.schemas;
    if (schemas.empty() && setup_.definition.inputs.empty() && options_.application != "-") {
      std::string stem = options_.application;
      std::size_t dot = stem.rfind('.');
      if (dot != std::string::npos && stem.find('/', dot) == std::string::npos) stem.resize(dot);
      if (FileExists(stem + ".schema.json")) schemas.push_back(stem + ".schema.json");
    }
    for (const std::string& given : schemas) {
      auto [name, path] = SplitName(given);
      auto text = ReadAll(path);
      if (!text) return tl::unexpected(text.error());
      auto document = analytics::ParseSchemaDocument(*text);
      if (!document) return Application(document.error().Within(path));
      for (const std::string& note : document->notes) setup_.notes.push_back(path + ": " + note);
      for (analytics::Definition& found : document->applications) {
        if (!name.empty()) {
          if (found.inputs.empty())
            return Usage(fmt::format("--schema {}: {} describes no input", given, path));
          named_.push_back({.name = name, .schema = found.inputs[0].schema});
          continue;
        }
        if (!found.inputs.empty()) setup_.definition.inputs = std::move(found.inputs);
        for (auto& table : found.reference_tables)
          setup_.definition.reference_tables.push_back(std::move(table));
      }
    }
    return true;
  }

  // Reference tables of the application, and those that --reference names.
  SqlResult<bool> NameTables() {
    for (const analytics::ReferenceDataSource& table : setup_.definition.reference_tables) {
      setup_.tables.push_back({{.name = table.table_name,
                                .columns = analytics::SchemaColumns(table.schema),
                                .rows = {}},
                               {}});
      table_sources_.push_back({.name = table.table_name, .schema = table.schema});
    }
    for (const std::string& given : options_.references) {
      auto [name, path] = SplitName(given);
      if (name.empty()) return Usage(fmt::format("--reference {}: write NAME=FILE", given));
      int found = FindTable(name);
      if (found < 0) {
        found = static_cast<int>(setup_.tables.size());
        setup_.tables.push_back({{.name = NewName(name), .columns = {}, .rows = {}}, {}});
        table_sources_.push_back({.name = NewName(name)});
      }
      SqlTable& table = setup_.tables[static_cast<std::size_t>(found)];
      if (!table.path.empty()) {
        return Usage(fmt::format("--reference {}: table {} has {} already", given,
                                 table.config.name, table.path));
      }
      table.path = path;
    }
    return true;
  }

  int FindTable(const std::string& name) const {
    std::vector<std::string> names;
    for (const SqlTable& table : setup_.tables) names.push_back(table.config.name);
    return FindByName(names, name);
  }

  // As SQL reads names: in quotes as they are, else in upper case.
  static std::string NewName(const std::string& name) {
    bool quoted = name.size() > 2 && name.front() == '"' && name.back() == '"';
    return quoted ? name.substr(1, name.size() - 2) : sql::UpperCase(name);
  }

  // Streams and tables that --schema NAME= and --columns name.
  SqlResult<bool> AddNamed() {
    for (SqlStream& named : named_) {
      StreamOrTable(named.name).schema = named.schema;
    }
    for (const std::string& given : options_.columns) {
      auto [name, text] = SplitName(given);
      auto columns = sql::ReadColumns(text);
      if (!columns) {
        return Usage(fmt::format("--columns '{}': {} (write 'ticker VARCHAR(4), price DOUBLE')",
                                 text, columns.error().message()));
      }
      SqlStream& stream = StreamOrTable(name.empty() ? NameOfOnlyInput() : name);
      stream.schema = {};
      stream.schema.columns = std::move(*columns);
      stream.format_known = false;
    }
    return true;
  }

  // What the only --input or --follow names; empty when it does not, or when there are more.
  std::string NameOfOnlyInput() const {
    if (options_.inputs.size() + options_.follow.size() != 1) return {};
    return SplitName(options_.inputs.empty() ? options_.follow[0] : options_.inputs[0]).first;
  }

  // The stream of that name, made when there is none. Without a name: the first.
  SqlStream& Stream(const std::string& name) {
    if (name.empty()) {
      if (setup_.streams.empty()) setup_.streams.push_back({.name = kDefaultStream});
      return setup_.streams[0];
    }
    std::vector<std::string> names;
    for (const SqlStream& stream : setup_.streams) names.push_back(stream.name);
    int at = FindByName(names, name);
    if (at >= 0) return setup_.streams[static_cast<std::size_t>(at)];
    setup_.streams.push_back({.name = NewName(name)});
    return setup_.streams.back();
  }

  SqlStream& StreamOrTable(const std::string& name) {
    int table = name.empty() ? -1 : FindTable(name);
    return table < 0 ? Stream(name) : table_sources_[static_cast<std::size_t>(table)];
  }

  // Without a name: the first stream that has no records yet.
  SqlStream& StreamForRecords(const std::string& name) {
    if (name.empty()) {
      for (SqlStream& stream : setup_.streams) {
        if (stream.reader == nullptr && stream.follow.empty()) return stream;
      }
      if (!setup_.streams.empty()) return setup_.streams[0];
    }
    return Stream(name);
  }

  SqlResult<bool> OpenInputs() {
    bool stdin_used = options_.application == "-";
    for (const std::string& given : options_.inputs) {
      auto [name, path] = SplitName(given);
      SqlStream& stream = StreamForRecords(name);
      if (stream.reader != nullptr) {
        return Usage(fmt::format("--input {}: stream {} has {} already; write NAME={}", given,
                                 stream.name, stream.reader->path(), path));
      }
      if (path == "-" && std::exchange(stdin_used, true))
        return Usage("standard input can be read only once");
      auto reader = RecordReader::Open(path);
      if (!reader) return Running(reader.error());
      stream.reader = std::move(*reader);
    }
    for (const std::string& given : options_.follow) {
      auto [name, source] = SplitName(given);
      SqlStream& stream = StreamForRecords(name);
      if (stream.reader != nullptr || !stream.follow.empty()) {
        return Usage(fmt::format("--follow {}: stream {} has records already", given, stream.name));
      }
      stream.follow = source;
    }
    for (const std::string& given : options_.rowtimes) {
      auto [name, path] =
          given.starts_with('$') ? std::pair(std::string(), given) : SplitName(given);
      if (!name.empty()) {
        Stream(name).rowtime = path;
      } else {
        for (SqlStream& stream : setup_.streams) stream.rowtime = path;
      }
    }
    for (SqlStream& stream : setup_.streams) {
      if (stream.reader == nullptr) continue;
      if (auto ready = Prepare(stream, options_.records); !ready) return ready;
    }
    return true;
  }

  // `enveloped`: lines hold records, as tail prints them.
  SqlResult<bool> Prepare(SqlStream& stream, bool enveloped) {
    RecordReader& reader = *stream.reader;
    bool csv = stream.schema.format == sql::InputSchema::Format::kCsv;
    if (stream.schema.columns.empty() || (!stream.format_known && !enveloped)) {
      auto sample = reader.Peek(kSampleRecords);
      if (!sample) return Running(sample.error());
      if (stream.schema.columns.empty()) {
        std::vector<std::string> data;  // of the records, where lines hold those
        if (enveloped) {
          for (std::string_view line : *sample) data.push_back(RecordData(line));
          sample->assign(data.begin(), data.end());
        }
        if (auto found = DiscoverStream(stream, *sample, setup_.notes); !found) return found;
      } else {
        auto found = analytics::DiscoverSchema(*sample);
        if (found && found->schema.format == sql::InputSchema::Format::kCsv) {
          stream.schema.format = sql::InputSchema::Format::kCsv;
          stream.schema.column_delimiter = found->schema.column_delimiter;
        } else if (!found && !sample->empty() && !BeginsJson(sample->front())) {
          stream.schema.format = sql::InputSchema::Format::kCsv;  // lines of unequal length
        }
      }
      csv = stream.schema.format == sql::InputSchema::Format::kCsv;
    }
    if (csv || enveloped) reader.set_lines_only();
    std::string row_delimiter = sql::CsvDelimiter(stream.schema.row_delimiter);
    if (csv && row_delimiter != "\n" && row_delimiter != "\r\n") {
      reader.set_delimiter(row_delimiter);
    }
    if (csv && (stream.header || options_.header)) {
      if (auto skipped = reader.SkipOne(); !skipped) return Running(skipped.error());
    }
    return true;
  }

  SqlResult<bool> ReadReferences() {
    for (std::size_t i = 0; i < setup_.tables.size(); ++i) {
      if (setup_.tables[i].path.empty()) continue;
      if (auto read = ReadTable(i); !read) return read;
    }
    return true;
  }

  SqlResult<bool> ReadTable(std::size_t at) {
    sql::TableConfig& table = setup_.tables[at].config;
    const std::string& path = setup_.tables[at].path;
    SqlStream& stream = table_sources_[at];
    auto reader = RecordReader::Open(path);
    if (!reader) return Running(reader.error());
    stream.reader = std::move(*reader);
    if (auto ready = Prepare(stream, false); !ready) return ready;
    table.columns.clear();
    std::vector<sql::Type> types;
    for (const sql::MappedColumn& column : stream.schema.columns) {
      table.columns.push_back({column.name, column.type});
      auto type = sql::ReadType(column.type);
      if (!type) {
        return Application(
            type.error().Within(fmt::format("table {}, column {}", table.name, column.name)));
      }
      types.push_back(std::move(*type));
    }
    std::string failed;
    auto mapper = sql::InputMapper::Create(
        stream.schema, false,
        [&](const sql::Batch& rows) {
          for (int i = 0; i < rows.rows; ++i) {
            auto& row = table.rows.emplace_back();
            for (std::size_t c = 0; c < types.size(); ++c)
              row.push_back(rows.columns[c]->GetValue(i, types[c]));
          }
        },
        [&](std::string message, int64_t, std::string_view record) {
          if (failed.empty()) failed = fmt::format("{} (row: {})", message, record.substr(0, 200));
        });
    if (!mapper) return Application(mapper.error().Within("reference table " + table.name));
    while (failed.empty()) {
      auto more = stream.reader->Read([&](std::string_view record) {
        (*mapper)->Map(record, {});
        return failed.empty();
      });
      if (!more) return Running(more.error());
      if (!*more) break;
    }
    (*mapper)->Flush();
    if (!failed.empty())
      return Running(Error(Code::kInvalidArgument, fmt::format("{}: {}", path, failed)));
    return true;
  }

  const SqlOptions& options_;
  SqlSetup setup_;
  std::vector<SqlStream> named_;
  std::vector<SqlStream> table_sources_;  // of setup_.tables, in their order
};

}  // namespace

SqlResult<SqlSetup> LoadSql(const SqlOptions& options) { return Loader(options).Load(); }

std::pair<std::string, std::string> SplitName(const std::string& text) {
  std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return {"", text};
  std::string name = text.substr(0, equals);
  bool quoted = name.front() == '"' && name.back() == '"' && name.size() > 2;
  bool word = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  if (!word && !quoted) return {"", text};
  return {std::move(name), text.substr(equals + 1)};
}

int FindByName(const std::vector<std::string>& names, const std::string& name) {
  bool quoted = name.size() > 2 && name.front() == '"' && name.back() == '"';
  std::string wanted = quoted ? name.substr(1, name.size() - 2) : name;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == wanted) return static_cast<int>(i);
  }
  for (std::size_t i = 0; i < names.size() && !quoted; ++i) {
    if (sql::UpperCase(names[i]) == sql::UpperCase(wanted)) return static_cast<int>(i);
  }
  return -1;
}

SqlResult<bool> DiscoverStream(SqlStream& stream, const std::vector<std::string_view>& records,
                               std::vector<std::string>& notes) {
  auto found = analytics::DiscoverSchema(records, {.wide = true});
  if (!found) {
    return Application(
        Error(found.error().code(),
              fmt::format("no schema for {} and none can be discovered: {}", stream.name,
                          records.empty() ? "there are no records" : found.error().message())));
  }
  stream.schema = std::move(found->schema);
  stream.header = found->has_header;
  std::string columns;
  for (const sql::MappedColumn& column : stream.schema.columns) {
    bool plain = sql::UpperCase(column.name) == column.name;
    columns += fmt::format("{}{} {}", columns.empty() ? "" : ", ",
                           plain ? column.name : "\"" + column.name + "\"", column.type);
  }
  notes.push_back(
      fmt::format("schema of {} assumed from the first {} record{} (--print-schema shows it): {}{}",
                  stream.name, records.size(), records.size() == 1 ? "" : "s", columns,
                  stream.header ? "; the first line is a header" : ""));
  return true;
}

sql::ApplicationConfig SqlConfig(const SqlSetup& setup, bool has_shards) {
  sql::ApplicationConfig config;
  for (const SqlStream& stream : setup.streams) {
    config.inputs.push_back({.name = stream.name,
                             .columns = analytics::SchemaColumns(stream.schema),
                             .has_shards = has_shards});
  }
  for (const SqlTable& table : setup.tables) config.tables.push_back(table.config);
  return config;
}

}  // namespace millstream::server
