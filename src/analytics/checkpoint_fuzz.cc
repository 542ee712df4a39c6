// Checkpoints and journals are read from disk, hence input.
#include <cstdint>

#include "analytics/checkpoint.h"
#include "base/check.h"
#include "codec/big_endian.h"
#include "codec/crc32c.h"

using namespace millstream;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto steps = analytics::DecodeSteps(bytes);
  if (steps) {
    std::string again;
    for (const auto& step : *steps) analytics::AppendStep(step, again);
    auto twice = analytics::DecodeSteps(again);
    CHECK(twice && *twice == *steps);
  }
  (void)analytics::DecodeCheckpoint(bytes);
  // Behind the checksum, which no fuzzer finds by itself.
  std::string signed_bytes = "MSAC1\n" + std::string(bytes);
  char crc[4];
  codec::StoreBigEndian<uint32_t>(crc, codec::Crc32c(signed_bytes));
  signed_bytes.append(crc, sizeof crc);
  auto checkpoint = analytics::DecodeCheckpoint(signed_bytes);
  if (checkpoint) {
    auto again = analytics::DecodeCheckpoint(analytics::EncodeCheckpoint(*checkpoint));
    CHECK(again && *again == *checkpoint);
  }
  return 0;
}
