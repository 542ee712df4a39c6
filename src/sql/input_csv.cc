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

}  // namespace millstream::sql
