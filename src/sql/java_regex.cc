#include "sql/java_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cstdint>

#include "sql/error.h"

namespace millstream::sql {

namespace {

constexpr uint32_t kMatchLimit = 5'000'000;  // steps; a few tens of milliseconds
constexpr uint32_t kDepthLimit = 100'000;

// \p{Alpha} and its relatives as POSIX classes, wherever they stand.
std::string Translate(std::string_view pattern) {
  static constexpr std::pair<std::string_view, std::string_view> kClasses[] = {
      {"Lower", "lower"}, {"Upper", "upper"}, {"ASCII", "ascii"}, {"Alpha", "alpha"},
      {"Digit", "digit"}, {"Alnum", "alnum"}, {"Punct", "punct"}, {"Graph", "graph"},
      {"Print", "print"}, {"Blank", "blank"}, {"Cntrl", "cntrl"}, {"XDigit", "xdigit"},
      {"Space", "space"}};
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      char next = pattern[i + 1];
      if ((next == 'p' || next == 'P') && i + 2 < pattern.size() && pattern[i + 2] == '{') {
        std::size_t close = pattern.find('}', i);
        if (close != std::string_view::npos) {
          std::string_view name = pattern.substr(i + 3, close - i - 3);
          bool found = false;
          for (const auto& [java, posix] : kClasses) {
            if (name != java) continue;
            std::string item = "[:" + std::string(next == 'P' ? "^" : "") + std::string(posix) + ":]";
            out += in_class ? item : "[" + item + "]";
            found = true;
          }
          if (found) {
            i = close;
            continue;
          }
        }
      }
      out += c;
      out += next;
      ++i;
      continue;
    }
    if (c == '[' && !in_class) {
      in_class = true;
      out += c;
      if (i + 1 < pattern.size() && pattern[i + 1] == '^') out += pattern[++i];
      if (i + 1 < pattern.size() && pattern[i + 1] == ']') out += pattern[++i];
      continue;
    }
    if (in_class && c == '&' && i + 1 < pattern.size() && pattern[i + 1] == '&') {
      throw RowError{"INVALID_REGEX", "intersection of character classes (&&) is not supported"};
    }
    if (c == ']' && in_class) in_class = false;
    out += c;
  }
  return out;
}

}  // namespace

std::shared_ptr<JavaRegex> JavaRegex::Compile(std::string_view pattern) {
  std::string translated = Translate(pattern);
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()),
                                   translated.size(), PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &error,
                                   &offset, nullptr);
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
      for (std::size_t i = 0; i < with.size(); ++i) {
        if (with[i] == '\\' && i + 1 < with.size()) {
          out += with[++i];
        } else if (with[i] == '$' && i + 1 < with.size() && with[i + 1] >= '0' &&
                   with[i + 1] <= '9') {
          std::size_t g = static_cast<std::size_t>(with[++i] - '0');
          if (g >= groups.size()) {
            throw RowError{"INVALID_REGEX", "the replacement refers to group " +
                                                std::to_string(g) + ", which does not exist"};
          }
          if (groups[g].matched) out += text.substr(groups[g].begin, groups[g].end - groups[g].begin);
        } else {
          out += with[i];
        }
      }
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
