#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/sha256.h"

namespace millstream::aws {

struct SigningCredentials {
  std::string access_key_id;
  std::string secret;
  std::string session_token;  // empty: none
};

// The request to sign. `headers` must name the host (lower case names); all of them are signed.
struct UnsignedRequest {
  std::string_view method = "POST";
  std::string_view target = "/";  // path and query, percent-encoded as sent
  std::vector<std::pair<std::string, std::string>> headers;
  std::string_view body;
};

// Signs requests as SDKs do: for our command line, the load generator and tests. Keeps the signing
// key of one day. Not thread-safe.
class SigV4Signer {
 public:
  SigV4Signer(SigningCredentials credentials, std::string region, std::string service);

  // The headers to add: x-amz-date, x-amz-security-token if any, authorization.
  std::vector<std::pair<std::string, std::string>> Sign(const UnsignedRequest& request,
                                                        int64_t now_ms);

  // The target with the signature in its query, valid for `lifetime_seconds`. Signs the body too.
  std::string Presign(const UnsignedRequest& request, int64_t now_ms, int64_t lifetime_seconds);

  // For chunked uploads and tests: the key of that moment's day.
  const codec::HmacSha256Key& SigningKey(int64_t now_ms);

 private:
  std::string Signature(const UnsignedRequest& request, std::string_view query,
                        std::string_view payload_hash, std::string_view timestamp);
  std::string Scope(std::string_view timestamp) const;

  const SigningCredentials credentials_;
  const std::string region_;
  const std::string service_;
  std::string key_date_;
  codec::HmacSha256Key key_;
};

}  // namespace millstream::aws
