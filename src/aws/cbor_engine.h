#pragma once

#include "aws/engine.h"

namespace millstream::aws {

// Both CBOR formats of AWS. Blobs are byte strings, timestamps carry tag 1:
//   Kinesis (application/x-amz-cbor-1.1), default of the Java SDKs: JSON 1.1 with other bytes;
//   timestamps are integer milliseconds in both directions, never floats (aws-sdk-java-v2 #4661).
//   Smithy RPC v2 (application/cbor): the operation is in the path; timestamps are seconds, written
//   as an integer when whole and else as a double.
// Reads definite and indefinite lengths, writes definite ones.
class CborEngine final : public Engine {
 public:
  explicit CborEngine(Protocol protocol) : protocol_(protocol) {}

  Protocol protocol() const override { return protocol_; }
  std::string_view content_type() const override;
  Outcome<Instance> DecodeInput(const OperationSchema& operation,
                                const http::Request& request) const override;
  void EncodeOutput(const OperationSchema& operation, const void* output,
                    http::Response& response) const override;
  void EncodeError(const ServiceSchema* service, const ServiceError& error,
                   http::Response& response) const override;
  void EncodeShape(const ShapeSchema& shape, const void* value, base::Buffer& into) const override;
  // Blobs share the memory of `body`.
  Outcome<Instance> DecodeShape(const ShapeSchema& shape, base::Bytes body) const override;

 private:
  void AddHeaders(http::Response& response) const;

  const Protocol protocol_;
};

}  // namespace millstream::aws
