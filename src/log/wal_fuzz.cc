// Arbitrary bytes as the groups of a write-ahead log file behind a valid file header. Checksums of
// group headers, frames and batches are made right where they stand, so that the bounds are reached.
#include <cstdint>
#include <cstring>
#include <string>

#include "base/check.h"
#include "base/sim_file_system.h"
#include "codec/big_endian.h"
#include "codec/crc32c.h"
#include "log/wal.h"

namespace {

using namespace millstream;

void MakeChecksumsRight(std::string& bytes, std::size_t at) {
  if (bytes.size() - at < log::kGroupHeaderBytes) return;
  char* group = bytes.data() + at;
  codec::StoreLittleEndian<uint32_t>(
      group + 4, codec::Crc32c({group + 8, log::kGroupHeaderBytes - 8}));
  for (std::size_t f = at + log::kGroupHeaderBytes; bytes.size() - f >= log::kFrameHeaderBytes;) {
    char* frame = bytes.data() + f;
    const auto payload = codec::LoadLittleEndian<uint32_t>(frame + 36);
    if (log::FrameBytes(payload) > bytes.size() - f) return;
    const bool batch = codec::LoadLittleEndian<uint16_t>(frame + 2) == 1;
    if (batch && payload < log::kBatchHeaderBytes) return;
    char* body = frame + log::kFrameHeaderBytes;
    if (batch) {
      codec::StoreBigEndian<uint32_t>(
          body + 17, codec::Crc32c({body + log::kBatchCrcStart, payload - log::kBatchCrcStart}));
    }
    uint32_t sum = codec::Crc32c({frame, 4});
    sum = codec::Crc32c({frame + 8, log::kFrameHeaderBytes - 8}, sum);
    sum = codec::Crc32c({body, batch ? log::kBatchCrcStart : payload}, sum);
    codec::StoreLittleEndian<uint32_t>(frame + 4, sum);
    f += log::FrameBytes(payload);
  }
}

void Scan(const std::string& groups) {
  base::SimFileSystem files(1);
  CHECK(files.CreateDirectories("/wal"));
  std::string image(log::kWalBlockBytes, '\0');
  log::EncodeWalFileHeader({.generation = 1, .salt = 1, .previous_end = 0}, image.data());
  image += groups;
  image.resize(log::AlignUp(image.size()), '\0');
  auto file = files.Open("/wal/wal-000000", {.write = true, .create = true});
  CHECK(file && (*file)->WriteAt(0, image));
  log::Wal wal(files, {.directory = "/wal", .file_bytes = 1u << 20, .direct_sync = false});
  log::WalScan scan;
  auto status = wal.Recover(
      1, 1,
      [&](const log::WalFrame& frame, log::WalPosition at) -> base::Status {
        CHECK(at.position + frame.payload.size() <= image.size());
        CHECK(std::memcmp(frame.payload.data(), image.data() + at.position,
                          frame.payload.size()) == 0);
        return {};
      },
      scan);
  CHECK(status || status.error().code() == base::Code::kDataLoss);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > (256u << 10)) return 0;
  std::string groups(reinterpret_cast<const char*>(data), size);
  Scan(groups);
  for (std::size_t at = 0; at < groups.size(); at += log::kWalBlockBytes) {
    MakeChecksumsRight(groups, at);
  }
  Scan(groups);
  return 0;
}
