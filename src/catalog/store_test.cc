#include "catalog/store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace millstream::catalog {
namespace {

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    std::string name = (std::filesystem::temp_directory_path() / "catalog-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    path_ = directory_ + "/catalog.db";
  }
  ~StoreTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Store> Open() {
    auto store = Store::Open(path_);
    EXPECT_TRUE(store.has_value()) << (store ? "" : store.error().message());
    return store ? std::move(*store) : nullptr;
  }

  std::string directory_;
  std::string path_;
};

TEST_F(StoreTest, KeepsCommittedRowsAcrossReopening) {
  {
    auto store = Open();
    Transaction transaction;
    transaction.Put("stream", "a", std::string("\0one", 4));
    transaction.Put("stream", "b", "two");
    transaction.Put("shard", "a", "");
    ASSERT_TRUE(store->Commit(transaction));
  }
  auto store = Open();
  EXPECT_EQ(store->Get("stream", "a").value(), std::string("\0one", 4));
  EXPECT_EQ(store->Get("shard", "a").value(), "");
  EXPECT_EQ(store->Get("shard", "b").value(), std::nullopt);
  auto rows = store->Scan("stream");
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[1].key, "b");
  EXPECT_EQ((*rows)[1].value, "two");
}

TEST_F(StoreTest, AppliesChangesInOrderAndByPrefix) {
  auto store = Open();
  Transaction first;
  for (const char* key : {"a/1", "a/2", "a0", "b/1"}) first.Put("shard", key, key);
  first.Put("shard", std::string("a/\xff\xff"), "last");
  first.Put("other", "a/1", "kept");
  ASSERT_TRUE(store->Commit(first));

  EXPECT_EQ(store->Scan("shard", "a/")->size(), 3u);
  Transaction second;
  second.DeletePrefix("shard", "a/");
  second.Put("shard", "a/3", "new");
  second.Delete("shard", "b/1");
  second.Delete("shard", "never there");
  ASSERT_TRUE(store->Commit(second));
  auto rows = store->Scan("shard");
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[0].key, "a/3");
  EXPECT_EQ((*rows)[1].key, "a0");
  EXPECT_EQ(store->Get("other", "a/1").value(), "kept");

  Transaction third;
  third.DeletePrefix("shard", "");
  ASSERT_TRUE(store->Commit(third));
  EXPECT_TRUE(store->Scan("shard")->empty());
  EXPECT_EQ(store->Scan("other")->size(), 1u);
}

TEST_F(StoreTest, RefusesASecondProcessOnTheSameFile) {
  auto store = Open();
  auto second = Store::Open(path_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), base::Code::kFailedPrecondition);
  EXPECT_NE(second.error().message().find(path_), std::string::npos);
}

TEST_F(StoreTest, RefusesWhatIsNoCatalog) {
  std::ofstream(path_) << std::string(8192, 'x');
  auto store = Store::Open(path_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code(), base::Code::kDataLoss);
  EXPECT_NE(store.error().message().find(path_), std::string::npos);
}

TEST_F(StoreTest, RefusesAnotherProgramsDatabase) {
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "CREATE TABLE t (x)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  auto store = Store::Open(path_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code(), base::Code::kDataLoss);
}

TEST_F(StoreTest, RefusesAFileOfANewerVersion) {
  Open();
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &raw), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(raw, "PRAGMA user_version = 99", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(raw);
  auto store = Store::Open(path_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code(), base::Code::kFailedPrecondition);
  EXPECT_NE(store.error().message().find("newer version"), std::string::npos);
}

TEST_F(StoreTest, ReportsDamagedPages) {
  {
    auto store = Open();
    Transaction transaction;
    for (int i = 0; i < 2000; ++i) {
      transaction.Put("stream", std::to_string(i), std::string(100, 'v'));
    }
    ASSERT_TRUE(store->Commit(transaction));
  }
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096 * 3);
    file << std::string(4096, '\x5a');
  }
  auto store = Store::Open(path_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code(), base::Code::kDataLoss);
  EXPECT_NE(store.error().message().find("damaged"), std::string::npos);
}

}  // namespace
}  // namespace millstream::catalog
