#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/transport.h"

struct ssl_ctx_st;

namespace millstream::net {

// A server's certificate, key and TLS settings: TLS 1.2 and 1.3, ALPN "h2" and "http/1.1".
// Immutable, hence shareable between threads.
class TlsContext {
 public:
  static base::Result<std::unique_ptr<TlsContext>> Load(const std::string& certificate_file,
                                                        const std::string& key_file);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // The server's end of a connection whose client starts the handshake. It runs within the
  // transport's first reads; null when out of memory.
  std::unique_ptr<Transport> Accept(Socket socket) const;

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* const context_;
};

struct TlsClientOptions {
  std::string host;          // checked against the certificate; a name or a numeric address
  std::string ca_file = {};  // PEM; empty: the authorities of the system
  bool verify = true;
  std::string alpn = "http/1.1";  // the one protocol offered
  int64_t timeout_ms = 30'000;
};

// The client's end, for our own tools: waits until the handshake over the connected, non-blocking
// socket is done.
base::Result<std::unique_ptr<Transport>> ConnectTls(Socket socket, const TlsClientOptions& options);

}  // namespace millstream::net
