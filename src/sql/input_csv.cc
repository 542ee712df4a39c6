#include "sql/input_csv.h"

#include <algorithm>
#include <string>

namespace millstream::sql {

void ReadCsvLine(std::string_view line, std::string_view delimiter, InputRows& rows) {
  bool more = true;
  for (std::size_t c = 0; c < rows.columns().size(); ++c) {
    InputValue value;
    std::string unquoted;
    if (more) {
      if (!line.empty() && line[0] == '"') {
        std::size_t i = 1;
        for (; i < line.size(); ++i) {
          if (line[i] == '"') {
            if (i + 1 == line.size() || line[i + 1] != '"') break;
            ++i;
          }
          unquoted += line[i];
        }
        value = {InputValue::Kind::kText, false, unquoted};
        line.remove_prefix(std::min(line.size(), i + 1));
      }
      const std::size_t next = line.find(delimiter);
      if (value.kind == InputValue::Kind::kNull && next != 0 && !line.empty()) {
        value = {InputValue::Kind::kText, false, line.substr(0, next)};
      }
      more = next != std::string_view::npos;
      if (more) line.remove_prefix(next + delimiter.size());
    }
    rows.Set(c, value);
  }
}

std::string CsvDelimiter(std::string_view given) {
  constexpr std::string_view kNames = "nrt", kCharacters = "\n\r\t";
  std::string out;
  for (std::size_t i = 0; i < given.size(); ++i) {
    std::size_t name = given[i] == '\\' && i + 1 < given.size() ? kNames.find(given[i + 1])
                                                                : std::string_view::npos;
    if (name == std::string_view::npos) {
      out += given[i];
    } else {
      out += kCharacters[name];
      ++i;
    }
  }
  return out;
}

}  // namespace millstream::sql
