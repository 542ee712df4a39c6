#include "http/metrics.h"

namespace millstream::http {
namespace {

void Move(uint64_t& from, base::Counter& to) {
  if (from != 0) to.Add(from);
  from = 0;
}

}  // namespace

void TurnCounts::MoveTo(Metrics& metrics) {
  Move(accepted, metrics.connections_accepted_total);
  Move(refused_connections, metrics.connections_refused_total);
  if (open_change != 0) metrics.connections_open.Add(open_change);
  open_change = 0;
  Move(requests_http1, metrics.requests_http1_total);
  Move(requests_http2, metrics.requests_http2_total);
  Move(requests_refused, metrics.requests_refused_total);
  Move(responses, metrics.responses_total);
  Move(responses_5xx, metrics.responses_5xx_total);
  Move(received_bytes, metrics.received_bytes_total);
  Move(sent_bytes, metrics.sent_bytes_total);
  Move(resets, metrics.resets_total);
  Move(timeouts, metrics.timeouts_total);
  Move(tls_handshakes, metrics.tls_handshakes_total);
  Move(tls_failures, metrics.tls_failures_total);
}

}  // namespace millstream::http
