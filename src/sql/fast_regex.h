#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace millstream::sql {

// The patterns of FAST_REGEX_LOG_PARSE: a syntax of their own ("any string" @, intersection &,
// <Digit>, <1-31>, "quoted"), and a match that never goes back.
//
// A pattern falls into expressions: each group and each stretch between groups. What is of fixed
// length at the start of an expression belongs to the search before it, as that search's end mark.
// The searches then run one behind the other, each taking the shortest text that its mark can
// follow; the last must end with the text. An expression outside of groups that has no mark takes
// all it can. One thread at a time.
class FastRegex {
 public:
  // Throws RowError, naming the position, when the pattern is wrong.
  explicit FastRegex(std::string_view pattern);
  ~FastRegex();

  int groups() const { return groups_; }
  // The groups as bytes [begin, end) of the text; false when the text does not match. Throws
  // RowError when a match would take more than a few million steps.
  bool Match(std::string_view text, std::vector<std::pair<std::size_t, std::size_t>>& groups);

 private:
  friend class FastRegexParser;
  struct Node;
  using NodePtr = std::shared_ptr<Node>;
  struct Mark {  // a piece of fixed length, or where a group starts or ends
    NodePtr piece;
    int group = -1;
    bool starts = false;
  };
  struct Search {
    NodePtr variable;  // null: starts with its mark
    bool grouped = false;
    std::vector<Mark> mark;
  };
  using Positions = std::vector<uint32_t>;  // ascending

  void AddExpression(const NodePtr& body, int group);
  void Ends(const Node& node, const Positions& starts, Positions& ends);
  void Step(std::size_t n);

  int groups_ = 0;
  std::vector<Search> searches_;
  std::vector<uint32_t> text_;      // code points
  std::vector<uint32_t> byte_of_;   // where each starts, and the end
  std::size_t steps_ = 0;
};

}  // namespace millstream::sql
