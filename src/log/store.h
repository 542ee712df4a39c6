#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/file_system.h"
#include "base/function.h"
#include "base/result.h"
#include "log/log_id.h"
#include "log/metrics.h"
#include "log/record_batch.h"
#include "log/segment.h"

namespace millstream::log {

enum class Durability {
  kSync,      // acknowledged when on disk
  kInterval,  // acknowledged when written; synced every interval_ms. A power cut can lose that much
};

struct StoreOptions {
  std::string directory;
  Durability durability = Durability::kSync;
  int64_t interval_ms = 1000;
  uint64_t wal_file_bytes = 256u << 20;  // pre-written (ahead of use) and recycled; multiple of 4 KiB
  // Files of the write-ahead log, as many as the segments' builder lags behind. When all are full,
  // appends wait in the queue.
  int wal_files_max = 4;
  uint64_t segment_bytes_max = 256u << 20;
  int64_t segment_age_ms_max = 3'600'000;   // so that retention can unlink whole segments
  // A log's batches go to its segment when so many bytes wait, or its WAL file is to be used again.
  uint64_t segment_flush_bytes = 4u << 20;
  uint64_t segment_direct_bytes_min = 256u << 10;  // such writes to segments bypass the page cache
  uint64_t tail_cache_bytes_max = 256u << 20;  // recent batches of all logs kept for readers
  uint64_t append_queue_bytes_max = 256u << 20;  // above it appends fail with kResourceExhausted
  int reader_threads = 2;
};

struct Append {
  LogId log;
  Batch batch;
  // Gets the base offset once the batch is durable (as the store's durability has it), or why not.
  // Called exactly once, in append order for each log, on the writer thread or, with kInterval, on
  // whichever thread is in FlushInline(). Must be short; may append, must not call FlushInline(),
  // FlushSegments() or Stop().
  base::Function<void(base::Result<Offset>)> done;
};

struct LogState {
  Offset start_offset = 0;    // oldest retained
  Offset durable_end = 0;     // one past the last acknowledged record; readers see up to here
  Offset assigned_end = 0;    // one past the last accepted record
  int64_t last_timestamp_ms = 0;
  uint64_t bytes = 0;         // retained
  bool sealed = false;        // a write or sync failed; appends are refused
};

struct RecoveryReport {
  uint64_t logs = 0;
  uint64_t wal_bytes_scanned = 0;
  uint64_t batches_replayed = 0;
  uint64_t torn_bytes_dropped = 0;  // after the last whole frame: never acknowledged
  int64_t duration_ms = 0;
};

// All logs of one data directory: one shared write-ahead log with group commit, per-log segments
// built from it in the background, a tail cache for readers (architecture.md section 4).
//
// Thread-safe. Stop() waits for what was accepted to become durable.
class Store {
 public:
  static base::Result<std::unique_ptr<Store>> Open(base::FileSystem& files, base::Clock& clock,
                                                   StoreOptions options);
  virtual ~Store() = default;

  // Creation is recorded by the first append; creating a log that exists is fine (idempotent, the
  // catalog is the owner of truth). Opening knows the logs that have data on disk.
  virtual base::Status Create(LogId log) = 0;
  // Refuses further appends and reads, then unlinks the log's segments in the background.
  virtual base::Status Delete(LogId log) = 0;
  virtual std::vector<LogId> List() const = 0;

  // Accepts all batches or none: none when one of the logs is unknown or deleted (kNotFound), the
  // store is sealed, stopping or out of disk space (kUnavailable), a batch is larger than a WAL file
  // (kInvalidArgument) or the queue is full (kResourceExhausted); then the failure is returned and
  // no `done` is called. Assigns offsets in the order of the calls; never blocks on I/O. Contents of
  // `appends` are moved from on success. The CRC in each batch must be right: recovery relies on it.
  virtual base::Status AppendAll(std::span<Append> appends) = 0;

  // Loops call it once per turn (Loop::AddTurnEndHook). With kSync it wakes the writer for what the
  // turn appended: one wake-up per turn, one group per turn. With kInterval it writes what was
  // accepted and runs the callbacks, on the calling thread.
  // A thread that calls it promises to call it after each AppendAll; its appends may wait for that.
  // The appends of threads that never call it go to the writer thread at once.
  virtual void FlushInline() = 0;

  virtual base::Result<LogState> State(LogId log) const = 0;

  // Batches from the one that holds `from` on, as far as memory has them without I/O; nullopt when
  // the first must come from disk: then use ReadAsync. Empty at the durable end.
  // kExpired when `from` is older than start_offset, kInvalidArgument beyond the end.
  virtual base::Result<std::optional<std::vector<StoredBatch>>> ReadCached(LogId log, Offset from,
                                                                          ReadLimits limits) = 0;
  // The same from disk as well, on a reader thread. kDataLoss names file, offset, expected, found.
  virtual void ReadAsync(
      LogId log, Offset from, ReadLimits limits,
      base::Function<void(base::Result<std::vector<StoredBatch>>)> done) = 0;

  // First offset whose record's timestamp is >= timestamp_ms (durable end if none). May do I/O: on a
  // reader thread.
  virtual void FindTimestamp(LogId log, int64_t timestamp_ms,
                             base::Function<void(base::Result<Offset>)> done) = 0;

  // Calls `ready` once as soon as the durable end is past `offset` (at once if it is already), or
  // the log is deleted or sealed. Runs where `Append::done` does, under the same rules, or on the
  // calling thread. Cancel with the id; a call that is under way may still come.
  using WaitId = uint64_t;
  virtual WaitId WaitPast(LogId log, Offset offset, base::Function<void()> ready) = 0;
  virtual void CancelWait(LogId log, WaitId id) = 0;

  // Drops whole segments whose newest record is older than `timestamp_ms`, and moves start_offset
  // to the first record that is not older. Background work; returns at once.
  virtual base::Status TrimBefore(LogId log, int64_t timestamp_ms) = 0;

  virtual const RecoveryReport& recovery() const = 0;
  virtual const Metrics& metrics() const = 0;
  // Waits until everything accepted is durable and in segments (tests, backups).
  virtual base::Status FlushSegments() = 0;
  virtual void Stop() = 0;
};

}  // namespace millstream::log
