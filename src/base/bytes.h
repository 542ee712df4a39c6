#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace millstream::base {

// One allocation of bytes with a reference count in front. Used through Buffer and Bytes only.
//
// Blocks come from size-class pools (512 bytes to 16 MiB, four classes to a doubling; smaller and
// larger ones from malloc). The pools never give memory back to the system below `pooled_bytes_max`: on the
// machines we measured, first-touch page faults cost more than decoding the bytes
// (docs/internals/memory.md). Pools are process-wide and thread-safe, with a small per-thread front.
struct Block {
  std::atomic<uint32_t> references;
  uint32_t size_class;
  std::size_t capacity;
  char* data() { return reinterpret_cast<char*>(this + 1); }
};

Block* AllocateBlock(std::size_t capacity_min);  // references == 1
void ReleaseBlock(Block* block);                 // drops one reference

// Bytes held by all pools and blocks in use; for /metrics and tests.
struct BlockUsage {
  uint64_t in_use_bytes;
  uint64_t pooled_bytes;
};
BlockUsage CurrentBlockUsage();

// An immutable, shared range of bytes: a view that keeps its memory alive. Copying is one atomic
// increment. Any thread may read; the bytes never change once a Bytes exists.
class Bytes {
 public:
  Bytes() = default;
  static Bytes Copy(std::string_view text);
  // Bytes of static storage duration (templates, literals); owns nothing.
  static Bytes Static(std::string_view text) { return Bytes(nullptr, text.data(), text.size()); }

  Bytes(const Bytes& other) : block_(other.block_), data_(other.data_), size_(other.size_) {
    if (block_ != nullptr) block_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Bytes(Bytes&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Bytes& operator=(Bytes other) noexcept {
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Bytes() {
    if (block_ != nullptr) ReleaseBlock(block_);
  }

  const char* data() const { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data_, size_}; }
  std::span<const std::byte> span() const {
    return {reinterpret_cast<const std::byte*>(data_), size_};
  }

  // A part that shares the memory. Requires offset + size <= this->size().
  Bytes Slice(std::size_t offset, std::size_t size) const;

  // Memory this value keeps alive, which may be more than size(); for cache accounting.
  std::size_t held_bytes() const { return block_ == nullptr ? 0 : block_->capacity; }

 private:
  friend class Buffer;
  Bytes(Block* block, const char* data, std::size_t size)
      : block_(block), data_(data), size_(size) {}

  Block* block_ = nullptr;
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

// A growable byte buffer with one owner, from the same pools. Becomes Bytes without a copy.
// Not thread-safe.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t capacity) { Reserve(capacity); }
  Buffer(Buffer&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(block_, other.block_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Buffer() {
    if (block_ != nullptr) ReleaseBlock(block_);
  }

  char* data() { return block_ == nullptr ? nullptr : block_->data(); }
  const char* data() const { return block_ == nullptr ? nullptr : block_->data(); }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return block_ == nullptr ? 0 : block_->capacity; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data(), size_}; }

  void Reserve(std::size_t capacity);  // keeps the content; grows geometrically
  void Append(std::string_view text);
  void Append(char c) {
    if (size_ == capacity()) Reserve(size_ + 1);
    data()[size_++] = c;
  }
  // Write up to `room` bytes at the returned place, then Commit() what was written.
  char* Room(std::size_t room) {
    if (capacity() - size_ < room) Reserve(size_ + room);
    return data() + size_;
  }
  void Commit(std::size_t written) { size_ += written; }
  void Truncate(std::size_t size) { size_ = size; }
  void Clear() { size_ = 0; }

  // Gives the content away and leaves the buffer empty.
  Bytes Share() &&;

 private:
  Block* block_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace millstream::base
