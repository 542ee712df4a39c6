#pragma once

// Private to registry*.cc.

#include <array>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "streams/catalog_rows.h"
#include "streams/published.h"
#include "streams/registry.h"

namespace millstream::streams {

// All streams by key and by AWS's id, in immutable buckets, so that adding one copies little.
struct Directory {
  struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(const StreamKeyView& key) const;
    std::size_t operator()(const StreamKey& key) const { return (*this)(StreamKeyView(key)); }
  };
  struct KeyEqual {
    using is_transparent = void;
    bool operator()(const StreamKeyView& a, const StreamKeyView& b) const {
      return a.name == b.name && a.account == b.account && a.region == b.region;
    }
  };
  using Bucket = std::unordered_map<StreamKey, StreamPtr, KeyHash, KeyEqual>;
  using IdBucket = std::unordered_map<std::string, StreamPtr>;
  static constexpr std::size_t kBuckets = 256;

  std::array<std::shared_ptr<const Bucket>, kBuckets> by_key;
  std::array<std::shared_ptr<const IdBucket>, kBuckets> by_id;

  StreamPtr Find(const StreamKeyView& key) const;
  StreamPtr FindId(const std::string& id) const;
  void Add(const StreamPtr& stream);
  void Remove(const Stream& stream);
};

// What one on-demand stream did lately.
struct ObservedLoad {
  struct OfShard {
    uint64_t bytes = 0;
    uint64_t records = 0;
  };
  std::unordered_map<uint32_t, OfShard> counters;  // at the last look, by shard
  // Peaks of the whole stream in shards' worth of quota, by hour, newest last.
  std::vector<std::pair<int64_t, double>> peaks;
  int64_t since_ms = 0;  // first observation, or the last change of shape
};

struct StreamRegistry::Implementation {
  Implementation(RegistryEnvironment e, RegistryOptions o)
      : environment(e), options(o), directory(std::make_shared<const Directory>()) {}

  base::Status Load();
  base::Status LoadStreams();
  base::Status LoadMeta();
  base::Status DropDoomedLogs();

  Stream::Environment StreamEnvironment() const {
    return {environment.log, environment.clock, environment.random, &options.limits};
  }
  std::shared_ptr<Shard> MakeShard(const ShardFacts& facts) const;
  int64_t NowMs() const { return environment.clock->WallMs(); }
  // Wall time that the monotonic clock confirms: a clock set years ahead must not empty the logs.
  int64_t RetentionNowMs() const;

  // Time's work; all need control_mutex.
  void ApplyDue(Stream& stream, int64_t now_ms);
  void Trim(Stream& stream, int64_t now_ms);
  void ScaleOnDemand(Stream& stream, int64_t now_ms);
  Controlled<void> Remove(Stream& stream);
  Usage UsageOf(std::string_view account, std::string_view region) const;
  int64_t NextDueMs() const;

  const RegistryEnvironment environment;
  const RegistryOptions options;
  int64_t started_wall_ms = 0;
  int64_t started_monotonic_ns = 0;

  Published<Directory> directory;

  mutable std::mutex control_mutex;  // serialises Jobs; loops never take it
  uint64_t next_log = 1;       // this and the following: guarded by control_mutex
  std::set<std::pair<int64_t, StreamUuid>> agenda;  // when to look at which stream
  std::unordered_map<std::string, ObservedLoad> loads;  // by stream id
  int64_t next_retention_ms = 0;
  int64_t next_on_demand_ms = 0;

  mutable std::mutex accounts_mutex;
  std::map<std::string, AccountSettings> accounts;  // by account/region; guarded by accounts_mutex

  std::mutex rates_mutex;
  std::unordered_map<std::string, TokenBucket> rates;  // guarded by rates_mutex

  std::mutex task_mutex;
  base::TaskExecutor* executor = nullptr;  // this and task: guarded by task_mutex
  base::TaskExecutor::TaskId task = 0;
  void WakeTask();
};

// One change of one stream: takes the control lock, holds a copy of the state to work on, and either
// commits and publishes it or leaves everything as it was.
class StreamRegistry::Control {
 public:
  Control(Implementation& registry, Stream& stream)
      : lock_(registry.control_mutex), registry_(registry), stream_(stream), before_(stream.state()),
        next(*before_) {}
  // For callers that hold the control lock.
  struct Locked {};
  Control(Implementation& registry, Stream& stream, Locked)
      : registry_(registry), stream_(stream), before_(stream.state()), next(*before_) {}

  const StreamState& before() const { return *before_; }
  // kStreamNotFound once it is gone for good, kStreamNotActive unless ACTIVE.
  Controlled<void> RequireActive() const;
  Controlled<void> RequirePresent() const;

  // Shards of a new stream.
  void CreateShards(uint32_t count, int64_t created_ms);
  // Applies the steps: at once when updates take no time, else when the UPDATING status ends.
  void Reshard(std::vector<ReshardStep> steps);
  void ApplyReshard(std::span<const ReshardStep> steps);
  // The stream is UPDATING for a while; nothing happens at its end.
  void PassThroughUpdating() { Reshard({}); }
  // Drops closed shards that nobody can read any more.
  void ForgetShards(const std::vector<ShardId>& expired);
  std::vector<OpenRange> OpenRanges() const;

  Controlled<void> Commit();

 private:
  void AddShard(const ShardFacts& facts);

  std::unique_lock<std::mutex> lock_;
  Implementation& registry_;
  Stream& stream_;
  const std::shared_ptr<const StreamState> before_;
  std::vector<std::shared_ptr<Shard>> closing_;
  std::vector<log::LogId> doomed_;
  bool logs_allocated_ = false;

 public:
  StreamState next;
  catalog::Transaction transaction;
};

inline tl::unexpected<Refused> Refuse(Refusal reason, std::string message = "") {
  Refused refused;
  refused.reason = reason;
  refused.message = std::move(message);
  return tl::unexpected<Refused>(std::move(refused));
}
inline tl::unexpected<Refused> RefuseCounted(Refusal reason, int64_t count, int64_t limit,
                                             int64_t extra) {
  Refused refused;
  refused.reason = reason;
  refused.count = count;
  refused.limit = limit;
  refused.extra = extra;
  return tl::unexpected<Refused>(std::move(refused));
}

std::string AccountRowKey(std::string_view account, std::string_view region);

}  // namespace millstream::streams

// Passes a refusal on.
#define TRY_CONTROL(expression)                                                        \
  do {                                                                                 \
    if (auto control_result_ = (expression); !control_result_) [[unlikely]]            \
      return tl::unexpected<::millstream::streams::Refused>(                           \
          std::move(control_result_).error());                                         \
  } while (false)
