#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/input_schema.h"
#include "sql/type.h"

// Pieces of SQL outside an application, for callers that hold them as text. Errors are
// kInvalidArgument with line and column, as of applications.
namespace millstream::sql {

// The value of an expression without columns, as a literal shows it: 'text' in quotes, NULL, else
// as CAST(... AS VARCHAR) writes it.
base::Result<std::string> EvaluateText(std::string_view expression);

// The type that a text names: "VARCHAR(16)".
base::Result<Type> ReadType(std::string_view text);

// "ticker VARCHAR(4), \"b c\" DOUBLE" as columns of an input. Their mappings are the members that
// are called as the columns were written, so ticker becomes TICKER of $.ticker.
base::Result<std::vector<MappedColumn>> ReadColumns(std::string_view text);

}  // namespace millstream::sql
