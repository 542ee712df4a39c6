// The log parsers: text in, a row of fields out.
#include <memory>

#include "sql/cast.h"
#include "sql/date_format.h"
#include "sql/datetime.h"
#include "sql/fast_regex.h"
#include "sql/function_tables.h"
#include "sql/java_regex.h"
#include "sql/log_columns.h"
#include "sql/row_value.h"
#include "sql/w3c_log.h"

namespace millstream::sql {

namespace {

constexpr const char* kNoMatch = "LOG_FORMAT_MISMATCH";

Type RowType(const std::vector<LogColumn>& columns) {
  auto fields = std::make_shared<std::vector<RowField>>();
  for (const LogColumn& c : columns) fields->push_back({c.name, c.type});
  Type type = MakeType(Kind::kRow);
  type.fields = fields;
  return type;
}

// The value of argument `i`, which decides the fields and so must be known beforehand.
Value Constant(const Arguments& arguments, std::size_t i, const char* what) {
  const ExprPtr& e = arguments[i];
  if (!IsConstant(*e)) throw SqlError(e->at, std::string(what) + " must be a constant");
  Value value = EvaluateConstant(e);
  if (value.null) throw SqlError(e->at, std::string(what) + " cannot be NULL");
  return value;
}
std::string ConstantText(Arguments& arguments, std::size_t i, Position at, const char* function,
                         const char* what) {
  WantText(arguments, static_cast<int>(i), at, function);
  return Constant(arguments, i, what).s;
}

// Compiling a pattern or format reports what is wrong with it at the argument.
template <typename Make>
auto Checked(const ExprPtr& argument, Make make) {
  try {
    return make();
  } catch (const RowError& error) {
    throw SqlError(argument->at, error.message);
  }
}
std::vector<LogColumn> CheckedColumns(const ExprPtr& argument, const std::string& text,
                                      LogColumnForm form) {
  try {
    return ParseLogColumns(text, form);
  } catch (const SqlError& error) {
    throw SqlError(argument->at, "in the description of the columns, at character " +
                                     std::to_string(error.at().column) + ": " + error.what());
  }
}

template <typename State, typename Make>
State& Kept(CallFrame& frame, Make make) {
  if (frame.state == nullptr) frame.state = std::shared_ptr<State>(make());
  return *static_cast<State*>(frame.state.get());
}

std::string_view ArgumentText(const CallFrame& frame, int i) { return frame.strings(i)[0]; }

// --- Fields with types of their own -------------------------------------------------------------

// Brings the text of a field into the form that a CAST to its type reads.
class FieldWriter {
 public:
  explicit FieldWriter(std::vector<LogColumn> columns) : columns_(std::move(columns)) {
    for (const LogColumn& c : columns_) {
      formats_.push_back(c.format.empty() ? nullptr : std::make_unique<DateFormat>(c.format));
    }
  }
  const std::vector<LogColumn>& columns() const { return columns_; }

  void Write(std::size_t i, bool present, std::string_view text, int64_t now_ms,
             RowValueBuilder& row) const {
    const LogColumn& column = columns_[i];
    bool character = IsCharacter(column.type.kind);
    if (!character) {
      while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
      while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    }
    if (!present || (!character && text.empty())) {
      if (column.not_null) {
        throw RowError{"NOT_NULL_VIOLATION", "field " + column.name + " is missing"};
      }
      return row.AddNull();
    }
    if (!formats_[i]) return row.Add(text);
    auto ms = formats_[i]->Parse(text, now_ms);
    if (!ms) {
      throw RowError{kNoMatch, "field " + column.name + " is not of the form " + column.format +
                                   ": " + std::string(text.substr(0, 64))};
    }
    switch (column.type.kind) {
      case Kind::kDate: return row.Add(FormatDate(FloorDiv(*ms, kMsPerDay)));
      case Kind::kTime: return row.Add(FormatTime(FloorMod(*ms, kMsPerDay)));
      default: return row.Add(FormatTimestamp(*ms));
    }
  }

 private:
  std::vector<LogColumn> columns_;
  std::vector<std::unique_ptr<DateFormat>> formats_;
};

// The byte at which character `index` starts, from `byte` on, which is character `character`.
std::size_t Advance(std::string_view s, std::size_t byte, int characters) {
  while (characters > 0 && byte < s.size()) {
    ++byte;
    while (byte < s.size() && (static_cast<unsigned char>(s[byte]) & 0xC0) == 0x80) ++byte;
    --characters;
  }
  return byte;
}

// --- REGEX_LOG_PARSE ----------------------------------------------------------------------------

std::vector<LogColumn> RegexColumns(const Arguments& arguments, int groups) {
  if (groups == 0) {
    throw SqlError(arguments[1]->at, "the pattern has no group; put parentheses around each field");
  }
  std::vector<LogColumn> columns = NumberedLogColumns(groups);
  if (arguments.size() < 3) return columns;
  columns = CheckedColumns(arguments[2], Constant(arguments, 2, "the list of columns").s,
                           LogColumnForm::kNamesAndTypes);
  if (columns.size() != static_cast<std::size_t>(groups)) {
    throw SqlError(arguments[2]->at, "the pattern has " + std::to_string(groups) +
                                         " groups, the list " + std::to_string(columns.size()) +
                                         " columns");
  }
  return columns;
}

Type ResolveRegex(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "REGEX_LOG_PARSE");
  std::string pattern = ConstantText(arguments, 1, at, "REGEX_LOG_PARSE", "the pattern");
  if (arguments.size() > 2) WantText(arguments, 2, at, "REGEX_LOG_PARSE");
  auto regex = Checked(arguments[1], [&] { return JavaRegex::Compile(pattern); });
  return RowType(RegexColumns(arguments, regex->groups()));
}
void RegexKernel(CallFrame& frame) {
  struct State {
    std::shared_ptr<JavaRegex> regex;
    std::vector<JavaRegex::Group> groups;
    RowValueBuilder row;
  };
  State& state = Kept<State>(frame, [&] {
    return new State{JavaRegex::Compile(ArgumentText(frame, 1)), {}, {}};
  });
  frame.ForEachRow([&](int i) {
    std::string_view text = frame.strings(0)[i];
    if (!state.regex->MatchAll(text, state.groups)) return frame.out.SetNull(i);
    state.row.Clear();
    for (std::size_t g = 1; g < state.groups.size(); ++g) {
      const JavaRegex::Group& group = state.groups[g];
      if (group.matched) {
        state.row.Add(text.substr(group.begin, group.end - group.begin));
      } else {
        state.row.AddNull();
      }
    }
    frame.out.strings()[i] = state.row.Finish(frame.arena());
  });
}

// --- FAST_REGEX_LOG_PARSE -----------------------------------------------------------------------

Type ResolveFastRegex(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "FAST_REGEX_LOG_PARSE");
  std::string pattern = ConstantText(arguments, 1, at, "FAST_REGEX_LOG_PARSE", "the pattern");
  int groups = Checked(arguments[1], [&] { return FastRegex(pattern).groups(); });
  if (groups == 0) {
    throw SqlError(arguments[1]->at, "the pattern has no group; put parentheses around each field");
  }
  return RowType(NumberedLogColumns(groups));
}
void FastRegexKernel(CallFrame& frame) {
  struct State {
    FastRegex regex;
    std::vector<std::pair<std::size_t, std::size_t>> groups;
    RowValueBuilder row;
  };
  State& state = Kept<State>(
      frame, [&] { return new State{FastRegex(ArgumentText(frame, 1)), {}, {}}; });
  frame.ForEachRow([&](int i) {
    std::string_view text = frame.strings(0)[i];
    if (!state.regex.Match(text, state.groups)) {
      throw RowError{kNoMatch, "the text does not match the fast regular expression"};
    }
    state.row.Clear();
    for (const auto& [begin, end] : state.groups) state.row.Add(text.substr(begin, end - begin));
    frame.out.strings()[i] = state.row.Finish(frame.arena());
  });
}

// --- FIXED_COLUMN_LOG_PARSE ---------------------------------------------------------------------

void CheckFormats(const ExprPtr& argument, const std::vector<LogColumn>& columns) {
  for (const LogColumn& c : columns) {
    if (!c.format.empty()) Checked(argument, [&] { return DateFormat(c.format); });
  }
}

Type ResolveFixed(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "FIXED_COLUMN_LOG_PARSE");
  std::string text =
      ConstantText(arguments, 1, at, "FIXED_COLUMN_LOG_PARSE", "the description of the columns");
  std::vector<LogColumn> columns = CheckedColumns(arguments[1], text, LogColumnForm::kPlaced);
  CheckFormats(arguments[1], columns);
  return RowType(columns);
}
void FixedKernel(CallFrame& frame) {
  struct State {
    FieldWriter fields;
    RowValueBuilder row;
  };
  State& state = Kept<State>(frame, [&] {
    return new State{
        FieldWriter(ParseLogColumns(ArgumentText(frame, 1), LogColumnForm::kPlaced)), {}};
  });
  frame.ForEachRow([&](int i) {
    std::string_view text = frame.strings(0)[i];
    state.row.Clear();
    const auto& columns = state.fields.columns();
    for (std::size_t c = 0; c < columns.size(); ++c) {
      std::size_t from = Advance(text, 0, columns[c].start);
      std::size_t to = columns[c].length < 0 ? text.size() : Advance(text, from, columns[c].length);
      bool present = from < text.size() || columns[c].length == 0;
      state.fields.Write(c, present, text.substr(from, to - from), frame.context.now_ms, state.row);
    }
    frame.out.strings()[i] = state.row.Finish(frame.arena());
  });
}

// --- VARIABLE_COLUMN_LOG_PARSE ------------------------------------------------------------------

std::vector<LogColumn> VariableColumns(const ExprPtr& argument, const Value& value) {
  if (!IsNumeric(value.type.kind)) {
    return CheckedColumns(argument, value.s, LogColumnForm::kTyped);
  }
  if (!IsInteger(value.type.kind) || value.i < 1 || value.i > 1000) {
    throw SqlError(argument->at, "the number of columns is a whole number from 1 to 1000");
  }
  return NumberedLogColumns(static_cast<int>(value.i));
}

Type ResolveVariable(Arguments& arguments, Position at) {
  const char* name = "VARIABLE_COLUMN_LOG_PARSE";
  WantText(arguments, 0, at, name);
  Value described = Constant(arguments, 1, "the columns");
  if (!IsNumeric(described.type.kind)) WantText(arguments, 1, at, name);
  std::vector<LogColumn> columns = VariableColumns(arguments[1], described);
  CheckFormats(arguments[1], columns);
  if (ConstantText(arguments, 2, at, name, "the delimiter").empty()) {
    throw SqlError(arguments[2]->at, "the delimiter cannot be empty");
  }
  if (arguments.size() > 3) ConstantText(arguments, 3, at, name, "the escape");
  if (arguments.size() > 4 && ConstantText(arguments, 4, at, name, "the quote").size() > 2) {
    throw SqlError(arguments[4]->at, "the quote is one or two characters: where a text starts and "
                                     "where it ends");
  }
  return RowType(columns);
}
void VariableKernel(CallFrame& frame) {
  struct State {
    FieldWriter fields;
    std::string delimiter, escape, quote;
    RowValueBuilder row;
    std::string field;
  };
  State& state = Kept<State>(frame, [&] {
    Value described = EvaluateConstant(frame.expr.arguments[1]);
    auto text = [&](int i) {
      return std::string(frame.count > i ? ArgumentText(frame, i) : std::string_view());
    };
    return new State{FieldWriter(VariableColumns(frame.expr.arguments[1], described)), text(2),
                     text(3), text(4), {}, {}};
  });
  frame.ForEachRow([&](int i) {
    std::string_view text = frame.strings(0)[i];
    state.row.Clear();
    std::size_t at = 0;
    bool more = true;
    for (std::size_t c = 0; c < state.fields.columns().size(); ++c) {
      std::string& field = state.field;
      field.clear();
      bool present = more;
      bool quoted = false;
      while (more) {
        std::string_view rest = text.substr(at);
        if (rest.empty()) {
          if (quoted) throw RowError{kNoMatch, "a quote in the text does not end"};
          more = false;
        } else if (!state.escape.empty() && rest.substr(0, state.escape.size()) == state.escape &&
                   rest.size() > state.escape.size()) {
          at += state.escape.size();
          std::size_t next = Advance(text, at, 1);
          field.append(text.substr(at, next - at));
          at = next;
        } else if (!state.quote.empty() && rest[0] == (quoted ? state.quote.back() : state.quote[0])) {
          quoted = !quoted;
          ++at;
        } else if (!quoted && rest.substr(0, state.delimiter.size()) == state.delimiter) {
          at += state.delimiter.size();
          break;
        } else {
          field += rest[0];
          ++at;
        }
      }
      state.fields.Write(c, present, field, frame.context.now_ms, state.row);
    }
    frame.out.strings()[i] = state.row.Finish(frame.arena());
  });
}

// --- SYS_LOG_PARSE ------------------------------------------------------------------------------

Type ResolveSys(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "SYS_LOG_PARSE");
  std::vector<LogColumn> columns = NumberedLogColumns(2);
  columns[0].type = MakeType(Kind::kTimestamp);
  columns[1].type = Varchar();
  return RowType(columns);
}
void SysKernel(CallFrame& frame) {
  struct State {
    DateFormat format{"MMM dd HH:mm:ss yyyy"};
    RowValueBuilder row;
    std::string dated;
  };
  State& state = Kept<State>(frame, [] { return new State(); });
  frame.ForEachRow([&](int i) {
    std::string_view text = frame.strings(0)[i];
    if (!text.empty() && text[0] == '<') {  // RFC 3164's priority
      std::size_t end = text.find('>');
      if (end != std::string_view::npos && end <= 4) text.remove_prefix(end + 1);
    }
    // "Mon dd hh:mm:ss" has 15 characters and no year: it is the row's, or the one before when
    // that would lie more than a day ahead.
    int64_t rowtime = frame.context.input->rowtime[i];
    int64_t year = CivilFromDays(FloorDiv(rowtime, kMsPerDay)).year;
    std::optional<int64_t> ms;
    for (int64_t back = 0; back < 2 && text.size() >= 15 && (text.size() == 15 || text[15] == ' ');
         ++back) {
      state.dated = std::string(text.substr(0, 15)) + " " + std::to_string(year - back);
      ms = state.format.Parse(state.dated, rowtime);
      if (ms && *ms <= rowtime + kMsPerDay) break;
    }
    if (!ms) throw RowError{kNoMatch, "not of the form Mon dd hh:mm:ss server message"};
    state.row.Clear();
    state.row.Add(FormatTimestamp(*ms));
    state.row.Add(text.size() > 16 ? text.substr(16) : std::string_view());
    frame.out.strings()[i] = state.row.Finish(frame.arena());
  });
}

// --- W3C_LOG_PARSE ------------------------------------------------------------------------------

Type ResolveW3c(Arguments& arguments, Position at) {
  WantText(arguments, 0, at, "W3C_LOG_PARSE");
  std::string format = ConstantText(arguments, 1, at, "W3C_LOG_PARSE", "the format");
  return RowType(Checked(arguments[1], [&] { return W3cLogFormat(format); }).columns());
}
void W3cKernel(CallFrame& frame) {
  struct State {
    W3cLogFormat format;
    RowValueBuilder row;
  };
  State& state = Kept<State>(
      frame, [&] { return new State{W3cLogFormat(ArgumentText(frame, 1)), {}}; });
  frame.ForEachRow([&](int i) {
    state.row.Clear();
    if (!state.format.Parse(frame.strings(0)[i], state.row)) {
      throw RowError{kNoMatch, "the text is not of the log format"};
    }
    frame.out.strings()[i] = state.row.Finish(frame.arena());
  });
}

// --- row.FIELD ----------------------------------------------------------------------------------

// The binder's own: a row and the number of one of its fields. CAST gives the field its type.
Type ResolveField(Arguments& arguments, Position at) {
  const auto& fields = arguments[0]->type.fields;
  const Expr& index = *arguments[1];
  if (!fields || index.op != Expr::Op::kConstant || index.value.i < 0 ||
      index.value.i >= static_cast<int64_t>(fields->size())) {
    throw SqlError(at, "write row.FIELD to read a field of a row");
  }
  const Type& type = (*fields)[static_cast<std::size_t>(index.value.i)].type;
  return IsCharacter(type.kind) ? Varchar(std::max(type.length, 1)) : Varchar();
}
void FieldKernel(CallFrame& frame) {
  std::size_t index = static_cast<std::size_t>(frame.expr.arguments[1]->value.i);
  std::size_t fields = frame.expr.arguments[0]->type.fields->size();
  frame.ForEachRow([&](int i) {
    std::string_view text;
    if (!RowValueField(frame.strings(0)[i], index, fields, text)) return frame.out.SetNull(i);
    if (text.size() > static_cast<std::size_t>(frame.expr.type.length)) {
      text = text.substr(0, Advance(text, 0, frame.expr.type.length));  // as VARCHAR(1024) says
    }
    frame.out.strings()[i] = text;
  });
}

const Function kFunctions[] = {
    {"REGEX_LOG_PARSE", 2, 3, ResolveRegex, RegexKernel},
    {"FAST_REGEX_LOG_PARSE", 2, 2, ResolveFastRegex, FastRegexKernel},
    {"FAST_REGEX_LOG_PARSER", 2, 2, ResolveFastRegex, FastRegexKernel},
    {"FIXED_COLUMN_LOG_PARSE", 2, 2, ResolveFixed, FixedKernel},
    {"VARIABLE_COLUMN_LOG_PARSE", 3, 5, ResolveVariable, VariableKernel},
    {"SYS_LOG_PARSE", 1, 1, ResolveSys, SysKernel},
    {"W3C_LOG_PARSE", 2, 2, ResolveW3c, W3cKernel},
    {"ROW_FIELD", 2, 2, ResolveField, FieldKernel},
};

}  // namespace

std::span<const Function> LogFunctions() { return kFunctions; }

}  // namespace millstream::sql
