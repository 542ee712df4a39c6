#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"
#include "base/result.h"
#include "catalog/store.h"
#include "log/store.h"
#include "streams/key_ring.h"
#include "streams/limits.h"
#include "streams/shard_iterator.h"
#include "streams/stream.h"

namespace millstream::streams {

struct RegistryOptions {
  Limits limits;
  TransitionTimes times;
  OnDemandOptions on_demand;
  int64_t retention_interval_ms = 10'000;
};

struct RegistryEnvironment {
  catalog::Store* catalog = nullptr;
  log::Store* log = nullptr;
  base::Clock* clock = nullptr;
  base::Random* random = nullptr;
  const KeyRing* key_ring = nullptr;  // null: encryption is not supported
};

struct CreateOptions {
  StreamMode mode = StreamMode::kProvisioned;
  uint32_t shards = 1;
  std::map<std::string, std::string> tags;
  int32_t warm_throughput_mibps = 0;
  int64_t record_bytes_max = 1 << 20;
  int64_t retention_ms = 24 * 3'600'000LL;
};

// The throughput commitment of one account and region (On-demand Advantage).
struct AccountSettings {
  bool billing_commitment = false;
  int64_t started_ms = 0;
  int64_t ended_ms = 0;  // 0: no end in sight; in the future: ends then
  int64_t earliest_end_ms = 0;
};

// What a refused operation ran into, so that a service can say it in its own words. Numbers, and the
// message (which names the shard, consumer or key in question), fill AWS's texts.
enum class Refusal {
  kStreamNotFound,
  kStreamExists,
  kStreamNotActive,     // `status`
  kShardNotFound,       // `shard`
  kShardLimit,          // `count` now, `limit`, `extra` asked for
  kStreamsCreating,
  kOnDemandLimit,
  kConsumerNotFound,
  kConsumerExists,
  kConsumerLimit,
  kConsumersCreating,
  kHasConsumers,
  kShardClosed,
  kShardsNotAdjacent,
  kHashKeyOutside,
  kOnDemandMode,        // not allowed in on-demand mode
  kShardCountRate,
  kShardCountRange,
  kTagLimit,
  kModeRate,
  kSameValue,           // nothing would change and AWS says so
  kEncryption,
  kCatalog,             // `message`: the environment's fault
};
struct Refused {
  Refusal reason;
  std::string message;
  StreamStatus status = StreamStatus::kActive;
  int64_t count = 0;
  int64_t limit = 0;
  int64_t extra = 0;
};
template <typename T>
using Controlled = tl::expected<T, Refused>;

using StreamPtr = std::shared_ptr<Stream>;

// All streams of one data directory: finds them, changes their shape, and sees to what time brings
// (passing states, retention, on-demand scaling).
//
// Find...() and List() are for any thread and take no lock. Control operations block on the catalog:
// call them from a Job. They are serialised; each is one catalog transaction, committed before the
// new state is published. RunDue() is the Task's step.
class StreamRegistry {
 public:
  static base::Result<std::unique_ptr<StreamRegistry>> Open(RegistryEnvironment environment,
                                                            RegistryOptions options);
  ~StreamRegistry();

  // Null when there is none. Streams in DELETING are found.
  StreamPtr Find(const StreamKeyView& key) const;
  StreamPtr FindByUuid(const StreamUuid& uuid) const;
  StreamPtr FindByStreamId(std::string_view stream_id) const;
  // Of one account and region, by name.
  std::vector<StreamPtr> List(std::string_view account, std::string_view region) const;
  std::vector<StreamPtr> ListAll() const;

  const IteratorSealer& iterators() const { return *sealer_; }
  const Limits& limits() const { return options_.limits; }
  const RegistryOptions& options() const { return options_; }
  base::Clock& clock() const { return *environment_.clock; }
  log::Store& log() const { return *environment_.log; }

  // One call of a control operation within its rate? Any thread.
  bool TryControl(std::string_view account, std::string_view region, std::string_view operation,
                  int64_t per_second);

  Controlled<StreamPtr> Create(const StreamKey& key, const CreateOptions& options);
  Controlled<void> Delete(Stream& stream, bool enforce_consumer_deletion);
  Controlled<void> Split(Stream& stream, ShardId shard, HashKey new_start);
  Controlled<void> Merge(Stream& stream, ShardId shard, ShardId adjacent);
  struct ShardCount {
    uint32_t before;
    uint32_t target;
  };
  Controlled<ShardCount> UpdateShardCount(Stream& stream, uint32_t target);
  Controlled<void> SetMode(Stream& stream, StreamMode mode, std::optional<int32_t> warm_mibps);
  Controlled<void> SetWarmThroughput(Stream& stream, int32_t mibps);
  Controlled<void> SetRetention(Stream& stream, int64_t retention_ms);
  Controlled<void> SetRecordBytesMax(Stream& stream, int64_t bytes);
  struct MetricsChange {
    ShardMetricSet before;
    ShardMetricSet after;
  };
  Controlled<MetricsChange> SetShardMetrics(Stream& stream, ShardMetricSet add,
                                            ShardMetricSet remove);
  Controlled<void> StartEncryption(Stream& stream, std::string_view key_id);
  Controlled<void> StopEncryption(Stream& stream);
  Controlled<void> ChangeTags(Stream& stream, const std::map<std::string, std::string>& put,
                              const std::vector<std::string>& remove);
  Controlled<void> SetPolicy(Stream& stream, std::string policy);  // empty: removes it

  Controlled<Consumer> RegisterConsumer(Stream& stream, std::string_view name,
                                        const std::map<std::string, std::string>& tags);
  Controlled<void> DeregisterConsumer(Stream& stream, std::string_view name);
  Controlled<void> ChangeConsumerTags(Stream& stream, std::string_view name,
                                      const std::map<std::string, std::string>& put,
                                      const std::vector<std::string>& remove);
  Controlled<void> SetConsumerPolicy(Stream& stream, std::string_view name, std::string policy);

  AccountSettings Settings(std::string_view account, std::string_view region) const;
  Controlled<AccountSettings> SetBillingCommitment(std::string_view account,
                                                   std::string_view region, bool enabled);
  struct Usage {
    int64_t open_shards = 0;
    int64_t on_demand_streams = 0;
  };
  Usage UsageOf(std::string_view account, std::string_view region) const;

  // Does what is due: ends passing states, trims, forgets expired shards, scales on-demand streams.
  // Returns when to come back (wall clock, ms). Called by the Task; tests call it themselves.
  int64_t RunDue();
  // Runs RunDue on the executor until Stop().
  void StartTask(base::TaskExecutor& executor);
  void Stop();

 private:
  class Control;
  struct Implementation;
  StreamRegistry(RegistryEnvironment environment, RegistryOptions options);

  const RegistryEnvironment environment_;
  const RegistryOptions options_;
  std::unique_ptr<IteratorSealer> sealer_;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace millstream::streams
