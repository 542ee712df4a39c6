#include "sql/input_schema.h"

#include <cstring>
#include <optional>
#include <unordered_set>

#include "sql/error.h"
#include "sql/input_csv.h"
#include "sql/input_json.h"
#include "sql/input_path.h"
#include "sql/input_rows.h"
#include "sql/parser.h"

namespace millstream::sql {

class InputMapper::Impl {
 public:
  base::Status Init(const InputSchema& schema, bool has_shards, Emit emit, OnError on_error) {
    schema_ = schema;
    schema_.column_delimiter = CsvDelimiter(schema.column_delimiter);
    schema_.row_delimiter = CsvDelimiter(schema.row_delimiter);
    on_error_ = std::move(on_error);
    const bool json = schema.format == InputSchema::Format::kJson;
    if (schema.columns.empty()) {
      return base::Fail(base::Code::kInvalidArgument, "an input schema needs columns");
    }
    std::vector<InputColumn> columns;
    std::optional<std::vector<PathStep>> flattened;  // the array whose elements become rows
    std::unordered_set<std::string_view> names;
    for (const MappedColumn& c : schema.columns) {
      if (!names.insert(c.name).second) {
        return base::Fail(base::Code::kInvalidArgument, "column " + c.name + " comes twice");
      }
      if (c.name == "ROWTIME") {
        return base::Fail(base::Code::kInvalidArgument,
                          "ROWTIME is the time that every row has; give the column another name, "
                          "e.g. COL_ROWTIME");
      }
      InputColumn& column = columns.emplace_back();
      column.name = c.name;
      try {
        column.type = ParseType(c.type);
      } catch (const SqlError& error) {
        return base::Fail(base::Code::kInvalidArgument,
                          "type of column " + c.name + ": " + error.what());
      }
      if (!json) continue;
      auto path = ParseInputPath(c.mapping.empty() ? "$." + c.name : c.mapping);
      if (!path) return base::Fail(path.error().Within("mapping of column " + c.name));
      column.path = std::move(*path);
      for (std::size_t i = 0; i + 1 < column.path.size(); ++i) {
        if (column.path[i].kind != PathStep::Kind::kAll) continue;
        if (column.all != std::string::npos) return OneArray(c.name);
        column.all = i;
      }
      if (column.all == std::string::npos) continue;
      std::vector<PathStep> array = column.path;
      array.resize(column.all);
      if (flattened && *flattened != array) return OneArray(c.name);
      flattened = std::move(array);
    }
    auto row_path = ParseInputPath(schema.row_path.empty() ? "$" : schema.row_path);
    if (!row_path) return base::Fail(row_path.error().Within("the record row path"));
    if (!json && (schema.column_delimiter.empty() || schema.row_delimiter.empty())) {
      return base::Fail(base::Code::kInvalidArgument, "CSV needs a column and a row delimiter");
    }
    rows_.Init(std::move(columns), has_shards, std::move(emit));
    if (json) {
      json_.emplace(std::move(*row_path), rows_, [this](std::string message) {
        on_error_(std::move(message), facts_->rowtime, record_);
      });
    }
    return {};
  }

  void Map(std::string_view record, const RecordFacts& facts) {
    facts_ = &facts;
    record_ = record;
    if (!json_) return MapCsv(record);
    try {
      json_->Map(record, facts);
    } catch (const RowError& error) {
      on_error_(error.message, facts.rowtime, record);
    }
  }

  void MapLines(std::string_view text, LineFacts& lines) {
    const char* at = text.data();
    const char* end = at + text.size();
    const bool quick = json_ && text.ends_with('\n');
    while (at < end) {
      if (*at == '\n' || (*at == '\r' && at + 1 < end && at[1] == '\n')) {
        at += *at == '\n' ? 1 : 2;
        continue;
      }
      const RecordFacts& facts = lines.Next();
      if (quick) {
        if (const char* next = json_->MapLine(at, end, facts); next != nullptr) {
          at = next;
          continue;
        }
      }
      const std::string_view rest(at, static_cast<std::size_t>(end - at));
      const std::string_view line = rest.substr(0, rest.find('\n'));
      Map(line, facts);
      at += line.size() + (line.size() < rest.size() ? 1 : 0);
    }
  }

  void Flush() { rows_.Flush(); }

 private:
  static base::Status OneArray(const std::string& column) {
    return base::Fail(base::Code::kInvalidArgument,
                      "mapping of column " + column +
                          ": the elements of one array become rows, and it lies in no other; take "
                          "the others as text: $.list[0:]");
  }

  void MapCsv(std::string_view record) {
    while (!record.empty()) {
      const std::size_t end = record.find(schema_.row_delimiter);
      std::string_view line = record.substr(0, end);
      record.remove_prefix(end == std::string_view::npos ? record.size()
                                                         : end + schema_.row_delimiter.size());
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      if (line.empty()) continue;
      try {
        ReadCsvLine(line, schema_.column_delimiter, rows_);
        rows_.Commit(*facts_);
      } catch (const RowError& error) {
        on_error_(error.message, facts_->rowtime, line);
      }
    }
  }

  InputSchema schema_;
  OnError on_error_;
  InputRows rows_;
  std::optional<InputJson> json_;
  const RecordFacts* facts_ = nullptr;
  std::string_view record_;
};

InputMapper::InputMapper(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
InputMapper::~InputMapper() = default;

base::Result<std::unique_ptr<InputMapper>> InputMapper::Create(const InputSchema& schema,
                                                               bool has_shards, Emit emit,
                                                               OnError on_error) {
  auto impl = std::make_unique<Impl>();
  TRY(impl->Init(schema, has_shards, std::move(emit), std::move(on_error)));
  return std::unique_ptr<InputMapper>(new InputMapper(std::move(impl)));
}

void InputMapper::Map(std::string_view record, const RecordFacts& facts) {
  impl_->Map(record, facts);
}
void InputMapper::MapLines(std::string_view text, LineFacts& lines) {
  impl_->MapLines(text, lines);
}
void InputMapper::Flush() { impl_->Flush(); }

}  // namespace millstream::sql
