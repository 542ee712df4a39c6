#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "aws/error.h"

namespace millstream::aws {

// How the body is written; found from content type, target header and path.
enum class Protocol : uint8_t {
  kJson10,       // application/x-amz-json-1.0
  kJson11,       // application/x-amz-json-1.1
  kCborKinesis,  // application/x-amz-cbor-1.1: JSON 1.1's shape, CBOR's bytes, timestamps in ms
  kRpcV2Cbor,    // application/cbor with `smithy-protocol: rpc-v2-cbor`
  kQuery,        // application/x-www-form-urlencoded in, XML out
  kRestJson,
  kRestXml,
};

struct Call;

// Asks whether the caller may do `action` ("kinesis:PutRecord") on a resource. Used by services that
// answer a raw request themselves (Service::TryFast); on the generic path the front door asks.
// Thread-safe.
class Authorizer {
 public:
  virtual ~Authorizer() = default;
  // The AccessDeniedException to answer with, or nothing when allowed.
  virtual std::optional<ServiceError> Authorize(const Call& call, std::string_view action,
                                                std::string_view resource_arn) const = 0;
};

// What the front door learnt about one request before a service sees it. Valid during Invoke();
// a service that answers later copies what it still needs.
struct Call {
  std::string request_id;  // UUID; also the value of x-amzn-requestid
  std::string account;     // 12 digits; isolates streams together with the region
  std::string region = "us-east-1";
  std::string partition = "aws";  // of ARNs: aws, aws-cn, aws-us-gov
  std::string service;            // signing name: "kinesis"
  std::string operation;          // "PutRecord"
  std::string access_key;         // empty when unsigned (open mode)
  std::string principal_arn;      // arn:aws:iam::ACCOUNT:user/NAME, .../root, sts assumed-role
  std::string source_ip;
  uint64_t connection = 0;  // http::Request::connection
  std::string user_agent;
  int64_t now_ms = 0;  // wall clock when the request was complete
  Protocol protocol = Protocol::kJson11;
  bool tls = false;
  bool http2 = false;
  bool has_session_token = false;
  bool presigned = false;  // authenticated by query parameters
  const Authorizer* authorizer = nullptr;  // null: everything is allowed (open mode)

  // "arn:aws:kinesis:us-east-1:000000000000:" + resource
  std::string Arn(std::string_view resource) const;
};

}  // namespace millstream::aws
