#include "log/file_cache.h"

namespace millstream::log {

base::Result<std::shared_ptr<base::File>> FileCache::Open(const std::string& path) {
  {
    std::lock_guard lock(mutex_);
    auto it = by_path_.find(path);
    if (it != by_path_.end()) {
      recent_.splice(recent_.begin(), recent_, it->second);
      return it->second->file;
    }
  }
  ASSIGN_OR_RETURN(std::shared_ptr<base::File> file, files_.Open(path, {}));
  std::lock_guard lock(mutex_);
  auto it = by_path_.find(path);
  if (it != by_path_.end()) return it->second->file;  // another reader was faster
  recent_.push_front({path, file});
  by_path_.emplace(path, recent_.begin());
  while (recent_.size() > files_max_) {
    by_path_.erase(recent_.back().path);
    recent_.pop_back();
  }
  return file;
}

void FileCache::Forget(const std::string& path) {
  std::lock_guard lock(mutex_);
  auto it = by_path_.find(path);
  if (it == by_path_.end()) return;
  recent_.erase(it->second);
  by_path_.erase(it);
}

}  // namespace millstream::log
