#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

// Sockets as the rest of net/ uses them: non-blocking, closed on exec.
namespace millstream::net {

// A numeric address and port.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  uint16_t port() const;
  void set_port(uint16_t port);
  std::string host() const;  // "127.0.0.1", "::1"; IPv4 mapped into IPv6 is shown as IPv4
};

// A descriptor with one owner.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(other.Release()) {}
  Socket& operator=(Socket&& other) noexcept {
    if (this != &other) Reset(other.Release());
    return *this;
  }
  ~Socket() { Reset(-1); }

  int fd() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void Reset(int fd);

 private:
  int fd_ = -1;
};

// The addresses a server binds for `text`: a numeric IPv4 or IPv6 address (brackets allowed), "*"
// for every interface, or "localhost" for both loopback addresses.
base::Result<std::vector<SocketAddress>> ListenAddresses(const std::string& text, uint16_t port);

// Binds and listens. With `shared`, several sockets of this process share the port and the kernel
// spreads connections over them; a port that somebody else holds is still an error.
base::Result<Socket> Listen(const SocketAddress& address, bool shared);
// Fails when another socket, even a shared one, holds the address.
base::Status CheckAddressIsFree(const SocketAddress& address);

base::Result<SocketAddress> LocalAddress(int fd);

}  // namespace millstream::net
