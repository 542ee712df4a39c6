#include "sql/test_file.h"

#include <map>
#include <memory>

#include "sql/application.h"
#include "sql/binder.h"
#include "sql/cast.h"
#include "sql/datetime.h"
#include "sql/parser.h"

namespace millstream::sql {

namespace {

std::string_view Trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\r')) s.remove_suffix(1);
  return s;
}

std::vector<std::string> Fields(std::string_view line) {
  std::vector<std::string> out;
  while (true) {
    std::size_t bar = line.find('|');
    out.emplace_back(Trim(line.substr(0, bar)));
    if (bar == std::string_view::npos) return out;
    line.remove_prefix(bar + 1);
  }
}

int64_t Time(std::string_view text) {
  if (text.find('-') == std::string_view::npos) {
    std::string full = "2026-01-01 " + std::string(text);
    return ParseTimestamp(full).value_or(INT64_MIN);
  }
  return ParseTimestamp(text).value_or(INT64_MIN);
}

std::string TimeText(int64_t ms) {
  std::string text = FormatTimestamp(ms);
  if (text.substr(text.size() - 2) == ".0") text.resize(text.size() - 2);
  if (text.substr(0, 11) == "2026-01-01 ") text = text.substr(11);
  return text;
}

Value Parsed(const std::string& text, const Type& type) {
  if (text == "NULL") return Value{.type = type, .null = true, .i = 0, .d = 0, .s = {}};
  Value v = Value::String(text);
  v.type = Varchar();
  if (IsCharacter(type.kind)) {
    v.type = type;
    return v;
  }
  if (type.kind == Kind::kTimestamp && text.find('-') == std::string::npos) {
    return Value::Int(type, Time(text));
  }
  return EvaluateConstant(MakeCast(MakeConstant(v), type, {}));
}

class TestRun {
 public:
  TestRun(std::string_view text, bool restarts) : restarts_(restarts) {
    while (!text.empty()) {
      std::size_t end = text.find('\n');
      lines_.emplace_back(text.substr(0, end));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
  }

  std::vector<std::string> Run() {
    while (at_ < lines_.size()) {
      line_ = static_cast<int>(at_) + 1;
      std::string_view line = Trim(lines_[at_++]);
      if (line.empty() || line[0] == '#') continue;
      std::size_t space = line.find(' ');
      std::string_view verb = line.substr(0, space);
      std::string_view rest =
          space == std::string_view::npos ? std::string_view() : Trim(line.substr(space + 1));
      try {
        Do(verb, rest);
      } catch (const SqlError& error) {
        Fail(error.ToError().message());
      }
      if (problems_.size() > 50) break;
    }
    return problems_;
  }

 private:
  void Fail(const std::string& message) {
    problems_.push_back("line " + std::to_string(line_) + ": " + message);
  }

  void Do(std::string_view verb, std::string_view rest) {
    if (verb == "input" || verb == "table") {
      std::size_t open = rest.find('('), close = rest.rfind(')');
      std::string name(Trim(rest.substr(0, open)));
      auto statements = Parse("CREATE STREAM s " + std::string(rest.substr(open, close - open + 1)));
      if (!statements) return Fail(statements.error().message());
      std::vector<ColumnConfig> columns;
      for (const auto& c : (*statements)[0].columns) {
        columns.push_back({c.name.text, TypeName(c.type)});
      }
      if (verb == "input") {
        config_.inputs.push_back({name, columns, true});
        return;
      }
      TableConfig table{name, columns, {}};
      while (at_ < lines_.size() && lines_[at_].substr(0, 1) == "|") {
        std::vector<std::string> fields = Fields(std::string_view(lines_[at_++]).substr(1));
        std::vector<Value> row;
        for (std::size_t i = 0; i < fields.size() && i < columns.size(); ++i) {
          row.push_back(Parsed(fields[i], ParseType(columns[i].type)));
        }
        table.rows.push_back(std::move(row));
      }
      for (TableConfig& other : config_.tables) {
        if (other.name != name) continue;
        other.rows = table.rows;  // a later application, and the running one, see the new rows
        if (app_) {
          auto status = app_->ReplaceTable(name, table.rows);
          if (!status) Fail(status.error().message());
        }
        return;
      }
      config_.tables.push_back(std::move(table));
    } else if (verb == "code") {
      code_.clear();
      while (at_ < lines_.size() && Trim(lines_[at_]) != "end") code_ += lines_[at_++] + "\n";
      ++at_;
      auto app = Application::Create(code_, config_, clock_);
      failure_ = app ? "" : app.error().message();
      Take(std::move(app));
      // A code block that must fail says so on the next line.
      std::size_t next = at_;
      while (next < lines_.size() && Trim(lines_[next]).empty()) ++next;
      if (!failure_.empty() &&
          (next >= lines_.size() || lines_[next].substr(0, 5) != "fails")) {
        Fail("the application does not start: " + failure_);
      }
    } else if (verb == "fails") {
      if (failure_ != rest) {
        Fail("expected failure '" + std::string(rest) + "' but got '" + failure_ + "'");
      }
      failure_.clear();
    } else if (verb == "row") {
      Row(rest);
    } else if (verb == "repeat") {  // one row many times, or until the application stops
      std::size_t space = rest.find(' ');
      int times = std::stoi(std::string(rest.substr(0, space)));
      if (rest.substr(space + 1, 4) != "row ") return Fail("write: repeat n row ...");
      bool restarts = restarts_;
      for (int i = 0; i < times && stopped_.empty(); ++i) {
        restarts_ = restarts && i % 100 == 0;
        Row(Trim(rest.substr(space + 5)));
      }
      restarts_ = restarts;
    } else if (verb == "bound" || verb == "finish") {
      std::size_t space = rest.find(' ');
      std::string name(rest.substr(0, space));
      int64_t t = verb == "finish" ? INT64_MAX : Time(Trim(rest.substr(space + 1)));
      if (!app_) return Fail("no application");
      Answer(app_->Advance(name, t));
    } else if (verb == "restart") {
      if (!app_) return Fail("no application");
      Restart();
    } else if (verb == "limit") {
      config_.state_bytes_max = static_cast<std::size_t>(std::stoull(std::string(rest)));
    } else if (verb == "stops") {
      if (stopped_.find(rest) == std::string::npos || stopped_.empty()) {
        Fail("expected to stop with '" + std::string(rest) + "' but got '" + stopped_ + "'");
      }
      stopped_.clear();
    } else if (verb == "expect") {
      std::vector<std::string> wanted;
      while (at_ < lines_.size() && !Trim(lines_[at_]).empty()) {
        if (lines_[at_][0] != '#') wanted.emplace_back(Trim(lines_[at_]));
        ++at_;
      }
      Compare(std::string(rest), wanted);
    } else if (verb == "explain") {
      if (!app_ || app_->Explain().find(rest) == std::string::npos) {
        Fail("the plan does not hold '" + std::string(rest) + "':\n" + (app_ ? app_->Explain() : ""));
      }
    } else if (verb == "eval") {
      Eval(rest);
    } else {
      Fail("unknown word " + std::string(verb));
    }
  }

  void Restart() {
    std::string state = app_->Save();
    auto app = Application::Create(code_, config_, clock_);
    Take(std::move(app));
    auto status = app_->Restore(state);
    if (!status) return Fail(status.error().message());
    if (app_->Save() != state && app_->Save().size() != state.size()) {
      Fail("the restored state is not the saved one");
    }
  }

  // An application that stops must be expected to: the next line is "stops ...".
  void Answer(base::Status status) {
    if (!status) {
      stopped_ = status.error().message();
      std::size_t next = at_;
      while (next < lines_.size() && Trim(lines_[next]).empty()) ++next;
      if (next >= lines_.size() || lines_[next].substr(0, 5) != "stops") Fail(stopped_);
      return;
    }
    if (restarts_) Restart();
  }

  void Take(base::Result<std::unique_ptr<Application>> app) {
    app_ = app ? std::move(*app) : nullptr;
    if (!app_) return;
    for (const std::string& name : app_->Streams()) {
      std::vector<PlanColumn> columns = *app_->Columns(name);
      (void)app_->SetSink(name, [this, name, columns](const Batch& rows) {
        for (int i = 0; i < rows.rows; ++i) {
          std::string line = TimeText(rows.rowtime[i]);
          for (std::size_t c = 0; c < columns.size(); ++c) {
            line += " | ";
            if (rows.columns[c]->valid()[i] == 0) {
              line += "NULL";
            } else if (columns[c].type.kind == Kind::kTimestamp) {
              line += TimeText(rows.columns[c]->ints()[i]);
            } else {
              AppendText(columns[c].type, *rows.columns[c], i, line);
            }
          }
          rows_[name].push_back(std::string(Trim(line)));
        }
      });
    }
    app_->SetErrorSink([this](const ErrorRow& row) {
      rows_["errors"].push_back(row.name + " | " + row.message);
    });
  }

  void Row(std::string_view rest) {
    if (!app_) return Fail("no application");
    std::vector<std::string> fields = Fields(rest);
    std::size_t space = fields[0].find(' ');
    std::string name = fields[0].substr(0, space);
    int64_t t = Time(Trim(std::string_view(fields[0]).substr(space + 1)));
    auto columns = app_->InputColumns(name);
    if (!columns || space == std::string::npos || t == INT64_MIN) {
      return Fail("write: row STREAM time | values");
    }
    std::vector<Physical> physical = PhysicalColumns(*columns);
    RowBuffer buffer(physical);
    for (std::size_t c = 0; c < columns->size(); ++c) {
      Value value;
      value.type = (*columns)[c].type;
      if (c + 1 < fields.size()) {
        value = Parsed(fields[c + 1], value.type);
      } else if ((*columns)[c].name == "APPROXIMATE_ARRIVAL_TIME") {
        value = Value::Int(value.type, t);
      }
      buffer.column(static_cast<int>(c)).SetValue(0, value, buffer.arena());
    }
    buffer.Commit(t);
    Answer(app_->Push(name, buffer.view()));
  }

  void Compare(const std::string& name, const std::vector<std::string>& wanted) {
    std::vector<std::string> got = std::move(rows_[name]);
    rows_[name].clear();
    for (std::size_t i = 0; i < std::max(got.size(), wanted.size()); ++i) {
      std::string g = i < got.size() ? got[i] : "(nothing)";
      std::string w = "(nothing)";
      if (i < wanted.size()) {
        w.clear();
        for (const std::string& field : Fields(wanted[i])) w += (w.empty() ? "" : " | ") + field;
      }
      std::string shown;
      for (const std::string& field : Fields(g)) shown += (shown.empty() ? "" : " | ") + field;
      bool same = shown == w;
      if (name == "errors" && i < got.size() && i < wanted.size()) {
        std::vector<std::string> a = Fields(w);
        same = a.size() == 2 && g.rfind(a[0], 0) == 0 && g.find(a[1]) != std::string::npos;
      }
      if (!same) Fail(name + " row " + std::to_string(i + 1) + ": expected " + w + " but got " + shown);
    }
  }

  void Eval(std::string_view rest) {
    std::size_t arrow = rest.rfind("=>");
    if (arrow == std::string_view::npos) return Fail("write: eval expression => text");
    std::string wanted(Trim(rest.substr(arrow + 2)));
    std::string got;
    try {
      Catalog catalog;
      ast::ExpressionPtr e = ParseExpression(Trim(rest.substr(0, arrow)));
      Value value = BindConstant(catalog, *e);
      got = ValueText(value);
      if (IsCharacter(value.type.kind) && !value.null) got = "'" + got + "'";
    } catch (const SqlError& error) {
      got = "error";
      if (wanted.rfind("error ", 0) == 0) got = "error " + std::string(error.what());
    }
    if (got != wanted) Fail("expected " + wanted + " but got " + got);
  }

  std::vector<std::string> lines_;
  std::size_t at_ = 0;
  int line_ = 0;
  std::vector<std::string> problems_;
  ApplicationConfig config_;
  base::ManualClock clock_{1'767'225'600'000};
  std::string code_, failure_, stopped_;
  bool restarts_;
  std::unique_ptr<Application> app_;
  std::map<std::string, std::vector<std::string>> rows_;
};

}  // namespace

std::vector<std::string> RunTestFile(std::string_view text) { return TestRun(text, false).Run(); }
std::vector<std::string> RunTestFileWithRestarts(std::string_view text) {
  return TestRun(text, true).Run();
}

}  // namespace millstream::sql
