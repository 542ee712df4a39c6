#include <algorithm>
#include <charconv>

#include "sql/datetime.h"
#include "sql/parser_impl.h"

namespace millstream::sql::internal {

using ast::ExpressionPtr;
using EKind = ast::Expression::Kind;

ExpressionPtr Parser::Make(EKind kind, Position at, std::string text) {
  auto e = std::make_unique<ast::Expression>();
  e->kind = kind;
  e->at = at;
  e->text = std::move(text);
  return e;
}

ExpressionPtr Parser::Expression() {
  Depth depth(*this);
  if (expressions_++ == 0) operators_ = 0;
  ExpressionPtr e = Or();
  --expressions_;
  return e;
}

// Chains of operators are read in a loop, but their tree leans left as deep as they are long, and
// whatever walks the tree recurses. So their number within one expression has a bound. AND and OR
// have none: their trees are balanced.
void Parser::CountOperator() {
  constexpr int kOperatorsMax = 1500;
  if (++operators_ > kOperatorsMax) {
    Fail(Peek().at, "more than 1500 operators in one expression; move parts into a subquery");
  }
}

ExpressionPtr Parser::Balanced(std::vector<ExpressionPtr>& operands, std::size_t from,
                               std::size_t to, std::string_view op) {
  if (to - from == 1) return std::move(operands[from]);
  std::size_t middle = from + (to - from) / 2;
  ExpressionPtr left = Balanced(operands, from, middle, op);
  ExpressionPtr e = Make(EKind::kBinary, left->at, std::string(op));
  e->arguments.push_back(std::move(left));
  e->arguments.push_back(Balanced(operands, middle, to, op));
  return e;
}

ExpressionPtr Parser::Or() {
  std::vector<ExpressionPtr> operands;
  do {
    operands.push_back(And());
  } while (TakeWord("OR"));
  return Balanced(operands, 0, operands.size(), "OR");
}

ExpressionPtr Parser::And() {
  std::vector<ExpressionPtr> operands;
  do {
    operands.push_back(Not());
  } while (TakeWord("AND"));
  return Balanced(operands, 0, operands.size(), "AND");
}

ExpressionPtr Parser::Not() {
  if (IsWord("NOT") && !IsWord("EXISTS", 1)) {
    Depth depth(*this);
    ExpressionPtr e = Make(EKind::kUnary, Take().at, "NOT");
    ExpressionPtr operand = Not();
    // NOT b IS TRUE is (NOT b) IS TRUE, as "Logical Operators" lists it; NOT x IS NULL is not
    // (NOT x) IS NULL, as x need not be a BOOLEAN.
    bool is_truth = operand->kind == EKind::kIs &&
                    (operand->text == "TRUE" || operand->text == "FALSE" || operand->text == "UNKNOWN");
    if (is_truth && tokens_[at_ - 1].text == operand->text) {  // else it stands in parentheses
      e->arguments.push_back(std::move(operand->arguments[0]));
      operand->arguments[0] = std::move(e);
      return operand;
    }
    e->arguments.push_back(std::move(operand));
    return e;
  }
  return Predicate();
}

std::string Parser::PeriodOperator() {
  static constexpr std::string_view kPlain[] = {"EQUALS",   "CONTAINS", "OVERLAPS", "PRECEDES",
                                                "SUCCEEDS", "LEADS",    "LAGS"};
  std::string prefix;
  std::size_t ahead = 0;
  if (IsWord("STRICTLY") || IsWord("IMMEDIATELY")) {
    prefix = Peek().text + " ";
    ahead = 1;
  }
  for (std::string_view word : kPlain) {
    if (!IsWord(word, ahead)) continue;
    if (ahead == 1) Take();
    Take();
    return prefix + std::string(word);
  }
  return {};
}

ExpressionPtr Parser::PeriodOperand() {
  TakeWord("PERIOD");
  return Additive();
}

ExpressionPtr Parser::Predicate() {
  if (TakeWords({"NOT", "EXISTS"}) || IsWord("EXISTS")) {
    Position at = Peek().at;
    bool negated = !IsWord("EXISTS");
    TakeWord("EXISTS");
    ExpressionPtr e = Make(EKind::kExists, at);
    e->negated = negated;
    ExpectOperator("(");
    e->query = Query();
    ExpectOperator(")");
    return e;
  }
  ExpressionPtr left = Additive();
  for (int n = 0;; ++n) {
    if (n > 0) CountOperator();
    Position at = Peek().at;
    static constexpr std::string_view kComparisons[] = {"=", "<>", "<", "<=", ">", ">="};
    bool compared = false;
    for (std::string_view op : kComparisons) {
      if (!TakeOperator(op)) continue;
      ExpressionPtr e = Make(EKind::kBinary, at, std::string(op));
      if (IsOperator("=")) Fail(Peek().at, "write = instead of ==");
      e->arguments.push_back(std::move(left));
      e->arguments.push_back(Additive());
      left = std::move(e);
      compared = true;
      break;
    }
    if (compared) continue;
    if (std::string period = PeriodOperator(); !period.empty()) {
      // A PRECEDES B PRECEDES C means (A PRECEDES B) AND (B PRECEDES C): the right operand is read
      // again as the left one of the next predicate.
      std::size_t operand_start = at_;
      ExpressionPtr e = Make(EKind::kPeriod, at, period);
      e->arguments.push_back(std::move(left));
      e->arguments.push_back(PeriodOperand());
      left = std::move(e);
      std::size_t after = at_;
      if (std::string next = PeriodOperator(); !next.empty()) {
        at_ = operand_start;
        ExpressionPtr again = PeriodOperand();
        at_ = after;
        next = PeriodOperator();
        ExpressionPtr second = Make(EKind::kPeriod, at, next);
        second->arguments.push_back(std::move(again));
        second->arguments.push_back(PeriodOperand());
        ExpressionPtr both = Make(EKind::kBinary, at, "AND");
        both->arguments.push_back(std::move(left));
        both->arguments.push_back(std::move(second));
        left = std::move(both);
      }
      continue;
    }
    if (TakeWord("IS")) {
      ExpressionPtr e = Make(EKind::kIs, at);
      e->negated = TakeWord("NOT");
      e->arguments.push_back(std::move(left));
      if (TakeWord("NULL") || TakeWord("TRUE") || TakeWord("FALSE") || TakeWord("UNKNOWN")) {
        e->text = tokens_[at_ - 1].text;
      } else if (TakeWord("DISTINCT")) {
        ExpectWord("FROM");
        e->text = "DISTINCT";
        e->arguments.push_back(Additive());
      } else if (TakeWord("JSON")) {
        e->kind = EKind::kCall;
        e->text = "IS JSON";
        static constexpr std::string_view kForms[] = {"VALUE", "OBJECT", "ARRAY", "SCALAR"};
        int form = 0;
        for (int i = 0; i < 4; ++i) {
          if (TakeWord(kForms[i])) form = i;
        }
        e->arguments.push_back(IntegerLiteral(form, at));
        if (e->negated) {
          ExpressionPtr negated = Make(EKind::kUnary, at, "NOT");
          negated->arguments.push_back(std::move(e));
          e = std::move(negated);
        }
      } else {
        FailExpected("NULL, TRUE, FALSE, UNKNOWN, JSON or DISTINCT FROM");
      }
      left = std::move(e);
      continue;
    }
    bool negated = false;
    if (IsWord("NOT") && (IsWord("IN", 1) || IsWord("LIKE", 1) || IsWord("SIMILAR", 1) ||
                          IsWord("BETWEEN", 1))) {
      Take();
      negated = true;
    }
    // SUBSTRING(text SIMILAR pattern ESCAPE c) has the word without TO.
    if (TakeWord("LIKE") || (IsWord("SIMILAR") && (negated || IsWord("TO", 1)))) {
      bool similar = TakeWord("SIMILAR");
      if (similar) ExpectWord("TO");
      ExpressionPtr e = Make(EKind::kLike, at, similar ? "SIMILAR" : "LIKE");
      e->negated = negated;
      e->arguments.push_back(std::move(left));
      e->arguments.push_back(Additive());
      if (TakeWord("ESCAPE")) e->arguments.push_back(Additive());
      left = std::move(e);
    } else if (TakeWord("BETWEEN")) {
      ExpressionPtr e = Make(EKind::kBetween, at);
      e->negated = negated;
      e->symmetric = TakeWord("SYMMETRIC");
      TakeWord("ASYMMETRIC");
      e->arguments.push_back(std::move(left));
      e->arguments.push_back(Additive());
      ExpectWord("AND", "write BETWEEN low AND high");
      e->arguments.push_back(Additive());
      left = std::move(e);
    } else if (TakeWord("IN")) {
      ExpressionPtr e = Make(EKind::kIn, at);
      e->negated = negated;
      e->arguments.push_back(std::move(left));
      ExpectOperator("(", "write IN (value, value) or IN (SELECT ...)");
      if (AtQuery()) {
        e->query = Query();
      } else {
        for (ExpressionPtr& item : ExpressionList()) e->arguments.push_back(std::move(item));
      }
      ExpectOperator(")");
      left = std::move(e);
    } else {
      return left;
    }
  }
}

ExpressionPtr Parser::Additive() {
  ExpressionPtr left = Multiplicative();
  while (IsOperator("+") || IsOperator("-") || IsOperator("||")) {
    CountOperator();
    const Token& token = Take();
    ExpressionPtr e = Make(EKind::kBinary, token.at, token.text);
    e->arguments.push_back(std::move(left));
    e->arguments.push_back(Multiplicative());
    left = std::move(e);
  }
  return left;
}

ExpressionPtr Parser::Multiplicative() {
  ExpressionPtr left = Unary();
  while (IsOperator("*") || IsOperator("/") || IsOperator("%")) {
    CountOperator();
    const Token& token = Take();
    ExpressionPtr e = Make(EKind::kBinary, token.at, token.text);
    e->arguments.push_back(std::move(left));
    e->arguments.push_back(Unary());
    left = std::move(e);
  }
  return left;
}

ExpressionPtr Parser::Unary() {
  if (IsOperator("-") || IsOperator("+")) {
    Depth depth(*this);
    const Token& token = Take();
    if (token.text == "-" && Peek().kind == Token::Kind::kNumber &&
        Peek().text == "9223372036854775808") {
      ExpressionPtr least = Make(EKind::kLiteral, token.at);  // its digits alone are no BIGINT
      least->value = Value::Int(MakeType(Kind::kBigint), INT64_MIN);
      Take();
      return least;
    }
    ExpressionPtr e = Make(EKind::kUnary, token.at, token.text);
    e->arguments.push_back(Unary());
    return e;
  }
  return Primary();
}

ExpressionPtr Parser::Number() {
  const Token& token = Take();
  ExpressionPtr e = Make(EKind::kLiteral, token.at);
  const std::string& text = token.text;
  bool approximate = text.find_first_of("eE") != std::string::npos;
  std::size_t point = text.find('.');
  if (!approximate) {
    std::string digits;
    for (char c : text) {
      if (c != '.') digits += c;
    }
    std::size_t first = digits.find_first_not_of('0');
    std::size_t significant = first == std::string::npos ? 0 : digits.size() - first;
    int scale = point == std::string::npos ? 0 : static_cast<int>(text.size() - point - 1);
    int64_t value = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc() && significant <= 19 && scale <= 18) {
      if (point == std::string::npos) {
        e->value = Value::Int(MakeType(value <= INT32_MAX ? Kind::kInteger : Kind::kBigint), value);
      } else {
        int precision = std::max(static_cast<int>(significant), scale);
        e->value = Value::Int(Decimal(std::max(precision, 1), scale), value);
      }
      return e;
    }
  }
  double d = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), d);
  if (error != std::errc()) Fail(token.at, "the number " + text + " is out of range");
  e->value = Value::Double(d);
  return e;
}

ExpressionPtr Parser::DatetimeLiteral(const std::string& word) {
  const Token& token = Take();
  ExpressionPtr e = Make(EKind::kLiteral, token.at);
  if (word == "DATE") {
    auto days = ParseDate(token.text);
    bool blanks = token.text.find(' ') != std::string::npos;  // CAST takes them, a literal does not
    if (!days || blanks) Fail(token.at, "not a date: " + token.source + "; write DATE '2026-01-31'");
    e->value = Value::Int(MakeType(Kind::kDate), *days);
  } else if (word == "TIME") {
    auto ms = ParseTime(token.text);
    if (!ms) Fail(token.at, "not a time: " + token.source + "; write TIME '23:59:59'");
    e->value = Value::Int(MakeType(Kind::kTime), *ms);
  } else {
    auto ms = ParseTimestamp(token.text);
    if (!ms) {
      Fail(token.at, "not a timestamp: " + token.source + "; write TIMESTAMP '2026-01-31 23:59:59'");
    }
    e->value = Value::Int(MakeType(Kind::kTimestamp), *ms);
  }
  return e;
}

ExpressionPtr Parser::IntervalLiteral() {
  ExpressionPtr e = Make(EKind::kLiteral, Peek().at);
  bool negative = false;
  if (TakeOperator("-")) {
    negative = true;
  } else {
    TakeOperator("+");
  }
  if (Peek().kind == Token::Kind::kNumber) {
    FailExpected("a text", "the value of an interval stands in quotes: INTERVAL '" + Peek().text +
                               "' MINUTE");
  }
  Position at = Peek().at;
  std::string text = StringLiteral("the interval's value");
  Type type = IntervalQualifier();
  if (type.from == TimeUnit::kYear || type.from == TimeUnit::kMonth) {
    Fail(at, "year-month intervals are not supported; write the interval in days: INTERVAL '30' "
             "DAY, or use FLOOR(t TO MONTH) for calendar months");
  }
  auto ms = ParseInterval(text, type.from, type.to);
  if (!ms) {
    Fail(at, "'" + text + "' is not an " + TypeName(type) + "; write e.g. INTERVAL '10' SECOND or "
             "INTERVAL '01:30' MINUTE TO SECOND");
  }
  e->value = Value::Int(type, negative ? -*ms : *ms);
  return e;
}

ExpressionPtr Parser::Case() {
  ExpressionPtr e = Make(EKind::kCase, Take().at);
  if (!IsWord("WHEN")) {
    e->has_operand = true;
    e->arguments.push_back(Expression());
  }
  if (!IsWord("WHEN")) FailExpected("WHEN", "write CASE WHEN condition THEN value ... END");
  while (TakeWord("WHEN")) {
    e->arguments.push_back(Expression());
    ExpectWord("THEN");
    e->arguments.push_back(Expression());
  }
  if (TakeWord("ELSE")) {
    e->has_else = true;
    e->arguments.push_back(Expression());
  }
  ExpectWord("END", "close CASE with END");
  return e;
}

ExpressionPtr Parser::Parenthesised() {
  Position at = Take().at;
  ExpressionPtr e;
  if (AtQuery()) {
    e = Make(EKind::kSubquery, at);
    e->query = Query();
    ExpectOperator(")");
  } else {
    e = Expression();
    if (IsOperator(",")) {
      ExpressionPtr row = Make(EKind::kRow, at);
      row->arguments.push_back(std::move(e));
      while (TakeOperator(",")) row->arguments.push_back(Expression());
      e = std::move(row);
    }
    ExpectOperator(")");
  }
  if (AtUnit()) {  // (t1 - t2) SECOND(10,3)
    ExpressionPtr interval = Make(EKind::kInterval, at);
    interval->type = IntervalQualifier();
    interval->arguments.push_back(std::move(e));
    return interval;
  }
  return e;
}

ExpressionPtr Parser::Primary() {
  Depth depth(*this);
  const Token& token = Peek();
  switch (token.kind) {
    case Token::Kind::kNumber:
      return Number();
    case Token::Kind::kString: {
      ExpressionPtr e = Make(EKind::kLiteral, token.at);
      std::string text = Take().text;
      while (Peek().kind == Token::Kind::kString) text += Take().text;  // 'a' 'b' is 'ab'
      e->value = Value::String(std::move(text));
      return e;
    }
    case Token::Kind::kBinary: {
      ExpressionPtr e = Make(EKind::kLiteral, token.at);
      e->value = Value::String(Take().text);
      e->value.type.kind = Kind::kBinary;
      return e;
    }
    case Token::Kind::kOperator:
      if (IsOperator("(")) return Parenthesised();
      if (IsOperator("?")) Fail(token.at, "parameters (?) are not supported");
      FailExpected("an expression");
    case Token::Kind::kEnd:
      FailExpected("an expression");
    case Token::Kind::kQuoted:
    case Token::Kind::kWord:
      break;
  }
  Position at = token.at;
  if (token.kind == Token::Kind::kWord) {
    const std::string& word = token.text;
    bool call = IsOperator("(", 1);
    if (word == "CASE") return Case();
    if (word == "NULL") {
      Take();
      return Make(EKind::kLiteral, at);
    }
    if (word == "TRUE" || word == "FALSE" || word == "UNKNOWN") {
      ExpressionPtr e = Make(EKind::kLiteral, at);
      if (word != "UNKNOWN") e->value = Value::Int(MakeType(Kind::kBoolean), word == "TRUE");
      e->value.type = MakeType(Kind::kBoolean);
      Take();
      return e;
    }
    if ((word == "DATE" || word == "TIME" || word == "TIMESTAMP") &&
        Peek(1).kind == Token::Kind::kString) {
      std::string kind = Take().text;
      return DatetimeLiteral(kind);
    }
    if (word == "INTERVAL") {
      Take();
      return IntervalLiteral();
    }
    if (word == "CURSOR") {
      Take();
      ExpressionPtr e = Make(EKind::kCursor, at);
      ExpectOperator("(");
      e->query = Query();
      ExpectOperator(")");
      return e;
    }
    if ((word == "ROW" || word == "PERIOD") && call) {
      Take();
      Take();
      ExpressionPtr e = Make(EKind::kRow, at);
      e->arguments = ExpressionList();
      ExpectOperator(")");
      return e;
    }
    if (word == "CURRENT_TIMESTAMP" || word == "CURRENT_DATE" || word == "CURRENT_TIME" ||
        word == "LOCALTIME" || word == "LOCALTIMESTAMP" ||
        (word == "CURRENT_ROW_TIMESTAMP" && !call)) {
      ExpressionPtr e = Make(EKind::kCall, at, Take().text);
      if (TakeOperator("(")) {
        if (Peek().kind == Token::Kind::kNumber) Take();
        ExpectOperator(")");
      }
      return e;
    }
    if (word == "SELECT") {
      FailExpected("an expression", "write a query in parentheses: (SELECT ...)");
    }
    if (call) {
      ast::Name name{Take().text, false, at};
      return Call(std::move(name));
    }
    static constexpr std::string_view kPseudo[] = {"ROWTIME",      "APPROXIMATE_ARRIVAL_TIME",
                                                   "SHARD_ID",     "PARTITION_KEY",
                                                   "PARTITION_ID", "SEQUENCE_NUMBER"};
    bool pseudo = std::find(std::begin(kPseudo), std::end(kPseudo), word) != std::end(kPseudo);
    if (!pseudo && IsReserved(word)) {
      FailExpected("an expression", token.source +
                                        " is a reserved word; if it is a column, write it in "
                                        "double quotes: \"" +
                                        token.source + "\"");
    }
  } else if (IsOperator("(", 1)) {
    ast::Name name{Take().text, true, at};
    return Call(std::move(name));
  }
  ExpressionPtr e = Make(EKind::kName, at);
  while (true) {
    const Token& part = Take();
    e->path.push_back({part.text, part.kind == Token::Kind::kQuoted, part.at});
    if (!IsOperator(".")) return e;
    Take();
    if (TakeOperator("*")) {
      e->kind = EKind::kStar;
      return e;
    }
    if (Peek().kind != Token::Kind::kWord && Peek().kind != Token::Kind::kQuoted) {
      FailExpected("a column name");
    }
    if (Peek().kind == Token::Kind::kWord && IsOperator("(", 1)) {
      // schema.function(...): the schema is read and forgotten
      ast::Name name{Take().text, false, at};
      return Call(std::move(name));
    }
  }
}

ExpressionPtr Parser::Call(ast::Name name) {
  ExpressionPtr e = Make(EKind::kCall, name.at, name.text);
  ExpectOperator("(");
  CallArguments(*e);
  ExpectOperator(")", e->arguments.empty() ? std::string_view()
                                           : std::string_view("arguments are separated by commas"));
  CallSuffix(*e);
  return e;
}

void Parser::CallArguments(ast::Expression& call) {
  auto& arguments = call.arguments;
  const std::string& name = call.text;
  if (JsonArguments(call) || WindowingArguments(call)) return;
  if (IsOperator(")")) return;
  if (IsOperator("*") && IsOperator(")", 1)) {
    Take();
    call.star = true;
    return;
  }
  if (name == "CAST" || name == "TRY_CAST") {
    call.kind = EKind::kCast;
    arguments.push_back(Expression());
    ExpectWord("AS", "write CAST(value AS type)");
    call.type = DataType();
    return;
  }
  if (name == "EXTRACT") {
    call.unit = Unit();
    ExpectWord("FROM", "write EXTRACT(HOUR FROM t)");
    arguments.push_back(Expression());
    return;
  }
  if (name == "POSITION") {
    arguments.push_back(Additive());
    ExpectWord("IN", "write POSITION('x' IN text)");
    arguments.push_back(Additive());
    if (TakeWord("FROM")) arguments.push_back(Additive());
    return;
  }
  if (name == "TRIM") {
    std::string side = "BOTH";
    if (IsWord("LEADING") || IsWord("TRAILING") || IsWord("BOTH")) side = Take().text;
    call.text = "TRIM_" + side;
    ExpressionPtr first;
    if (!IsWord("FROM")) first = Expression();
    if (TakeWord("FROM")) {
      ExpressionPtr text = Expression();
      if (!first) {
        first = Make(EKind::kLiteral, call.at);
        first->value = Value::String(" ");
      }
      arguments.push_back(std::move(first));
      arguments.push_back(std::move(text));
    } else {
      ExpressionPtr blank = Make(EKind::kLiteral, call.at);
      blank->value = Value::String(" ");
      arguments.push_back(std::move(blank));
      arguments.push_back(std::move(first));
    }
    return;
  }
  if (TakeWord("DISTINCT")) {
    call.distinct = true;
  } else if (IsWord("ALL")) {
    Take();
  }
  arguments.push_back(Expression());
  if ((name == "FLOOR" || name == "CEIL" || name == "CEILING") && TakeWord("TO")) {
    call.unit = Unit();
    call.text = name == "FLOOR" ? "FLOOR_TO" : "CEIL_TO";
  } else if (name == "STEP" && TakeWord("BY")) {
    bool calendar = IsWord("INTERVAL") && Peek(1).kind == Token::Kind::kString &&
                    Peek(1).text == "1" && (IsWord("YEAR", 2) || IsWord("MONTH", 2));
    if (calendar) {  // no number of milliseconds
      Take();
      Take();
      call.unit = Unit();
      call.text = "FLOOR_TO";
    } else {
      arguments.push_back(Expression());
    }
  } else if (name == "SUBSTRING" && TakeWord("FROM")) {
    call.text = "SUBSTRING_FROM";
    arguments.push_back(Expression());
    if (TakeWord("FOR")) arguments.push_back(Expression());
  } else if (name == "SUBSTRING" && TakeWord("SIMILAR")) {
    call.text = "SUBSTRING_SIMILAR";
    arguments.push_back(Expression());
    ExpectWord("ESCAPE");
    arguments.push_back(Expression());
  } else if (name == "OVERLAY" && TakeWord("PLACING")) {
    arguments.push_back(Expression());
    ExpectWord("FROM");
    arguments.push_back(Expression());
    if (TakeWord("FOR")) arguments.push_back(Expression());
  }
  while (TakeOperator(",")) arguments.push_back(Expression());
  if (TakeWords({"IGNORE", "NULLS"})) {
    call.ignore_nulls = true;
  } else {
    TakeWords({"RESPECT", "NULLS"});
  }
}

void Parser::CallSuffix(ast::Expression& call) {
  if (call.kind != EKind::kCall) return;
  while (true) {
    if (TakeWords({"FROM", "LAST"})) {
      call.from_last = true;
    } else if (IsWord("FROM") && IsWord("FIRST", 1) && call.text == "NTH_VALUE") {
      Take();
      Take();
    } else if (TakeWords({"IGNORE", "NULLS"})) {
      call.ignore_nulls = true;
    } else if (TakeWords({"RESPECT", "NULLS"})) {
      call.ignore_nulls = false;
    } else if (IsWord("WITHIN") && IsWord("GROUP", 1)) {
      Take();
      Take();
      ExpectOperator("(");
      ExpectWord("ORDER");
      ExpectWord("BY");
      call.within_group = OrderItems();
      ExpectOperator(")");
    } else if (IsWord("FILTER") && IsOperator("(", 1)) {
      Take();
      Take();
      ExpectWord("WHERE");
      call.filter = Expression();
      ExpectOperator(")");
    } else if (TakeWord("OVER")) {
      call.over = OverClause();
    } else {
      return;
    }
  }
}

}  // namespace millstream::sql::internal
