// Bytes as the body of every Kinesis operation, in every encoding: decode, validate; what decodes
// must encode to a body that decodes to the same.
#include <cstdint>
#include <string_view>

#include "aws/engine.h"
#include "aws/generated/kinesis.h"
#include "aws/validation.h"
#include "base/check.h"

using namespace millstream;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const aws::Validator validator(aws::kinesis::Schema());
  const auto body =
      base::Bytes::Copy(std::string_view(reinterpret_cast<const char*>(data), size));
  for (aws::Protocol protocol : {aws::Protocol::kJson11, aws::Protocol::kCborKinesis,
                                 aws::Protocol::kRpcV2Cbor}) {
    const aws::Engine& engine = *aws::Engine::For(protocol);
    for (const aws::OperationSchema& operation : aws::kinesis::Schema().operations) {
      const aws::ShapeSchema& shape = *operation.input;
      auto decoded = engine.DecodeShape(shape, body);
      if (!decoded) continue;
      validator.Check(shape, decoded->get());
      base::Buffer once;
      engine.EncodeShape(shape, decoded->get(), once);
      auto again = engine.DecodeShape(shape, base::Bytes::Copy(once.view()));
      CHECK_MSG(again.has_value(), "an encoded body does not decode");
      base::Buffer twice;
      engine.EncodeShape(shape, again->get(), twice);
      CHECK_MSG(once.view() == twice.view(), "a body changed on its way");
    }
  }
  return 0;
}
