#include "aws/call_reply.h"

#include <utility>

#include "aws/event_stream.h"
#include "base/logging.h"

namespace millstream::aws {
namespace {

// An opened event stream over the body of an HTTP answer.
class CallEventSink final : public EventSink {
 public:
  CallEventSink(Protocol protocol, std::unique_ptr<http::BodyWriter> writer)
      : protocol_(protocol), writer_(std::move(writer)) {}

  bool Push(std::string_view event_name, const ShapeSchema& shape, const void* event) override {
    base::Buffer frame;
    AppendEvent(protocol_, event_name, shape, event, frame);
    return writer_->Write(std::move(frame).Share());
  }
  bool PushEncoded(base::Bytes frames) override { return writer_->Write(std::move(frames)); }
  std::size_t queued_bytes() const override { return writer_->queued_bytes(); }
  void OnDrained(std::size_t low_water, base::Function<void()> drained) override {
    writer_->OnDrained(low_water, std::move(drained));
  }
  bool closed() const override { return writer_->closed(); }
  Protocol protocol() const override { return protocol_; }
  void End() override { writer_->Finish(); }
  void Fail(ServiceError error) override {
    base::Buffer frame;
    AppendException(protocol_, error, frame);
    writer_->Write(std::move(frame).Share());
    writer_->Finish();
  }

 private:
  const Protocol protocol_;
  const std::unique_ptr<http::BodyWriter> writer_;
};

}  // namespace

CallReply::~CallReply() {
  if (!responder_) return;
  LOG_ERROR("call dropped without an answer", {"request_id", head_.id()},
            {"operation", context_.operation.name});
  Fail(InternalFailure());
}

// Everything of a 200 but its body.
http::Response CallReply::EncodedHead() const {
  http::Response response;
  response.headers.Add("content-type", context_.engine.content_type());
  if (context_.engine.protocol() == Protocol::kRpcV2Cbor) {
    response.headers.Add("smithy-protocol", "rpc-v2-cbor");
  }
  head_.AppendTo(response.headers);
  return response;
}

void CallReply::Send(const ShapeSchema& shape, const void* output) {
  http::Response response;
  context_.engine.EncodeOutput(context_.operation, output, response);
  head_.AppendTo(response.headers);
  if (audit_ != nullptr && !audit_->read_only && !audit_->data_event &&
      context_.operation.has_output) {
    audit_->response_elements = AuditParameters(shape, output);
  }
  Finish(nullptr);
  std::move(responder_).Send(std::move(response));
}

void CallReply::SendEncoded(base::Bytes body) {
  http::Response response = EncodedHead();
  response.body = std::move(body);
  Finish(nullptr);
  std::move(responder_).Send(std::move(response));
}

void CallReply::SendEncoded(std::unique_ptr<http::BodySource> source,
                            std::optional<uint64_t> content_length) {
  http::Response response = EncodedHead();
  response.source = std::move(source);
  response.content_length = content_length;
  Finish(nullptr);
  std::move(responder_).Send(std::move(response));
}

std::unique_ptr<EventSink> CallReply::Open(const ShapeSchema& shape, const void* output) {
  http::Response head;
  head.headers.Add("content-type", kEventStreamContentType);
  head_.AppendTo(head.headers);
  Finish(nullptr);
  auto sink = std::make_unique<CallEventSink>(context_.engine.protocol(),
                                              std::move(responder_).Stream(std::move(head)));
  // botocore and the Go SDK refuse a stream that starts with anything else.
  sink->Push("initial-response", shape, output);
  return sink;
}

void CallReply::Fail(ServiceError error) {
  http::Response response;
  context_.engine.EncodeError(&context_.service, error, response);
  response.headers.Add("x-amzn-errortype", error.code);
  head_.AppendTo(response.headers);
  Finish(&error);
  std::move(responder_).Send(std::move(response));
}

void CallReply::Finish(const ServiceError* error) {
  OperationMetrics& metrics = context_.metrics;
  metrics.calls.Add();
  if (error != nullptr) {
    (error->http_status < 500 ? metrics.client_errors : metrics.server_errors).Add();
    metrics.errors.Add(error->code);
  }
  metrics.latency.Observe(context_.clock.MonotonicNs() - start_ns_);
  if (audit_ == nullptr) return;
  if (error != nullptr) {
    audit_->error_code = error->code;
    // AWS's text quotes the whole header; the trail keeps what was wrong with it.
    audit_->error_message = error->message.substr(0, error->message.find(" Authorization="));
  }
  context_.audit_sink->Record(std::move(*audit_));
  audit_ = nullptr;
}

}  // namespace millstream::aws
