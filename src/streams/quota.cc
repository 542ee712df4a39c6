#include "streams/quota.h"

namespace millstream::streams {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kLargeRecordBytes = 1 << 20;

}  // namespace

int64_t TokenBucket::Level(int64_t now_ns) {
  if (!started_) {
    started_ = true;
    refilled_ns_ = now_ns;
    return level_;
  }
  int64_t elapsed = now_ns - refilled_ns_;
  if (elapsed <= 0 || per_second_ <= 0) return level_;
  // Time to fill up bounds the multiplication below.
  int64_t missing = capacity_ - level_;
  if (missing <= 0 || elapsed / kSecondNs > missing / per_second_ + 1) {
    level_ = std::max(level_, capacity_);
    refilled_ns_ = now_ns;
    return level_;
  }
  __extension__ using Wide = __int128;
  auto gained = static_cast<int64_t>(static_cast<Wide>(elapsed) * per_second_ / kSecondNs);
  if (gained == 0) return level_;  // keep the fraction of a token for later
  level_ = std::min(capacity_, level_ + gained);
  // Advance by the time of whole tokens only, so that frequent callers lose none.
  refilled_ns_ += static_cast<int64_t>(static_cast<Wide>(gained) * kSecondNs / per_second_);
  return level_;
}

bool TokenBucket::TryTake(int64_t amount, int64_t now_ns) {
  if (Level(now_ns) < amount) return false;
  level_ -= amount;
  return true;
}

void TokenBucket::Take(int64_t amount, int64_t now_ns) {
  Level(now_ns);
  level_ -= amount;
}

void TokenBucket::SetLevel(int64_t level, int64_t now_ns) {
  Level(now_ns);
  level_ = level;
}

WriteQuota::WriteQuota(const Limits& limits)
    : bytes_(limits.write_bytes_per_s, limits.write_bytes_per_s),
      records_(limits.write_records_per_s, limits.write_records_per_s),
      burst_(limits.write_bytes_per_s, limits.write_burst_bytes) {}

bool WriteQuota::TryTake(int64_t bytes, int64_t now_ns) {
  if (records_.Level(now_ns) < 1) return false;
  if (bytes > kLargeRecordBytes) {
    if (!burst_.TryTake(bytes, now_ns)) return false;
  } else {
    if (!bytes_.TryTake(bytes, now_ns)) return false;
    // Ordinary traffic and large records share one average, but ordinary traffic never waits for
    // the burst to refill.
    burst_.SetLevel(std::max<int64_t>(0, burst_.Level(now_ns) - bytes), now_ns);
  }
  return records_.TryTake(1, now_ns);
}

ReadQuota::ReadQuota(const Limits& limits)
    : bytes_per_s_(limits.read_bytes_per_s),
      bytes_(limits.read_bytes_per_s, limits.read_bytes_per_s),
      calls_(limits.read_calls_per_s, limits.read_calls_per_s) {}

bool ReadQuota::TryBegin(int64_t now_ns) {
  if (bytes_.Level(now_ns) <= 0) return false;
  return calls_.TryTake(1, now_ns);
}

void ReadQuota::Charge(int64_t bytes, int64_t now_ns) {
  if (bytes > bytes_per_s_) {
    bytes_.SetLevel(-bytes, now_ns);
  } else {
    bytes_.Take(bytes, now_ns);
  }
}

}  // namespace millstream::streams
