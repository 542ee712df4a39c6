#include "aws/sigv4_signer.h"

#include <algorithm>

#include "aws/sigv4_canonical.h"
#include "codec/hex.h"
#include "codec/percent.h"
#include "codec/time_format.h"

namespace millstream::aws {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

void SortByName(Headers& headers) {
  std::stable_sort(headers.begin(), headers.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
}

// host;x-amz-date;... of sorted headers.
std::string SignedNames(const Headers& headers) {
  std::string names;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    if (i > 0 && headers[i].first == headers[i - 1].first) continue;
    if (i > 0) names += ';';
    names += headers[i].first;
  }
  return names;
}

std::string_view HeaderValue(const Headers& headers, std::string_view name) {
  for (const auto& [header, value] : headers) {
    if (header == name) return value;
  }
  return {};
}

}  // namespace

SigV4Signer::SigV4Signer(SigningCredentials credentials, std::string region, std::string service)
    : credentials_(std::move(credentials)),
      region_(std::move(region)),
      service_(std::move(service)),
      key_("") {}

const codec::HmacSha256Key& SigV4Signer::SigningKey(int64_t now_ms) {
  const std::string date = codec::FormatIso8601Basic(now_ms).substr(0, 8);
  if (date != key_date_) {
    codec::Sha256Bytes step = codec::HmacSha256("AWS4" + credentials_.secret, date);
    step = codec::HmacSha256(codec::AsView(step), region_);
    step = codec::HmacSha256(codec::AsView(step), service_);
    step = codec::HmacSha256(codec::AsView(step), "aws4_request");
    key_ = codec::HmacSha256Key(codec::AsView(step));
    key_date_ = date;
  }
  return key_;
}

std::string SigV4Signer::Scope(std::string_view timestamp) const {
  std::string scope(timestamp.substr(0, 8));
  scope.append("/").append(region_).append("/").append(service_).append("/aws4_request");
  return scope;
}

std::string SigV4Signer::Signature(const UnsignedRequest& request, std::string_view query,
                                   std::string_view payload_hash, std::string_view timestamp) {
  std::string canonical(request.method);
  canonical += '\n';
  AppendCanonicalPath(request.target.substr(0, request.target.find('?')), service_ == "s3",
                      canonical);
  canonical += '\n';
  AppendCanonicalQuery(query, "", canonical);
  canonical += '\n';
  for (std::size_t i = 0; i < request.headers.size(); ++i) {
    const auto& [name, value] = request.headers[i];
    if (i > 0 && name == request.headers[i - 1].first) {
      canonical.back() = ',';
    } else {
      canonical.append(name).append(":");
    }
    AppendCanonicalValue(value, canonical);
    canonical += '\n';
  }
  canonical.append("\n").append(SignedNames(request.headers)).append("\n").append(payload_hash);

  std::string to_sign(kSigV4Algorithm);
  to_sign.append("\n").append(timestamp).append("\n").append(Scope(timestamp)).append("\n");
  to_sign += codec::HexEncode(codec::AsView(codec::Sha256Digest(canonical)));
  return codec::HexEncode(codec::AsView(key_.Mac(to_sign)));
}

Headers SigV4Signer::Sign(const UnsignedRequest& request, int64_t now_ms) {
  SigningKey(now_ms);
  const std::string timestamp = codec::FormatIso8601Basic(now_ms);
  Headers added = {{"x-amz-date", timestamp}};
  if (!credentials_.session_token.empty()) {
    added.emplace_back("x-amz-security-token", credentials_.session_token);
  }
  UnsignedRequest all = request;
  all.headers.insert(all.headers.end(), added.begin(), added.end());
  SortByName(all.headers);
  std::string payload_hash(HeaderValue(request.headers, "x-amz-content-sha256"));
  if (payload_hash.empty()) {
    payload_hash = codec::HexEncode(codec::AsView(codec::Sha256Digest(request.body)));
  }
  const auto question = request.target.find('?');
  const std::string_view query =
      question == std::string_view::npos ? std::string_view() : request.target.substr(question + 1);
  const std::string signature = Signature(all, query, payload_hash, timestamp);
  std::string authorization(kSigV4Algorithm);
  authorization.append(" Credential=").append(credentials_.access_key_id).append("/");
  authorization.append(Scope(timestamp)).append(", SignedHeaders=");
  authorization.append(SignedNames(all.headers)).append(", Signature=").append(signature);
  added.emplace_back("authorization", std::move(authorization));
  return added;
}

std::string SigV4Signer::Presign(const UnsignedRequest& request, int64_t now_ms,
                                 int64_t lifetime_seconds) {
  SigningKey(now_ms);
  const std::string timestamp = codec::FormatIso8601Basic(now_ms);
  UnsignedRequest all = request;
  SortByName(all.headers);
  std::string target(request.target);
  const auto add = [&target](std::string_view name, std::string_view value) {
    target += target.find('?') == std::string::npos ? '?' : '&';
    target.append(name).append("=");
    codec::PercentEncode(value, false, target);
  };
  add("X-Amz-Algorithm", kSigV4Algorithm);
  add("X-Amz-Credential", credentials_.access_key_id + "/" + Scope(timestamp));
  add("X-Amz-Date", timestamp);
  add("X-Amz-Expires", std::to_string(lifetime_seconds));
  add("X-Amz-SignedHeaders", SignedNames(all.headers));
  if (!credentials_.session_token.empty()) {
    add("X-Amz-Security-Token", credentials_.session_token);
  }
  const std::string payload_hash =
      service_ == "s3" ? std::string(kUnsignedPayload)
                       : codec::HexEncode(codec::AsView(codec::Sha256Digest(request.body)));
  const std::string_view query = std::string_view(target).substr(target.find('?') + 1);
  const std::string signature = Signature(all, query, payload_hash, timestamp);
  add("X-Amz-Signature", signature);
  return target;
}

}  // namespace millstream::aws
