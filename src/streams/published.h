#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

namespace millstream::streams {

// An immutable value that many threads read and few replace. Readers take no lock unless the value
// changed since the thread last looked: each thread keeps the pointers of what it read lately.
//
// (std::atomic<std::shared_ptr> of GCC 12 is a spin lock that ThreadSanitizer cannot follow.)
template <typename T>
class Published {
 public:
  explicit Published(std::shared_ptr<const T> value) : value_(std::move(value)), id_(NextId()) {}
  Published(const Published&) = delete;

  std::shared_ptr<const T> Load() const {
    Slot& slot = Slots()[id_ % kSlots];
    uint64_t version = version_.load(std::memory_order_acquire);
    if (slot.id == id_ && slot.version == version) {
      if (auto value = slot.value.lock()) return value;
    }
    std::lock_guard lock(mutex_);
    slot.id = id_;
    slot.version = version_.load(std::memory_order_relaxed);
    slot.value = value_;
    return value_;
  }

  void Store(std::shared_ptr<const T> value) {
    std::shared_ptr<const T> old;  // destroyed outside the lock
    std::lock_guard lock(mutex_);
    old = std::move(value_);
    value_ = std::move(value);
    version_.fetch_add(1, std::memory_order_release);
  }

 private:
  static constexpr std::size_t kSlots = 64;
  struct Slot {
    uint64_t id = 0;
    uint64_t version = 0;
    std::weak_ptr<const T> value;  // weak: a thread that stops reading keeps nothing alive
  };
  static std::array<Slot, kSlots>& Slots() {
    thread_local std::array<Slot, kSlots> slots;
    return slots;
  }
  static uint64_t NextId() {
    static std::atomic<uint64_t> next{1};
    return next.fetch_add(1, std::memory_order_relaxed);
  }

  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;  // guarded by mutex_
  std::atomic<uint64_t> version_{0};
  const uint64_t id_;
};

}  // namespace millstream::streams
