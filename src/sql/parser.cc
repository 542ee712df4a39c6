#include "sql/parser.h"

#include <charconv>

#include "sql/parser_impl.h"

namespace millstream::sql {

namespace internal {

namespace {
constexpr int kDepthMax = 200;

std::string Describe(const Token& token) {
  switch (token.kind) {
    case Token::Kind::kEnd: return "the end of the text";
    case Token::Kind::kString: return "the text " + token.source;
    default: return token.source;
  }
}
}  // namespace

Parser::Depth::Depth(Parser& p) : parser(p) {
  if (++parser.depth_ > kDepthMax) {
    throw SqlError(parser.Peek().at, "expressions and queries nest at most " +
                                         std::to_string(kDepthMax) + " deep");
  }
}

bool Parser::TakeWords(std::initializer_list<std::string_view> words) {
  std::size_t i = 0;
  for (std::string_view word : words) {
    if (!IsWord(word, i++)) return false;
  }
  while (i-- > 0) Take();
  return true;
}

void Parser::Fail(Position at, const std::string& message) const { throw SqlError(at, message); }

void Parser::FailExpected(std::string_view what, std::string_view hint) const {
  std::string message = "expected " + std::string(what) + " but found " + Describe(Peek());
  if (!hint.empty()) message += "; " + std::string(hint);
  throw SqlError(Peek().at, message);
}

void Parser::ExpectWord(std::string_view word, std::string_view hint) {
  if (TakeWord(word)) return;
  if (hint.empty() && Peek().kind == Token::Kind::kWord &&
      !ClosestWord(Peek().text, {std::string(word)}).empty()) {
    FailExpected(word, "did you mean " + std::string(word) + "?");
  }
  FailExpected(word, hint);
}

void Parser::ExpectOperator(std::string_view op, std::string_view hint) {
  if (!TakeOperator(op)) FailExpected("'" + std::string(op) + "'", hint);
}

ast::Name Parser::Identifier(std::string_view what) {
  const Token& token = Peek();
  if (token.kind == Token::Kind::kQuoted) {
    if (token.text.size() > 128 * 4) Fail(token.at, "a name has at most 128 characters");
    Take();
    return {token.text, true, token.at};
  }
  if (token.kind == Token::Kind::kWord) {
    if (IsReserved(token.text)) {
      FailExpected(what, token.source + " is a reserved word; to use it as a name write it in " +
                             "double quotes: \"" + token.source + "\"");
    }
    if (token.text.size() > 128) Fail(token.at, "a name has at most 128 characters");
    Take();
    return {token.text, false, token.at};
  }
  if (token.kind == Token::Kind::kString) {
    FailExpected(what, "names are quoted with double quotes, texts with single ones");
  }
  FailExpected(what);
}

std::string Parser::StringLiteral(std::string_view what) {
  if (Peek().kind != Token::Kind::kString) FailExpected(what, "write it in single quotes");
  return Take().text;
}

int Parser::Integer(std::string_view what, int min, int max) {
  int value = 0;
  const Token& token = Peek();
  if (token.kind == Token::Kind::kNumber) {
    auto [end, error] =
        std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
    if (error == std::errc() && end == token.text.data() + token.text.size() && value >= min &&
        value <= max) {
      Take();
      return value;
    }
  }
  FailExpected(std::string(what) + " from " + std::to_string(min) + " to " + std::to_string(max));
}

std::vector<ast::Name> Parser::NameList(std::string_view what) {
  std::vector<ast::Name> names;
  ExpectOperator("(");
  do {
    names.push_back(Identifier(what));
  } while (TakeOperator(","));
  ExpectOperator(")");
  return names;
}

std::vector<ast::Name> Parser::Path(std::string_view what) {
  std::vector<ast::Name> path{Identifier(what)};
  while (TakeOperator(".")) path.push_back(Identifier(what));
  return path;
}

void Parser::ExpectEnd() {
  if (Peek().kind != Token::Kind::kEnd) FailExpected("the end of the text");
}

Type Parser::DataType() {
  Position at = Peek().at;
  if (Peek().kind != Token::Kind::kWord) FailExpected("a data type", "e.g. VARCHAR(16) or INTEGER");
  std::string word = Take().text;
  auto length = [&](int fallback) {
    if (!TakeOperator("(")) return fallback;
    int n = Integer("a length", 1, kVarcharMax);
    ExpectOperator(")");
    return n;
  };
  auto sized = [&](Kind kind, int n) { return Type{.kind = kind, .length = n}; };
  if (word == "VARCHAR") return sized(Kind::kVarchar, length(kVarcharMax));
  if (word == "CHAR" || word == "CHARACTER") {
    if (TakeWord("VARYING")) return sized(Kind::kVarchar, length(kVarcharMax));
    return sized(Kind::kChar, length(1));
  }
  if (word == "STRING" || word == "TEXT") {
    Fail(at, word + " is not a data type here; write VARCHAR(n), e.g. VARCHAR(64)");
  }
  if (word == "VARBINARY") return sized(Kind::kVarbinary, length(kVarcharMax));
  if (word == "BINARY") {
    if (TakeWord("VARYING")) return sized(Kind::kVarbinary, length(kVarcharMax));
    return sized(Kind::kBinary, length(1));
  }
  if (word == "BOOLEAN") return MakeType(Kind::kBoolean);
  if (word == "TINYINT") return MakeType(Kind::kTinyint);
  if (word == "SMALLINT") return MakeType(Kind::kSmallint);
  if (word == "INTEGER" || word == "INT") return MakeType(Kind::kInteger);
  if (word == "BIGINT") return MakeType(Kind::kBigint);
  if (word == "REAL") return MakeType(Kind::kReal);
  if (word == "FLOAT") {
    if (TakeOperator("(")) {
      Integer("a precision", 1, 53);
      ExpectOperator(")");
    }
    return MakeType(Kind::kDouble);
  }
  if (word == "DOUBLE") {
    TakeWord("PRECISION");
    return MakeType(Kind::kDouble);
  }
  if (word == "DECIMAL" || word == "DEC" || word == "NUMERIC") {
    int precision = kDecimalPrecisionMax, scale = 0;
    if (TakeOperator("(")) {
      precision = Integer("a precision", 1, 19);
      if (TakeOperator(",")) scale = Integer("a scale", 0, precision < 18 ? precision : 18);
      ExpectOperator(")");
    }
    return Decimal(precision, scale);
  }
  if (word == "DATE") return MakeType(Kind::kDate);
  if (word == "TIME" || word == "TIMESTAMP") {
    if (TakeOperator("(")) {
      Integer("a precision", 0, 9);
      ExpectOperator(")");
    }
    if (IsWord("WITHOUT") || IsWord("WITH")) {
      Fail(Peek().at, "times have no zone; all are UTC. Write " + word);
    }
    return MakeType(word == "TIME" ? Kind::kTime : Kind::kTimestamp);
  }
  if (word == "INTERVAL") return IntervalQualifier();
  std::vector<std::string> all = {"VARCHAR", "CHAR",    "VARBINARY", "BINARY",  "BOOLEAN",
                                  "TINYINT", "SMALLINT", "INTEGER",  "BIGINT",  "REAL",
                                  "DOUBLE",  "FLOAT",    "DECIMAL",  "NUMERIC", "DATE",
                                  "TIME",    "TIMESTAMP"};
  Fail(at, word + " is not a data type" + DidYouMean(word, all));
}

bool Parser::AtUnit(std::size_t ahead) const {
  if (Peek(ahead).kind != Token::Kind::kWord) return false;
  const std::string& t = Peek(ahead).text;
  return t == "YEAR" || t == "MONTH" || t == "DAY" || t == "HOUR" || t == "MINUTE" ||
         t == "SECOND" || t == "WEEK" || t == "YEARS" || t == "MONTHS" || t == "DAYS" ||
         t == "HOURS" || t == "MINUTES" || t == "SECONDS";
}

TimeUnit Parser::Unit() {
  if (!AtUnit()) FailExpected("a unit of time", "write SECOND, MINUTE, HOUR, DAY, MONTH or YEAR");
  Position at = Peek().at;
  std::string word = Take().text;
  if (word.back() == 'S') {
    Fail(at, word + " is not a unit of time; write " + word.substr(0, word.size() - 1));
  }
  if (word == "YEAR") return TimeUnit::kYear;
  if (word == "MONTH") return TimeUnit::kMonth;
  if (word == "WEEK") return TimeUnit::kWeek;
  if (word == "DAY") return TimeUnit::kDay;
  if (word == "HOUR") return TimeUnit::kHour;
  if (word == "MINUTE") return TimeUnit::kMinute;
  return TimeUnit::kSecond;
}

Type Parser::IntervalQualifier() {
  TimeUnit from = Unit();
  auto precision = [&] {
    if (!TakeOperator("(")) return;
    Integer("a precision", 0, 10);
    if (TakeOperator(",")) Integer("a precision", 0, 9);
    ExpectOperator(")");
  };
  precision();
  TimeUnit to = from;
  if (IsWord("TO") && AtUnit(1)) {
    Take();
    Position at = Peek().at;
    to = Unit();
    precision();
    if (to < from) {
      Fail(at, "an interval runs from the larger unit to the smaller, e.g. DAY TO SECOND");
    }
  }
  return Interval(from, to);
}

std::vector<ast::Statement> Parser::Application() {
  std::vector<ast::Statement> statements;
  while (true) {
    while (TakeOperator(";")) {
    }
    if (Peek().kind == Token::Kind::kEnd) return statements;
    statements.push_back(Statement());
    if (Peek().kind != Token::Kind::kEnd && !IsOperator(";")) {
      FailExpected("';' or the end of the statement");
    }
  }
}

ast::Statement Parser::Statement() {
  ast::Statement statement;
  statement.at = Peek().at;
  if (TakeWord("CREATE")) {
    if (TakeWord("OR")) {
      ExpectWord("REPLACE");
      statement.or_replace = true;
    }
    if (TakeWord("STREAM")) {
      CreateStream(statement);
    } else if (TakeWord("PUMP")) {
      CreatePump(statement);
    } else if (TakeWord("FUNCTION")) {
      CreateFunction(statement);
    } else if (TakeWord("VIEW")) {
      statement.kind = ast::Statement::Kind::kCreateView;
      statement.name = Identifier("the name of the view");
      if (IsOperator("(")) statement.view_columns = NameList("a column name");
      if (TakeWord("DESCRIPTION")) statement.description = StringLiteral("a description");
      ExpectWord("AS");
      statement.query = Query();
    } else if (IsWord("TABLE")) {
      Fail(Peek().at,
           "CREATE TABLE is not supported; reference tables come from the application's "
           "configuration, streams from CREATE STREAM");
    } else {
      std::vector<std::string> all = {"STREAM", "PUMP", "FUNCTION", "VIEW"};
      std::string hint = ClosestWord(Peek().text, all);
      FailExpected("STREAM, PUMP, FUNCTION or VIEW",
                   hint.empty() ? std::string() : "did you mean " + hint + "?");
    }
    return statement;
  }
  if (TakeWord("ALTER")) {
    ExpectWord("PUMP", "only pumps can be altered: ALTER PUMP name START");
    statement.kind = ast::Statement::Kind::kAlterPump;
    statement.name = Identifier("the name of the pump");
    if (TakeWord("STOP")) {
      statement.stopped = true;
    } else if (!TakeWord("START")) {
      FailExpected("START or STOP");
    }
    return statement;
  }
  if (TakeWord("DROP")) {
    statement.kind = ast::Statement::Kind::kDrop;
    for (std::string_view what : {"STREAM", "PUMP", "VIEW", "FUNCTION"}) {
      if (TakeWord(what)) statement.dropped = what;
    }
    if (statement.dropped.empty()) FailExpected("STREAM, PUMP, VIEW or FUNCTION");
    if (TakeWord("IF")) {
      ExpectWord("EXISTS");
      statement.if_exists = true;
    }
    statement.name = Identifier("a name");
    return statement;
  }
  if (IsWord("SELECT") || IsWord("WITH") || IsWord("VALUES")) {
    FailExpected("a statement",
                 "a query stands inside a pump: CREATE PUMP p AS INSERT INTO s SELECT STREAM ...");
  }
  if (IsWord("INSERT")) {
    FailExpected("a statement",
                 "INSERT stands inside a pump: CREATE PUMP p AS INSERT INTO s SELECT STREAM ...");
  }
  std::string hint = ClosestWord(Peek().text, {"CREATE", "ALTER", "DROP"});
  FailExpected("a statement: CREATE STREAM, CREATE PUMP, CREATE FUNCTION or CREATE VIEW",
               hint.empty() ? std::string() : "did you mean " + hint + "?");
}

void Parser::CreateStream(ast::Statement& statement) {
  statement.kind = ast::Statement::Kind::kCreateStream;
  statement.name = Identifier("the name of the stream");
  ExpectOperator("(", "a stream needs columns: CREATE STREAM s (c INTEGER)");
  do {
    if (IsWord("WATERMARK") && IsWord("FOR", 1)) {
      Take();
      Take();
      ast::Watermark watermark;
      watermark.column = Identifier("a column name");
      ExpectWord("AS", "write WATERMARK FOR ts AS ts - INTERVAL '5' SECOND");
      ast::Name again = Identifier("a column name");
      if (again.text != watermark.column.text) {
        Fail(again.at, "the watermark must be computed from its own column " +
                           watermark.column.text + ": " + watermark.column.text +
                           " - INTERVAL '5' SECOND");
      }
      if (TakeOperator("-")) watermark.delay = Primary();
      statement.watermark = std::move(watermark);
      continue;
    }
    ast::ColumnDefinition column;
    column.name = Identifier("a column name");
    column.type = DataType();
    if (TakeWord("NOT")) {
      ExpectWord("NULL");
      column.not_null = true;
    } else {
      TakeWord("NULL");
    }
    if (column.type.kind == Kind::kInterval) {
      Fail(column.name.at, "INTERVAL cannot be the type of a column; keep milliseconds in a BIGINT");
    }
    statement.columns.push_back(std::move(column));
  } while (TakeOperator(","));
  ExpectOperator(")", "columns are separated by commas");
  while (true) {
    if (TakeWord("DESCRIPTION")) {
      statement.description = StringLiteral("a description");
    } else if (TakeWord("OPTIONS")) {
      ExpectOperator("(");
      if (!TakeOperator(")")) {
        do {
          std::string name = Peek().kind == Token::Kind::kWord ? Take().text
                                                               : Identifier("an option").text;
          TakeOperator("=");
          std::string value;
          if (Peek().kind == Token::Kind::kString || Peek().kind == Token::Kind::kNumber ||
              Peek().kind == Token::Kind::kWord) {
            value = Take().text;
          } else {
            FailExpected("the option's value");
          }
          statement.options.emplace_back(std::move(name), std::move(value));
        } while (TakeOperator(","));
        ExpectOperator(")");
      }
    } else {
      return;
    }
  }
}

void Parser::CreatePump(ast::Statement& statement) {
  statement.kind = ast::Statement::Kind::kCreatePump;
  statement.name = Identifier("the name of the pump");
  if (TakeWord("STOPPED")) {
    statement.stopped = true;
  } else {
    TakeWord("STARTED");
  }
  if (TakeWord("DESCRIPTION")) statement.description = StringLiteral("a description");
  ExpectWord("AS", "write CREATE PUMP p AS INSERT INTO s SELECT STREAM ...");
  statement.insert = InsertStatement();
}

ast::Insert Parser::InsertStatement() {
  ast::Insert insert;
  ExpectWord("INSERT", "a pump holds INSERT INTO stream SELECT STREAM ...");
  TakeWord("EXPEDITED");
  ExpectWord("INTO");
  insert.target = Path("the name of a stream");
  if (IsOperator("(") && !AtQuery(1)) insert.columns = NameList("a column name");
  insert.query = Query();
  return insert;
}

void Parser::CreateFunction(ast::Statement& statement) {
  statement.kind = ast::Statement::Kind::kCreateFunction;
  statement.name = Identifier("the name of the function");
  ExpectOperator("(");
  if (!TakeOperator(")")) {
    do {
      ast::Parameter parameter;
      parameter.name = Identifier("a parameter name");
      parameter.type = DataType();
      statement.parameters.push_back(std::move(parameter));
    } while (TakeOperator(","));
    ExpectOperator(")");
  }
  ExpectWord("RETURNS");
  statement.returns = DataType();
  while (!IsWord("RETURN")) {
    if (TakeWord("LANGUAGE")) {
      ExpectWord("SQL", "functions are written in SQL");
    } else if (TakeWord("SPECIFIC")) {
      Path("a name");
    } else if (TakeWords({"NOT", "DETERMINISTIC"}) || TakeWord("DETERMINISTIC") ||
               TakeWords({"CONTAINS", "SQL"}) || TakeWords({"READS", "SQL", "DATA"}) ||
               TakeWords({"MODIFIES", "SQL", "DATA"}) || TakeWords({"NO", "SQL"}) ||
               TakeWords({"CALLED", "ON", "NULL", "INPUT"})) {
      continue;
    } else if (TakeWords({"RETURNS", "NULL", "ON", "NULL", "INPUT"})) {
      statement.null_on_null_input = true;
    } else {
      FailExpected("RETURN", "a function has one body: RETURN expression");
    }
  }
  Take();
  statement.body = Expression();
}

}  // namespace internal

base::Result<std::vector<ast::Statement>> Parse(std::string_view text) {
  try {
    return internal::Parser(Tokenize(text)).Application();
  } catch (const SqlError& error) {
    return base::Fail(error.ToError());
  }
}

ast::ExpressionPtr ParseExpression(std::string_view text) {
  internal::Parser parser(Tokenize(text));
  ast::ExpressionPtr expression = parser.Expression();
  parser.ExpectEnd();
  return expression;
}

Type ParseType(std::string_view text) {
  internal::Parser parser(Tokenize(text));
  Type type = parser.DataType();
  parser.ExpectEnd();
  return type;
}

}  // namespace millstream::sql
