#include "aws/policy_condition.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "aws/policy_context.h"
#include "codec/time_format.h"

namespace millstream::aws {
namespace {

using base::Code;
using base::Fail;

bool ParseNumber(const std::string& text, double& number) {
  if (text.empty() || text.find_first_not_of("+-.0123456789eE") != std::string::npos) return false;
  char* end = nullptr;
  number = std::strtod(text.c_str(), &end);
  return end == text.c_str() + text.size();
}

// ISO 8601 or epoch seconds.
bool ParseDate(const std::string& text, double& epoch_ms) {
  if (text.find('-', 1) == std::string::npos) {
    if (!ParseNumber(text, epoch_ms)) return false;
    epoch_ms *= 1000;
    return true;
  }
  const auto parsed = codec::ParseIso8601(text);
  if (!parsed) return false;
  epoch_ms = static_cast<double>(*parsed);
  return true;
}

// Six parts of an ARN; the sixth keeps its colons.
bool SplitArn(std::string_view text, std::string_view (&parts)[6]) {
  for (int i = 0; i < 5; ++i) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return false;
    parts[i] = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  parts[5] = text;
  return true;
}

bool TakePrefix(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool TakeSuffix(std::string_view& text, std::string_view suffix) {
  if (text.size() < suffix.size() || text.substr(text.size() - suffix.size()) != suffix) {
    return false;
  }
  text.remove_suffix(suffix.size());
  return true;
}

}  // namespace

struct PolicyCondition::OperatorName {
  std::string_view name;
  Type type;
  Order order;
  bool negated;
  bool wildcards;
};

base::Result<PolicyCondition> PolicyCondition::Parse(std::string_view op, std::string_view key,
                                                     const PolicyJson& value, bool variables) {
  static constexpr OperatorName kOperators[] = {
      {"StringEquals", Type::kString, Order::kEqual, false, false},
      {"StringNotEquals", Type::kString, Order::kEqual, true, false},
      {"StringEqualsIgnoreCase", Type::kStringIgnoreCase, Order::kEqual, false, false},
      {"StringNotEqualsIgnoreCase", Type::kStringIgnoreCase, Order::kEqual, true, false},
      {"StringLike", Type::kString, Order::kEqual, false, true},
      {"StringNotLike", Type::kString, Order::kEqual, true, true},
      {"NumericEquals", Type::kNumeric, Order::kEqual, false, false},
      {"NumericNotEquals", Type::kNumeric, Order::kEqual, true, false},
      {"NumericLessThan", Type::kNumeric, Order::kLess, false, false},
      {"NumericLessThanEquals", Type::kNumeric, Order::kLessOrEqual, false, false},
      {"NumericGreaterThan", Type::kNumeric, Order::kGreater, false, false},
      {"NumericGreaterThanEquals", Type::kNumeric, Order::kGreaterOrEqual, false, false},
      {"DateEquals", Type::kDate, Order::kEqual, false, false},
      {"DateNotEquals", Type::kDate, Order::kEqual, true, false},
      {"DateLessThan", Type::kDate, Order::kLess, false, false},
      {"DateLessThanEquals", Type::kDate, Order::kLessOrEqual, false, false},
      {"DateGreaterThan", Type::kDate, Order::kGreater, false, false},
      {"DateGreaterThanEquals", Type::kDate, Order::kGreaterOrEqual, false, false},
      {"Bool", Type::kBool, Order::kEqual, false, false},
      {"IpAddress", Type::kIp, Order::kEqual, false, false},
      {"NotIpAddress", Type::kIp, Order::kEqual, true, false},
      {"ArnEquals", Type::kArn, Order::kEqual, false, true},
      {"ArnLike", Type::kArn, Order::kEqual, false, true},
      {"ArnNotEquals", Type::kArn, Order::kEqual, true, true},
      {"ArnNotLike", Type::kArn, Order::kEqual, true, true},
      {"Null", Type::kNull, Order::kEqual, false, false},
  };
  PolicyCondition condition;
  std::string_view name = op;
  if (TakePrefix(name, "ForAllValues:")) {
    condition.quantifier_ = Quantifier::kForAllValues;
  } else if (TakePrefix(name, "ForAnyValue:")) {
    condition.quantifier_ = Quantifier::kForAnyValue;
  }
  condition.if_exists_ = TakeSuffix(name, "IfExists");
  const auto* found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                   [name](const OperatorName& o) { return o.name == name; });
  if (found == std::end(kOperators) || (condition.if_exists_ && found->type == Type::kNull)) {
    return Fail(Code::kInvalidArgument, "not a condition operator: \"" + std::string(op) + "\"");
  }
  condition.type_ = found->type;
  condition.order_ = found->order;
  condition.negated_ = found->negated;
  condition.key_ = key;
  std::transform(condition.key_.begin(), condition.key_.end(), condition.key_.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (key.find(':') == std::string_view::npos) {
    return Fail(Code::kInvalidArgument,
                "condition key without a prefix such as \"aws:\": \"" + std::string(key) + "\"");
  }
  if (value.kind == PolicyJson::Kind::kArray) {
    for (const PolicyJson& item : value.items) {
      TRY(condition.AddValue(item, found->wildcards, variables));
    }
  } else {
    TRY(condition.AddValue(value, found->wildcards, variables));
  }
  return condition;
}

base::Status PolicyCondition::AddValue(const PolicyJson& value, bool wildcards, bool variables) {
  if (value.kind == PolicyJson::Kind::kObject || value.kind == PolicyJson::Kind::kArray ||
      value.kind == PolicyJson::Kind::kNull) {
    return Fail(Code::kInvalidArgument, "must be a string or a list of strings");
  }
  const std::string& text = value.text;
  const auto use = wildcards ? PolicyPattern::Wildcards::kYes : PolicyPattern::Wildcards::kNo;
  switch (type_) {
    case Type::kString:
    case Type::kStringIgnoreCase: {
      ASSIGN_OR_RETURN(auto pattern, PolicyPattern::Compile(text, use, variables));
      patterns_.push_back(std::move(pattern));
      return {};
    }
    case Type::kNumeric:
    case Type::kDate: {
      double number = 0;
      if (type_ == Type::kNumeric ? !ParseNumber(text, number) : !ParseDate(text, number)) {
        return Fail(
            Code::kInvalidArgument,
            std::string(type_ == Type::kNumeric ? "not a number: \"" : "not an ISO 8601 date: \"") +
                text + "\"");
      }
      numbers_.push_back(number);
      return {};
    }
    case Type::kBool:
    case Type::kNull:
      if (text != "true" && text != "false") {
        return Fail(Code::kInvalidArgument,
                    "must be \"true\" or \"false\", found \"" + text + "\"");
      }
      booleans_.push_back(text == "true");
      return {};
    case Type::kIp: {
      Network network;
      if (!ParseNetwork(text, network)) {
        return Fail(Code::kInvalidArgument, "not an IP address or CIDR range: \"" + text + "\"");
      }
      networks_.push_back(network);
      return {};
    }
    case Type::kArn: {
      std::vector<PolicyPattern> parts;
      std::string_view texts[6];
      if (text == "*") {
        for (auto& part : texts) part = "*";
      } else if (!SplitArn(text, texts)) {
        return Fail(Code::kInvalidArgument, "not an ARN: \"" + text + "\"");
      }
      for (const std::string_view part : texts) {
        ASSIGN_OR_RETURN(auto pattern, PolicyPattern::Compile(part, use, variables));
        parts.push_back(std::move(pattern));
      }
      arn_patterns_.push_back(std::move(parts));
      return {};
    }
  }
  return {};
}

bool PolicyCondition::ParseNetwork(std::string_view text, Network& network) {
  const auto slash = text.find('/');
  const std::string address(text.substr(0, slash));
  in_addr v4;
  bool is_v4 = false;
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1) {
    is_v4 = true;
    std::memset(network.address, 0, 10);
    network.address[10] = network.address[11] = 0xFF;
    std::memcpy(network.address + 12, &v4, 4);
  } else if (inet_pton(AF_INET6, address.c_str(), network.address) != 1) {
    return false;
  }
  network.bits = 128;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    int bits = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc() || end != digits.data() + digits.size() || bits < 0 ||
        bits > (is_v4 ? 32 : 128)) {
      return false;
    }
    network.bits = is_v4 ? 96 + bits : bits;
  }
  return true;
}

bool PolicyCondition::InOrder(double subject, double operand) const {
  switch (order_) {
    case Order::kEqual:
      return subject == operand;
    case Order::kLess:
      return subject < operand;
    case Order::kLessOrEqual:
      return subject <= operand;
    case Order::kGreater:
      return subject > operand;
    case Order::kGreaterOrEqual:
      return subject >= operand;
  }
  return false;
}

bool PolicyCondition::MatchesAny(const std::string& subject, const PolicyContext& context) const {
  const auto any = [](const auto& values, auto&& matches) {
    return std::any_of(values.begin(), values.end(), matches);
  };
  switch (type_) {
    case Type::kString:
      return any(patterns_, [&](const auto& p) { return p.Matches(subject, context); });
    case Type::kStringIgnoreCase:
      return any(patterns_, [&](const auto& p) { return p.MatchesIgnoringCase(subject, context); });
    case Type::kNumeric:
    case Type::kDate: {
      double number = 0;
      if (type_ == Type::kNumeric ? !ParseNumber(subject, number) : !ParseDate(subject, number)) {
        return false;
      }
      return any(numbers_, [&](double operand) { return InOrder(number, operand); });
    }
    case Type::kBool:
      return any(booleans_, [&](bool b) { return subject == (b ? "true" : "false"); });
    case Type::kIp: {
      Network address;
      if (!ParseNetwork(subject, address) || subject.find('/') != std::string::npos) return false;
      return any(networks_, [&](const Network& network) {
        for (int bit = 0; bit < network.bits; bit += 8) {
          const int count = std::min(8, network.bits - bit);
          const int mask = 0xFF00 >> count & 0xFF;
          if (((network.address[bit / 8] ^ address.address[bit / 8]) & mask) != 0) return false;
        }
        return true;
      });
    }
    case Type::kArn: {
      std::string_view parts[6];
      if (!SplitArn(subject, parts)) return false;
      return any(arn_patterns_, [&](const std::vector<PolicyPattern>& patterns) {
        for (std::size_t i = 0; i < 6; ++i) {
          if (!patterns[i].Matches(parts[i], context)) return false;
        }
        return true;
      });
    }
    case Type::kNull:
      return false;
  }
  return false;
}

bool PolicyCondition::Holds(const PolicyContext& context) const {
  std::vector<std::string> values;
  context.Lookup(key_, values);
  if (type_ == Type::kNull) {
    return std::find(booleans_.begin(), booleans_.end(), values.empty()) != booleans_.end();
  }
  const auto matches = [&](const std::string& value) {
    return MatchesAny(value, context) != negated_;
  };
  if (quantifier_ == Quantifier::kForAllValues) {
    return std::all_of(values.begin(), values.end(), matches);
  }
  if (values.empty()) {
    if (if_exists_) return true;
    return quantifier_ == Quantifier::kNone && negated_;
  }
  if (quantifier_ == Quantifier::kForAnyValue) {
    return std::any_of(values.begin(), values.end(), matches);
  }
  // A key with several values and no quantifier: any may match, and for a negated operator none.
  const bool any = std::any_of(values.begin(), values.end(), [&](const std::string& value) {
    return MatchesAny(value, context);
  });
  return any != negated_;
}

}  // namespace millstream::aws
