#include "server/command_sql_input.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>

#include "codec/base64.h"
#include "codec/json_value.h"
#include "codec/time_format.h"
#include "sql/cast.h"
#include "sql/constant.h"
#include "sql/datetime.h"

namespace millstream::server {

using base::Code;
using base::Fail;
using base::Result;

namespace {

constexpr std::string_view kHiddenColumn = "(time)";

std::string_view TextOf(codec::JsonValue object, std::string_view name) {
  auto value = object.Find(name);
  return value && value->is_string() ? value->AsString() : std::string_view();
}

}  // namespace

std::string RecordData(std::string_view line) {
  auto json = codec::JsonDocument::Parse(line);
  if (!json || !json->root().is_object()) return {};
  return codec::Base64Decode(TextOf(json->root(), "Data")).value_or("");
}

int64_t EpochMs(double number) {
  double size = std::fabs(number);
  if (size < 1e11) return std::llround(number * 1e3);
  if (size < 1e14) return std::llround(number);
  if (size < 1e17) return std::llround(number / 1e3);
  return size < 1e20 ? std::llround(number / 1e6) : 0;
}

Result<int64_t> ParseDurationMs(std::string_view text) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  int64_t ms = unit == "ms"                  ? 1
               : unit == "s"                 ? 1000
               : unit == "m"                 ? 60'000
               : unit == "h"                 ? 3'600'000
               : unit == "d"                 ? sql::kMsPerDay
               : unit.empty() && number == 0 ? 1
                                             : 0;
  if (error != std::errc() || ms == 0 || number < 0 || number > INT32_MAX) {
    return Fail(Code::kInvalidArgument,
                fmt::format("{}: expected a duration such as 0, 1ms, 10s, 5m, 1h", text));
  }
  return number * ms;
}

class SqlInput::Impl : private sql::LineFacts {
 public:
  Result<bool> Init(SqlInputOptions options, Emit emit, OnError on_error) {
    options_ = std::move(options);
    emit_ = std::move(emit);
    on_error_ = std::move(on_error);
    next_ms_ = options_.start_ms;
    sql::InputSchema schema = options_.schema;
    if (!options_.rowtime.empty()) {
      ASSIGN_OR_RETURN(time_column_, FindTimeColumn(schema));
    }
    arrival_column_ = schema.columns.size() - (hidden_ ? 1 : 0);
    arrival_known_ = options_.records;
    ASSIGN_OR_RETURN(
        mapper_, sql::InputMapper::Create(
                     schema, options_.has_shards, [this](const sql::Batch& rows) { Take(rows); },
                     [this](std::string message, int64_t rowtime, std::string_view record) {
                       on_error_(std::move(message), std::max(rowtime, last_ms_), record);
                     }));
    return true;
  }

  void Add(std::string_view record) {
    if (options_.records) return AddEnvelope(record);
    mapper_->Map(record, Next());
  }

  void AddLines(std::string_view text) {
    if (!options_.records) return mapper_->MapLines(text, *this);
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      if (!line.empty() && line != "\r") AddEnvelope(line);
      text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
  }

  void Add(std::string_view record, const sql::RecordFacts& facts) {
    arrival_known_ = true;
    mapper_->Map(record, facts);
  }
  void Flush() { mapper_->Flush(); }

 private:
  // What is known of the next record of a file.
  const sql::RecordFacts& Next() override {
    facts_.rowtime = facts_.arrival_ms = next_ms_;
    next_ms_ += options_.tick_ms;
    ++count_;
    if (options_.has_shards) {
      number_ = std::to_string(count_);
      facts_.shard_id = "shardId-000000000000";
      facts_.sequence_number = number_;
    }
    return facts_;
  }

  // The place of the column that holds the time; adds one that the application does not see when
  // no column has that path.
  Result<int> FindTimeColumn(sql::InputSchema& schema) {
    bool json = schema.format == sql::InputSchema::Format::kJson;
    for (std::size_t c = 0; c < schema.columns.size(); ++c) {
      const sql::MappedColumn& column = schema.columns[c];
      std::string path = column.mapping.empty() ? "$." + column.name : column.mapping;
      if (column.name != options_.rowtime && !(json && path == options_.rowtime)) continue;
      ASSIGN_OR_RETURN(sql::Type type, sql::ReadType(column.type));
      if (type.kind == sql::Kind::kBoolean || type.kind == sql::Kind::kTime ||
          sql::IsBinary(type.kind)) {
        return Fail(Code::kInvalidArgument,
                    fmt::format("--rowtime {}: a column of type {} holds no point in time",
                                options_.rowtime, column.type));
      }
      time_type_ = type;
      return static_cast<int>(c);
    }
    if (!json || options_.rowtime[0] != '$') {
      std::string known;
      for (const sql::MappedColumn& column : schema.columns)
        known += (known.empty() ? "" : ", ") + column.name;
      return Fail(Code::kInvalidArgument,
                  fmt::format("--rowtime {}: no such column; there are {}{}", options_.rowtime,
                              known, json ? ", and members as $.name" : ""));
    }
    schema.columns.push_back({std::string(kHiddenColumn), "VARCHAR(64)", options_.rowtime});
    hidden_ = true;
    time_type_ = sql::Varchar(64);
    return static_cast<int>(schema.columns.size() - 1);
  }

  std::optional<int64_t> TimeAt(const sql::Vector& column, int row) const {
    if (column.valid()[row] == 0) return std::nullopt;
    switch (time_type_.kind) {
      case sql::Kind::kTimestamp:
        return column.ints()[row];
      case sql::Kind::kDate:
        return column.ints()[row] * sql::kMsPerDay;
      case sql::Kind::kReal:
      case sql::Kind::kDouble:
        return EpochMs(column.doubles()[row]);
      case sql::Kind::kDecimal:
        return EpochMs(static_cast<double>(column.ints()[row]) /
                       static_cast<double>(sql::PowerOfTen(time_type_.scale)));
      case sql::Kind::kChar:
      case sql::Kind::kVarchar: {
        std::string_view text = column.strings()[row];
        if (auto time = sql::ParseTimestamp(text)) return time;
        double number = 0;
        if (sql::ParseDouble(text, number)) return EpochMs(number);
        return std::nullopt;
      }
      default:
        return EpochMs(static_cast<double>(column.ints()[row]));
    }
  }

  int64_t LastMs() const { return std::max(last_ms_, options_.start_ms); }

  void Take(const sql::Batch& rows) {
    if (time_column_ < 0) {
      last_ms_ = rows.rowtime[rows.rows - 1];
      return emit_(rows);
    }
    const sql::Vector& column = *rows.columns[static_cast<std::size_t>(time_column_)];
    view_.columns = rows.columns;
    if (hidden_) view_.columns.erase(view_.columns.begin() + time_column_);
    times_.resize(static_cast<std::size_t>(rows.rows));
    keep_.assign(static_cast<std::size_t>(rows.rows), 1);
    bool all = true;
    if (time_type_.kind == sql::Kind::kTimestamp && !column.has_nulls()) {
      for (int i = 0; i < rows.rows; ++i) {
        last_ms_ = std::max(last_ms_, column.ints()[i]);
        times_[static_cast<std::size_t>(i)] = last_ms_;
      }
      Timed(rows.rows);
      return emit_(view_);
    }
    for (int i = 0; i < rows.rows; ++i) {
      auto at = static_cast<std::size_t>(i);
      auto time = TimeAt(column, i);
      if (!time) {
        bool null = column.valid()[i] == 0;
        std::string text = !null && column.physical() == sql::Physical::kString
                               ? fmt::format("'{}' is no time", column.strings()[i].substr(0, 100))
                               : "there is no time";
        on_error_(fmt::format("ROWTIME from {}: {}", options_.rowtime, text), LastMs(), "");
        keep_[at] = 0;
        all = false;
      } else {
        last_ms_ = std::max(last_ms_, *time);
      }
      times_[at] = last_ms_;
    }
    Timed(rows.rows);
    if (all) return emit_(view_);
    EmitKept();
  }

  // The rows of `view_` have `times_`. A record of which nothing else is known arrived then.
  void Timed(int rows) {
    view_.rows = rows;
    view_.rowtime = times_.data();
    if (arrival_known_) return;
    std::copy_n(times_.data(), rows, arrival_.ints());
    view_.columns[arrival_column_] = &arrival_;
  }

  void EmitKept() {
    std::vector<sql::Physical> physical;
    for (const sql::Vector* v : view_.columns) physical.push_back(v->physical());
    sql::RowBuffer kept(physical);
    for (int i = 0; i < view_.rows; ++i) {
      if (keep_[static_cast<std::size_t>(i)] == 0) continue;
      for (std::size_t c = 0; c < physical.size(); ++c) {
        kept.column(static_cast<int>(c)).CopyRow(kept.rows(), *view_.columns[c], i);
      }
      kept.Commit(times_[static_cast<std::size_t>(i)]);
    }
    if (kept.rows() > 0) emit_(kept.view());
  }

  // {"ShardId":..,"SequenceNumber":..,"ApproximateArrivalTimestamp":..,"PartitionKey":..,"Data":..}
  void AddEnvelope(std::string_view line) {
    auto json = codec::JsonDocument::Parse(line);
    std::optional<std::string> data;
    std::optional<int64_t> arrival;
    if (json && json->root().is_object()) {
      data = codec::Base64Decode(TextOf(json->root(), "Data"));
      auto time = json->root().Find("ApproximateArrivalTimestamp");
      if (time && time->is_string()) arrival = codec::ParseIso8601(time->AsString());
      if (time && time->is_number()) arrival = codec::ParseEpochSeconds(time->NumberText());
    }
    if (!data || !arrival) {
      on_error_("the line is no record: expected ApproximateArrivalTimestamp and Data in base64",
                LastMs(), line);
      return;
    }
    sql::RecordFacts facts;
    // Shards are read in turn; their records are brought into one order by raising.
    next_ms_ = std::max(count_++ == 0 ? INT64_MIN : next_ms_, *arrival);
    facts.rowtime = next_ms_;
    facts.arrival_ms = *arrival;
    facts.shard_id = TextOf(json->root(), "ShardId");
    facts.partition_key = TextOf(json->root(), "PartitionKey");
    facts.sequence_number = TextOf(json->root(), "SequenceNumber");
    mapper_->Map(*data, facts);
  }

  SqlInputOptions options_;
  Emit emit_;
  OnError on_error_;
  std::unique_ptr<sql::InputMapper> mapper_;
  int64_t next_ms_ = 0;
  int64_t last_ms_ = INT64_MIN;  // of a row
  int64_t count_ = 0;
  std::string number_;  // the last record's sequence number
  sql::RecordFacts facts_;
  int time_column_ = -1;
  bool hidden_ = false;
  sql::Type time_type_;
  sql::Batch view_;
  std::size_t arrival_column_ = 0;  // of `view_`: behind the application's own
  bool arrival_known_ = false;
  sql::Vector arrival_{sql::Physical::kInt};
  std::vector<int64_t> times_;
  std::vector<uint8_t> keep_;
};

SqlInput::SqlInput(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqlInput::~SqlInput() = default;

Result<std::unique_ptr<SqlInput>> SqlInput::Create(SqlInputOptions options, Emit emit,
                                                   OnError on_error) {
  auto impl = std::make_unique<Impl>();
  TRY(impl->Init(std::move(options), std::move(emit), std::move(on_error)));
  return std::unique_ptr<SqlInput>(new SqlInput(std::move(impl)));
}

void SqlInput::Add(std::string_view record) { impl_->Add(record); }
void SqlInput::AddLines(std::string_view text) { impl_->AddLines(text); }
void SqlInput::Add(std::string_view record, const sql::RecordFacts& facts) {
  impl_->Add(record, facts);
}
void SqlInput::Flush() { impl_->Flush(); }

}  // namespace millstream::server
