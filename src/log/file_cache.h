#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/file_system.h"
#include "base/result.h"

namespace millstream::log {

// Open files for reading, the most recently used ones: ten thousand logs have more segments than a
// process may have descriptors. A file stays open for as long as somebody holds it. Thread-safe.
class FileCache {
 public:
  FileCache(base::FileSystem& files, std::size_t files_max)
      : files_(files), files_max_(files_max) {}

  base::Result<std::shared_ptr<base::File>> Open(const std::string& path);
  // Before the file is removed.
  void Forget(const std::string& path);

 private:
  struct Entry {
    std::string path;
    std::shared_ptr<base::File> file;
  };
  base::FileSystem& files_;
  const std::size_t files_max_;
  std::mutex mutex_;
  std::list<Entry> recent_;                                            // guarded by mutex_
  std::unordered_map<std::string, std::list<Entry>::iterator> by_path_;  // guarded by mutex_
};

}  // namespace millstream::log
