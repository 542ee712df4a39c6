#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"

namespace millstream::base {

// A file system in memory that forgets as badly as a real one may: for tests of what survives.
//
// Written bytes reach the disk with Sync(), SyncAll() or a direct_sync write; names with
// SyncDirectory() or SyncAll(). When the power goes, any subset of the 4 KiB blocks not yet synced
// has survived, one of them perhaps torn, and any subset of the directory changes not yet synced.
// A failed Sync() loses what it should have written, and the next one reports success, as Linux does.
//
// Operations are counted (everything but reads), so that a test can fail or crash at each in turn.
// Thread-safe. The same seed makes the same choices for the same order of operations.
class SimFileSystem final : public FileSystem {
 public:
  explicit SimFileSystem(uint64_t seed, ManualClock* clock = nullptr);
  ~SimFileSystem() override;

  // --- faults ---
  // The power goes during the n-th operation from now on (1: the next one): it happens in part, and
  // every operation after it fails until Restart().
  void CrashAtOperation(uint64_t n);
  void Crash();
  // Power is back: only what survived is there. Files opened before stay dead.
  void Restart();
  // The n-th operation from now on fails with an I/O error (writes: after doing a part). 0: none.
  void FailAtOperation(uint64_t n);
  // Writes that would hold more than this fail with "no space left".
  void SetCapacity(uint64_t bytes);
  void FlipBit(const std::string& path, uint64_t bit);
  // Each write advances the clock given to the constructor.
  void SetWriteTime(int64_t ms);

  uint64_t operations() const;
  bool crashed() const;
  // All files, for tests that damage each.
  std::vector<std::string> Paths() const;

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenOptions options) override;
  Status CreateDirectories(const std::string& path) override;
  Result<std::vector<DirectoryEntry>> List(const std::string& path) override;
  Result<bool> Exists(const std::string& path) override;
  Status Remove(const std::string& path) override;
  Status RemoveTree(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status SyncDirectory(const std::string& path) override;
  Status SyncAll(const std::string& path) override;
  Result<uint64_t> FreeBytes(const std::string& path) override;

 private:
  class SimFile;

  struct Inode {
    std::string content;           // what programs see
    std::string durable;           // what the disk has
    std::set<uint64_t> dirty;      // blocks of `content` not yet on disk
    bool size_dirty = false;
  };
  using InodePtr = std::shared_ptr<Inode>;

  // A change of names that the disk may not have yet. A file when `inode` is set.
  struct NameChange {
    enum class Kind { kCreate, kRemove, kRename, kMakeDirectory } kind;
    std::string path;
    std::string to;
    InodePtr inode;
  };

  // What an operation shall do; taken with mutex_ held.
  enum class Fate { kSucceed, kFail, kCrash, kDead };
  Fate NextOperation();
  static Status FateError(Fate fate, const std::string& path);

  uint64_t Next64();
  uint64_t Below(uint64_t bound) { return Next64() % bound; }
  uint64_t UsedBytes() const;
  void ApplyToDurable(const NameChange& change);
  Status WriteInode(Inode& inode, const std::string& path, uint64_t offset, std::string_view data,
                    bool durable, Fate fate);
  static void SyncInode(Inode& inode);
  void LosePower(Inode& inode);
  void ForgetUnsynced(Inode& inode);

  mutable std::mutex mutex_;  // guards what follows
  uint64_t random_state_;
  ManualClock* const clock_;
  int64_t write_ms_ = 0;
  uint64_t operations_ = 0;
  uint64_t crash_at_ = 0;
  uint64_t fail_at_ = 0;
  uint64_t capacity_ = UINT64_MAX;
  bool crashed_ = false;
  uint64_t epoch_ = 1;  // counts restarts; a file of an earlier one is dead
  std::map<std::string, InodePtr> names_;
  std::map<std::string, InodePtr> durable_names_;
  std::set<std::string> directories_;
  std::set<std::string> durable_directories_;
  std::vector<NameChange> changes_;  // not yet synced, in order
};

}  // namespace millstream::base
