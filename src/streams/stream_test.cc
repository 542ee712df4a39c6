// Puts, reads, positions and waits on a real log.

#include "streams/stream.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "codec/base64.h"
#include "streams/registry_for_test.h"

namespace millstream::streams {
namespace {

class StreamTest : public testing::Test {
 protected:
  RegistryWorld world_;
};

TEST_F(StreamTest, GivesBackWhatWasPutInOrder) {
  world_.Open();
  StreamPtr stream = world_.Create("s", 4);
  std::vector<std::string> keys, data;
  std::vector<PutEntry> entries;
  for (int i = 0; i < 500; ++i) {
    keys.push_back("key-" + std::to_string(i % 37));
    data.push_back("data " + std::to_string(i));
  }
  for (int i = 0; i < 500; ++i) entries.push_back(EntryOf(keys[i], data[i]));
  auto outcome = PutAndWait(*stream, entries);
  ASSERT_TRUE(outcome) << outcome.error().message();
  EXPECT_EQ((*outcome)->size(), 500u);
  EXPECT_EQ((*outcome)->failed(), 0u);

  std::map<uint32_t, std::vector<std::string>> expected;
  std::map<uint32_t, SequenceNumber> last;
  for (std::size_t i = 0; i < 500; ++i) {
    PutResult result = (*outcome)->Result(i);
    EXPECT_EQ(result.error, PutError::kNone);
    EXPECT_EQ(result.sequence.shard_index, result.shard.index);
    if (last.contains(result.shard.index)) {
      EXPECT_LT(last[result.shard.index], result.sequence);
    }
    last[result.shard.index] = result.sequence;
    expected[result.shard.index].push_back(data[i]);
  }
  EXPECT_EQ(expected.size(), 4u);
  for (const auto& [shard, values] : expected) EXPECT_EQ(ReadData(*stream, {shard}), values);

  // Sequence numbers on the way out are those of the way in, also from disk after a restart.
  PutResult first = (*outcome)->Result(0);
  world_.Reopen();
  stream = world_.Find("s");
  auto page = Read(*stream, first.shard, 0);
  ASSERT_TRUE(page);
  ASSERT_FALSE(page->records.empty());
  EXPECT_EQ(page->SequenceOf(page->records[0]), first.sequence);
  EXPECT_EQ(page->records[0].partition_key, keys[0]);
  EXPECT_EQ(page->records[0].arrival_ms, world_.clock.WallMs());
  EXPECT_GT(first.sequence,
            stream->state()->FindShard(first.shard)->facts.StartingSequenceNumber());
}

TEST_F(StreamTest, DecodesBase64AndKeepsExplicitHashKeys) {
  world_.Open();
  StreamPtr stream = world_.Create("s", 2);
  std::string data("\0binary\xff", 8);
  std::string base64 = codec::Base64Encode(data);
  PutEntry entry = EntryOf("k", base64);
  entry.data_is_base64 = true;
  entry.data_size = static_cast<uint32_t>(data.size());
  entry.explicit_hash = true;
  entry.hash = kHashKeyMax;
  auto outcome = PutAndWait(*stream, {&entry, 1});
  ASSERT_TRUE(outcome);
  EXPECT_EQ((*outcome)->Result(0).shard, ShardId{1});
  auto page = Read(*stream, {1}, 0);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->records.at(0).data, data);
  EXPECT_EQ(page->records.at(0).explicit_hash, kHashKeyMax);

  entry.data = "****";
  auto refused = PutAndWait(*stream, {&entry, 1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), base::Code::kInvalidArgument);
  EXPECT_EQ(ReadData(*stream, {1}).size(), 1u);
}

TEST_F(StreamTest, KeepsOriginsWithRecordsAlsoUnderEncryption) {
  world_.Open();
  StreamPtr stream = world_.Create("s");
  PutEntry entry = EntryOf("k", "first");
  entry.origin = "0123456789abcdef";
  entry.explicit_hash = true;
  ASSERT_TRUE(PutAndWait(*stream, {&entry, 1}));
  ASSERT_TRUE(world_.registry->StartEncryption(*stream, "alias/aws/kinesis"));
  entry.data = "second";
  entry.data_size = 6;
  entry.origin = "another";
  ASSERT_TRUE(PutAndWait(*stream, {&entry, 1}));
  PutOne(*stream, "k", "third");

  auto page = Read(*stream, {0}, 0);
  ASSERT_TRUE(page) << page.error().message();
  ASSERT_EQ(page->records.size(), 3u);
  EXPECT_EQ(page->records[0].origin, "0123456789abcdef");
  EXPECT_EQ(page->records[1].origin, "another");
  EXPECT_EQ(page->records[1].data, "second");
  EXPECT_TRUE(page->records[1].encrypted);
  EXPECT_EQ(page->records[2].origin, "");
}

TEST_F(StreamTest, KeepsEmptyData) {
  world_.Open();
  StreamPtr stream = world_.Create("s");
  PutOne(*stream, "k", {});
  auto page = Read(*stream, {0}, 0);
  ASSERT_TRUE(page);
  ASSERT_EQ(page->records.size(), 1u);
  EXPECT_TRUE(page->records[0].data.empty());
}

TEST_F(StreamTest, LimitsPagesByRecordsAndBytes) {
  world_.Open();
  StreamPtr stream = world_.Create("s");
  std::string data(1000, 'x');
  std::vector<PutEntry> entries(100, EntryOf("k", data));
  ASSERT_TRUE(PutAndWait(*stream, entries));
  auto page = Read(*stream, {0}, 10, {.records_max = 7});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->records.size(), 7u);
  EXPECT_EQ(page->next_offset, 17);
  EXPECT_GT(page->millis_behind, 0);
  page = Read(*stream, {0}, 0, {.bytes_max = 5005});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->records.size(), 5u);  // 1001 bytes each
  EXPECT_EQ(page->bytes, 5005);
  page = Read(*stream, {0}, 0, {.bytes_max = 10});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->records.size(), 1u);  // at least one
  page = Read(*stream, {0}, 95);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->records.size(), 5u);
  EXPECT_EQ(page->millis_behind, 0);
  EXPECT_FALSE(page->shard_end);
}

TEST_F(StreamTest, ResolvesEveryKindOfPosition) {
  world_.Open();
  StreamPtr stream = world_.Create("s");
  using Kind = StartPosition::Kind;
  auto at = [&](StartPosition position) {
    auto offset = ResolveAndWait(*stream, {0}, position);
    EXPECT_TRUE(offset) << (offset ? "" : offset.error().message());
    return offset.value_or(-1);
  };
  EXPECT_EQ(at({Kind::kTrimHorizon, {}, 0}), 0);
  EXPECT_EQ(at({Kind::kLatest, {}, 0}), 0);
  std::vector<PutResult> results;
  for (int i = 0; i < 5; ++i) {
    results.push_back(PutOne(*stream, "k", std::to_string(i)));
    world_.clock.Advance(1000);
  }
  EXPECT_EQ(at({Kind::kTrimHorizon, {}, 0}), 0);
  EXPECT_EQ(at({Kind::kLatest, {}, 0}), 5);
  EXPECT_EQ(at({Kind::kAtSequence, results[2].sequence, 0}), 2);
  EXPECT_EQ(at({Kind::kAfterSequence, results[2].sequence, 0}), 3);
  EXPECT_EQ(at({Kind::kAfterSequence, results[4].sequence, 0}), 5);
  SequenceNumber start = stream->state()->shards[0].facts.StartingSequenceNumber();
  EXPECT_EQ(at({Kind::kAtSequence, start, 0}), 0);
  EXPECT_EQ(at({Kind::kAfterSequence, start, 0}), 0);
  EXPECT_EQ(at({Kind::kAfterSequence, results[0].sequence, 0}), 1);
  auto page = Read(*stream, {0}, 3);
  ASSERT_TRUE(page);
  int64_t third = page->records.at(0).arrival_ms;
  EXPECT_EQ(at({Kind::kAtTimestamp, {}, third}), 3);
  EXPECT_EQ(at({Kind::kAtTimestamp, {}, third + 1}), 4);
  EXPECT_EQ(at({Kind::kAtTimestamp, {}, 0}), 0);
  EXPECT_FALSE(ResolveAndWait(*stream, {1}, {}));
}

TEST_F(StreamTest, NeverLetsArrivalTimesGoBack) {
  world_.Open();
  StreamPtr stream = world_.Create("s");
  PutOne(*stream, "k", "first");
  world_.clock.JumpWall(-3'600'000);
  PutResult second = PutOne(*stream, "k", "second");
  world_.Reopen();
  stream = world_.Find("s");
  PutOne(*stream, "k", "third");
  auto page = Read(*stream, {0}, 0);
  ASSERT_TRUE(page);
  ASSERT_GE(page->records.size(), 2u);  // pages may end where the disk's part ends
  EXPECT_EQ(page->records[1].arrival_ms, page->records[0].arrival_ms);
  auto rest = Read(*stream, {0}, 2);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->records.at(0).arrival_ms, page->records[0].arrival_ms);
  EXPECT_EQ(page->SequenceOf(page->records[1]), second.sequence);
}

TEST_F(StreamTest, ThrottlesRecordsOfOneShardAlone) {
  world_.options.limits.enforced = true;
  world_.Open();
  StreamPtr stream = world_.Create("s", 2);
  std::vector<PutEntry> entries;
  for (int i = 0; i < 1200; ++i) {
    PutEntry entry = EntryOf("k", "d");
    entry.hash = i % 12 == 0 ? kHashKeyMax : 0;  // 100 to shard 1, 1100 to shard 0
    entries.push_back(entry);
  }
  auto outcome = PutAndWait(*stream, entries);
  ASSERT_TRUE(outcome);
  EXPECT_EQ((*outcome)->failed(), 100u);
  PutResult refused = (*outcome)->Result(1199);
  EXPECT_EQ(refused.error, PutError::kThrottled);
  EXPECT_EQ(refused.shard, ShardId{0});
  EXPECT_EQ(ReadData(*stream, {0}).size(), 1000u);
  EXPECT_EQ(ReadData(*stream, {1}).size(), 100u);
  EXPECT_EQ(stream->state()->FindShard({0})->shard->metrics().write_throttled.value(), 100u);
  EXPECT_EQ(stream->metrics().put_records_throttled.value(), 100u);

  PutEntry entry = EntryOf("k", "d");
  entry.hash = 0;
  auto single = PutAndWait(*stream, {&entry, 1}, {.all_or_nothing = true, .ordering = {}});
  ASSERT_FALSE(single);
  EXPECT_EQ(single.error().code(), base::Code::kResourceExhausted);
  world_.clock.Advance(1000);
  EXPECT_TRUE(PutAndWait(*stream, {&entry, 1}, {.all_or_nothing = true, .ordering = {}}));

  // All throttled at once is an answer too.
  std::vector<PutEntry> more(2000, entry);
  outcome = PutAndWait(*stream, more);
  ASSERT_TRUE(outcome);
  outcome = PutAndWait(*stream, more);
  ASSERT_TRUE(outcome);
  EXPECT_EQ((*outcome)->failed(), 2000u);
}

TEST_F(StreamTest, WakesWaitersWithinTheCommit) {
  world_.Open();
  StreamPtr stream = world_.Create("s");
  std::promise<void> woken;
  auto wait = stream->WaitForMore({0}, 0, [&] { woken.set_value(); });
  EXPECT_EQ(woken.get_future().wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  woken = {};
  PutOne(*stream, "k", "d");
  // The waiter may be told by the writer thread just after the put is.
  std::promise<void> at_once;
  auto second = stream->WaitForMore({0}, 0, [&] { at_once.set_value(); });
  EXPECT_EQ(at_once.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  wait.reset();
}

TEST_F(StreamTest, WakesWaitersWhenTheShardCloses) {
  world_.Open();
  StreamPtr stream = world_.Create("s");
  PutOne(*stream, "k", "d");
  std::promise<void> woken;
  auto wait = stream->WaitForMore({0}, 1, [&] { woken.set_value(); });
  ASSERT_TRUE(world_.registry->Split(*stream, {0}, 1000));
  EXPECT_EQ(woken.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  auto page = Read(*stream, {0}, 1);
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->shard_end);
  EXPECT_EQ(page->children, (std::vector<ShardId>{{1}, {2}}));
  std::promise<void> again;
  auto closed = stream->WaitForMore({0}, 1, [&] { again.set_value(); });
  EXPECT_EQ(again.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST_F(StreamTest, ForgetsCancelledWaits) {
  world_.Open();
  StreamPtr stream = world_.Create("s");
  std::atomic<int> calls{0};
  auto wait = stream->WaitForMore({0}, 0, [&] { ++calls; });
  wait.reset();
  PutOne(*stream, "k", "d");
  ASSERT_TRUE(world_.registry->Split(*stream, {0}, 1000));
  EXPECT_EQ(calls.load(), 0);
}

TEST_F(StreamTest, KeepsEveryRecordWhilePutsRaceWithResharding) {
  world_.Open();
  StreamPtr stream = world_.Create("s", 2);
  constexpr int kThreads = 3;
  constexpr int kPuts = 200;
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  std::vector<std::vector<SequenceNumber>> sequences(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; i < kPuts; ++i) {
        std::vector<std::string> keys, data;
        for (int k = 0; k < 5; ++k) {
          keys.push_back(std::to_string(t) + "." + std::to_string(k));
          data.push_back(keys.back() + "/" + std::to_string(i));
        }
        std::vector<PutEntry> entries;
        for (int k = 0; k < 5; ++k) entries.push_back(EntryOf(keys[k], data[k]));
        auto outcome = PutAndWait(*stream, entries);
        ASSERT_TRUE(outcome) << outcome.error().message();
        ASSERT_EQ((*outcome)->failed(), 0u);
      }
    });
  }
  std::thread resharder([&] {
    uint32_t target = 2;
    while (!stop) {
      target = target == 2 ? 4 : target == 4 ? 3 : 2;
      auto updated = world_.registry->UpdateShardCount(*stream, target);
      ASSERT_TRUE(updated) << updated.error().message;
      world_.clock.Advance(5);
    }
  });
  std::thread reader([&] {
    while (!stop) {
      auto state = stream->state();
      for (const ShardEntry& entry : state->shards) {
        auto page = stream->ReadCached(entry.facts.id, 0, {});
        ASSERT_TRUE(page);
      }
    }
  });
  for (std::thread& writer : writers) writer.join();
  stop = true;
  resharder.join();
  reader.join();

  // Parents before children: each key's values must come in the order of its puts.
  auto state = stream->state();
  std::map<std::string, int> next;
  int records = 0;
  for (const ShardEntry& entry : state->shards) {
    for (const std::string& value : ReadData(*stream, entry.facts.id)) {
      std::string key = value.substr(0, value.find('/'));
      EXPECT_EQ(std::stoi(value.substr(value.find('/') + 1)), next[key]) << key;
      ++next[key];
      ++records;
    }
  }
  EXPECT_EQ(records, kThreads * kPuts * 5);
}

}  // namespace
}  // namespace millstream::streams
