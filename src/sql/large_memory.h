#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "base/huge_pages.h"

namespace millstream::sql {

// Memory of tables: zero bytes. From 2 MiB on it lies on huge pages where the system has them, so
// that random access does not miss in the address cache and fresh tables cost few page faults.
class LargeMemory {
 public:
  static constexpr std::size_t kHuge = base::kHugePageBytes;

  LargeMemory() = default;
  explicit LargeMemory(std::size_t size) : size_(size) {
    if (size < kHuge) {
      data_ = static_cast<char*>(std::calloc(size, 1));
      if (data_ == nullptr) throw std::bad_alloc();
      return;
    }
    size_ = base::WholeHugePages(size);
    void* mapped =
        mmap(nullptr, size_ + kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    char* from = static_cast<char*>(mapped);
    data_ = reinterpret_cast<char*>((reinterpret_cast<std::uintptr_t>(from) + kHuge - 1) / kHuge *
                                    kHuge);
    if (data_ > from) munmap(from, static_cast<std::size_t>(data_ - from));
    std::size_t behind = static_cast<std::size_t>(from + kHuge - data_);
    if (behind > 0) munmap(data_ + size_, behind);
    base::WishHugePages(data_, size_);
  }
  ~LargeMemory() { Free(); }
  LargeMemory(LargeMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  LargeMemory& operator=(LargeMemory&& other) noexcept {
    if (this != &other) {
      Free();
      data_ = std::exchange(other.data_, nullptr);
      size_ = std::exchange(other.size_, 0);
    }
    return *this;
  }

  char* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  void Free() {
    if (data_ == nullptr) return;
    if (size_ < kHuge) {
      std::free(data_);
    } else {
      munmap(data_, size_);
    }
  }

  char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace millstream::sql
