#pragma once

#include <string>

#include "base/file_system.h"
#include "base/result.h"

namespace millstream::server {

// The folder that holds everything, owned by one process at a time: creates it, locks it, and
// checks that its format is one this version reads. The lock goes with the process, however it
// ends.
//
//   format            "1": layout of this folder
//   lock              locked while open; the owner's process id
//   catalog.sqlite    catalog::Store
//   log/              log::Store
//   analytics/        analytics::Applications
class DataDirectory {
 public:
  // kFailedPrecondition when another process has it (names the process) or a newer Millstream wrote
  // it.
  static base::Result<DataDirectory> Open(base::FileSystem& files, const std::string& path);
  DataDirectory(DataDirectory&& other) noexcept;
  DataDirectory& operator=(DataDirectory&&) = delete;
  ~DataDirectory();

  const std::string& path() const { return path_; }
  std::string catalog_file() const { return path_ + "/catalog.sqlite"; }
  std::string analytics_directory() const { return path_ + "/analytics"; }
  std::string log_directory() const { return path_ + "/log"; }

 private:
  DataDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::string path_;
  int lock_;
};

}  // namespace millstream::server
