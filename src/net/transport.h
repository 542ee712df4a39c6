#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <string_view>

#include "net/socket.h"

namespace millstream::net {

// What one read or write achieved.
struct IoResult {
  enum class State {
    kOk,          // `bytes` were moved; fewer than asked: the socket is drained or full for now
    kWouldBlock,  // nothing moved; wait for the next edge
    kClosed,      // read: the peer sends no more
    kFailed,      // the connection is broken
  } state;
  std::size_t bytes = 0;
};

// A non-blocking byte stream over a socket, in the clear or in TLS. Made for edge-triggered
// readiness: a short count means that nothing more is to be had until the next event.
// One thread.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual IoResult Read(char* to, std::size_t size) = 0;
  // Writes as much of the parts as the socket takes. kOk with fewer bytes than given: full.
  virtual IoResult Write(const iovec* parts, int count) = 0;
  // Bytes taken by Write() (or made by the handshake) that the socket has not taken yet; Write()
  // with no parts tries again.
  virtual bool has_unsent() const { return false; }
  // No more will be written: sends FIN (and before it TLS's close_notify).
  virtual void ShutdownWrite() = 0;
  virtual bool tls() const { return false; }
  // The protocol chosen in the TLS handshake ("h2"); empty when there was none.
  virtual std::string_view alpn() const { return {}; }
  virtual int fd() const = 0;
};

std::unique_ptr<Transport> MakePlainTransport(Socket socket);

}  // namespace millstream::net
