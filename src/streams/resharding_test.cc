#include "streams/resharding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace millstream::streams {
namespace {

constexpr int64_t kNowMs = 1'700'000'000'000;

struct World {
  std::vector<ShardFacts> shards;
  uint32_t next_index = 0;
  uint64_t next_log = 1;
  int64_t now_ms = kNowMs;

  explicit World(uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
      ShardFacts facts;
      facts.id = {next_index++};
      facts.range = UniformRange(i, count);
      facts.created_s = kNowMs / 1000 - 100;
      facts.log = {next_log++};
      shards.push_back(facts);
    }
  }
  std::vector<OpenRange> Open() const {
    std::vector<OpenRange> open;
    for (const ShardFacts& facts : shards) {
      if (facts.open()) open.push_back({facts.id, facts.range});
    }
    std::sort(open.begin(), open.end(), [](const OpenRange& a, const OpenRange& b) {
      return a.range.start < b.range.start;
    });
    return open;
  }
  void Apply(std::span<const ReshardStep> steps) {
    ApplySteps(steps, now_ms, shards, next_index, [this] { return log::LogId{next_log++}; });
  }
  const ShardFacts& At(ShardId id) const {
    return *std::find_if(shards.begin(), shards.end(),
                         [id](const ShardFacts& facts) { return facts.id == id; });
  }

  void CheckInvariants() const {
    auto open = Open();
    ASSERT_FALSE(open.empty());
    EXPECT_EQ(open.front().range.start, 0);
    EXPECT_EQ(open.back().range.end, kHashKeyMax);
    for (std::size_t i = 1; i < open.size(); ++i) {
      EXPECT_EQ(open[i - 1].range.end + 1, open[i].range.start);
    }
    for (std::size_t i = 0; i < shards.size(); ++i) {
      const ShardFacts& child = shards[i];
      EXPECT_EQ(child.id.index, i);
      for (auto parent_id : {child.parent, child.adjacent_parent}) {
        if (!parent_id) continue;
        const ShardFacts& parent = At(*parent_id);
        EXPECT_LT(parent.id, child.id);
        ASSERT_FALSE(parent.open());
        EXPECT_LT(parent.EndingSequenceNumber(), child.StartingSequenceNumber());
        EXPECT_GE(child.created_s, *parent.closed_ms / 1000 + 1);
        EXPECT_LE(parent.StartingSequenceNumber(), parent.EndingSequenceNumber());
      }
    }
  }
};

TEST(ReshardingTest, SplitClosesTheParentOneSecondBeforeTheChildren) {
  World world(1);
  ReshardStep split{ReshardStep::Kind::kSplit, {0}, {}, 100};
  world.Apply({&split, 1});
  ASSERT_EQ(world.shards.size(), 3u);
  EXPECT_EQ(world.shards[0].closed_ms, kNowMs);
  EXPECT_EQ(world.shards[1].range, (HashKeyRange{0, 99}));
  EXPECT_EQ(world.shards[2].range, (HashKeyRange{100, kHashKeyMax}));
  EXPECT_EQ(world.shards[1].created_s, kNowMs / 1000 + 1);
  EXPECT_EQ(world.shards[2].parent, ShardId{0});
  EXPECT_EQ(world.shards[0].EndingSequenceNumber().index, SequenceNumber::kEndIndex);
  world.CheckInvariants();
}

TEST(ReshardingTest, DoublingNeedsOneSplitPerShard) {
  World world(4);
  auto steps = PlanUniform(world.Open(), world.next_index, 8);
  EXPECT_EQ(steps.size(), 4u);
  world.Apply(steps);
  EXPECT_EQ(world.Open().size(), 8u);
  world.CheckInvariants();
}

TEST(ReshardingTest, HalvingNeedsOneMergePerPair) {
  World world(8);
  auto steps = PlanUniform(world.Open(), world.next_index, 4);
  EXPECT_EQ(steps.size(), 4u);
  for (const ReshardStep& step : steps) EXPECT_EQ(step.kind, ReshardStep::Kind::kMerge);
  world.Apply(steps);
  EXPECT_EQ(world.Open().size(), 4u);
  world.CheckInvariants();
}

TEST(ReshardingTest, NothingToDoMakesNoSteps) {
  World world(5);
  EXPECT_TRUE(PlanUniform(world.Open(), world.next_index, 5).empty());
}

TEST(ReshardingTest, EveryChainOfTargetsEndsUniform) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 60; ++round) {
    World world(1 + static_cast<uint32_t>(random() % 20));
    for (int change = 0; change < 6; ++change) {
      world.now_ms += static_cast<int64_t>(random() % 10'000);
      if (random() % 2 == 0) {  // a split somewhere, so that ranges are not uniform
        auto open = world.Open();
        const OpenRange& victim = open[random() % open.size()];
        HashKey width = victim.range.end - victim.range.start;
        HashKey at = victim.range.start + 1 + codec::MakeUint128(random(), random()) % width;
        ReshardStep split{ReshardStep::Kind::kSplit, victim.id, {}, at};
        world.Apply({&split, 1});
        world.CheckInvariants();
      }
      auto target = 1 + static_cast<uint32_t>(random() % 40);
      world.Apply(PlanUniform(world.Open(), world.next_index, target));
      world.CheckInvariants();
      auto open = world.Open();
      ASSERT_EQ(open.size(), target);
      for (uint32_t i = 0; i < target; ++i) EXPECT_EQ(open[i].range, UniformRange(i, target));
    }
  }
}

}  // namespace
}  // namespace millstream::streams
