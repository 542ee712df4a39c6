#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "http/message.h"
#include "net/loop.h"

namespace millstream::http {

struct ServerOptions {
  std::string address = "127.0.0.1";       // numeric, "*", or "localhost" (both loopback addresses)
  uint16_t port = 4566;                    // 0: the system chooses; see Server::port()
  std::size_t body_bytes_max = 64u << 20;  // larger: 413, connection closed
  std::size_t head_bytes_max = 64u << 10;  // larger: 431
  std::size_t connections_max = 20'000;    // per server; further ones are accepted and closed
  int64_t idle_timeout_ms = 300'000;       // no request under way
  // A head must be complete within this time, and each 16 KiB of a body (slowloris): else 408.
  int64_t receive_timeout_ms = 60'000;
  int64_t send_timeout_ms = 60'000;                // a peer that does not read a finite response
  std::size_t buffered_body_bytes_max = 1u << 30;  // of all bodies being received: above, 503
  bool hash_bodies = true;                         // SHA-256 as bytes arrive
  std::string tls_certificate_file{};              // PEM chain; empty: plaintext only
  std::string tls_key_file{};
  std::size_t streams_max = 256;   // concurrent streams of one HTTP/2 connection
  std::size_t pipelined_max = 64;  // requests under way on one HTTP/1 connection; then no reading
};

// Counters of one server; read by /metrics. See http/metrics.h.
struct Metrics;

// One port that speaks HTTP/1.1 (keep-alive, pipelining), HTTP/2 (ALPN, prior knowledge on plain
// and TLS, h2c upgrade), TLS and plaintext told apart by the first byte. One listener per loop
// (SO_REUSEPORT). Start() and Stop() from the owner's thread.
class Server {
 public:
  static base::Result<std::unique_ptr<Server>> Start(std::vector<net::Loop*> loops,
                                                     base::Clock& clock, Handler& handler,
                                                     ServerOptions options);
  virtual ~Server() = default;
  virtual uint16_t port() const = 0;
  virtual const Metrics& metrics() const = 0;
  // Stops accepting, lets requests under way finish for up to `grace_ms` (HTTP/2: GOAWAY), then
  // closes everything. The loops must be running. Idempotent.
  virtual void Stop(int64_t grace_ms) = 0;
};

}  // namespace millstream::http
