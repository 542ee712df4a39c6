#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millstream::base {

// An open file. Thread-safe for reads; one writer at a time. Closed by the destructor.
// Errors name the path. A full disk is kUnavailable with "no space left" in the message.
class File {
 public:
  virtual ~File() = default;
  // Reads up to `size` bytes at `offset`; fewer only at the end of the file.
  virtual Result<std::size_t> ReadAt(uint64_t offset, char* to, std::size_t size) = 0;
  // Writes all of `data` at `offset` or fails; after a failure the range is undefined.
  virtual Status WriteAt(uint64_t offset, std::string_view data) = 0;
  // Makes data and size durable (fdatasync). After a failure the file's tail is unknown: callers
  // must not write or sync it again.
  virtual Status Sync() = 0;
  virtual Status Truncate(uint64_t size) = 0;
  virtual Result<uint64_t> Size() = 0;
  // Alignment that WriteAt needs for address, offset and size; 1 unless opened with `direct`.
  virtual std::size_t alignment() const { return 1; }
  const std::string& path() const { return path_; }

 protected:
  explicit File(std::string path) : path_(std::move(path)) {}

 private:
  std::string path_;
};

struct OpenOptions {
  bool write = false;
  bool create = false;     // create when missing
  bool exclusive = false;  // with create: fail with kAlreadyExists when present
  bool truncate = false;
  // Bypass the page cache (O_DIRECT); Sync() makes durable, as of a plain file. Falls back to plain
  // writes where the file system refuses (tmpfs); alignment() tells which.
  bool direct = false;
  // The same, and have WriteAt return only when the bytes are durable
  // (O_DIRECT|O_DSYNC). Falls back to plain writes followed by Sync where the file system refuses
  // O_DIRECT (tmpfs); alignment() tells which.
  bool direct_sync = false;
};

struct DirectoryEntry {
  std::string name;
  bool is_directory;
};

// The file operations that the system uses. Thread-safe. Implementations: RealFileSystem, and
// SimFileSystem (sim_file_system.h), which can lose unsynced writes, tear blocks, flip bits and
// fill up.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, OpenOptions options) = 0;
  virtual Status CreateDirectories(const std::string& path) = 0;  // all missing parents too
  virtual Result<std::vector<DirectoryEntry>> List(const std::string& path) = 0;
  virtual Result<bool> Exists(const std::string& path) = 0;
  virtual Status Remove(const std::string& path) = 0;        // a file; kNotFound when missing
  virtual Status RemoveTree(const std::string& path) = 0;    // fine when missing
  virtual Status Rename(const std::string& from, const std::string& to) = 0;  // replaces `to`
  virtual Status SyncDirectory(const std::string& path) = 0; // makes names durable
  // Makes everything written to the file system that holds `path` durable, names included. Dearer
  // than syncing one file, far cheaper than syncing thousands.
  virtual Status SyncAll(const std::string& path) = 0;
  virtual Result<uint64_t> FreeBytes(const std::string& path) = 0;

  // Whole-file conveniences on the above.
  Result<std::string> ReadFile(const std::string& path);
  // Writes a temporary beside, syncs, renames over `path`, syncs the directory.
  Status WriteFileAtomically(const std::string& path, std::string_view content);
};

class RealFileSystem final : public FileSystem {
 public:
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
};

}  // namespace millstream::base
