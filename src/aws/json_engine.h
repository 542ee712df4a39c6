#pragma once

#include "aws/engine.h"

namespace millstream::aws {

// AWS JSON 1.0 and 1.1: the operation is in X-Amz-Target, the body is one JSON object. Blobs are
// base64, timestamps epoch seconds with a fraction.
class JsonEngine final : public Engine {
 public:
  explicit JsonEngine(Protocol protocol) : protocol_(protocol) {}

  Protocol protocol() const override { return protocol_; }
  std::string_view content_type() const override;
  Outcome<Instance> DecodeInput(const OperationSchema& operation,
                                const http::Request& request) const override;
  void EncodeOutput(const OperationSchema& operation, const void* output,
                    http::Response& response) const override;
  void EncodeError(const ServiceSchema* service, const ServiceError& error,
                   http::Response& response) const override;
  void EncodeShape(const ShapeSchema& shape, const void* value, base::Buffer& into) const override;
  Outcome<Instance> DecodeShape(const ShapeSchema& shape, base::Bytes body) const override;

 private:
  void AddHeaders(http::Response& response) const;

  const Protocol protocol_;
};

}  // namespace millstream::aws
