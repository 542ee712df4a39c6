#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "http/client.h"
#include "http/metrics.h"
#include "http/server.h"
#include "net/socket.h"

// What the tests of this folder share: loops on threads, a server in front of a lambda, and a bare
// socket for what no proper client would send.
namespace millstream::http {

class LoopsForTest {
 public:
  explicit LoopsForTest(base::Clock& clock, int count = 1, int64_t spin_ns = 0) {
    for (int i = 0; i < count; ++i) {
      loops_.push_back(net::Loop::Create(clock, {.spin_ns = spin_ns}).value());
      threads_.emplace_back([loop = loops_.back().get()] { loop->Run(); });
    }
  }
  ~LoopsForTest() {
    for (auto& loop : loops_) loop->Stop();
    for (auto& thread : threads_) thread.join();
  }
  std::vector<net::Loop*> all() const {
    std::vector<net::Loop*> all;
    for (auto& loop : loops_) all.push_back(loop.get());
    return all;
  }

 private:
  std::vector<std::unique_ptr<net::Loop>> loops_;
  std::vector<std::thread> threads_;
};

class LambdaHandler final : public Handler {
 public:
  using Function = std::function<void(Request, Responder)>;
  explicit LambdaHandler(Function handle) : handle_(std::move(handle)) {}
  void Handle(Request request, Responder responder) override {
    handle_(std::move(request), std::move(responder));
  }

 private:
  Function handle_;
};

class ServerForTest {
 public:
  explicit ServerForTest(LambdaHandler::Function handle, ServerOptions options = {}, int loops = 1)
      : loops_(clock_, loops), handler_(std::move(handle)) {
    options.port = 0;
    server_ = Server::Start(loops_.all(), clock_, handler_, std::move(options)).value();
  }
  ~ServerForTest() { server_->Stop(0); }

  Server& server() { return *server_; }
  uint16_t port() const { return server_->port(); }
  const Metrics& metrics() const { return server_->metrics(); }
  std::vector<net::Loop*> loops() const { return loops_.all(); }
  ClientOptions client_options() const { return {.port = port(), .timeout_ms = 10'000}; }

 private:
  base::SystemClock clock_;
  LoopsForTest loops_;
  LambdaHandler handler_;
  std::unique_ptr<Server> server_;
};

// A blocking socket to 127.0.0.1.
class SocketForTest {
 public:
  explicit SocketForTest(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(connect(socket_.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  int fd() const { return socket_.fd(); }

  bool Send(std::string_view text) {
    while (!text.empty()) {
      ssize_t sent = send(fd(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void EndOutput() { shutdown(fd(), SHUT_WR); }
  // Closes with RST instead of FIN.
  void Reset() {
    linger hard{1, 0};
    setsockopt(fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    socket_.Reset(-1);
  }

  // Reads until `text` has come, or the end; returns all that was read since the last call.
  std::string ReadUntil(std::string_view text, int timeout_ms = 10'000) {
    std::string got;
    while (got.find(text) == std::string::npos) {
      pollfd wait{fd(), POLLIN, 0};
      if (poll(&wait, 1, timeout_ms) != 1) return got + "<timeout>";
      char part[65536];
      // Byte by byte would be exact; the tests that need it send one request at a time.
      ssize_t size = recv(fd(), part, sizeof part, 0);
      if (size == 0) return got + "<end>";
      if (size < 0) return got + "<reset>";
      got.append(part, static_cast<std::size_t>(size));
    }
    return got;
  }
  std::string ReadAll() { return ReadUntil(std::string_view("\0never\0", 7)); }

 private:
  net::Socket socket_;
};

inline Response TextResponse(std::string_view text, int status = 200) {
  Response response;
  response.status = status;
  response.body = base::Bytes::Copy(text);
  return response;
}

}  // namespace millstream::http
