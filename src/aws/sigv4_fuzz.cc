// What strangers send to be authenticated: the first line is the target, the second the
// Authorization header, the third x-amz-content-sha256, the rest the body. Parsed, checked,
// verified and, where the body is chunked, decoded. No input may pass: the key is not guessable.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "aws/sigv4.h"
#include "aws/sigv4_canonical.h"
#include "aws/sigv4_chunks.h"
#include "base/check.h"

namespace {

using namespace millstream;

std::string_view TakeLine(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

void CheckCanonicalForms(std::string_view target) {
  std::string once, twice;
  aws::AppendCanonicalQuery(target, "", once);
  aws::AppendCanonicalQuery(once, "", twice);
  CHECK_MSG(once == twice, "the canonical query of a canonical query is itself");
  std::string path;
  aws::AppendCanonicalPath(target, false, path);
  CHECK(!path.empty() && path.front() == '/');
  std::string value;
  aws::AppendCanonicalValue(target, value);
  CHECK(value.size() <= target.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static base::ManualClock clock(1'440'938'160'000);  // 2015-08-30T12:36:00Z
  static const auto keys = [] {
    aws::AccessKey key;
    key.access_key_id = "AKIDEXAMPLE";
    key.secret = "a secret that no corpus holds: 8e1f0c5d";
    return *aws::CredentialSet::Create({key});
  }();
  std::string_view text(reinterpret_cast<const char*>(data), size);
  http::Request request;
  request.method = "POST";
  request.target = TakeLine(text);
  request.authority = "localhost";
  const std::string_view authorization = TakeLine(text);
  request.header_storage = {{"x-amz-date", "20150830T123600Z"},
                            {"x-amz-content-sha256", TakeLine(text)}};
  if (!authorization.empty()) request.header_storage.push_back({"Authorization", authorization});
  request.headers = request.header_storage;
  request.body = base::Bytes::Copy(text);

  CheckCanonicalForms(request.target);
  const aws::RequestHeaders headers(request);
  aws::SignatureParts parts;
  aws::ParseSignature(request, headers, parts);
  if (!aws::CheckComplete(headers, parts)) {
    const auto caller = aws::SigV4Verifier(clock, {}).Verify(request, headers, parts, *keys);
    CHECK_MSG(!caller.has_value(), "a signature passed without the key");
  }
  for (const auto kind : {aws::ChunkedPayload::kSigned, aws::ChunkedPayload::kSignedTrailer,
                          aws::ChunkedPayload::kUnsignedTrailer}) {
    const auto decoded = aws::DecodeChunks(kind, text, "", aws::ChunkSigning());
    CHECK(!decoded || decoded->size() <= text.size());
  }
  return 0;
}
