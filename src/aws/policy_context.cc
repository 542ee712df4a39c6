#include "aws/policy_context.h"

#include "aws/request_headers.h"
#include "codec/time_format.h"

namespace millstream::aws {
namespace {

void LookupTag(std::string_view key, std::span<const PolicyTag> tags,
               std::vector<std::string>& values) {
  for (const PolicyTag& tag : tags) {
    if (EqualsLower(key, tag.key)) values.emplace_back(tag.value);
  }
}

std::string_view PrincipalType(const PolicyContext& context) {
  if (!context.service_principal.empty()) return "Service";
  if (context.principal_arn.find(":assumed-role/") != std::string_view::npos) return "AssumedRole";
  if (context.principal_arn.size() >= 5 &&
      context.principal_arn.substr(context.principal_arn.size() - 5) == ":root") {
    return "Account";
  }
  return context.principal_arn.empty() ? "Anonymous" : "User";
}

}  // namespace

void PolicyContext::Lookup(std::string_view key, std::vector<std::string>& values) const {
  const auto add = [&values](std::string_view value) {
    if (!value.empty()) values.emplace_back(value);
  };
  if (key.substr(0, 4) != "aws:") return;
  key.remove_prefix(4);
  if (key == "sourceip") return add(source_ip);
  if (key == "currenttime") return add(codec::FormatIso8601Seconds(now_ms));
  if (key == "epochtime") return add(std::to_string(now_ms / 1000));
  if (key == "securetransport") return add(secure_transport ? "true" : "false");
  if (key == "principalarn") return add(principal_arn);
  if (key == "principalaccount") return add(principal_account);
  if (key == "principaltype") return add(PrincipalType(*this));
  if (key == "principalisawsservice") return add(service_principal.empty() ? "false" : "true");
  if (key == "principalservicename") return add(service_principal);
  if (key == "userid") return add(user_id);
  if (key == "username") return add(user_name);
  if (key == "useragent") return add(user_agent);
  if (key == "requestedregion") return add(requested_region);
  constexpr std::string_view kResourceTag = "resourcetag/", kRequestTag = "requesttag/";
  if (key.substr(0, kResourceTag.size()) == kResourceTag) {
    LookupTag(key.substr(kResourceTag.size()), resource_tags, values);
  } else if (key.substr(0, kRequestTag.size()) == kRequestTag) {
    LookupTag(key.substr(kRequestTag.size()), request_tags, values);
  } else if (key == "tagkeys") {
    for (const PolicyTag& tag : request_tags) values.emplace_back(tag.key);
  }
}

}  // namespace millstream::aws
