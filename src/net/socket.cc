#include "net/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace millstream::net {
namespace {

constexpr int kBacklog = 4096;

base::Result<SocketAddress> ParseNumeric(std::string text, uint16_t port) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
  }
  SocketAddress address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    address.size = sizeof(sockaddr_in);
  } else if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    address.size = sizeof(sockaddr_in6);
  } else {
    return base::Fail(base::Code::kInvalidArgument,
                      "not a numeric address, \"localhost\" or \"*\": " + text);
  }
  address.set_port(port);
  return address;
}

base::Error SocketError(const char* what, const SocketAddress& address) {
  int error_number = errno;
  bool taken = error_number == EADDRINUSE;
  std::string host = address.host();
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return base::Error(taken ? base::Code::kAlreadyExists : base::Code::kUnavailable,
                     std::string(what) + " " + host + ":" + std::to_string(address.port()) +
                         " failed: " + strerror(error_number));
}

base::Result<Socket> Bind(const SocketAddress& address, bool shared) {
  Socket socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return base::Fail(SocketError("opening a socket for", address));
  int on = 1;
  setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shared) setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  // Accepted sockets inherit these two, which saves two calls for each.
  setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(socket.fd(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (address.storage.ss_family == AF_INET6) {
    setsockopt(socket.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0) {
    return base::Fail(SocketError("binding", address));
  }
  return socket;
}

}  // namespace

uint16_t SocketAddress::port() const {
  if (storage.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
}

void SocketAddress::set_port(uint16_t port) {
  if (storage.ss_family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&storage)->sin_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port = htons(port);
  }
}

std::string SocketAddress::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr, text,
              sizeof text);
  } else if (storage.ss_family == AF_INET6) {
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
      inet_ntop(AF_INET, &v6.s6_addr[12], text, sizeof text);
    } else {
      inet_ntop(AF_INET6, &v6, text, sizeof text);
    }
  }
  return text;
}

void Socket::Reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

base::Result<std::vector<SocketAddress>> ListenAddresses(const std::string& text, uint16_t port) {
  std::vector<SocketAddress> addresses;
  if (text == "localhost") {
    ASSIGN_OR_RETURN(addresses.emplace_back(), ParseNumeric("127.0.0.1", port));
    ASSIGN_OR_RETURN(addresses.emplace_back(), ParseNumeric("::1", port));
  } else if (text == "*") {
    ASSIGN_OR_RETURN(addresses.emplace_back(), ParseNumeric("0.0.0.0", port));
    ASSIGN_OR_RETURN(addresses.emplace_back(), ParseNumeric("::", port));
  } else {
    ASSIGN_OR_RETURN(addresses.emplace_back(), ParseNumeric(text, port));
  }
  return addresses;
}

base::Result<Socket> Listen(const SocketAddress& address, bool shared) {
  ASSIGN_OR_RETURN(Socket socket, Bind(address, shared));
  if (listen(socket.fd(), kBacklog) != 0) {
    return base::Fail(SocketError("listening on", address));
  }
  return socket;
}

base::Status CheckAddressIsFree(const SocketAddress& address) {
  ASSIGN_OR_RETURN(Socket probe, Bind(address, false));
  return {};
}

base::Result<SocketAddress> LocalAddress(int fd) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) {
    return base::Fail(base::Code::kInternal, std::string("getsockname failed: ") + strerror(errno));
  }
  return address;
}

}  // namespace millstream::net
