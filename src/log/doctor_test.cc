#include "log/doctor.h"

#include <gtest/gtest.h>

#include <string>

#include "base/logging.h"
#include "base/random.h"
#include "base/sim_file_system.h"
#include "log/store_for_test.h"

namespace millstream::log {
namespace {

StoreOptions SmallOptions() {
  StoreOptions options;
  options.directory = "/data";
  options.wal_file_bytes = 256u << 10;
  options.segment_bytes_max = 64u << 10;
  options.segment_flush_bytes = 16u << 10;
  options.reader_threads = 1;
  return options;
}

// Two logs, several segments each, and a write-ahead log with batches of both.
void Fill(base::SimFileSystem& files) {
  base::ManualClock clock;
  base::RedirectLogForTest([](std::string_view) {});
  auto store = Store::Open(files, clock, SmallOptions());
  ASSERT_TRUE(store);
  for (uint64_t id : {1, 2}) ASSERT_TRUE((*store)->Create(LogId{id}));
  for (int i = 0; i < 100; ++i) {
    for (uint64_t id : {1, 2}) {
      ASSERT_TRUE(AppendAndWait(**store, LogId{id}, MakeBatch({std::string(1500, 'x'), "y"}, i)));
    }
    if (i == 80) {
      ASSERT_TRUE((*store)->FlushSegments());
    }
  }
  files.Crash();
  store->reset();
  files.Restart();
  base::RedirectLogForTest({});
}

TEST(DoctorTest, FindsNothingWrongWithAHealthyDirectory) {
  base::SimFileSystem files(1);
  Fill(files);
  auto report = Examine(files, "/data");
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(report->healthy()) << report->damage.front();
  EXPECT_EQ(report->logs, 2u);
  EXPECT_GE(report->segments, 4u);
  EXPECT_GE(report->records, 400u) << "the WAL repeats what segments have";
  EXPECT_GT(report->wal_bytes, 0u);
}

TEST(DoctorTest, NamesTheFileWithAFlippedBit) {
  int found = 0;
  int tried = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    base::SimFileSystem files(seed);
    Fill(files);
    base::SeededRandom random(seed);
    std::string path;
    std::string content;
    const auto paths = files.Paths();
    do {
      path = paths[random.Below(paths.size())];
      content = *files.ReadFile(path);
    } while (content.empty() || path.find("/wal/") != std::string::npos);
    // Behind the length that the manifest gives, bytes mean nothing: stay in the first half.
    files.FlipBit(path, random.Below(content.size() * 4));
    auto report = Examine(files, "/data");
    ASSERT_TRUE(report) << report.error().message();
    ++tried;
    for (const std::string& damage : report->damage) {
      if (damage.find(path) != std::string::npos) {
        ++found;
        break;
      }
    }
  }
  // Kafka's leader epoch (four bytes of each batch) is under no checksum.
  EXPECT_GE(found, tried - 2);
}

TEST(DoctorTest, NoticesAMissingFile) {
  base::SimFileSystem files(1);
  Fill(files);
  const std::string path = SegmentPath(LogDirectory("/data", LogId{1}), 0, ".index");
  ASSERT_TRUE(files.Remove(path));
  auto report = Examine(files, "/data");
  ASSERT_TRUE(report);
  ASSERT_EQ(report->damage.size(), 1u);
  EXPECT_NE(report->damage[0].find(path), std::string::npos);
}

}  // namespace
}  // namespace millstream::log
