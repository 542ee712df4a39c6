#include "sql/java_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cctype>
#include <cstdint>
#include <utility>
#include <vector>

#include "sql/error.h"

namespace millstream::sql {

namespace {

constexpr uint32_t kMatchLimit = 5'000'000;  // steps; a few tens of milliseconds
constexpr uint32_t kDepthLimit = 100'000;

// What PCRE2 spells otherwise: \uXXXX, octals, properties, flags, and character classes, which in
// Java nest, unite and intersect.
class Translator {
 public:
  explicit Translator(std::string_view pattern) : in_(pattern) {}

  std::string Run() {
    while (at_ < in_.size()) {
      if (Starts("\\Q")) {
        out_ += Literals();
      } else if (in_[at_] == '\\') {
        out_ += Escape(false);
      } else if (in_[at_] == '[') {
        out_ += Text(Class());
      } else if (Starts("(?")) {
        Flags();
      } else {
        out_ += in_[at_++];
      }
    }
    return out_;
  }

 private:
  // The characters of a class: what may stand between brackets, and expressions of one character
  // beside it.
  struct Set {
    std::string items;
    std::vector<std::string> others;
    bool negated = false;
  };

  static std::string Text(const Set& set) {
    if (set.others.empty()) {
      if (set.items.empty()) return set.negated ? "(?s:.)" : "(?!)";
      return (set.negated ? "[^" : "[") + set.items + "]";
    }
    std::string any = "(?:";
    if (!set.items.empty()) any += "[" + set.items + "]";
    for (const std::string& other : set.others) any += (any.size() > 3 ? "|" : "") + other;
    any += ")";
    return set.negated ? "(?:(?!" + any + ")(?s:.))" : any;
  }

  bool Starts(std::string_view text) const { return in_.substr(at_, text.size()) == text; }
  [[noreturn]] void Fail(const std::string& why) const {
    throw RowError{"INVALID_REGEX", "bad regular expression '" + std::string(in_) +
                                        "' at position " + std::to_string(at_) + ": " + why};
  }

  // \Q...\E, each character escaped that needs it.
  std::string Literals() {
    at_ += 2;
    std::size_t end = in_.find("\\E", at_);
    std::string_view text = in_.substr(at_, end == std::string_view::npos ? end : end - at_);
    at_ = end == std::string_view::npos ? in_.size() : end + 2;
    std::string out;
    for (char c : text) {
      if (std::ispunct(static_cast<unsigned char>(c)) != 0 || c == ' ') out += '\\';
      out += c;
    }
    return out;
  }

  // From the backslash on.
  std::string Escape(bool in_class) {
    if (at_ + 1 >= in_.size()) Fail("it ends with a backslash");
    const char c = in_[at_ + 1];
    if (c == 'u') {
      std::string_view digits = in_.substr(at_ + 2, 4);
      if (digits.size() < 4 || digits.find_first_not_of(kHex) != std::string_view::npos) {
        Fail("\\u needs four hex digits");
      }
      at_ += 6;
      return "\\x{" + std::string(digits) + "}";
    }
    if (c == '0') {
      std::size_t end = at_ + 2;
      while (end < in_.size() && end < at_ + 5 && in_[end] >= '0' && in_[end] <= '7') ++end;
      if (end == at_ + 2) Fail("\\0 needs octal digits");
      std::string digits(in_.substr(at_ + 2, end - at_ - 2));
      at_ = end;
      return "\\o{" + digits + "}";
    }
    if (c == 'p' || c == 'P') return Property(c == 'P', in_class);
    std::string out(in_.substr(at_, 2));
    at_ += 2;
    return out;
  }

  // \p{Alpha} and its relatives are ASCII; \p{IsX}, \p{javaX} and \p{key=X} are Unicode's.
  std::string Property(bool negated, bool in_class) {
    static constexpr std::pair<std::string_view, std::string_view> kItems[] = {
        {"Lower", "[:lower:]"},
        {"Upper", "[:upper:]"},
        {"ASCII", "[:ascii:]"},
        {"Alpha", "[:alpha:]"},
        {"Digit", "[:digit:]"},
        {"Alnum", "[:alnum:]"},
        {"Punct", "[:punct:]"},
        {"Graph", "[:graph:]"},
        {"Print", "[:print:]"},
        {"Blank", "[:blank:]"},
        {"Cntrl", "[:cntrl:]"},
        {"XDigit", "[:xdigit:]"},
        {"Space", "[:space:]"},
        {"IsAlphabetic", "\\p{L}\\p{Nl}"},
        {"IsLetter", "\\p{L}"},
        {"IsDigit", "\\p{Nd}"},
        {"IsUppercase", "\\p{Lu}"},
        {"IsLowercase", "\\p{Ll}"},
        {"IsTitlecase", "\\p{Lt}"},
        {"IsPunctuation", "\\p{P}"},
        {"IsControl", "\\p{Cc}"},
        {"IsWhite_Space", "\\p{Xps}"},
        {"javaLowerCase", "\\p{Ll}"},
        {"javaUpperCase", "\\p{Lu}"},
        {"javaWhitespace", "\\p{Xps}"},
        {"javaLetter", "\\p{L}"},
        {"javaDigit", "\\p{Nd}"},
        {"javaLetterOrDigit", "\\p{L}\\p{Nd}"},
        {"javaAlphabetic", "\\p{L}\\p{Nl}"}};
    std::size_t end = at_ + 3;
    std::string_view name;
    if (at_ + 2 < in_.size() && in_[at_ + 2] == '{') {
      end = in_.find('}', at_);
      if (end == std::string_view::npos) Fail("\\p{ does not end");
      name = in_.substr(at_ + 3, end++ - at_ - 3);
    } else {
      name = in_.substr(at_ + 2, 1);
    }
    std::string item;
    for (const auto& [java, ours] : kItems) {
      if (name == java) item = ours;
    }
    if (item.empty()) {
      if (std::size_t equals = name.find('='); equals != std::string_view::npos) {
        name = name.substr(equals + 1);
      } else if (name.substr(0, 2) == "Is") {
        name = name.substr(2);
      } else if (name.substr(0, 2) == "In") {
        Fail("blocks are not supported; write the script, e.g. \\p{IsGreek}");
      }
      item = "\\p{" + std::string(name) + "}";
    }
    at_ = end;
    if (!negated) return in_class ? item : "[" + item + "]";
    // In a class a single item can be negated as it stands.
    if (item[0] == '[') return in_class ? "[:^" + item.substr(2) : "[^" + item + "]";
    if (!in_class) return "[^" + item + "]";
    if (item.find('\\', 1) != std::string::npos)
      Fail("\\P{" + std::string(name) + "} inside of a class is not supported");
    return "\\P" + item.substr(2);
  }

  // From the bracket on; behind the one that closes it.
  Set Class() {
    if (++depth_ > 50) Fail("character classes are nested too deeply");
    ++at_;
    Set set;
    if (at_ < in_.size() && in_[at_] == '^') {
      set.negated = true;
      ++at_;
    }
    std::vector<std::string> operands;  // of &&, those before the last
    bool first = true;
    while (true) {
      if (at_ >= in_.size()) Fail("a character class does not end");
      const char c = in_[at_];
      if (c == ']' && !first) break;
      if (Starts("&&")) {
        while (at_ < in_.size() && in_[at_] == '&') ++at_;
        if (!set.items.empty() || !set.others.empty()) {
          Set left = set;
          left.negated = false;
          operands.push_back(Text(left));
          set.items.clear();
          set.others.clear();
        }
        continue;
      }
      first = false;
      if (c == '[') {
        Set inner = Class();
        if (inner.others.empty() && !inner.negated) {  // a hyphen between the two is no range
          if (!set.items.empty() && set.items.back() == '-')
            set.items.insert(set.items.size() - 1, "\\");
          if (!inner.items.empty() && inner.items[0] == '-') set.items += '\\';
          set.items += inner.items;
        } else {
          set.others.push_back(Text(inner));
        }
      } else if (Starts("\\Q")) {
        set.items += Literals();
      } else if (c == '\\') {
        set.items += Escape(true);
      } else {
        if (c == ']') set.items += '\\';
        set.items += c;
        ++at_;
      }
    }
    ++at_;
    --depth_;
    if (operands.empty()) return set;
    Set last = set;
    last.negated = false;
    std::string both;
    for (const std::string& operand : operands) both += "(?=" + operand + ")";
    both += last.items.empty() && last.others.empty() ? "(?s:.)" : Text(last);
    return Set{{}, {"(?:" + both + ")"}, set.negated};
  }

  // Flags that PCRE2 does not have: u and U (it folds all of Unicode), d.
  void Flags() {
    std::size_t end = in_.find_first_not_of("imsxduU-", at_ + 2);
    if (end == std::string_view::npos || end == at_ + 2 || (in_[end] != ')' && in_[end] != ':')) {
      out_ += "(?";
      at_ += 2;
      return;
    }
    out_ += "(?";
    for (char c : in_.substr(at_ + 2, end - at_ - 2)) {
      if (c != 'u' && c != 'U' && c != 'd') out_ += c;
    }
    at_ = end;
  }

  static constexpr std::string_view kHex = "0123456789abcdefABCDEF";
  std::string_view in_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::string out_;
};

}  // namespace

std::shared_ptr<JavaRegex> JavaRegex::Compile(std::string_view pattern) {
  std::string translated = Translator(pattern).Run();
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_compile_context* lines = pcre2_compile_context_create(nullptr);
  pcre2_set_newline(lines, PCRE2_NEWLINE_ANYCRLF);  // "." stops at \r too
  pcre2_code* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                    PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &error, &offset, lines);
  pcre2_compile_context_free(lines);
  if (code == nullptr) {
    char message[256];
    pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(message), sizeof message);
    throw RowError{"INVALID_REGEX", "bad regular expression '" + std::string(pattern) +
                                        "' at position " + std::to_string(offset) + ": " + message};
  }
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
  std::shared_ptr<JavaRegex> regex(new JavaRegex());
  regex->code_ = code;
  regex->data_ = pcre2_match_data_create_from_pattern(code, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_set_match_limit(context, kMatchLimit);
  pcre2_set_depth_limit(context, kDepthLimit);
  regex->context_ = context;
  uint32_t groups = 0;
  pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
  regex->groups_ = static_cast<int>(groups);
  return regex;
}

JavaRegex::~JavaRegex() {
  pcre2_match_data_free(static_cast<pcre2_match_data*>(data_));
  pcre2_match_context_free(static_cast<pcre2_match_context*>(context_));
  pcre2_code_free(static_cast<pcre2_code*>(code_));
}

bool JavaRegex::Run(std::string_view text, std::size_t from, uint32_t options,
                    std::vector<Group>& groups) const {
  if (from > text.size()) return false;
  static const char kEmpty[1] = {0};
  const char* data = text.data() == nullptr ? kEmpty : text.data();
  auto* match = static_cast<pcre2_match_data*>(data_);
  int rc = pcre2_match(static_cast<pcre2_code*>(code_), reinterpret_cast<PCRE2_SPTR>(data),
                       text.size(), from, options, match,
                       static_cast<pcre2_match_context*>(context_));
  if (rc == PCRE2_ERROR_NOMATCH) return false;
  if (rc < 0) {
    throw RowError{"REGEX_LIMIT", "the regular expression backtracks too much on this text"};
  }
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(match);
  groups.assign(static_cast<std::size_t>(groups_) + 1, Group{});
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (ends[2 * g] == PCRE2_UNSET) continue;
    groups[g] = {ends[2 * g], ends[2 * g + 1], true};
  }
  return true;
}

bool JavaRegex::Find(std::string_view text, std::size_t from, std::vector<Group>& groups) const {
  return Run(text, from, 0, groups);
}

bool JavaRegex::MatchAll(std::string_view text, std::vector<Group>& groups) const {
  return Run(text, 0, PCRE2_ANCHORED | PCRE2_ENDANCHORED, groups);
}

// Java's appendReplacement: \x is x, $n a group (of the longest number there is), ${name} one by
// its name.
void JavaRegex::AppendReplacement(std::string_view text, std::string_view with,
                                  const std::vector<Group>& groups, std::string& out) const {
  auto fail = [&](const std::string& why) {
    throw RowError{"INVALID_REGEX", "the replacement '" + std::string(with) + "' " + why};
  };
  auto digit = [&](std::size_t i) { return i < with.size() && with[i] >= '0' && with[i] <= '9'; };
  for (std::size_t i = 0; i < with.size(); ++i) {
    if (with[i] == '\\') {
      if (++i == with.size()) fail("ends with a backslash");
      out += with[i];
      continue;
    }
    if (with[i] != '$') {
      out += with[i];
      continue;
    }
    std::size_t group = 0;
    if (digit(i + 1)) {
      group = static_cast<std::size_t>(with[++i] - '0');
      if (group >= groups.size()) {
        fail("refers to group " + std::to_string(group) + ", which does not exist");
      }
      while (digit(i + 1)) {
        std::size_t longer = group * 10 + static_cast<std::size_t>(with[i + 1] - '0');
        if (longer >= groups.size()) break;
        group = longer;
        ++i;
      }
    } else if (i + 1 < with.size() && with[i + 1] == '{') {
      const std::size_t end = with.find('}', i);
      if (end == std::string_view::npos) fail("has ${ without }");
      const std::string name(with.substr(i + 2, end - i - 2));
      const int number = pcre2_substring_number_from_name(
          static_cast<pcre2_code*>(code_), reinterpret_cast<PCRE2_SPTR>(name.c_str()));
      if (number <= 0) fail("refers to group " + name + ", which does not exist");
      group = static_cast<std::size_t>(number);
      i = end;
    } else {
      fail("has a $ that names no group; write \\$");
    }
    if (groups[group].matched) {
      out += text.substr(groups[group].begin, groups[group].end - groups[group].begin);
    }
  }
}

std::string JavaRegex::Replace(std::string_view text, std::size_t from, std::string_view with,
                               int64_t occurrence) const {
  std::string out(text.substr(0, from));
  std::size_t at = from;
  int64_t n = 0;
  std::vector<Group> groups;
  while (at <= text.size() && Run(text, at, 0, groups)) {
    ++n;
    out += text.substr(at, groups[0].begin - at);
    if (occurrence == 0 || occurrence == n) {
      AppendReplacement(text, with, groups, out);
    } else {
      out += text.substr(groups[0].begin, groups[0].end - groups[0].begin);
    }
    if (groups[0].end == groups[0].begin) {  // an empty match: step over one character
      std::size_t next = groups[0].end + 1;
      while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0) == 0x80) ++next;
      out += text.substr(groups[0].end, next - groups[0].end);
      at = next;
    } else {
      at = groups[0].end;
    }
    if (occurrence != 0 && n == occurrence) break;
  }
  if (at < text.size()) out += text.substr(at);
  return out;
}

}  // namespace millstream::sql
