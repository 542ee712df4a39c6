#include "sql/constant.h"

#include "sql/binder.h"
#include "sql/cast.h"
#include "sql/error.h"
#include "sql/lexer.h"
#include "sql/parser.h"

namespace millstream::sql {

base::Result<std::string> EvaluateText(std::string_view expression) {
  try {
    Catalog catalog;
    Value value = BindConstant(catalog, *ParseExpression(expression));
    if (value.null) return std::string("NULL");
    std::string text = ValueText(value);
    if (!IsCharacter(value.type.kind)) return text;
    std::string quoted = "'";
    for (char c : text) quoted.append(c == '\'' ? 2 : 1, c);
    return quoted + "'";
  } catch (const SqlError& error) {
    return base::Fail(error.ToError());
  }
}

base::Result<Type> ReadType(std::string_view text) {
  try {
    return ParseType(text);
  } catch (const SqlError& error) {
    return base::Fail(error.ToError());
  }
}

base::Result<std::vector<MappedColumn>> ReadColumns(std::string_view text) {
  // In a line of its own, so that columns of messages are those of the text.
  constexpr std::string_view kBefore = "CREATE STREAM S (\n";
  auto parsed = Parse(std::string(kBefore) + std::string(text) + ")");
  if (!parsed) {
    std::string message = parsed.error().message();
    constexpr std::string_view kLine = "line 2, ";
    if (message.starts_with(kLine)) message.erase(0, kLine.size());
    return base::Fail(parsed.error().code(), std::move(message));
  }
  const auto& statements = *parsed;
  if (statements.size() != 1) {
    return base::Fail(base::Code::kInvalidArgument, "expected columns and their types");
  }
  // Names as they were written: the first token, and those behind the commas between columns.
  std::vector<std::string> names;
  int depth = 0;
  bool first = true;
  for (const Token& token : Tokenize(text)) {
    if (first && token.kind != Token::Kind::kEnd) {
      names.push_back(token.kind == Token::Kind::kQuoted ? token.text : token.source);
    }
    first = false;
    if (token.kind != Token::Kind::kOperator) continue;
    if (token.text == "(") ++depth;
    if (token.text == ")") --depth;
    first = token.text == "," && depth == 0;
  }
  std::vector<MappedColumn> columns;
  const auto& definitions = statements[0].columns;
  for (std::size_t c = 0; c < definitions.size() && c < names.size(); ++c) {
    bool plain = names[c].find_first_of(".[]'\"") == std::string::npos;
    columns.push_back({definitions[c].name.text, TypeName(definitions[c].type),
                       plain ? "$." + names[c] : "$['" + names[c] + "']"});
  }
  return columns;
}

}  // namespace millstream::sql
