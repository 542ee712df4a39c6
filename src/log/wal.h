#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file_system.h"
#include "base/result.h"
#include "log/aligned_buffer.h"
#include "log/wal_format.h"

namespace millstream::log {

struct WalOptions {
  std::string directory;
  uint64_t file_bytes = 256u << 20;
  int files_max = 4;           // live and free ones together
  bool direct_sync = true;     // each group is durable when written; otherwise Sync() says when
};

// What a group is made of. `position` is set by WriteGroup().
struct WalItem {
  FrameType type = FrameType::kBatch;
  LogId log;
  Offset base_offset = 0;
  int32_t record_count = 0;
  std::string_view payload;
  WalPosition position;
};

struct WalScan {
  uint64_t bytes_scanned = 0;
  uint64_t torn_bytes = 0;
};

// True for the failure that goes away when somebody frees space.
bool IsNoSpace(const base::Error& error);

// The files of the shared write-ahead log. Each is zero-filled before use and used again after
// Retire(): then a commit changes no metadata, which is what makes it one device write.
//
// Threads: Recover() before all others. One writer at a time calls Activate, WriteGroup, room and
// Sync's beginning; one builder thread calls Prepare and Retire; anybody calls ReadPayload.
class Wal {
 public:
  Wal(base::FileSystem& files, WalOptions options);
  ~Wal();

  // Reads the files and calls `visit` for each frame of the generations from `floor` on, in order.
  // Stops at the torn tail, if there is one; fails with kDataLoss on any other damage, and when a
  // generation up to `newest` is missing. Afterwards the files found are live or free.
  base::Status Recover(uint64_t floor, uint64_t newest,
                       const std::function<base::Status(const WalFrame&, WalPosition)>& visit,
                       WalScan& scan);

  // --- the writer -----------------------------------------------------------------------------
  // Moves on to the next file: its header is durable on return. False when no file is free.
  base::Result<bool> Activate();
  // Bytes that a group may still take in the active file (0 when there is none).
  uint64_t room() const;
  // The largest group that any file can hold.
  uint64_t group_bytes_max() const { return options_.file_bytes - kWalBlockBytes; }
  // Writes one group at the end of the active file. With direct_sync it is durable on return.
  // Requires that it fits. After a failure other than IsNoSpace() nothing more may be written.
  base::Status WriteGroup(std::span<WalItem> items, uint64_t* written);
  WalPosition end() const { return {active_ ? active_->generation : 0, position_}; }
  // Without direct_sync: what was written before `end` is durable now.
  base::Status SyncFile(uint64_t generation);
  void NoteDurable(WalPosition end) { durable_ = std::max(durable_, end); }
  // Notes that the active file holds frames of this log, for Retire().
  void Touch(LogId log) { active_->touched.push_back(log); }
  uint64_t active_generation() const { return active_generation_.load(); }
  // True when the builder should Prepare().
  bool wants_preparation() const;

  // --- the builder ----------------------------------------------------------------------------
  // Zero-fills ahead of the writer, one step; creates the next file when it will be needed soon or
  // `file_needed`. Returns whether there is more to do.
  base::Result<bool> Prepare(bool file_needed);
  // Generations that are written full, oldest first.
  std::vector<uint64_t> ClosedGenerations() const;
  std::vector<LogId> TouchedBy(uint64_t generation) const;  // of a closed generation
  void Retire(uint64_t generation);
  bool has_free() const;
  // Where recovery must begin if everything closed is retired.
  uint64_t oldest_generation() const;

  // --- anybody --------------------------------------------------------------------------------
  // kNotFound when the generation was retired meanwhile: look the batch up again.
  base::Result<base::Bytes> ReadPayload(WalPosition at, std::size_t size) const;

 private:
  struct WalFile {
    std::string path;
    std::unique_ptr<base::File> file;    // opened as the options say
    std::unique_ptr<base::File> reader;  // through the page cache
    uint64_t generation = 0;
    uint32_t salt = 0;
    uint64_t end = kWalBlockBytes;  // of the groups, once closed
    uint64_t prepared = 0;          // bytes that exist; guarded by mutex_
    std::vector<LogId> touched;     // the writer's while active, the builder's when closed
  };

  base::Result<std::shared_ptr<WalFile>> OpenFile(const std::string& name, bool create);
  base::Status ScanFile(WalFile& file, uint64_t stop_at, bool newest,
                        const std::function<base::Status(const WalFrame&, WalPosition)>& visit,
                        WalScan& scan);
  base::Status FindLaterWitness(WalFile& file, uint64_t bad, const std::string& why);
  base::Status FillZeros(WalFile& file, uint64_t from, uint64_t to);

  base::FileSystem& files_;
  const WalOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable prepared_;
  std::map<uint64_t, std::shared_ptr<WalFile>> live_;  // guarded by mutex_; the active one too
  std::deque<std::shared_ptr<WalFile>> free_;          // guarded by mutex_
  std::vector<std::shared_ptr<WalFile>> lingering_;    // retired, but a reader has it; mutex_
  WalFile* preparing_ = nullptr;                       // guarded by mutex_
  int file_count_ = 0;                                 // guarded by mutex_
  uint64_t next_name_ = 0;                             // the builder's

  // The writer's.
  std::shared_ptr<WalFile> active_;
  std::atomic<uint64_t> active_generation_{0};
  std::atomic<uint64_t> position_{0};
  uint64_t sequence_ = 0;
  uint64_t next_generation_ = 1;  // changed under mutex_ too: the builder reads it
  uint64_t previous_end_ = 0;
  WalPosition durable_;
  AlignedBuffer staging_;

  AlignedBuffer zeros_;  // the builder's
};

}  // namespace millstream::log
