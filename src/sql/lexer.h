#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sql/error.h"

namespace millstream::sql {

struct Token {
  enum class Kind {
    kWord,        // unquoted identifier or keyword; text is in upper case
    kQuoted,      // "identifier"; text is exact, "" undone
    kString,      // 'literal', escapes undone (also u&'...')
    kBinary,      // X'3F'; text is the bytes
    kNumber,      // as written
    kOperator,    // text is the operator
    kEnd,
  };
  Kind kind = Kind::kEnd;
  std::string text;
  std::string source;  // as the user wrote it, for messages
  Position at;
  Position end;  // just behind the token
};

// Splits the whole text. Comments are --, /* */ and //. Throws SqlError. The last token is kEnd.
std::vector<Token> Tokenize(std::string_view text);

// Words that AWS reserves: they name columns and streams only in double quotes.
bool IsReserved(std::string_view upper_case_word);

// The candidate closest to `word` (edit distance at most a third of its length), or empty.
std::string ClosestWord(std::string_view word, const std::vector<std::string>& candidates);

// " (did you mean X?)" or nothing.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates);

std::string UpperCase(std::string_view text);  // ASCII

}  // namespace millstream::sql
