#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millstream::sql {

// A path of SQL/JSON: $, .name, ."any name", ['name'], [0], [last], [0 to 3], [*], .*, in lax mode
// unless `strict` stands in front. Lax: a name asked of an array is asked of its elements, an index
// of a value that is no array sees that value, and what is missing is no error. Immutable.
struct JsonPath {
  struct Step {
    enum class Kind { kName, kAnyName, kIndex, kAnyIndex } kind = Kind::kName;
    std::string name;
    int64_t from = 0, to = 0;            // negative: from the end, -1 is `last`
  };
  bool strict = false;
  std::vector<Step> steps;

  // Throws RowError, naming the position, when the text is no path.
  static JsonPath Parse(std::string_view text);
};

}  // namespace millstream::sql
