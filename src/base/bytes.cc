#include "base/bytes.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

#include "base/check.h"
#include "base/huge_pages.h"

namespace millstream::base {
namespace {

// The address sanitizer sees the end of a block, and its release, only when it is malloc's own.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kPools = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool kPools = false;
#else
constexpr bool kPools = true;
#endif
#else
constexpr bool kPools = true;
#endif

constexpr std::size_t kSmallestPooled = 512;  // bytes including the header
constexpr std::size_t kLargestPooled = 16u << 20;
constexpr uint32_t kSteps = 4;  // classes per doubling: a quarter is wasted at most
constexpr uint32_t kClasses = 15 * kSteps + 1;
constexpr uint32_t kNotPooled = ~0u;
constexpr uint64_t kPooledBytesMax = 128u << 20;        // idle memory kept for reuse
constexpr std::size_t kThreadBytesMax = 8u << 20;       // of those, per thread
constexpr std::size_t kThreadClassBytesMax = 1u << 20;  // and of one size class, unless it is larger
constexpr std::size_t kMovedBytes = 64u << 10;          // between a thread and the shared pool at once
// Blocks up to kCarvedMax are cut from slabs, and stay with their class for good.
constexpr std::size_t kCarvedMax = 8u << 10;
constexpr std::size_t kSlabBytes = 256u << 10;
// So are larger ones, from huge pages, which halve what reading and copying bodies and batches
// misses in the address cache; up to so many bytes, beyond which they are malloc's.
constexpr std::size_t kHugeCarvedMin = 64u << 10;
constexpr std::size_t kHugeCarvedMax = 2u << 20;
constexpr std::size_t kHugeBytesMax = 64u << 20;
constexpr uint32_t kCarvedBit = 1u << 31;  // of Block::size_class: never given back to malloc

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

constexpr std::size_t MovedBlocks(uint32_t size_class) {
  return std::max<std::size_t>(1, kMovedBytes / ClassBytes(size_class));
}

// Idle blocks that any thread may take, last in first out so that warm memory is used again.
struct SharedPool {
  std::mutex mutex;
  std::vector<Block*> idle[kClasses];  // guarded by mutex
  std::atomic<uint64_t> pooled_bytes{0};
  std::atomic<uint64_t> in_use_bytes{0};
  std::atomic<uint64_t> huge_bytes{0};
};

SharedPool& Shared() {
  static SharedPool* pool = new SharedPool;  // outlives every thread and static Bytes
  return *pool;
}

// Outlives the ThreadPool of its thread, so that a Bytes released later still finds out.
thread_local bool thread_pool_gone = false;

// Moves up to `count` blocks, last in first.
void Move(std::vector<Block*>& from, std::vector<Block*>& to, std::size_t count) {
  count = std::min(count, from.size());
  to.insert(to.end(), from.end() - static_cast<ptrdiff_t>(count), from.end());
  from.resize(from.size() - count);
}

// Each thread keeps a few blocks to itself; they go to the shared pool when it exits.
struct ThreadPool {
  std::vector<Block*> idle[kClasses];
  std::size_t bytes = 0;
  ~ThreadPool() {
    SharedPool& shared = Shared();
    std::lock_guard lock(shared.mutex);
    for (uint32_t c = 0; c < kClasses; ++c) Move(idle[c], shared.idle[c], idle[c].size());
    thread_pool_gone = true;
  }
};

ThreadPool& Local() {
  thread_local ThreadPool pool;
  return pool;
}

Block* MakeBlock(void* memory, std::size_t bytes, uint32_t size_class) {
  Block* block = new (memory) Block;
  block->size_class = size_class;
  block->capacity = bytes - sizeof(Block);
  return block;
}

Block* NewBlock(std::size_t bytes, uint32_t size_class) {
  void* memory = std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return MakeBlock(memory, bytes, size_class);
}

// Cuts a slab into blocks; one is returned, the others go to the thread. They count as pooled.
Block* CarveSlab(uint32_t size_class, ThreadPool& local, SharedPool& shared) {
  const std::size_t bytes = ClassBytes(size_class);
  const std::size_t count = kSlabBytes / bytes;
  char* slab = static_cast<char*>(std::malloc(count * bytes));
  if (slab == nullptr) throw std::bad_alloc();
  for (std::size_t i = 1; i < count; ++i) {
    local.idle[size_class].push_back(MakeBlock(slab + i * bytes, bytes, size_class));
  }
  local.bytes += (count - 1) * bytes;
  shared.pooled_bytes.fetch_add((count - 1) * bytes, std::memory_order_relaxed);
  return MakeBlock(slab, bytes, size_class);
}

// The size of a slab of whole huge pages that wastes least.
constexpr std::size_t HugeSlabBytes(std::size_t block_bytes) {
  std::size_t best = 0, best_waste = 100;
  for (std::size_t slab = kHugePageBytes; slab <= 4 * kHugePageBytes; slab += kHugePageBytes) {
    const std::size_t waste = slab < block_bytes ? 100 : slab % block_bytes * 100 / slab;
    if (waste < best_waste) best = slab, best_waste = waste;
  }
  return best;
}

// The same from huge pages; nullptr when there are enough.
Block* CarveHugeSlab(uint32_t size_class, SharedPool& shared) {
  const std::size_t bytes = ClassBytes(size_class);
  const std::size_t slab_bytes = HugeSlabBytes(bytes);
  if (shared.huge_bytes.fetch_add(slab_bytes, std::memory_order_relaxed) + slab_bytes >
      kHugeBytesMax) {
    shared.huge_bytes.fetch_sub(slab_bytes, std::memory_order_relaxed);
    return nullptr;
  }
  char* slab = AllocateHugePages(slab_bytes);
  const std::size_t count = slab_bytes / bytes;
  {
    std::lock_guard lock(shared.mutex);  // a thread keeps few that are so large, the warm ones
    for (std::size_t i = 1; i < count; ++i) {
      shared.idle[size_class].push_back(
          MakeBlock(slab + i * bytes, bytes, size_class | kCarvedBit));
    }
  }
  shared.pooled_bytes.fetch_add((count - 1) * bytes, std::memory_order_relaxed);
  return MakeBlock(slab, bytes, size_class | kCarvedBit);
}

// An idle block of the class, or nullptr.
Block* TakeIdle(uint32_t size_class, SharedPool& shared) {
  const std::size_t bytes = ClassBytes(size_class);
  Block* block = nullptr;
  if (thread_pool_gone) {
    std::lock_guard lock(shared.mutex);
    auto& idle = shared.idle[size_class];
    if (idle.empty()) return nullptr;
    block = idle.back();
    idle.pop_back();
  } else {
    ThreadPool& local = Local();
    auto& mine = local.idle[size_class];
    if (mine.empty()) {
      {
        std::lock_guard lock(shared.mutex);
        Move(shared.idle[size_class], mine, MovedBlocks(size_class));
      }
      local.bytes += mine.size() * bytes;
    }
    if (mine.empty()) return nullptr;
    block = mine.back();
    mine.pop_back();
    local.bytes -= bytes;
  }
  shared.pooled_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  return block;
}

}  // namespace

Block* AllocateBlock(std::size_t capacity_min) {
  SharedPool& shared = Shared();
  const std::size_t bytes = capacity_min + sizeof(Block);
  Block* block = nullptr;
  if (!kPools || bytes < kSmallestPooled / 2 || bytes > kLargestPooled) {
    block = NewBlock(bytes, kNotPooled);
  } else {
    const uint32_t size_class = ClassOf(bytes);
    block = TakeIdle(size_class, shared);
    if (block == nullptr && ClassBytes(size_class) <= kCarvedMax && !thread_pool_gone) {
      block = CarveSlab(size_class, Local(), shared);
    }
    if (block == nullptr && ClassBytes(size_class) >= kHugeCarvedMin &&
        ClassBytes(size_class) <= kHugeCarvedMax) {
      block = CarveHugeSlab(size_class, shared);
    }
    if (block == nullptr) {
      block = NewBlock(ClassBytes(size_class), size_class);
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
  const uint32_t size_class = block->size_class & ~kCarvedBit;
  const std::size_t bytes = ClassBytes(size_class);
  if (bytes > kCarvedMax && (block->size_class & kCarvedBit) == 0 &&
      shared.pooled_bytes.load(std::memory_order_relaxed) + bytes > kPooledBytesMax) {
    std::free(block);
    return;
  }
  shared.pooled_bytes.fetch_add(bytes, std::memory_order_relaxed);
  if (thread_pool_gone) {
    std::lock_guard lock(shared.mutex);
    shared.idle[size_class].push_back(block);
    return;
  }
  ThreadPool& local = Local();
  auto& mine = local.idle[size_class];
  mine.push_back(block);
  local.bytes += bytes;
  if (local.bytes <= kThreadBytesMax &&
      mine.size() * bytes <= std::max(kThreadClassBytesMax, 2 * bytes)) {
    return;
  }
  // A thread that releases more than it takes (the log's writer does) hands them on in bulk.
  const std::size_t moved = std::min(mine.size(), MovedBlocks(size_class));
  {
    std::lock_guard lock(shared.mutex);
    Move(mine, shared.idle[size_class], moved);
  }
  local.bytes -= moved * bytes;
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
