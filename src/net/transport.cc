#include "net/transport.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace millstream::net {
namespace {

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(Socket socket) : socket_(std::move(socket)) {}

  IoResult Read(char* to, std::size_t size) override {
    while (true) {
      ssize_t got = recv(socket_.fd(), to, size, 0);
      if (got > 0) return {IoResult::State::kOk, static_cast<std::size_t>(got)};
      if (got == 0) return {IoResult::State::kClosed};
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return {IoResult::State::kWouldBlock};
      return {IoResult::State::kFailed};
    }
  }

  IoResult Write(const iovec* parts, int count) override {
    if (count == 0) return {IoResult::State::kOk};
    while (true) {
      ssize_t sent;
      if (count == 1) {
        sent = send(socket_.fd(), parts->iov_base, parts->iov_len, MSG_NOSIGNAL);
      } else {
        msghdr message{};
        message.msg_iov = const_cast<iovec*>(parts);
        message.msg_iovlen = static_cast<std::size_t>(count);
        sent = sendmsg(socket_.fd(), &message, MSG_NOSIGNAL);
      }
      if (sent >= 0) return {IoResult::State::kOk, static_cast<std::size_t>(sent)};
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return {IoResult::State::kWouldBlock};
      return {IoResult::State::kFailed};
    }
  }

  void ShutdownWrite() override { shutdown(socket_.fd(), SHUT_WR); }
  int fd() const override { return socket_.fd(); }

 private:
  Socket socket_;
};

}  // namespace

std::unique_ptr<Transport> MakePlainTransport(Socket socket) {
  return std::make_unique<PlainTransport>(std::move(socket));
}

}  // namespace millstream::net
