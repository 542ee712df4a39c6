#include "log/store.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "log/store_for_test.h"

namespace millstream::log {
namespace {

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    std::string pattern = ::testing::TempDir() + "log-store-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    options_.directory = directory_;
    options_.wal_file_bytes = 1u << 20;
    options_.segment_bytes_max = 256u << 10;
    options_.segment_flush_bytes = 64u << 10;
  }
  ~StoreTest() override {
    store_.reset();
    std::filesystem::remove_all(directory_);
  }
  Store& Open() {
    store_.reset();
    auto store = Store::Open(files_, clock_, options_);
    EXPECT_TRUE(store) << store.error().message();
    store_ = std::move(*store);
    return *store_;
  }

  base::RealFileSystem files_;
  base::SystemClock clock_;
  std::string directory_;
  StoreOptions options_;
  std::unique_ptr<Store> store_;
};

constexpr LogId kA{1};
constexpr LogId kB{0xabcdef0123456789};

TEST_F(StoreTest, KeepsWhatWasAppendedAcrossAReopen) {
  Store& store = Open();
  ASSERT_TRUE(store.Create(kA));
  ASSERT_TRUE(store.Create(kB));
  EXPECT_EQ(AppendAndWait(store, kA, MakeBatch({"a0", "a1"})), 0);
  EXPECT_EQ(AppendAndWait(store, kA, MakeBatch({"a2"})), 2);
  EXPECT_EQ(AppendAndWait(store, kB, MakeBatch({"b0"})), 0);
  EXPECT_EQ(ReadValues(store, kA), (std::vector<std::string>{"a0", "a1", "a2"}));
  Store& again = Open();
  EXPECT_EQ(ReadValues(again, kA), (std::vector<std::string>{"a0", "a1", "a2"}));
  EXPECT_EQ(ReadValues(again, kB), (std::vector<std::string>{"b0"}));
  EXPECT_EQ(again.List().size(), 2u);
  EXPECT_EQ(AppendAndWait(again, kA, MakeBatch({"a3"})), 3);
  EXPECT_EQ(ReadValues(again, kA, 2), (std::vector<std::string>{"a2", "a3"}));
}

TEST_F(StoreTest, RefusesAppendsToUnknownLogsAsAWhole) {
  Store& store = Open();
  ASSERT_TRUE(store.Create(kA));
  AppendResults results;
  std::vector<Append> appends(2);
  appends[0] = {kA, MakeBatch({"x"}), nullptr};
  appends[1] = {kB, MakeBatch({"y"}), nullptr};
  auto status = store.AppendAll(appends);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), base::Code::kNotFound);
  EXPECT_EQ(store.State(kA)->assigned_end, 0);
  EXPECT_EQ(AppendAndWait(store, kA, std::move(appends[0].batch)), 0);
}

TEST_F(StoreTest, MovesManyBatchesThroughRecycledWalFilesToSegments) {
  options_.tail_cache_bytes_max = 128u << 10;
  std::vector<std::string> expected;
  {
    Store& store = Open();
    ASSERT_TRUE(store.Create(kA));
    for (int i = 0; i < 300; ++i) {
      const std::string value = std::to_string(i) + std::string(20'000, static_cast<char>('a' + i % 26));
      ASSERT_EQ(AppendAndWait(store, kA, MakeBatch({value})), i);
      expected.push_back(value);
    }
    EXPECT_EQ(ReadValues(store, kA), expected);
    ASSERT_TRUE(store.FlushSegments());
    EXPECT_EQ(ReadValues(store, kA), expected);
    EXPECT_GT(store.metrics().segment_bytes_written_total.value(), 300u * 20'000u);
    EXPECT_LE(store.metrics().cache_bytes.value(), 128 << 10);
  }
  int wal_files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_ + "/wal")) {
    wal_files += entry.is_regular_file();
  }
  EXPECT_LE(wal_files, options_.wal_files_max);
  Store& again = Open();
  EXPECT_EQ(again.recovery().batches_replayed, 0u);
  EXPECT_EQ(ReadValues(again, kA), expected);
}

TEST_F(StoreTest, DirectSegmentWritesLeaveExactFiles) {
  options_.segment_direct_bytes_min = 1;
  {
    Store& store = Open();
    // More logs than writers stay open, so that some are put away with their files padded.
    for (int round = 0; round < 3; ++round) {
      for (uint64_t id = 1; id <= 100; ++id) {
        ASSERT_TRUE(store.Create(LogId{id}));
        ASSERT_TRUE(AppendAndWait(store, LogId{id}, MakeBatch({std::string(1000 + id, 'd')})));
      }
      ASSERT_TRUE(store.FlushSegments());
      uint64_t bytes = 0;
      uint64_t expected = 0;
      for (uint64_t id = 1; id <= 100; ++id) {
        expected += store.State(LogId{id})->bytes;
        bytes += std::filesystem::file_size(
            SegmentPath(LogDirectory(directory_, LogId{id}), 0, ".log"));
      }
      EXPECT_EQ(bytes, expected);
    }
  }
  Store& again = Open();
  for (uint64_t id = 1; id <= 100; ++id) {
    EXPECT_EQ(ReadValues(again, LogId{id}),
              std::vector<std::string>(3, std::string(1000 + id, 'd')));
  }
}

TEST_F(StoreTest, AnswersRecentReadsFromMemory) {
  Store& store = Open();
  ASSERT_TRUE(store.Create(kA));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(AppendAndWait(store, kA, MakeBatch({"x", "y"})));
  auto batches = store.ReadCached(kA, 5, {});
  ASSERT_TRUE(batches && *batches);
  EXPECT_EQ((*batches)->size(), 8u);
  EXPECT_EQ((*batches)->front().base_offset, 4);
  batches = store.ReadCached(kA, 5, {.bytes_max = 1, .records_max = 100});
  ASSERT_TRUE(batches && *batches);
  EXPECT_EQ((*batches)->size(), 1u);
  batches = store.ReadCached(kA, 0, {.bytes_max = 1u << 20, .records_max = 3});
  ASSERT_TRUE(batches && *batches);
  EXPECT_EQ((*batches)->size(), 2u);
  batches = store.ReadCached(kA, 20, {});
  ASSERT_TRUE(batches && *batches);
  EXPECT_TRUE((*batches)->empty());
  EXPECT_EQ(store.ReadCached(kA, 21, {}).error().code(), base::Code::kInvalidArgument);
  EXPECT_EQ(store.ReadCached(kB, 0, {}).error().code(), base::Code::kNotFound);
}

TEST_F(StoreTest, TakesAppendsFromManyThreadsInOrder) {
  options_.tail_cache_bytes_max = 64u << 10;
  Store& store = Open();
  constexpr int kThreads = 4;
  constexpr int kAppends = 200;
  ASSERT_TRUE(store.Create(kA));
  ASSERT_TRUE(store.Create(kB));
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done.load()) {
      if (!ReadValues(store, kA)) ++failures;
    }
  });
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      AppendResults results;
      for (int i = 0; i < kAppends; ++i) {
        std::vector<Append> appends(2);
        const std::string value = std::to_string(t) + ":" + std::to_string(i) + std::string(500, '.');
        appends[0] = {kA, MakeBatch({value}), results.Next()};
        appends[1] = {kB, MakeBatch({value, value}), results.Next()};
        if (!store.AppendAll(appends)) ++failures;
        if (t % 2 == 0) store.FlushInline();
      }
      for (const auto& result : results.Wait()) failures += !result.has_value();
    });
  }
  for (std::thread& thread : threads) thread.join();
  done = true;
  reader.join();
  EXPECT_EQ(failures.load(), 0);
  auto values = ReadValues(store, kA);
  ASSERT_TRUE(values) << values.error().message();
  ASSERT_EQ(values->size(), static_cast<std::size_t>(kThreads * kAppends));
  std::vector<int> next(kThreads, 0);
  for (const std::string& value : *values) {
    const int t = value[0] - '0';
    EXPECT_EQ(std::stoi(value.substr(2)), next[static_cast<std::size_t>(t)]++);
  }
  EXPECT_EQ(ReadValues(store, kB)->size(), static_cast<std::size_t>(2 * kThreads * kAppends));
}

TEST_F(StoreTest, WritesInlineWithIntervalDurability) {
  options_.durability = Durability::kInterval;
  options_.interval_ms = 5;
  {
    Store& store = Open();
    ASSERT_TRUE(store.Create(kA));
    store.FlushInline();  // from here on this thread is a loop's
    for (int i = 0; i < 100; ++i) {
      bool called = false;
      Append append{kA, MakeBatch({std::to_string(i)}),
                    [&](base::Result<Offset> offset) { called = offset.has_value(); }};
      ASSERT_TRUE(store.AppendAll(std::span(&append, 1)));
      EXPECT_FALSE(called);
      store.FlushInline();
      EXPECT_TRUE(called);
    }
    std::thread other([&] { EXPECT_TRUE(AppendAndWait(store, kA, MakeBatch({"other"}))); });
    other.join();
  }
  EXPECT_EQ(ReadValues(Open(), kA)->size(), 101u);
}

TEST_F(StoreTest, WakesThoseWhoWait) {
  Store& store = Open();
  ASSERT_TRUE(store.Create(kA));
  std::atomic<int> woken{0};
  store.WaitPast(kA, 0, [&] { ++woken; });
  const auto cancelled = store.WaitPast(kA, 0, [&] { woken += 100; });
  store.WaitPast(kA, 1, [&] { woken += 10; });
  store.CancelWait(kA, cancelled);
  EXPECT_EQ(woken.load(), 0);
  ASSERT_TRUE(AppendAndWait(store, kA, MakeBatch({"x"})));
  ASSERT_TRUE(AppendAndWait(store, kA, MakeBatch({"x"})));
  ASSERT_TRUE(store.FlushSegments());
  EXPECT_EQ(woken.load(), 11);
  store.WaitPast(kA, 1, [&] { woken += 1000; });
  EXPECT_EQ(woken.load(), 1011);
  store.WaitPast(kA, 99, [&] { woken += 10000; });
  ASSERT_TRUE(store.Delete(kA));
  EXPECT_EQ(woken.load(), 11011);
}

TEST_F(StoreTest, DeletedLogsStayDeleted) {
  {
    Store& store = Open();
    for (LogId log : {kA, kB}) {
      ASSERT_TRUE(store.Create(log));
      for (int i = 0; i < 20; ++i) ASSERT_TRUE(AppendAndWait(store, log, MakeBatch({"x"})));
    }
    ASSERT_TRUE(store.FlushSegments());
    ASSERT_TRUE(AppendAndWait(store, kA, MakeBatch({"late"})));
    ASSERT_TRUE(store.Delete(kA));
    EXPECT_EQ(store.State(kA).error().code(), base::Code::kNotFound);
    EXPECT_FALSE(AppendAndWait(store, kA, MakeBatch({"x"})));
    EXPECT_FALSE(ReadAndWait(store, kA, 0));
  }
  Store& again = Open();
  EXPECT_EQ(again.List(), std::vector<LogId>{kB});
  EXPECT_EQ(ReadValues(again, kB)->size(), 20u);
  EXPECT_FALSE(std::filesystem::exists(LogDirectory(directory_, kA)));
}

TEST_F(StoreTest, FindsTimestampsAndTrimsByThem) {
  options_.segment_bytes_max = 16u << 10;
  Store& store = Open();
  ASSERT_TRUE(store.Create(kA));
  // Record i has timestamp 1000 + 10 i; twenty to a batch.
  for (int i = 0; i < 2000; i += 20) {
    RecordBatchBuilder builder(1000 + 10 * i);
    for (int r = 0; r < 20; ++r) builder.Add("k", std::string(100, 'v'), {}, 10 * r);
    ASSERT_EQ(AppendAndWait(store, kA, std::move(builder).Finish()), i);
    if (i == 1500) {
      ASSERT_TRUE(store.FlushSegments());
    }
  }
  auto check = [&] {
    const LogState state = *store.State(kA);
    for (int i : {0, 1, 19, 20, 777, 1500, 1519, 1520, 1999}) {
      const Offset expected = std::max<Offset>(i, state.start_offset);
      EXPECT_EQ(FindTimestampAndWait(store, kA, 1000 + 10 * i), expected);
      EXPECT_EQ(FindTimestampAndWait(store, kA, 1000 + 10 * i - 9), expected);
    }
    EXPECT_EQ(FindTimestampAndWait(store, kA, 1000 + 10 * 2000), 2000);
  };
  check();
  const uint64_t bytes = store.State(kA)->bytes;
  ASSERT_TRUE(store.TrimBefore(kA, 1000 + 10 * 777));
  ASSERT_TRUE(store.FlushSegments());
  EXPECT_EQ(store.State(kA)->start_offset, 777);
  EXPECT_LT(store.State(kA)->bytes, bytes * 7 / 10);
  EXPECT_EQ(ReadAndWait(store, kA, 776).error().code(), base::Code::kExpired);
  EXPECT_EQ(ReadValues(store, kA)->size(), 2000u - 777u);
  check();
  Store& again = Open();
  EXPECT_EQ(again.State(kA)->start_offset, 777);
  EXPECT_EQ(ReadValues(again, kA)->size(), 2000u - 777u);
  ASSERT_TRUE(again.TrimBefore(kA, 1'000'000));
  ASSERT_TRUE(again.FlushSegments());
  EXPECT_EQ(again.State(kA)->start_offset, 2000);
  EXPECT_EQ(again.State(kA)->bytes, 0u);
  EXPECT_EQ(AppendAndWait(again, kA, MakeBatch({"next"}, 2'000'000)), 2000);
  Store& third = Open();
  EXPECT_EQ(ReadValues(third, kA), std::vector<std::string>{"next"});
}

}  // namespace
}  // namespace millstream::log
