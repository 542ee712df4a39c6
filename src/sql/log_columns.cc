#include "sql/log_columns.h"

#include "sql/lexer.h"
#include "sql/parser.h"

namespace millstream::sql {

namespace {

constexpr int kColumnsMax = 1000;
constexpr int kPositionMax = 1'000'000;

// Types end where the next word of the column's description starts.
bool EndsType(const Token& token) {
  if (token.kind == Token::Kind::kWord) {
    return token.text == "NOT" || token.text == "START" || token.text == "FOR";
  }
  return token.kind == Token::Kind::kString || token.kind == Token::Kind::kEnd;
}

class Reader {
 public:
  Reader(std::string_view text, LogColumnForm form) : tokens_(Tokenize(text)), form_(form) {}

  std::vector<LogColumn> Run() {
    std::vector<LogColumn> columns;
    do {
      columns.push_back(Column());
      for (std::size_t i = 0; i + 1 < columns.size(); ++i) {
        if (columns[i].name == columns.back().name) {
          Fail("column " + columns[i].name + " is described twice");
        }
      }
      if (columns.size() > kColumnsMax) Fail("at most 1000 columns");
    } while (TakeOperator(","));
    if (Peek().kind != Token::Kind::kEnd) Fail("',' or the end of the description expected");
    return columns;
  }

 private:
  const Token& Peek() const { return tokens_[at_]; }
  [[noreturn]] void Fail(const std::string& message) const { throw SqlError(Peek().at, message); }
  bool TakeWord(std::string_view word) {
    if (Peek().kind != Token::Kind::kWord || Peek().text != word) return false;
    ++at_;
    return true;
  }
  bool TakeOperator(std::string_view op) {
    if (Peek().kind != Token::Kind::kOperator || Peek().text != op) return false;
    ++at_;
    return true;
  }
  int Number(const char* what) {
    if (Peek().kind == Token::Kind::kNumber && Peek().text.size() <= 7) {
      int value = 0;
      for (char c : Peek().text) {
        if (c < '0' || c > '9') Fail(std::string(what) + " is a whole number");
        value = value * 10 + (c - '0');
      }
      if (value <= kPositionMax) {
        ++at_;
        return value;
      }
    }
    Fail(std::string(what) + " is a whole number up to 1000000");
  }
  Type ReadType() {
    std::string text;
    int parentheses = 0;
    while (!EndsType(Peek()) && (parentheses > 0 || Peek().text != ",")) {
      parentheses += Peek().text == "(" ? 1 : Peek().text == ")" ? -1 : 0;
      text += Peek().text + " ";
      ++at_;
    }
    if (text.empty()) Fail("a data type expected, e.g. VARCHAR(16)");
    Type type = ParseType(text);
    if (IsBinary(type.kind) || type.kind == Kind::kInterval) {
      Fail("a column of a log cannot be " + TypeName(type));
    }
    return type;
  }

  LogColumn Column() {
    LogColumn column;
    if (Peek().kind != Token::Kind::kWord && Peek().kind != Token::Kind::kQuoted) {
      Fail("the name of a column expected");
    }
    column.name = tokens_[at_++].text;
    column.type = Varchar(1024);
    if (form_ == LogColumnForm::kNamesAndTypes) {
      TakeWord("TYPE");
      if (Peek().kind != Token::Kind::kEnd && Peek().text != ",") column.type = ReadType();
      return column;
    }
    if (!TakeWord("TYPE")) Fail("TYPE expected: name TYPE VARCHAR(16)");
    column.type = ReadType();
    if (Peek().kind == Token::Kind::kString) {
      if (!IsDatetime(column.type.kind)) Fail("only dates and times have a format");
      column.format = tokens_[at_++].text;
    }
    if (TakeWord("NOT")) {
      if (!TakeWord("NULL")) Fail("NULL expected");
      column.not_null = true;
    }
    if (form_ == LogColumnForm::kPlaced) {
      if (!TakeWord("START")) Fail("START expected: name TYPE VARCHAR(16) START 0 FOR 16");
      column.start = Number("START");
      if (TakeWord("FOR")) column.length = Number("FOR");
    }
    return column;
  }

  std::vector<Token> tokens_;
  LogColumnForm form_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<LogColumn> ParseLogColumns(std::string_view text, LogColumnForm form) {
  return Reader(text, form).Run();
}

std::vector<LogColumn> NumberedLogColumns(int n) {
  std::vector<LogColumn> columns(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < columns.size(); ++i) {
    columns[i].name = "COLUMN" + std::to_string(i + 1);
    columns[i].type = Varchar(1024);
  }
  return columns;
}

}  // namespace millstream::sql
