#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_set>
#include <utility>

namespace millstream::services::kinesis {

// Bounds the memory of GetRecords pages that are being read, or wait for a reader to take them: a
// reader that asks and does not read keeps a page until it is disconnected. As memory gets short
// pages get smaller, so that many slow readers leave something for the others. When there is none
// left, a connection still has one page of kLastPageBytes at a time: who takes his pages is always
// served, and a connection that pipelines and does not read is refused. Thread-safe.
class PageBudget : public std::enable_shared_from_this<PageBudget> {
 public:
  static constexpr int64_t kLastPageBytes = 64 << 10;

  // One page's part, given back when it goes.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept
        : owner_(std::move(other.owner_)),
          bytes_(std::exchange(other.bytes_, 0)),
          last_of_(std::exchange(other.last_of_, 0)) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(bytes_, other.bytes_);
      std::swap(last_of_, other.last_of_);
      return *this;
    }
    ~Share() {
      if (owner_ == nullptr) return;
      owner_->held_.fetch_sub(bytes_, std::memory_order_relaxed);
      if (last_of_ != 0) owner_->EndLastPage(last_of_);
    }

    int64_t bytes() const { return bytes_; }
    // Now that the page is known. False when it is larger than what was taken and memory is full;
    // a last page may be larger: a record is not cut.
    bool Resize(int64_t bytes) {
      const int64_t more = bytes - bytes_;
      bytes_ = bytes;
      const int64_t held = owner_->held_.fetch_add(more, std::memory_order_relaxed) + more;
      return more <= 0 || held <= owner_->bytes_max_ || last_of_ != 0;
    }

   private:
    friend class PageBudget;
    Share(std::shared_ptr<PageBudget> owner, int64_t bytes, uint64_t last_of)
        : owner_(std::move(owner)), bytes_(bytes), last_of_(last_of) {}

    std::shared_ptr<PageBudget> owner_;
    int64_t bytes_ = 0;
    uint64_t last_of_ = 0;  // the connection whose last page it is
  };

  explicit PageBudget(int64_t bytes_max) : bytes_max_(bytes_max) {}

  // Takes what a page may be: `wanted`, but no more than a 64th of what is free. When that would be
  // less than is worth a page: the last page of `connection` (0: none), or nullopt when it is out.
  std::optional<Share> Take(int64_t wanted, uint64_t connection) {
    const int64_t free = bytes_max_ - held_.load(std::memory_order_relaxed);
    uint64_t last_of = 0;
    if (free < kLastPageBytes) {
      if (!BeginLastPage(connection)) return std::nullopt;
      last_of = connection;
    }
    const int64_t bytes = std::min(wanted, std::max(free / kParts, kLastPageBytes));
    held_.fetch_add(bytes, std::memory_order_relaxed);
    return Share(shared_from_this(), bytes, last_of);
  }

  int64_t held() const { return held_.load(std::memory_order_relaxed); }

 private:
  static constexpr int64_t kParts = 64;

  bool BeginLastPage(uint64_t connection) {
    std::lock_guard lock(mutex_);
    return connection != 0 && last_pages_.insert(connection).second;
  }
  void EndLastPage(uint64_t connection) {
    std::lock_guard lock(mutex_);
    last_pages_.erase(connection);
  }

  const int64_t bytes_max_;
  std::atomic<int64_t> held_{0};
  std::mutex mutex_;
  std::unordered_set<uint64_t> last_pages_;  // connections; guarded by mutex_
};

}  // namespace millstream::services::kinesis
