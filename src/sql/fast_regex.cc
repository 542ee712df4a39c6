#include "sql/fast_regex.h"

#include <algorithm>
#include <optional>
#include <string>

#include "sql/error.h"

namespace millstream::sql {

namespace {

constexpr std::size_t kStepsMax = 5'000'000;
constexpr int kDepthMax = 100;
constexpr int kRepeatMax = 1000;

using Ranges = std::vector<std::pair<uint32_t, uint32_t>>;

struct Named {
  std::string_view name;
  Ranges ranges;
};
const std::vector<Named>& NamedPatterns() {
  static const auto* kNamed = new std::vector<Named>{
      {"Digit", {{'0', '9'}}},
      {"Upper", {{'A', 'Z'}}},
      {"Lower", {{'a', 'z'}}},
      {"ASCII", {{0, 0x7F}}},
      {"Alpha", {{'a', 'z'}, {'A', 'Z'}}},
      {"Alnum", {{'a', 'z'}, {'A', 'Z'}, {'0', '9'}}},
      {"Punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
      {"Blank", {{' ', ' '}, {'\t', '\t'}}},
      {"Space", {{' ', ' '}, {'\t', '\r'}}},
      {"Cntrl", {{0, 0x1F}, {0x7F, 0x7F}}},
      {"XDigit", {{'0', '9'}, {'a', 'f'}, {'A', 'F'}}},
      {"Print", {{'!', '~'}}},
      {"Graph", {{'!', '~'}}}};
  return *kNamed;
}

void Decode(std::string_view text, std::vector<uint32_t>& out, std::vector<uint32_t>& byte_of) {
  out.clear();
  byte_of.clear();
  for (std::size_t i = 0; i < text.size();) {
    byte_of.push_back(static_cast<uint32_t>(i));
    unsigned char c = static_cast<unsigned char>(text[i]);
    std::size_t length = c < 0x80 ? 1 : c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
    uint32_t code = length == 1 ? c : c & (0x7Fu >> length);
    for (std::size_t k = 1; k < length && i + k < text.size(); ++k) {
      code = code << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3Fu);
    }
    out.push_back(code);
    i += std::min(length, text.size() - i);
  }
  byte_of.push_back(static_cast<uint32_t>(text.size()));
}

}  // namespace

struct FastRegex::Node {
  enum class Op { kSet, kNothing, kConcat, kUnion, kIntersection, kRepeat, kNumber } op = Op::kSet;
  Ranges ranges;                // kSet
  bool negated = false;         // kSet
  std::vector<NodePtr> parts;   // kConcat (none: the empty text), kUnion, kIntersection, kRepeat
  int min = 0, max = -1;        // kRepeat; -1: no limit
  uint64_t low = 0, high = 0;   // kNumber
  int digits = 0;               // kNumber: 0 any number of them

  bool Has(uint32_t c) const {
    for (const auto& [from, to] : ranges) {
      if (c >= from && c <= to) return !negated;
    }
    return negated;
  }
  // The number of characters that each match has.
  std::optional<int> FixedLength() const {
    switch (op) {
      case Op::kSet: return 1;
      case Op::kNothing: return std::nullopt;
      case Op::kNumber: return digits > 0 ? std::optional<int>(digits) : std::nullopt;
      case Op::kConcat: {
        int sum = 0;
        for (const NodePtr& part : parts) {
          auto n = part->FixedLength();
          if (!n) return std::nullopt;
          sum += *n;
        }
        return sum;
      }
      case Op::kUnion:
      case Op::kIntersection: {
        auto first = parts[0]->FixedLength();
        for (const NodePtr& part : parts) {
          auto n = part->FixedLength();
          if (!n || n != first) return std::nullopt;
        }
        return first;
      }
      case Op::kRepeat: {
        auto n = parts[0]->FixedLength();
        if (min == max && n) return *n * min;
        return std::nullopt;
      }
    }
    return std::nullopt;
  }
};

// Recursive descent over the characters of a pattern.
class FastRegexParser {
 public:
  using Node = FastRegex::Node;
  using NodePtr = FastRegex::NodePtr;

  explicit FastRegexParser(std::string_view pattern) { Decode(pattern, text_, bytes_); }

  // The outermost level, where parentheses are groups.
  void Run(FastRegex& regex) {
    std::vector<NodePtr> between;
    auto flush = [&] {
      if (between.empty()) return;
      auto concat = Make(Node::Op::kConcat);
      concat->parts = std::move(between);
      between.clear();
      regex.AddExpression(concat, -1);
    };
    while (!Done()) {
      if (Peek() == '|' || Peek() == '&') Fail("| and & stand inside parentheses");
      bool parenthesis = Peek() == '(';
      NodePtr simple = Simple();
      if (parenthesis && !AtQuantifier()) {
        flush();
        regex.AddExpression(simple, regex.groups_++);
      } else {
        between.push_back(Quantified(simple));
      }
    }
    flush();
  }

 private:
  bool Done() const { return at_ >= text_.size(); }
  uint32_t Peek() const { return Done() ? 0 : text_[at_]; }
  bool Take(uint32_t c) {
    if (Done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  [[noreturn]] void Fail(const std::string& what) const {
    throw RowError{"INVALID_REGEX", "bad fast regular expression at position " +
                                        std::to_string(at_ + 1) + ": " + what};
  }
  static NodePtr Make(Node::Op op) {
    auto node = std::make_shared<Node>();
    node->op = op;
    return node;
  }
  static NodePtr One(uint32_t c) {
    NodePtr node = Make(Node::Op::kSet);
    node->ranges = {{c, c}};
    return node;
  }
  static NodePtr AnyCharacter() {
    NodePtr node = Make(Node::Op::kSet);
    node->negated = true;
    return node;
  }

  NodePtr Several(NodePtr (FastRegexParser::*next)(), uint32_t separator, Node::Op op) {
    NodePtr first = (this->*next)();
    if (Peek() != separator || Done()) return first;
    NodePtr node = Make(op);
    node->parts.push_back(first);
    while (Take(separator)) node->parts.push_back((this->*next)());
    return node;
  }
  NodePtr Union() {
    if (++depth_ > kDepthMax) Fail("parentheses nest more than 100 deep");
    NodePtr node = Several(&FastRegexParser::Intersection, '|', Node::Op::kUnion);
    --depth_;
    return node;
  }
  NodePtr Intersection() {
    return Several(&FastRegexParser::Concat, '&', Node::Op::kIntersection);
  }
  NodePtr Concat() {
    NodePtr node = Make(Node::Op::kConcat);
    while (!Done() && Peek() != '|' && Peek() != '&' && Peek() != ')') {
      node->parts.push_back(Quantified(Simple()));
    }
    return node;
  }
  bool AtQuantifier() const {
    uint32_t c = Peek();
    return !Done() && (c == '?' || c == '*' || c == '+' || c == '{');
  }
  NodePtr Quantified(NodePtr node) {
    while (AtQuantifier()) {
      NodePtr repeat = Make(Node::Op::kRepeat);
      repeat->parts.push_back(node);
      if (Take('?')) {
        repeat->max = 1;
      } else if (Take('*')) {
      } else if (Take('+')) {
        repeat->min = 1;
      } else {
        Take('{');
        repeat->min = repeat->max = static_cast<int>(Number(kRepeatMax));
        if (Take(',')) repeat->max = Peek() == '}' ? -1 : static_cast<int>(Number(kRepeatMax));
        if (!Take('}')) Fail("} expected");
        if (repeat->max >= 0 && repeat->max < repeat->min) Fail("{n,m} needs n <= m");
      }
      node = repeat;
    }
    return node;
  }
  uint64_t Number(uint64_t most) {
    if (Done() || Peek() < '0' || Peek() > '9') Fail("a number expected");
    uint64_t value = 0;
    while (!Done() && Peek() >= '0' && Peek() <= '9') {
      value = value * 10 + (text_[at_++] - '0');
      if (value > most) Fail("the number is too large");
    }
    return value;
  }
  uint32_t Character() {
    if (Take('\\') && Done()) Fail("a character must follow \\");
    if (Done()) Fail("a character expected");
    return text_[at_++];
  }

  NodePtr Simple() {
    if (Take('.')) return AnyCharacter();
    if (Take('#')) return Make(Node::Op::kNothing);
    if (Take('@')) {
      NodePtr node = Make(Node::Op::kRepeat);
      node->parts.push_back(AnyCharacter());
      return node;
    }
    if (Take('"')) {
      NodePtr node = Make(Node::Op::kConcat);
      while (Peek() != '"') {
        if (Done()) Fail("the quoted text does not end");
        node->parts.push_back(One(text_[at_++]));
      }
      Take('"');
      return node;
    }
    if (Take('(')) {
      NodePtr node = Union();
      if (!Take(')')) Fail(") expected");
      return node;
    }
    if (Take('[')) return Class();
    if (Take('<')) return Angle();
    if (AtQuantifier()) Fail("nothing stands before the repetition; quote it with \\");
    if (Peek() == ')') Fail("a parenthesis too many");
    return One(Character());
  }
  NodePtr Class() {
    NodePtr node = Make(Node::Op::kSet);
    node->negated = Take('^');
    do {
      if (Done()) Fail("] expected");
      uint32_t from = Character(), to = from;
      if (Peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        Take('-');
        to = Character();
        if (to < from) Fail("the range runs backwards");
      }
      node->ranges.emplace_back(from, to);
    } while (!Take(']'));
    return node;
  }
  NodePtr Angle() {
    std::size_t start = at_;
    if (Peek() >= '0' && Peek() <= '9') {
      NodePtr node = Make(Node::Op::kNumber);
      constexpr uint64_t kMost = 1'000'000'000'000'000;
      node->low = Number(kMost);
      std::size_t first = at_ - start;
      if (!Take('-')) Fail("write <n-m>");
      std::size_t second = at_;
      node->high = Number(kMost);
      second = at_ - second;
      if (!Take('>')) Fail("> expected");
      if (node->low > node->high) std::swap(node->low, node->high);
      if (first == second) node->digits = static_cast<int>(first);
      return node;
    }
    std::string name;
    while (!Done() && Peek() != '>') name += static_cast<char>(text_[at_++]);
    if (!Take('>')) Fail("> expected");
    for (const Named& named : NamedPatterns()) {
      if (named.name != name) continue;
      NodePtr node = Make(Node::Op::kSet);
      node->ranges = named.ranges;
      return node;
    }
    Fail("no pattern is called <" + name + ">; there are <Digit> <Upper> <Lower> <ASCII> <Alpha> "
         "<Alnum> <Punct> <Blank> <Space> <Cntrl> <XDigit> <Print> <Graph>");
  }

  std::vector<uint32_t> text_, bytes_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

FastRegex::FastRegex(std::string_view pattern) {
  FastRegexParser(pattern).Run(*this);
  if (searches_.empty()) searches_.emplace_back();
}
FastRegex::~FastRegex() = default;

void FastRegex::AddExpression(const NodePtr& body, int group) {
  // The pieces, x+ as x x* and x{2,} as x x x*, so that what is fixed in front can be seen.
  std::vector<NodePtr> pieces;
  auto add = [&](const NodePtr& node) {
    if (node->op == Node::Op::kRepeat && node->min > 0 && node->min != node->max &&
        node->parts[0]->FixedLength()) {
      for (int i = 0; i < node->min; ++i) pieces.push_back(node->parts[0]);
      auto rest = std::make_shared<Node>(*node);
      rest->min = 0;
      if (rest->max > 0) rest->max -= node->min;
      pieces.push_back(rest);
    } else {
      pieces.push_back(node);
    }
  };
  if (body->op == Node::Op::kConcat) {
    for (const NodePtr& part : body->parts) add(part);
  } else {
    add(body);
  }
  std::size_t fixed = 0;
  while (fixed < pieces.size() && pieces[fixed]->FixedLength()) ++fixed;
  if (searches_.empty()) searches_.emplace_back();
  if (group >= 0) searches_.back().mark.push_back({nullptr, group, true});
  for (std::size_t i = 0; i < fixed; ++i) searches_.back().mark.push_back({pieces[i], -1, false});
  if (fixed < pieces.size()) {
    Search search;
    search.variable = std::make_shared<Node>();
    search.variable->op = Node::Op::kConcat;
    search.variable->parts.assign(pieces.begin() + static_cast<std::ptrdiff_t>(fixed), pieces.end());
    search.grouped = group >= 0;
    searches_.push_back(std::move(search));
  }
  if (group >= 0) searches_.back().mark.push_back({nullptr, group, false});
}

void FastRegex::Step(std::size_t n) {
  steps_ += n;
  if (steps_ > kStepsMax) {
    throw RowError{"REGEX_LIMIT", "the fast regular expression takes too many steps on this text"};
  }
}

// Where matches of `node` that start at one of `starts` end.
void FastRegex::Ends(const Node& node, const Positions& starts, Positions& ends) {
  ends.clear();
  Step(starts.size() + 1);
  uint32_t size = static_cast<uint32_t>(text_.size());
  switch (node.op) {
    case Node::Op::kNothing: return;
    case Node::Op::kSet:
      for (uint32_t s : starts) {
        if (s < size && node.Has(text_[s])) ends.push_back(s + 1);
      }
      return;
    case Node::Op::kConcat: {
      Positions from = starts;
      for (const NodePtr& part : node.parts) {
        Ends(*part, from, ends);
        std::swap(from, ends);
      }
      ends = std::move(from);
      return;
    }
    case Node::Op::kUnion: {
      Positions one, all;
      for (const NodePtr& part : node.parts) {
        Ends(*part, starts, one);
        all.clear();
        std::set_union(ends.begin(), ends.end(), one.begin(), one.end(), std::back_inserter(all));
        ends = all;
      }
      return;
    }
    case Node::Op::kIntersection:
      for (uint32_t s : starts) {
        Positions common, one, both;
        for (std::size_t i = 0; i < node.parts.size(); ++i) {
          Ends(*node.parts[i], {s}, one);
          if (i == 0) {
            common = one;
            continue;
          }
          both.clear();
          std::set_intersection(common.begin(), common.end(), one.begin(), one.end(),
                                std::back_inserter(both));
          common = both;
        }
        both.clear();
        std::set_union(ends.begin(), ends.end(), common.begin(), common.end(),
                       std::back_inserter(both));
        ends = both;
      }
      return;
    case Node::Op::kNumber: {
      for (uint32_t s : starts) {
        uint64_t value = 0;
        for (uint32_t e = s; e < size && text_[e] >= '0' && text_[e] <= '9' && e - s < 16; ++e) {
          value = value * 10 + (text_[e] - '0');
          bool length = node.digits == 0 || e + 1 - s == static_cast<uint32_t>(node.digits);
          if (length && value >= node.low && value <= node.high) ends.push_back(e + 1);
        }
      }
      std::sort(ends.begin(), ends.end());
      ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
      return;
    }
    case Node::Op::kRepeat: {
      const Node& part = *node.parts[0];
      if (part.op == Node::Op::kSet && node.min == 0 && node.max < 0) {
        // The common x*: runs from overlapping starts are walked once.
        uint32_t reached = 0;
        bool any = false;
        for (uint32_t s : starts) {
          uint32_t e = s;
          if (any && s <= reached) continue;
          ends.push_back(e);
          while (e < size && part.Has(text_[e])) ends.push_back(++e);
          reached = e;
          any = true;
        }
        Step(ends.size());
        return;
      }
      Positions from = starts, next, all;
      std::vector<uint8_t> seen(size + 1, 0);
      if (node.min == 0) {
        for (uint32_t s : from) seen[s] = 1;
      }
      for (int i = 1; (node.max < 0 || i <= node.max) && !from.empty(); ++i) {
        Ends(part, from, next);
        if (i >= node.min) {  // only what is new can lead on to something new
          from.clear();
          for (uint32_t e : next) {
            if (seen[e] == 0) from.push_back(e);
            seen[e] = 1;
          }
        } else {
          from = next;
        }
      }
      for (uint32_t e = 0; e <= size; ++e) {
        if (seen[e] != 0) ends.push_back(e);
      }
      Step(size);
      return;
    }
  }
}

bool FastRegex::Match(std::string_view text,
                      std::vector<std::pair<std::size_t, std::size_t>>& groups) {
  Decode(text, text_, byte_of_);
  steps_ = 0;
  groups.assign(static_cast<std::size_t>(groups_), {0, 0});
  uint32_t size = static_cast<uint32_t>(text_.size()), at = 0;
  Positions candidates, one;
  for (std::size_t k = 0; k < searches_.size(); ++k) {
    const Search& search = searches_[k];
    bool last = k + 1 == searches_.size();
    bool marked = false;
    for (const Mark& mark : search.mark) marked |= mark.piece != nullptr;
    candidates.assign(1, at);
    if (search.variable) Ends(*search.variable, {at}, candidates);
    if (!marked && !last && search.variable && !search.grouped) {
      std::reverse(candidates.begin(), candidates.end());
    }
    bool found = false;
    for (uint32_t candidate : candidates) {
      uint32_t p = candidate;
      bool fits = true;
      for (const Mark& mark : search.mark) {
        if (!mark.piece) {
          auto& group = groups[static_cast<std::size_t>(mark.group)];
          (mark.starts ? group.first : group.second) = byte_of_[p];
          continue;
        }
        Ends(*mark.piece, {p}, one);
        if (one.empty()) {
          fits = false;
          break;
        }
        p = one[0];
      }
      if (!fits) continue;
      if (last && p != size) {
        if (marked) return false;  // what follows the first mark is not looked at again
        continue;
      }
      at = p;
      found = true;
      break;
    }
    if (!found) return false;
  }
  return true;
}

}  // namespace millstream::sql
