#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "aws/audit.h"
#include "aws/credentials.h"
#include "aws/fault_plan.h"
#include "aws/front_door_metrics.h"
#include "aws/service.h"
#include "aws/sigv4.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "http/message.h"

namespace millstream::aws {

class CallReply;
class ResourcePolicyCache;

struct FrontDoorOptions {
  std::string default_region = "us-east-1";      // of unsigned calls
  std::string default_account = "000000000000";  // of open mode; see AccountInOpenMode
  // Open mode only: take calls without any signature too. AWS answers them with
  // MissingAuthenticationTokenException, and so do we by default.
  bool allow_unsigned = false;
  SigV4Options signatures;
};

// Everything between HTTP and a service: which operation is called and in which encoding, by whom,
// and whether that is allowed; then the answer's headers, errors in the request's encoding, audit
// and metrics. The order of the checks and the texts are AWS's (src/aws/README.md).
//
// Handle() runs on connection loops, several at a time; it does not block. Set up (Register,
// Set...) before the first request. Must outlive the answers: stop the server and the services
// first.
class FrontDoor final : public http::Handler {
 public:
  // `own_paths` gets what is not AWS: /health, /health/..., /metrics, /_millstream/...
  FrontDoor(base::Clock& clock, base::Random& random, const CredentialStore& credentials,
            http::Handler& own_paths, FrontDoorOptions options);
  ~FrontDoor() override;
  FrontDoor(const FrontDoor&) = delete;

  // The service must outlive this. Fails for a protocol that is not built and for a target prefix
  // that is taken.
  base::Status Register(Service& service);

  // Optional; null (the default) costs nothing.
  void SetFaultPlan(FaultPlan* plan) { faults_ = plan; }
  void SetAuditSink(AuditSink* sink) { audit_ = sink; }

  void Handle(http::Request request, http::Responder responder) override;

  const FrontDoorMetrics& metrics() const { return metrics_; }
  // Of a registered service's operation; null when there is none such.
  const OperationMetrics* metrics(std::string_view service, std::string_view operation) const;
  // aws_requests_total{service,operation}, aws_errors_total{...,code}, aws_request_seconds{...};
  // operations that were never called are left out.
  void WriteMetrics(base::MetricsPage& page) const;

 private:
  struct Registered;
  struct Route;
  struct Pending;

  Route FindRoute(const http::Request& request, const RequestHeaders& headers) const;
  // Each step answers and returns false, or leaves the call to the next one.
  bool PassCors(Pending& pending);
  bool PassProtocol(Pending& pending);
  bool PassAuthentication(Pending& pending);
  bool PassFaults(Pending& pending);
  void Dispatch(Pending& pending);

  bool RefuseWithXml(Pending& pending, int status, std::string_view type, std::string_view message);
  bool RefuseWithoutPost(Pending& pending);
  bool Refuse(Pending& pending, ServiceError error);
  void AcceptAnyone(Pending& pending, const SignatureParts& parts) const;
  std::unique_ptr<AuditEvent> NewAuditEvent(const Pending& pending) const;
  std::unique_ptr<CallReply> NewReply(Pending& pending);

  base::Clock& clock_;
  base::Random& random_;
  const CredentialStore& credentials_;
  http::Handler& own_paths_;
  const FrontDoorOptions options_;
  const SigV4Verifier verifier_;
  FaultPlan* faults_ = nullptr;
  AuditSink* audit_ = nullptr;
  std::vector<std::unique_ptr<Registered>> services_;
  std::unique_ptr<ResourcePolicyCache> resource_policies_;
  FrontDoorMetrics metrics_;
};

}  // namespace millstream::aws
