#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millstream::aws {

struct PolicyContext;

// A string of a policy: text with the wildcards * and ? and, in documents of version 2012-10-17,
// variables such as ${aws:username}. What a variable stands for is matched literally: a user named
// "*" gains nothing. Immutable.
class PolicyPattern {
 public:
  enum class Wildcards { kYes, kNo };  // kNo: * and ? stand for themselves (StringEquals)

  static base::Result<PolicyPattern> Compile(std::string_view text, Wildcards wildcards,
                                             bool variables);

  // False also when a variable has no value and no default.
  bool Matches(std::string_view subject, const PolicyContext& context) const;
  bool MatchesIgnoringCase(std::string_view subject, const PolicyContext& context) const;

  // True for "*": matches everything, without looking.
  bool matches_all() const { return codes_.size() == 1 && codes_[0] == kAnyRun; }
  const std::string& text() const { return text_; }

 private:
  // Codes above the bytes. A variable is kVariable + its index in variables_.
  static constexpr uint16_t kAnyOne = 256;
  static constexpr uint16_t kAnyRun = 257;
  static constexpr uint16_t kVariable = 258;

  struct Variable {
    std::string key;  // lower case
    std::string fallback;
    bool has_fallback = false;
  };

  base::Status AddVariable(std::string_view inside);
  bool Expand(const PolicyContext& context, std::vector<uint16_t>& codes) const;
  bool MatchWith(std::string_view subject, const PolicyContext& context, bool ignore_case) const;

  std::string text_;
  std::vector<uint16_t> codes_;
  std::vector<Variable> variables_;
};

}  // namespace millstream::aws
