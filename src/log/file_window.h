#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/file_system.h"
#include "log/aligned_buffer.h"

namespace millstream::log {

// Shows parts of a file one after another, reading ahead in large steps. Not thread-safe.
class FileWindow {
 public:
  static constexpr std::size_t kStep = 4u << 20;

  FileWindow(base::File& file, uint64_t file_bytes) : file_(file), file_bytes_(file_bytes) {}

  // Bytes [at, at + size), or fewer at the file's end; valid until the next call.
  base::Result<std::string_view> Show(uint64_t at, std::size_t size) {
    if (at >= file_bytes_) return std::string_view();
    size = static_cast<std::size_t>(std::min<uint64_t>(size, file_bytes_ - at));
    if (at < start_ || at + size > start_ + filled_) {
      const auto want =
          static_cast<std::size_t>(std::min<uint64_t>(std::max(size, kStep), file_bytes_ - at));
      buffer_.Require(want);
      filled_ = 0;
      ASSIGN_OR_RETURN(filled_, file_.ReadAt(at, buffer_.data(), want));
      start_ = at;
      bytes_read_ += filled_;
    }
    const std::size_t skip = static_cast<std::size_t>(at - start_);
    return buffer_.view(filled_).substr(std::min(skip, filled_), size);
  }
  uint64_t bytes_read() const { return bytes_read_; }

 private:
  base::File& file_;
  const uint64_t file_bytes_;
  AlignedBuffer buffer_;
  uint64_t start_ = 0;
  std::size_t filled_ = 0;
  uint64_t bytes_read_ = 0;
};

}  // namespace millstream::log
