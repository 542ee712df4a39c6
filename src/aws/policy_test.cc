#include "aws/policy.h"

#include <gtest/gtest.h>

namespace millstream::aws {
namespace {

constexpr std::string_view kOrders = "arn:aws:kinesis:us-east-1:111122223333:stream/orders";
constexpr std::string_view kAlice = "arn:aws:iam::111122223333:user/team/alice";

PolicyDocumentPtr Parse(std::string_view json, PolicyKind kind = PolicyKind::kIdentity) {
  auto policy = PolicyDocument::Parse(json, kind);
  EXPECT_TRUE(policy.has_value()) << (policy ? "" : policy.error().message());
  return policy ? *policy : nullptr;
}

std::string ParseError(std::string_view json, PolicyKind kind = PolicyKind::kIdentity) {
  const auto policy = PolicyDocument::Parse(json, kind);
  EXPECT_FALSE(policy.has_value()) << json;
  return policy ? "" : policy.error().message();
}

PolicyContext AliceDoes(std::string_view action, std::string_view resource = kOrders) {
  PolicyContext context;
  context.action = action;
  context.resource = resource;
  context.principal_arn = kAlice;
  context.principal_account = "111122223333";
  context.user_id = "AIDAALICE";
  context.user_name = "alice";
  context.source_ip = "10.1.2.3";
  context.requested_region = "us-east-1";
  context.now_ms = 1'767'225'600'000;  // 2026-01-01T00:00:00Z
  return context;
}

// An identity policy with one statement that allows everything under one condition.
bool ConditionHolds(std::string_view condition, const PolicyContext& context) {
  const std::string json =
      R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*",)"
      R"("Condition":)" +
      std::string(condition) + "}}";
  const auto policy = Parse(json);
  return policy != nullptr && policy->Evaluate(context) == PolicyMatch::kAllow;
}

TEST(PolicyTest, MatchesActionsWithoutCaseAndResourcesWithWildcards) {
  const auto policy = Parse(R"({"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow",
      "Action":["kinesis:put*","kinesis:Get?ecords"],
      "Resource":"arn:aws:kinesis:*:111122223333:stream/ord*"}]})");
  EXPECT_EQ(policy->Evaluate(AliceDoes("kinesis:PutRecord")), PolicyMatch::kAllow);
  EXPECT_EQ(policy->Evaluate(AliceDoes("kinesis:GetRecords")), PolicyMatch::kAllow);
  EXPECT_EQ(policy->Evaluate(AliceDoes("kinesis:GetShardIterator")), PolicyMatch::kNone);
  EXPECT_EQ(policy->Evaluate(AliceDoes("firehose:PutRecord")), PolicyMatch::kNone);
  EXPECT_EQ(policy->Evaluate(
                AliceDoes("kinesis:PutRecord", "arn:aws:kinesis:us-east-1:111122223333:stream/x")),
            PolicyMatch::kNone);
}

TEST(PolicyTest, ExplicitDenyWinsWhereverItStands) {
  const auto policy = Parse(R"({"Statement":[
      {"Effect":"Deny","Action":"kinesis:DeleteStream","Resource":"*"},
      {"Effect":"Allow","Action":"kinesis:*","Resource":"*"}]})");
  EXPECT_EQ(policy->Evaluate(AliceDoes("kinesis:DeleteStream")), PolicyMatch::kDeny);
  EXPECT_EQ(policy->Evaluate(AliceDoes("kinesis:PutRecord")), PolicyMatch::kAllow);
}

TEST(PolicyTest, NotActionAndNotResource) {
  const auto policy = Parse(R"({"Statement":{"Effect":"Allow","NotAction":"kinesis:Delete*",
      "NotResource":"arn:aws:kinesis:*:*:stream/secret*"}})");
  EXPECT_EQ(policy->Evaluate(AliceDoes("kinesis:PutRecord")), PolicyMatch::kAllow);
  EXPECT_EQ(policy->Evaluate(AliceDoes("kinesis:DeleteStream")), PolicyMatch::kNone);
  EXPECT_EQ(policy->Evaluate(AliceDoes("kinesis:PutRecord",
                                       "arn:aws:kinesis:us-east-1:111122223333:stream/secret1")),
            PolicyMatch::kNone);
}

TEST(PolicyTest, VariablesStandForTheCallerLiterally) {
  const auto policy = Parse(R"({"Version":"2012-10-17","Statement":{"Effect":"Allow",
      "Action":"kinesis:*","Resource":"arn:aws:kinesis:*:*:stream/${aws:username}-*"}})");
  auto context =
      AliceDoes("kinesis:PutRecord", "arn:aws:kinesis:us-east-1:111122223333:stream/alice-1");
  EXPECT_EQ(policy->Evaluate(context), PolicyMatch::kAllow);
  context.resource = "arn:aws:kinesis:us-east-1:111122223333:stream/bob-1";
  EXPECT_EQ(policy->Evaluate(context), PolicyMatch::kNone);
  context.user_name = "*";  // a name is not a wildcard
  EXPECT_EQ(policy->Evaluate(context), PolicyMatch::kNone);
  context.user_name = "";  // a role has none: the statement does not apply
  context.resource = "arn:aws:kinesis:us-east-1:111122223333:stream/-1";
  EXPECT_EQ(policy->Evaluate(context), PolicyMatch::kNone);
}

TEST(PolicyTest, VariablesAreTextInTheOldVersion) {
  const auto policy = Parse(R"({"Version":"2008-10-17","Statement":{"Effect":"Allow",
      "Action":"*","Resource":"arn:aws:kinesis:*:*:stream/${aws:username}"}})");
  EXPECT_EQ(policy->Evaluate(AliceDoes("kinesis:PutRecord",
                                       "arn:aws:kinesis:us-east-1:111122223333:stream/alice")),
            PolicyMatch::kNone);
}

TEST(PolicyTest, EscapedWildcardsAndDefaults) {
  EXPECT_TRUE(
      ConditionHolds(R"({"StringLike":{"aws:username":"${aws:username}"}})", AliceDoes("a:b")));
  auto context = AliceDoes("a:b");
  context.user_agent = "a*b";
  EXPECT_TRUE(ConditionHolds(R"({"StringLike":{"aws:UserAgent":"a${*}b"}})", context));
  context.user_agent = "axb";
  EXPECT_FALSE(ConditionHolds(R"({"StringLike":{"aws:UserAgent":"a${*}b"}})", context));
  context.user_name = "";
  context.user_agent = "nobody";
  EXPECT_TRUE(
      ConditionHolds(R"({"StringEquals":{"aws:UserAgent":"${aws:username, 'nobody'}"}})", context));
}

TEST(PolicyTest, StringConditions) {
  const auto context = AliceDoes("kinesis:PutRecord");
  EXPECT_TRUE(ConditionHolds(
      R"({"StringEquals":{"aws:RequestedRegion":["eu-west-1","us-east-1"]}})", context));
  EXPECT_FALSE(ConditionHolds(R"({"StringEquals":{"aws:RequestedRegion":"us-*"}})", context));
  EXPECT_TRUE(ConditionHolds(R"({"StringLike":{"aws:RequestedRegion":"us-*"}})", context));
  EXPECT_TRUE(ConditionHolds(R"({"StringEqualsIgnoreCase":{"AWS:USERNAME":"ALICE"}})", context));
  EXPECT_FALSE(ConditionHolds(R"({"StringNotEquals":{"aws:username":["bob","alice"]}})", context));
  EXPECT_TRUE(ConditionHolds(R"({"StringNotLike":{"aws:username":["b*","c*"]}})", context));
}

TEST(PolicyTest, AbsentKeys) {
  auto context = AliceDoes("kinesis:PutRecord");
  context.user_name = "";
  EXPECT_FALSE(ConditionHolds(R"({"StringEquals":{"aws:username":"alice"}})", context));
  EXPECT_TRUE(ConditionHolds(R"({"StringEqualsIfExists":{"aws:username":"alice"}})", context));
  EXPECT_TRUE(ConditionHolds(R"({"StringNotEquals":{"aws:username":"alice"}})", context));
  EXPECT_TRUE(ConditionHolds(R"({"Null":{"aws:username":"true"}})", context));
  EXPECT_FALSE(ConditionHolds(R"({"Null":{"aws:username":"false"}})", context));
  EXPECT_FALSE(ConditionHolds(R"({"Null":{"aws:userid":true}})", context));
  EXPECT_FALSE(ConditionHolds(R"({"StringEquals":{"kinesis:Unknown":"x"}})", context));
}

TEST(PolicyTest, AddressConditions) {
  auto context = AliceDoes("kinesis:PutRecord");
  EXPECT_TRUE(
      ConditionHolds(R"({"IpAddress":{"aws:SourceIp":["192.168.0.0/16","10.0.0.0/8"]}})", context));
  EXPECT_FALSE(ConditionHolds(R"({"IpAddress":{"aws:SourceIp":"10.1.2.4"}})", context));
  EXPECT_TRUE(ConditionHolds(R"({"IpAddress":{"aws:SourceIp":"10.1.2.0/23"}})", context));
  EXPECT_FALSE(ConditionHolds(R"({"NotIpAddress":{"aws:SourceIp":"0.0.0.0/0"}})", context));
  context.source_ip = "2001:db8::7";
  EXPECT_TRUE(ConditionHolds(R"({"IpAddress":{"aws:SourceIp":"2001:db8::/32"}})", context));
  EXPECT_FALSE(ConditionHolds(R"({"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}})", context));
  context.source_ip = "::ffff:10.9.9.9";  // IPv4 through an IPv6 socket
  EXPECT_TRUE(ConditionHolds(R"({"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}})", context));
}

TEST(PolicyTest, TimeNumberAndBoolConditions) {
  auto context = AliceDoes("kinesis:PutRecord");
  EXPECT_TRUE(ConditionHolds(
      R"({"DateGreaterThan":{"aws:CurrentTime":"2025-12-31T23:59:59Z"},
          "DateLessThan":{"aws:CurrentTime":"2026-01-01T02:00:01+02:00"}})",
      context));
  EXPECT_FALSE(ConditionHolds(R"({"DateLessThan":{"aws:CurrentTime":"2026-01-01"}})", context));
  EXPECT_TRUE(ConditionHolds(R"({"DateEquals":{"aws:CurrentTime":"1767225600"}})", context));
  EXPECT_TRUE(ConditionHolds(R"({"NumericLessThanEquals":{"aws:EpochTime":1767225600}})", context));
  EXPECT_FALSE(
      ConditionHolds(R"({"NumericGreaterThan":{"aws:EpochTime":"1.7672256e9"}})", context));
  EXPECT_TRUE(ConditionHolds(R"({"Bool":{"aws:SecureTransport":"false"}})", context));
  context.secure_transport = true;
  EXPECT_TRUE(ConditionHolds(R"({"Bool":{"aws:SecureTransport":true}})", context));
}

TEST(PolicyTest, ArnConditions) {
  const auto context = AliceDoes("kinesis:PutRecord");
  EXPECT_TRUE(ConditionHolds(
      R"({"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/team/*"}})", context));
  EXPECT_TRUE(
      ConditionHolds(R"({"ArnEquals":{"aws:PrincipalArn":"arn:*:iam::*:user/*"}})", context));
  // A wildcard stays within its part of the ARN.
  EXPECT_FALSE(
      ConditionHolds(R"({"ArnLike":{"aws:PrincipalArn":"arn:aws:*:x:y:user/*"}})", context));
  EXPECT_FALSE(ConditionHolds(
      R"({"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:*"}})", context));
}

TEST(PolicyTest, TagConditionsAndQuantifiers) {
  const PolicyTag resource_tags[] = {{"env", "prod"}};
  const PolicyTag request_tags[] = {{"team", "a"}, {"env", "test"}};
  auto context = AliceDoes("kinesis:AddTagsToStream");
  context.resource_tags = resource_tags;
  context.request_tags = request_tags;
  EXPECT_TRUE(ConditionHolds(R"({"StringEquals":{"aws:ResourceTag/Env":"prod"}})", context));
  EXPECT_FALSE(ConditionHolds(R"({"StringEquals":{"aws:ResourceTag/team":"a"}})", context));
  EXPECT_TRUE(ConditionHolds(R"({"StringEquals":{"aws:RequestTag/team":"a"}})", context));
  EXPECT_TRUE(ConditionHolds(R"({"ForAllValues:StringEquals":{"aws:TagKeys":["team","env","x"]}})",
                             context));
  EXPECT_FALSE(
      ConditionHolds(R"({"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}})", context));
  EXPECT_TRUE(ConditionHolds(R"({"ForAnyValue:StringEquals":{"aws:TagKeys":["team"]}})", context));
  EXPECT_FALSE(ConditionHolds(R"({"ForAnyValue:StringEquals":{"aws:TagKeys":["x"]}})", context));
  context.request_tags = {};
  EXPECT_TRUE(ConditionHolds(R"({"ForAllValues:StringEquals":{"aws:TagKeys":["x"]}})", context));
  EXPECT_FALSE(ConditionHolds(R"({"ForAnyValue:StringLike":{"aws:TagKeys":["*"]}})", context));
}

TEST(PolicyTest, PrincipalsOfResourcePolicies) {
  const auto match = [](std::string_view principal, std::string_view arn, std::string_view account,
                        std::string_view service = "") {
    const std::string json = R"({"Version":"2012-10-17","Statement":{"Effect":"Allow",)" +
                             std::string(principal) + R"(,"Action":"kinesis:*","Resource":"*"}})";
    const auto policy = Parse(json, PolicyKind::kResource);
    PolicyContext context = AliceDoes("kinesis:PutRecord");
    context.principal_arn = arn;
    context.principal_account = account;
    context.service_principal = service;
    return policy->Evaluate(context);
  };
  EXPECT_EQ(match(R"("Principal":"*")", kAlice, "111122223333"), PolicyMatch::kAllow);
  EXPECT_EQ(match(R"("Principal":{"AWS":"*"})", kAlice, "111122223333"), PolicyMatch::kAllow);
  EXPECT_EQ(match(R"("Principal":{"AWS":"111122223333"})", kAlice, "111122223333"),
            PolicyMatch::kAllowAccount);
  EXPECT_EQ(
      match(R"("Principal":{"AWS":"arn:aws:iam::111122223333:root"})", kAlice, "111122223333"),
      PolicyMatch::kAllowAccount);
  EXPECT_EQ(match(R"("Principal":{"AWS":["arn:aws:iam::111122223333:user/team/alice"]})", kAlice,
                  "111122223333"),
            PolicyMatch::kAllow);
  EXPECT_EQ(match(R"("Principal":{"AWS":"444455556666"})", kAlice, "111122223333"),
            PolicyMatch::kNone);
  EXPECT_EQ(match(R"("Principal":{"AWS":"arn:aws:iam::111122223333:role/path/reader"})",
                  "arn:aws:sts::111122223333:assumed-role/reader/session-1", "111122223333"),
            PolicyMatch::kAllow);
  EXPECT_EQ(match(R"("Principal":{"Service":"firehose.amazonaws.com"})", "", "",
                  "firehose.amazonaws.com"),
            PolicyMatch::kAllow);
  EXPECT_EQ(match(R"("NotPrincipal":{"AWS":"444455556666"})", kAlice, "111122223333"),
            PolicyMatch::kAllow);
  EXPECT_EQ(match(R"("NotPrincipal":{"AWS":"111122223333"})", kAlice, "111122223333"),
            PolicyMatch::kNone);
}

// --- Decisions ---

constexpr std::string_view kAllowPut =
    R"({"Statement":{"Effect":"Allow","Action":"kinesis:PutRecord","Resource":"*"}})";
constexpr std::string_view kDenyPut =
    R"({"Statement":{"Effect":"Deny","Action":"kinesis:PutRecord","Resource":"*"}})";

std::string ResourcePolicy(std::string_view effect, std::string_view principal) {
  return R"({"Version":"2012-10-17","Statement":{"Effect":")" + std::string(effect) +
         R"(","Principal":{"AWS":")" + std::string(principal) +
         R"("},"Action":"kinesis:PutRecord","Resource":"*"}})";
}

PolicyDecision Decide(std::vector<std::string_view> identity_jsons, std::string resource_json,
                      std::string_view resource_account, bool unrestricted = false) {
  std::vector<PolicyDocumentPtr> policies;
  for (const auto json : identity_jsons) policies.push_back(Parse(json));
  PolicyDocumentPtr resource;
  if (!resource_json.empty()) resource = Parse(resource_json, PolicyKind::kResource);
  return DecidePolicy({policies, unrestricted}, resource.get(), resource_account,
                      AliceDoes("kinesis:PutRecord"));
}

TEST(PolicyDecisionTest, WithinOneAccountEitherAllows) {
  const std::string_view account = "111122223333";
  EXPECT_EQ(Decide({kAllowPut}, "", account), PolicyDecision::kAllowed);
  EXPECT_EQ(Decide({}, "", account), PolicyDecision::kNoIdentityPolicy);
  EXPECT_EQ(Decide({}, "", account, true), PolicyDecision::kAllowed);
  EXPECT_EQ(Decide({}, ResourcePolicy("Allow", kAlice), account), PolicyDecision::kAllowed);
  // Naming the account only delegates to its identity policies.
  EXPECT_EQ(Decide({}, ResourcePolicy("Allow", account), account),
            PolicyDecision::kNoIdentityPolicy);
}

TEST(PolicyDecisionTest, AcrossAccountsBothMustAllow) {
  const std::string_view owner = "444455556666";
  EXPECT_EQ(Decide({kAllowPut}, "", owner), PolicyDecision::kNoResourcePolicy);
  EXPECT_EQ(Decide({}, "", owner, true), PolicyDecision::kNoResourcePolicy);
  EXPECT_EQ(Decide({}, ResourcePolicy("Allow", "111122223333"), owner),
            PolicyDecision::kNoIdentityPolicy);
  EXPECT_EQ(Decide({kAllowPut}, ResourcePolicy("Allow", "111122223333"), owner),
            PolicyDecision::kAllowed);
  EXPECT_EQ(Decide({}, ResourcePolicy("Allow", kAlice), owner, true), PolicyDecision::kAllowed);
}

TEST(PolicyDecisionTest, ExplicitDenyWins) {
  const std::string_view account = "111122223333";
  EXPECT_EQ(Decide({kAllowPut, kDenyPut}, "", account), PolicyDecision::kDeniedByIdentityPolicy);
  EXPECT_EQ(Decide({kAllowPut}, ResourcePolicy("Deny", kAlice), account),
            PolicyDecision::kDeniedByResourcePolicy);
  EXPECT_EQ(Decide({}, ResourcePolicy("Deny", account), account, true),
            PolicyDecision::kDeniedByResourcePolicy);
}

TEST(PolicyDecisionTest, MessagesAreAwsWords) {
  const auto message = [](PolicyDecision decision) {
    return AccessDeniedMessage(decision, kAlice, "kinesis:PutRecord", kOrders);
  };
  const std::string start =
      "User: arn:aws:iam::111122223333:user/team/alice is not authorized to perform: "
      "kinesis:PutRecord on resource: arn:aws:kinesis:us-east-1:111122223333:stream/orders ";
  EXPECT_EQ(message(PolicyDecision::kNoIdentityPolicy),
            start + "because no identity-based policy allows the kinesis:PutRecord action");
  EXPECT_EQ(message(PolicyDecision::kNoResourcePolicy),
            start + "because no resource-based policy allows the kinesis:PutRecord action");
  EXPECT_EQ(message(PolicyDecision::kDeniedByIdentityPolicy),
            start + "with an explicit deny in an identity-based policy");
  EXPECT_EQ(message(PolicyDecision::kDeniedByResourcePolicy),
            start + "with an explicit deny in a resource-based policy");
}

// --- Errors ---

TEST(PolicyErrorTest, SaysWhatAndWhere) {
  EXPECT_EQ(
      ParseError("{\n  \"Statement\": [\n    {\"Effect\": \"allow\", \"Action\": \"*\", "
                 "\"Resource\": \"*\"}]}"),
      "line 3, column 16: Statement[0].Effect must be \"Allow\" or \"Deny\", found \"allow\"");
  EXPECT_EQ(ParseError(R"({"Statement":{"Effect":"Allow","Resource":"*"}})"),
            "line 1, column 14: Statement.Action is missing");
  EXPECT_EQ(ParseError(R"({"Statement":{"Effect":"Allow","Action":"*"}})"),
            "line 1, column 14: Statement.Resource is missing");
  EXPECT_EQ(ParseError(R"({"Statement":{"Effect":"Allow","Action":"PutRecord","Resource":"*"}})"),
            "line 1, column 41: Statement.Action must be \"*\" or \"service:Operation\", found "
            "\"PutRecord\"");
  EXPECT_EQ(ParseError(R"({"Statement":{"Effect":"Allow","Action":"*","Resource":"orders"}})"),
            "line 1, column 56: Statement.Resource must be \"*\" or an ARN, found \"orders\"");
  EXPECT_EQ(ParseError("{\"Statement\": []}"),
            "line 1, column 15: Statement must be an object or a list of objects, not empty");
  EXPECT_EQ(ParseError(R"({"Statement":{"Effect":"Allow","Action":"*","Resource":"*",
"Condition":{"StringEqual":{"aws:username":"a"}}}})"),
            "line 2, column 44: Statement.Condition.StringEqual: not a condition operator: "
            "\"StringEqual\"");
  EXPECT_EQ(ParseError(R"({"Statement":{"Effect":"Allow","Action":"*","Resource":"*",
"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}}})"),
            "line 2, column 42: Statement.Condition.IpAddress: not an IP address or CIDR range: "
            "\"10.0.0.0/33\"");
  EXPECT_EQ(ParseError("{\"Statement\": {\"Effect\" \"Allow\"}}"),
            "line 1, column 25: expected ':', found '\"'");
  EXPECT_EQ(ParseError("{\"Version\": \"2012-10-18\"}"),
            "line 1, column 13: Version must be \"2012-10-17\" or \"2008-10-17\"");
}

TEST(PolicyErrorTest, RejectsWhatHasNoPlace) {
  for (const char* json :
       {"", "[]", "null", "{}", "{\"Statement\":1}", "{\"Statement\":[1]}",
        R"({"Statement":{"Effect":"Allow","Action":[],"Resource":"*"}})",
        R"({"Statement":{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}})",
        R"({"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}})",
        R"({"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Extra":1}})",
        R"({"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:${aws:username"},)"
        R"("Version":"2012-10-17"})",
        R"({"Statement":{"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"}})",
        R"({"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}} x)"}) {
    EXPECT_NE(ParseError(json), "") << json;
  }
  EXPECT_NE(ParseError(std::string(kAllowPut), PolicyKind::kResource), "");  // no Principal
  EXPECT_NE(ParseError(R"({"Statement":{"Effect":"Allow","Action":"*","Resource":"*",
      "Principal":{"AWS":"arn:aws:iam::111122223333:user/*"}}})",
                       PolicyKind::kResource),
            "");
}

TEST(PolicyErrorTest, NestingIsBounded) {
  EXPECT_NE(ParseError(std::string(100'000, '[')).find("nested deeper"), std::string::npos);
}

}  // namespace
}  // namespace millstream::aws
