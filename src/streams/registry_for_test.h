#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/random.h"
#include "codec/md5.h"
#include "streams/registry.h"

// Shared by the tests of this folder and of services: a registry on a real log and catalog in a
// temporary directory, under a clock that the test moves; and calls that wait for their answers.
namespace millstream::streams {

class RegistryWorld {
 public:
  RegistryWorld() {
    std::string name = (std::filesystem::temp_directory_path() / "streams-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    options.times = {0, 0, 0, 0};
    options.limits.enforced = false;
  }
  ~RegistryWorld() {
    Close();
    std::filesystem::remove_all(directory_);
  }

  base::Status TryOpen() {
    log::StoreOptions log_options;
    log_options.directory = directory_ + "/log";
    log_options.wal_file_bytes = 4u << 20;
    log_options.segment_bytes_max = 4u << 20;
    ASSIGN_OR_RETURN(log, log::Store::Open(files, clock, log_options));
    ASSIGN_OR_RETURN(catalog, catalog::Store::Open(directory_ + "/catalog.db"));
    RegistryEnvironment environment;
    environment.catalog = catalog.get();
    environment.log = log.get();
    environment.clock = &clock;
    environment.random = &random;
    environment.key_ring = key_ring ? &*key_ring : nullptr;
    ASSIGN_OR_RETURN(registry, StreamRegistry::Open(environment, options));
    return {};
  }
  void Open() {
    auto opened = TryOpen();
    ASSERT_TRUE(opened) << opened.error().message();
  }
  void Close() {
    registry.reset();
    catalog.reset();
    if (log != nullptr) log->Stop();
    log.reset();
  }
  void Reopen() {
    Close();
    Open();
  }
  // Moves time on and does what is due.
  void Pass(int64_t ms) {
    clock.Advance(ms);
    registry->RunDue();
  }

  StreamPtr Create(const std::string& name, uint32_t shards = 1,
                   StreamMode mode = StreamMode::kProvisioned) {
    CreateOptions create;
    create.shards = shards;
    create.mode = mode;
    auto stream = registry->Create(Key(name), create);
    EXPECT_TRUE(stream) << stream.error().message;
    return stream ? *stream : nullptr;
  }
  StreamPtr Find(const std::string& name) const { return registry->Find(Key(name)); }
  static StreamKey Key(const std::string& name) { return {"000000000000", "us-east-1", name}; }

  const std::string& directory() const { return directory_; }

  base::RealFileSystem files;
  base::ManualClock clock;
  base::SeededRandom random{42};
  std::optional<KeyRing> key_ring = KeyRing(KeyRing::Secret{5});
  RegistryOptions options;
  std::unique_ptr<log::Store> log;
  std::unique_ptr<catalog::Store> catalog;
  std::unique_ptr<StreamRegistry> registry;

 private:
  std::string directory_;
};

inline PutEntry EntryOf(std::string_view key, std::string_view data) {
  PutEntry entry;
  entry.partition_key = key;
  entry.hash = codec::Md5HashKey(key);
  entry.data = data;
  entry.data_size = static_cast<uint32_t>(data.size());
  return entry;
}

inline base::Result<std::unique_ptr<PutOutcome>> PutAndWait(Stream& stream,
                                                            std::span<const PutEntry> entries,
                                                            const PutOptions& options = {}) {
  std::promise<base::Result<std::unique_ptr<PutOutcome>>> promise;
  auto future = promise.get_future();
  stream.Put(entries, options, [&promise](base::Result<std::unique_ptr<PutOutcome>> outcome) {
    promise.set_value(std::move(outcome));
  });
  return future.get();
}

inline PutResult PutOne(Stream& stream, std::string_view key, std::string_view data) {
  PutEntry entry = EntryOf(key, data);
  auto outcome = PutAndWait(stream, {&entry, 1});
  EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().message());
  return outcome ? (*outcome)->Result(0) : PutResult{};
}

// From memory, or else from disk.
inline base::Result<RecordPage> Read(const Stream& stream, ShardId shard, log::Offset from,
                                     const ReadOptions& options = {}) {
  ASSIGN_OR_RETURN(auto cached, stream.ReadCached(shard, from, options));
  if (cached) return std::move(*cached);
  std::promise<base::Result<RecordPage>> promise;
  auto future = promise.get_future();
  stream.ReadAsync(shard, from, options, [&promise](base::Result<RecordPage> page) {
    promise.set_value(std::move(page));
  });
  return future.get();
}

inline std::vector<std::string> ReadData(const Stream& stream, ShardId shard,
                                         log::Offset from = 0) {
  std::vector<std::string> data;
  for (;;) {
    auto page = Read(stream, shard, from);
    EXPECT_TRUE(page) << (page ? "" : page.error().message());
    if (!page || page->records.empty()) return data;
    for (const RecordView& record : page->records) data.emplace_back(record.data);
    from = page->next_offset;
  }
}

inline base::Result<log::Offset> ResolveAndWait(const Stream& stream, ShardId shard,
                                                const StartPosition& position) {
  std::promise<base::Result<log::Offset>> promise;
  auto future = promise.get_future();
  stream.Resolve(shard, position, [&promise](base::Result<log::Offset> offset) {
    promise.set_value(std::move(offset));
  });
  return future.get();
}

}  // namespace millstream::streams
