#pragma once

#include "base/metrics.h"

namespace millstream::streams {

// What moved through one shard, under CloudWatch's meanings. Relaxed counters since the start.
struct ShardMetrics {
  base::Counter incoming_bytes;
  base::Counter incoming_records;
  base::Counter outgoing_bytes;
  base::Counter outgoing_records;
  base::Counter write_throttled;  // WriteProvisionedThroughputExceeded
  base::Counter read_throttled;   // ReadProvisionedThroughputExceeded
  base::Gauge iterator_age_ms;    // of the last GetRecords
};

struct StreamMetrics {
  base::Counter put_record_requests;
  base::Counter put_record_success;
  base::Counter put_record_bytes;
  base::Counter put_records_requests;
  base::Counter put_records_success;       // requests with at least one record accepted
  base::Counter put_records_total;         // records asked for
  base::Counter put_records_successful;    // records accepted
  base::Counter put_records_failed;        // internal failures
  base::Counter put_records_throttled;
  base::Counter put_records_bytes;
  base::Counter get_records_requests;
  base::Counter get_records_success;
  base::Counter get_records_records;
  base::Counter get_records_bytes;
  base::Gauge get_records_iterator_age_ms;
  base::Counter subscribe_success;
  base::Counter subscribe_rate_exceeded;
  base::Counter subscribe_events;
  base::Counter subscribe_records;
  base::Counter subscribe_bytes;
  base::Gauge subscribe_millis_behind;
};

}  // namespace millstream::streams
