#pragma once

#include <cstdint>

namespace millstream::streams {

// The figures that AWS enforces, all of which an operator may change. `enforced = false` turns off
// everything that depends on rates and counts; sizes of single requests stay.
struct Limits {
  bool enforced = true;

  // Per shard.
  int64_t write_bytes_per_s = 1 << 20;
  int64_t write_records_per_s = 1000;
  int64_t write_burst_bytes = 10 << 20;  // for records above 1 MiB, refilled at write_bytes_per_s
  int64_t read_bytes_per_s = 2 << 20;
  int64_t read_calls_per_s = 5;
  int64_t fan_out_bytes_per_s = 2 << 20;  // per consumer and shard

  // Per request.
  int32_t page_records_max = 10'000;
  int64_t page_bytes_max = 10 << 20;  // data and partition keys
  int64_t put_records_bytes_max = 10 << 20;
  int32_t put_records_max = 500;

  // Per account and region.
  int64_t shards_max = 20'000;
  int64_t on_demand_streams_max = 50;
  int64_t streams_creating_max = 5;
  int64_t consumers_max = 20;            // per stream
  int64_t consumers_advantage_max = 50;  // with On-demand Advantage
  int64_t consumers_creating_max = 5;
  int64_t shard_count_updates_per_day = 10;
  int64_t shard_count_max = 10'000;      // target of UpdateShardCount
  int64_t tags_max = 50;
  int64_t on_demand_shards_max = 10'240;

  // Calls per second of control operations; DescribeLimits has 1, ListShards 1000.
  bool control_rates = true;
};

// How long a stream stays in its passing states.
struct TransitionTimes {
  int64_t create_ms = 500;
  int64_t update_ms = 500;
  int64_t delete_ms = 500;
  int64_t consumer_ms = 500;
};

struct OnDemandOptions {
  int64_t interval_ms = 60'000;          // how often load is judged
  double split_above = 0.5;              // share of a shard's quota over one interval
  double merge_below = 0.2;              // share of the stream's capacity at its peak
  int64_t shrink_after_ms = 24 * 3'600'000LL;  // how long the peak is remembered
  uint32_t shards_initial = 4;
};

}  // namespace millstream::streams
