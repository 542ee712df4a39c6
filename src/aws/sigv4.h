#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "aws/credentials.h"
#include "aws/error.h"
#include "aws/request_headers.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "http/message.h"

// AWS Signature Version 4, the receiving end: header and query authentication, chunked and unsigned
// payloads, in AWS's check order and wording. The sending end is sigv4_signer.h.
namespace millstream::aws {

// What a request says about who signed it; nothing of it is verified. Views into the request's head
// or into `query_storage`.
struct SignatureParts {
  enum class Source : uint8_t { kNone, kHeader, kQuery, kBoth };
  Source source = Source::kNone;

  std::string_view algorithm;
  std::string_view credential;  // KEY/DATE/REGION/SERVICE/aws4_request
  std::string_view signed_headers;
  std::string_view signature;
  std::string_view timestamp;  // X-Amz-Date, or Date
  std::string_view security_token;
  std::string_view expires;  // X-Amz-Expires
  std::string_view content_sha256;

  // Elements of `credential`; all empty when it does not have five.
  std::string_view access_key_id;
  std::string_view date;
  std::string_view region;
  std::string_view service;
  std::string_view terminator;

  bool presigned() const { return source == Source::kQuery; }
  std::string query_storage;  // reserved once: views into it stay valid while this is not moved
};

// Never fails: what is missing stays empty, and CheckComplete() says so at its turn. `parts` is an
// out parameter because its views may point into itself.
void ParseSignature(const http::Request& request, const RequestHeaders& headers,
                    SignatureParts& parts);

// The first authentication checks: both ways at once (InvalidSignatureException), none
// (MissingAuthenticationTokenException), parameters missing (IncompleteSignatureException naming
// each). Nothing when complete.
std::optional<ServiceError> CheckComplete(const RequestHeaders& headers,
                                          const SignatureParts& parts);

// A caller who proved to hold a key.
struct VerifiedCaller {
  const AccessKey* key = nullptr;  // lives as long as the CredentialSet it was found in
  // The payload without its chunk framing, when it had any (x-amz-content-sha256: STREAMING-...).
  std::optional<base::Bytes> unchunked_body;
};

struct SigV4Options {
  int64_t skew_ms = 5 * 60'000;                 // of header signatures, both directions
  int64_t presigned_lifetime_ms = 15 * 60'000;  // without X-Amz-Expires
  // Reject header signatures that leave out x-amz-target. AWS accepts them (curl --aws-sigv4 makes
  // such), but whoever reads one on the wire can send the same body to another operation.
  bool require_signed_target = false;
};

// Verifies complete signatures. Thread-safe; signing keys are cached per thread, as HMAC states.
//
// Cost without query, body hash given: one pass over the headers per signed header, SHA-256 of the
// canonical request (~0.5 KiB) and one HMAC; no allocation in the steady state.
class SigV4Verifier {
 public:
  SigV4Verifier(base::Clock& clock, SigV4Options options) : clock_(clock), options_(options) {}

  // Requires CheckComplete() to have passed and `keys` not to be in open mode.
  Outcome<VerifiedCaller> Verify(const http::Request& request, const RequestHeaders& headers,
                                 const SignatureParts& parts, const CredentialSet& keys) const;

 private:
  std::optional<ServiceError> CheckTime(const SignatureParts& parts, int64_t signed_ms) const;

  base::Clock& clock_;
  const SigV4Options options_;
};

}  // namespace millstream::aws
