#include "aws/front_door.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "aws/generated/kinesis.h"
#include "aws/sigv4_signer.h"
#include "base/logging.h"
#include "codec/base64.h"
#include "codec/event_stream.h"
#include "codec/sha256.h"
#include "net/loop.h"

namespace millstream::aws {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kListStreams = "Kinesis_20131202.ListStreams";
constexpr std::string_view kJsonType = "application/x-amz-json-1.1";
constexpr std::string_view kCborType = "application/x-amz-cbor-1.1";

// What came back; filled when the responder is used.
struct Answer {
  int sends = 0;
  bool finished = false;
  int status = 0;
  std::string headers;
  std::string body;

  std::string Header(std::string_view name) const {
    const std::string start = std::string(name) + ": ";
    for (std::size_t at = 0; at < headers.size();) {
      const auto end = headers.find("\r\n", at);
      if (headers.compare(at, start.size(), start) == 0) {
        return headers.substr(at + start.size(), end - at - start.size());
      }
      at = end + 2;
    }
    return "(none)";
  }
};

class RecordingWriter final : public http::BodyWriter {
 public:
  explicit RecordingWriter(Answer& answer) : answer_(answer) {}
  bool Write(base::Bytes bytes) override {
    answer_.body += bytes.view();
    return true;
  }
  std::size_t queued_bytes() const override { return 0; }
  void OnDrained(std::size_t, base::Function<void()>) override {}
  bool closed() const override { return false; }
  void Finish() override { answer_.finished = true; }

 private:
  Answer& answer_;
};

class RecordingResponder final : public http::Responder::Impl {
 public:
  explicit RecordingResponder(Answer& answer) : answer_(answer) {}
  void Send(http::Response response) override {
    Take(response);
    answer_.finished = true;
  }
  std::unique_ptr<http::BodyWriter> Stream(http::Response head) override {
    Take(head);
    return std::make_unique<RecordingWriter>(answer_);
  }
  bool closed() const override { return false; }

 private:
  void Take(const http::Response& response) {
    ++answer_.sends;
    answer_.status = response.status;
    answer_.headers = response.headers.lines();
    answer_.body = response.body.view();
  }
  Answer& answer_;
};

// Kinesis' tables with behaviour that each test supplies.
class FakeKinesis final : public Service {
 public:
  using Body = std::function<void(const OperationSchema&, const Call&, Instance,
                                  std::unique_ptr<ReplySink>)>;
  const ServiceSchema& schema() const override { return kinesis::Schema(); }
  void Invoke(const OperationSchema& operation, const Call& call, Instance input,
              std::unique_ptr<ReplySink> reply) override {
    ++invoked;
    last_call = call;
    if (body) return body(operation, call, std::move(input), std::move(reply));
    if (operation.name == "ListStreams") {
      const kinesis::ListStreamsOutput output;
      reply->Send(*operation.output, &output);
    } else {
      Instance output(*operation.output);
      reply->Send(*operation.output, output.get());
    }
  }
  bool TryFast(const OperationSchema& operation, const Call& call, const http::Request& request,
               std::unique_ptr<ReplySink>& reply) override {
    last_body = request.body.view();
    if (operation.name != "PutRecord" || !fast) return false;
    if (call.authorizer != nullptr) {
      if (auto error =
              call.authorizer->Authorize(call, "kinesis:PutRecord", call.Arn("stream/s"))) {
        std::exchange(reply, nullptr)->Fail(std::move(*error));
        return true;
      }
    }
    std::exchange(reply, nullptr)->SendEncoded(base::Bytes::Static("{\"fast\":1}"));
    return true;
  }
  std::vector<std::string> Resources(const OperationSchema& operation, const Call& call,
                                     const void*) const override {
    if (operation.name == "ListStreams") return {"*"};
    return {resource.empty() ? call.Arn("stream/s") : resource};
  }
  std::optional<std::string> ResourcePolicy(std::string_view) const override {
    return resource_policy.empty() ? std::nullopt : std::optional(resource_policy);
  }
  std::vector<std::pair<std::string, std::string>> ResourceTags(std::string_view) const override {
    return {{"env", "prod"}};
  }

  Body body;
  bool fast = false;
  int invoked = 0;
  Call last_call;
  std::string last_body;
  std::string resource;
  std::string resource_policy;
};

class OwnPaths final : public http::Handler {
 public:
  void Handle(http::Request request, http::Responder responder) override {
    http::Response response;
    response.body = base::Bytes::Copy("own " + std::string(request.path()));
    std::move(responder).Send(std::move(response));
  }
};

class RecordingAudit final : public AuditSink {
 public:
  AuditLevel level() const override { return level_; }
  void Record(AuditEvent event) override { events.push_back(std::move(event)); }
  AuditLevel level_ = AuditLevel::kAll;
  std::vector<AuditEvent> events;
};

struct TestRequest {
  std::string method = "POST";
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body = "{}";
  bool sign = true;
};

class FrontDoorTest : public ::testing::Test {
 protected:
  FrontDoorTest() {
    Open({});
    SignAs({"AKID", "secret", ""}, "eu-west-1", "kinesis");
  }

  void SignAs(SigningCredentials credentials, std::string region, std::string service) {
    signer_.emplace(std::move(credentials), std::move(region), std::move(service));
  }

  void Open(FrontDoorOptions options) {
    door_ = std::make_unique<FrontDoor>(clock_, random_, credentials_, own_paths_, options);
    ASSERT_TRUE(door_->Register(service_).has_value());
  }

  void Handle(TestRequest test, Answer& answer) {
    if (test.sign) {
      UnsignedRequest to_sign;
      to_sign.method = test.method;
      to_sign.target = test.target;
      to_sign.headers = test.headers;
      to_sign.headers.emplace_back("host", "localhost:4566");
      to_sign.body = test.body;
      for (auto& header : signer_->Sign(to_sign, clock_.WallMs())) {
        test.headers.push_back(std::move(header));
      }
    }
    // Views must survive the call: one block holds all texts.
    kept_.push_back(std::make_unique<TestRequest>(std::move(test)));
    const TestRequest& kept = *kept_.back();
    http::Request request;
    request.method = kept.method;
    request.target = kept.target;
    request.authority = "localhost:4566";
    for (const auto& [name, value] : kept.headers) request.header_storage.push_back({name, value});
    request.headers = request.header_storage;
    request.body = base::Bytes::Copy(kept.body);
    request.body_sha256 = codec::Sha256Digest(kept.body);
    request.peer_address = "127.0.0.1";
    door_->Handle(std::move(request),
                  http::Responder(std::make_unique<RecordingResponder>(answer)));
  }
  Answer Ask(TestRequest test) {
    Answer answer;
    Handle(std::move(test), answer);
    EXPECT_EQ(answer.sends, 1);
    return answer;
  }
  static TestRequest Json(std::string_view target, std::string body = "{}") {
    return {"POST",
            "/",
            {{"content-type", std::string(kJsonType)}, {"x-amz-target", std::string(target)}},
            std::move(body),
            true};
  }
  static TestRequest Unsigned(TestRequest test) {
    test.sign = false;
    return test;
  }
  // Any body, typed or not, without credentials.
  static TestRequest Raw(std::string body, std::vector<std::pair<std::string, std::string>> headers,
                         std::string target = "/") {
    return {"POST", std::move(target), std::move(headers), std::move(body), false};
  }

  void Configure(std::vector<std::string> policies = {}) {
    AccessKey key;
    key.access_key_id = "AKID";
    key.secret = "secret";
    key.account_id = "111122223333";
    key.principal_arn = "arn:aws:iam::111122223333:user/alice";
    for (const auto& json : policies) {
      key.policies.push_back(*PolicyDocument::Parse(json, PolicyKind::kIdentity));
    }
    credentials_.Replace(*CredentialSet::Create({key}));
  }

  base::ManualClock clock_{1'772'600'767'000};
  base::SeededRandom random_{7};
  CredentialStore credentials_;
  OwnPaths own_paths_;
  FakeKinesis service_;
  std::unique_ptr<FrontDoor> door_;
  std::optional<SigV4Signer> signer_;
  std::vector<std::unique_ptr<TestRequest>> kept_;
};

// --- The order of checks, as recorded on AWS ---

void ExpectIds(const Answer& answer) {
  EXPECT_THAT(answer.Header("x-amzn-requestid"),
              ::testing::MatchesRegex("[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[a-f0-9]{4}-"
                                      "[a-f0-9]{12}"));
  const auto id2 = codec::Base64Decode(answer.Header("x-amz-id-2"));
  ASSERT_TRUE(id2.has_value());
  EXPECT_EQ(id2->size(), 72u);
}

void ExpectXml(const Answer& answer, int status, std::string_view body) {
  EXPECT_EQ(answer.status, status);
  EXPECT_EQ(answer.body, body);
  EXPECT_EQ(answer.Header("content-type"), "(none)");
  ExpectIds(answer);
}

void ExpectJson(const Answer& answer, std::string_view body, int status = 400,
                std::string_view type = kJsonType) {
  EXPECT_EQ(answer.status, status);
  EXPECT_EQ(answer.body, body);
  EXPECT_EQ(answer.Header("content-type"), type);
  ExpectIds(answer);
}

void ExpectCbor(const Answer& answer, std::string_view code) {
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.Header("content-type"), kCborType);
  EXPECT_THAT(answer.body, HasSubstr("__type"));
  EXPECT_THAT(answer.body, HasSubstr(std::string(code)));
  EXPECT_EQ(answer.Header("x-amzn-errortype"), code);
  ExpectIds(answer);
}

TEST_F(FrontDoorTest, PreflightNeedsNoSignature) {
  const Answer answer = Ask({"OPTIONS",
                             "/",
                             {{"Origin", "whatever"},
                              {"Access-Control-Request-Headers", "a, b, c"},
                              {"Access-Control-Request-Method", "d"}},
                             "",
                             false});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(answer.Header("access-control-allow-origin"), "*");
  EXPECT_EQ(answer.Header("access-control-allow-headers"), "a, b, c");
  EXPECT_EQ(answer.Header("access-control-allow-methods"), "d");
  EXPECT_EQ(answer.Header("access-control-max-age"), "172800");
  EXPECT_EQ(answer.Header("x-amz-id-2"), "(none)");
  EXPECT_EQ(answer.Header("content-type"), "(none)");
  EXPECT_NE(answer.Header("x-amzn-requestid"), "(none)");
}

TEST_F(FrontDoorTest, AnswersToOriginsCarryCors) {
  TestRequest test = Json(kListStreams);
  test.headers.emplace_back("Origin", "http://page");
  const Answer answer = Ask(test);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("access-control-allow-origin"), "*");
  EXPECT_EQ(answer.Header("access-control-expose-headers"),
            "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,"
            "Date");
  EXPECT_EQ(Ask(Json(kListStreams)).Header("access-control-allow-origin"), "(none)");
}

TEST_F(FrontDoorTest, OtherMethodsAreAnsweredInXml) {
  for (const char* method : {"GET", "PUT", "DELETE", "OPTIONS"}) {
    ExpectXml(Ask({method, "/", {}, "", true}), 403,
              "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to "
              "be authorized</Message>\n</AccessDeniedException>\n");
    ExpectXml(Ask({method, "/", {}, "", false}), 403,
              "<MissingAuthenticationTokenException>\n  <Message>Missing Authentication Token"
              "</Message>\n</MissingAuthenticationTokenException>\n");
  }
}

TEST_F(FrontDoorTest, EmptyBodies) {
  ExpectCbor(Ask({"POST", "/", {}, "", false}), "UnknownOperationException");
  ExpectCbor(Ask({"POST", "/", {}, "", true}), "UnknownOperationException");
  ExpectCbor(Ask(Raw("", {{"content-type", "application/x-amz-json-1.1asdf"}})),
             "UnknownOperationException");
  for (const char* target : {"Whatever", "Kinesis_20131202.", "Kinesis_20131202.Whatever",
                             "Kinesis_20131202.ListStream"}) {
    ExpectCbor(Ask(Raw("", {{"x-amz-target", target}})), "UnknownOperationException");
  }
  ExpectCbor(Ask(Raw("", {{"x-amz-target", std::string(kListStreams)}})), "SerializationException");
  ExpectCbor(Ask(Raw("", {{"x-amz-target", std::string(kListStreams)},
                          {"content-type", "application/json"}})),
             "SerializationException");
  ExpectJson(Ask(Raw("", {{"content-type", std::string(kJsonType)}})),
             R"({"__type":"UnknownOperationException"})");
  ExpectJson(Ask(Unsigned(Json(kListStreams, ""))), R"({"__type":"SerializationException"})");
}

TEST_F(FrontDoorTest, UnknownContentTypes) {
  ExpectXml(Ask({"POST", "/", {}, "{}", true}), 403,
            "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be "
            "authorized</Message>\n</AccessDeniedException>\n");
  ExpectXml(Ask({"POST", "/", {{"x-amz-target", std::string(kListStreams)}}, "{}", true}), 404,
            "<UnknownOperationException/>\n");
  ExpectXml(Ask({"POST", "/", {{"x-amz-target", "Kinesis_20131202.x"}}, "{}", true}), 500,
            "<InternalFailure/>\n");
  ExpectXml(Ask({"POST", "/", {{"x-amz-target", "whatever.ListStreams"}}, "{}", true}), 403,
            "<UnrecognizedClientException>\n  <Message>No authorization strategy was found for "
            "service: whatever, operation: ListStreams</Message>\n"
            "</UnrecognizedClientException>\n");
  ExpectXml(Ask(Raw("{}", {{"authorization", "<a>"}})), 403,
            "<IncompleteSignatureException>\n  <Message>Authorization header requires 'Credential' "
            "parameter. Authorization header requires 'Signature' parameter. Authorization header "
            "requires 'SignedHeaders' parameter. Authorization header requires existence of either "
            "a 'X-Amz-Date' or a 'Date' header. Authorization=&lt;a&gt;</Message>\n"
            "</IncompleteSignatureException>\n");
  // Kinesis speaks JSON 1.1 only.
  EXPECT_EQ(Ask({"POST",
                 "/",
                 {{"content-type", "application/x-amz-json-1.0"},
                  {"x-amz-target", std::string(kListStreams)}},
                 "{}",
                 true})
                .status,
            404);
}

TEST_F(FrontDoorTest, DeprecatedJson) {
  const std::string unknown =
      R"({"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"})";
  const std::string malformed =
      R"({"Output":{"__type":"com.amazon.coral.service#SerializationException"},"Version":"1.0"})";
  ExpectJson(Ask(Raw("{}", {{"content-type", "application/json"},
                            {"x-amz-target", std::string(kListStreams)}})),
             unknown, 404, "application/json");
  ExpectJson(Ask(Raw("hello", {{"content-type", "     application/json     ;"}})), malformed, 400,
             "application/json");
}

TEST_F(FrontDoorTest, BodiesThatDoNotParseComeBeforeTargetAndSignature) {
  for (const char* body : {"hello", "true", "null", "1", "{"}) {
    ExpectJson(Ask(Unsigned(Json(kListStreams, body))), R"({"__type":"SerializationException"})");
    ExpectJson(Ask(Unsigned(Json("whatever.ListStreams", body))),
               R"({"__type":"SerializationException"})");
    EXPECT_THAT(Ask(Json(kListStreams, body)).body, HasSubstr("SerializationException")) << body;
  }
  ExpectCbor(Ask(Raw("\x82", {{"content-type", std::string(kCborType)},
                              {"x-amz-target", std::string(kListStreams)}})),
             "SerializationException");
}

TEST_F(FrontDoorTest, UnknownTargets) {
  for (const char* target : {"", "x", "whatever.ListStreams", "Kinesis_20131202.Whatever"}) {
    ExpectJson(Ask(Unsigned(Json(target))), R"({"__type":"UnknownOperationException"})");
  }
}

TEST_F(FrontDoorTest, MissingAndIncompleteSignatures) {
  ExpectJson(Ask(Unsigned(Json(kListStreams))),
             R"({"__type":"MissingAuthenticationTokenException",)"
             R"("message":"Missing Authentication Token"})");
  TestRequest spaced = Unsigned(Json(kListStreams));
  spaced.headers[0].second = "   application/x-amz-json-1.1   ;whatever";
  EXPECT_THAT(Ask(spaced).body, HasSubstr("MissingAuthenticationTokenException"));
  TestRequest incomplete = Unsigned(Json(kListStreams));
  incomplete.headers.emplace_back("Authorization", "X");
  EXPECT_THAT(Ask(incomplete).body, HasSubstr("IncompleteSignatureException"));
  incomplete.target = "/?X-Amz-Algorithm";
  EXPECT_THAT(Ask(incomplete).body, HasSubstr("InvalidSignatureException"));
  EXPECT_EQ(door_->metrics().unauthenticated.value(), 4u);
  EXPECT_EQ(service_.invoked, 0);
}

TEST_F(FrontDoorTest, TypesAndConstraintsComeLast) {
  EXPECT_THAT(Ask(Json(kListStreams, R"({"Limit":"x"})")).body,
              HasSubstr("SerializationException"));
  const Answer answer = Ask(Json(kListStreams, R"({"Limit":0})"));
  EXPECT_THAT(answer.body,
              StartsWith(R"({"__type":"ValidationException","message":"1 validation )"));
  EXPECT_EQ(answer.Header("x-amzn-errortype"), "ValidationException");
  EXPECT_EQ(service_.invoked, 0);
}

// --- Calls that get through ---

TEST_F(FrontDoorTest, OpenModeTakesAnyCredentials) {
  const Answer answer = Ask(Json(kListStreams));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("content-type"), kJsonType);
  EXPECT_THAT(answer.body, HasSubstr("\"StreamNames\":[]"));
  ExpectIds(answer);
  EXPECT_EQ(answer.Header("x-amzn-requestid"), service_.last_call.request_id);
  EXPECT_EQ(service_.last_call.account, "000000000000");
  EXPECT_EQ(service_.last_call.region, "eu-west-1");
  EXPECT_EQ(service_.last_call.principal_arn, "arn:aws:iam::000000000000:root");
  EXPECT_EQ(service_.last_call.access_key, "AKID");
  EXPECT_EQ(service_.last_call.authorizer, nullptr);

  // Also with a signature that no verifier would take, and an account as key id.
  TestRequest fake = Unsigned(Json(kListStreams));
  fake.headers.emplace_back("x-amz-date", "x");
  fake.headers.emplace_back("authorization",
                            "AWS4-HMAC-SHA256 Credential=123456789012/20200101/cn-north-1/kinesis/"
                            "aws4_request, SignedHeaders=host, Signature=0");
  EXPECT_EQ(Ask(fake).status, 200);
  EXPECT_EQ(service_.last_call.account, "123456789012");
  EXPECT_EQ(service_.last_call.partition, "aws-cn");
}

TEST_F(FrontDoorTest, UnsignedCallsWhereTheyAreAllowed) {
  FrontDoorOptions options;
  options.allow_unsigned = true;
  Open(options);
  EXPECT_EQ(Ask(Unsigned(Json(kListStreams))).status, 200);
  EXPECT_EQ(service_.last_call.region, "us-east-1");
  Configure();  // only open mode has it
  EXPECT_EQ(Ask(Unsigned(Json(kListStreams))).status, 400);
}

TEST_F(FrontDoorTest, ConfiguredKeysAreVerified) {
  Configure();
  EXPECT_EQ(Ask(Json(kListStreams)).status, 200);
  EXPECT_EQ(service_.last_call.account, "111122223333");
  EXPECT_EQ(service_.last_call.principal_arn, "arn:aws:iam::111122223333:user/alice");

  SignAs({"AKID", "wrong", ""}, "eu-west-1", "kinesis");
  EXPECT_THAT(Ask(Json(kListStreams)).body, StartsWith(R"({"__type":"InvalidSignatureException")"));
  SignAs({"OTHER", "secret", ""}, "eu-west-1", "kinesis");
  ExpectJson(Ask(Json(kListStreams)),
             R"({"__type":"UnrecognizedClientException",)"
             R"("message":"The security token included in the request is invalid."})");
  SignAs({"AKID", "secret", ""}, "eu-west-1", "dynamodb");
  ExpectJson(Ask(Json(kListStreams)),
             R"({"__type":"InvalidSignatureException",)"
             R"("message":"Credential should be scoped to correct service: 'kinesis'. "})");
  SignAs({"AKID", "secret", ""}, "Mars!", "kinesis");
  EXPECT_THAT(Ask(Json(kListStreams)).body,
              HasSubstr("Credential should be scoped to a valid region, not 'Mars!'"));
}

TEST_F(FrontDoorTest, CborIsAnsweredInCbor) {
  TestRequest test = Json(kListStreams, std::string("\xbf\xff", 2));
  test.headers[0].second = kCborType;
  const Answer answer = Ask(test);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("content-type"), kCborType);
  EXPECT_THAT(answer.body, HasSubstr("StreamNames"));
  test.headers[1].second = "Kinesis_20131202.Nothing";
  ExpectCbor(Ask(test), "UnknownOperationException");
}

TEST_F(FrontDoorTest, RpcV2CborIsFoundByItsPath) {
  TestRequest test{"POST",
                   "/service/Kinesis_20131202/operation/ListStreams",
                   {{"smithy-protocol", "rpc-v2-cbor"}, {"content-type", "application/cbor"}},
                   std::string("\xa0", 1),
                   true};
  const Answer answer = Ask(test);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("content-type"), "application/cbor");
  EXPECT_EQ(answer.Header("smithy-protocol"), "rpc-v2-cbor");
  test.target = "/service/Kinesis_20131202/operation/Nothing";
  const Answer unknown = Ask(test);
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(unknown.Header("x-amzn-errortype"), "UnknownOperationException");
  test.target = "/service/Kinesis_20131202";
  EXPECT_EQ(Ask(test).status, 400);
}

TEST_F(FrontDoorTest, ChunkedPayloadsReachTheServiceWithoutFraming) {
  for (const bool open : {true, false}) {
    if (!open) Configure();
    TestRequest test = Json(kListStreams, "2\r\n{}\r\n0\r\n\r\n");
    test.headers.emplace_back("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    test.headers.emplace_back("x-amz-decoded-content-length", "2");
    EXPECT_EQ(Ask(test).status, 200);
    EXPECT_EQ(service_.last_body, "{}");
    test.body = "2\r\n{}\r\n0\r\n";  // framing must be whole
    test.headers.back().second = "3";
    EXPECT_EQ(Ask(test).status, 400);
  }
}

TEST_F(FrontDoorTest, OwnPathsBypassEverything) {
  for (const char* path : {"/health", "/health/live", "/metrics", "/_millstream/x"}) {
    EXPECT_EQ(Ask({"GET", path, {}, "", false}).body, "own " + std::string(path));
  }
  for (const char* path : {"/healthy", "/metrics2", "/_other"}) {
    EXPECT_EQ(Ask({"GET", path, {}, "", false}).status, 403) << path;
  }
}

// --- Answers ---

TEST_F(FrontDoorTest, ErrorsOfServicesKeepTheirCode) {
  service_.body = [](const OperationSchema&, const Call&, Instance,
                     std::unique_ptr<ReplySink> reply) {
    reply->Fail(
        kinesis::ResourceNotFoundException("Stream s under account 000000000000 not found."));
  };
  const Answer answer =
      Ask(Json("Kinesis_20131202.DescribeStreamSummary", R"({"StreamName":"s"})"));
  ExpectJson(answer, R"({"__type":"ResourceNotFoundException",)"
                     R"("message":"Stream s under account 000000000000 not found."})");
  EXPECT_EQ(answer.Header("x-amzn-errortype"), "ResourceNotFoundException");
  const OperationMetrics* metrics = door_->metrics("kinesis", "DescribeStreamSummary");
  EXPECT_EQ(metrics->calls.value(), 1u);
  EXPECT_EQ(metrics->client_errors.value(), 1u);
  EXPECT_EQ(metrics->errors.Snapshot().at("ResourceNotFoundException"), 1u);
}

TEST_F(FrontDoorTest, ADroppedReplyIsAnInternalFailure) {
  std::string logged;
  base::RedirectLogForTest([&](std::string_view line) { logged += line; });
  service_.body = [](const OperationSchema&, const Call&, Instance, std::unique_ptr<ReplySink>) {};
  const Answer answer = Ask(Json(kListStreams));
  base::RedirectLogForTest({});
  ExpectJson(answer, R"({"__type":"InternalFailure"})", 500);
  EXPECT_THAT(logged, HasSubstr("call dropped without an answer"));
}

TEST_F(FrontDoorTest, AnswersMayComeLater) {
  std::unique_ptr<ReplySink> kept;
  service_.body = [&](const OperationSchema&, const Call&, Instance,
                      std::unique_ptr<ReplySink> reply) { kept = std::move(reply); };
  Answer answer;
  Handle(Json(kListStreams), answer);
  EXPECT_EQ(answer.sends, 0);
  clock_.Advance(10);
  kinesis::ListStreamsOutput output;
  kept->Send(*kinesis::Schema().Find("ListStreams")->output, &output);
  kept.reset();
  EXPECT_EQ(answer.sends, 1);
  EXPECT_EQ(door_->metrics("kinesis", "ListStreams")->latency.sum_ns(), 10'000'000u);
}

TEST_F(FrontDoorTest, TheFastPathComesBeforeTheEngine) {
  service_.fast = true;
  const Answer answer = Ask(Json("Kinesis_20131202.PutRecord", "{\"odd\":1}"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "{\"fast\":1}");
  EXPECT_EQ(answer.Header("content-type"), kJsonType);
  ExpectIds(answer);
  EXPECT_EQ(door_->metrics("kinesis", "PutRecord")->fast_path.value(), 1u);
  EXPECT_EQ(service_.invoked, 0);
}

TEST_F(FrontDoorTest, EventStreamsBeginWithTheInitialResponse) {
  service_.body = [](const OperationSchema& operation, const Call&, Instance,
                     std::unique_ptr<ReplySink> reply) {
    const kinesis::SubscribeToShardOutput output;
    auto events = reply->Open(*operation.output, &output);
    kinesis::SubscribeToShardEvent event;
    event.continuation_sequence_number = "49";
    events->Push(operation.event_name, *operation.event, &event);
    events->Fail(kinesis::ResourceNotFoundException("gone"));
  };
  const Answer answer =
      Ask(Json("Kinesis_20131202.SubscribeToShard",
               R"({"ConsumerARN":"arn:aws:kinesis:eu-west-1:000000000000:stream/s/consumer/c:1",)"
               R"("ShardId":"shardId-000000000000","StartingPosition":{"Type":"LATEST"}})"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.finished);
  EXPECT_EQ(answer.Header("content-type"), "application/vnd.amazon.eventstream");
  ExpectIds(answer);
  std::vector<std::string> types;
  std::string_view rest = answer.body;
  while (!rest.empty()) {
    codec::EventStreamMessage message;
    const auto size = codec::DecodeEventStreamMessage(rest, message);
    ASSERT_TRUE(size.has_value() && *size > 0);
    const auto event = message.FindString(":event-type");
    types.emplace_back(event ? *event : *message.FindString(":exception-type"));
    if (types.size() == 1) {
      EXPECT_EQ(message.payload, "{}");
    }
    rest.remove_prefix(*size);
  }
  EXPECT_THAT(
      types, ElementsAre("initial-response", "SubscribeToShardEvent", "ResourceNotFoundException"));
}

// --- Policies ---

TEST_F(FrontDoorTest, IdentityPoliciesDecide) {
  Configure({R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kinesis:Describe*",
      "Resource":"arn:aws:kinesis:*:111122223333:stream/s",
      "Condition":{"StringEquals":{"aws:ResourceTag/env":"prod"}}}})"});
  EXPECT_EQ(Ask(Json("Kinesis_20131202.DescribeStreamSummary", R"({"StreamName":"s"})")).status,
            200);
  ExpectJson(Ask(Json("Kinesis_20131202.DeleteStream", R"({"StreamName":"s"})")),
             R"({"__type":"AccessDeniedException","message":"User: )"
             R"(arn:aws:iam::111122223333:user/alice is not authorized to perform: )"
             R"(kinesis:DeleteStream on resource: )"
             R"(arn:aws:kinesis:eu-west-1:111122223333:stream/s because no identity-based policy )"
             R"(allows the kinesis:DeleteStream action"})");
  EXPECT_THAT(Ask(Json(kListStreams)).body, HasSubstr("on resource: * because"));
  EXPECT_EQ(door_->metrics().access_denied.value(), 2u);
}

TEST_F(FrontDoorTest, RequestTagsCanBeConditions) {
  Configure({R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kinesis:*",
      "Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"a"}}}})"});
  const std::string_view target = "Kinesis_20131202.CreateStream";
  EXPECT_EQ(Ask(Json(target, R"({"StreamName":"s","Tags":{"team":"a"}})")).status, 200);
  EXPECT_EQ(Ask(Json(target, R"({"StreamName":"s","Tags":{"team":"b"}})")).status, 400);
  EXPECT_EQ(Ask(Json(target, R"({"StreamName":"s"})")).status, 400);
}

TEST_F(FrontDoorTest, ResourcePoliciesOpenStreamsToOtherAccounts) {
  Configure();
  const std::string_view target = "Kinesis_20131202.DescribeStreamSummary";
  const std::string body = R"({"StreamName":"s"})";
  service_.resource = "arn:aws:kinesis:eu-west-1:444455556666:stream/s";
  EXPECT_THAT(
      Ask(Json(target, body)).body,
      HasSubstr("because no resource-based policy allows the kinesis:DescribeStreamSummary"));
  service_.resource_policy = R"({"Version":"2012-10-17","Statement":{"Effect":"Allow",
      "Principal":{"AWS":"111122223333"},"Action":"kinesis:*","Resource":"*"}})";
  EXPECT_EQ(Ask(Json(target, body)).status, 200);
  service_.resource_policy.replace(service_.resource_policy.find("Allow"), 5, "Deny");
  EXPECT_THAT(Ask(Json(target, body)).body,
              HasSubstr("with an explicit deny in a resource-based policy"));
}

TEST_F(FrontDoorTest, TheFastPathAsksTheSameAuthorizer) {
  service_.fast = true;
  Configure({R"({"Statement":{"Effect":"Deny","Action":"kinesis:PutRecord","Resource":"*"}})"});
  EXPECT_THAT(Ask(Json("Kinesis_20131202.PutRecord")).body,
              HasSubstr("with an explicit deny in an identity-based policy"));
}

// --- Audit and faults ---

TEST_F(FrontDoorTest, AuditEventsTellTheCallWithoutItsData) {
  RecordingAudit audit;
  door_->SetAuditSink(&audit);
  Configure();
  TestRequest test = Json("Kinesis_20131202.PutRecord",
                          R"({"StreamName":"s","Data":"c2VjcmV0","PartitionKey":"k"})");
  test.headers.emplace_back("user-agent", "test/1");
  const Answer answer = Ask(test);
  ASSERT_EQ(audit.events.size(), 1u);
  AuditEvent& event = audit.events[0];
  EXPECT_EQ(event.event_name, "PutRecord");
  EXPECT_EQ(event.event_source, "kinesis.amazonaws.com");
  EXPECT_EQ(event.aws_region, "eu-west-1");
  EXPECT_EQ(event.source_ip, "127.0.0.1");
  EXPECT_EQ(event.user_agent, "test/1");
  EXPECT_EQ(event.user_name, "alice");
  EXPECT_EQ(event.request_id, answer.Header("x-amzn-requestid"));
  EXPECT_EQ(event.request_parameters,
            R"({"streamName":"s","data":{"bytes":6},"partitionKey":"k"})");
  EXPECT_TRUE(event.data_event);
  EXPECT_FALSE(event.read_only);
  EXPECT_THAT(event.resources, ElementsAre("arn:aws:kinesis:eu-west-1:111122223333:stream/s"));

  base::Buffer json;
  AppendAuditJson(event, "id-1", json);
  EXPECT_THAT(std::string(json.view()),
              StartsWith(R"({"eventVersion":"1.09","userIdentity":{"type":"IAMUser",)"));
  EXPECT_THAT(std::string(json.view()), Not(HasSubstr("c2VjcmV0")));
  EXPECT_THAT(std::string(json.view()), HasSubstr(R"("eventCategory":"Data")"));
}

TEST_F(FrontDoorTest, AuditEventsOfRefusedAndFailedCalls) {
  RecordingAudit audit;
  door_->SetAuditSink(&audit);
  audit.level_ = AuditLevel::kManagement;
  Ask(Json("Kinesis_20131202.PutRecord", R"({"StreamName":"s","Data":"","PartitionKey":"k"})"));
  EXPECT_TRUE(audit.events.empty());
  TestRequest incomplete = Unsigned(Json(kListStreams));
  incomplete.headers.emplace_back("authorization", "Bearer abc");
  Ask(incomplete);
  ASSERT_EQ(audit.events.size(), 1u);
  EXPECT_EQ(audit.events[0].error_code, "IncompleteSignatureException");
  EXPECT_THAT(audit.events[0].error_message, Not(HasSubstr("Bearer")));
  EXPECT_TRUE(audit.events[0].read_only);
  audit.level_ = AuditLevel::kOff;
  Ask(Json(kListStreams));
  EXPECT_EQ(audit.events.size(), 1u);
}

TEST_F(FrontDoorTest, FaultRulesInject) {
  RuleFaultPlan plan(random_);
  door_->SetFaultPlan(&plan);
  FaultRule rule;
  rule.service = "kinesis";
  rule.operation = "ListStreams";
  rule.times = 1;
  rule.error_code = "LimitExceededException";
  rule.error_message = "slow down";
  ASSERT_TRUE(plan.SetRules({rule}).has_value());
  ExpectJson(Ask(Json(kListStreams)),
             R"({"__type":"LimitExceededException","message":"slow down"})");
  EXPECT_EQ(Ask(Json(kListStreams)).status, 200);
  rule.times = -1;
  rule.error_code = "InternalFailure";
  rule.error_message = "";
  ASSERT_TRUE(plan.SetRules({rule}).has_value());
  EXPECT_EQ(Ask(Json(kListStreams)).status, 500);
  EXPECT_EQ(Ask(Json("Kinesis_20131202.DescribeLimits")).status, 200);
  rule.error_code = "ServiceUnavailableException";
  ASSERT_TRUE(plan.SetRules({rule}).has_value());
  EXPECT_EQ(Ask(Json(kListStreams)).status, 503);
  rule.probability = 0;
  ASSERT_TRUE(plan.SetRules({rule}).has_value());
  EXPECT_EQ(Ask(Json(kListStreams)).status, 200);
  rule.probability = 1.5;
  EXPECT_EQ(plan.SetRules({rule}).error().message(),
            "probability of the fault rule for kinesis:ListStreams must be 0 to 1, found 1.500000");
  EXPECT_EQ(door_->metrics().injected_faults.value(), 3u);
}

TEST_F(FrontDoorTest, InjectedDelaysKeepTheCallOnItsLoop) {
  base::SystemClock system_clock;
  auto loop = std::move(*net::Loop::Create(system_clock, {}));
  RuleFaultPlan plan(random_);
  FaultRule rule;
  rule.delay_ms = 20;
  ASSERT_TRUE(plan.SetRules({rule}).has_value());
  door_->SetFaultPlan(&plan);
  service_.body = [&](const OperationSchema& operation, const Call& call, Instance,
                      std::unique_ptr<ReplySink> reply) {
    EXPECT_EQ(call.region, "eu-west-1");
    const kinesis::ListStreamsOutput output;
    reply->Send(*operation.output, &output);
    loop->Stop();
  };
  Answer answer;
  const int64_t start_ns = system_clock.MonotonicNs();
  loop->Post([&] {
    Handle(Json(kListStreams), answer);
    EXPECT_EQ(answer.sends, 0);
  });
  loop->Run();
  EXPECT_GE(system_clock.MonotonicNs() - start_ns, 20'000'000);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("x-amzn-requestid"), service_.last_call.request_id);
}

TEST_F(FrontDoorTest, MetricsPageNamesOperationsAndCodes) {
  Ask(Json(kListStreams));
  Ask(Json(kListStreams, R"({"Limit":0})"));
  base::MetricsPage page;
  door_->WriteMetrics(page);
  EXPECT_THAT(page.text(),
              HasSubstr("aws_requests_total{service=\"kinesis\",operation=\"ListStreams\"} 2\n"));
  EXPECT_THAT(page.text(),
              HasSubstr("aws_errors_total{service=\"kinesis\",operation=\"ListStreams\","
                        "code=\"ValidationException\"} 1\n"));
  EXPECT_THAT(page.text(), Not(HasSubstr("PutRecord")));
}

TEST_F(FrontDoorTest, RegisterRejectsASecondServiceOfThatName) {
  FakeKinesis again;
  EXPECT_EQ(door_->Register(again).error().code(), base::Code::kAlreadyExists);
}

}  // namespace
}  // namespace millstream::aws
