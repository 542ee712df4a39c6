#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string_view>
#include <utility>

#include "base/huge_pages.h"

namespace millstream::log {

// Memory that direct I/O accepts: aligned to 4 KiB; large ones are of huge pages where the system has
// some, so that a write is few pieces for the device. Grows, never shrinks; content is lost when it
// grows. Not thread-safe.
class AlignedBuffer {
 public:
  static constexpr std::size_t kAlignment = 4096;

  AlignedBuffer() = default;
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  ~AlignedBuffer() { std::free(data_); }

  char* data() { return data_; }
  std::size_t capacity() const { return capacity_; }
  std::string_view view(std::size_t size) const { return {data_, size}; }

  void Require(std::size_t capacity) {
    if (capacity <= capacity_) return;
    std::free(std::exchange(data_, nullptr));
    if (capacity >= base::kHugePageBytes / 4) {
      capacity = base::WholeHugePages(capacity);
      data_ = base::AllocateHugePages(capacity);
    } else {
      capacity = (capacity + kAlignment - 1) / kAlignment * kAlignment;
      data_ = static_cast<char*>(std::aligned_alloc(kAlignment, capacity));
      if (data_ == nullptr) throw std::bad_alloc();
    }
    capacity_ = capacity;
  }

 private:
  char* data_ = nullptr;
  std::size_t capacity_ = 0;
};

inline constexpr uint64_t AlignUp(uint64_t value) {
  return (value + AlignedBuffer::kAlignment - 1) & ~uint64_t{AlignedBuffer::kAlignment - 1};
}

}  // namespace millstream::log
