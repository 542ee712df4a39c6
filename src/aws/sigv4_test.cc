#include "aws/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "aws/policy_json.h"
#include "aws/sigv4_chunks.h"
#include "aws/sigv4_signer.h"
#include "codec/time_format.h"

namespace millstream::aws {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kKeyId = "AKIDEXAMPLE";
constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

// A request that owns its texts.
struct TestRequest {
  std::string method = "POST";
  std::string target = "/";
  std::string authority = "localhost:4566";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body = "{}";

  http::Request Build() const {
    http::Request request;
    request.method = method;
    request.target = target;
    request.authority = authority;
    for (const auto& [name, value] : headers) request.header_storage.push_back({name, value});
    request.headers = request.header_storage;
    request.body = base::Bytes::Copy(body);
    request.body_sha256 = codec::Sha256Digest(body);
    return request;
  }
  std::string& Header(std::string_view name) {
    for (auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return headers.emplace_back(std::string(name), "").second;
  }
};

AccessKey TestKey(std::string token = "") {
  AccessKey key;
  key.access_key_id = kKeyId;
  key.secret = kSecret;
  key.session_token = std::move(token);
  key.account_id = "111122223333";
  key.principal_arn = "arn:aws:iam::111122223333:user/alice";
  return key;
}

class SigV4Test : public ::testing::Test {
 protected:
  // The error's code and text, or "" when verified.
  std::string Verify(const TestRequest& test, SigV4Options options = {}, std::string token = "") {
    const http::Request request = test.Build();
    const auto keys = *CredentialSet::Create({TestKey(std::move(token))});
    const RequestHeaders headers(request);
    SignatureParts parts;
    ParseSignature(request, headers, parts);
    if (auto error = CheckComplete(headers, parts)) return error->code + ": " + error->message;
    auto caller = SigV4Verifier(clock_, options).Verify(request, headers, parts, *keys);
    if (!caller) return caller.error().code + ": " + caller.error().message;
    EXPECT_EQ(caller->key->access_key_id, kKeyId);
    body_ = caller->unchunked_body ? std::string(caller->unchunked_body->view()) : test.body;
    return "";
  }

  TestRequest Signed(TestRequest test = {}, std::string token = "",
                     std::string service = "kinesis") {
    SigV4Signer signer({std::string(kKeyId), std::string(kSecret), std::move(token)}, "us-east-1",
                       std::move(service));
    UnsignedRequest request;
    request.method = test.method;
    request.target = test.target;
    request.headers = test.headers;
    request.headers.emplace_back("host", test.authority);
    request.body = test.body;
    for (auto& header : signer.Sign(request, clock_.WallMs())) {
      test.headers.push_back(std::move(header));
    }
    return test;
  }

  TestRequest PutRecord() {
    TestRequest test;
    test.headers = {{"content-type", "application/x-amz-json-1.1"},
                    {"x-amz-target", "Kinesis_20131202.PutRecord"}};
    return test;
  }

  base::ManualClock clock_{1'772'600'767'000};
  std::string body_;
};

TEST_F(SigV4Test, AcceptsWhatWeSign) {
  EXPECT_EQ(Verify(Signed(PutRecord())), "");
  TestRequest odd = PutRecord();
  odd.method = "GET";
  odd.target = "/a%20b/../c//d/?z=1&a=%2F%20&a=&b";
  odd.body = "";
  EXPECT_EQ(Verify(Signed(odd)), "");
  EXPECT_EQ(Verify(Signed(odd, "", "s3")), "");
}

TEST_F(SigV4Test, AcceptsRequestsSignedByBotocore) {
  std::ifstream file(MILLSTREAM_SOURCE_DIR "/src/aws/testdata/sigv4_vectors.json");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto root = ParsePolicyJson(text);  // a JSON tree like any other
  ASSERT_TRUE(root.has_value()) << root.error().message();
  clock_.JumpWall(std::stoll(root->Find("now_ms")->text) - clock_.WallMs());
  const auto& vectors = root->Find("vectors")->items;
  ASSERT_GE(vectors.size(), 30u);
  for (const PolicyJson& vector : vectors) {
    const auto member = [&](std::string_view name) { return vector.Find(name)->text; };
    TestRequest test{member("method"), member("target"), member("authority"), {}, member("body")};
    for (const PolicyJson& header : vector.Find("headers")->items) {
      test.headers.emplace_back(header.items[0].text, header.items[1].text);
    }
    EXPECT_EQ(Verify(test, {}, member("token")), "") << member("name");
    test.authority += "x";
    EXPECT_THAT(Verify(test, {}, member("token")), HasSubstr("does not match")) << member("name");
  }
}

// The signatures that AWS's SigV4 test suite gives for its first cases.
TEST_F(SigV4Test, AcceptsPublishedVectors) {
  clock_.JumpWall(*codec::ParseIso8601Basic("20150830T123600Z") - clock_.WallMs());
  const auto vector = [&](std::string target, std::string signature) {
    TestRequest test{"GET", std::move(target), "example.amazonaws.com", {}, ""};
    test.headers = {{"X-Amz-Date", "20150830T123600Z"},
                    {"Authorization",
                     "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/"
                     "aws4_request, SignedHeaders=host;x-amz-date, Signature=" +
                         std::move(signature)}};
    return Verify(test);
  };
  EXPECT_EQ(vector("/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"), "");
  EXPECT_EQ(vector("/?Param2=value2&Param1=value1",
                   "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
            "");
}

TEST_F(SigV4Test, AuthorityPseudoHeaderMayBeSignedInsteadOfHost) {
  // As the Node SDK does over HTTP/2.
  TestRequest test = PutRecord();
  test.headers.emplace_back("content-length", "2");
  TestRequest to_sign = test;
  UnsignedRequest request;
  request.headers = test.headers;
  request.headers.emplace_back(":authority", test.authority);
  request.body = test.body;
  SigV4Signer signer({std::string(kKeyId), std::string(kSecret), ""}, "us-east-1", "kinesis");
  for (auto& header : signer.Sign(request, clock_.WallMs())) test.headers.push_back(header);
  EXPECT_THAT(test.Header("authorization"), HasSubstr("SignedHeaders=:authority;content-length;"));
  EXPECT_EQ(Verify(test), "");
  // HTTP/2 need not carry the content-length that was signed.
  test.headers.erase(test.headers.begin() + 2);
  EXPECT_EQ(Verify(test), "");
}

TEST_F(SigV4Test, HeaderValuesAreFoldedAndJoined) {
  TestRequest test = PutRecord();
  test.headers.emplace_back("x-folded", "a b c");
  test.headers.emplace_back("x-twice", "1");
  test.headers.emplace_back("x-twice", "2");
  test = Signed(test);
  test.Header("x-folded") = "  a \t b  c ";
  EXPECT_EQ(Verify(test), "");
}

TEST_F(SigV4Test, RejectsEveryChangeOfWhatIsSigned) {
  const TestRequest good = Signed(PutRecord());
  const auto rejected = [&](auto change) {
    TestRequest test = good;
    change(test);
    return Verify(test).substr(0, 40) == "InvalidSignatureException: The request s";
  };
  EXPECT_TRUE(rejected([](TestRequest& t) { t.body = "{ }"; }));
  EXPECT_TRUE(rejected([](TestRequest& t) { t.method = "PUT"; }));
  EXPECT_TRUE(rejected([](TestRequest& t) { t.target = "/x"; }));
  EXPECT_TRUE(rejected([](TestRequest& t) { t.target = "/?a=b"; }));
  EXPECT_TRUE(rejected([](TestRequest& t) { t.authority = "other"; }));
  EXPECT_TRUE(
      rejected([](TestRequest& t) { t.Header("x-amz-target") = "Kinesis_20131202.DeleteStream"; }));
  EXPECT_TRUE(rejected([](TestRequest& t) { t.headers.emplace_back("x-amz-target", "x"); }));
  EXPECT_TRUE(rejected([](TestRequest& t) { t.Header("x-amz-date") = "20260304T050608Z"; }));
  EXPECT_TRUE(rejected([](TestRequest& t) { t.Header("authorization").back() ^= 1; }));
  EXPECT_TRUE(rejected([](TestRequest& t) { t.Header("authorization").pop_back(); }));
}

TEST_F(SigV4Test, MismatchShowsCanonicalStringWithoutToken) {
  TestRequest test = Signed(PutRecord(), "TOKENTOKENTOKEN");
  test.body = "[]";
  const std::string error = Verify(test, {}, "TOKENTOKENTOKEN");
  EXPECT_THAT(error,
              HasSubstr("\n\nThe Canonical String for this request should have been\n'POST\n/\n\n"
                        "content-type:application/x-amz-json-1.1\nhost:localhost:4566\n"));
  EXPECT_THAT(error, HasSubstr("The String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20260304T"
                               "050607Z\n20260304/us-east-1/kinesis/aws4_request\n"));
  EXPECT_THAT(error, HasSubstr("x-amz-security-token:(not shown)\n"));
  EXPECT_THAT(error, Not(HasSubstr("TOKENTOKEN")));
  EXPECT_THAT(error, Not(HasSubstr(std::string(kSecret))));
}

TEST_F(SigV4Test, SessionTokensMustBeTheOneOfTheKey) {
  constexpr const char* kInvalid =
      "UnrecognizedClientException: The security token included in the request is invalid.";
  EXPECT_EQ(Verify(Signed(PutRecord(), "good"), {}, "good"), "");
  EXPECT_EQ(Verify(Signed(PutRecord(), "bad"), {}, "good"), kInvalid);
  EXPECT_EQ(Verify(Signed(PutRecord()), {}, "good"), kInvalid);
  EXPECT_EQ(Verify(Signed(PutRecord(), "surplus")), kInvalid);
}

TEST_F(SigV4Test, UnknownAndDisabledKeysLookTheSame) {
  const TestRequest test = Signed(PutRecord());
  const http::Request request = test.Build();
  AccessKey disabled = TestKey();
  disabled.enabled = false;
  AccessKey other = TestKey();
  other.access_key_id = "AKIDOTHER";
  for (const auto& key : {disabled, other}) {
    const auto keys = *CredentialSet::Create({key});
    const RequestHeaders headers(request);
    SignatureParts parts;
    ParseSignature(request, headers, parts);
    const auto caller = SigV4Verifier(clock_, {}).Verify(request, headers, parts, *keys);
    ASSERT_FALSE(caller.has_value());
    EXPECT_EQ(caller.error().code, "UnrecognizedClientException");
  }
}

TEST_F(SigV4Test, ARotatedSecretTakesEffectAtOnce) {
  const TestRequest test = Signed(PutRecord());
  const http::Request request = test.Build();
  const RequestHeaders headers(request);
  SignatureParts parts;
  ParseSignature(request, headers, parts);
  const SigV4Verifier verifier(clock_, {});
  auto keys = *CredentialSet::Create({TestKey()});
  EXPECT_TRUE(verifier.Verify(request, headers, parts, *keys).has_value());
  AccessKey rotated = TestKey();
  rotated.secret = "another";
  keys = *CredentialSet::Create({rotated});
  EXPECT_FALSE(verifier.Verify(request, headers, parts, *keys).has_value());
}

TEST_F(SigV4Test, ClockSkewOfFiveMinutesEitherWay) {
  const TestRequest test = Signed(PutRecord());
  clock_.Advance(300'000);
  EXPECT_EQ(Verify(test), "");
  clock_.Advance(1'000);
  EXPECT_EQ(Verify(test),
            "InvalidSignatureException: Signature expired: 20260304T050607Z is now earlier than "
            "20260304T050608Z (20260304T051108Z - 5 min.)");
  clock_.JumpWall(-601'000);
  EXPECT_EQ(Verify(test), "");
  clock_.JumpWall(-1'000);
  EXPECT_EQ(Verify(test),
            "InvalidSignatureException: Signature not yet current: 20260304T050607Z is still later "
            "than 20260304T050606Z (20260304T050106Z + 5 min.)");
}

TEST_F(SigV4Test, FormOfHeaderParameters) {
  const TestRequest good = Signed(PutRecord());
  const auto with = [&](std::string_view from, std::string_view to) {
    TestRequest test = good;
    std::string& value = test.Header("authorization");
    value.replace(value.find(from), from.size(), to);
    return Verify(test);
  };
  EXPECT_EQ(with("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
            "IncompleteSignatureException: Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1'.");
  EXPECT_EQ(with("/kinesis/", "-"),
            "IncompleteSignatureException: Credential must have exactly 5 slash-delimited "
            "elements, e.g. keyid/date/region/service/term, got "
            "'AKIDEXAMPLE/20260304/us-east-1-aws4_request'");
  EXPECT_EQ(with("aws4_request", "aws5"),
            "InvalidSignatureException: Credential should be scoped with a valid terminator: "
            "'aws4_request', not 'aws5'.");
  EXPECT_EQ(with("20260304", "20260303"),
            "InvalidSignatureException: Date in Credential scope does not match YYYYMMDD from "
            "ISO-8601 version of date from HTTP: '20260303' != '20260304', from "
            "'20260304T050607Z'.");
  EXPECT_EQ(with(";host;", ";"),
            "InvalidSignatureException: 'Host' or ':authority' must be a 'SignedHeader' in the AWS "
            "Authorization.");
  TestRequest test = good;
  test.Header("x-amz-date") = "2026-03-04";
  EXPECT_EQ(Verify(test),
            "IncompleteSignatureException: Date must be in ISO-8601 'basic format'. Got "
            "'2026-03-04'. See http://en.wikipedia.org/wiki/ISO_8601");
}

TEST_F(SigV4Test, CompletenessInAwsWords) {
  const auto check = [&](std::string target,
                         std::vector<std::pair<std::string, std::string>> headers) {
    TestRequest test;
    test.target = std::move(target);
    test.headers = std::move(headers);
    return Verify(test);
  };
  EXPECT_EQ(check("/", {}), "MissingAuthenticationTokenException: Missing Authentication Token");
  EXPECT_EQ(check("/?X-Amz-Credential=a&X-Amz-Signature=b&X-Amz-SignedHeaders=c&X-Amz-Date=d", {}),
            "MissingAuthenticationTokenException: Missing Authentication Token");
  EXPECT_EQ(check("/?X-Amz-Algorithm", {{"Authorization", "X"}}),
            "InvalidSignatureException: Found both 'X-Amz-Algorithm' as a query-string param and "
            "'Authorization' as HTTP header.");
  EXPECT_EQ(check("/?X-Amz-Algorith", {{"Authorization", "X"}}),
            "IncompleteSignatureException: Authorization header requires 'Credential' parameter. "
            "Authorization header requires 'Signature' parameter. "
            "Authorization header requires 'SignedHeaders' parameter. "
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
            "Authorization=X");
  for (const char* header : {"AWS4- Signature=b Credential=a", "AWS4- Signature=b,Credential=a",
                             "AWS4- Signature=b, Credential=a"}) {
    EXPECT_EQ(check("/", {{"Authorization", header}, {"Date", "a"}}),
              "IncompleteSignatureException: Authorization header requires 'SignedHeaders' "
              "parameter. Authorization=" +
                  std::string(header));
  }
  EXPECT_EQ(check("/?X-Amz-Algorithm", {}),
            "IncompleteSignatureException: AWS query-string parameters must include "
            "'X-Amz-Algorithm'. AWS query-string parameters must include 'X-Amz-Credential'. "
            "AWS query-string parameters must include 'X-Amz-Signature'. "
            "AWS query-string parameters must include 'X-Amz-SignedHeaders'. "
            "AWS query-string parameters must include 'X-Amz-Date'. "
            "Re-examine the query-string parameters.");
  EXPECT_EQ(check("/?X-Amz-Algorithm=a&X-Amz-Credential=b&X-Amz-Signature=c&X-Amz-Date=d", {}),
            "IncompleteSignatureException: AWS query-string parameters must include "
            "'X-Amz-SignedHeaders'. Re-examine the query-string parameters.");
}

TEST_F(SigV4Test, PresignedRequestsLiveAsLongAsTheySay) {
  TestRequest test = PutRecord();
  UnsignedRequest request;
  request.headers = {{"host", test.authority}};
  request.target = "/?Action=x";
  request.body = test.body;
  SigV4Signer signer({std::string(kKeyId), std::string(kSecret), "tok/en+"}, "us-east-1",
                     "kinesis");
  test.target = signer.Presign(request, clock_.WallMs(), 60);
  EXPECT_EQ(Verify(test, {}, "tok/en+"), "");
  clock_.Advance(60'000);
  EXPECT_EQ(Verify(test, {}, "tok/en+"), "");
  clock_.Advance(1'000);
  EXPECT_EQ(Verify(test, {}, "tok/en+"),
            "InvalidSignatureException: Signature expired: 20260304T050607Z is now earlier than "
            "20260304T050608Z (20260304T050708Z - 1 min.)");
  test.target = signer.Presign(request, clock_.WallMs(), 604'801);
  EXPECT_THAT(Verify(test, {}, "tok/en+"), HasSubstr("X-Amz-Expires must be less than a week"));
}

TEST_F(SigV4Test, PayloadHashHeader) {
  TestRequest test = PutRecord();
  test.headers.emplace_back("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
  test = Signed(test);
  EXPECT_EQ(Verify(test), "");
  test.body = "anything";
  EXPECT_EQ(Verify(test), "");
  test.Header("x-amz-content-sha256") = std::string(64, 'a');
  EXPECT_EQ(Verify(test),
            "InvalidSignatureException: The provided 'x-amz-content-sha256' header does not match "
            "what was computed.");
  // The header cannot be slipped in afterwards to free the body.
  test = Signed(PutRecord());
  test.headers.emplace_back("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
  EXPECT_THAT(Verify(test), HasSubstr("does not match the signature you provided"));
}

TEST_F(SigV4Test, TargetMayBeRequiredToBeSigned) {
  TestRequest test;
  test = Signed(test);
  test.headers.emplace_back("x-amz-target", "Kinesis_20131202.ListStreams");
  EXPECT_EQ(Verify(test), "");
  SigV4Options options;
  options.require_signed_target = true;
  EXPECT_THAT(Verify(test, options), HasSubstr("'X-Amz-Target' must be a 'SignedHeader'"));
  EXPECT_EQ(Verify(Signed(PutRecord()), options), "");
}

// --- Chunked payloads: the example of the S3 documentation ---

constexpr std::string_view kS3KeyId = "AKIAIOSFODNN7EXAMPLE";
constexpr std::string_view kS3Secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

class ChunkTest : public ::testing::Test {
 protected:
  ChunkTest() {
    UnsignedRequest request;
    SigV4Signer signer({std::string(kS3KeyId), std::string(kS3Secret), ""}, "us-east-1", "s3");
    key_.emplace(signer.SigningKey(*codec::ParseIso8601Basic("20130524T000000Z")));
  }
  ChunkSigning Signing(std::string_view seed) const {
    return {&*key_, "20130524T000000Z", "20130524/us-east-1/s3/aws4_request", seed};
  }
  static constexpr std::string_view kSeed =
      "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
  std::string body_ =
      "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" +
      std::string(65536, 'a') +
      "\r\n400;chunk-signature="
      "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" +
      std::string(1024, 'a') +
      "\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n"
      "\r\n";
  std::optional<codec::HmacSha256Key> key_;
};

TEST_F(ChunkTest, VerifiesTheDocumentedExample) {
  const auto decoded = DecodeChunks(ChunkedPayload::kSigned, body_, "66560", Signing(kSeed));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(decoded->view(), std::string(66560, 'a'));
}

TEST_F(ChunkTest, RejectsChangedBytesOrderSeedAndLength) {
  std::string changed = body_;
  changed[200] = 'b';
  EXPECT_FALSE(DecodeChunks(ChunkedPayload::kSigned, changed, "", Signing(kSeed)).has_value());
  const std::string other_seed(64, '0');
  EXPECT_FALSE(DecodeChunks(ChunkedPayload::kSigned, body_, "", Signing(other_seed)).has_value());
  EXPECT_FALSE(DecodeChunks(ChunkedPayload::kSigned, body_, "66561", Signing(kSeed)).has_value());
}

TEST_F(ChunkTest, RejectsEveryTruncation) {
  const std::string small = "3;chunk-signature=x\r\nabc\r\n0;chunk-signature=y\r\n\r\n";
  ChunkSigning open;  // no key: framing only
  ASSERT_TRUE(DecodeChunks(ChunkedPayload::kSigned, small, "3", open).has_value());
  for (std::size_t size = 0; size + 2 < small.size(); ++size) {
    EXPECT_FALSE(
        DecodeChunks(ChunkedPayload::kSigned, std::string_view(small).substr(0, size), "3", open)
            .has_value())
        << size;
  }
}

TEST_F(ChunkTest, VerifiesTrailersAndTheirChecksums) {
  const std::string_view seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
  std::string body =
      "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n" +
      std::string(65536, 'a') +
      "\r\n400;chunk-signature="
      "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n" +
      std::string(1024, 'a') +
      "\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
      "x-amz-checksum-crc32c:sOO8/Q==\r\n"
      "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n"
      "\r\n";
  const auto decoded = DecodeChunks(ChunkedPayload::kSignedTrailer, body, "66560", Signing(seed));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().code << decoded.error().message;
  EXPECT_EQ(decoded->size(), 66560u);
  body[body.find("sOO8")] = 't';
  const auto bad = DecodeChunks(ChunkedPayload::kSignedTrailer, body, "", Signing(seed));
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().code, "BadDigest");
}

TEST_F(ChunkTest, UnsignedTrailer) {
  ChunkSigning signing = Signing("");
  const std::string body = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
  const auto decoded = DecodeChunks(ChunkedPayload::kUnsignedTrailer, body, "5", signing);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(decoded->view(), "hello");
}

TEST_F(SigV4Test, ChunkedRequestIsDecoded) {
  TestRequest test;
  test.headers = {{"x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"},
                  {"x-amz-decoded-content-length", "5"}};
  test.body = "5\r\nhello\r\n0\r\n\r\n";
  EXPECT_EQ(Verify(Signed(test, "", "s3")), "");
  EXPECT_EQ(body_, "hello");
}

}  // namespace
}  // namespace millstream::aws
