#include "sql/lexer.h"

#include <algorithm>
#include <unordered_set>

namespace millstream::sql {

namespace {

bool IsWordStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWordPart(char c) { return IsWordStart(c) || IsDigit(c) || c == '$'; }

// As a message shows it: a byte that no terminal shows is its number.
std::string CharacterName(char c) {
  if (c >= ' ' && c <= '~') return std::string("'") + c + "'";
  constexpr char kDigits[] = "0123456789ABCDEF";
  auto byte = static_cast<unsigned char>(c);
  return std::string("0x") + kDigits[byte >> 4] + kDigits[byte & 15];
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void AppendUtf8(uint32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<Token> Run() {
    std::vector<Token> tokens;
    while (true) {
      SkipBlanks();
      Token token = Next();
      bool end = token.kind == Token::Kind::kEnd;
      tokens.push_back(std::move(token));
      if (end) return tokens;
    }
  }

 private:
  char Peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool Done() const { return at_ >= text_.size(); }
  void Step() {
    if (text_[at_] == '\n') {
      ++position_.line;
      position_.column = 1;
    } else if ((static_cast<unsigned char>(text_[at_]) & 0xC0) != 0x80) {
      ++position_.column;  // columns count characters, not bytes
    }
    ++at_;
  }
  void Step(std::size_t n) {
    while (n-- > 0) Step();
  }

  void SkipBlanks() {
    while (!Done()) {
      char c = Peek();
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') {
        Step();
      } else if ((c == '-' && Peek(1) == '-') || (c == '/' && Peek(1) == '/')) {
        while (!Done() && Peek() != '\n') Step();
      } else if (c == '/' && Peek(1) == '*') {
        Position start = position_;
        Step(2);
        while (!Done() && !(Peek() == '*' && Peek(1) == '/')) Step();
        if (Done()) throw SqlError(start, "this comment does not end; close it with */");
        Step(2);
      } else if (static_cast<unsigned char>(c) == 0xEF &&
                 text_.substr(at_, 3) == "\xEF\xBB\xBF") {  // a byte order mark
        at_ += 3;
      } else {
        return;
      }
    }
  }

  Token Next() {
    Token token;
    token.at = position_;
    std::size_t start = at_;
    if (Done()) {
      token.source = "end of the text";
      token.end = position_;
      return token;
    }
    char c = Peek();
    if ((c == 'u' || c == 'U') && Peek(1) == '&' && Peek(2) == '\'') {
      Step(2);
      token.kind = Token::Kind::kString;
      token.text = UnicodeEscapes(Quoted('\'', token.at), token.at);
    } else if ((c == 'x' || c == 'X') && Peek(1) == '\'') {
      Step();
      token.kind = Token::Kind::kBinary;
      token.text = Hex(Quoted('\'', token.at), token.at);
    } else if (IsWordStart(c)) {
      while (!Done() && IsWordPart(Peek())) Step();
      token.kind = Token::Kind::kWord;
      token.text = UpperCase(text_.substr(start, at_ - start));
    } else if (c == '"') {
      token.kind = Token::Kind::kQuoted;
      token.text = Quoted('"', token.at);
      if (token.text.empty()) throw SqlError(token.at, "a quoted name cannot be empty");
    } else if (c == '\'') {
      token.kind = Token::Kind::kString;
      token.text = Quoted('\'', token.at);
    } else if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) {
      token.kind = Token::Kind::kNumber;
      Number();
      token.text = std::string(text_.substr(start, at_ - start));
    } else {
      token.kind = Token::Kind::kOperator;
      static constexpr std::string_view kTwo[] = {"<>", "<=", ">=", "||", "!=", "=>"};
      std::string_view two = text_.substr(at_, 2);
      if (std::find(std::begin(kTwo), std::end(kTwo), two) != std::end(kTwo)) {
        Step(2);
      } else if (std::string_view("+-*/=<>(),.;[]{}:?%").find(c) != std::string_view::npos) {
        Step();
      } else if (c == '`') {
        throw SqlError(token.at, "unexpected `; names are quoted with double quotes: \"name\"");
      } else {
        throw SqlError(token.at, "unexpected character " + CharacterName(c));
      }
      token.text = std::string(text_.substr(start, at_ - start));
      if (token.text == "!=") token.text = "<>";
    }
    token.source = std::string(text_.substr(start, std::min<std::size_t>(at_ - start, 40)));
    token.end = position_;
    return token;
  }

  std::string Quoted(char quote, Position start) {
    std::string out;
    Step();
    while (true) {
      if (Done()) {
        throw SqlError(start, quote == '"' ? "this quoted name does not end; close it with \""
                                           : "this text does not end; close it with '");
      }
      char c = Peek();
      if (c == quote) {
        if (Peek(1) != quote) break;
        Step();
      }
      out += c;
      Step();
    }
    Step();
    return out;
  }

  void Number() {
    while (IsDigit(Peek())) Step();
    if (Peek() == '.') {
      Step();
      while (IsDigit(Peek())) Step();
    }
    if ((Peek() == 'e' || Peek() == 'E') &&
        (IsDigit(Peek(1)) || ((Peek(1) == '+' || Peek(1) == '-') && IsDigit(Peek(2))))) {
      Step(2);
      while (IsDigit(Peek())) Step();
    }
    if (!Done() && IsWordStart(Peek())) {
      throw SqlError(position_, "a name cannot start with a digit; write it in double quotes");
    }
  }

  static std::string Hex(const std::string& digits, Position at) {
    if (digits.size() % 2 != 0) {
      throw SqlError(at, "a binary literal needs an even number of hex digits");
    }
    std::string out;
    for (std::size_t i = 0; i < digits.size(); i += 2) {
      int high = HexDigit(digits[i]), low = HexDigit(digits[i + 1]);
      if (high < 0 || low < 0) {
        throw SqlError(at, "a binary literal holds hex digits only, e.g. X'3F'");
      }
      out += static_cast<char>(high * 16 + low);
    }
    return out;
  }

  // u&'\0009' and u&'\+01F600', with an optional UESCAPE 'c' behind it.
  std::string UnicodeEscapes(const std::string& raw, Position at) {
    char escape = '\\';
    Position saved_position = position_;
    std::size_t saved = at_;
    SkipBlanks();
    if (text_.size() - at_ >= 7 && UpperCase(text_.substr(at_, 7)) == "UESCAPE") {
      Step(7);
      SkipBlanks();
      Position here = position_;
      std::string text = Peek() == '\'' ? Quoted('\'', here) : "";
      if (text.size() != 1) throw SqlError(here, "UESCAPE needs one character, e.g. UESCAPE '!'");
      escape = text[0];
    } else {
      at_ = saved;
      position_ = saved_position;
    }
    std::string out;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != escape) {
        out += raw[i];
        continue;
      }
      if (i + 1 < raw.size() && raw[i + 1] == escape) {
        out += escape;
        ++i;
        continue;
      }
      std::size_t digits = i + 1 < raw.size() && raw[i + 1] == '+' ? 6 : 4;
      std::size_t from = i + (digits == 6 ? 2 : 1);
      uint32_t code = 0;
      for (std::size_t k = 0; k < digits; ++k) {
        int digit = from + k < raw.size() ? HexDigit(raw[from + k]) : -1;
        if (digit < 0) throw SqlError(at, "a Unicode escape needs four hex digits, e.g. \\0009");
        code = code * 16 + static_cast<uint32_t>(digit);
      }
      if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
        throw SqlError(at, "this Unicode escape is not a character");
      }
      AppendUtf8(code, out);
      i = from + digits - 1;
    }
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Position position_;
};

}  // namespace

std::string UpperCase(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

std::vector<Token> Tokenize(std::string_view text) { return Lexer(text).Run(); }

bool IsReserved(std::string_view word) {
  static const auto* kWords = new std::unordered_set<std::string_view>{
      "ABS", "ALL", "ALLOCATE", "ALLOW", "ALTER", "ANALYZE", "AND", "ANY",
      "APPROXIMATE_ARRIVAL_TIME", "ARE", "ARRAY", "AS", "ASENSITIVE", "ASYMMETRIC", "AT", "ATOMIC",
      "AUTHORIZATION", "AVG", "BEGIN", "BETWEEN", "BIGINT", "BINARY", "BIT", "BLOB", "BOOLEAN",
      "BOTH", "BY", "CALL", "CALLED", "CARDINALITY", "CASCADED", "CASE", "CAST", "CEIL", "CEILING",
      "CHAR", "CHARACTER", "CHARACTER_LENGTH", "CHAR_LENGTH", "CHECK", "CHECKPOINT", "CLOB",
      "CLOSE", "CLUSTERED", "COALESCE", "COLLATE", "COLLECT", "COLUMN", "COMMIT", "CONDITION",
      "CONNECT", "CONSTRAINT", "CONVERT", "CORR", "CORRESPONDING", "COUNT", "COVAR_POP",
      "COVAR_SAMP", "CREATE", "CROSS", "CUBE", "CUME_DIST", "CURRENT", "CURRENT_CATALOG",
      "CURRENT_DATE", "CURRENT_DEFAULT_TRANSFORM_GROUP", "CURRENT_PATH", "CURRENT_ROLE",
      "CURRENT_SCHEMA", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_TRANSFORM_GROUP_FOR_TYPE",
      "CURRENT_USER", "CURSOR", "CYCLE", "DATE", "DAY", "DEALLOCATE", "DEC", "DECIMAL", "DECLARE",
      "DEFAULT", "DELETE", "DENSE_RANK", "DEREF", "DESCRIBE", "DETERMINISTIC", "DISALLOW",
      "DISCONNECT", "DISTINCT", "DOUBLE", "DROP", "DYNAMIC", "EACH", "ELEMENT", "ELSE", "END",
      "END-EXEC", "ESCAPE", "EVERY", "EXCEPT", "EXEC", "EXECUTE", "EXISTS", "EXP", "EXPLAIN",
      "EXP_AVG", "EXTERNAL", "EXTRACT", "FALSE", "FETCH", "FILTER", "FIRST_VALUE", "FLOAT",
      "FLOOR", "FOR", "FOREIGN", "FREE", "FROM", "FULL", "FUNCTION", "FUSION", "GET", "GLOBAL",
      "GRANT", "GROUP", "GROUPING", "HAVING", "HOLD", "HOUR", "IDENTITY", "IGNORE", "IMPORT", "IN",
      "INDICATOR", "INITCAP", "INNER", "INOUT", "INSENSITIVE", "INSERT", "INT", "INTEGER",
      "INTERSECT", "INTERSECTION", "INTERVAL", "INTO", "IS", "JOIN", "LANGUAGE", "LARGE",
      "LAST_VALUE", "LATERAL", "LEADING", "LEFT", "LIKE", "LIMIT", "LN", "LOCAL", "LOCALTIME",
      "LOCALTIMESTAMP", "LOWER", "MATCH", "MAX", "MEMBER", "MERGE", "METHOD", "MIN", "MINUTE",
      "MOD", "MODIFIES", "MODULE", "MONTH", "MULTISET", "NATIONAL", "NATURAL", "NCHAR", "NCLOB",
      "NEW", "NO", "NODE", "NONE", "NORMALIZE", "NOT", "NTH_VALUE", "NULL", "NULLIF", "NUMERIC",
      "OCTET_LENGTH", "OF", "OLD", "ON", "ONLY", "OPEN", "OR", "ORDER", "OUT", "OUTER", "OVER",
      "OVERLAPS", "OVERLAY", "PARAMETER", "PARTITION", "PARTITION_ID", "PARTITION_KEY",
      "PERCENTILE_CONT", "PERCENTILE_DISC", "PERCENT_RANK", "POSITION", "POWER", "PRECISION",
      "PREPARE", "PRIMARY", "PROCEDURE", "RANGE", "RANK", "READS", "REAL", "RECURSIVE", "REF",
      "REFERENCES", "REFERENCING", "REGR_AVGX", "REGR_AVGY", "REGR_COUNT", "REGR_INTERCEPT",
      "REGR_R2", "REGR_SLOPE", "REGR_SXX", "REGR_SXY", "RELEASE", "RESPECT", "RESULT", "RETURN",
      "RETURNS", "REVOKE", "RIGHT", "ROLLBACK", "ROLLUP", "ROW", "ROWS", "ROWTIME", "ROW_NUMBER",
      "SAVEPOINT", "SCOPE", "SCROLL", "SEARCH", "SECOND", "SELECT", "SENSITIVE", "SEQUENCE_NUMBER",
      "SESSION_USER", "SET", "SHARD_ID", "SIMILAR", "SMALLINT", "SOME", "SORT", "SPECIFIC", "SQL",
      "SQLEXCEPTION", "SQLSTATE", "SQLWARNING", "SQRT", "START", "STATIC", "STDDEV", "STDDEV_POP",
      "STDDEV_SAMP", "STOP", "STREAM", "SUBMULTISET", "SUBSTRING", "SUM", "SYMMETRIC", "SYSTEM",
      "SYSTEM_USER", "TABLE", "TABLESAMPLE", "THEN", "TIME", "TIMESTAMP", "TIMEZONE_HOUR",
      "TIMEZONE_MINUTE", "TINYINT", "TO", "TRAILING", "TRANSLATE", "TRANSLATION", "TREAT",
      "TRIGGER", "TRIM", "TRUE", "TRUNCATE", "UESCAPE", "UNION", "UNIQUE", "UNKNOWN", "UNNEST",
      "UPDATE", "UPPER", "USER", "USING", "VALUE", "VALUES", "VARBINARY", "VARCHAR", "VARYING",
      "VAR_POP", "VAR_SAMP", "WHEN", "WHENEVER", "WHERE", "WIDTH_BUCKET", "WINDOW", "WITH",
      "WITHIN", "WITHOUT", "YEAR"};
  return kWords->count(word) != 0;
}

std::string ClosestWord(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  if (word.size() > 128) return best;
  std::string upper = UpperCase(word);
  for (const std::string& candidate : candidates) {
    if (candidate.size() > 128) continue;
    std::string other = UpperCase(candidate);
    std::vector<std::size_t> row(other.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= upper.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= other.size(); ++j) {
        std::size_t cost = diagonal + (upper[i - 1] == other[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({cost, row[j] + 1, row[j - 1] + 1});
      }
    }
    if (row.back() < best_distance && (row.back() == 0 || row.back() + 1 < upper.size())) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best = ClosestWord(word, candidates);
  return best.empty() ? "" : "; did you mean " + best + "?";
}

}  // namespace millstream::sql
