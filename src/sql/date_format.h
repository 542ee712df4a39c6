#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millstream::sql {

// java.text.SimpleDateFormat, US English, UTC, not lenient: what CHAR_TO_TIMESTAMP and
// TIMESTAMP_TO_CHAR mean by a format.
class DateFormat {
 public:
  // Throws RowError for a letter that SimpleDateFormat does not know.
  explicit DateFormat(std::string_view pattern);

  // Reads a prefix of the text; fields that the format lacks are 1970-01-01 00:00:00.000. nullopt
  // when the text does not match or a field is out of range. `now_ms` places two-digit years.
  std::optional<int64_t> Parse(std::string_view text, int64_t now_ms) const;
  void Format(int64_t ms, std::string& out) const;

 private:
  struct Item {
    char letter;  // 0: literal
    int count;
    std::string literal;
    bool numeric_next = false;  // an adjoining number follows: read exactly `count` digits
  };
  std::vector<Item> items_;
};

}  // namespace millstream::sql
