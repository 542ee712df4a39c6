#pragma once

#include "base/metrics.h"

namespace millstream::log {

struct Metrics {
  base::Counter appended_batches_total;
  base::Counter appended_bytes_total;
  base::Counter commits_total;
  base::DurationHistogram commit_seconds;       // one group commit: write and sync
  base::Counter wal_bytes_written_total;        // padding included
  base::Counter segment_bytes_written_total;
  base::Counter cache_hits_total;
  base::Counter cache_misses_total;
  base::Gauge cache_bytes;
  base::Gauge append_queue_bytes;
  base::Counter corruptions_total;
  base::Gauge sealed;                           // 1 after a failed write or sync
};

}  // namespace millstream::log
