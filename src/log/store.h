#pragma once

#include <cstdint>
#include <functional>
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
#include "log/metrics.h"

namespace millstream::log {

// Names a log for ever: never used again after deletion. Chosen by the caller (the catalog).
struct LogId {
  uint64_t value = 0;
  friend auto operator<=>(const LogId&, const LogId&) = default;
};

// Position of a record in its log: 0, 1, 2 ... without gaps.
using Offset = int64_t;

enum class Durability {
  kSync,      // acknowledged when on disk
  kInterval,  // acknowledged when written; synced every interval_ms. A power cut can lose that much
};

struct StoreOptions {
  std::string directory;
  Durability durability = Durability::kSync;
  int64_t interval_ms = 1000;
  uint64_t wal_file_bytes = 256u << 20;  // pre-written and recycled
  int wal_files_min = 2;
  uint64_t segment_bytes_max = 256u << 20;
  int64_t segment_age_ms_max = 3'600'000;   // so that retention can unlink whole segments
  uint64_t tail_cache_bytes_max = 256u << 20;  // recent batches of all logs kept for readers
  uint64_t append_queue_bytes_max = 256u << 20;  // above it appends fail with kResourceExhausted
  int reader_threads = 2;
};

// A batch as it goes in: one Kafka RecordBatch v2 (docs/internals/segment-format.md) whose
// baseOffset field is still zero; the store stamps it (the CRC does not cover it).
struct Batch {
  base::Buffer bytes;
  int32_t record_count = 0;
  int64_t max_timestamp_ms = 0;
};

struct Append {
  LogId log;
  Batch batch;
  // Gets the base offset once the batch is durable (as the store's durability has it), or why not.
  // Runs on the writer thread or, with kInterval, inside FlushInline(); must be short. Called
  // exactly once, in append order for each log.
  base::Function<void(base::Result<Offset>)> done;
};

// A batch as it comes out: whole, verified (CRC), baseOffset stamped.
struct StoredBatch {
  base::Bytes bytes;
  Offset base_offset = 0;
  int32_t record_count = 0;
  int64_t max_timestamp_ms = 0;
  Offset next_offset() const { return base_offset + record_count; }
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

  // Accepts all batches or none: none when one of the logs is unknown, deleted, sealed or the queue
  // is full; then the failure is returned and no `done` is called. Assigns offsets in the order of
  // the calls; never blocks on I/O. Contents of `appends` are moved from on success.
  virtual base::Status AppendAll(std::span<Append> appends) = 0;

  // With kInterval: writes what was accepted and runs the callbacks, on the calling thread; loops
  // call it once per turn (Loop::AddTurnEndHook). With kSync: nothing to do.
  virtual void FlushInline() = 0;

  virtual base::Result<LogState> State(LogId log) const = 0;

  struct ReadLimits {
    std::size_t bytes_max = 1u << 20;   // at least one batch is returned if there is one
    int32_t records_max = 10'000;       // stops after the batch that reaches it
  };
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
  // the log is deleted or sealed. Runs on the writer thread; must be short. Cancel with the id.
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
