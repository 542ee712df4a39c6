#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "streams/resharding.h"
#include "streams/shard.h"
#include "streams/shard_iterator.h"
#include "streams/stream_key.h"

namespace millstream::streams {

enum class StreamStatus : uint8_t { kCreating, kActive, kUpdating, kDeleting };
enum class StreamMode : uint8_t { kProvisioned, kOnDemand };
enum class ConsumerStatus : uint8_t { kCreating, kActive, kDeleting };

// CloudWatch's shard-level metrics, as bits in the order AWS lists them.
enum class ShardMetric : uint8_t {
  kIncomingBytes,
  kIncomingRecords,
  kOutgoingBytes,
  kOutgoingRecords,
  kWriteProvisionedThroughputExceeded,
  kReadProvisionedThroughputExceeded,
  kIteratorAgeMilliseconds,
};
using ShardMetricSet = uint8_t;
inline constexpr ShardMetricSet kAllShardMetrics = 0x7f;

// The data key that values are encrypted with, unwrapped; immutable.
struct DataKey {
  uint32_t number = 0;  // within its stream; records carry it
  std::array<uint8_t, 32> secret{};
};

struct Encryption {
  std::string key_id;  // as the caller gave it: id, ARN or alias
  std::shared_ptr<const DataKey> data_key;
};

// An enhanced fan-out consumer.
struct Consumer {
  std::string name;
  int64_t created_s = 0;  // ends its ARN
  ConsumerStatus status = ConsumerStatus::kCreating;
  int64_t change_due_ms = 0;  // when CREATING or DELETING ends
  std::map<std::string, std::string> tags;
  std::string policy;  // JSON text; empty when none
};

// A shard as a snapshot shows it: facts of that moment, and the living shard.
struct ShardEntry {
  ShardFacts facts;
  std::shared_ptr<Shard> shard;
  std::vector<ShardId> children;
};

// Everything that describes a stream at one moment. Immutable; replaced as a whole.
struct StreamState {
  StreamStatus status = StreamStatus::kCreating;
  StreamMode mode = StreamMode::kProvisioned;
  int64_t retention_ms = 24 * 3'600'000LL;
  int64_t record_bytes_max = 1 << 20;  // data and partition key
  int32_t warm_throughput_mibps = 0;   // 0: never set
  ShardMetricSet shard_metrics = 0;
  std::optional<Encryption> encryption;
  // Every data key that retained records may need.
  std::vector<std::shared_ptr<const DataKey>> data_keys;
  std::vector<Consumer> consumers;  // by name
  std::map<std::string, std::string> tags;
  std::string policy;
  std::vector<int64_t> shard_count_updates_ms;  // of the last 24 hours
  std::vector<int64_t> mode_updates_ms;         // the same

  // What ends a passing status: at change_due_ms (wall clock) a CREATING stream gets its
  // initial_shards, an UPDATING one is resharded by `steps`, a DELETING one goes.
  int64_t change_due_ms = 0;
  uint32_t initial_shards = 0;
  std::vector<ReshardStep> steps;

  // By index, oldest first; closed ones until retention has passed. Empty while CREATING.
  std::vector<ShardEntry> shards;
  uint32_t next_shard_index = 0;

  // Open shards by the start of their ranges, which partition the key space: where writes go.
  struct Route {
    HashKey start;
    Shard* shard;  // owned by `shards`
  };
  std::vector<Route> routes;

  std::size_t open_shards() const { return routes.size(); }
  // Requires !routes.empty().
  Shard& RouteOf(HashKey key) const;
  const ShardEntry* FindShard(ShardId id) const;
  const Consumer* FindConsumer(std::string_view name) const;
  // Makes `routes` and the children of each shard from `shards`.
  void Index();
};

}  // namespace millstream::streams
