#include "aws/event_stream.h"

#include <array>

#include "aws/engine.h"
#include "base/check.h"
#include "codec/event_stream.h"

namespace millstream::aws {
namespace {

// Payloads say what they are in the plain media type, whatever the call's own content type is.
std::string_view PayloadType(Protocol protocol) {
  return protocol == Protocol::kCborKinesis || protocol == Protocol::kRpcV2Cbor
             ? "application/cbor"
             : "application/json";
}

void AppendMessage(Protocol protocol, std::string_view message_type, std::string_view type_header,
                   std::string_view type, std::string_view payload, base::Buffer& into) {
  const std::array<codec::EventStreamHeader, 3> headers = {{
      {.name = type_header, .value = type},
      {.name = ":content-type", .value = PayloadType(protocol)},
      {.name = ":message-type", .value = message_type},
  }};
  const base::Status appended = codec::AppendEventStreamMessage(headers, payload, into);
  CHECK_MSG(appended.has_value(), "event larger than the format allows");
}

}  // namespace

void AppendEvent(Protocol protocol, std::string_view event_name, const ShapeSchema& shape,
                 const void* value, base::Buffer& into) {
  const Engine* engine = Engine::For(protocol);
  CHECK(engine != nullptr);
  base::Buffer payload;
  engine->EncodeShape(shape, value, payload);
  AppendEncodedEvent(protocol, event_name, payload.view(), into);
}

void AppendEncodedEvent(Protocol protocol, std::string_view event_name, std::string_view payload,
                        base::Buffer& into) {
  AppendMessage(protocol, "event", ":event-type", event_name, payload, into);
}

void AppendException(Protocol protocol, const ServiceError& error, base::Buffer& into) {
  const Engine* engine = Engine::For(protocol);
  CHECK(engine != nullptr);
  http::Response response;
  engine->EncodeError(nullptr, error, response);
  AppendMessage(protocol, "exception", ":exception-type", error.code, response.body.view(), into);
}

}  // namespace millstream::aws
