#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "base/bytes.h"
#include "log/store.h"

namespace millstream::services::kinesis {

// One SubscribeToShardEvent as it goes over the wire: a whole event-stream message.
struct EncodedEvent {
  base::Bytes frame;
  log::Offset next_offset = 0;  // where its reader goes on
  int64_t payload_bytes = 0;    // data and partition keys, for quotas
  int32_t records = 0;
  int64_t last_arrival_s = 0;  // of the last record, for its sequence number
  int64_t millis_behind = 0;
};

// The events encoded last, by shard: all subscribers that stand at the same position share the same
// bytes, so that fan-out to many costs one encoding. Events are forgotten after a second: an old
// one would tell a wrong MillisBehindLatest. Thread-safe; holds at most kShards x kPerShard events.
class SharedEvents {
 public:
  std::optional<EncodedEvent> Find(log::LogId log, log::Offset from, bool cbor, int64_t now_ns);
  void Keep(log::LogId log, log::Offset from, bool cbor, int64_t now_ns, const EncodedEvent& event);

 private:
  static constexpr std::size_t kPerShard = 4;
  static constexpr std::size_t kShards = 256;
  static constexpr int64_t kLifeNs = 1'000'000'000;

  struct Slot {
    log::Offset from = -1;
    bool cbor = false;
    int64_t made_ns = 0;
    EncodedEvent event;
  };
  struct Ring {
    std::array<Slot, kPerShard> slots;
    std::size_t next = 0;
    int64_t used_ns = 0;
  };
  std::mutex mutex_;
  std::unordered_map<uint64_t, Ring> rings_;  // guarded by mutex_
};

}  // namespace millstream::services::kinesis
