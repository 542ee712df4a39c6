// What the catalog remembers, what time brings, and what AWS refuses.

#include "streams/registry.h"

#include <gtest/gtest.h>

#include <chrono>

#include "streams/registry_for_test.h"

namespace millstream::streams {
namespace {

constexpr int64_t kHourMs = 3'600'000;

class RegistryTest : public testing::Test {
 protected:
  StreamStatus StatusOf(const std::string& name) {
    StreamPtr stream = world_.Find(name);
    EXPECT_NE(stream, nullptr);
    return stream->state()->status;
  }
  RegistryWorld world_;
};

template <typename T>
Refusal RefusalOf(const Controlled<T>& controlled) {
  EXPECT_FALSE(controlled.has_value());
  return controlled ? Refusal::kCatalog : controlled.error().reason;
}

TEST_F(RegistryTest, KeepsEverythingAcrossARestart) {
  world_.Open();
  StreamPtr stream = world_.Create("orders", 3);
  StreamRegistry& registry = *world_.registry;
  ASSERT_TRUE(registry.SetRetention(*stream, 48 * kHourMs));
  ASSERT_TRUE(registry.SetRecordBytesMax(*stream, 4 << 20));
  ASSERT_TRUE(registry.SetShardMetrics(*stream, 0x13, 0));
  ASSERT_TRUE(registry.ChangeTags(*stream, {{"a", "1"}, {"b", ""}}, {}));
  ASSERT_TRUE(registry.SetPolicy(*stream, "{\"policy\":1}"));
  ASSERT_TRUE(registry.StartEncryption(*stream, "alias/aws/kinesis"));
  ASSERT_TRUE(registry.RegisterConsumer(*stream, "reader", {{"k", "v"}}));
  ASSERT_TRUE(registry.Split(*stream, {1}, UniformRange(1, 3).start + 1000));
  ASSERT_TRUE(registry.SetBillingCommitment("000000000000", "us-east-1", true));
  auto before = stream->state();
  Stream::Identity identity = stream->identity();
  stream.reset();

  world_.Reopen();
  stream = world_.Find("orders");
  ASSERT_NE(stream, nullptr);
  auto after = stream->state();
  EXPECT_EQ(stream->identity().uuid, identity.uuid);
  EXPECT_EQ(stream->identity().stream_id, identity.stream_id);
  EXPECT_EQ(stream->identity().created_ms, identity.created_ms);
  EXPECT_EQ(after->retention_ms, 48 * kHourMs);
  EXPECT_EQ(after->record_bytes_max, 4 << 20);
  EXPECT_EQ(after->shard_metrics, 0x13);
  EXPECT_EQ(after->tags, before->tags);
  EXPECT_EQ(after->policy, before->policy);
  ASSERT_TRUE(after->encryption);
  EXPECT_EQ(after->encryption->key_id, "alias/aws/kinesis");
  EXPECT_EQ(after->encryption->data_key->secret, before->encryption->data_key->secret);
  ASSERT_EQ(after->consumers.size(), 1u);
  EXPECT_EQ(after->consumers[0].name, "reader");
  EXPECT_EQ(after->consumers[0].tags, before->consumers[0].tags);
  EXPECT_EQ(after->next_shard_index, 5u);
  ASSERT_EQ(after->shards.size(), before->shards.size());
  for (std::size_t i = 0; i < after->shards.size(); ++i) {
    const ShardFacts& was = before->shards[i].facts;
    const ShardFacts& is = after->shards[i].facts;
    EXPECT_EQ(is.id, was.id);
    EXPECT_EQ(is.range, was.range);
    EXPECT_EQ(is.created_s, was.created_s);
    EXPECT_EQ(is.closed_ms, was.closed_ms);
    EXPECT_EQ(is.parent, was.parent);
    EXPECT_EQ(is.log, was.log);
    EXPECT_EQ(after->shards[i].children, before->shards[i].children);
  }
  EXPECT_TRUE(world_.registry->Settings("000000000000", "us-east-1").billing_commitment);
  EXPECT_EQ(world_.registry->FindByUuid(identity.uuid), stream);
  EXPECT_EQ(world_.registry->FindByStreamId(identity.stream_id), stream);
  EXPECT_EQ(identity.stream_id.size(), 24u);
}

TEST_F(RegistryTest, IteratorsSurviveARestart) {
  world_.Open();
  StreamPtr stream = world_.Create("s");
  ShardIterator iterator;
  iterator.stream = stream->key();
  iterator.uuid = stream->identity().uuid;
  iterator.offset = 5;
  std::string token = world_.registry->iterators().Seal(iterator);
  stream.reset();
  world_.Reopen();
  auto opened = world_.registry->iterators().Open(token);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->offset, 5);
}

TEST_F(RegistryTest, PassesThroughItsStatesInTime) {
  world_.options.times = {500, 300, 200, 100};
  world_.Open();
  StreamPtr stream = world_.Create("s", 2);
  EXPECT_EQ(StatusOf("s"), StreamStatus::kCreating);
  EXPECT_TRUE(stream->state()->shards.empty());
  PutEntry entry = EntryOf("k", "d");
  EXPECT_FALSE(PutAndWait(*stream, {&entry, 1}));
  world_.Pass(499);
  EXPECT_EQ(StatusOf("s"), StreamStatus::kCreating);
  world_.Pass(1);
  EXPECT_EQ(StatusOf("s"), StreamStatus::kActive);
  EXPECT_EQ(stream->state()->open_shards(), 2u);
  PutOne(*stream, "k", "d");

  ASSERT_TRUE(world_.registry->Merge(*stream, {0}, {1}));
  EXPECT_EQ(StatusOf("s"), StreamStatus::kUpdating);
  EXPECT_EQ(stream->state()->open_shards(), 2u);  // until the update ends
  PutOne(*stream, "k", "while updating");
  auto busy = world_.registry->Split(*stream, {0}, 5);
  EXPECT_EQ(RefusalOf(busy), Refusal::kStreamNotActive);
  EXPECT_EQ(busy.error().status, StreamStatus::kUpdating);
  world_.Pass(300);
  EXPECT_EQ(StatusOf("s"), StreamStatus::kActive);
  EXPECT_EQ(stream->state()->open_shards(), 1u);

  ASSERT_TRUE(world_.registry->RegisterConsumer(*stream, "c", {}));
  EXPECT_EQ(stream->state()->FindConsumer("c")->status, ConsumerStatus::kCreating);
  world_.Pass(100);
  EXPECT_EQ(stream->state()->FindConsumer("c")->status, ConsumerStatus::kActive);
  EXPECT_EQ(RefusalOf(world_.registry->Delete(*stream, false)), Refusal::kHasConsumers);
  ASSERT_TRUE(world_.registry->DeregisterConsumer(*stream, "c"));
  EXPECT_EQ(stream->state()->FindConsumer("c")->status, ConsumerStatus::kDeleting);
  world_.Pass(100);
  EXPECT_EQ(stream->state()->FindConsumer("c"), nullptr);

  ASSERT_TRUE(world_.registry->Delete(*stream, false));
  EXPECT_EQ(StatusOf("s"), StreamStatus::kDeleting);
  EXPECT_FALSE(PutAndWait(*stream, {&entry, 1}));
  world_.Pass(200);
  EXPECT_EQ(world_.Find("s"), nullptr);
  EXPECT_TRUE(world_.log->List().empty());
  // The name is free again, and it is another stream.
  StreamPtr again = world_.Create("s");
  EXPECT_NE(again->identity().uuid, stream->identity().uuid);
}

TEST_F(RegistryTest, FinishesPassingStatesAfterARestart) {
  world_.options.times = {500, 500, 500, 500};
  world_.Open();
  world_.Create("created", 2);
  world_.Pass(500);
  StreamPtr stream = world_.Find("created");
  ASSERT_TRUE(world_.registry->UpdateShardCount(*stream, 3));
  world_.Create("creating");
  stream.reset();
  world_.Reopen();
  EXPECT_EQ(StatusOf("created"), StreamStatus::kUpdating);
  EXPECT_EQ(StatusOf("creating"), StreamStatus::kCreating);
  world_.Pass(500);
  EXPECT_EQ(world_.Find("created")->state()->open_shards(), 3u);
  EXPECT_EQ(StatusOf("creating"), StreamStatus::kActive);
}

TEST_F(RegistryTest, AClockSetBackLeavesNoStreamPassing) {
  world_.options.times = {500, 500, 500, 500};
  world_.Open();
  world_.Create("s");
  world_.clock.JumpWall(-10 * kHourMs);
  world_.registry->RunDue();
  EXPECT_EQ(StatusOf("s"), StreamStatus::kActive);
}

TEST_F(RegistryTest, RefusesWhatAwsRefuses) {
  world_.options.limits.enforced = true;
  world_.options.limits.shards_max = 6;
  world_.options.limits.on_demand_streams_max = 1;
  world_.options.limits.consumers_max = 2;
  world_.options.limits.tags_max = 2;
  world_.Open();
  StreamRegistry& registry = *world_.registry;
  StreamPtr stream = world_.Create("s", 4);
  EXPECT_EQ(RefusalOf(registry.Create(RegistryWorld::Key("s"), {})), Refusal::kStreamExists);
  CreateOptions three;
  three.shards = 3;
  auto too_many = registry.Create(RegistryWorld::Key("t"), three);
  EXPECT_EQ(RefusalOf(too_many), Refusal::kShardLimit);
  EXPECT_EQ(too_many.error().count, 4);
  EXPECT_EQ(too_many.error().extra, 3);
  EXPECT_EQ(RefusalOf(registry.UpdateShardCount(*stream, 9)), Refusal::kShardCountRange);
  EXPECT_EQ(RefusalOf(registry.UpdateShardCount(*stream, 1)), Refusal::kShardCountRange);
  EXPECT_EQ(RefusalOf(registry.UpdateShardCount(*stream, 8)), Refusal::kShardLimit);
  EXPECT_EQ(RefusalOf(registry.Split(*stream, {9}, 1)), Refusal::kShardNotFound);
  EXPECT_EQ(RefusalOf(registry.Split(*stream, {0}, 1)), Refusal::kHashKeyOutside);
  EXPECT_EQ(RefusalOf(registry.Split(*stream, {0}, UniformRange(0, 4).end)),
            Refusal::kHashKeyOutside);
  EXPECT_EQ(RefusalOf(registry.Merge(*stream, {0}, {2})), Refusal::kShardsNotAdjacent);
  EXPECT_EQ(RefusalOf(registry.Merge(*stream, {1}, {0})), Refusal::kShardsNotAdjacent);
  EXPECT_EQ(RefusalOf(registry.Merge(*stream, {3}, {0})), Refusal::kShardsNotAdjacent);
  ASSERT_TRUE(registry.Split(*stream, {0}, 2));
  EXPECT_EQ(RefusalOf(registry.Split(*stream, {0}, 100)), Refusal::kShardClosed);

  CreateOptions on_demand;
  on_demand.mode = StreamMode::kOnDemand;
  ASSERT_TRUE(registry.Create(RegistryWorld::Key("d"), on_demand));
  EXPECT_EQ(RefusalOf(registry.Create(RegistryWorld::Key("e"), on_demand)),
            Refusal::kOnDemandLimit);
  StreamPtr demand = world_.Find("d");
  EXPECT_EQ(demand->state()->open_shards(), 4u);
  EXPECT_EQ(RefusalOf(registry.UpdateShardCount(*demand, 5)), Refusal::kOnDemandMode);
  EXPECT_EQ(RefusalOf(registry.Split(*demand, {0}, 5)), Refusal::kOnDemandMode);

  ASSERT_TRUE(registry.RegisterConsumer(*stream, "a", {}));
  EXPECT_EQ(RefusalOf(registry.RegisterConsumer(*stream, "a", {})), Refusal::kConsumerExists);
  ASSERT_TRUE(registry.RegisterConsumer(*stream, "b", {}));
  EXPECT_EQ(RefusalOf(registry.RegisterConsumer(*stream, "c", {})), Refusal::kConsumerLimit);
  EXPECT_EQ(RefusalOf(registry.DeregisterConsumer(*stream, "x")), Refusal::kConsumerNotFound);
  EXPECT_EQ(RefusalOf(registry.ChangeTags(*stream, {{"1", ""}, {"2", ""}, {"3", ""}}, {})),
            Refusal::kTagLimit);

  ASSERT_TRUE(registry.Delete(*stream, true));
  EXPECT_EQ(RefusalOf(registry.SetRetention(*stream, 48 * kHourMs)), Refusal::kStreamNotFound);
}

TEST_F(RegistryTest, ScalesAtMostTenTimesADay) {
  world_.options.limits.enforced = true;
  world_.Open();
  StreamPtr stream = world_.Create("s", 2);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(world_.registry->UpdateShardCount(*stream, i % 2 == 0 ? 3 : 2));
  }
  EXPECT_EQ(RefusalOf(world_.registry->UpdateShardCount(*stream, 3)), Refusal::kShardCountRate);
  world_.clock.Advance(24 * kHourMs);
  EXPECT_TRUE(world_.registry->UpdateShardCount(*stream, 3));
}

TEST_F(RegistryTest, CountsControlCallsPerAccount) {
  world_.options.limits.enforced = true;
  world_.Open();
  StreamRegistry& registry = *world_.registry;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(registry.TryControl("1", "r", "CreateStream", 5));
  EXPECT_FALSE(registry.TryControl("1", "r", "CreateStream", 5));
  EXPECT_TRUE(registry.TryControl("2", "r", "CreateStream", 5));
  EXPECT_TRUE(registry.TryControl("1", "r", "DeleteStream", 5));
  world_.clock.Advance(1000);
  EXPECT_TRUE(registry.TryControl("1", "r", "CreateStream", 5));
}

TEST_F(RegistryTest, AccountsAndRegionsAreApart) {
  world_.Open();
  StreamRegistry& registry = *world_.registry;
  ASSERT_TRUE(registry.Create({"1", "eu-west-1", "s"}, {}));
  ASSERT_TRUE(registry.Create({"1", "us-east-1", "s"}, {}));
  ASSERT_TRUE(registry.Create({"2", "eu-west-1", "s"}, {}));
  EXPECT_EQ(registry.List("1", "eu-west-1").size(), 1u);
  EXPECT_EQ(registry.ListAll().size(), 3u);
  EXPECT_NE(registry.Find({"1", "eu-west-1", "s"}), registry.Find({"2", "eu-west-1", "s"}));
  EXPECT_EQ(registry.Find({"2", "us-east-1", "s"}), nullptr);
}

TEST_F(RegistryTest, TrimsWhatRetentionLeavesBehind) {
  world_.options.retention_interval_ms = 1000;
  world_.Open();
  StreamPtr stream = world_.Create("s");
  PutOne(*stream, "k", "old");
  world_.Pass(20 * kHourMs);
  PutOne(*stream, "k", "new");
  world_.Pass(3 * kHourMs);
  EXPECT_EQ(Read(*stream, {0}, 0)->records.at(0).data, "old");
  // Trimming works in the background of the log: ask until it has happened.
  world_.Pass(2 * kHourMs);
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (Read(*stream, {0}, 0)->records.at(0).data == "old" &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  auto page = Read(*stream, {0}, 0);  // an old position moves up to the horizon
  ASSERT_TRUE(page);
  ASSERT_EQ(page->records.size(), 1u);
  EXPECT_EQ(page->records[0].data, "new");
  EXPECT_EQ(page->records[0].offset, 1);
}

TEST_F(RegistryTest, ForgetsClosedShardsAfterRetention) {
  world_.options.retention_interval_ms = 1000;
  world_.Open();
  StreamPtr stream = world_.Create("s");
  PutOne(*stream, "k", "d");
  ASSERT_TRUE(world_.registry->Split(*stream, {0}, 1000));
  world_.Pass(24 * kHourMs - 1000);
  EXPECT_EQ(stream->state()->shards.size(), 3u);
  world_.Pass(2000);
  EXPECT_EQ(stream->state()->shards.size(), 2u);
  EXPECT_EQ(stream->state()->FindShard({0}), nullptr);
  world_.Reopen();
  auto state = world_.Find("s")->state();
  EXPECT_EQ(state->shards.size(), 2u);
  EXPECT_EQ(state->next_shard_index, 3u);
  EXPECT_EQ(world_.log->List().size(), 2u);  // those of the children
}

TEST_F(RegistryTest, AClockSetAheadDoesNotEmptyStreams) {
  world_.options.retention_interval_ms = 1000;
  world_.Open();
  StreamPtr stream = world_.Create("s");
  PutOne(*stream, "k", "d");
  ASSERT_TRUE(world_.registry->Split(*stream, {0}, 1000));
  world_.clock.JumpWall(365 * 24 * kHourMs);
  world_.Pass(5000);
  EXPECT_EQ(stream->state()->shards.size(), 3u);
  EXPECT_EQ(ReadData(*stream, {0}).size(), 1u);
}

void PutLoad(Stream& stream, HashKey hash, int records) {
  PutEntry entry = EntryOf("k", "d");
  entry.hash = hash;
  std::vector<PutEntry> entries(static_cast<std::size_t>(records), entry);
  ASSERT_TRUE(PutAndWait(stream, entries));
}

TEST_F(RegistryTest, OnDemandStreamsGrowWithTheirLoadAndShrinkAfterIt) {
  world_.options.on_demand.interval_ms = 1000;
  world_.options.on_demand.shrink_after_ms = 60'000;
  world_.Open();
  StreamPtr stream = world_.Create("s", 1, StreamMode::kOnDemand);
  ASSERT_EQ(stream->state()->open_shards(), 4u);
  world_.Pass(1000);
  // 800 records a second to one shard is above half of its quota, 100 to another is not.
  PutLoad(*stream, UniformRange(0, 4).start, 800);
  PutLoad(*stream, UniformRange(2, 4).start, 100);
  world_.Pass(1000);
  EXPECT_EQ(stream->state()->open_shards(), 5u);
  // The hot half is still hot.
  PutLoad(*stream, UniformRange(0, 4).start, 800);
  world_.Pass(1000);
  EXPECT_EQ(stream->state()->open_shards(), 6u);
  world_.Pass(1000);
  EXPECT_EQ(stream->state()->open_shards(), 6u);
  for (int i = 0; i < 3 * 3600 && stream->state()->open_shards() > 4; i += 60) world_.Pass(60'000);
  EXPECT_EQ(stream->state()->open_shards(), 4u);
}

TEST_F(RegistryTest, ProvisionedStreamsNeverScaleThemselves) {
  world_.options.on_demand.interval_ms = 1000;
  world_.Open();
  StreamPtr stream = world_.Create("s", 1);
  world_.Pass(1000);
  PutLoad(*stream, 0, 900);
  world_.Pass(1000);
  EXPECT_EQ(stream->state()->open_shards(), 1u);
}

TEST_F(RegistryTest, WarmThroughputGrowsAnOnDemandStreamAtOnce) {
  world_.Open();
  StreamPtr stream = world_.Create("s", 1, StreamMode::kOnDemand);
  ASSERT_TRUE(world_.registry->SetWarmThroughput(*stream, 10));
  EXPECT_EQ(stream->state()->open_shards(), 10u);
  EXPECT_EQ(stream->state()->warm_throughput_mibps, 10);
}

TEST_F(RegistryTest, EncryptsAtRestAndKeepsOldKeys) {
  world_.Open();
  StreamPtr stream = world_.Create("s");
  const std::string secret = "a secret that must not lie on the disk in clear";
  PutOne(*stream, "k", "clear");
  ASSERT_TRUE(world_.registry->StartEncryption(*stream, "alias/aws/kinesis"));
  PutOne(*stream, "k", secret);
  ASSERT_TRUE(world_.registry->StartEncryption(*stream, "alias/other"));
  PutOne(*stream, "k", secret + "2");
  ASSERT_TRUE(world_.registry->StopEncryption(*stream));
  PutOne(*stream, "k", "clear again");
  EXPECT_EQ(ReadData(*stream, {0}),
            (std::vector<std::string>{"clear", secret, secret + "2", "clear again"}));
  ASSERT_TRUE(world_.log->FlushSegments());
  stream.reset();
  world_.Reopen();
  stream = world_.Find("s");
  auto page = Read(*stream, {0}, 0);
  ASSERT_TRUE(page) << page.error().message();
  ASSERT_EQ(page->records.size(), 4u);
  EXPECT_FALSE(page->records[0].encrypted);
  EXPECT_TRUE(page->records[1].encrypted);
  EXPECT_EQ(page->records[2].data, secret + "2");
  EXPECT_FALSE(page->records[3].encrypted);

  world_.Close();
  for (const auto& file :
       std::filesystem::recursive_directory_iterator(world_.directory())) {
    if (!file.is_regular_file()) continue;
    auto content = world_.files.ReadFile(file.path().string());
    ASSERT_TRUE(content);
    EXPECT_EQ(content->find(secret), std::string::npos) << file.path();
  }
}

TEST_F(RegistryTest, RefusesTheWrongKeyRing) {
  world_.Open();
  StreamPtr stream = world_.Create("s");
  ASSERT_TRUE(world_.registry->StartEncryption(*stream, "alias/aws/kinesis"));
  stream.reset();
  world_.Close();
  world_.key_ring = KeyRing(KeyRing::Secret{6});
  auto wrong = world_.TryOpen();
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), base::Code::kPermissionDenied);
  world_.Close();
  world_.key_ring.reset();
  auto none = world_.TryOpen();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), base::Code::kFailedPrecondition);
  world_.Close();
  world_.key_ring = KeyRing(KeyRing::Secret{5});
  EXPECT_TRUE(world_.TryOpen());
}

TEST_F(RegistryTest, RefusesAnEmptyCatalogBesideLogsThatHoldData) {
  world_.Open();
  PutOne(*world_.Create("s"), "k", "d");
  world_.Close();
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::filesystem::remove(world_.directory() + "/catalog.db" + suffix);
  }
  auto opened = world_.TryOpen();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), base::Code::kDataLoss);
  EXPECT_NE(opened.error().message().find("restore"), std::string::npos);
}

// The catalog is committed before anybody sees the change: what a crash may leave behind is logs
// whose deletion was decided but not done, and children without data.
TEST_F(RegistryTest, FinishesDeletionsThatACrashInterrupted) {
  world_.Open();
  StreamPtr stream = world_.Create("s");
  PutOne(*stream, "k", "d");
  uint64_t log = stream->state()->shards[0].facts.log.value;
  catalog::Transaction crash;  // what Remove() commits before it touches the logs
  crash.DeletePrefix("stream", "");
  crash.DeletePrefix("shard", "");
  crash.Put("doomed-log", std::to_string(log), "");
  ASSERT_TRUE(world_.catalog->Commit(crash));
  stream.reset();
  world_.Reopen();
  EXPECT_EQ(world_.Find("s"), nullptr);
  EXPECT_TRUE(world_.catalog->Scan("doomed-log")->empty());
  // Log numbers are never used again.
  StreamPtr next = world_.Create("s");
  EXPECT_GT(next->state()->shards[0].facts.log.value, log);
  EXPECT_TRUE(ReadData(*next, {0}).empty());
}

TEST_F(RegistryTest, OpensTenThousandShardsQuickly) {
  world_.Open();
  for (int i = 0; i < 10; ++i) world_.Create("s" + std::to_string(i), 1000);
  world_.Close();
  auto start = std::chrono::steady_clock::now();
  world_.Open();
  auto took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(world_.registry->ListAll().size(), 10u);
  EXPECT_EQ(world_.Find("s7")->state()->open_shards(), 1000u);
  EXPECT_LT(std::chrono::duration<double>(took).count(), 10.0);
  RecordProperty("open_ms", static_cast<int>(took / std::chrono::milliseconds(1)));
}

}  // namespace
}  // namespace millstream::streams
