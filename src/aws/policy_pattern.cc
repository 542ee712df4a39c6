#include "aws/policy_pattern.h"

#include <algorithm>

#include "aws/policy_context.h"

namespace millstream::aws {
namespace {

// Longer than any ARN; bounds what one comparison can cost.
constexpr std::size_t kPatternBytesMax = 2048;

uint16_t Lower(uint16_t c) { return c >= 'A' && c <= 'Z' ? static_cast<uint16_t>(c + 32) : c; }

// Greedy with one point of return: pattern length times subject length at worst.
bool Glob(const std::vector<uint16_t>& pattern, std::string_view subject, uint16_t any_one,
          uint16_t any_run, bool ignore_case) {
  std::size_t p = 0, s = 0, star = std::string_view::npos, star_s = 0;
  while (s < subject.size()) {
    const auto c = static_cast<uint16_t>(static_cast<unsigned char>(subject[s]));
    if (p < pattern.size() && pattern[p] == any_run) {
      star = p++;
      star_s = s;
    } else if (p < pattern.size() && (pattern[p] == any_one || pattern[p] == c ||
                                      (ignore_case && Lower(pattern[p]) == Lower(c)))) {
      ++p;
      ++s;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      s = ++star_s;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == any_run) ++p;
  return p == pattern.size();
}

void AppendBytes(std::string_view text, std::vector<uint16_t>& codes) {
  for (const char c : text) codes.push_back(static_cast<unsigned char>(c));
}

}  // namespace

base::Result<PolicyPattern> PolicyPattern::Compile(std::string_view text, Wildcards wildcards,
                                                   bool variables) {
  if (text.size() > kPatternBytesMax) {
    return base::Fail(base::Code::kInvalidArgument,
                      "longer than 2048 bytes: " + std::to_string(text.size()));
  }
  PolicyPattern pattern;
  pattern.text_ = text;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (variables && text[i] == '$' && i + 1 < text.size() && text[i + 1] == '{') {
      const auto end = text.find('}', i);
      if (end == std::string_view::npos) {
        return base::Fail(base::Code::kInvalidArgument, "\"${\" without \"}\"");
      }
      TRY(pattern.AddVariable(text.substr(i + 2, end - i - 2)));
      i = end;
    } else if (wildcards == Wildcards::kYes && text[i] == '*') {
      pattern.codes_.push_back(kAnyRun);
    } else if (wildcards == Wildcards::kYes && text[i] == '?') {
      pattern.codes_.push_back(kAnyOne);
    } else {
      pattern.codes_.push_back(static_cast<unsigned char>(text[i]));
    }
  }
  return pattern;
}

base::Status PolicyPattern::AddVariable(std::string_view inside) {
  if (inside == "*" || inside == "?" || inside == "$") {  // ${*} is how a document writes a star
    AppendBytes(inside, codes_);
    return {};
  }
  Variable variable;
  const auto comma = inside.find(',');
  variable.key = inside.substr(0, comma);
  std::transform(variable.key.begin(), variable.key.end(), variable.key.begin(),
                 [](char c) { return static_cast<char>(Lower(static_cast<unsigned char>(c))); });
  if (variable.key.empty() || variable.key.find(':') == std::string::npos) {
    return base::Fail(base::Code::kInvalidArgument,
                      "not a policy variable: \"${" + std::string(inside) + "}\"");
  }
  if (comma != std::string_view::npos) {  // ${aws:username, 'nobody'}
    std::string_view rest = inside.substr(comma + 1);
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
    if (rest.size() < 2 || rest.front() != '\'' || rest.back() != '\'') {
      return base::Fail(base::Code::kInvalidArgument,
                        "the default of a policy variable must stand in single quotes: \"${" +
                            std::string(inside) + "}\"");
    }
    variable.fallback = rest.substr(1, rest.size() - 2);
    variable.has_fallback = true;
  }
  codes_.push_back(static_cast<uint16_t>(kVariable + variables_.size()));
  variables_.push_back(std::move(variable));
  return {};
}

bool PolicyPattern::Expand(const PolicyContext& context, std::vector<uint16_t>& codes) const {
  std::vector<std::string> values;
  for (const uint16_t code : codes_) {
    if (code < kVariable) {
      codes.push_back(code);
      continue;
    }
    const Variable& variable = variables_[code - kVariable];
    values.clear();
    context.Lookup(variable.key, values);
    if (values.size() == 1) {
      AppendBytes(values[0], codes);
    } else if (variable.has_fallback) {
      AppendBytes(variable.fallback, codes);
    } else {
      return false;
    }
  }
  return true;
}

bool PolicyPattern::MatchWith(std::string_view subject, const PolicyContext& context,
                              bool ignore_case) const {
  if (variables_.empty()) return Glob(codes_, subject, kAnyOne, kAnyRun, ignore_case);
  std::vector<uint16_t> codes;
  return Expand(context, codes) && Glob(codes, subject, kAnyOne, kAnyRun, ignore_case);
}

bool PolicyPattern::Matches(std::string_view subject, const PolicyContext& context) const {
  return matches_all() || MatchWith(subject, context, false);
}

bool PolicyPattern::MatchesIgnoringCase(std::string_view subject,
                                        const PolicyContext& context) const {
  return matches_all() || MatchWith(subject, context, true);
}

}  // namespace millstream::aws
