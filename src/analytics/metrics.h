#pragma once

#include "base/metrics.h"

namespace millstream::analytics {

// Of one application, over all its runs in this process. CloudWatch's names in comments.
struct ApplicationMetrics {
  base::Counter records_total;         // Records, InputProcessing.OkRecords
  base::Counter bytes_total;           // Bytes
  base::Gauge millis_behind_latest;    // MillisBehindLatest
  base::Counter results_total;         // rows for outputs
  base::Counter results_written_total; // acknowledged by their streams
  base::Counter results_refused_total; // tries that a shard throttled
  base::Counter row_errors_total;      // rows of error_stream
  base::Counter steps_total;
  base::Counter checkpoints_total;
  base::Counter checkpoint_failures_total;
  base::Gauge checkpoint_bytes;
  base::Gauge pending_bytes;           // results that wait for their streams
  base::Counter replayed_steps_total;  // after crashes
  // Results found in their streams that the replay did not give again: must stay 0.
  base::Counter replay_mismatches_total;
};

}  // namespace millstream::analytics
