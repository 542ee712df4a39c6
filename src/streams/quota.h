#pragma once

#include <algorithm>
#include <cstdint>

#include "streams/limits.h"

namespace millstream::streams {

// A quantity that refills with time. Not thread-safe: it lives beside the mutex of what it guards.
// A taker may leave it below zero (debt), which later takers wait out.
class TokenBucket {
 public:
  TokenBucket(int64_t per_second, int64_t capacity)
      : per_second_(per_second), capacity_(capacity), level_(capacity) {}

  // Tokens at hand at this moment (monotonic), never above the capacity.
  int64_t Level(int64_t now_ns);
  bool TryTake(int64_t amount, int64_t now_ns);
  void Take(int64_t amount, int64_t now_ns);      // may go into debt
  void SetLevel(int64_t level, int64_t now_ns);

 private:
  int64_t per_second_;
  int64_t capacity_;
  int64_t level_;
  int64_t refilled_ns_ = 0;
  bool started_ = false;
};

// What one shard may take in.
class WriteQuota {
 public:
  explicit WriteQuota(const Limits& limits);
  // Takes the quota of one record, or nothing and returns false. `large` records (above 1 MiB) live
  // on the burst bucket.
  bool TryTake(int64_t bytes, int64_t now_ns);

 private:
  TokenBucket bytes_;
  TokenBucket records_;
  TokenBucket burst_;
};

// What one shard may give out to GetRecords.
class ReadQuota {
 public:
  explicit ReadQuota(const Limits& limits);
  // One call, if the calls and bytes of the moment allow one.
  bool TryBegin(int64_t now_ns);
  // What the page held. A page above one second's worth is paid in full from zero, so that 10 MiB
  // make the next five seconds of calls wait (botocore's documentation of GetRecords).
  void Charge(int64_t bytes, int64_t now_ns);

 private:
  int64_t bytes_per_s_;
  TokenBucket bytes_;
  TokenBucket calls_;
};

}  // namespace millstream::streams
