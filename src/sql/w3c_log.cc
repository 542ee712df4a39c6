#include "sql/w3c_log.h"

#include "sql/error.h"
#include "sql/lexer.h"

namespace millstream::sql {

namespace {

[[noreturn]] void Fail(const std::string& message) { throw RowError{"INVALID_FORMAT", message}; }

// The kind of a specifier's column; kNull for a letter that is none.
Kind KindOf(char letter) {
  switch (letter) {
    case 'b': case 'B': case 'D': case 'I': case 'O': case 'P': case 'T': return Kind::kBigint;
    case 'p': case 's': return Kind::kInteger;
    case 'a': case 'A': case 'C': case 'e': case 'f': case 'h': case 'H': case 'i': case 'l':
    case 'm': case 'n': case 'o': case 'q': case 'r': case 't': case 'u': case 'U': case 'v':
    case 'V': case 'X': return Kind::kVarchar;
    default: return Kind::kNull;
  }
}

struct Predefined {
  std::string_view name, format;
};
constexpr Predefined kPredefined[] = {
    {"COMMON", "%h %l %u %t \"%r\" %>s %b"},
    {"COMMON WITH VHOST", "%v %h %l %u %t \"%r\" %>s %b"},
    {"NCSA EXTENDED", "%h %l %u %t \"%r\" %>s %b \"%[Referer]i\" \"%[User-agent]i\""},
    {"REFERER", "%[Referer]i ---> %U"},
    {"AGENT", "%[User-agent]i"},
    // Client, user, date, time, service, server, server's address, milliseconds taken, bytes
    // received and sent, service and Windows status, method, target, parameters.
    {"IIS", "%h, %u, %f, %f, %f, %v, %A, %D, %I, %B, %s, %D, %m, %U, %q,"}};

bool IsNumber(std::string_view text) {
  if (text.empty() || text.size() > 18) return false;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return true;
}

}  // namespace

W3cLogFormat::W3cLogFormat(std::string_view format) {
  for (const Predefined& p : kPredefined) {
    if (UpperCase(format) == p.name) format = p.format;
  }
  std::string literal;
  std::size_t i = 0;
  while (i < format.size()) {
    if (format[i] != '%') {
      literal += format[i++];
      continue;
    }
    ++i;
    if (i < format.size() && format[i] == '%') {
      literal += format[i++];
      continue;
    }
    // Conditions and redirects say when the server writes the field, not how it looks.
    if (i < format.size() && format[i] == '!') ++i;
    while (i < format.size() && ((format[i] >= '0' && format[i] <= '9') || format[i] == ',')) ++i;
    if (i < format.size() && (format[i] == '<' || format[i] == '>')) ++i;
    if (i < format.size() && (format[i] == '{' || format[i] == '[')) {
      char close = format[i] == '{' ? '}' : ']';
      std::size_t end = format.find(close, i);
      if (end == std::string_view::npos) Fail(std::string("the format lacks a ") + close);
      i = end + 1;
    }
    if (i >= format.size()) Fail("the format ends in the middle of a specifier");
    char letter = format[i++];
    Kind kind = KindOf(letter);
    if (kind == Kind::kNull) Fail(std::string("no specifier %") + letter);
    if (!columns_.empty() && literal.empty()) {
      Fail(std::string("nothing stands between %") + letters_.back() + " and %" + letter);
    }
    LogColumn column;
    column.name = "COLUMN" + std::to_string(columns_.size() + 1);
    column.type = kind == Kind::kVarchar ? Varchar(letter == 'r' || letter == 'U' || letter == 'i'
                                                       ? 8192 : 1024)
                                         : MakeType(kind);
    columns_.push_back(column);
    letters_.push_back(letter);
    before_.push_back(literal);
    literal.clear();
  }
  behind_ = literal;
  if (columns_.empty()) Fail("the format has no specifier; write COMMON or e.g. '%h %l %u %t'");
}

bool W3cLogFormat::Parse(std::string_view line, RowValueBuilder& row) const {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  std::size_t at = 0;
  for (std::size_t f = 0; f < columns_.size(); ++f) {
    const std::string& before = before_[f];
    if (line.substr(at, before.size()) != before) return false;
    at += before.size();
    const std::string& next = f + 1 < columns_.size() ? before_[f + 1] : behind_;
    std::size_t end = line.size();
    if (letters_[f] == 't' && at < line.size() && line[at] == '[') {
      end = line.find(']', at);  // holds a blank
      if (end == std::string_view::npos) return false;
      ++end;
    } else if (!next.empty()) {
      end = line.find(next, at);
      // Within quotes, the server writes \" for a quote.
      while (end != std::string_view::npos && next[0] == '"' && end > at && line[end - 1] == '\\') {
        end = line.find(next, end + 1);
      }
      if (end == std::string_view::npos) return false;
    }
    std::string_view field = line.substr(at, end - at);
    if (columns_[f].type.kind == Kind::kVarchar) {
      row.Add(field);
    } else if (field == "-") {
      row.AddNull();
    } else if (IsNumber(field)) {
      row.Add(field);
    } else {
      return false;
    }
    at = end;
  }
  return line.substr(at) == behind_;
}

}  // namespace millstream::sql
