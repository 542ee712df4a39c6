#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sql/type.h"

namespace millstream::sql {

// One column of FIXED_COLUMN_LOG_PARSE, VARIABLE_COLUMN_LOG_PARSE or REGEX_LOG_PARSE:
//   "name" TYPE TIMESTAMP 'dd/MMM/yyyy:HH:mm:ss' NOT NULL START 0 FOR 20
struct LogColumn {
  std::string name;
  Type type;
  std::string format;  // of dates and times, as SimpleDateFormat; empty: SQL's own form
  bool not_null = false;
  int start = 0;       // characters from 0
  int length = -1;     // -1: up to the end
};

enum class LogColumnForm {
  kNamesAndTypes,  // name [type], ...
  kTyped,          // name TYPE type ['format'] [NOT NULL], ...
  kPlaced,         // ... START n [FOR m]
};

// Throws SqlError; positions count within `text`.
std::vector<LogColumn> ParseLogColumns(std::string_view text, LogColumnForm form);

// COLUMN1 to COLUMNn, VARCHAR(1024).
std::vector<LogColumn> NumberedLogColumns(int n);

}  // namespace millstream::sql
