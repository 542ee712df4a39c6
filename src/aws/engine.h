#pragma once

#include <string_view>

#include "aws/call.h"
#include "aws/error.h"
#include "aws/schema.h"
#include "base/bytes.h"
#include "http/message.h"

namespace millstream::aws {

// One wire format: turns requests into instances and outputs into bodies by walking the tables.
// Engines have no state; any thread may use them.
class Engine {
 public:
  virtual ~Engine() = default;

  // The engine of a protocol, or null where it is not built.
  static const Engine* For(Protocol protocol);

  virtual Protocol protocol() const = 0;
  // Of requests and answers; matching ignores parameters such as charset.
  virtual std::string_view content_type() const = 0;

  // The input of an operation. Unknown members are ignored, null is absent, a wrong type is a
  // SerializationException in AWS's words. Constraints are not checked here (validation.h).
  virtual Outcome<Instance> DecodeInput(const OperationSchema& operation,
                                        const http::Request& request) const = 0;

  // Sets status, body and the headers that belong to the encoding (content-type).
  virtual void EncodeOutput(const OperationSchema& operation, const void* output,
                            http::Response& response) const = 0;
  virtual void EncodeError(const ServiceSchema* service, const ServiceError& error,
                           http::Response& response) const = 0;

  // One structure as a body or as the payload of an event; the other half of it for tests, clients
  // and exceptions inside event streams.
  virtual void EncodeShape(const ShapeSchema& shape, const void* value,
                           base::Buffer& into) const = 0;
  virtual Outcome<Instance> DecodeShape(const ShapeSchema& shape, base::Bytes body) const = 0;
};

}  // namespace millstream::aws
