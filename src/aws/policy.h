#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aws/policy_condition.h"
#include "aws/policy_context.h"
#include "aws/policy_pattern.h"
#include "base/result.h"

// IAM policy documents: parsed once, evaluated per call. No I/O; everything here is immutable and
// may be used by any thread.
namespace millstream::aws {

enum class PolicyKind : uint8_t {
  kIdentity,  // attached to an access key: no Principal
  kResource,  // attached to a stream: Principal says whom it is about
};

// What one document says about one request. An explicit deny wins over everything.
enum class PolicyMatch : uint8_t {
  kNone,
  kAllowAccount,  // allowed by naming the caller's whole account: trusts its identity policies
  kAllow,
  kDeny,
};

class PolicyDocument {
 public:
  // Errors say what and where: "line 3, column 12: Statement[0].Effect must be \"Allow\" or
  // \"Deny\", found \"allow\"".
  static base::Result<std::shared_ptr<const PolicyDocument>> Parse(std::string_view json,
                                                                   PolicyKind kind);

  PolicyMatch Evaluate(const PolicyContext& context) const;

 private:
  friend class PolicyParser;

  struct Principals {
    bool anyone = false;                // "*"
    std::vector<std::string> accounts;  // twelve digits, or arn:aws:iam::ACCOUNT:root
    std::vector<std::string> arns;      // users, roles, role sessions
    std::vector<std::string> services;  // firehose.amazonaws.com
  };
  struct Statement {
    bool allow = false;
    bool has_principal = false;
    bool not_principal = false;
    bool not_action = false;
    bool not_resource = false;
    Principals principals;
    std::vector<PolicyPattern> actions;
    std::vector<PolicyPattern> resources;
    std::vector<PolicyCondition> conditions;
  };

  static PolicyMatch MatchPrincipal(const Statement& statement, const PolicyContext& context);
  static PolicyMatch EvaluateStatement(const Statement& statement, const PolicyContext& context);

  std::vector<Statement> statements_;
};

using PolicyDocumentPtr = std::shared_ptr<const PolicyDocument>;

// The outcome for one call, and why.
enum class PolicyDecision : uint8_t {
  kAllowed,
  kNoIdentityPolicy,  // nothing allows it
  kNoResourcePolicy,  // another account's resource, whose policy does not allow it
  kDeniedByIdentityPolicy,
  kDeniedByResourcePolicy,
};

// Who asks: the identity policies attached to the caller. `unrestricted` callers (the account's
// root, keys without policies) are allowed everything within their account by identity.
struct PolicyIdentity {
  std::span<const PolicyDocumentPtr> policies;
  bool unrestricted = false;
};

// Explicit deny wins; within one account the identity or the resource policy must allow, across
// accounts both must. `resource_policy` may be null; `resource_account` empty means the caller's.
PolicyDecision DecidePolicy(const PolicyIdentity& identity, const PolicyDocument* resource_policy,
                            std::string_view resource_account, const PolicyContext& context);

// AWS's words: "User: ARN is not authorized to perform: kinesis:PutRecord on resource: ARN because
// no identity-based policy allows the kinesis:PutRecord action".
std::string AccessDeniedMessage(PolicyDecision decision, std::string_view principal_arn,
                                std::string_view action, std::string_view resource);

}  // namespace millstream::aws
