#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millstream::sql {

// A regular expression with the meaning of java.util.regex, run by PCRE2 (closest to Java in what
// it accepts and in leftmost-first, backtracking matching). What Java writes otherwise is
// translated: \uXXXX, properties, and character classes within classes. (?i) folds all letters, not
// only ASCII. Immutable after Compile; one thread at a time.
class JavaRegex {
 public:
  // Throws RowError with the reason when the pattern is wrong.
  static std::shared_ptr<JavaRegex> Compile(std::string_view pattern);
  ~JavaRegex();

  int groups() const { return groups_; }

  struct Group {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool matched = false;
  };
  // The first match at or behind byte `from`: group 0 and all others. A pattern that backtracks
  // beyond reason throws RowError.
  bool Find(std::string_view text, std::size_t from, std::vector<Group>& groups) const;
  bool MatchAll(std::string_view text, std::vector<Group>& groups) const;

  // Java's replaceAll/replaceFirst from character `start` (bytes): $1, ${name} and \ in `with`.
  // occurrence 0 replaces all, n the n-th match.
  std::string Replace(std::string_view text, std::size_t from, std::string_view with,
                      int64_t occurrence) const;

 private:
  JavaRegex() = default;
  bool Run(std::string_view text, std::size_t from, uint32_t options,
           std::vector<Group>& groups) const;
  void AppendReplacement(std::string_view text, std::string_view with,
                         const std::vector<Group>& groups, std::string& out) const;
  void* code_ = nullptr;
  void* data_ = nullptr;
  void* context_ = nullptr;
  int groups_ = 0;
};

}  // namespace millstream::sql
