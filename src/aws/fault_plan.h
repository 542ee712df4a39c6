#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aws/call.h"
#include "aws/error.h"
#include "base/random.h"
#include "base/result.h"

namespace millstream::aws {

// What is to go wrong with one call: a delay, an error, or both.
struct InjectedFault {
  int64_t delay_ns = 0;
  std::optional<ServiceError> error;
};

// Faults on demand, for tests of clients. Asked once per authenticated call, on its loop.
// Thread-safe; must not block.
class FaultPlan {
 public:
  virtual ~FaultPlan() = default;
  virtual std::optional<InjectedFault> Next(const Call& call) = 0;
};

// One rule of the usual plan: which calls, how often, what.
struct FaultRule {
  std::string service = "*";    // signing name, or "*"
  std::string operation = "*";  // "PutRecords", or "*"
  double probability = 1.0;     // 0 to 1, drawn per call
  int64_t times = -1;           // ends after so many faults; -1: never
  int64_t delay_ms = 0;
  // Code of the error; empty: a delay only. Status 500 for Internal..., 503 for
  // ServiceUnavailable..., else 400.
  std::string error_code;
  std::string error_message;
};

// Rules in order; the first that matches and is drawn decides. Rules may be replaced at run time.
class RuleFaultPlan final : public FaultPlan {
 public:
  explicit RuleFaultPlan(base::Random& random) : random_(random) {}

  // Rejects probabilities outside 0..1 and delays outside 0..600,000 ms; then nothing changes.
  base::Status SetRules(std::vector<FaultRule> rules);

  std::optional<InjectedFault> Next(const Call& call) override;

 private:
  base::Random& random_;
  std::atomic<bool> any_{false};  // whether rules_ is worth its mutex
  std::mutex mutex_;
  std::vector<FaultRule> rules_;  // guarded by mutex_
};

}  // namespace millstream::aws
