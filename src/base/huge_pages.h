#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>

namespace millstream::base {

// Large memory that is moved in bulk, or used at random, misses less in the address cache when it
// lies on huge pages, and a write from it is fewer pieces for the device.
inline constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

constexpr std::size_t WholeHugePages(std::size_t bytes) {
  return (bytes + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
}

// A wish: where the system refuses, small pages do too.
inline void WishHugePages(void* memory, std::size_t bytes) {
  (void)::madvise(memory, bytes, MADV_HUGEPAGE);
}

// `bytes` of whole huge pages; std::free gives them back.
inline char* AllocateHugePages(std::size_t bytes) {
  void* memory = std::aligned_alloc(kHugePageBytes, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  WishHugePages(memory, bytes);
  return static_cast<char*>(memory);
}

}  // namespace millstream::base
