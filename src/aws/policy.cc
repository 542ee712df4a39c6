#include "aws/policy.h"

#include <algorithm>

#include "aws/arn.h"

namespace millstream::aws {
namespace {

// A role's ARN in a policy also means its sessions: arn:aws:iam::A:role/path/R allows
// arn:aws:sts::A:assumed-role/R/session.
bool IsSessionOfRole(std::string_view role_arn, std::string_view session_arn) {
  ArnView role, session;
  constexpr std::string_view kRole = "role/", kAssumed = "assumed-role/";
  if (!ParseArn(role_arn, role) || !ParseArn(session_arn, session) || role.service != "iam" ||
      session.service != "sts" || role.account != session.account ||
      role.resource.substr(0, kRole.size()) != kRole ||
      session.resource.substr(0, kAssumed.size()) != kAssumed) {
    return false;
  }
  const std::string_view role_name = role.resource.substr(role.resource.rfind('/') + 1);
  const std::string_view rest = session.resource.substr(kAssumed.size());
  return rest.substr(0, rest.find('/')) == role_name;
}

template <typename T>
bool Contains(const std::vector<T>& values, std::string_view wanted) {
  return std::any_of(values.begin(), values.end(),
                     [wanted](const T& value) { return value == wanted; });
}

}  // namespace

PolicyMatch PolicyDocument::MatchPrincipal(const Statement& statement,
                                           const PolicyContext& context) {
  if (!statement.has_principal) return PolicyMatch::kAllow;
  const Principals& principals = statement.principals;
  PolicyMatch match = PolicyMatch::kNone;
  const std::string_view arn = context.principal_arn;
  if (principals.anyone ||
      (!context.service_principal.empty() &&
       Contains(principals.services, context.service_principal)) ||
      (!arn.empty() &&
       std::any_of(principals.arns.begin(), principals.arns.end(), [arn](const std::string& named) {
         return named == arn || IsSessionOfRole(named, arn);
       }))) {
    match = PolicyMatch::kAllow;
  } else if (!context.principal_account.empty() &&
             Contains(principals.accounts, context.principal_account)) {
    match = PolicyMatch::kAllowAccount;
  }
  if (!statement.not_principal) return match;
  return match == PolicyMatch::kNone ? PolicyMatch::kAllow : PolicyMatch::kNone;
}

PolicyMatch PolicyDocument::EvaluateStatement(const Statement& statement,
                                              const PolicyContext& context) {
  const bool action = std::any_of(statement.actions.begin(), statement.actions.end(),
                                  [&](const PolicyPattern& pattern) {
                                    return pattern.MatchesIgnoringCase(context.action, context);
                                  });
  if (action == statement.not_action) return PolicyMatch::kNone;
  const bool resource = std::any_of(
      statement.resources.begin(), statement.resources.end(),
      [&](const PolicyPattern& pattern) { return pattern.Matches(context.resource, context); });
  if (resource == statement.not_resource) return PolicyMatch::kNone;
  const PolicyMatch principal = MatchPrincipal(statement, context);
  if (principal == PolicyMatch::kNone) return PolicyMatch::kNone;
  for (const PolicyCondition& condition : statement.conditions) {
    if (!condition.Holds(context)) return PolicyMatch::kNone;
  }
  return statement.allow ? principal : PolicyMatch::kDeny;
}

PolicyMatch PolicyDocument::Evaluate(const PolicyContext& context) const {
  PolicyMatch result = PolicyMatch::kNone;
  for (const Statement& statement : statements_) {
    result = std::max(result, EvaluateStatement(statement, context));
    if (result == PolicyMatch::kDeny) break;
  }
  return result;
}

PolicyDecision DecidePolicy(const PolicyIdentity& identity, const PolicyDocument* resource_policy,
                            std::string_view resource_account, const PolicyContext& context) {
  PolicyMatch by_identity = identity.unrestricted ? PolicyMatch::kAllow : PolicyMatch::kNone;
  for (const PolicyDocumentPtr& policy : identity.policies) {
    by_identity = std::max(by_identity, policy->Evaluate(context));
  }
  if (by_identity == PolicyMatch::kDeny) return PolicyDecision::kDeniedByIdentityPolicy;
  const PolicyMatch by_resource =
      resource_policy == nullptr ? PolicyMatch::kNone : resource_policy->Evaluate(context);
  if (by_resource == PolicyMatch::kDeny) return PolicyDecision::kDeniedByResourcePolicy;

  const bool identity_allows = by_identity != PolicyMatch::kNone;
  if (resource_account.empty() || resource_account == context.principal_account) {
    // Naming the account only delegates to its identity policies; naming the caller grants.
    if (identity_allows || by_resource == PolicyMatch::kAllow) return PolicyDecision::kAllowed;
    return PolicyDecision::kNoIdentityPolicy;
  }
  if (by_resource == PolicyMatch::kNone) return PolicyDecision::kNoResourcePolicy;
  // A service principal has no identity policies: the resource's owner decides alone.
  if (identity_allows || !context.service_principal.empty()) return PolicyDecision::kAllowed;
  return PolicyDecision::kNoIdentityPolicy;
}

std::string AccessDeniedMessage(PolicyDecision decision, std::string_view principal_arn,
                                std::string_view action, std::string_view resource) {
  std::string message = "User: ";
  message.append(principal_arn).append(" is not authorized to perform: ").append(action);
  message.append(" on resource: ").append(resource);
  const auto no_policy = [&](std::string_view kind) {
    message.append(" because no ").append(kind).append(" policy allows the ");
    message.append(action).append(" action");
  };
  switch (decision) {
    case PolicyDecision::kAllowed:
      break;
    case PolicyDecision::kNoIdentityPolicy:
      no_policy("identity-based");
      break;
    case PolicyDecision::kNoResourcePolicy:
      no_policy("resource-based");
      break;
    case PolicyDecision::kDeniedByIdentityPolicy:
      message += " with an explicit deny in an identity-based policy";
      break;
    case PolicyDecision::kDeniedByResourcePolicy:
      message += " with an explicit deny in a resource-based policy";
      break;
  }
  return message;
}

}  // namespace millstream::aws
