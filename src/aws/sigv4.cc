#include "aws/sigv4.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "aws/sigv4_canonical.h"
#include "aws/sigv4_chunks.h"
#include "codec/hex.h"
#include "codec/sha256.h"
#include "codec/time_format.h"

namespace millstream::aws {
namespace {

constexpr std::string_view kTerminator = "aws4_request";
constexpr int64_t kPresignedSecondsMax = 7 * 86400;

tl::unexpected<ServiceError> Invalid(std::string message) {
  return FailCall(InvalidSignatureException(std::move(message)));
}

tl::unexpected<ServiceError> Incomplete(std::string message) {
  return FailCall(IncompleteSignatureException(std::move(message)));
}

// The time of comparison says nothing about where two texts differ.
bool SameSecretly(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

std::string Quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

// Signing keys that this thread used lately. A key derivation is four HMACs with fresh pads (about
// 2 us); a hit is one comparison of the scope.
class SigningKeyCache {
 public:
  const codec::HmacSha256Key& Find(const CredentialSet& keys, const AccessKey& key,
                                   const SignatureParts& parts) {
    // date/region/service, contiguous in the credential
    const char* begin = parts.date.data();
    const std::string_view scope(
        begin, static_cast<std::size_t>(parts.service.data() + parts.service.size() - begin));
    const std::size_t hash = std::hash<std::string_view>()(scope) ^
                             (reinterpret_cast<std::uintptr_t>(&key) / sizeof(AccessKey));
    Entry& entry = entries_[hash % entries_.size()];
    if (!entry.signing_key || entry.version != keys.version() || entry.key != &key ||
        entry.scope != scope) {
      entry.version = keys.version();
      entry.key = &key;
      entry.scope = scope;
      entry.signing_key.emplace(Derive(key, parts));
    }
    return *entry.signing_key;
  }

 private:
  struct Entry {
    uint64_t version = 0;
    const AccessKey* key = nullptr;  // compared only, with `version`; never followed
    std::string scope;
    std::optional<codec::HmacSha256Key> signing_key;
  };

  static codec::HmacSha256Key Derive(const AccessKey& key, const SignatureParts& parts) {
    codec::Sha256Bytes step = codec::HmacSha256("AWS4" + key.secret, parts.date);
    step = codec::HmacSha256(codec::AsView(step), parts.region);
    step = codec::HmacSha256(codec::AsView(step), parts.service);
    step = codec::HmacSha256(codec::AsView(step), kTerminator);
    return codec::HmacSha256Key(codec::AsView(step));
  }

  std::array<Entry, 64> entries_;
};

// What goes into the hash, and what of it was seen on the way.
struct Canonical {
  std::string text;
  bool host_signed = false;
  bool target_signed = false;
  // Where the value of x-amz-security-token stands in `text`, to blot it out of error messages.
  std::size_t token_at = 0;
  std::size_t token_size = 0;
};

void AppendSignedHeader(const http::Request& request, std::string_view name, Canonical& canonical) {
  std::string& text = canonical.text;
  text.append(name).append(":");
  const std::size_t start = text.size();
  bool found = false;
  if (name == "host" || name == ":authority") {
    canonical.host_signed = found = true;
    text += request.authority;
  } else {
    const char first = name.empty() ? '\0' : name.front();
    for (const http::HeaderView& header : request.headers) {
      if (header.name.size() != name.size() || (header.name.front() | 0x20) != (first | 0x20) ||
          !EqualsLower(name, header.name)) {
        continue;
      }
      if (found) text += ',';
      AppendCanonicalValue(header.value, text);
      found = true;
    }
    // Clients sign it although HTTP/2 (and chunked HTTP/1) need not carry it.
    if (!found && name == "content-length") text += std::to_string(request.body.size());
  }
  if (name == "x-amz-target") canonical.target_signed = true;
  if (name == "x-amz-security-token") {
    canonical.token_at = start;
    canonical.token_size = text.size() - start;
  }
  text += '\n';
}

void BuildCanonical(const http::Request& request, const SignatureParts& parts,
                    std::string_view payload_hash, Canonical& canonical) {
  std::string& text = canonical.text;
  text.clear();
  canonical.host_signed = canonical.target_signed = false;
  canonical.token_size = 0;
  text.append(request.method).append("\n");
  AppendCanonicalPath(request.path(), parts.service == "s3", text);
  text += '\n';
  AppendCanonicalQuery(request.query(), parts.presigned() ? "X-Amz-Signature" : "", text);
  text += '\n';
  std::string_view names = parts.signed_headers;
  while (!names.empty()) {
    const auto end = std::min(names.find(';'), names.size());
    AppendSignedHeader(request, names.substr(0, end), canonical);
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  text.append("\n").append(parts.signed_headers).append("\n").append(payload_hash);
}

std::string MismatchMessage(const Canonical& canonical, std::string_view string_to_sign) {
  std::string shown = canonical.text;
  if (canonical.token_size > 0) {
    shown.replace(canonical.token_at, canonical.token_size, "(not shown)");
  }
  std::string message =
      "The request signature we calculated does not match the signature you provided. Check your "
      "AWS Secret Access Key and signing method. Consult the service documentation for details."
      "\n\nThe Canonical String for this request should have been\n'";
  message.append(shown).append("'\n\nThe String-to-Sign should have been\n'");
  message.append(string_to_sign).append("'\n");
  return message;
}

struct SignedTime {
  int64_t ms = 0;
  char iso[codec::kIso8601BasicSize];  // as it is signed

  std::string_view text() const { return {iso, sizeof iso}; }
};

// Checks of form and scope that need no key; the signed time on success.
Outcome<SignedTime> CheckForm(const SignatureParts& parts) {
  if (parts.algorithm != kSigV4Algorithm) {
    return Incomplete("Unsupported AWS 'algorithm': " + Quoted(parts.algorithm) + ".");
  }
  if (parts.terminator.empty() && parts.access_key_id.empty()) {
    return Incomplete(
        "Credential must have exactly 5 slash-delimited elements, e.g. "
        "keyid/date/region/service/term, got " +
        Quoted(parts.credential));
  }
  SignedTime time;
  if (const auto iso = codec::ParseIso8601Basic(parts.timestamp)) {
    time.ms = *iso;
    parts.timestamp.copy(time.iso, sizeof time.iso);
  } else if (const auto date = codec::ParseHttpDate(parts.timestamp); date && !parts.presigned()) {
    time.ms = *date;
    codec::FormatIso8601Basic(time.ms, time.iso);
  } else {
    return Incomplete("Date must be in ISO-8601 'basic format'. Got " + Quoted(parts.timestamp) +
                      ". See http://en.wikipedia.org/wiki/ISO_8601");
  }
  if (parts.terminator != kTerminator) {
    return Invalid("Credential should be scoped with a valid terminator: 'aws4_request', not " +
                   Quoted(parts.terminator) + ".");
  }
  if (parts.region.empty()) return Invalid("Credential should be scoped to a valid region. ");
  if (parts.service.empty()) return Invalid("Credential should be scoped to correct service. ");
  const std::string_view day = time.text().substr(0, 8);
  if (parts.date != day) {
    return Invalid(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
        "HTTP: " +
        Quoted(parts.date) + " != " + Quoted(day) + ", from " + Quoted(time.text()) + ".");
  }
  return time;
}

bool IsSet(const std::array<uint8_t, 32>& digest) {
  return std::any_of(digest.begin(), digest.end(), [](uint8_t byte) { return byte != 0; });
}

// The last line of the canonical request. `hex` holds it where it is computed.
Outcome<std::string_view> PayloadHash(const http::Request& request, const SignatureParts& parts,
                                      char (&hex)[64]) {
  const std::string_view sent = parts.content_sha256;
  if (sent == kUnsignedPayload || ChunkedPayloadOf(sent) != ChunkedPayload::kNone) return sent;
  if (sent.empty() && parts.presigned() && parts.service == "s3") return kUnsignedPayload;
  if (IsSet(request.body_sha256)) {
    codec::HexEncode(codec::AsView(request.body_sha256), hex);
  } else {
    codec::HexEncode(codec::AsView(codec::Sha256Digest(request.body.view())), hex);
  }
  const std::string_view computed(hex, sizeof hex);
  if (!sent.empty() && sent != computed) {
    return Invalid("The provided 'x-amz-content-sha256' header does not match what was computed.");
  }
  return computed;
}

}  // namespace

std::optional<ServiceError> SigV4Verifier::CheckTime(const SignatureParts& parts,
                                                     int64_t signed_ms) const {
  const int64_t now_ms = clock_.WallMs();
  const auto time = [](int64_t ms) { return codec::FormatIso8601Basic(ms); };
  const auto span = [](int64_t ms) {
    return ms % 60'000 == 0 ? std::to_string(ms / 60'000) + " min.)"
                            : std::to_string(ms / 1000) + " sec.)";
  };
  if (signed_ms > now_ms + options_.skew_ms) {
    return InvalidSignatureException("Signature not yet current: " + time(signed_ms) +
                                     " is still later than " + time(now_ms + options_.skew_ms) +
                                     " (" + time(now_ms) + " + " + span(options_.skew_ms));
  }
  int64_t lifetime_ms = options_.skew_ms;
  if (parts.presigned()) {
    lifetime_ms = options_.presigned_lifetime_ms;
    if (!parts.expires.empty()) {
      int64_t seconds = 0;
      const char* end = parts.expires.data() + parts.expires.size();
      const auto [stop, error] = std::from_chars(parts.expires.data(), end, seconds);
      if (error != std::errc() || stop != end) {
        return InvalidSignatureException("X-Amz-Expires should be a number");
      }
      if (seconds < 0) return InvalidSignatureException("X-Amz-Expires must be non-negative");
      if (seconds > kPresignedSecondsMax) {
        return InvalidSignatureException(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given "
            "X-Amz-Expires must be less than 604800 seconds");
      }
      lifetime_ms = seconds * 1000;
    }
  }
  if (signed_ms < now_ms - lifetime_ms) {
    return InvalidSignatureException("Signature expired: " + time(signed_ms) +
                                     " is now earlier than " + time(now_ms - lifetime_ms) + " (" +
                                     time(now_ms) + " - " + span(lifetime_ms));
  }
  return std::nullopt;
}

Outcome<VerifiedCaller> SigV4Verifier::Verify(const http::Request& request,
                                              const RequestHeaders& headers,
                                              const SignatureParts& parts,
                                              const CredentialSet& keys) const {
  thread_local SigningKeyCache cache;
  thread_local Canonical canonical;
  thread_local std::string string_to_sign;

  const auto time = CheckForm(parts);
  if (!time) return FailCall(time.error());
  const AccessKey* key = keys.Find(parts.access_key_id);
  if (key == nullptr || !key->enabled || !SameSecretly(key->session_token, parts.security_token)) {
    return FailCall(UnrecognizedClientException());
  }
  if (auto error = CheckTime(parts, time->ms)) return FailCall(std::move(*error));

  char body_hex[64];
  const auto payload_hash = PayloadHash(request, parts, body_hex);
  if (!payload_hash) return FailCall(payload_hash.error());
  BuildCanonical(request, parts, *payload_hash, canonical);
  if (!canonical.host_signed) {
    return Invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  }
  if (options_.require_signed_target && !canonical.target_signed &&
      headers.amz_target.data() != nullptr) {
    return Invalid("'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.");
  }

  // The scope is the credential without the key id and its slash.
  const std::string_view scope = parts.credential.substr(parts.access_key_id.size() + 1);
  string_to_sign = kSigV4Algorithm;
  string_to_sign.append("\n").append(time->text()).append("\n").append(scope).append("\n");
  char hash_hex[64];
  codec::HexEncode(codec::AsView(codec::Sha256Digest(canonical.text)), hash_hex);
  string_to_sign.append(hash_hex, sizeof hash_hex);

  const codec::HmacSha256Key& signing_key = cache.Find(keys, *key, parts);
  char signature[64];
  codec::HexEncode(codec::AsView(signing_key.Mac(string_to_sign)), signature);
  if (!SameSecretly({signature, sizeof signature}, parts.signature)) {
    return Invalid(MismatchMessage(canonical, string_to_sign));
  }

  VerifiedCaller caller;
  caller.key = key;
  if (const auto kind = ChunkedPayloadOf(parts.content_sha256); kind != ChunkedPayload::kNone) {
    const ChunkSigning signing{&signing_key, time->text(), scope, parts.signature};
    auto body =
        DecodeChunks(kind, request.body.view(), headers.amz_decoded_content_length, signing);
    if (!body) return FailCall(std::move(body).error());
    caller.unchunked_body = std::move(*body);
  }
  return caller;
}

}  // namespace millstream::aws
