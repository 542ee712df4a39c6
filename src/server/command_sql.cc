#include "server/command_sql.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <deque>

#include "analytics/document.h"
#include "server/command_sql_input.h"
#include "server/commands.h"
#include "sql/constant.h"
#include "sql/datetime.h"
#include "sql/lexer.h"

namespace millstream::server {
namespace {

using base::Code;
using base::Error;
using base::Fail;
using base::Result;
using base::Status;

constexpr int kExitApplication = 3;
constexpr int kExitRowsFailed = 4;

int ExitOf(const SqlProblem& problem) {
  Complain(problem.error);
  switch (problem.fault) {
    case SqlFault::kRunning:
      return 1;
    case SqlFault::kUsage:
      return 2;
    case SqlFault::kApplication:
      return kExitApplication;
  }
  return 1;
}

int Usage(std::string message) {
  Complain(Error(Code::kInvalidArgument, std::move(message)));
  return 2;
}

// The pseudo columns cost a little for every row: rows have them when the code names one.
bool NamesShards(std::string_view code) {
  std::string upper = sql::UpperCase(code);
  return upper.find("SHARD_ID") != std::string::npos ||
         upper.find("PARTITION_KEY") != std::string::npos ||
         upper.find("SEQUENCE_NUMBER") != std::string::npos;
}

// The streams to print: what the user named, else the application's outputs, else all but inputs.
SqlResult<std::vector<std::string>> ChooseOutputs(const SqlOptions& options, const SqlSetup& setup,
                                                  const sql::Application& application) {
  std::vector<std::string> known = application.Streams();
  std::vector<std::string> chosen;
  auto add = [&](const std::string& name) {
    int at = FindByName(known, name);
    std::string found =
        at >= 0 ? known[static_cast<std::size_t>(at)] : std::string(analytics::kErrorStream);
    if (at < 0 && !analytics::IsErrorStream(name)) return false;
    if (std::find(chosen.begin(), chosen.end(), found) == chosen.end()) chosen.push_back(found);
    return true;
  };
  for (const std::string& name : options.outputs) {
    if (add(name)) continue;
    return tl::unexpected(SqlProblem{
        SqlFault::kUsage,
        Error(Code::kNotFound, fmt::format("--output {}: no such stream; there are {}, {}", name,
                                           fmt::join(known, ", "), analytics::kErrorStream))});
  }
  if (!chosen.empty()) return chosen;
  for (const analytics::Output& output : setup.definition.outputs) add(output.name);
  if (!chosen.empty()) return chosen;
  for (const std::string& name : known) {
    bool input = std::any_of(setup.streams.begin(), setup.streams.end(),
                             [&](const SqlStream& stream) { return stream.name == name; });
    if (!input) chosen.push_back(name);
  }
  return chosen;
}

// Runs an application on files.
class Run {
 public:
  Run(const SqlOptions& options, SqlSetup& setup, sql::Application& application, ReplayClock& clock,
      SqlPrinter& printer, bool has_shards)
      : options_(options),
        setup_(setup),
        application_(application),
        clock_(clock),
        printer_(printer),
        has_shards_(has_shards) {}

  SqlResult<bool> Open(int64_t start_ms, int64_t tick_ms) {
    for (SqlStream& stream : setup_.streams) {
      if (stream.reader == nullptr) continue;
      auto& source = *sources_.emplace_back(std::make_unique<Source>());
      source.name = stream.name;
      source.reader = stream.reader.get();
      auto columns = application_.InputColumns(stream.name);
      for (const sql::PlanColumn& column : *columns)
        source.physical.push_back(sql::PhysicalOf(column.type.kind));
      auto input = SqlInput::Create(
          {stream.schema, has_shards_, stream.rowtime, start_ms, tick_ms, options_.records},
          [this, &source](const sql::Batch& rows) { Take(source, rows); },
          [this](std::string message, int64_t rowtime, std::string_view record) {
            application_.ReportInputError("INPUT_ERROR", std::move(message), rowtime, record);
          });
      if (!input)
        return tl::unexpected(
            SqlProblem{SqlFault::kUsage, input.error().Within("input " + stream.name)});
      source.input = std::move(*input);
    }
    return true;
  }

  Status Finish() {
    // Streams without records have ended before they began.
    for (const SqlStream& stream : setup_.streams) {
      if (stream.reader == nullptr) TRY(application_.Advance(stream.name, INT64_MAX));
    }
    TRY(sources_.size() == 1 ? RunOne(*sources_[0]) : RunMerged());
    return failed_;
  }

 private:
  struct Source {
    std::string name;
    RecordReader* reader = nullptr;
    std::unique_ptr<SqlInput> input;
    std::vector<sql::Physical> physical;
    std::deque<std::unique_ptr<sql::RowBuffer>> waiting;  // rows that are not their turn yet
    int next = 0;                                         // row of waiting.front()
    bool ended = false;
  };

  void Push(const std::string& name, const sql::Batch& rows) {
    if (printer_.done() || !failed_) return;
    clock_.Set(std::max(clock_.WallMs(), rows.rowtime[0]));
    failed_ = application_.Push(name, rows);
  }

  void Take(Source& source, const sql::Batch& rows) {
    if (sources_.size() == 1) return Push(source.name, rows);
    auto copy = std::make_unique<sql::RowBuffer>(source.physical);
    CopyRows(rows, 0, rows.rows, *copy);
    source.waiting.push_back(std::move(copy));
  }

  static void CopyRows(const sql::Batch& from, int begin, int end, sql::RowBuffer& to) {
    for (int i = begin; i < end; ++i) {
      for (std::size_t c = 0; c < from.columns.size(); ++c) {
        sql::Vector& column = to.column(static_cast<int>(c));
        column.CopyRow(to.rows(), *from.columns[c], i);
        if (column.physical() == sql::Physical::kString && column.valid()[to.rows()] != 0) {
          column.strings()[to.rows()] = to.arena().Copy(column.strings()[to.rows()]);
        }
      }
      to.Commit(from.rowtime[i]);
    }
  }

  // One bufferful. A pipe that has nothing more for now shows its results.
  Status Step(Source& source) {
    auto more =
        source.reader->Read([&](std::string_view lines) { source.input->AddLines(lines); },
                            [&](std::string_view record) { source.input->Add(record); });
    if (!more) return Fail(more.error());
    if (!*more) source.ended = true;
    if (source.ended || source.reader->WouldWait()) source.input->Flush();
    return {};
  }

  Status RunOne(Source& source) {
    while (!source.ended && !printer_.done() && failed_) {
      TRY(Step(source));
      if (!source.ended && source.reader->WouldWait()) printer_.Flush();
    }
    if (!printer_.done()) TRY(application_.Advance(source.name, INT64_MAX));
    return {};
  }

  // Rows of several inputs, merged by ROWTIME; of equal ones those of the input that was named
  // first.
  Status RunMerged() {
    while (!printer_.done() && failed_) {
      Source* first = nullptr;
      for (auto& source : sources_) {
        while (source->waiting.empty() && !source->ended) {
          TRY(Step(*source));
          if (!source->ended || !source->waiting.empty()) continue;
          TRY(application_.Advance(source->name, INT64_MAX));
        }
        if (!source->waiting.empty() && (first == nullptr || TimeOf(*source) < TimeOf(*first)))
          first = source.get();
      }
      if (first == nullptr) return {};
      sql::RowBuffer& rows = *first->waiting.front();
      int end = first->next + 1;
      while (end < rows.rows() && IsTurn(*first, rows.rowtime()[end])) ++end;
      if (first->next == 0 && end == rows.rows()) {
        Push(first->name, rows.view());
      } else {
        sql::RowBuffer part(first->physical);
        CopyRows(rows.view(), first->next, end, part);
        Push(first->name, part.view());
      }
      first->next = end;
      if (end == rows.rows()) {
        first->waiting.pop_front();
        first->next = 0;
        if (first->waiting.empty() && first->ended)
          TRY(application_.Advance(first->name, INT64_MAX));
      }
    }
    return {};
  }

  static int64_t TimeOf(Source& source) { return source.waiting.front()->rowtime()[source.next]; }

  bool IsTurn(const Source& of, int64_t time) {
    bool before = true;  // sources that come before `of`
    for (auto& source : sources_) {
      if (source.get() == &of) {
        before = false;
      } else if (!source->waiting.empty() &&
                 (before ? TimeOf(*source) <= time : TimeOf(*source) < time)) {
        return false;
      }
    }
    return true;
  }

  const SqlOptions& options_;
  SqlSetup& setup_;
  sql::Application& application_;
  ReplayClock& clock_;
  SqlPrinter& printer_;
  const bool has_shards_;
  std::vector<std::unique_ptr<Source>> sources_;
  Status failed_;
};

int ShowCheck(const SqlSetup& setup, const sql::Application& application) {
  std::string text = setup.label + ": valid\n";
  for (const std::string& name : application.Streams()) {
    bool input = std::any_of(setup.streams.begin(), setup.streams.end(),
                             [&](const SqlStream& stream) { return stream.name == name; });
    std::vector<std::string> columns;
    auto found = application.Columns(name);
    for (const sql::PlanColumn& column : *found) {
      columns.push_back(column.name + " " + sql::TypeName(column.type));
    }
    text +=
        fmt::format("  {} {} ({})\n", input ? "input " : "stream", name, fmt::join(columns, ", "));
  }
  for (const SqlTable& table : setup.tables) {
    text += fmt::format("  table  {} ({} rows)\n", table.config.name, table.config.rows.size());
  }
  return Print(text) ? 0 : 1;
}

int Evaluate(const std::vector<std::string>& expressions) {
  int code = 0;
  for (const std::string& expression : expressions) {
    auto value = sql::EvaluateText(expression);
    if (!value) {
      std::fputs(PointedError("expression", expression, value.error().message()).c_str(), stderr);
      code = kExitApplication;
    } else if (!Print(*value + "\n")) {
      return 1;
    }
  }
  return code;
}

int ShowSchema(const SqlSetup& setup) {
  analytics::Definition shown;
  for (const SqlStream& stream : setup.streams) {
    analytics::Input& input = shown.inputs.emplace_back();
    input.name_prefix = stream.name;
    if (stream.name.ends_with("_001")) input.name_prefix.resize(stream.name.size() - 4);
    input.schema = stream.schema;
  }
  return Print(analytics::SchemaDocument(shown)) ? 0 : 1;
}

}  // namespace

std::string PointedError(std::string_view label, std::string_view text,
                         const std::string& message) {
  int line = 0, column = 0;
  std::size_t used = 0;
  if (std::sscanf(message.c_str(), "line %d, column %d: %zn", &line, &column, &used) != 2 ||
      used == 0) {
    return fmt::format("{}: {}\n", label, message);
  }
  std::string out = fmt::format("{}:{}:{}: {}\n", label, line, column, message.substr(used));
  for (int i = 1; i < line; ++i) {
    std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
  std::string shown(text.substr(0, text.find('\n')));
  while (!shown.empty() && shown.back() == '\r') shown.pop_back();
  std::string pad;  // tabs stay, so that the caret stands below its character at any width
  std::size_t at = 0;
  for (int i = 1; i < column && at < shown.size(); ++at) {
    bool starts = (static_cast<unsigned char>(shown[at]) & 0xC0) != 0x80;
    if (starts) pad += shown[at] == '\t' ? '\t' : ' ';
    if (at + 1 == shown.size() || (static_cast<unsigned char>(shown[at + 1]) & 0xC0) != 0x80) ++i;
  }
  // Of a long line what is around the mistake.
  auto characters = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  constexpr std::size_t kBeforeMax = 80, kAfterMax = 80;
  if (at + kAfterMax < shown.size()) {
    std::size_t end = at + kAfterMax;
    while (end > at && !characters(shown[end])) --end;
    shown.replace(end, std::string::npos, "...");
  }
  if (pad.size() > kBeforeMax) {
    std::size_t begin = at;
    for (std::size_t kept = 0; begin > 0 && kept < kBeforeMax; kept += characters(shown[begin])) {
      --begin;
    }
    shown.replace(0, begin, "...");
    pad.assign(kBeforeMax + 3, ' ');
  }
  std::string number = std::to_string(line);
  out +=
      fmt::format("  {} | {}\n  {} | {}^\n", number, shown, std::string(number.size(), ' '), pad);
  return out;
}

int RunSql(const Invocation& invocation) {
  const SqlOptions& options = invocation.sql;
  if (!options.evaluate.empty()) return Evaluate(options.evaluate);
  if (options.application.empty())
    return Usage("sql: name the application, or an expression with --eval");
  auto start_ms = sql::ParseTimestamp(options.start);
  if (!start_ms)
    return Usage(
        fmt::format("--start {}: expected a time such as 2026-01-01T00:00:00Z", options.start));
  auto tick_ms = ParseDurationMs(options.tick);
  if (!tick_ms) return Usage("--tick " + tick_ms.error().message());
  if (!options.inputs.empty() && !options.follow.empty())
    return Usage("give --input or --follow, not both");

  auto setup = LoadSql(options);
  if (!setup) return ExitOf(setup.error());
  for (SqlStream& stream : setup->streams) {
    if (!stream.schema.columns.empty() || stream.follow.empty()) continue;
    auto sample = SampleStream(invocation.client, stream.follow);
    if (!sample) return Complain(sample.error());
    std::vector<std::string_view> records(sample->begin(), sample->end());
    if (auto found = DiscoverStream(stream, records, setup->notes); !found)
      return ExitOf(found.error());
  }
  for (const std::string& note : setup->notes)
    std::fprintf(stderr, "millstream: %s\n", note.c_str());
  for (const SqlStream& stream : setup->streams) {
    if (stream.schema.columns.empty())
      return Usage(fmt::format("{}: no schema; give --schema or --columns", stream.name));
  }
  if (options.print_schema) return ShowSchema(*setup);
  if (setup->definition.code.find_first_not_of(" \t\r\n") == std::string::npos) {
    return ExitOf({SqlFault::kApplication,
                   Error(Code::kInvalidArgument, setup->label + ": there is no SQL in it")});
  }

  bool live = !options.follow.empty();
  bool has_shards = live || NamesShards(setup->definition.code);
  base::SystemClock system_clock;
  ReplayClock replay_clock(*start_ms);
  base::Clock& clock = live ? static_cast<base::Clock&>(system_clock) : replay_clock;
  auto application =
      sql::Application::Create(setup->definition.code, SqlConfig(*setup, has_shards), clock);
  if (!application) {
    std::fputs(
        PointedError(setup->label, setup->definition.code, application.error().message()).c_str(),
        stderr);
    if (setup->streams.empty()) {
      std::fputs(
          "millstream: there is no input stream: give its schema with --schema or --columns, or "
          "records with "
          "--input\n",
          stderr);
    }
    return kExitApplication;
  }
  if (options.check) return ShowCheck(*setup, **application);
  if (options.explain) return Print((*application)->Explain()) ? 0 : 1;

  for (const SqlTable& table : setup->tables) {
    if (table.path.empty()) {
      return Usage(fmt::format("reference table {}: give its rows with --reference {}=FILE",
                               table.config.name, table.config.name));
    }
  }
  bool any = live || std::any_of(setup->streams.begin(), setup->streams.end(),
                                 [](const SqlStream& stream) { return stream.reader != nullptr; });
  if (!any && !setup->streams.empty()) {
    return Usage("give the records with --input FILE (- is standard input) or --follow STREAM");
  }
  auto outputs = ChooseOutputs(options, *setup, **application);
  if (!outputs) return ExitOf(outputs.error());
  if (options.format == SqlFormat::kCsv && outputs->size() != 1) {
    return Usage(
        fmt::format("csv prints one stream; choose with --output: {}", fmt::join(*outputs, ", ")));
  }
  SqlPrinter printer({options.format, options.bare, options.rows_max});
  if (auto watched = printer.Watch(**application, *outputs); !watched)
    return Complain(watched.error());

  Status done;
  if (live) {
    done = FollowSql(invocation, *setup, **application, printer);
  } else {
    Run run(options, *setup, **application, replay_clock, printer, has_shards);
    if (auto opened = run.Open(*start_ms, *tick_ms); !opened) return ExitOf(opened.error());
    done = run.Finish();
  }
  Status written = printer.Finish();
  if (!done) return Complain(done.error());
  if (!written) return Complain(written.error());
  return options.strict && printer.error_rows() > 0 ? kExitRowsFailed : 0;
}

}  // namespace millstream::server
