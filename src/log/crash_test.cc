// What the log promises on bad days, on a file system that loses, tears, fails, fills and flips.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "base/logging.h"
#include "base/random.h"
#include "base/sim_file_system.h"
#include "log/store_for_test.h"

namespace millstream::log {
namespace {

constexpr char kDirectory[] = "/data";

StoreOptions SmallOptions() {
  StoreOptions options;
  options.directory = kDirectory;
  options.wal_file_bytes = 64u << 10;
  options.wal_files_max = 3;
  options.segment_bytes_max = 24u << 10;
  options.segment_flush_bytes = 8u << 10;
  options.tail_cache_bytes_max = 16u << 10;
  options.reader_threads = 1;
  return options;
}

// What one log was given, and how far it was acknowledged.
struct Model {
  std::vector<std::string> values;     // by offset, as far as accepted at any time
  std::atomic<Offset> acknowledged{0};
  bool delete_asked = false;
  bool deleted = false;
};

class CrashTest : public ::testing::Test {
 protected:
  void SetUp() override {
    base::RedirectLogForTest([](std::string_view) {});  // failures by the thousand are expected
  }
  void TearDown() override { base::RedirectLogForTest({}); }
};

// Appends random batches to several logs until the power goes or the work is done.
void Work(Store& store, base::SeededRandom& random, std::map<LogId, Model>& models, int steps,
          bool interval) {
  for (int step = 0; step < steps; ++step) {
    const LogId id{1 + random.Below(models.size())};
    Model& model = models[id];
    if (model.deleted || model.delete_asked) continue;
    if (!store.Create(id)) return;
    std::vector<Append> appends;
    AppendResults results;
    const uint64_t batches = 1 + random.Below(3);
    auto state = store.State(id);
    if (!state) return;
    Offset next = state->assigned_end;
    model.values.resize(static_cast<std::size_t>(next));
    for (uint64_t b = 0; b < batches; ++b) {
      std::vector<std::string> values;
      const uint64_t records = 1 + random.Below(4);
      for (uint64_t r = 0; r < records; ++r) {
        const std::size_t size = random.Below(10) == 0 ? random.Below(9000) : random.Below(400);
        values.push_back(std::to_string(id.value) + "/" + std::to_string(next) + "/" +
                         std::string(size, static_cast<char>('a' + random.Below(26))));
        model.values.push_back(values.back());
        ++next;
      }
      auto done = results.Next();
      appends.push_back(
          {id, MakeBatch(values, 1000 + step),
           [&model, done = std::move(done), records](base::Result<Offset> offset) mutable {
             if (offset) model.acknowledged = *offset + static_cast<Offset>(records);
             done(std::move(offset));
           }});
    }
    if (!store.AppendAll(appends)) return;
    if (interval) store.FlushInline();
    for (const auto& result : results.Wait()) {
      if (!result) return;
    }
    if (random.Below(60) == 0 && !store.FlushSegments()) return;
    if (random.Below(200) == 0) {
      model.delete_asked = true;
      if (!store.Delete(id)) return;
      if (store.FlushSegments()) model.deleted = true;
    }
  }
}

// Everything acknowledged is there, in order, byte for byte, and nothing that was never accepted.
void Verify(Store& store, const base::SimFileSystem& files, std::map<LogId, Model>& models,
            bool may_lose_acknowledged) {
  for (auto& [id, model] : models) {
    auto values = ReadValues(store, id);
    if (files.crashed()) return;
    if (model.deleted) {
      EXPECT_FALSE(values) << "log " << id.value << " came back";
      continue;
    }
    if (!values && values.error().code() == base::Code::kNotFound &&
        (model.delete_asked || model.acknowledged == 0 || may_lose_acknowledged)) {
      if (model.delete_asked) model.deleted = true;
      model.values.clear();
      model.acknowledged = 0;
      continue;
    }
    ASSERT_TRUE(values) << values.error().message();
    if (!may_lose_acknowledged) {
      ASSERT_GE(static_cast<Offset>(values->size()), model.acknowledged.load()) << id.value;
    }
    ASSERT_LE(values->size(), model.values.size());
    for (std::size_t i = 0; i < values->size(); ++i) {
      ASSERT_EQ((*values)[i], model.values[i]) << "log " << id.value << " offset " << i;
    }
    model.values.resize(values->size());
    model.acknowledged = static_cast<Offset>(values->size());
    model.delete_asked = false;  // it was not durable: the log lives on
  }
}

void CrashAndRecover(uint64_t seed, Durability durability) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  base::SeededRandom random(seed);
  base::ManualClock clock;
  base::SimFileSystem files(seed * 31 + 7);
  StoreOptions options = SmallOptions();
  options.durability = durability;
  options.interval_ms = 1;
  if (seed % 2 == 0) options.segment_direct_bytes_min = 1;
  const bool interval = durability == Durability::kInterval;
  std::map<LogId, Model> models;
  for (uint64_t id = 1; id <= 1 + random.Below(5); ++id) models[LogId{id}];
  for (int life = 0; life < 6; ++life) {
    // Power goes at any operation, also while recovering from the last time.
    if (random.Below(8) != 0) files.CrashAtOperation(1 + random.Below(life == 0 ? 200 : 120));
    auto store = Store::Open(files, clock, options);
    if (store) {
      Verify(**store, files, models, interval);
      if (::testing::Test::HasFatalFailure()) return;
      Work(**store, random, models, 60, interval);
      store->reset();
    } else {
      ASSERT_TRUE(files.crashed()) << store.error().message();
    }
    files.Crash();
    files.Restart();
  }
  auto store = Store::Open(files, clock, options);
  ASSERT_TRUE(store) << store.error().message();
  Verify(**store, files, models, interval);
}

TEST_F(CrashTest, NothingAcknowledgedIsLostWhenThePowerGoes) {
  for (uint64_t seed = 1; seed <= 200 && !HasFailure(); ++seed) {
    CrashAndRecover(seed, Durability::kSync);
  }
}

TEST_F(CrashTest, IntervalDurabilityLosesOnlyATail) {
  for (uint64_t seed = 1001; seed <= 1100 && !HasFailure(); ++seed) {
    CrashAndRecover(seed, Durability::kInterval);
  }
}

// Each operation in turn fails once. The store seals or carries on, but never acknowledges what is
// not there afterwards.
TEST_F(CrashTest, AnyFailedOperationLosesNothing) {
  int sealed = 0;
  uint64_t total = 0;
  for (uint64_t k = 1; k <= 300 && !HasFailure(); ++k) {
    SCOPED_TRACE("failing operation " + std::to_string(k));
    base::SeededRandom random(99);
    base::ManualClock clock;
    base::SimFileSystem files(k);
    std::map<LogId, Model> models;
    for (uint64_t id = 1; id <= 3; ++id) models[LogId{id}];
    files.FailAtOperation(k);
    StoreOptions options = SmallOptions();
    if (k % 3 == 0) options.segment_direct_bytes_min = 1;
    auto store = Store::Open(files, clock, options);
    if (store) {
      Work(**store, random, models, 80, false);
      for (auto& [id, model] : models) {
        if (auto state = (*store)->State(id); state && state->sealed) {
          ++sealed;
          AppendResults results;
          Append append{id, MakeBatch({"late"}), results.Next()};
          auto refused = (*store)->AppendAll(std::span(&append, 1));
          ASSERT_FALSE(refused);
          EXPECT_EQ(refused.error().code(), base::Code::kUnavailable);
          EXPECT_EQ((*store)->metrics().sealed.value(), 1);
        }
      }
      store->reset();
    }
    total = std::max(total, files.operations());
    files.FailAtOperation(0);
    // Half the time the machine goes down, too.
    if (k % 2 == 0) {
      files.Crash();
      files.Restart();
    }
    auto again = Store::Open(files, clock, SmallOptions());
    if (!again && k <= 12) continue;  // the directory was never completed
    ASSERT_TRUE(again) << again.error().message();
    Verify(**again, files, models, false);
    for (auto& [id, model] : models) {
      if (model.deleted) continue;
      ASSERT_TRUE((*again)->Create(id));
      EXPECT_TRUE(AppendAndWait(**again, id, MakeBatch({"goes on"})));
    }
  }
  EXPECT_GT(sealed, 100);
  EXPECT_GT(total, 150u);
}

// One flipped bit in any file is either noticed or in a place that nothing depends on; it never
// changes or shortens what is read.
TEST_F(CrashTest, FlippedBitsAreNoticed) {
  std::map<std::string, int> noticed;
  for (uint64_t seed = 1; seed <= 150 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    base::SeededRandom random(seed);
    base::ManualClock clock;
    base::SimFileSystem files(seed);
    std::map<LogId, Model> models;
    for (uint64_t id = 1; id <= 3; ++id) models[LogId{id}];
    {
      auto store = Store::Open(files, clock, SmallOptions());
      ASSERT_TRUE(store);
      Work(**store, random, models, 120, false);
      files.Crash();  // so that the WAL has something to say
    }
    files.Restart();
    const auto paths = files.Paths();
    // How many files there are depends on how far the builder came: the one manifest among them is
    // chosen more often than by chance.
    const auto manifest = std::find_if(paths.begin(), paths.end(), [](const std::string& path) {
      return path.ends_with("manifest");
    });
    const bool choose_manifest = seed % 3 == 0 && manifest != paths.end();
    const std::string path = choose_manifest ? *manifest : paths[random.Below(paths.size())];
    const std::string before = *files.ReadFile(path);
    if (before.empty()) continue;
    files.FlipBit(path, random.Below(before.size() * 8));
    const std::string kind = path.find("/wal/") != std::string::npos ? "wal"
                             : path.ends_with("manifest")            ? "manifest"
                                                                     : path.substr(path.rfind('.'));
    auto store = Store::Open(files, clock, SmallOptions());
    if (!store) {
      EXPECT_EQ(store.error().code(), base::Code::kDataLoss) << store.error().message();
      EXPECT_NE(store.error().message().find(kDirectory), std::string::npos)
          << store.error().message();
      ++noticed[kind];
      continue;
    }
    bool any = (*store)->recovery().torn_bytes_dropped > 0;
    for (auto& [id, model] : models) {
      auto values = ReadValues(**store, id);
      if (!values) {
        if (model.deleted || model.delete_asked || model.acknowledged == 0) continue;
        EXPECT_EQ(values.error().code(), base::Code::kDataLoss) << values.error().message();
        any = true;
        continue;
      }
      // Only the very last group of the WAL cannot be told from a torn one.
      if (kind != "wal") {
        EXPECT_GE(static_cast<Offset>(values->size()), model.acknowledged.load()) << path;
      }
      for (std::size_t i = 0; i < values->size(); ++i) {
        ASSERT_EQ((*values)[i], model.values[i]) << path;
      }
    }
    noticed[kind] += any || (*store)->metrics().corruptions_total.value() > 0;
  }
  EXPECT_GT(noticed[".log"], 10);
  EXPECT_GT(noticed["manifest"], 0);
}

// The write-ahead log alone: all groups but the last are vouched for by a later one.
TEST_F(CrashTest, DamageInTheWalIsToldFromItsTornEnd) {
  for (uint64_t seed = 1; seed <= 40 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    base::SeededRandom random(seed);
    base::ManualClock clock;
    base::SimFileSystem files(seed);
    {
      auto store = Store::Open(files, clock, SmallOptions());
      ASSERT_TRUE(store);
      ASSERT_TRUE((*store)->Create(LogId{1}));
      // One block per group: blocks 1 to 8 of the file.
      for (int i = 0; i < 8; ++i) {
        ASSERT_TRUE(AppendAndWait(**store, LogId{1}, MakeBatch({std::string(3800, 'x')})));
      }
      files.Crash();
    }
    files.Restart();
    const uint64_t block = random.Below(9);
    files.FlipBit("/data/wal/wal-000000", (block * 4096 + random.Below(block == 0 ? 40 : 3800)) * 8 +
                                              random.Below(8));
    auto store = Store::Open(files, clock, SmallOptions());
    if (block == 8) {
      ASSERT_TRUE(store) << store.error().message();
      EXPECT_EQ(ReadValues(**store, LogId{1})->size(), 7u);
      continue;
    }
    ASSERT_FALSE(store) << block;
    EXPECT_EQ(store.error().code(), base::Code::kDataLoss);
    EXPECT_NE(store.error().message().find("/data/wal/wal-000000 at"), std::string::npos)
        << store.error().message();
  }
}

TEST_F(CrashTest, AFullDiskRefusesAppendsAndRecoversWhenThereIsSpace) {
  base::ManualClock clock;
  base::SimFileSystem files(5);
  StoreOptions options = SmallOptions();
  auto store = Store::Open(files, clock, options);
  ASSERT_TRUE(store);
  const LogId log{1};
  ASSERT_TRUE((*store)->Create(log));
  std::vector<std::string> expected;
  auto append = [&] {
    const std::string value = std::to_string(expected.size()) + std::string(3000, 'f');
    auto offset = AppendAndWait(**store, log, MakeBatch({value}));
    if (offset) {
      EXPECT_EQ(*offset, static_cast<Offset>(expected.size()));
      expected.push_back(value);
    }
    return offset;
  };
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(append());
  files.SetCapacity(400u << 10);
  int accepted = 0;
  base::Result<Offset> last = 0;
  while ((last = append())) ASSERT_LT(++accepted, 10'000);
  EXPECT_GT(accepted, 20);
  EXPECT_EQ(last.error().code(), base::Code::kUnavailable);
  EXPECT_NE(last.error().message().find("no space left"), std::string::npos);
  EXPECT_FALSE((*store)->State(log)->sealed);
  EXPECT_EQ(ReadValues(**store, log), expected);

  files.SetCapacity(UINT64_MAX);
  ASSERT_TRUE((*store)->FlushSegments());  // the builder's retry, without waiting for its timer
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(append());
  EXPECT_EQ(ReadValues(**store, log), expected);
  store->reset();
  files.Crash();
  files.Restart();
  auto again = Store::Open(files, clock, options);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(ReadValues(**again, log), expected);
}

TEST_F(CrashTest, OpensWhileTheDiskIsFull) {
  base::ManualClock clock;
  base::SimFileSystem files(6);
  const LogId log{1};
  {
    auto store = Store::Open(files, clock, SmallOptions());
    ASSERT_TRUE((*store)->Create(log));
    for (int i = 0; i < 30; ++i) {
      ASSERT_TRUE(AppendAndWait(**store, log, MakeBatch({std::string(3000, 'x')})));
    }
    files.Crash();
  }
  files.Restart();
  files.SetCapacity(1);
  auto store = Store::Open(files, clock, SmallOptions());
  ASSERT_TRUE(store) << store.error().message();
  EXPECT_EQ(ReadValues(**store, log)->size(), 30u);
}

TEST_F(CrashTest, MissingManifestOrWalFileIsDataLoss) {
  base::ManualClock clock;
  for (const char* victim : {"/data/manifest", "/data/wal/wal-000000"}) {
    base::SimFileSystem files(8);
    {
      auto store = Store::Open(files, clock, SmallOptions());
      ASSERT_TRUE((*store)->Create(LogId{1}));
      ASSERT_TRUE(AppendAndWait(**store, LogId{1}, MakeBatch({"x"})));
      ASSERT_TRUE((*store)->FlushSegments());
      ASSERT_TRUE(AppendAndWait(**store, LogId{1}, MakeBatch({"y"})));
      files.Crash();
    }
    files.Restart();
    ASSERT_TRUE(files.Remove(victim));
    auto store = Store::Open(files, clock, SmallOptions());
    ASSERT_FALSE(store) << victim;
    EXPECT_EQ(store.error().code(), base::Code::kDataLoss);
  }
}

TEST_F(CrashTest, ManyLogsOpenFromTheManifestAlone) {
  base::ManualClock clock;
  base::SimFileSystem files(9);
  StoreOptions options = SmallOptions();
  options.wal_file_bytes = 8u << 20;
  constexpr uint64_t kLogs = 2'000;
  {
    auto store = Store::Open(files, clock, options);
    std::vector<Append> appends;
    AppendResults results;
    for (uint64_t i = 1; i <= kLogs; ++i) {
      ASSERT_TRUE((*store)->Create(LogId{i}));
      appends.push_back({LogId{i}, MakeBatch({"log " + std::to_string(i)}), results.Next()});
    }
    ASSERT_TRUE((*store)->AppendAll(appends));
    for (const auto& result : results.Wait()) ASSERT_TRUE(result);
  }
  files.Crash();
  files.Restart();
  auto store = Store::Open(files, clock, options);
  ASSERT_TRUE(store) << store.error().message();
  EXPECT_EQ((*store)->List().size(), kLogs);
  for (uint64_t i = 1; i <= kLogs; i += 97) {
    EXPECT_EQ(ReadValues(**store, LogId{i}), std::vector<std::string>{"log " + std::to_string(i)});
  }
}

}  // namespace
}  // namespace millstream::log
