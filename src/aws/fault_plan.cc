#include "aws/fault_plan.h"

namespace millstream::aws {
namespace {

constexpr int64_t kDelayMsMax = 600'000;

bool Covers(std::string_view rule, std::string_view name) { return rule == "*" || rule == name; }

// 500 and 503 for the codes that AWS answers so, else 400.
int StatusOf(std::string_view code) {
  if (code.substr(0, 8) == "Internal") return 500;
  return code.substr(0, 18) == "ServiceUnavailable" ? 503 : 400;
}

ServiceError MakeError(const FaultRule& rule) {
  ServiceError error;
  error.code = rule.error_code;
  error.message = rule.error_message;
  error.http_status = StatusOf(rule.error_code);
  error.fault = error.http_status >= 500 ? Fault::kServer : Fault::kClient;
  return error;
}

}  // namespace

base::Status RuleFaultPlan::SetRules(std::vector<FaultRule> rules) {
  for (const FaultRule& rule : rules) {
    const std::string which = " of the fault rule for " + rule.service + ":" + rule.operation;
    if (!(rule.probability >= 0 && rule.probability <= 1)) {
      return base::Fail(
          base::Code::kInvalidArgument,
          "probability" + which + " must be 0 to 1, found " + std::to_string(rule.probability));
    }
    if (rule.delay_ms < 0 || rule.delay_ms > kDelayMsMax) {
      return base::Fail(
          base::Code::kInvalidArgument,
          "delay" + which + " must be 0 to 600000 ms, found " + std::to_string(rule.delay_ms));
    }
  }
  const std::lock_guard lock(mutex_);
  any_ = !rules.empty();
  rules_ = std::move(rules);
  return {};
}

std::optional<InjectedFault> RuleFaultPlan::Next(const Call& call) {
  if (!any_.load(std::memory_order_relaxed)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  for (FaultRule& rule : rules_) {
    if (rule.times == 0 || !Covers(rule.service, call.service) ||
        !Covers(rule.operation, call.operation)) {
      continue;
    }
    constexpr uint64_t kSteps = uint64_t{1} << 32;
    if (rule.probability < 1 && static_cast<double>(random_.Below(kSteps)) >=
                                    rule.probability * static_cast<double>(kSteps)) {
      continue;
    }
    if (rule.times > 0) --rule.times;
    InjectedFault fault;
    fault.delay_ns = rule.delay_ms * 1'000'000;
    if (!rule.error_code.empty()) fault.error = MakeError(rule);
    return fault;
  }
  return std::nullopt;
}

}  // namespace millstream::aws
