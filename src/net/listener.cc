#include "net/listener.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/logging.h"

namespace millstream::net {
namespace {

constexpr int kAcceptsPerTurn = 64;  // level-triggered: the rest comes in the next turn

}  // namespace

Listener::Listener(Loop& loop, Socket socket, Accepted accepted)
    : loop_(loop),
      socket_(std::move(socket)),
      reserve_(open("/dev/null", O_RDONLY | O_CLOEXEC)),
      accepted_(std::move(accepted)) {}

Listener::~Listener() {
  if (socket_.valid()) loop_.Unwatch(socket_.fd());
}

base::Status Listener::Start() {
  return loop_.Watch(socket_.fd(), EPOLLIN, [this](uint32_t) { Accept(); });
}

void Listener::Accept() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    SocketAddress peer;
    peer.size = sizeof peer.storage;
    int fd = accept4(socket_.fd(), reinterpret_cast<sockaddr*>(&peer.storage), &peer.size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      accepted_(Socket(fd), peer.host());
      continue;
    }
    if (errno == EMFILE || errno == ENFILE) {
      RefuseOne();
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    return;  // EAGAIN, or a network error that belongs to the connection that is gone
  }
}

void Listener::RefuseOne() {
  LOG_WARN("connection refused: out of file descriptors");
  reserve_.Reset(-1);
  Socket refused(accept(socket_.fd(), nullptr, nullptr));
  refused.Reset(-1);
  reserve_.Reset(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace millstream::net
