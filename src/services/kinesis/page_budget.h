#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace millstream::services::kinesis {

// Bounds the memory of GetRecords pages that are being read, or wait for a reader to take them: a
// reader that asks and does not read keeps a page until it is disconnected. As memory gets short
// pages get smaller, so that many slow readers leave something for the others. Thread-safe.
class PageBudget : public std::enable_shared_from_this<PageBudget> {
 public:
  // One page's part, given back when it goes.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept
        : owner_(std::move(other.owner_)), bytes_(std::exchange(other.bytes_, 0)) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Share() {
      if (owner_ != nullptr) owner_->held_.fetch_sub(bytes_, std::memory_order_relaxed);
    }

    int64_t bytes() const { return bytes_; }
    // Now that the page is known. False when it is larger than what was taken and memory is full.
    bool Resize(int64_t bytes) {
      const int64_t more = bytes - bytes_;
      bytes_ = bytes;
      const int64_t held = owner_->held_.fetch_add(more, std::memory_order_relaxed) + more;
      return more <= 0 || held <= owner_->bytes_max_;
    }

   private:
    friend class PageBudget;
    Share(std::shared_ptr<PageBudget> owner, int64_t bytes)
        : owner_(std::move(owner)), bytes_(bytes) {}

    std::shared_ptr<PageBudget> owner_;
    int64_t bytes_ = 0;
  };

  explicit PageBudget(int64_t bytes_max) : bytes_max_(bytes_max) {}

  // Takes what a page may be: `wanted`, but no more than a 64th of what is free; nullopt when that
  // would be less than is worth a page.
  std::optional<Share> Take(int64_t wanted) {
    const int64_t free = bytes_max_ - held_.load(std::memory_order_relaxed);
    if (free < kPageBytesMin) return std::nullopt;
    const int64_t bytes = std::min(wanted, std::max(free / kParts, kPageBytesMin));
    held_.fetch_add(bytes, std::memory_order_relaxed);
    return Share(shared_from_this(), bytes);
  }

  int64_t held() const { return held_.load(std::memory_order_relaxed); }

 private:
  static constexpr int64_t kParts = 64;
  static constexpr int64_t kPageBytesMin = 64 << 10;

  const int64_t bytes_max_;
  std::atomic<int64_t> held_{0};
};

}  // namespace millstream::services::kinesis
