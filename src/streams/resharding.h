#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/function.h"
#include "log/store.h"
#include "streams/shard.h"

namespace millstream::streams {

// One split or merge. A plan is a list of them; later steps may name shards that earlier ones made,
// since new shards are numbered in order.
struct ReshardStep {
  enum class Kind : uint8_t { kSplit, kMerge };
  Kind kind = Kind::kSplit;
  ShardId shard;
  ShardId adjacent;  // kMerge: the upper neighbour
  HashKey at = 0;    // kSplit: where the upper child begins
  friend bool operator==(const ReshardStep&, const ReshardStep&) = default;
};

// An open shard as a plan sees it.
struct OpenRange {
  ShardId id;
  HashKeyRange range;
};

// Steps that turn the open shards (sorted by range, partitioning the key space) into `target` equal
// ones: every shard is split where a target boundary crosses it, then the pieces of each target are
// merged. Doubling needs one split per shard, halving one merge per pair; other targets leave
// short-lived shards behind, as on AWS.
std::vector<ReshardStep> PlanUniform(std::span<const OpenRange> open, uint32_t next_index,
                                     uint32_t target);

// Closes the parents and appends the children. Children begin one second after their parents' end.
// A step that does not fit the shards is a bug of the planner.
void ApplySteps(std::span<const ReshardStep> steps, int64_t now_ms, std::vector<ShardFacts>& shards,
                uint32_t& next_index, base::Function<log::LogId()> next_log);

}  // namespace millstream::streams
