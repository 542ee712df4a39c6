#include "server/data_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace millstream::server {
namespace {

using base::Code;
using base::Fail;
using base::Result;
using base::Status;

constexpr std::string_view kFormat = "1";

std::string_view FirstLine(std::string_view text) { return text.substr(0, text.find('\n')); }

Status CheckFormat(base::FileSystem& files, const std::string& path) {
  std::string file = path + "/format";
  ASSIGN_OR_RETURN(bool exists, files.Exists(file));
  if (!exists) return files.WriteFileAtomically(file, std::string(kFormat) + "\n");
  ASSIGN_OR_RETURN(std::string text, files.ReadFile(file));
  if (FirstLine(text) == kFormat) return {};
  return Fail(
      Code::kFailedPrecondition,
      fmt::format("{}: the data directory has format \"{}\", this version reads \"{}\"; use the "
                  "Millstream that wrote it or another directory",
                  file, FirstLine(text).substr(0, 20), kFormat));
}

}  // namespace

Result<DataDirectory> DataDirectory::Open(base::FileSystem& files, const std::string& path) {
  TRY(files.CreateDirectories(path));
  std::string file = path + "/lock";
  int lock = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock < 0) {
    return Fail(Code::kUnavailable,
                fmt::format("{}: {}; the server must be able to write the data directory", file,
                            std::strerror(errno)));
  }
  DataDirectory directory(path, lock);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    char owner[32] = {};
    ssize_t got = ::pread(lock, owner, sizeof owner - 1, 0);
    return Fail(
        Code::kFailedPrecondition,
        fmt::format("{} is in use by another Millstream (process {}); stop it or use another "
                    "data directory",
                    path, got > 0 ? FirstLine(owner) : std::string_view("unknown")));
  }
  std::string process = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock, 0) != 0 || ::pwrite(lock, process.data(), process.size(), 0) < 0) {
    return Fail(Code::kUnavailable, fmt::format("{}: {}", file, std::strerror(errno)));
  }
  TRY(CheckFormat(files, path));
  return directory;
}

DataDirectory::DataDirectory(DataDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

DataDirectory::~DataDirectory() {
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace millstream::server
