#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "analytics/checkpoint.h"
#include "base/clock.h"
#include "base/result.h"
#include "streams/registry.h"
#include "streams/stream.h"

namespace millstream::analytics {

// Writes results to one stream, in the order they were added to each shard, one put at a time, and
// again whatever was refused: throttled shards and missing streams are tried for ever. Each record
// carries its origin. What waits is bounded by whoever adds (pending_bytes()).
//
// Of one Task. `wake` is called from any thread when Pump() has something to do.
class StreamWriter {
 public:
  StreamWriter(streams::StreamRegistry& registry, base::Clock& clock, streams::StreamKey key,
               uint64_t run, std::function<void()> wake);
  StreamWriter(const StreamWriter&) = delete;

  void Add(uint64_t step, std::string data);
  // Takes in what came back and puts what waits. Returns the monotonic time at which it wants to be
  // called again, or INT64_MAX.
  int64_t Pump();

  // Everything added is acknowledged.
  bool idle() const { return waiting_.empty() && in_flight_.empty(); }
  std::size_t pending_bytes() const { return pending_bytes_; }
  // What is not acknowledged; some of it may be in the stream all the same.
  void AppendPending(const std::string& output_id, std::vector<PendingRecord>& to) const;

  const streams::StreamKey& key() const { return key_; }
  uint64_t written() const { return written_; }
  uint64_t refused() const { return refused_; }

 private:
  struct Item {
    uint64_t step;
    std::string data;
  };
  // One put under way; shared with the thread that acknowledges.
  struct Flight {
    std::mutex mutex;
    std::optional<base::Result<std::unique_ptr<streams::PutOutcome>>> outcome;  // guarded by mutex
  };
  void TakeOutcome();
  void Put();

  streams::StreamRegistry& registry_;
  base::Clock& clock_;
  const streams::StreamKey key_;
  const uint64_t run_;
  const std::function<void()> wake_;
  std::deque<Item> waiting_;
  std::vector<Item> in_flight_;
  std::shared_ptr<Flight> flight_;
  std::size_t pending_bytes_ = 0;
  uint64_t keys_ = 0;
  int64_t retry_at_ns_ = 0;
  int64_t retry_ns_ = 0;
  int64_t warned_at_ns_ = INT64_MIN;
  uint64_t written_ = 0;
  uint64_t refused_ = 0;
};

}  // namespace millstream::analytics
