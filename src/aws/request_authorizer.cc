#include "aws/request_authorizer.h"

#include <algorithm>

#include "aws/arn.h"
#include "base/logging.h"

namespace millstream::aws {

PolicyDocumentPtr ResourcePolicyCache::Find(const std::string& json) {
  const std::lock_guard lock(mutex_);
  if (const auto found = policies_.find(json); found != policies_.end()) return found->second;
  if (policies_.size() >= kEntriesMax) policies_.clear();
  auto parsed = PolicyDocument::Parse(json, PolicyKind::kResource);
  if (!parsed) {
    LOG_ERROR("stored resource policy is not valid", {"error", parsed.error().message()});
    return nullptr;
  }
  policies_.emplace(json, *parsed);
  return *parsed;
}

std::optional<ServiceError> RequestAuthorizer::Authorize(const Call& call, std::string_view action,
                                                         std::string_view resource_arn) const {
  // A fast path that asks and then declines is followed by the generic path asking the same.
  if (audit_ != nullptr && resource_arn != "*" &&
      std::find(audit_->resources.begin(), audit_->resources.end(), resource_arn) ==
          audit_->resources.end()) {
    audit_->resources.emplace_back(resource_arn);
  }
  if (key_ == nullptr) return std::nullopt;

  ArnView arn;
  const std::string_view owner = ParseArn(resource_arn, arn) ? arn.account : std::string_view();
  const bool own = owner.empty() || owner == key_->account_id;
  const auto policy_text = service_.ResourcePolicy(resource_arn);
  if (own && key_->policies.empty() && !policy_text) return std::nullopt;

  PolicyDocumentPtr resource_policy;
  if (policy_text) {
    resource_policy = cache_.Find(*policy_text);
    // What cannot be read may have been a deny.
    if (resource_policy == nullptr) {
      return AccessDeniedException(AccessDeniedMessage(PolicyDecision::kDeniedByResourcePolicy,
                                                       call.principal_arn, action, resource_arn));
    }
  }
  const auto stored_tags = service_.ResourceTags(resource_arn);
  std::vector<PolicyTag> resource_tags;
  for (const auto& [name, value] : stored_tags) resource_tags.push_back({name, value});

  PolicyContext context;
  context.action = action;
  context.resource = resource_arn;
  context.principal_arn = key_->principal_arn;
  context.principal_account = key_->account_id;
  context.user_id = key_->access_key_id;
  context.user_name = key_->user_name();
  context.source_ip = call.source_ip;
  context.user_agent = call.user_agent;
  context.requested_region = call.region;
  context.secure_transport = call.tls;
  context.now_ms = call.now_ms;
  context.resource_tags = resource_tags;
  context.request_tags = request_tags_;
  const PolicyIdentity identity{key_->policies, key_->policies.empty()};
  const PolicyDecision decision = DecidePolicy(identity, resource_policy.get(), owner, context);
  if (decision == PolicyDecision::kAllowed) return std::nullopt;
  return AccessDeniedException(
      AccessDeniedMessage(decision, key_->principal_arn, action, resource_arn));
}

std::string_view ActionPrefix(std::string_view signing_name) {
  return signing_name == "monitoring" ? "cloudwatch" : signing_name;
}

}  // namespace millstream::aws
