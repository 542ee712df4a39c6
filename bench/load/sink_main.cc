// The floor for reads: answers every request with the same bytes from memory, one thread, epoll,
// nothing else. What GetRecords costs above this is encoding and looking up.
//
//   millstream_sink --port 0 --bytes 15400000     prints the port that it listens on
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Peer {
  std::string head;
  size_t body_left = 0;
  size_t sent = 0;
  bool answering = false;
};

size_t ContentLength(std::string_view head) {
  for (const char* name : {"Content-Length: ", "content-length: "}) {
    size_t at = head.find(name);
    if (at != std::string_view::npos) return std::strtoull(head.data() + at + 16, nullptr, 10);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  int port = 0;
  size_t bytes = 1000;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--port") == 0) port = std::atoi(argv[i + 1]);
    if (std::strcmp(argv[i], "--bytes") == 0) bytes = std::strtoull(argv[i + 1], nullptr, 10);
  }
  std::string answer =
      "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\n"
      "Content-Length: " +
      std::to_string(bytes) + "\r\n\r\n";
  answer.append(bytes, 'x');

  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, 1024) != 0) {
    std::perror("listen");
    return 1;
  }
  socklen_t length = sizeof address;
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);

  int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener;
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  std::map<int, Peer> peers;
  std::vector<char> buffer(1 << 20);
  std::vector<epoll_event> events(256);
  auto rearm = [&](int fd, uint32_t what) {
    epoll_event change{};
    change.events = what;
    change.data.fd = fd;
    epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &change);
  };
  auto push = [&](int fd, Peer& peer) {
    while (peer.sent < answer.size()) {
      ssize_t n = send(fd, answer.data() + peer.sent, answer.size() - peer.sent, MSG_NOSIGNAL);
      if (n <= 0) {
        rearm(fd, EPOLLOUT);
        return;
      }
      peer.sent += static_cast<size_t>(n);
    }
    peer = Peer();
    rearm(fd, EPOLLIN);
  };
  for (;;) {
    int n = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < n; ++i) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        int accepted = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted < 0) continue;
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        epoll_event add{};
        add.events = EPOLLIN;
        add.data.fd = accepted;
        epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &add);
        peers[accepted] = Peer();
        continue;
      }
      Peer& peer = peers[fd];
      if (peer.answering) {
        push(fd, peer);
        continue;
      }
      ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
      if (got <= 0) {
        close(fd);
        peers.erase(fd);
        continue;
      }
      std::string_view data(buffer.data(), static_cast<size_t>(got));
      if (peer.body_left == 0) {
        peer.head += data;
        size_t end = peer.head.find("\r\n\r\n");
        if (end == std::string::npos) continue;
        size_t body = ContentLength(peer.head);
        size_t have = peer.head.size() - end - 4;
        peer.body_left = body > have ? body - have : 0;
      } else {
        peer.body_left -= std::min(peer.body_left, data.size());
      }
      if (peer.body_left == 0) {
        peer.answering = true;
        push(fd, peer);
      }
    }
  }
}
