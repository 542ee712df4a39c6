#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "log/file_cache.h"
#include "log/log_state.h"
#include "log/manifest.h"
#include "log/store.h"
#include "log/wal.h"

namespace millstream::log {

// The Store on files. Its parts, one file each:
//
//   store.cc     the public calls: look a log up, queue, answer from memory
//   recovery.cc  Open: manifest, then the WAL on top of it
//   commit.cc    the writer: queue -> WAL -> tail cache -> callbacks
//   builder.cc   the builder: tail -> segments -> manifest -> WAL files free again; retention
//   read.cc      reader jobs: WAL and segments -> batches
//
// Locks, in the order in which they may be taken: io, logs, queue, Log::mutex, builder. Only
// io_mutex_ is held over I/O and while callbacks run (that keeps them in order).
class StoreImpl final : public Store {
 public:
  StoreImpl(base::FileSystem& files, base::Clock& clock, StoreOptions options);
  ~StoreImpl() override;

  base::Status Recover();  // before Start
  base::Status Start();

  base::Status Create(LogId log) override;
  base::Status Delete(LogId log) override;
  std::vector<LogId> List() const override;
  base::Status AppendAll(std::span<Append> appends) override;
  void FlushInline() override;
  base::Result<LogState> State(LogId log) const override;
  base::Result<std::optional<std::vector<StoredBatch>>> ReadCached(LogId log, Offset from,
                                                                  ReadLimits limits) override;
  void ReadAsync(LogId log, Offset from, ReadLimits limits,
                 base::Function<void(base::Result<std::vector<StoredBatch>>)> done) override;
  void FindTimestamp(LogId log, int64_t timestamp_ms,
                     base::Function<void(base::Result<Offset>)> done) override;
  WaitId WaitPast(LogId log, Offset offset, base::Function<void()> ready) override;
  void CancelWait(LogId log, WaitId id) override;
  base::Status TrimBefore(LogId log, int64_t timestamp_ms) override;
  const RecoveryReport& recovery() const override { return recovery_; }
  const Metrics& metrics() const override { return metrics_; }
  base::Status FlushSegments() override;
  void Stop() override;

 private:
  // Something accepted and not yet durable.
  struct Pending {
    FrameType type = FrameType::kBatch;
    LogPtr log;
    base::Bytes bytes;
    Offset base_offset = 0;
    int32_t record_count = 0;
    int64_t max_timestamp_ms = 0;
    base::Function<void(base::Result<Offset>)> done;
  };

  LogPtr Find(LogId log) const;

  // recovery.cc
  base::Status VisitFrame(const WalFrame& frame, WalPosition at,
                          std::map<LogId, std::string>& unknown);
  base::Status FindOrphans();

  // commit.cc
  void RunWriter();
  void WakeWriterLocked();  // queue_mutex_ held
  void CommitQueued();      // takes io_mutex_
  bool Commit(std::vector<Pending>& work);
  void SyncInterval();
  void RefuseForSpace(const base::Error& error);
  bool NextWalFile(base::Error* failure);
  void Complete(std::span<Pending> done, std::span<const WalItem> items);
  void FailFrom(std::vector<Pending>& work, std::size_t first, const base::Error& error);
  void EvictLocked();  // io_mutex_ held
  void Seal(const base::Error& cause);
  base::Error SealedError() const;

  // builder.cc
  void RunBuilder();
  void WakeBuilder();
  base::Status BuildRound(bool flush_all);
  base::Status RemoveDeleted();
  base::Status FlushLog(Log& log);
  base::Status CheckFiles(Log& log);
  base::Result<SegmentWriter*> WriterFor(Log& log, const SegmentInfo& info);
  base::Status CutPaddings();
  base::Status CutPadding(LogId id, SegmentWriter& writer);
  base::Status RetireClosed();
  base::Status Checkpoint(uint64_t floor);
  base::Status SyncDirty();
  base::Status TrimLog(Log& log, int64_t timestamp_ms);
  void NoteBuilderFailure(const base::Error& error);

  // read.cc
  base::Result<std::vector<StoredBatch>> ReadBlocking(LogId log, Offset from, ReadLimits limits);
  base::Result<Offset> FindTimestampBlocking(Log& log, int64_t timestamp_ms);
  void NoteCorruption(const base::Error& error);
  base::Status CheckRange(const Log& log, Offset from) const;  // log.mutex held

  base::FileSystem& files_;
  base::Clock& clock_;
  const StoreOptions options_;
  const uint64_t serial_;  // of this store in the process; see FlushInline
  Metrics metrics_;
  RecoveryReport recovery_;
  Wal wal_;
  FileCache file_cache_;
  base::JobPool readers_;

  mutable std::shared_mutex logs_mutex_;
  std::unordered_map<LogId, LogPtr> logs_;  // guarded by logs_mutex_

  mutable std::mutex queue_mutex_;
  std::condition_variable writer_wake_;
  std::condition_variable drained_;
  std::vector<Pending> queue_;         // guarded by queue_mutex_
  std::atomic<bool> queued_{false};    // queue_ is not empty
  uint64_t queue_bytes_ = 0;           // guarded by queue_mutex_; of batches not yet durable
  uint64_t accepted_ = 0;              // guarded by queue_mutex_
  uint64_t finished_ = 0;              // guarded by queue_mutex_
  bool writer_wanted_ = false;         // guarded by queue_mutex_
  bool writer_sleeping_ = false;       // guarded by queue_mutex_
  bool stopping_ = false;              // guarded by queue_mutex_
  bool refusing_ = false;              // guarded by queue_mutex_; out of disk space
  std::atomic<bool> sealed_{false};
  std::string seal_cause_;             // guarded by queue_mutex_

  // Held by whoever commits: the writer thread or, with kInterval, a thread in FlushInline.
  std::mutex io_mutex_;
  std::vector<Pending> work_;      // guarded by io_mutex_
  std::vector<WalItem> items_;     // guarded by io_mutex_
  struct CachedBatch {
    LogId log;
    Offset base_offset;
    uint64_t held_bytes;
  };
  std::deque<CachedBatch> cached_;  // guarded by io_mutex_; in order of age
  uint64_t cached_bytes_ = 0;       // guarded by io_mutex_
  std::atomic<bool> unsynced_{false};

  mutable std::mutex builder_mutex_;
  std::condition_variable builder_wake_;
  std::condition_variable builder_progress_;
  bool builder_woken_ = false;                // guarded by builder_mutex_
  bool builder_stop_ = false;                 // guarded by builder_mutex_
  bool file_needed_ = false;                  // guarded by builder_mutex_; the writer waits
  bool no_space_ = false;                     // guarded by builder_mutex_
  std::vector<LogPtr> to_flush_;              // guarded by builder_mutex_
  std::vector<LogPtr> to_remove_;             // guarded by builder_mutex_
  std::map<LogId, int64_t> to_trim_;          // guarded by builder_mutex_
  uint64_t flush_requests_ = 0;               // guarded by builder_mutex_
  uint64_t flush_answers_ = 0;                // guarded by builder_mutex_
  base::Status flush_result_;                 // guarded by builder_mutex_

  // The builder's own.
  struct OpenWriter {
    std::unique_ptr<SegmentWriter> writer;
    uint64_t last_used = 0;
  };
  std::unordered_map<LogId, OpenWriter> open_writers_;
  uint64_t writer_uses_ = 0;
  AlignedBuffer segment_staging_;
  std::set<std::string> dirty_files_;
  std::set<std::string> dirty_directories_;
  std::vector<std::string> to_unlink_;     // after the next manifest
  std::vector<std::string> orphan_trees_;  // directories of logs that are no more
  bool manifest_dirty_ = false;

  std::atomic<WaitId> next_wait_{1};
  bool started_ = false;
  bool stopped_ = false;
  std::thread writer_;
  std::thread builder_;
};

}  // namespace millstream::log
