#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millstream::aws {

struct PolicyTag {
  std::string_view key;
  std::string_view value;
};

// What is asked, by whom and from where: the facts that policies are evaluated against. Views
// borrowed for the time of one decision.
struct PolicyContext {
  std::string_view action;    // kinesis:PutRecord
  std::string_view resource;  // the ARN, or "*" for actions without one

  std::string_view principal_arn;      // arn:aws:iam::123456789012:user/a
  std::string_view principal_account;  // 123456789012
  std::string_view user_id;            // aws:userid
  std::string_view user_name;          // aws:username; empty for roles and the root
  std::string_view service_principal;  // firehose.amazonaws.com when a service asks

  std::string_view source_ip;
  std::string_view user_agent;
  std::string_view requested_region;
  bool secure_transport = false;
  int64_t now_ms = 0;
  std::span<const PolicyTag> resource_tags;
  std::span<const PolicyTag> request_tags;

  // Appends the values of a condition key (lower case, e.g. "aws:sourceip", "aws:resourcetag/a");
  // appends nothing when the request has no such key. Tag keys compare without regard to case.
  void Lookup(std::string_view lower_case_key, std::vector<std::string>& values) const;
};

}  // namespace millstream::aws
