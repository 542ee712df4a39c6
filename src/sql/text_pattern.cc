#include "sql/text_pattern.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstdint>

#include "sql/error.h"

namespace millstream::sql {

namespace {

std::size_t CharacterBytes(char c) {
  unsigned char u = static_cast<unsigned char>(c);
  return u < 0x80 ? 1 : u < 0xE0 ? 2 : u < 0xF0 ? 3 : 4;
}
std::string_view Character(std::string_view text, std::size_t at) {
  return text.substr(at, CharacterBytes(text[at]));
}

[[noreturn]] void Bad(const std::string& message) {
  throw RowError{"INVALID_PATTERN", message};
}

void CheckEscape(std::string_view escape) {
  if (!escape.empty() && CharacterBytes(escape[0]) != escape.size()) {
    Bad("ESCAPE must be one character, not '" + std::string(escape) + "'");
  }
}

}  // namespace

LikePattern::LikePattern(std::string_view pattern, std::string_view escape) {
  CheckEscape(escape);
  int wildcards = 0, singles = 0;
  for (std::size_t i = 0; i < pattern.size();) {
    std::string_view c = Character(pattern, i);
    i += c.size();
    if (!escape.empty() && c == escape) {
      if (i >= pattern.size()) Bad("a LIKE pattern cannot end with its escape character");
      c = Character(pattern, i);
      i += c.size();
      if (c != "%" && c != "_" && c != escape) {
        Bad("in a LIKE pattern only %, _ and the escape character itself can be escaped");
      }
      items_.push_back({'c', std::string(c)});
    } else if (c == "%") {
      ++wildcards;
      if (items_.empty() || items_.back().kind != '%') items_.push_back({'%', {}});
    } else if (c == "_") {
      ++singles;
      items_.push_back({'_', {}});
    } else {
      items_.push_back({'c', std::string(c)});
    }
  }
  (void)wildcards;
  if (singles > 0) return;
  std::size_t percents = 0;
  for (const Item& item : items_) {
    if (item.kind == '%') {
      ++percents;
    } else {
      fixed_ += item.text;
    }
  }
  bool first = !items_.empty() && items_.front().kind == '%';
  bool last = !items_.empty() && items_.back().kind == '%';
  if (percents == 0) form_ = Form::kExact;
  if (percents == 1 && last) form_ = Form::kPrefix;
  if (percents == 1 && first && !last) form_ = Form::kSuffix;
  if (percents == 2 && first && last) form_ = Form::kContains;
}

bool LikePattern::Matches(std::string_view text) const {
  switch (form_) {
    case Form::kExact: return text == fixed_;
    case Form::kPrefix: return text.substr(0, fixed_.size()) == fixed_;
    case Form::kSuffix:
      return text.size() >= fixed_.size() && text.substr(text.size() - fixed_.size()) == fixed_;
    case Form::kContains: return text.find(fixed_) != std::string_view::npos;
    case Form::kGeneral: break;
  }
  std::size_t t = 0, p = 0, star = std::string::npos, star_text = 0;
  while (t < text.size()) {
    if (p < items_.size() && items_[p].kind == '%') {
      star = p++;
      star_text = t;
    } else if (p < items_.size() &&
               (items_[p].kind == '_' || text.substr(t, items_[p].text.size()) == items_[p].text)) {
      t += items_[p].kind == '_' ? Character(text, t).size() : items_[p].text.size();
      ++p;
    } else if (star != std::string::npos) {
      star_text += Character(text, star_text).size();
      t = star_text;
      p = star + 1;
    } else {
      return false;
    }
  }
  while (p < items_.size() && items_[p].kind == '%') ++p;
  return p == items_.size();
}

namespace {

using Range = std::pair<uint32_t, uint32_t>;

uint32_t Decode(std::string_view c) {
  unsigned char u = static_cast<unsigned char>(c[0]);
  if (c.size() == 1 || u < 0x80) return u;
  uint32_t code = c.size() == 2 ? u & 0x1Fu : c.size() == 3 ? u & 0x0Fu : u & 0x07u;
  for (std::size_t i = 1; i < c.size(); ++i) {
    code = code << 6 | (static_cast<unsigned char>(c[i]) & 0x3Fu);
  }
  return code;
}

std::vector<Range> Normalise(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end());
  std::vector<Range> out;
  for (const Range& r : ranges) {
    if (!out.empty() && r.first <= out.back().second + 1) {
      out.back().second = std::max(out.back().second, r.second);
    } else {
      out.push_back(r);
    }
  }
  return out;
}

std::vector<Range> Subtract(const std::vector<Range>& from, const std::vector<Range>& minus) {
  std::vector<Range> out;
  for (Range r : from) {
    for (const Range& m : minus) {
      if (m.second < r.first || m.first > r.second) continue;
      if (m.first > r.first) out.emplace_back(r.first, m.first - 1);
      r.first = m.second + 1;
      if (r.first > r.second) break;
    }
    if (r.first <= r.second) out.push_back(r);
  }
  return out;
}

void AppendClass(const std::vector<Range>& ranges, std::string& out) {
  if (ranges.empty()) {
    out += "[^\\x{0}-\\x{10FFFF}]";
    return;
  }
  char buffer[40];
  out += '[';
  for (const Range& r : ranges) {
    std::snprintf(buffer, sizeof buffer, "\\x{%x}-\\x{%x}", r.first, r.second);
    out += buffer;
  }
  out += ']';
}

void Posix(std::string_view name, std::vector<Range>& ranges) {
  std::string upper;
  for (char c : name) upper += static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  auto add = [&](uint32_t a, uint32_t b) { ranges.emplace_back(a, b); };
  if (upper == "ALPHA" || upper == "ALNUM") {
    add('a', 'z');
    add('A', 'Z');
  } else if (upper == "LOWER") {
    add('a', 'z');
  } else if (upper == "UPPER") {
    add('A', 'Z');
  } else if (upper == "SPACE" || upper == "WHITESPACE") {
    add(' ', ' ');
    if (upper == "WHITESPACE") add('\t', '\r');
  } else if (upper != "DIGIT") {
    Bad("unknown character class [:" + std::string(name) + ":]");
  }
  if (upper == "ALNUM" || upper == "DIGIT") add('0', '9');
}

// One bracket expression from behind its '['; returns the position behind its ']'.
std::size_t Bracket(std::string_view pattern, std::size_t i, std::string_view escape,
                    std::string& out) {
  if (i < pattern.size() && pattern[i] == ':') {  // [:ALPHA:] is [[:ALPHA:]]
    std::size_t close =
        pattern.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", i + 1);
    if (close != std::string_view::npos && close > i + 1 && pattern.substr(close, 2) == ":]") {
      std::string alone = "[" + std::string(pattern.substr(i, close + 2 - i)) + "]";
      (void)Bracket(alone, 0, escape, out);
      return close + 2;
    }
  }
  std::vector<Range> plus, minus;
  std::vector<Range>* to = &plus;
  bool negated = false, any = false;
  if (i < pattern.size() && pattern[i] == '^') {
    negated = true;
    ++i;
  }
  while (true) {
    if (i >= pattern.size()) Bad("a character set of SIMILAR TO does not end; close it with ]");
    if (pattern[i] == ']' && any) break;
    if (pattern.substr(i, 2) == "[:") {
      std::size_t close = pattern.find(":]", i);
      if (close == std::string_view::npos) Bad("a character class does not end; close it with :]");
      Posix(pattern.substr(i + 2, close - i - 2), *to);
      i = close + 2;
      any = true;
      continue;
    }
    if (pattern[i] == '^' && !negated && to == &plus && any) {
      to = &minus;  // [a-e^c] is a-e without c
      ++i;
      continue;
    }
    if (pattern[i] == ']') Bad("a character set of SIMILAR TO is empty");
    auto one = [&]() -> uint32_t {
      std::string_view c = Character(pattern, i);
      i += c.size();
      if (!escape.empty() && c == escape) {
        if (i >= pattern.size()) Bad("the pattern cannot end with its escape character");
        c = Character(pattern, i);
        i += c.size();
      } else if (c == "(" || c == ")" || c == "[" || c == "|") {
        Bad("'" + std::string(c) + "' in a character set must be escaped");
      }
      return Decode(c);
    };
    uint32_t low = one(), high = low;
    if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
      ++i;
      high = one();
      if (high < low) Bad("a range of SIMILAR TO runs backwards");
    }
    to->emplace_back(low, high);
    any = true;
  }
  plus = Normalise(std::move(plus));
  minus = Normalise(std::move(minus));
  if (negated) plus = Subtract({{0, 0x10FFFF}}, plus);
  AppendClass(Subtract(plus, minus), out);
  return i + 1;
}

std::unique_ptr<re2::RE2> CompileRe2(const std::string& text) {
  re2::RE2::Options options;
  options.set_dot_nl(true);
  options.set_log_errors(false);
  auto regex = std::make_unique<re2::RE2>(text, options);
  if (!regex->ok()) Bad("the pattern of SIMILAR TO is wrong: " + regex->error());
  return regex;
}

}  // namespace

std::string SimilarToRegex(std::string_view pattern, std::string_view escape) {
  CheckEscape(escape);
  std::string out;
  for (std::size_t i = 0; i < pattern.size();) {
    std::string_view c = Character(pattern, i);
    if (!escape.empty() && c == escape) {
      i += c.size();
      if (i >= pattern.size()) Bad("the pattern cannot end with its escape character");
      c = Character(pattern, i);
      i += c.size();
      out += re2::RE2::QuoteMeta(re2::StringPiece(c.data(), c.size()));
      continue;
    }
    if (c == "[") {
      i = Bracket(pattern, i + 1, escape, out);
      continue;
    }
    i += c.size();
    if (c == "%") {
      out += ".*";
    } else if (c == "_") {
      out += ".";
    } else if (c == "{") {
      std::size_t end = std::min(pattern.find_first_not_of("0123456789,", i), pattern.size());
      if (end == i || end == pattern.size() || pattern[end] != '}') {
        Bad("a number of repetitions is {n}, {n,} or {n,m}; a brace itself must be escaped");
      }
      out += "{" + std::string(pattern.substr(i, end + 1 - i));
      i = end + 1;
    } else if (c.size() == 1 && std::string_view("|*+?").find(c[0]) != std::string_view::npos) {
      out += c;
    } else if (c == "(") {
      out += "(?:";
    } else if (c == ")") {
      out += ")";
    } else {
      out += re2::RE2::QuoteMeta(re2::StringPiece(c.data(), c.size()));
    }
  }
  return out;
}

SimilarPattern::SimilarPattern(std::string_view pattern, std::string_view escape)
    : regex_(CompileRe2(SimilarToRegex(pattern, escape))) {}
SimilarPattern::~SimilarPattern() = default;
bool SimilarPattern::Matches(std::string_view text) const {
  return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *regex_);
}

SimilarExtract::SimilarExtract(std::string_view pattern, std::string_view escape) {
  if (escape.size() != 1) Bad("SUBSTRING ... SIMILAR needs an escape of one character");
  std::string mark = std::string(escape) + "\"";
  std::size_t first = pattern.find(mark);
  std::size_t second = first == std::string_view::npos ? first : pattern.find(mark, first + 2);
  if (second == std::string_view::npos) {
    Bad("the pattern must mark the part to return with " + mark + " on both sides");
  }
  // As little as possible in front and behind, (?U): the part between takes what it can.
  regex_ = CompileRe2("(?U:" + SimilarToRegex(pattern.substr(0, first), escape) + ")(" +
                      SimilarToRegex(pattern.substr(first + 2, second - first - 2), escape) +
                      ")(?U:" + SimilarToRegex(pattern.substr(second + 2), escape) + ")");
}
SimilarExtract::~SimilarExtract() = default;
bool SimilarExtract::Extract(std::string_view text, std::string_view& part) const {
  // The standard wants the pattern to match the whole text; the documentation's first example,
  // SUBSTRING('123456789' SIMILAR '23#"456#"78' ESCAPE '#'), finds it within.
  re2::StringPiece whole(text.data(), text.size()), piece;
  if (!re2::RE2::FullMatch(whole, *regex_, &piece) &&
      !re2::RE2::PartialMatch(whole, *regex_, &piece)) {
    return false;
  }
  part = {piece.data(), piece.size()};
  return true;
}

}  // namespace millstream::sql
