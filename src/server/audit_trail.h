#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "aws/audit.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/random.h"
#include "streams/registry.h"
#include "streams/stream_key.h"

namespace millstream::server {

struct AuditMetrics {
  base::Counter recorded_total;
  base::Counter written_total;
  base::Counter dropped_total;  // the queue was full, or the log refused for good
  base::Gauge queue_events;
};

// Writes one CloudTrail-shaped JSON record for each API call to a stream that any client can read.
//
// Record() queues on the caller's loop and never blocks; a Task takes batches from the queue to the
// stream. Above the queue's bound events are dropped and counted. Its own puts do not come through
// the front door, so they are not audited; reads of the audit stream by clients are left out too,
// since a reader that follows the stream would make the events it reads.
class AuditTrail final : public aws::AuditSink {
 public:
  struct Options {
    streams::StreamKey stream;
    aws::AuditLevel level = aws::AuditLevel::kAll;
    std::size_t queue_events_max = 10'000;
  };
  AuditTrail(streams::StreamRegistry& registry, base::Clock& clock, base::Random& random,
             Options options);
  ~AuditTrail() override;

  void Start(base::TaskExecutor& executor);
  // Writes what is queued, as far as it can within a second, and waits.
  void Stop();

  aws::AuditLevel level() const override { return options_.level; }
  void Record(aws::AuditEvent event) override;

  const AuditMetrics& metrics() const { return metrics_; }

 private:
  class Writer;

  const Options options_;
  const std::string stream_arn_suffix_;  // ":REGION:ACCOUNT:stream/NAME"
  AuditMetrics metrics_;
  std::mutex mutex_;
  std::deque<aws::AuditEvent> queue_;  // guarded by mutex_
  base::TaskExecutor* executor_ = nullptr;
  base::TaskExecutor::TaskId task_ = 0;
  std::shared_ptr<Writer> writer_;
};

}  // namespace millstream::server
