// Arbitrary bytes as a record batch; once as they come and once with the checksum made right, so
// that the records are reached.
#include <cstdint>
#include <string>

#include "base/check.h"
#include "codec/big_endian.h"
#include "codec/crc32c.h"
#include "log/record_batch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millstream;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  (void)log::CheckBatch(bytes);
  auto batch = log::RecordBatchView::Parse(bytes);
  if (!batch) return 0;
  codec::StoreBigEndian<uint32_t>(
      bytes.data() + 17, codec::Crc32c(batch->bytes().substr(log::kBatchCrcStart)));
  CHECK(batch->CheckCrc());
  log::RecordReader reader(*batch);
  log::RecordView record;
  int32_t records = 0;
  while (reader.Next(record)) {
    ++records;
    (void)record.Header("ehk");
    // Views point into the batch.
    if (!record.value.empty()) {
      CHECK(record.value.data() >= bytes.data() &&
            record.value.data() + record.value.size() <= bytes.data() + bytes.size());
    }
  }
  CHECK(!reader.status() || records == batch->record_count());
  return 0;
}
