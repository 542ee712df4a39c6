#include "analytics/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "analytics/checkpoint.h"
#include "sql/output_format.h"

namespace millstream::analytics {
namespace {

// What a record of a stream may hold; a longer row is an error row.
constexpr std::size_t kResultBytesMax = (1 << 20) - 64;

bool Mentions(std::string_view code, std::string_view upper_word) {
  return std::search(code.begin(), code.end(), upper_word.begin(), upper_word.end(),
                     [](char a, char b) {
                       return std::toupper(static_cast<unsigned char>(a)) == b;
                     }) != code.end();
}

void AddSchema(const sql::InputSchema& schema, std::string& to) {
  to += schema.format == sql::InputSchema::Format::kCsv ? "csv" : "json";
  to += '\0' + schema.row_path + '\0' + schema.column_delimiter + '\0' + schema.row_delimiter;
  for (const sql::MappedColumn& column : schema.columns) {
    to += '\0' + column.name + '\0' + column.type + '\0' + column.mapping;
  }
  to += '\1';
}

std::string FormatRow(Output::Format format, const std::vector<sql::PlanColumn>& columns,
                      const sql::Batch& rows, int row) {
  std::string data;
  if (format == Output::Format::kJson) {
    sql::AppendJsonRow(columns, rows, row, data);
  } else {
    sql::AppendCsvRow(columns, rows, row, ",", data);
  }
  return data;
}

}  // namespace

uint64_t Fingerprint(const Definition& definition) {
  std::string all = definition.code + '\1';
  for (const Input& input : definition.inputs) {
    all += fmt::format("{}/{}/{}", input.name_prefix, input.parallelism,
                       static_cast<int>(input.kind));
    AddSchema(input.schema, all);
  }
  for (const ReferenceDataSource& table : definition.reference_tables) {
    all += table.table_name;
    AddSchema(table.schema, all);
  }
  return Digest(all);
}

struct Engine::InAppStream {
  std::string name;
  std::unique_ptr<sql::InputMapper> mapper;
};

// Rows of error_stream with its seven columns.
class Engine::ErrorWriter {
 public:
  ErrorWriter() {
    auto add = [this](const char* name, sql::Type type) {
      columns_.push_back({name, std::move(type), false, nullptr});
    };
    add("ERROR_TIME", sql::MakeType(sql::Kind::kTimestamp));
    add("ERROR_LEVEL", sql::Varchar(10));
    add("ERROR_NAME", sql::Varchar(32));
    add("MESSAGE", sql::Varchar(4096));
    add("DATA_ROWTIME", sql::MakeType(sql::Kind::kTimestamp));
    add("DATA_ROW", sql::Varchar(49152));
    add("PUMP_NAME", sql::Varchar(128));
    buffer_.Init(sql::PhysicalColumns(columns_));
  }

  void AddOutput(std::size_t output, Output::Format format) { outputs_[output] = format; }

  void Write(Engine& engine, const sql::ErrorRow& row) {
    if (outputs_.empty()) return;
    buffer_.Clear();
    int column = 0;
    auto time = [&](int64_t ms) {
      buffer_.column(column).SetValue(0, sql::Value::Int(columns_[0].type, ms), buffer_.arena());
      ++column;
    };
    auto text = [&](std::string_view value) {
      auto most = static_cast<std::size_t>(columns_[static_cast<std::size_t>(column)].type.length);
      buffer_.column(column).SetValue(0, sql::Value::String(std::string(value.substr(0, most))),
                                      buffer_.arena());
      ++column;
    };
    time(row.time_ms);
    text("ERROR");
    text(row.name);
    text(row.message);
    time(row.data_rowtime);
    text(row.data_row);
    text(row.pump);
    buffer_.Commit(row.time_ms);
    for (const auto& [output, format] : outputs_) {
      engine.EmitRow(output, FormatRow(format, columns_, buffer_.view(), 0));
    }
  }

 private:
  std::vector<sql::PlanColumn> columns_;
  sql::RowBuffer buffer_;
  std::map<std::size_t, Output::Format> outputs_;
};

Engine::~Engine() = default;

base::Result<std::unique_ptr<Engine>> Engine::Create(const Definition& definition,
                                                     std::vector<sql::TableConfig> tables,
                                                     int64_t query_start_ms,
                                                     std::size_t state_bytes_max, Emit emit) {
  std::unique_ptr<Engine> engine(new Engine);
  engine->emit_ = std::move(emit);
  TRY(engine->Build(definition, std::move(tables), query_start_ms, state_bytes_max));
  return engine;
}

base::Status Engine::Build(const Definition& definition, std::vector<sql::TableConfig> tables,
                           int64_t query_start_ms, std::size_t state_bytes_max) {
  clock_.now_ms = query_start_ms;
  wants_sequence_numbers_ = Mentions(definition.code, "SEQUENCE_NUMBER");
  sql::ApplicationConfig config = EngineConfig(definition);
  config.tables = std::move(tables);
  config.state_bytes_max = state_bytes_max;
  ASSIGN_OR_RETURN(application_, sql::Application::Create(definition.code, config, clock_));

  for (const Input& input : definition.inputs) {
    auto& streams = streams_.emplace_back();
    for (std::string& name : InAppStreamNames(input)) {
      auto stream = std::make_unique<InAppStream>();
      stream->name = std::move(name);
      auto mapper = sql::InputMapper::Create(
          input.schema, input.kind == Input::Kind::kStream,
          [this, to = stream.get()](const sql::Batch& rows) {
            if (!failure_) return;
            failure_ = application_->Push(to->name, rows);
          },
          [this](std::string message, int64_t rowtime, std::string_view record) {
            application_->ReportInputError("INPUT_ERROR", std::move(message), rowtime, record);
          });
      if (!mapper) return base::Fail(mapper.error().Within("input " + input.name_prefix));
      stream->mapper = std::move(*mapper);
      streams.push_back(std::move(stream));
    }
  }

  errors_ = std::make_unique<ErrorWriter>();
  std::map<std::string, std::vector<std::size_t>> outputs_of;
  for (std::size_t i = 0; i < definition.outputs.size(); ++i) {
    const Output& output = definition.outputs[i];
    if (IsErrorStream(output.name)) {
      errors_->AddOutput(i, output.format);
    } else {
      outputs_of[output.name].push_back(i);
    }
  }
  application_->SetErrorSink([this](const sql::ErrorRow& row) {
    ++counts_.errors;
    errors_->Write(*this, row);
  });
  for (auto& [name, outputs] : outputs_of) {
    ASSIGN_OR_RETURN(auto columns, application_->Columns(name));
    std::vector<std::pair<std::size_t, Output::Format>> to;
    for (std::size_t i : outputs) to.emplace_back(i, definition.outputs[i].format);
    TRY(application_->SetSink(
        name, [this, columns = std::move(columns), to = std::move(to)](const sql::Batch& rows) {
          for (const auto& [output, format] : to) {
            for (int row = 0; row < rows.rows; ++row) {
              EmitRow(output, FormatRow(format, columns, rows, row));
            }
          }
        }));
  }
  return {};
}

void Engine::EmitRow(std::size_t output, std::string data) {
  if (data.size() > kResultBytesMax) {
    ++counts_.errors;
    errors_->Write(*this, {.time_ms = clock_.now_ms,
                           .name = "OUTPUT_ERROR",
                           .message = fmt::format("a result of {} bytes is larger than a record of "
                                                  "a stream may be ({})",
                                                  data.size(), kResultBytesMax),
                           .data_rowtime = clock_.now_ms,
                           .data_row = {},
                           .pump = {}});
    return;
  }
  ++counts_.results;
  emit_(output, std::move(data));
}

base::Status Engine::Step(int64_t at_ms, const std::vector<Slice>& slices) {
  clock_.now_ms = at_ms;
  for (const Slice& slice : slices) {
    auto& streams = streams_[slice.input];
    const streams::RecordPage& page = *slice.page;
    InAppStream& stream = *streams[page.shard.index % streams.size()];
    std::string shard_id = page.shard.ToString();
    std::string sequence;
    sql::RecordFacts facts;
    facts.rowtime = at_ms;
    facts.shard_id = shard_id;
    for (const streams::RecordView& record : page.records) {
      if (record.offset < slice.from || record.offset >= slice.to) continue;
      facts.arrival_ms = record.arrival_ms;
      facts.partition_key = record.partition_key;
      if (wants_sequence_numbers_) {
        sequence = page.SequenceOf(record).ToString();
        facts.sequence_number = sequence;
      }
      stream.mapper->Map(record.data, facts);
      ++counts_.records;
      counts_.bytes += record.data.size();
    }
    // Rows may refer to the page; the next slice brings another.
    stream.mapper->Flush();
  }
  for (auto& streams : streams_) {
    for (auto& stream : streams) {
      if (failure_) failure_ = application_->Advance(stream->name, at_ms);
    }
  }
  return failure_;
}

base::Status Engine::ReplaceTables(std::vector<sql::TableConfig> tables) {
  for (sql::TableConfig& table : tables) {
    TRY(application_->ReplaceTable(table.name, std::move(table.rows)));
  }
  return {};
}

std::string Engine::Save() const { return application_->Save(); }
base::Status Engine::Restore(std::string_view state) { return application_->Restore(state); }

}  // namespace millstream::analytics
