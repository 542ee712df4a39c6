// Decodes any bytes; what decodes must encode to the same bytes. Since checksums stop nearly all
// mutations, the input is also decoded with its checksums put right.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "codec/big_endian.h"
#include "codec/crc32.h"
#include "codec/event_stream.h"

namespace {

using namespace millstream::codec;

void Decode(std::string_view bytes) {
  EventStreamMessage message;
  const auto size = DecodeEventStreamMessage(bytes, message);
  if (!size || *size == 0) return;
  std::string again;
  // A longer value than we write may be read.
  if (!AppendEventStreamMessage(message.headers, message.payload, again)) return;
  if (again != bytes.substr(0, *size)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  Decode(bytes);
  if (size < kEventStreamOverhead) return 0;
  StoreBigEndian(bytes.data(), static_cast<uint32_t>(size));
  StoreBigEndian(bytes.data() + 8, Crc32({bytes.data(), 8}));
  StoreBigEndian(bytes.data() + size - 4, Crc32({bytes.data(), size - 4}));
  Decode(bytes);
  return 0;
}
