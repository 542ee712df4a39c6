#include "analytics/checkpoint.h"

#include <gtest/gtest.h>

namespace millstream::analytics {
namespace {

Checkpoint Example() {
  Checkpoint c;
  c.run = 0xfedcba9876543210u;
  c.fingerprint = 42;
  c.query_start_ms = 1'700'000'000'000;
  c.last_ms = 1'700'000'000'123;
  c.next_step = 77;
  c.journal_next = 12;
  StreamPosition position;
  position.uuid[3] = 9;
  position.shards = {{0, 100, true}, {2, 5, false}};
  c.inputs = {position, {}};
  c.outputs = {position};
  c.pending = {{"1.1", 76, "{\"A\":1}"}};
  c.tables = {{"COMPANIES", 12345}};
  c.state = std::string("MSQL1\0\1", 7);
  return c;
}

TEST(CheckpointTest, ReadsBackWhatItWrote) {
  auto decoded = DecodeCheckpoint(EncodeCheckpoint(Example()));
  ASSERT_TRUE(decoded) << decoded.error().message();
  EXPECT_EQ(*decoded, Example());
}

TEST(CheckpointTest, RefusesEveryTruncationAndFlippedByte) {
  std::string bytes = EncodeCheckpoint(Example());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeCheckpoint(std::string_view(bytes).substr(0, size))) << size;
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string flipped = bytes;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x20);
    EXPECT_FALSE(DecodeCheckpoint(flipped)) << i;
  }
}

TEST(CheckpointTest, StepsReadBackOneAfterTheOther) {
  std::vector<JournalStep> steps = {{1, 1'700'000'000'000, {{0, 3, 10, 20}, {1, 0, 0, 1}}},
                                    {2, 1'700'000'000'020, {}}};
  std::string bytes;
  for (const JournalStep& step : steps) AppendStep(step, bytes);
  auto decoded = DecodeSteps(bytes);
  ASSERT_TRUE(decoded) << decoded.error().message();
  EXPECT_EQ(*decoded, steps);
  EXPECT_FALSE(DecodeSteps(std::string_view(bytes).substr(0, bytes.size() - 1)));
}

TEST(CheckpointTest, OriginsCarryRunAndStep) {
  uint64_t run = 0, step = 0;
  ASSERT_TRUE(ParseOrigin(MakeOrigin(~uint64_t{0}, 5), run, step));
  EXPECT_EQ(run, ~uint64_t{0});
  EXPECT_EQ(step, 5u);
  EXPECT_FALSE(ParseOrigin("short", run, step));
}

}  // namespace
}  // namespace millstream::analytics
