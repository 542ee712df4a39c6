#pragma once

#include <atomic>
#include <cstdint>

namespace millstream::base {

// Where time comes from. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Milliseconds since 1970-01-01 UTC. May jump either way; users that need order clamp it.
  virtual int64_t WallMs() const = 0;
  // Nanoseconds since an arbitrary point; never goes back.
  virtual int64_t MonotonicNs() const = 0;
};

class SystemClock final : public Clock {
 public:
  int64_t WallMs() const override;
  int64_t MonotonicNs() const override;
};

// A clock that a test moves by hand.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t wall_ms = 1'700'000'000'000) : wall_ms_(wall_ms) {}
  int64_t WallMs() const override { return wall_ms_.load(); }
  int64_t MonotonicNs() const override { return monotonic_ns_.load(); }

  void Advance(int64_t ms) {
    wall_ms_ += ms;
    monotonic_ns_ += ms * 1'000'000;
  }
  void JumpWall(int64_t ms) { wall_ms_ += ms; }  // as an operator or NTP would

 private:
  std::atomic<int64_t> wall_ms_;
  std::atomic<int64_t> monotonic_ns_{0};
};

}  // namespace millstream::base
