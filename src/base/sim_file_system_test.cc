#include "base/sim_file_system.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>

namespace millstream::base {
namespace {

constexpr OpenOptions kWrite{.write = true, .create = true};

TEST(SimFileSystemTest, KeepsWhatWasSyncedAndMayLoseTheRest) {
  int lost = 0;
  int kept = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    SimFileSystem files(seed);
    ASSERT_TRUE(files.CreateDirectories("/d"));
    ASSERT_TRUE(files.SyncDirectory("/"));
    auto file = *files.Open("/d/f", kWrite);
    ASSERT_TRUE(file->WriteAt(0, std::string(8192, 'a')));
    ASSERT_TRUE(file->Sync());
    ASSERT_TRUE(files.SyncDirectory("/d"));
    ASSERT_TRUE(file->WriteAt(4096, std::string(8192, 'b')));
    files.Crash();
    EXPECT_FALSE(file->WriteAt(0, "x"));
    files.Restart();
    EXPECT_FALSE(file->WriteAt(0, "x")) << "a file from before the crash is dead";
    const std::string content = *files.ReadFile("/d/f");
    EXPECT_EQ(content.substr(0, 4096), std::string(4096, 'a'));
    ASSERT_GE(content.size(), 8192u);
    lost += content[4096] == 'a';
    kept += content[4096] == 'b';
  }
  EXPECT_GT(lost, 10);
  EXPECT_GT(kept, 10);
}

TEST(SimFileSystemTest, DirectWritesAreDurableOnReturn) {
  SimFileSystem files(7);
  ASSERT_TRUE(files.CreateDirectories("/d"));
  ASSERT_TRUE(files.SyncAll("/"));
  auto file = *files.Open("/d/f", {.write = true, .create = true, .direct_sync = true});
  ASSERT_TRUE(files.SyncDirectory("/d"));
  std::unique_ptr<char, decltype(&std::free)> block(
      static_cast<char*>(std::aligned_alloc(4096, 4096)), &std::free);
  std::fill_n(block.get(), 4096, 'z');
  ASSERT_TRUE(file->WriteAt(0, {block.get(), 4096}));
  EXPECT_FALSE(file->WriteAt(1, {block.get(), 4096})) << "as the kernel refuses it";
  files.Crash();
  files.Restart();
  EXPECT_EQ(*files.ReadFile("/d/f"), std::string(4096, 'z'));
}

TEST(SimFileSystemTest, NamesNeedADirectorySync) {
  int missing = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SimFileSystem files(seed);
    ASSERT_TRUE(files.CreateDirectories("/d"));
    ASSERT_TRUE(files.SyncDirectory("/"));
    ASSERT_TRUE(files.WriteFileAtomically("/d/safe", "old"));
    ASSERT_TRUE((*files.Open("/d/f", kWrite))->Sync());
    ASSERT_TRUE(files.WriteFileAtomically("/d/safe", "new"));
    ASSERT_TRUE((*files.Open("/d/g", kWrite))->Sync());
    files.Crash();
    files.Restart();
    EXPECT_EQ(*files.ReadFile("/d/safe"), "new");
    EXPECT_TRUE(*files.Exists("/d/f")) << "synced along with the rename";
    missing += !*files.Exists("/d/g");
  }
  EXPECT_GT(missing, 5);
  EXPECT_LT(missing, 45);
}

TEST(SimFileSystemTest, FailsTheOperationAskedFor) {
  SimFileSystem files(3);
  ASSERT_TRUE(files.CreateDirectories("/d"));
  auto file = *files.Open("/d/f", kWrite);
  files.FailAtOperation(2);
  EXPECT_TRUE(file->WriteAt(0, "one"));
  EXPECT_FALSE(file->Sync());
  EXPECT_TRUE(file->Sync()) << "and lies afterwards";
}

TEST(SimFileSystemTest, FillsUp) {
  ManualClock clock;
  SimFileSystem files(3, &clock);
  files.SetWriteTime(20);
  ASSERT_TRUE(files.CreateDirectories("/d"));
  auto file = *files.Open("/d/f", kWrite);
  files.SetCapacity(10'000);
  const int64_t before = clock.WallMs();
  EXPECT_TRUE(file->WriteAt(0, std::string(10'000, 'x')));
  EXPECT_EQ(clock.WallMs(), before + 20);
  auto status = file->WriteAt(10'000, "y");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), Code::kUnavailable);
  EXPECT_NE(status.error().message().find("no space left"), std::string::npos);
  EXPECT_TRUE(file->WriteAt(0, std::string(10'000, 'y'))) << "what exists can be overwritten";
  EXPECT_EQ(*files.FreeBytes("/"), 0u);
}

TEST(SimFileSystemTest, RemovedFilesStayReadableForThoseWhoHaveThemOpen) {
  SimFileSystem files(3);
  ASSERT_TRUE(files.CreateDirectories("/d"));
  auto file = *files.Open("/d/f", kWrite);
  ASSERT_TRUE(file->WriteAt(0, "abc"));
  ASSERT_TRUE(files.Remove("/d/f"));
  char bytes[3];
  EXPECT_EQ(*file->ReadAt(0, bytes, 3), 3u);
  EXPECT_FALSE(*files.Exists("/d/f"));
}

}  // namespace
}  // namespace millstream::base
