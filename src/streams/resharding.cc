#include "streams/resharding.h"

#include <algorithm>

#include "base/check.h"

namespace millstream::streams {
namespace {

class UniformPlanner {
 public:
  UniformPlanner(uint32_t next_index, uint32_t target) : next_index_(next_index) {
    starts_.reserve(target);
    for (uint32_t i = 0; i < target; ++i) starts_.push_back(UniformRange(i, target).start);
  }

  std::vector<ReshardStep> Plan(std::span<const OpenRange> open) {
    std::vector<OpenRange> pieces;
    for (const OpenRange& shard : open) Cut(shard, pieces);
    for (std::size_t first = 0; first < pieces.size();) {
      std::size_t last = first + 1;
      auto end = std::upper_bound(starts_.begin(), starts_.end(), pieces[first].range.start);
      while (last < pieces.size() && (end == starts_.end() || pieces[last].range.start < *end)) {
        ++last;
      }
      Join(std::span(pieces).subspan(first, last - first));
      first = last;
    }
    return std::move(steps_);
  }

 private:
  // Splits at the middle of the target boundaries inside, so that the depth stays logarithmic: each
  // level of children begins a second later.
  void Cut(const OpenRange& shard, std::vector<OpenRange>& pieces) {
    auto low = std::upper_bound(starts_.begin(), starts_.end(), shard.range.start);
    auto high = std::upper_bound(low, starts_.end(), shard.range.end);
    if (low == high) {
      pieces.push_back(shard);
      return;
    }
    HashKey at = *(low + (high - low) / 2);
    steps_.push_back({ReshardStep::Kind::kSplit, shard.id, {}, at});
    OpenRange lower{{next_index_++}, {shard.range.start, at - 1}};
    OpenRange upper{{next_index_++}, {at, shard.range.end}};
    Cut(lower, pieces);
    Cut(upper, pieces);
  }

  OpenRange Join(std::span<const OpenRange> pieces) {
    if (pieces.size() == 1) return pieces[0];
    OpenRange lower = Join(pieces.first(pieces.size() / 2));
    OpenRange upper = Join(pieces.subspan(pieces.size() / 2));
    steps_.push_back({ReshardStep::Kind::kMerge, lower.id, upper.id, 0});
    return {{next_index_++}, {lower.range.start, upper.range.end}};
  }

  uint32_t next_index_;
  std::vector<HashKey> starts_;
  std::vector<ReshardStep> steps_;
};

ShardFacts& Find(std::vector<ShardFacts>& shards, ShardId id) {
  auto at = std::lower_bound(shards.begin(), shards.end(), id,
                             [](const ShardFacts& facts, ShardId wanted) {
                               return facts.id < wanted;
                             });
  CHECK_MSG(at != shards.end() && at->id == id && at->open(), "a reshard step names an open shard");
  return *at;
}

// Never before the shard's own beginning, which lies in the future for children of this moment.
int64_t Close(ShardFacts& shard, int64_t now_ms) {
  shard.closed_ms = std::max(now_ms, shard.created_s * 1000);
  return *shard.closed_ms / 1000;
}

}  // namespace

std::vector<ReshardStep> PlanUniform(std::span<const OpenRange> open, uint32_t next_index,
                                     uint32_t target) {
  CHECK(target >= 1);
  return UniformPlanner(next_index, target).Plan(open);
}

void ApplySteps(std::span<const ReshardStep> steps, int64_t now_ms,
                std::vector<ShardFacts>& shards, uint32_t& next_index,
                base::Function<log::LogId()> next_log) {
  for (const ReshardStep& step : steps) {
    ShardFacts& shard = Find(shards, step.shard);
    ShardFacts lower;
    lower.parent = shard.id;
    lower.range = shard.range;
    if (step.kind == ReshardStep::Kind::kSplit) {
      CHECK(shard.range.start < step.at && step.at <= shard.range.end);
      lower.created_s = Close(shard, now_ms) + 1;
      lower.range.end = step.at - 1;
      ShardFacts upper = lower;
      upper.range = {step.at, shard.range.end};
      lower.id = {next_index++};
      lower.log = next_log();
      upper.id = {next_index++};
      upper.log = next_log();
      shards.push_back(lower);  // `shard` is no longer valid
      shards.push_back(upper);
    } else {
      ShardFacts& adjacent = Find(shards, step.adjacent);
      CHECK(shard.range.end != kHashKeyMax && shard.range.end + 1 == adjacent.range.start);
      lower.created_s = std::max(Close(shard, now_ms), Close(adjacent, now_ms)) + 1;
      lower.adjacent_parent = adjacent.id;
      lower.range.end = adjacent.range.end;
      lower.id = {next_index++};
      lower.log = next_log();
      shards.push_back(lower);
    }
  }
}

}  // namespace millstream::streams
