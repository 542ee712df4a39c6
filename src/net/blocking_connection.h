#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millstream::net {

// A client's connection for programs that wait: the command line. TCP, or TLS with the peer's
// certificate and name verified. One thread.
class BlockingConnection {
 public:
  struct Target {
    std::string host;
    uint16_t port = 0;
    bool tls = false;
    std::string ca_file;          // trusted beside the system's authorities; may be empty
    int64_t timeout_ms = 60'000;  // of one read or write
  };
  // kUnavailable when nobody answers there.
  static base::Result<std::unique_ptr<BlockingConnection>> Open(const Target& target);
  virtual ~BlockingConnection() = default;

  virtual base::Status WriteAll(std::string_view bytes) = 0;
  // At least one byte; 0 at the end.
  virtual base::Result<std::size_t> Read(char* to, std::size_t size) = 0;
};

}  // namespace millstream::net
