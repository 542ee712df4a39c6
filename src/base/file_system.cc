#include "base/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/check.h"

namespace millstream::base {
namespace {

Code CodeOf(int error_number) {
  switch (error_number) {
    case ENOENT: return Code::kNotFound;
    case EEXIST: return Code::kAlreadyExists;
    case EACCES:
    case EPERM: return Code::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EROFS:
    case EMFILE:
    case ENFILE: return Code::kUnavailable;
    default: return Code::kInternal;
  }
}

tl::unexpected<Error> FailErrno(std::string_view what, const std::string& path, int error_number) {
  std::string message(what);
  message += " " + path + ": ";
  message += error_number == ENOSPC ? "no space left on device" : std::strerror(error_number);
  return Fail(CodeOf(error_number), std::move(message));
}

class RealFile final : public File {
 public:
  RealFile(std::string path, int fd, std::size_t alignment, bool sync_each_write)
      : File(std::move(path)), fd_(fd), alignment_(alignment), sync_each_write_(sync_each_write) {}
  ~RealFile() override { ::close(fd_); }

  Result<std::size_t> ReadAt(uint64_t offset, char* to, std::size_t size) override {
    std::size_t done = 0;
    while (done < size) {
      ssize_t n = ::pread(fd_, to + done, size - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return FailErrno("reading", path(), errno);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  Status WriteAt(uint64_t offset, std::string_view data) override {
    while (!data.empty()) {
      ssize_t n = ::pwrite(fd_, data.data(), data.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return FailErrno("writing", path(), errno);
      offset += static_cast<uint64_t>(n);
      data.remove_prefix(static_cast<std::size_t>(n));
    }
    return sync_each_write_ ? Sync() : Status();
  }

  Status Sync() override {
    if (::fdatasync(fd_) != 0) return FailErrno("syncing", path(), errno);
    return {};
  }
  Status Truncate(uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) {
      return FailErrno("truncating", path(), errno);
    }
    return {};
  }
  Result<uint64_t> Size() override {
    struct stat st {};
    if (::fstat(fd_, &st) != 0) return FailErrno("reading the size of", path(), errno);
    return static_cast<uint64_t>(st.st_size);
  }
  std::size_t alignment() const override { return alignment_; }

 private:
  int fd_;
  std::size_t alignment_;
  bool sync_each_write_;
};

}  // namespace

Result<std::unique_ptr<File>> RealFileSystem::Open(const std::string& path, OpenOptions options) {
  int flags = O_CLOEXEC | (options.write ? O_RDWR : O_RDONLY);
  if (options.create) flags |= O_CREAT;
  if (options.exclusive) flags |= O_EXCL;
  if (options.truncate) flags |= O_TRUNC;
  std::size_t alignment = 1;
  bool sync_each_write = false;
  int fd = -1;
  if (options.direct || options.direct_sync) {
    fd = ::open(path.c_str(), flags | O_DIRECT | (options.direct_sync ? O_DSYNC : 0), 0644);
    if (fd >= 0) {
      alignment = 4096;
    } else if (errno == EINVAL) {
      sync_each_write = options.direct_sync;
      fd = ::open(path.c_str(), flags, 0644);
    }
  } else {
    fd = ::open(path.c_str(), flags, 0644);
  }
  if (fd < 0) return FailErrno("opening", path, errno);
  return std::make_unique<RealFile>(path, fd, alignment, sync_each_write);
}

Status RealFileSystem::CreateDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return FailErrno("creating directory", path, error.value());
  return {};
}

Result<std::vector<DirectoryEntry>> RealFileSystem::List(const std::string& path) {
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) return FailErrno("listing", path, errno);
  std::vector<DirectoryEntry> entries;
  while (dirent* entry = ::readdir(directory)) {
    std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    bool is_directory = entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN) {
      struct stat st {};
      is_directory = ::stat((path + "/" + std::string(name)).c_str(), &st) == 0 &&
                     S_ISDIR(st.st_mode);
    }
    entries.push_back({std::string(name), is_directory});
  }
  ::closedir(directory);
  return entries;
}

Result<bool> RealFileSystem::Exists(const std::string& path) {
  if (::access(path.c_str(), F_OK) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return FailErrno("looking for", path, errno);
}

Status RealFileSystem::Remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return FailErrno("removing", path, errno);
  return {};
}

Status RealFileSystem::RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return FailErrno("removing", path, error.value());
  return {};
}

Status RealFileSystem::Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return FailErrno("renaming", from, errno);
  return {};
}

Status RealFileSystem::SyncDirectory(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return FailErrno("opening directory", path, errno);
  int result = ::fsync(fd);
  int error_number = errno;
  ::close(fd);
  if (result != 0) return FailErrno("syncing directory", path, error_number);
  return {};
}

Status RealFileSystem::SyncAll(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return FailErrno("opening directory", path, errno);
  int result = ::syncfs(fd);
  int error_number = errno;
  ::close(fd);
  if (result != 0) return FailErrno("syncing the file system of", path, error_number);
  return {};
}

Result<uint64_t> RealFileSystem::FreeBytes(const std::string& path) {
  struct statvfs st {};
  if (::statvfs(path.c_str(), &st) != 0) return FailErrno("reading free space of", path, errno);
  return static_cast<uint64_t>(st.f_bavail) * st.f_frsize;
}

Result<std::string> FileSystem::ReadFile(const std::string& path) {
  ASSIGN_OR_RETURN(auto file, Open(path, {}));
  ASSIGN_OR_RETURN(uint64_t size, file->Size());
  std::string content(size, '\0');
  ASSIGN_OR_RETURN(std::size_t got, file->ReadAt(0, content.data(), content.size()));
  content.resize(got);
  return content;
}

Status FileSystem::WriteFileAtomically(const std::string& path, std::string_view content) {
  std::string temporary = path + ".tmp";
  {
    ASSIGN_OR_RETURN(auto file,
                     Open(temporary, {.write = true, .create = true, .truncate = true}));
    TRY(file->WriteAt(0, content));
    TRY(file->Sync());
  }
  TRY(Rename(temporary, path));
  auto slash = path.rfind('/');
  return SyncDirectory(slash == std::string::npos ? "." : path.substr(0, slash));
}

}  // namespace millstream::base
