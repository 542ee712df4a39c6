// Arbitrary bytes as the three files of a segment, and as a manifest.
// Input: one byte of index entries, one of time index entries, these entries, the log.
#include <cstdint>
#include <string>

#include "base/check.h"
#include "base/sim_file_system.h"
#include "codec/big_endian.h"
#include "codec/crc32c.h"
#include "log/manifest.h"
#include "log/segment.h"

namespace {

using namespace millstream;

void Read(const std::string& log_bytes, std::string_view index, std::string_view times) {
  base::SimFileSystem files(1);
  CHECK(files.CreateDirectories("/log"));
  log::SegmentInfo info;
  info.end = 1'000;
  info.bytes = log_bytes.size();
  info.index_bytes = index.size();
  info.time_index_bytes = times.size();
  const std::pair<const char*, std::string_view> parts[] = {
      {".log", log_bytes}, {".index", index}, {".timeindex", times}};
  for (const auto& [suffix, bytes] : parts) {
    auto file = files.Open(log::SegmentPath("/log", 0, suffix), {.write = true, .create = true});
    CHECK(file && (*file)->WriteAt(0, bytes));
  }
  log::FileCache cache(files, 8);
  for (log::Offset from : {0, 1, 7, 999}) {
    bool damaged = false;
    auto batches = log::ReadSegment(cache, "/log", info, from, {.bytes_max = 4096}, &damaged);
    if (!batches) {
      CHECK(batches.error().code() == base::Code::kDataLoss);
      continue;
    }
    CHECK(!batches->empty() && batches->front().base_offset <= from &&
          batches->front().next_offset() > from);
    for (const log::StoredBatch& batch : *batches) {
      auto view = log::RecordBatchView::Parse(batch.bytes.view());
      CHECK(view && view->CheckCrc());
    }
  }
  auto lower = log::LowerBoundByTime(cache, "/log", info, 1'000);
  CHECK(lower && *lower >= 0 && *lower <= info.end);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  (void)log::DecodeManifest(bytes);
  if (bytes.size() >= 8) {
    std::string manifest = bytes;
    codec::StoreLittleEndian<uint64_t>(
        manifest.data() + manifest.size() - 8,
        codec::Crc32c(std::string_view(manifest).substr(0, manifest.size() - 8)));
    (void)log::DecodeManifest(manifest);
  }
  if (size < 2) return 0;
  std::string_view rest(bytes);
  auto take = [&](std::size_t want) {
    const std::string_view part = rest.substr(0, want);
    rest.remove_prefix(part.size());
    return part;
  };
  const std::size_t index_bytes = data[0] * log::kIndexEntryBytes;
  const std::size_t time_bytes = data[1] * log::kTimeIndexEntryBytes;
  take(2);
  const std::string_view index = take(index_bytes);
  const std::string_view times = take(time_bytes);
  std::string log_bytes(rest);
  Read(log_bytes, index, times);
  for (std::size_t at = 0; log_bytes.size() - at >= log::kBatchHeaderBytes;) {
    const auto length = log::RecordBatchView::SizeFromPrefix(std::string_view(log_bytes).substr(at));
    if (!length || *length > log_bytes.size() - at) break;
    char* batch = log_bytes.data() + at;
    codec::StoreBigEndian<uint32_t>(
        batch + 17,
        codec::Crc32c({batch + log::kBatchCrcStart, *length - log::kBatchCrcStart}));
    at += *length;
  }
  Read(log_bytes, index, times);
  return 0;
}
