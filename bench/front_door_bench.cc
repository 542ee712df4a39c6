// What the front door costs per call beyond HTTP and the body's hash: signature only, and all of
// Handle() around a service that answers at once. The head is boto3's for a PutRecord.
#include <benchmark/benchmark.h>

#include "aws/front_door.h"
#include "aws/generated/kinesis.h"
#include "aws/sigv4_signer.h"
#include "base/check.h"
#include "codec/sha256.h"

namespace millstream::aws {
namespace {

class Instant final : public Service {
 public:
  const ServiceSchema& schema() const override { return kinesis::Schema(); }
  void Invoke(const OperationSchema&, const Call&, Instance, std::unique_ptr<ReplySink>) override {}
  bool TryFast(const OperationSchema&, const Call& call, const http::Request&,
               std::unique_ptr<ReplySink>& reply) override {
    if (call.authorizer != nullptr) {
      CHECK(!call.authorizer->Authorize(call, "kinesis:PutRecord", call.Arn("stream/orders")));
    }
    reply->SendEncoded(base::Bytes::Static("{}"));
    reply = nullptr;
    return true;
  }
};

class Nowhere final : public http::Handler, public http::Responder::Impl {
 public:
  void Handle(http::Request, http::Responder) override {}
  void Send(http::Response response) override { CHECK(response.status == 200); }
  std::unique_ptr<http::BodyWriter> Stream(http::Response) override { return nullptr; }
  bool closed() const override { return false; }
};

struct Setup {
  Setup() {
    headers = {{"Host", "localhost:4566"},
               {"Accept-Encoding", "identity"},
               {"X-Amz-Target", "Kinesis_20131202.PutRecord"},
               {"Content-Type", "application/x-amz-json-1.1"},
               {"User-Agent",
                "Boto3/1.43.11 md/Botocore#1.43.11 ua/2.1 os/linux#6.18 md/arch#x86_64 "
                "lang/python#3.11.2 md/pyimpl#CPython m/Z,b,D,E cfg/retry-mode#legacy"},
               {"Content-Length", "1430"},
               {"amz-sdk-invocation-id", "11111111-2222-4333-8444-555555555555"},
               {"amz-sdk-request", "attempt=1"}};
    UnsignedRequest to_sign;
    to_sign.headers = {{"content-type", headers[3].second},
                       {"host", headers[0].second},
                       {"x-amz-target", headers[2].second}};
    to_sign.body = body;
    SigV4Signer signer({"AKIDEXAMPLE000000000", "secret", ""}, "us-east-1", "kinesis");
    for (auto& header : signer.Sign(to_sign, clock.WallMs())) headers.push_back(header);
    AccessKey key;
    key.access_key_id = "AKIDEXAMPLE000000000";
    key.secret = "secret";
    keys = *CredentialSet::Create({key});
  }
  http::Request Request() const {
    http::Request request;
    request.method = "POST";
    request.target = "/";
    request.authority = "localhost:4566";
    request.header_storage.reserve(headers.size());
    for (const auto& [name, value] : headers) request.header_storage.push_back({name, value});
    request.headers = request.header_storage;
    request.body = base::Bytes::Static(body);
    request.body_sha256 = hash;
    request.peer_address = "127.0.0.1";
    return request;
  }

  base::ManualClock clock;
  std::string body = std::string(1430, 'x');
  codec::Sha256Bytes hash = codec::Sha256Digest(body);
  std::vector<std::pair<std::string, std::string>> headers;
  std::shared_ptr<const CredentialSet> keys;
};

void BuildRequest(benchmark::State& state) {  // what the harness itself costs
  const Setup setup;
  for (auto _ : state) {
    http::Request request = setup.Request();
    benchmark::DoNotOptimize(request);
  }
}
BENCHMARK(BuildRequest);

void VerifySignature(benchmark::State& state) {
  Setup setup;
  const http::Request request = setup.Request();
  const SigV4Verifier verifier(setup.clock, {});
  for (auto _ : state) {
    const RequestHeaders headers(request);
    SignatureParts parts;
    ParseSignature(request, headers, parts);
    CHECK(!CheckComplete(headers, parts));
    const auto caller = verifier.Verify(request, headers, parts, *setup.keys);
    CHECK(caller.has_value());
  }
}
BENCHMARK(VerifySignature);

void HandleCall(benchmark::State& state) {
  Setup setup;
  base::SystemRandom random;
  const bool open = state.range(0) == 0;
  const CredentialStore store(open ? CredentialSet::Open() : setup.keys);
  Nowhere nowhere;
  Instant service;
  FrontDoor door(setup.clock, random, store, nowhere, {});
  CHECK(door.Register(service).has_value());
  for (auto _ : state) {
    door.Handle(setup.Request(), http::Responder(std::make_unique<Nowhere>()));
  }
  state.SetLabel(open ? "open" : "verified");
}
BENCHMARK(HandleCall)->Arg(0)->Arg(1);

}  // namespace
}  // namespace millstream::aws
