#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace millstream::sql {

// The pattern of LIKE: % is any text, _ one character. Matching takes O(text * pattern) at worst.
class LikePattern {
 public:
  // Throws RowError when the escape is wrong.
  LikePattern(std::string_view pattern, std::string_view escape);
  bool Matches(std::string_view text) const;

 private:
  enum class Form { kGeneral, kExact, kPrefix, kSuffix, kContains };
  struct Item {
    char kind;  // 'c' a character, '_', '%'
    std::string text;
  };
  std::vector<Item> items_;
  Form form_ = Form::kGeneral;
  std::string fixed_;
};

// The pattern of SIMILAR TO as a regular expression of RE2 (linear time). The whole text must match.
// Throws RowError when the pattern is wrong.
std::string SimilarToRegex(std::string_view pattern, std::string_view escape);

class SimilarPattern {
 public:
  SimilarPattern(std::string_view pattern, std::string_view escape);
  ~SimilarPattern();
  bool Matches(std::string_view text) const;

 private:
  std::unique_ptr<re2::RE2> regex_;
};

// SUBSTRING(text SIMILAR 'a#"b#"c' ESCAPE '#'): the part between the marks.
class SimilarExtract {
 public:
  SimilarExtract(std::string_view pattern, std::string_view escape);
  ~SimilarExtract();
  bool Extract(std::string_view text, std::string_view& part) const;

 private:
  std::unique_ptr<re2::RE2> regex_;
};

}  // namespace millstream::sql
