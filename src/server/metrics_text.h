#pragma once

#include <string>

#include "analytics/applications.h"
#include "aws/front_door.h"
#include "base/clock.h"
#include "http/server.h"
#include "log/store.h"
#include "server/audit_trail.h"
#include "streams/registry.h"

namespace millstream::server {

// What /metrics shows. Pointers may be null: then their part is left out.
struct MetricsSources {
  const http::Server* http = nullptr;
  const aws::FrontDoor* front_door = nullptr;
  const log::Store* log = nullptr;
  const streams::StreamRegistry* streams = nullptr;
  const AuditTrail* audit = nullptr;
  const analytics::Applications* applications = nullptr;
  int64_t started_ms = 0;
  int64_t startup_ns = 0;
};

// The Prometheus page. Stream figures are those that CloudWatch has for Kinesis; shard figures are
// there for what enhanced monitoring turned on, as in CloudWatch. Takes time with many streams:
// called from a Job.
std::string WriteMetricsText(const MetricsSources& sources);

}  // namespace millstream::server
