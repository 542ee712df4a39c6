#include "sql/input_path.h"

#include <charconv>

namespace millstream::sql {

base::Result<std::vector<PathStep>> ParseInputPath(std::string_view path) {
  auto bad = [&] {
    return base::Fail(
        base::Code::kInvalidArgument,
        "bad path '" + std::string(path) + "'; write $.name, $.a.b, $.list[0:] or $.list[0:].name");
  };
  std::vector<PathStep> steps;
  if (path.empty() || path[0] != '$') return bad();
  std::size_t i = 1;
  while (i < path.size()) {
    if (path[i] == '.') {
      std::size_t end = path.find_first_of(".[", i + 1);
      std::string name(path.substr(i + 1, end == std::string_view::npos ? end : end - i - 1));
      if (name.empty()) return bad();
      steps.push_back({PathStep::Kind::kMember, name, 0});
      i = end == std::string_view::npos ? path.size() : end;
    } else if (path[i] == '[') {
      std::size_t end = path.find(']', i);
      if (end == std::string_view::npos) return bad();
      std::string_view inner = path.substr(i + 1, end - i - 1);
      if (inner.size() >= 2 && (inner.front() == '\'' || inner.front() == '"') &&
          inner.back() == inner.front()) {
        steps.push_back(
            {PathStep::Kind::kMember, std::string(inner.substr(1, inner.size() - 2)), 0});
      } else if (inner == "*" || inner == ":" || inner == "0:") {
        steps.push_back({PathStep::Kind::kAll, {}, 0});
      } else {
        std::size_t index = 0;
        auto [p, error] = std::from_chars(inner.data(), inner.data() + inner.size(), index);
        if (error != std::errc() || p != inner.data() + inner.size()) return bad();
        steps.push_back({PathStep::Kind::kElement, {}, index});
      }
      i = end + 1;
    } else {
      return bad();
    }
  }
  return steps;
}

}  // namespace millstream::sql
