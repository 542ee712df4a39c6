#include "base/sim_file_system.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace millstream::base {
namespace {

constexpr uint64_t kBlock = 4096;

std::string ParentOf(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool IsBelow(const std::string& path, const std::string& directory) {
  return path.size() > directory.size() && path.starts_with(directory) &&
         (directory == "/" || path[directory.size()] == '/');
}

bool IsRoot(const std::string& path) { return path == "/" || path == "." || path.empty(); }

}  // namespace

class SimFileSystem::SimFile final : public File {
 public:
  SimFile(SimFileSystem& owner, std::string path, InodePtr inode, OpenOptions options,
          uint64_t epoch)
      : File(std::move(path)),
        owner_(owner),
        inode_(std::move(inode)),
        options_(options),
        epoch_(epoch) {}

  Result<std::size_t> ReadAt(uint64_t offset, char* to, std::size_t size) override {
    std::lock_guard lock(owner_.mutex_);
    if (Dead()) return Fail(FateError(Fate::kDead, path()).error());
    const std::string& content = inode_->content;
    if (offset >= content.size()) return std::size_t{0};
    size = static_cast<std::size_t>(std::min<uint64_t>(size, content.size() - offset));
    std::memcpy(to, content.data() + offset, size);
    return size;
  }

  Status WriteAt(uint64_t offset, std::string_view data) override {
    std::lock_guard lock(owner_.mutex_);
    if (Dead()) return FateError(Fate::kDead, path());
    if (!options_.write) return Fail(Code::kPermissionDenied, "not open for writing: " + path());
    if (alignment() != 1 &&
        (reinterpret_cast<uintptr_t>(data.data()) % kBlock != 0 || data.size() % kBlock != 0 ||
         offset % kBlock != 0)) {
      return Fail(Code::kInternal, "unaligned direct write: " + path());
    }
    const Fate fate = owner_.NextOperation();
    if (owner_.clock_ != nullptr && owner_.write_ms_ > 0) owner_.clock_->Advance(owner_.write_ms_);
    return owner_.WriteInode(*inode_, path(), offset, data, options_.direct_sync, fate);
  }

  Status Sync() override {
    std::lock_guard lock(owner_.mutex_);
    if (Dead()) return FateError(Fate::kDead, path());
    const Fate fate = owner_.NextOperation();
    if (fate == Fate::kSucceed) SyncInode(*inode_);
    if (fate == Fate::kFail) owner_.ForgetUnsynced(*inode_);
    return FateError(fate, path());
  }

  Status Truncate(uint64_t size) override {
    std::lock_guard lock(owner_.mutex_);
    if (Dead()) return FateError(Fate::kDead, path());
    const Fate fate = owner_.NextOperation();
    if (fate == Fate::kSucceed) {
      const uint64_t from = std::min<uint64_t>(size, inode_->content.size());
      const uint64_t to = std::max<uint64_t>(size, inode_->content.size());
      inode_->content.resize(size, '\0');
      inode_->size_dirty = true;
      for (uint64_t block = from / kBlock; block * kBlock < to; ++block) {
        inode_->dirty.insert(block);
      }
    }
    return FateError(fate, path());
  }

  Result<uint64_t> Size() override {
    std::lock_guard lock(owner_.mutex_);
    if (Dead()) return Fail(FateError(Fate::kDead, path()).error());
    return inode_->content.size();
  }
  std::size_t alignment() const override { return options_.direct || options_.direct_sync ? kBlock : 1; }

 private:
  bool Dead() const { return owner_.crashed_ || epoch_ != owner_.epoch_; }

  SimFileSystem& owner_;
  const InodePtr inode_;
  const OpenOptions options_;
  const uint64_t epoch_;
};

SimFileSystem::SimFileSystem(uint64_t seed, ManualClock* clock)
    : random_state_(seed), clock_(clock) {}

SimFileSystem::~SimFileSystem() = default;

// ---------------------------------------------------------------------------------------- faults

void SimFileSystem::CrashAtOperation(uint64_t n) {
  std::lock_guard lock(mutex_);
  crash_at_ = n == 0 ? 0 : operations_ + n;
}

void SimFileSystem::FailAtOperation(uint64_t n) {
  std::lock_guard lock(mutex_);
  fail_at_ = n == 0 ? 0 : operations_ + n;
}

void SimFileSystem::Crash() {
  std::lock_guard lock(mutex_);
  crashed_ = true;
}

void SimFileSystem::SetCapacity(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

void SimFileSystem::SetWriteTime(int64_t ms) {
  std::lock_guard lock(mutex_);
  write_ms_ = ms;
}

void SimFileSystem::FlipBit(const std::string& path, uint64_t bit) {
  std::lock_guard lock(mutex_);
  auto it = names_.find(path);
  CHECK(it != names_.end());
  for (std::string* bytes : {&it->second->content, &it->second->durable}) {
    if (bit / 8 >= bytes->size()) continue;
    char& byte = (*bytes)[bit / 8];
    byte = static_cast<char>(byte ^ (1 << (bit % 8)));
  }
}

uint64_t SimFileSystem::operations() const {
  std::lock_guard lock(mutex_);
  return operations_;
}

bool SimFileSystem::crashed() const {
  std::lock_guard lock(mutex_);
  return crashed_;
}

std::vector<std::string> SimFileSystem::Paths() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, inode] : names_) paths.push_back(path);
  return paths;
}

void SimFileSystem::Restart() {
  std::lock_guard lock(mutex_);
  for (const NameChange& change : changes_) {
    if (Below(2) == 0) ApplyToDurable(change);
  }
  changes_.clear();
  // What stands in a directory that did not survive is lost with it.
  std::erase_if(durable_directories_, [&](const std::string& directory) {
    for (std::string up = ParentOf(directory); !IsRoot(up); up = ParentOf(up)) {
      if (!durable_directories_.contains(up)) return true;
    }
    return false;
  });
  std::erase_if(durable_names_, [&](const auto& name) {
    const std::string parent = ParentOf(name.first);
    return !IsRoot(parent) && !durable_directories_.contains(parent);
  });
  names_ = durable_names_;
  directories_ = durable_directories_;
  std::set<Inode*> seen;
  for (auto& [path, inode] : names_) {
    if (seen.insert(inode.get()).second) LosePower(*inode);
  }
  crashed_ = false;
  crash_at_ = 0;
  fail_at_ = 0;
  ++epoch_;
}

SimFileSystem::Fate SimFileSystem::NextOperation() {
  if (crashed_) return Fate::kDead;
  ++operations_;
  if (operations_ == crash_at_) {
    crashed_ = true;
    return Fate::kCrash;
  }
  return operations_ == fail_at_ ? Fate::kFail : Fate::kSucceed;
}

Status SimFileSystem::FateError(Fate fate, const std::string& path) {
  switch (fate) {
    case Fate::kSucceed: return {};
    case Fate::kFail: return Fail(Code::kUnavailable, "simulated input/output error: " + path);
    case Fate::kCrash:
    case Fate::kDead: break;
  }
  return Fail(Code::kUnavailable, "simulated power loss: " + path);
}

// splitmix64
uint64_t SimFileSystem::Next64() {
  uint64_t z = (random_state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// --------------------------------------------------------------------------------------- content

uint64_t SimFileSystem::UsedBytes() const {
  uint64_t bytes = 0;
  for (const auto& [path, inode] : names_) bytes += inode->content.size();
  return bytes;
}

Status SimFileSystem::WriteInode(Inode& inode, const std::string& path, uint64_t offset,
                                 std::string_view data, bool durable, Fate fate) {
  Status status = FateError(fate, path);
  if (fate == Fate::kFail) data = data.substr(0, Below(data.size() + 1));
  const uint64_t end = offset + data.size();
  if (end > inode.content.size() && capacity_ != UINT64_MAX) {
    const uint64_t used = UsedBytes() - inode.content.size();
    const uint64_t room = capacity_ > used ? capacity_ - used : 0;
    if (end > room) {
      status = Fail(Code::kUnavailable, "writing " + path + ": no space left on device");
      data = room > offset ? data.substr(0, static_cast<std::size_t>(room - offset))
                           : std::string_view();
    }
  }
  if (data.empty()) return status;
  const uint64_t last = offset + data.size();
  if (last > inode.content.size()) {
    inode.content.resize(last, '\0');
    inode.size_dirty = true;
  }
  std::memcpy(inode.content.data() + offset, data.data(), data.size());
  const bool reached = durable && status.has_value();
  for (uint64_t block = offset / kBlock; block * kBlock < last; ++block) {
    if (!reached) {
      inode.dirty.insert(block);
      continue;
    }
    // A direct write is of whole blocks; it makes its own blocks durable and no others.
    inode.dirty.erase(block);
    const uint64_t to = std::min<uint64_t>((block + 1) * kBlock, inode.content.size());
    if (inode.durable.size() < to) inode.durable.resize(to, '\0');
    std::memcpy(inode.durable.data() + block * kBlock, inode.content.data() + block * kBlock,
                to - block * kBlock);
  }
  return status;
}

void SimFileSystem::SyncInode(Inode& inode) {
  inode.durable.resize(inode.content.size(), '\0');
  for (uint64_t block : inode.dirty) {
    if (block * kBlock >= inode.content.size()) continue;
    const uint64_t to = std::min<uint64_t>((block + 1) * kBlock, inode.content.size());
    std::memcpy(inode.durable.data() + block * kBlock, inode.content.data() + block * kBlock,
                to - block * kBlock);
  }
  inode.dirty.clear();
  inode.size_dirty = false;
}

// After a failed sync the kernel believes that the blocks are clean; some never reached the disk.
void SimFileSystem::ForgetUnsynced(Inode& inode) {
  const std::string before = inode.durable;
  const std::set<uint64_t> dirty = inode.dirty;
  SyncInode(inode);
  for (uint64_t block : dirty) {
    if (Below(2) == 0 || block * kBlock >= inode.durable.size()) continue;
    const uint64_t to = std::min<uint64_t>((block + 1) * kBlock, inode.durable.size());
    for (uint64_t i = block * kBlock; i < to; ++i) inode.durable[i] = i < before.size() ? before[i] : '\0';
  }
}

void SimFileSystem::LosePower(Inode& inode) {
  if (inode.size_dirty) {
    // The size reached the disk, or did not, or an earlier state of it.
    const uint64_t choice = Below(3);
    const uint64_t low = std::min(inode.durable.size(), inode.content.size());
    const uint64_t high = std::max(inode.durable.size(), inode.content.size());
    if (choice == 1) inode.durable.resize(inode.content.size(), '\0');
    if (choice == 2) inode.durable.resize(low + Below(high - low + 1), '\0');
  }
  bool torn = false;
  for (uint64_t block : inode.dirty) {
    const uint64_t from = block * kBlock;
    uint64_t to = std::min<uint64_t>({from + kBlock, inode.content.size(), inode.durable.size()});
    if (from >= to || Below(2) == 0) continue;
    if (!torn && Below(4) == 0) {
      torn = true;
      to = from + Below(to - from + 1);
    }
    std::memcpy(inode.durable.data() + from, inode.content.data() + from, to - from);
  }
  inode.content = inode.durable;
  inode.dirty.clear();
  inode.size_dirty = false;
}

// ----------------------------------------------------------------------------------------- names

void SimFileSystem::ApplyToDurable(const NameChange& change) {
  switch (change.kind) {
    case NameChange::Kind::kCreate: durable_names_[change.path] = change.inode; break;
    case NameChange::Kind::kMakeDirectory: durable_directories_.insert(change.path); break;
    case NameChange::Kind::kRemove:
      if (change.inode) {
        auto it = durable_names_.find(change.path);
        if (it != durable_names_.end() && it->second == change.inode) durable_names_.erase(it);
      } else {
        durable_directories_.erase(change.path);
      }
      break;
    case NameChange::Kind::kRename: {
      auto it = durable_names_.find(change.path);
      if (it != durable_names_.end() && it->second == change.inode) durable_names_.erase(it);
      durable_names_[change.to] = change.inode;
      break;
    }
  }
}

Result<std::unique_ptr<File>> SimFileSystem::Open(const std::string& path, OpenOptions options) {
  std::lock_guard lock(mutex_);
  if (crashed_) return Fail(FateError(Fate::kDead, path).error());
  auto it = names_.find(path);
  if (it != names_.end() && options.create && options.exclusive) {
    return Fail(Code::kAlreadyExists, "opening " + path + ": file exists");
  }
  if (it == names_.end()) {
    if (!options.create) return Fail(Code::kNotFound, "opening " + path + ": no such file");
    const std::string parent = ParentOf(path);
    if (!IsRoot(parent) && !directories_.contains(parent)) {
      return Fail(Code::kNotFound, "opening " + path + ": no such directory");
    }
    const Fate fate = NextOperation();
    if (fate != Fate::kFail) {
      auto inode = std::make_shared<Inode>();
      it = names_.emplace(path, inode).first;
      changes_.push_back({NameChange::Kind::kCreate, path, "", inode});
    }
    if (fate != Fate::kSucceed) return Fail(FateError(fate, path).error());
  } else if (options.truncate && !it->second->content.empty()) {
    const Fate fate = NextOperation();
    if (fate != Fate::kSucceed) return Fail(FateError(fate, path).error());
    Inode& inode = *it->second;
    for (uint64_t block = 0; block * kBlock < inode.content.size(); ++block) {
      inode.dirty.insert(block);
    }
    inode.content.clear();
    inode.size_dirty = true;
  }
  return std::make_unique<SimFile>(*this, path, it->second, options, epoch_);
}

Status SimFileSystem::CreateDirectories(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (crashed_) return FateError(Fate::kDead, path);
  std::vector<std::string> missing;
  for (std::string up = path; !IsRoot(up) && !directories_.contains(up); up = ParentOf(up)) {
    missing.push_back(up);
  }
  if (missing.empty()) return {};
  const Fate fate = NextOperation();
  if (fate != Fate::kFail) {
    for (auto it = missing.rbegin(); it != missing.rend(); ++it) {
      directories_.insert(*it);
      changes_.push_back({NameChange::Kind::kMakeDirectory, *it, "", nullptr});
    }
  }
  return FateError(fate, path);
}

Result<std::vector<DirectoryEntry>> SimFileSystem::List(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (crashed_) return Fail(FateError(Fate::kDead, path).error());
  if (!IsRoot(path) && !directories_.contains(path)) {
    return Fail(Code::kNotFound, "listing " + path + ": no such directory");
  }
  std::vector<DirectoryEntry> entries;
  for (const auto& [name, inode] : names_) {
    if (ParentOf(name) == path) entries.push_back({name.substr(name.rfind('/') + 1), false});
  }
  for (const std::string& name : directories_) {
    if (ParentOf(name) == path) entries.push_back({name.substr(name.rfind('/') + 1), true});
  }
  return entries;
}

Result<bool> SimFileSystem::Exists(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (crashed_) return Fail(FateError(Fate::kDead, path).error());
  return names_.contains(path) || directories_.contains(path);
}

Status SimFileSystem::Remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (crashed_) return FateError(Fate::kDead, path);
  auto it = names_.find(path);
  if (it == names_.end()) return Fail(Code::kNotFound, "removing " + path + ": no such file");
  const Fate fate = NextOperation();
  if (fate != Fate::kFail) {
    changes_.push_back({NameChange::Kind::kRemove, path, "", it->second});
    names_.erase(it);
  }
  return FateError(fate, path);
}

Status SimFileSystem::RemoveTree(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (crashed_) return FateError(Fate::kDead, path);
  const Fate fate = NextOperation();
  if (fate == Fate::kFail) return FateError(fate, path);
  auto inside = [&](const std::string& name) { return name == path || IsBelow(name, path); };
  for (auto it = names_.begin(); it != names_.end();) {
    if (!inside(it->first)) {
      ++it;
      continue;
    }
    changes_.push_back({NameChange::Kind::kRemove, it->first, "", it->second});
    it = names_.erase(it);
  }
  for (auto it = directories_.begin(); it != directories_.end();) {
    if (!inside(*it)) {
      ++it;
      continue;
    }
    changes_.push_back({NameChange::Kind::kRemove, *it, "", nullptr});
    it = directories_.erase(it);
  }
  return FateError(fate, path);
}

Status SimFileSystem::Rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  if (crashed_) return FateError(Fate::kDead, from);
  auto it = names_.find(from);
  if (it == names_.end()) return Fail(Code::kNotFound, "renaming " + from + ": no such file");
  const Fate fate = NextOperation();
  if (fate != Fate::kFail) {
    InodePtr inode = it->second;
    names_.erase(it);
    names_[to] = inode;
    changes_.push_back({NameChange::Kind::kRename, from, to, inode});
  }
  return FateError(fate, from);
}

Status SimFileSystem::SyncDirectory(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (crashed_) return FateError(Fate::kDead, path);
  if (!IsRoot(path) && !directories_.contains(path)) {
    return Fail(Code::kNotFound, "syncing directory " + path + ": no such directory");
  }
  const Fate fate = NextOperation();
  if (fate == Fate::kSucceed) {
    // In order, up to here; changes elsewhere stay pending.
    std::erase_if(changes_, [&](const NameChange& change) {
      const bool here = ParentOf(change.path) == path ||
                        (change.kind == NameChange::Kind::kRename && ParentOf(change.to) == path);
      if (here) ApplyToDurable(change);
      return here;
    });
  }
  return FateError(fate, path);
}

Status SimFileSystem::SyncAll(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (crashed_) return FateError(Fate::kDead, path);
  const Fate fate = NextOperation();
  for (auto& [name, inode] : names_) {
    if (fate == Fate::kSucceed) SyncInode(*inode);
    if (fate == Fate::kFail) ForgetUnsynced(*inode);
  }
  if (fate == Fate::kSucceed) {
    for (const NameChange& change : changes_) ApplyToDurable(change);
    changes_.clear();
  }
  return FateError(fate, path);
}

Result<uint64_t> SimFileSystem::FreeBytes(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (crashed_) return Fail(FateError(Fate::kDead, path).error());
  const uint64_t used = UsedBytes();
  return capacity_ > used ? capacity_ - used : 0;
}

}  // namespace millstream::base
