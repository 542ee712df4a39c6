#include "base/bytes.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

#include "base/check.h"

namespace millstream::base {
namespace {

constexpr std::size_t kSmallestPooled = 4096;       // bytes including the header
constexpr std::size_t kLargestPooled = 16u << 20;
constexpr uint32_t kSteps = 4;                      // classes per doubling: a quarter is wasted at most
constexpr uint32_t kClasses = 12 * kSteps + 1;
constexpr uint32_t kNotPooled = ~0u;
constexpr uint64_t kPooledBytesMax = 512u << 20;    // idle memory kept for reuse
constexpr std::size_t kThreadBytesMax = 8u << 20;   // of those, per thread
constexpr std::size_t kThreadClassBytesMax = 1u << 20;  // and of one size class, unless it is larger

constexpr std::size_t ClassBytes(uint32_t size_class) {
  return (kSmallestPooled << size_class / kSteps) / kSteps * (kSteps + size_class % kSteps);
}

// The smallest class that holds `bytes`.
constexpr uint32_t ClassOf(std::size_t bytes) {
  if (bytes <= kSmallestPooled) return 0;
  const auto doublings =
      static_cast<uint32_t>(std::bit_width(bytes - 1) - std::bit_width(kSmallestPooled));
  const std::size_t lower = kSmallestPooled << doublings;
  const std::size_t step = lower / kSteps;
  return doublings * kSteps + static_cast<uint32_t>((bytes - lower + step - 1) / step);
}
static_assert(ClassBytes(ClassOf(kLargestPooled)) == kLargestPooled);
static_assert(ClassOf(kLargestPooled) == kClasses - 1);
static_assert(ClassBytes(ClassOf(8193)) == 10240 && ClassBytes(ClassOf(8192)) == 8192);

// Idle blocks that any thread may take, last in first out so that warm memory is used again.
struct SharedPool {
  std::mutex mutex;
  std::vector<Block*> idle[kClasses];
  std::atomic<uint64_t> pooled_bytes{0};
  std::atomic<uint64_t> in_use_bytes{0};
};

SharedPool& Shared() {
  static SharedPool* pool = new SharedPool;  // outlives every thread and static Bytes
  return *pool;
}

// Outlives the ThreadPool of its thread, so that a Bytes released later still finds out.
thread_local bool thread_pool_gone = false;

// Each thread keeps a few blocks to itself; they go to the shared pool when it exits.
struct ThreadPool {
  std::vector<Block*> idle[kClasses];
  std::size_t bytes = 0;
  ~ThreadPool() {
    SharedPool& shared = Shared();
    std::lock_guard lock(shared.mutex);
    for (uint32_t c = 0; c < kClasses; ++c) {
      shared.idle[c].insert(shared.idle[c].end(), idle[c].begin(), idle[c].end());
    }
    thread_pool_gone = true;
  }
};

ThreadPool& Local() {
  thread_local ThreadPool pool;
  return pool;
}

Block* NewBlock(std::size_t bytes, uint32_t size_class) {
  void* memory = std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  Block* block = new (memory) Block;
  block->size_class = size_class;
  block->capacity = bytes - sizeof(Block);
  return block;
}

}  // namespace

Block* AllocateBlock(std::size_t capacity_min) {
  SharedPool& shared = Shared();
  std::size_t bytes = capacity_min + sizeof(Block);
  Block* block = nullptr;
  if (bytes < kSmallestPooled / 2 || bytes > kLargestPooled) {
    block = NewBlock(bytes, kNotPooled);
  } else {
    const uint32_t size_class = ClassOf(bytes);
    const std::size_t rounded = ClassBytes(size_class);
    if (!thread_pool_gone && !Local().idle[size_class].empty()) {
      ThreadPool& local = Local();
      block = local.idle[size_class].back();
      local.idle[size_class].pop_back();
      local.bytes -= rounded;
    } else {
      std::lock_guard lock(shared.mutex);
      auto& idle = shared.idle[size_class];
      if (!idle.empty()) {
        block = idle.back();
        idle.pop_back();
      }
    }
    if (block != nullptr) {
      shared.pooled_bytes.fetch_sub(rounded, std::memory_order_relaxed);
    } else {
      block = NewBlock(rounded, size_class);
    }
  }
  block->references.store(1, std::memory_order_relaxed);
  shared.in_use_bytes.fetch_add(block->capacity, std::memory_order_relaxed);
  return block;
}

void ReleaseBlock(Block* block) {
  if (block->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  SharedPool& shared = Shared();
  shared.in_use_bytes.fetch_sub(block->capacity, std::memory_order_relaxed);
  if (block->size_class == kNotPooled) {
    std::free(block);
    return;
  }
  std::size_t bytes = ClassBytes(block->size_class);
  if (shared.pooled_bytes.load(std::memory_order_relaxed) + bytes > kPooledBytesMax) {
    std::free(block);
    return;
  }
  shared.pooled_bytes.fetch_add(bytes, std::memory_order_relaxed);
  if (!thread_pool_gone) {
    ThreadPool& local = Local();
    auto& mine = local.idle[block->size_class];
    if (local.bytes + bytes <= kThreadBytesMax &&
        (mine.size() + 1) * bytes <= std::max(kThreadClassBytesMax, 2 * bytes)) {
      mine.push_back(block);
      local.bytes += bytes;
      return;
    }
  }
  std::lock_guard lock(shared.mutex);
  shared.idle[block->size_class].push_back(block);
}

BlockUsage CurrentBlockUsage() {
  SharedPool& shared = Shared();
  return {shared.in_use_bytes.load(std::memory_order_relaxed),
          shared.pooled_bytes.load(std::memory_order_relaxed)};
}

Bytes Bytes::Copy(std::string_view text) {
  Buffer buffer;
  buffer.Append(text);
  return std::move(buffer).Share();
}

Bytes Bytes::Slice(std::size_t offset, std::size_t size) const {
  CHECK(offset <= size_ && size <= size_ - offset);
  Bytes part = *this;
  part.data_ += offset;
  part.size_ = size;
  return part;
}

void Buffer::Reserve(std::size_t capacity) {
  if (capacity <= this->capacity()) return;
  Block* grown = AllocateBlock(std::max(capacity, this->capacity() * 2));
  if (size_ > 0) std::memcpy(grown->data(), block_->data(), size_);
  if (block_ != nullptr) ReleaseBlock(block_);
  block_ = grown;
}

void Buffer::Append(std::string_view text) {
  if (text.empty()) return;
  std::memcpy(Room(text.size()), text.data(), text.size());
  size_ += text.size();
}

Bytes Buffer::Share() && {
  Block* block = std::exchange(block_, nullptr);
  std::size_t size = std::exchange(size_, 0);
  return Bytes(block, block == nullptr ? nullptr : block->data(), size);
}

}  // namespace millstream::base
