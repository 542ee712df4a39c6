#pragma once

#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "aws/audit.h"
#include "aws/call.h"
#include "aws/credentials.h"
#include "aws/policy.h"
#include "aws/service.h"

namespace millstream::aws {

// Resource policies by their text, parsed once. Thread-safe.
class ResourcePolicyCache {
 public:
  // Null when the text is no policy; it was checked when it was put, so that is logged.
  PolicyDocumentPtr Find(const std::string& json);

 private:
  static constexpr std::size_t kEntriesMax = 1024;  // then it starts afresh
  std::mutex mutex_;
  std::unordered_map<std::string, PolicyDocumentPtr> policies_;  // guarded by mutex_
};

// Decides for the caller of one request; lives on the stack beside the Call.
class RequestAuthorizer final : public Authorizer {
 public:
  // `key` is null in open mode: then everything is allowed, and only `audit` learns the resource.
  RequestAuthorizer(const Service& service, ResourcePolicyCache& cache, const AccessKey* key,
                    AuditEvent* audit)
      : service_(service), cache_(cache), key_(key), audit_(audit) {}

  std::optional<ServiceError> Authorize(const Call& call, std::string_view action,
                                        std::string_view resource_arn) const override;

  // For aws:RequestTag/... conditions; borrowed.
  void SetRequestTags(std::span<const PolicyTag> tags) { request_tags_ = tags; }
  bool needs_request_tags() const { return key_ != nullptr && !key_->policies.empty(); }

 private:
  const Service& service_;
  ResourcePolicyCache& cache_;
  const AccessKey* key_;
  AuditEvent* audit_;
  std::span<const PolicyTag> request_tags_;
};

// "kinesis" is "kinesis", but CloudWatch signs as "monitoring" and its actions are
// "cloudwatch:...".
std::string_view ActionPrefix(std::string_view signing_name);

}  // namespace millstream::aws
