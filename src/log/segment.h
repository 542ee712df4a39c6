#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/file_system.h"
#include "base/result.h"
#include "log/aligned_buffer.h"
#include "log/file_cache.h"
#include "log/log_id.h"
#include "log/record_batch.h"

// The files of one log: `<20-digit base offset>.log`, `.index`, `.timeindex`, exactly as Kafka
// writes them (docs/internals/segment-format.md).
namespace millstream::log {

// Batches come out of the store in this form: whole, verified (CRC), baseOffset stamped.
struct StoredBatch {
  base::Bytes bytes;
  Offset base_offset = 0;
  int32_t record_count = 0;
  int64_t max_timestamp_ms = 0;
  Offset next_offset() const { return base_offset + record_count; }
};

struct ReadLimits {
  std::size_t bytes_max = 1u << 20;  // at least one batch is returned if there is one
  int32_t records_max = 10'000;      // stops after the batch that reaches it
};

// What is known about a segment without opening it; the manifest keeps it.
struct SegmentInfo {
  Offset base = 0;
  Offset end = 0;
  uint64_t bytes = 0;  // of the .log file; what lies behind is not part of the log
  uint64_t index_bytes = 0;
  uint64_t time_index_bytes = 0;
  int64_t first_timestamp_ms = 0;
  int64_t max_timestamp_ms = 0;
  Offset max_timestamp_offset = 0;  // last offset of the batch that has it
  int64_t indexed_timestamp_ms = -1;  // of the last time index entry
  uint64_t bytes_since_index = 0;
  friend bool operator==(const SegmentInfo&, const SegmentInfo&) = default;
};

std::string LogDirectory(std::string_view root, LogId log);
std::string SegmentPath(std::string_view log_directory, Offset base, std::string_view suffix);
// The base offset in a segment file's name; nullopt for other names.
std::optional<Offset> SegmentBaseFromName(std::string_view name, std::string_view* suffix);

struct IndexEntry {
  Offset offset = 0;
  uint64_t position = 0;
};
struct TimeIndexEntry {
  int64_t timestamp_ms = 0;
  Offset offset = 0;
};
inline constexpr std::size_t kIndexEntryBytes = 8;
inline constexpr std::size_t kTimeIndexEntryBytes = 12;
inline constexpr uint64_t kIndexIntervalBytes = 4096;  // Kafka's index.interval.bytes

IndexEntry DecodeIndexEntry(std::string_view bytes, Offset base);
TimeIndexEntry DecodeTimeIndexEntry(std::string_view bytes, Offset base);

// Appends to the files of one segment. Not thread-safe; nothing is durable before the files are
// synced (or written anew after a crash, at the same places).
//
// Large writes of batches bypass the page cache: copying into fresh pages was two thirds of the
// whole store's CPU. They are of whole blocks, so that zeros may follow the end of the .log file
// until CutPadding().
class SegmentWriter {
 public:
  // `info` says how long the files are; what is longer is cut off. kDataLoss when one is shorter.
  static base::Result<std::unique_ptr<SegmentWriter>> Open(base::FileSystem& files,
                                                           const std::string& log_directory,
                                                           const SegmentInfo& info);

  // Writes at the ends that `info` gives, and moves them on when all went well. From
  // `direct_bytes_min` on the write is direct. `staging` is scratch.
  base::Status Append(std::span<const StoredBatch> batches, SegmentInfo& info,
                      std::size_t direct_bytes_min, AlignedBuffer& staging);
  // Makes the .log file end where its batches end.
  base::Status CutPadding(const SegmentInfo& info);
  // Cuts padding and writes the last entry of the time index, as Kafka does when it closes a segment.
  base::Status Close(SegmentInfo& info);

  Offset base() const { return base_; }

 private:
  Offset base_ = 0;
  std::unique_ptr<base::File> log_;         // through the page cache
  std::unique_ptr<base::File> direct_log_;  // opened at the first direct write
  std::unique_ptr<base::File> index_;
  std::unique_ptr<base::File> time_index_;
  std::string tail_;  // what the last block has when it is not full; direct writes repeat it
  bool padded_ = false;
  base::FileSystem* files_ = nullptr;
};

// Reads batches from the one that holds `from` on. `from` is in [info.base, info.end).
// `index_damaged` is set when the index led nowhere and the file was searched from its start.
base::Result<std::vector<StoredBatch>> ReadSegment(FileCache& cache,
                                                   const std::string& log_directory,
                                                   const SegmentInfo& info, Offset from,
                                                   ReadLimits limits, bool* index_damaged);

// An offset before which no record of the segment has a timestamp of `timestamp_ms` or more.
base::Result<Offset> LowerBoundByTime(FileCache& cache, const std::string& log_directory,
                                      const SegmentInfo& info, int64_t timestamp_ms);

}  // namespace millstream::log
