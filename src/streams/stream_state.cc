#include "streams/stream_state.h"

#include <algorithm>

#include "base/check.h"

namespace millstream::streams {

Shard& StreamState::RouteOf(HashKey key) const {
  auto after = std::upper_bound(
      routes.begin(), routes.end(), key,
      [](HashKey wanted, const Route& route) { return wanted < route.start; });
  CHECK_MSG(after != routes.begin(), "open shards cover the key space");
  return *(after - 1)->shard;
}

const ShardEntry* StreamState::FindShard(ShardId id) const {
  auto at = std::lower_bound(
      shards.begin(), shards.end(), id,
      [](const ShardEntry& entry, ShardId wanted) { return entry.facts.id < wanted; });
  return at != shards.end() && at->facts.id == id ? &*at : nullptr;
}

const Consumer* StreamState::FindConsumer(std::string_view name) const {
  for (const Consumer& consumer : consumers) {
    if (consumer.name == name) return &consumer;
  }
  return nullptr;
}

void StreamState::Index() {
  routes.clear();
  for (ShardEntry& entry : shards) {
    entry.children.clear();
    if (entry.facts.open()) routes.push_back({entry.facts.range.start, entry.shard.get()});
  }
  std::sort(routes.begin(), routes.end(),
            [](const Route& a, const Route& b) { return a.start < b.start; });
  auto adopt = [this](const std::optional<ShardId>& parent, ShardId child) {
    if (!parent) return;
    if (const ShardEntry* entry = FindShard(*parent)) {
      const_cast<ShardEntry*>(entry)->children.push_back(child);
    }
  };
  for (const ShardEntry& entry : shards) {
    adopt(entry.facts.parent, entry.facts.id);
    adopt(entry.facts.adjacent_parent, entry.facts.id);
  }
  // Invariant: open shards partition the key space.
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const HashKeyRange& range = routes[i].shard->range();
    CHECK(i > 0 || range.start == 0);
    CHECK(i + 1 < routes.size() ? range.end + 1 == routes[i + 1].start
                                : range.end == kHashKeyMax);
  }
}

}  // namespace millstream::streams
