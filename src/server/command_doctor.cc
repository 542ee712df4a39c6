#include <fmt/format.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/random.h"
#include "catalog/store.h"
#include "log/store.h"
#include "server/commands.h"
#include "server/data_directory.h"
#include "streams/registry.h"
#include "streams/stream.h"

namespace millstream::server {
namespace {

using base::Result;
using base::Status;

// Calls something that answers through a callback, and waits.
template <typename T, typename Call>
Result<T> Await(Call call) {
  std::mutex mutex;
  std::condition_variable ready;
  std::optional<Result<T>> answer;
  call([&](Result<T> result) {
    std::lock_guard lock(mutex);
    answer = std::move(result);
    ready.notify_one();
  });
  std::unique_lock lock(mutex);
  ready.wait(lock, [&] { return answer.has_value(); });
  return std::move(*answer);
}

struct Checked {
  uint64_t records = 0;
  uint64_t bytes = 0;
};

// Reads every retained batch of a log, which verifies its checksums and that offsets have no gaps.
Result<Checked> CheckLog(log::Store& store, log::LogId id) {
  Checked checked;
  ASSIGN_OR_RETURN(log::LogState state, store.State(id));
  log::Offset at = state.start_offset;
  while (at < state.durable_end) {
    auto batches = Await<std::vector<log::StoredBatch>>([&](auto done) {
      store.ReadAsync(id, at, {.bytes_max = 8 << 20, .records_max = 1'000'000}, std::move(done));
    });
    if (!batches) return base::Fail(std::move(batches).error());
    log::Offset before = at;
    for (const log::StoredBatch& batch : *batches) {
      if (batch.base_offset > at) {
        return base::Fail(base::Code::kDataLoss,
                          fmt::format("records {} to {} are missing", at, batch.base_offset - 1));
      }
      at = batch.next_offset();
      checked.bytes += batch.bytes.size();
    }
    if (at == before) {
      return base::Fail(base::Code::kDataLoss,
                        fmt::format("records {} to {} are missing", at, state.durable_end - 1));
    }
  }
  checked.records = static_cast<uint64_t>(state.durable_end - state.start_offset);
  return checked;
}

class Doctor {
 public:
  Result<int> Examine(const std::string& path) {
    ASSIGN_OR_RETURN(auto directory, DataDirectory::Open(files_, path));
    Say(fmt::format("data directory {}: format is known, nobody else has it\n", path));
    ASSIGN_OR_RETURN(auto catalog, catalog::Store::Open(directory.catalog_file()));
    Say("catalog: opens, SQLite's own check passes\n");
    ASSIGN_OR_RETURN(auto log,
                     log::Store::Open(files_, clock_, {.directory = directory.log_directory()}));
    const log::RecoveryReport& recovery = log->recovery();
    Say(
        fmt::format("log: {} logs; {} batches replayed from the write-ahead log, {} unacknowledged "
                    "bytes dropped\n",
                    recovery.logs, recovery.batches_replayed, recovery.torn_bytes_dropped));
    Status shards = CheckShards(*catalog, *log);
    log->Stop();
    if (!shards) return base::Fail(std::move(shards).error());
    Say(problems_ == 0 ? "healthy\n" : fmt::format("{} problems\n", problems_));
    return problems_ == 0 ? 0 : 1;
  }

 private:
  static void Say(std::string_view text) { Print(text); }

  Status CheckShards(catalog::Store& catalog, log::Store& log) {
    ASSIGN_OR_RETURN(
        auto registry,
        streams::StreamRegistry::Open(
            {.catalog = &catalog, .log = &log, .clock = &clock_, .random = &random_}, {}));
    std::map<log::LogId, std::string> unowned;
    for (log::LogId id : log.List()) unowned.emplace(id, fmt::format("log {}", id.value));
    for (const streams::StreamPtr& stream : registry->ListAll()) {
      const streams::StreamKey& key = stream->key();
      auto state = stream->state();
      Checked total;
      for (const streams::ShardEntry& shard : state->shards) {
        unowned.erase(shard.facts.log);
        auto checked = CheckLog(log, shard.facts.log);
        // A shard without a log has had no record yet.
        if (!checked && checked.error().code() == base::Code::kNotFound) continue;
        if (!checked) {
          ++problems_;
          Say(fmt::format("stream {}/{}/{} shard {}: {}\n", key.account, key.region, key.name,
                          shard.facts.id.index, checked.error().message()));
          continue;
        }
        total.records += checked->records;
        total.bytes += checked->bytes;
      }
      Say(fmt::format("stream {}/{}/{}: {} shards, {} records, {} bytes\n", key.account, key.region,
                      key.name, state->shards.size(), total.records, total.bytes));
    }
    for (const auto& [id, name] : unowned) {
      ++problems_;
      Say(fmt::format("{}: belongs to no stream of the catalog\n", name));
    }
    registry->Stop();
    return {};
  }

  base::RealFileSystem files_;
  base::SystemClock clock_;
  base::SystemRandom random_;
  int problems_ = 0;
};

}  // namespace

int RunDoctor(const Invocation& invocation) {
  base::RealFileSystem files;
  std::string path = invocation.doctor.directory;
  if (path.empty()) {
    auto loaded = LoadConfig(files, invocation.config);
    if (!loaded) return Complain(loaded.error());
    path = loaded->config.data_directory;
  }
  auto exists = files.Exists(path + "/format");
  if (!exists || !*exists) {
    return Complain(
        base::Error(base::Code::kNotFound,
                    path + " is no data directory of Millstream (it has no file `format`)"));
  }
  auto examined = Doctor().Examine(path);
  return examined ? *examined : Complain(examined.error());
}

}  // namespace millstream::server
