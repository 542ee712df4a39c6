#pragma once

#include <atomic>
#include <string>

#include "aws/fault_plan.h"
#include "base/executor.h"
#include "base/function.h"
#include "http/message.h"

namespace millstream::server {

// What the port answers beside AWS:
//
//   GET  /health/live         200 while the process answers at all
//   GET  /health/ready        200 when it serves; 503 with the reason before, while stopping, and
//                             after the log was sealed
//   GET  /metrics             Prometheus
//   PUT  /_millstream/faults  replaces the fault rules: a JSON list of objects like [[fault]];
//                             loopback only
//
// Handle() runs on connection loops and does not block: the metrics page is made by a Job.
class OwnPaths final : public http::Handler {
 public:
  // Empty when ready, else why not. Any thread.
  using Readiness = base::Function<std::string()>;
  OwnPaths(base::JobPool& jobs, aws::RuleFaultPlan& faults) : jobs_(jobs), faults_(faults) {}

  // Before the first request.
  void SetReadiness(Readiness readiness) { readiness_ = std::move(readiness); }
  void SetMetrics(base::Function<std::string()> metrics) { metrics_ = std::move(metrics); }

  void Handle(http::Request request, http::Responder responder) override;

 private:
  void AnswerMetrics(http::Responder responder);
  void ReplaceFaults(const http::Request& request, http::Responder responder);

  base::JobPool& jobs_;
  aws::RuleFaultPlan& faults_;
  Readiness readiness_;
  base::Function<std::string()> metrics_;
};

// Rules from the JSON that PUT /_millstream/faults takes.
base::Result<std::vector<aws::FaultRule>> ParseFaultRules(std::string_view json);

}  // namespace millstream::server
