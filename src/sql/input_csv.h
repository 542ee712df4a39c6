#pragma once

#include <string>
#include <string_view>

#include "sql/input_rows.h"
#include "sql/input_schema.h"

namespace millstream::sql {

// Sets the columns of a row from one line of CSV: quoted values may hold delimiters and doubled
// quotes, missing values are NULL, what follows the last column is left. Throws a RowError.
void ReadCsvLine(std::string_view line, std::string_view delimiter, InputRows& rows);

// A delimiter as schemas have it: \n, \r and \t that came through quotes of YAML or Terraform with
// their backslash are the characters they mean.
std::string CsvDelimiter(std::string_view given);

}  // namespace millstream::sql
