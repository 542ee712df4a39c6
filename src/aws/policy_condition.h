#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "aws/policy_json.h"
#include "aws/policy_pattern.h"
#include "base/result.h"

namespace millstream::aws {

struct PolicyContext;

// One line of a Condition block: an operator, a key and the values it is compared to. Immutable.
//
// As in IAM: several values are alternatives (for a negated operator none of them may match); a key
// that the request does not have fails a positive operator and passes a negated one; ...IfExists
// passes it; ForAllValues passes an absent key, ForAnyValue fails it.
class PolicyCondition {
 public:
  // `op` is "StringEquals", "ForAllValues:StringLikeIfExists", ...; `value` a scalar or a list.
  // The error names what is wrong; the caller knows where.
  static base::Result<PolicyCondition> Parse(std::string_view op, std::string_view key,
                                             const PolicyJson& value, bool variables);

  bool Holds(const PolicyContext& context) const;

 private:
  enum class Type : uint8_t {
    kString,
    kStringIgnoreCase,
    kNumeric,
    kDate,
    kBool,
    kIp,
    kArn,
    kNull
  };
  enum class Order : uint8_t { kEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };
  enum class Quantifier : uint8_t { kNone, kForAllValues, kForAnyValue };
  struct OperatorName;

  struct Network {
    unsigned char address[16];  // IPv4 as ::ffff:a.b.c.d
    int bits;                   // of 128
  };

  static bool ParseNetwork(std::string_view text, Network& network);
  base::Status AddValue(const PolicyJson& value, bool wildcards, bool variables);
  bool MatchesAny(const std::string& subject, const PolicyContext& context) const;
  bool InOrder(double subject, double operand) const;

  Type type_ = Type::kString;
  Order order_ = Order::kEqual;
  Quantifier quantifier_ = Quantifier::kNone;
  bool negated_ = false;
  bool if_exists_ = false;
  std::string key_;                                       // lower case
  std::vector<PolicyPattern> patterns_;                   // kString...
  std::vector<std::vector<PolicyPattern>> arn_patterns_;  // kArn: six parts each
  std::vector<double> numbers_;                           // kNumeric, kDate (epoch ms)
  std::vector<Network> networks_;                         // kIp
  std::vector<bool> booleans_;                            // kBool, kNull
};

}  // namespace millstream::aws
