#include "net/blocking_connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace millstream::net {
namespace {

using base::Code;
using base::Fail;
using base::Result;
using base::Status;

std::string ErrnoText() { return std::strerror(errno); }

std::string TlsErrorText() {
  char text[256];
  unsigned long error = ERR_get_error();
  if (error == 0) return "the peer closed the connection";
  ERR_error_string_n(error, text, sizeof text);
  return text;
}

class TcpConnection final : public BlockingConnection {
 public:
  explicit TcpConnection(int fd) : fd_(fd) {}
  ~TcpConnection() override { ::close(fd_); }
  int fd() const { return fd_; }

  Status WriteAll(std::string_view bytes) override {
    while (!bytes.empty()) {
      ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return Fail(Code::kUnavailable, "sending failed: " + ErrnoText());
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
  }

  Result<std::size_t> Read(char* to, std::size_t size) override {
    while (true) {
      ssize_t got = ::recv(fd_, to, size, 0);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) return Fail(Code::kUnavailable, "receiving failed: " + ErrnoText());
    }
  }

 private:
  const int fd_;
};

struct SslContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct SslDeleter {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

class TlsConnection final : public BlockingConnection {
 public:
  static Result<std::unique_ptr<BlockingConnection>> Wrap(std::unique_ptr<TcpConnection> tcp,
                                                          const Target& target) {
    std::unique_ptr<TlsConnection> made(new TlsConnection(std::move(tcp)));
    TRY(made->Handshake(target));
    return made;
  }

  Status WriteAll(std::string_view bytes) override {
    std::size_t written = 0;
    if (!bytes.empty() && SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written) != 1) {
      return Fail(Code::kUnavailable, "sending failed: " + TlsErrorText());
    }
    return {};
  }

  Result<std::size_t> Read(char* to, std::size_t size) override {
    std::size_t got = 0;
    if (SSL_read_ex(ssl_.get(), to, size, &got) == 1) return got;
    if (SSL_get_error(ssl_.get(), 0) == SSL_ERROR_ZERO_RETURN) return 0;
    return Fail(Code::kUnavailable, "receiving failed: " + TlsErrorText());
  }

 private:
  explicit TlsConnection(std::unique_ptr<TcpConnection> tcp) : tcp_(std::move(tcp)) {}

  Status Handshake(const Target& target) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_default_verify_paths(context_.get());
    if (!target.ca_file.empty() &&
        SSL_CTX_load_verify_locations(context_.get(), target.ca_file.c_str(), nullptr) != 1) {
      return Fail(Code::kInvalidArgument,
                  target.ca_file + " holds no certificates: " + TlsErrorText());
    }
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_tlsext_host_name(ssl_.get(), target.host.c_str());
    X509_VERIFY_PARAM* expected = SSL_get0_param(ssl_.get());
    if (X509_VERIFY_PARAM_set1_ip_asc(expected, target.host.c_str()) != 1) {
      SSL_set1_host(ssl_.get(), target.host.c_str());
    }
    ERR_clear_error();
    SSL_set_fd(ssl_.get(), tcp_->fd());
    if (SSL_connect(ssl_.get()) == 1) return {};
    long verified = SSL_get_verify_result(ssl_.get());
    std::string why =
        verified != X509_V_OK ? X509_verify_cert_error_string(verified) : TlsErrorText();
    return Fail(Code::kUnavailable, "TLS with " + target.host + " failed: " + why);
  }

  std::unique_ptr<TcpConnection> tcp_;  // closed after the session is freed
  std::unique_ptr<SSL_CTX, SslContextDeleter> context_;
  std::unique_ptr<SSL, SslDeleter> ssl_;
};

}  // namespace

Result<std::unique_ptr<BlockingConnection>> BlockingConnection::Open(const Target& target) {
  std::string where = target.host + ":" + std::to_string(target.port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int error =
      ::getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints, &found);
  if (error != 0) {
    return Fail(Code::kUnavailable, "cannot resolve " + target.host + ": " + ::gai_strerror(error));
  }
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  std::string why = "no address";
  for (addrinfo* address = found; address != nullptr; address = address->ai_next) {
    int fd = ::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return Fail(Code::kUnavailable, "no socket: " + ErrnoText());
    auto tcp = std::make_unique<TcpConnection>(fd);
    timeval timeout{.tv_sec = target.timeout_ms / 1000, .tv_usec = target.timeout_ms % 1000 * 1000};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
      why = ErrnoText();
      continue;
    }
    if (target.tls) return TlsConnection::Wrap(std::move(tcp), target);
    return std::unique_ptr<BlockingConnection>(std::move(tcp));
  }
  return Fail(Code::kUnavailable, "cannot connect to " + where + ": " + why);
}

}  // namespace millstream::net
