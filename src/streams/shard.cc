#include "streams/shard.h"

#include "base/check.h"

namespace millstream::streams {

SequenceNumber ShardFacts::EndingSequenceNumber() const {
  CHECK(closed_ms.has_value());
  return {created_s, SequenceNumber::kEndIndex, *closed_ms / 1000, id.index};
}

Shard::Shard(const ShardFacts& facts, const Limits& limits)
    : id_(facts.id),
      range_(facts.range),
      created_s_(facts.created_s),
      log_(facts.log),
      quotas_enforced_(limits.enforced),
      closed_(!facts.open()),
      write_quota_(limits),
      read_quota_(limits) {}

bool Shard::TryBeginRead(int64_t now_ns) {
  if (!quotas_enforced_) return true;
  std::lock_guard lock(mutex_);
  if (read_quota_.TryBegin(now_ns)) return true;
  metrics_.read_throttled.Add();
  return false;
}

void Shard::ChargeRead(int64_t bytes, int64_t now_ns) {
  if (!quotas_enforced_) return;
  std::lock_guard lock(mutex_);
  read_quota_.Charge(bytes, now_ns);
}

bool Shard::closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

uint64_t Shard::OnClosing(std::shared_ptr<base::Function<void()>> closing) {
  std::lock_guard lock(mutex_);
  if (closed_) return 0;
  closing_waiters_.emplace_back(next_waiter_, std::move(closing));
  return next_waiter_++;
}

void Shard::ForgetClosing(uint64_t waiter) {
  std::lock_guard lock(mutex_);
  std::erase_if(closing_waiters_, [waiter](const auto& entry) { return entry.first == waiter; });
}

}  // namespace millstream::streams
