#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/function.h"
#include "log/segment.h"
#include "log/store.h"
#include "log/wal_format.h"

namespace millstream::log {

// A durable batch that memory knows of: because no segment has it yet, or as part of the tail cache.
struct TailEntry {
  Offset base_offset = 0;
  int64_t max_timestamp_ms = 0;
  WalPosition wal;        // where the WAL has it; meaningless once it is in a segment
  uint32_t size = 0;
  int32_t record_count = 0;
  base::Bytes bytes;      // empty when the cache had to drop it
  Offset end() const { return base_offset + record_count; }
};

// One log in memory: a few hundred bytes when idle.
struct Log {
  explicit Log(LogId log_id) : id(log_id) {}
  const LogId id;

  // Guarded by the store's queue mutex.
  Offset assigned_end = 0;
  bool deleted = false;

  // The committing thread's: the WAL generation that last got a frame of this log.
  uint64_t touched_generation = 0;

  // The builder's: leftovers of a crash in the directory are gone, the active segment is cut to
  // its length.
  bool files_checked = false;

  mutable std::mutex mutex;  // guards what follows
  Offset start_offset = 0;
  Offset flushed_end = 0;  // segments have everything before
  Offset durable_end = 0;
  int64_t last_timestamp_ms = 0;
  uint64_t pending_bytes = 0;  // of entries that no segment has
  bool flush_queued = false;
  bool closed = false;  // deleted or sealed: nobody shall wait any more
  // Invariant: consecutive offsets up to durable_end. First come those without bytes, then those
  // with; and first those that a segment has, then those pending.
  std::deque<TailEntry> entries;
  std::vector<SegmentInfo> segments;

  struct Waiter {
    Store::WaitId id;
    Offset offset;
    base::Function<void()> ready;
  };
  std::vector<Waiter> waiters;

  uint64_t SegmentBytes() const {
    uint64_t bytes = 0;
    for (const SegmentInfo& segment : segments) bytes += segment.bytes;
    return bytes;
  }
  // Index of the entry that holds `offset`; requires that one does.
  std::size_t EntryIndex(Offset offset) const;
  // Drops entries that a segment has and whose bytes are gone.
  void PopSettled() {
    while (!entries.empty() && entries.front().end() <= flushed_end &&
           entries.front().bytes.empty()) {
      entries.pop_front();
    }
  }
};

using LogPtr = std::shared_ptr<Log>;

}  // namespace millstream::log
