#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/function.h"
#include "log/store.h"
#include "streams/hash_key.h"
#include "streams/limits.h"
#include "streams/metrics.h"
#include "streams/quota.h"
#include "streams/sequence_number.h"
#include "streams/shard_id.h"

namespace millstream::streams {

// The facts of a shard; what the catalog remembers. Only closing changes them, once.
struct ShardFacts {
  ShardId id;
  HashKeyRange range;
  int64_t created_s = 0;  // as its sequence numbers carry it
  std::optional<ShardId> parent;
  std::optional<ShardId> adjacent_parent;
  std::optional<int64_t> closed_ms;
  log::LogId log;

  bool open() const { return !closed_ms.has_value(); }
  SequenceNumber StartingSequenceNumber() const { return {created_s, 0, created_s, id.index}; }
  // Requires !open().
  SequenceNumber EndingSequenceNumber() const;
};

// The living half of a shard: a monitor over what appends and reads change. One per shard, shared by
// all snapshots of its stream.
//
// The mutex is held for checking and for handing batches to the log, never over I/O, building or
// callbacks. A Put that spans shards locks them in the order of their index.
class Shard {
 public:
  Shard(const ShardFacts& facts, const Limits& limits);
  Shard(const Shard&) = delete;

  ShardId id() const { return id_; }
  log::LogId log() const { return log_; }
  int64_t created_s() const { return created_s_; }
  const HashKeyRange& range() const { return range_; }
  ShardMetrics& metrics() { return metrics_; }
  const ShardMetrics& metrics() const { return metrics_; }

  // One GetRecords call; false: ProvisionedThroughputExceeded.
  bool TryBeginRead(int64_t now_ns);
  void ChargeRead(int64_t bytes, int64_t now_ns);

  // True when no append can follow any more. Readers at the durable end are at the end of the shard
  // once the log has nothing undurable left.
  bool closed() const;

  // Calls `closing` once when the shard closes; returns 0, having called nothing, when it has.
  uint64_t OnClosing(std::shared_ptr<base::Function<void()>> closing);
  void ForgetClosing(uint64_t waiter);

 private:
  friend class Stream;
  friend class StreamRegistry;

  const ShardId id_;
  const HashKeyRange range_;
  const int64_t created_s_;
  const log::LogId log_;
  const bool quotas_enforced_;

  mutable std::mutex mutex_;
  bool closed_ = false;         // guarded by mutex_
  int64_t last_arrival_ms_ = 0; // guarded by mutex_; arrivals of one log never go back
  WriteQuota write_quota_;      // guarded by mutex_
  ReadQuota read_quota_;        // guarded by mutex_
  uint64_t next_waiter_ = 1;    // guarded by mutex_
  std::vector<std::pair<uint64_t, std::shared_ptr<base::Function<void()>>>>
      closing_waiters_;         // guarded by mutex_

  ShardMetrics metrics_;
};

}  // namespace millstream::streams
