#include "aws/answer_head.h"

#include <cstdint>
#include <cstring>

#include "codec/base64.h"

namespace millstream::aws {
namespace {

// splitmix64, seeded per thread.
class IdGenerator {
 public:
  explicit IdGenerator(base::Random& random) { random.Fill(&state_, sizeof state_); }
  uint64_t Next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

}  // namespace

void AnswerHead::MakeIds(base::Random& random) {
  thread_local IdGenerator generator(random);
  unsigned char bytes[16 + 72];
  for (std::size_t i = 0; i < sizeof bytes; i += 8) {
    const uint64_t word = generator.Next();
    std::memcpy(bytes + i, &word, 8);
  }
  unsigned char uuid[16];
  std::memcpy(uuid, bytes, sizeof uuid);
  base::FormatUuid(uuid, request_id);
  codec::Base64Encode({reinterpret_cast<const char*>(bytes) + 16, 72}, extended_id);
}

void AnswerHead::AppendTo(http::HeaderBlock& headers) const {
  constexpr std::string_view kId = "x-amzn-requestid: ", kExtended = "\r\nx-amz-id-2: ";
  char lines[kId.size() + kRequestIdSize + kExtended.size() + kExtendedIdSize + 2];
  char* out = lines;
  const auto add = [&out](std::string_view text) {
    std::memcpy(out, text.data(), text.size());
    out += text.size();
  };
  add(kId);
  add(id());
  add(kExtended);
  add({extended_id, kExtendedIdSize});
  add("\r\n");
  headers.AppendLines({lines, sizeof lines});
  if (cross_origin) {
    headers.AppendLines(
        "access-control-allow-origin: *\r\n"
        "access-control-expose-headers: x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,"
        "x-amz-id-2,x-amzn-ErrorMessage,Date\r\n");
  }
}

}  // namespace millstream::aws
