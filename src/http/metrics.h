#pragma once

#include "base/metrics.h"

namespace millstream::http {

// Counters of one server. Moved by its workers once per loop turn; read by /metrics.
struct Metrics {
  base::Counter connections_accepted_total;
  base::Counter connections_refused_total;  // above connections_max
  base::Gauge connections_open;
  base::Gauge buffered_body_bytes;  // of requests being received
  base::Counter requests_http1_total;
  base::Counter requests_http2_total;
  base::Counter requests_refused_total;  // malformed or above a limit: answered by the server
  base::Counter responses_total;
  base::Counter responses_5xx_total;
  base::Counter received_bytes_total;
  base::Counter sent_bytes_total;
  base::Counter resets_total;    // connections broken or streams reset, by either side
  base::Counter timeouts_total;  // closed for being idle, slow to send or slow to read
  base::Counter tls_handshakes_total;
  base::Counter tls_failures_total;
  base::Counter unanswered_total;  // responders dropped by a bug
};

// What one worker counted since it last added to the shared Metrics.
struct TurnCounts {
  uint64_t accepted = 0;
  uint64_t refused_connections = 0;
  int64_t open_change = 0;
  uint64_t requests_http1 = 0;
  uint64_t requests_http2 = 0;
  uint64_t requests_refused = 0;
  uint64_t responses = 0;
  uint64_t responses_5xx = 0;
  uint64_t received_bytes = 0;
  uint64_t sent_bytes = 0;
  uint64_t resets = 0;
  uint64_t timeouts = 0;
  uint64_t tls_handshakes = 0;
  uint64_t tls_failures = 0;

  // Adds to `metrics` what is not zero, and starts again.
  void MoveTo(Metrics& metrics);
};

}  // namespace millstream::http
