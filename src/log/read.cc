// Reads that may need the disk. They run on the reader threads (and, for retention, the builder).
#include <algorithm>
#include <utility>

#include "base/logging.h"
#include "log/store_impl.h"

namespace millstream::log {
namespace {

using base::Code;
using base::Fail;

// A batch may move from the WAL to a segment, or be trimmed, between looking it up and reading it.
constexpr int kLookUpsMax = 100;
constexpr ReadLimits kSearchLimits{.bytes_max = 1u << 20, .records_max = INT32_MAX};

tl::unexpected<base::Error> NoSuchLog(LogId log) {
  return Fail(Code::kNotFound, "no such log: " + LogIdText(log));
}

}  // namespace

void StoreImpl::NoteCorruption(const base::Error& error) {
  if (error.code() != Code::kDataLoss) return;
  metrics_.corruptions_total.Add();
  LOG_ERROR("log data is damaged", {"directory", options_.directory}, {"error", error.message()});
}

void StoreImpl::ReadAsync(LogId log, Offset from, ReadLimits limits,
                          base::Function<void(base::Result<std::vector<StoredBatch>>)> done) {
  auto shared = std::make_shared<decltype(done)>(std::move(done));
  auto submitted = readers_.Submit([this, log, from, limits, shared] {
    auto batches = ReadBlocking(log, from, limits);
    if (!batches) NoteCorruption(batches.error());
    (*shared)(std::move(batches));
  });
  if (!submitted) (*shared)(Fail(submitted.error()));
}

base::Result<std::vector<StoredBatch>> StoreImpl::ReadBlocking(LogId id, Offset from,
                                                               ReadLimits limits) {
  LogPtr log = Find(id);
  if (!log) return NoSuchLog(id);
  base::Error failure(Code::kInternal, "");
  for (int attempt = 0; attempt < kLookUpsMax; ++attempt) {
    std::vector<TailEntry> entries;
    SegmentInfo segment;
    {
      std::lock_guard lock(log->mutex);
      TRY(CheckRange(*log, from));
      if (from == log->durable_end) return std::vector<StoredBatch>();
      if (!log->entries.empty() && from >= log->entries.front().base_offset) {
        std::size_t bytes = 0;
        int32_t records = 0;
        for (std::size_t i = log->EntryIndex(from); i < log->entries.size(); ++i) {
          const TailEntry& entry = log->entries[i];
          if (!entries.empty() && bytes + entry.size > limits.bytes_max) break;
          entries.push_back(entry);
          bytes += entry.size;
          records += entry.record_count;
          if (records >= limits.records_max || bytes >= limits.bytes_max) break;
        }
      } else {
        auto after = std::upper_bound(
            log->segments.begin(), log->segments.end(), from,
            [](Offset value, const SegmentInfo& info) { return value < info.base; });
        if (after == log->segments.begin() || std::prev(after)->end <= from) {
          return Fail(Code::kDataLoss, "log " + LogIdText(id) + ": no segment has offset " +
                                           std::to_string(from));
        }
        segment = *std::prev(after);
      }
    }
    if (entries.empty()) {
      bool index_damaged = false;
      auto batches = ReadSegment(file_cache_, LogDirectory(options_.directory, id), segment, from,
                                 limits, &index_damaged);
      if (index_damaged) {
        NoteCorruption(base::Error(
            Code::kDataLoss,
            SegmentPath(LogDirectory(options_.directory, id), segment.base, ".index") +
                ": does not lead to offset " + std::to_string(from) + "; searched the log instead"));
      }
      if (batches || batches.error().code() != Code::kNotFound) return batches;
      failure = batches.error();
      continue;  // trimmed meanwhile, or lost
    }
    std::vector<StoredBatch> batches;
    bool moved = false;
    for (TailEntry& entry : entries) {
      if (entry.bytes.empty()) {
        auto bytes = wal_.ReadPayload(entry.wal, entry.size);
        if (!bytes && bytes.error().code() == Code::kNotFound) {
          failure = bytes.error();
          moved = batches.empty();
          break;
        }
        if (!bytes) return Fail(bytes.error());
        entry.bytes = std::move(*bytes);
      }
      batches.push_back({std::move(entry.bytes), entry.base_offset, entry.record_count,
                         entry.max_timestamp_ms});
    }
    if (!moved) return batches;
  }
  return Fail(Code::kDataLoss, "log " + LogIdText(id) + " at offset " + std::to_string(from) +
                                   ": " + failure.message());
}

void StoreImpl::FindTimestamp(LogId id, int64_t timestamp_ms,
                              base::Function<void(base::Result<Offset>)> done) {
  auto shared = std::make_shared<decltype(done)>(std::move(done));
  auto submitted = readers_.Submit([this, id, timestamp_ms, shared] {
    LogPtr log = Find(id);
    base::Result<Offset> found = NoSuchLog(id);
    if (log) found = FindTimestampBlocking(*log, timestamp_ms);
    if (!found) NoteCorruption(found.error());
    (*shared)(std::move(found));
  });
  if (!submitted) (*shared)(Fail(submitted.error()));
}

base::Result<Offset> StoreImpl::FindTimestampBlocking(Log& log, int64_t timestamp_ms) {
  Offset at = 0;
  std::optional<SegmentInfo> segment;
  Offset durable_end = 0;
  {
    std::lock_guard lock(log.mutex);
    at = log.start_offset;
    durable_end = log.durable_end;
    TRY(CheckRange(log, at));
    // The first segment with a record that is new enough; all before it are passed over unread.
    for (const SegmentInfo& info : log.segments) {
      if (info.max_timestamp_ms >= timestamp_ms) {
        segment = info;
        break;
      }
      at = std::max(at, info.end);
    }
    if (!segment) {
      // In the tail, whose times are known.
      for (const TailEntry& entry : log.entries) {
        if (entry.end() <= at) continue;
        if (entry.max_timestamp_ms >= timestamp_ms) break;
        at = entry.end();
      }
    }
  }
  if (segment) {
    ASSIGN_OR_RETURN(const Offset lower,
                     LowerBoundByTime(file_cache_, LogDirectory(options_.directory, log.id),
                                      *segment, timestamp_ms));
    at = std::max(at, lower);
  }
  while (at < durable_end) {
    ASSIGN_OR_RETURN(const auto batches, ReadBlocking(log.id, at, kSearchLimits));
    if (batches.empty()) break;
    for (const StoredBatch& stored : batches) {
      if (stored.max_timestamp_ms < timestamp_ms) continue;
      ASSIGN_OR_RETURN(const auto batch, RecordBatchView::Parse(stored.bytes.view()));
      RecordReader reader(batch);
      RecordView record;
      while (reader.Next(record)) {
        if (record.offset >= at && record.timestamp_ms >= timestamp_ms) return record.offset;
      }
      if (!reader.status()) {
        // Opaque to us (compressed): the batch's beginning is as near as we can say.
        if (reader.status().error().code() == Code::kNotSupported) {
          return std::max(at, stored.base_offset);
        }
        return Fail(reader.status().error());
      }
    }
    at = batches.back().next_offset();
  }
  return durable_end;
}

}  // namespace millstream::log
