#include "services/kinesis/shared_events.h"

namespace millstream::services::kinesis {

std::optional<EncodedEvent> SharedEvents::Find(log::LogId log, log::Offset from, bool cbor,
                                               int64_t now_ns) {
  std::lock_guard lock(mutex_);
  auto ring = rings_.find(log.value);
  if (ring == rings_.end()) return std::nullopt;
  for (const Slot& slot : ring->second.slots) {
    if (slot.from == from && slot.cbor == cbor && now_ns - slot.made_ns < kLifeNs) {
      ring->second.used_ns = now_ns;
      return slot.event;
    }
  }
  return std::nullopt;
}

void SharedEvents::Keep(log::LogId log, log::Offset from, bool cbor, int64_t now_ns,
                        const EncodedEvent& event) {
  std::lock_guard lock(mutex_);
  if (rings_.size() >= kShards && !rings_.contains(log.value)) {
    std::erase_if(rings_, [&](const auto& ring) { return now_ns - ring.second.used_ns > kLifeNs; });
    if (rings_.size() >= kShards) return;  // that many busy shards: encode for each
  }
  Ring& ring = rings_[log.value];
  ring.used_ns = now_ns;
  ring.slots[ring.next] = {from, cbor, now_ns, event};
  ring.next = (ring.next + 1) % kPerShard;
}

}  // namespace millstream::services::kinesis
