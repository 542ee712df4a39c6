#pragma once

#include <string_view>
#include <vector>

#include "sql/ast.h"

namespace millstream::sql {

// Reads a whole application: statements separated by ';', the last one optional. The error is of
// the first mistake: where, what was expected, what to write instead.
base::Result<std::vector<ast::Statement>> Parse(std::string_view text);

// The same for one expression alone; for tests and column types in configurations. Throw SqlError.
ast::ExpressionPtr ParseExpression(std::string_view text);
Type ParseType(std::string_view text);

}  // namespace millstream::sql
