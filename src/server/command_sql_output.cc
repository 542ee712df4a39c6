#include "server/command_sql_output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

#include "analytics/definition.h"
#include "codec/hex.h"
#include "codec/json_writer.h"
#include "codec/utf8.h"
#include "sql/cast.h"
#include "sql/datetime.h"
#include "sql/output_format.h"

namespace millstream::server {

namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;
constexpr int64_t kErrorsShown = 5;          // on standard error
constexpr std::size_t kTableRowsMax = 1000;  // a table's widths are those of so many rows
constexpr std::size_t kTableCellMax = 120;   // characters

std::string TimeText(int64_t ms) {
  std::string text;
  sql::AppendTimestamp(ms, text);
  return text;
}

std::size_t Characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

sql::PlanColumn TextColumn(const char* name, int length) {
  return {name, sql::Varchar(length), false, nullptr};
}

std::vector<sql::PlanColumn> ErrorColumns() {
  return {{"ERROR_TIME", sql::MakeType(sql::Kind::kTimestamp), false, nullptr},
          TextColumn("ERROR_LEVEL", 10),
          TextColumn("ERROR_NAME", 32),
          TextColumn("MESSAGE", 4096),
          {"DATA_ROWTIME", sql::MakeType(sql::Kind::kTimestamp), false, nullptr},
          TextColumn("DATA_ROW", 49152),
          TextColumn("PUMP_NAME", 128)};
}

}  // namespace

class SqlPrinter::Impl {
 public:
  explicit Impl(SqlPrinterOptions options) : options_(options) {}

  struct Stream {
    std::string name;
    std::string json_prefix;  // {"stream":"D","rowtime":"
    std::vector<sql::PlanColumn> columns;
    std::optional<sql::JsonRowWriter> writer;
    std::vector<std::vector<std::string>> cells;  // of a table
  };

  base::Status Watch(sql::Application& application, const std::vector<std::string>& streams) {
    for (const std::string& name : streams) {
      Stream& stream = *streams_.emplace_back(std::make_unique<Stream>());
      stream.name = name;
      if (analytics::IsErrorStream(name)) {
        stream.name = analytics::kErrorStream;
        stream.columns = ErrorColumns();
        errors_ = &stream;
      } else {
        ASSIGN_OR_RETURN(stream.columns, application.Columns(name));
        TRY(application.SetSink(name,
                                [this, &stream](const sql::Batch& rows) { Take(stream, rows); }));
      }
      stream.writer.emplace(stream.columns);
      stream.json_prefix = R"({"stream":)";
      codec::AppendJsonString(stream.name, stream.json_prefix);
      stream.json_prefix += R"(,"rowtime":")";
      if (options_.format == SqlFormat::kCsv) CsvHeader(stream);
    }
    application.SetErrorSink([this](const sql::ErrorRow& row) { TakeError(row); });
    if (options_.format == SqlFormat::kJson) out_ += '[';
    return {};
  }

  void Take(Stream& stream, const sql::Batch& rows) {
    for (int i = 0; i < rows.rows && !done(); ++i) {
      if (!options_.bare && (rows.rowtime[i] != time_ || time_text_.empty())) {
        time_ = rows.rowtime[i];
        time_text_ = TimeText(time_);
      }
      ++rows_;
      switch (options_.format) {
        case SqlFormat::kJson:
          out_ += rows_ == 1 ? "\n" : ",\n";
          [[fallthrough]];
        case SqlFormat::kNdjson:
          if (options_.bare) {
            stream.writer->Append(rows, i, out_);
          } else {
            out_ += stream.json_prefix;
            out_ += time_text_;
            out_ += R"(","row":)";
            stream.writer->Append(rows, i, out_);
            out_ += '}';
          }
          if (options_.format == SqlFormat::kNdjson) out_ += '\n';
          break;
        case SqlFormat::kCsv:
          if (!options_.bare) {
            out_ += time_text_;
            out_ += ',';
          }
          sql::AppendCsvRow(stream.columns, rows, i, ",", out_);
          out_ += '\n';
          break;
        case SqlFormat::kTable:
          AddCells(stream, rows, i);
          break;
      }
      if (out_.size() >= kBufferBytes) Write();
    }
  }

  void TakeError(const sql::ErrorRow& error) {
    ++error_rows_;
    if (errors_ != nullptr) {
      std::vector<sql::Physical> physical;
      for (const auto& column : errors_->columns)
        physical.push_back(sql::PhysicalOf(column.type.kind));
      sql::RowBuffer row(physical);
      row.column(0).ints()[0] = error.time_ms;
      row.column(1).strings()[0] = "ERROR";
      row.column(2).strings()[0] = error.name;
      row.column(3).strings()[0] = error.message;
      row.column(4).ints()[0] = error.data_rowtime;
      row.column(5).strings()[0] = error.data_row;
      row.column(6).strings()[0] = error.pump;
      if (error.pump.empty()) row.column(6).SetNull(0);
      row.Commit(error.data_rowtime);
      Take(*errors_, row.view());
      return;
    }
    if (error_rows_ > kErrorsShown) return;
    std::string shown(std::min<std::size_t>(error.data_row.size() / 2, 200), '\0');
    if (!codec::HexDecode(std::string_view(error.data_row).substr(0, shown.size() * 2),
                          shown.data()))
      shown.clear();
    while (!shown.empty() && !codec::IsValidUtf8(shown)) shown.pop_back();
    std::replace_if(
        shown.begin(), shown.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; },
        ' ');
    std::fprintf(stderr, "millstream: error_stream: %s %s%s%s: %s%s%s\n",
                 TimeText(error.data_rowtime).c_str(), error.name.c_str(),
                 error.pump.empty() ? "" : " in pump ", error.pump.c_str(), error.message.c_str(),
                 shown.empty() ? "" : "; row: ", shown.c_str());
  }

  void Flush() {
    for (auto& stream : streams_) PrintTable(*stream);
    Write();
  }

  base::Status Finish() {
    Flush();
    if (options_.format == SqlFormat::kJson) {
      out_ += "\n]\n";
      Write();
    }
    if (errors_ == nullptr && error_rows_ > 0) {
      std::fprintf(stderr, "millstream: %lld row%s went to error_stream%s\n",
                   static_cast<long long>(error_rows_), error_rows_ == 1 ? "" : "s",
                   error_rows_ > kErrorsShown ? " (all of them: --output error_stream)" : "");
    }
    return wrote_;
  }

  bool done() const { return broken_ || (options_.rows_max > 0 && rows_ >= options_.rows_max); }
  int64_t error_rows() const { return error_rows_; }

 private:
  void CsvHeader(const Stream& stream) {
    if (!options_.bare) out_ += "ROWTIME,";
    for (std::size_t c = 0; c < stream.columns.size(); ++c) {
      if (c > 0) out_ += ',';
      const std::string& name = stream.columns[c].name;
      if (name.find_first_of(",\"\r\n") == std::string::npos) {
        out_ += name;
      } else {
        out_ += '"';
        for (char ch : name) out_.append(ch == '"' ? 2 : 1, ch);
        out_ += '"';
      }
    }
    out_ += '\n';
  }

  void AddCells(Stream& stream, const sql::Batch& rows, int row) {
    auto& cells = stream.cells.emplace_back();
    if (!options_.bare) cells.push_back(time_text_);
    for (std::size_t c = 0; c < stream.columns.size(); ++c) {
      const sql::Vector& v = *rows.columns[c];
      std::string text;
      if (v.valid()[row] == 0) {
        text = "NULL";
      } else if (stream.columns[c].type.kind == sql::Kind::kTimestamp) {
        text = TimeText(v.ints()[row]);
      } else {
        sql::AppendText(stream.columns[c].type, v, row, text);
        std::replace_if(
            text.begin(), text.end(), [](char ch) { return static_cast<unsigned char>(ch) < ' '; },
            ' ');
        if (text.size() > kTableCellMax) {
          text.resize(kTableCellMax);
          while (!text.empty() && !codec::IsValidUtf8(text)) text.pop_back();
          text += "...";
        }
      }
      cells.push_back(std::move(text));
    }
    if (stream.cells.size() >= kTableRowsMax) PrintTable(stream);
  }

  void PrintTable(Stream& stream) {
    if (stream.cells.empty()) return;
    std::vector<std::string> names;
    std::vector<bool> right;
    if (!options_.bare) {
      names.push_back("ROWTIME");
      right.push_back(false);
    }
    for (const auto& column : stream.columns) {
      names.push_back(column.name);
      right.push_back(sql::IsNumeric(column.type.kind));
    }
    std::vector<std::size_t> widths;
    for (const std::string& name : names) widths.push_back(Characters(name));
    for (const auto& row : stream.cells) {
      for (std::size_t c = 0; c < row.size(); ++c)
        widths[c] = std::max(widths[c], Characters(row[c]));
    }
    auto line = [&](const std::vector<std::string>& cells) {
      std::string text;
      for (std::size_t c = 0; c < cells.size(); ++c) {
        if (c > 0) text += "  ";
        std::string pad(widths[c] - Characters(cells[c]), ' ');
        text += right[c] ? pad + cells[c] : cells[c] + pad;
      }
      text.erase(text.find_last_not_of(' ') + 1);
      out_ += text + "\n";
    };
    if (tables_++ > 0) out_ += '\n';
    out_ += stream.name + "\n";
    line(names);
    std::vector<std::string> rules;
    for (std::size_t width : widths) rules.emplace_back(width, '-');
    line(rules);
    for (const auto& row : stream.cells) line(row);
    stream.cells.clear();
  }

  void Write() {
    std::string_view left = out_;
    while (!left.empty() && !broken_) {
      ssize_t wrote = ::write(STDOUT_FILENO, left.data(), left.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) {
        broken_ = true;
        if (errno != EPIPE) {  // a reader that has seen enough is no failure
          wrote_ =
              base::Fail(base::Code::kUnavailable,
                         fmt::format("cannot write standard output: {}", std::strerror(errno)));
        }
        break;
      }
      left.remove_prefix(static_cast<std::size_t>(wrote));
    }
    out_.clear();
  }

  SqlPrinterOptions options_;
  std::vector<std::unique_ptr<Stream>> streams_;
  Stream* errors_ = nullptr;
  std::string out_;
  int64_t time_ = INT64_MIN;
  std::string time_text_;
  int64_t rows_ = 0, error_rows_ = 0;
  int tables_ = 0;
  bool broken_ = false;
  base::Status wrote_;
};

SqlPrinter::SqlPrinter(SqlPrinterOptions options) : impl_(std::make_unique<Impl>(options)) {}
SqlPrinter::~SqlPrinter() = default;
base::Status SqlPrinter::Watch(sql::Application& application,
                               const std::vector<std::string>& streams) {
  return impl_->Watch(application, streams);
}
void SqlPrinter::Flush() { impl_->Flush(); }
base::Status SqlPrinter::Finish() { return impl_->Finish(); }
bool SqlPrinter::done() const { return impl_->done(); }
int64_t SqlPrinter::error_rows() const { return impl_->error_rows(); }

}  // namespace millstream::server
