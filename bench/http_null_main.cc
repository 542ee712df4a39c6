// The HTTP server with nothing behind it: every request is read whole and answered with two bytes.
// What nginx's `return 200` is compared to.
//
//   http_null [--port N] [--loops N] [--hash 0|1] [--spin-us N] [--certificate F --key F]
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "http/server.h"

namespace {

class NullHandler final : public millstream::http::Handler {
 public:
  void Handle(millstream::http::Request, millstream::http::Responder responder) override {
    millstream::http::Response response;
    response.headers.AppendLines("content-type: application/x-amz-json-1.1\r\n");
    response.body = millstream::base::Bytes::Static("{}");
    std::move(responder).Send(std::move(response));
  }
};

}  // namespace

int main(int argc, char** argv) {
  using millstream::net::Loop;
  millstream::http::ServerOptions options;
  options.port = 0;
  int loop_count = 1;
  int64_t spin_ns = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string name = argv[i];
    if (name == "--port") options.port = static_cast<uint16_t>(std::atoi(argv[i + 1]));
    if (name == "--loops") loop_count = std::atoi(argv[i + 1]);
    if (name == "--hash") options.hash_bodies = std::atoi(argv[i + 1]) != 0;
    if (name == "--spin-us") spin_ns = std::atol(argv[i + 1]) * 1000;
    if (name == "--certificate") options.tls_certificate_file = argv[i + 1];
    if (name == "--key") options.tls_key_file = argv[i + 1];
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  millstream::base::SystemClock clock;
  std::vector<std::unique_ptr<Loop>> loops;
  std::vector<Loop*> borrowed;
  std::vector<std::thread> threads;
  for (int i = 0; i < loop_count; ++i) {
    auto loop = Loop::Create(clock, {.spin_ns = spin_ns});
    if (!loop) {
      std::fprintf(stderr, "%s\n", loop.error().message().c_str());
      return 1;
    }
    loops.push_back(std::move(*loop));
    borrowed.push_back(loops.back().get());
    threads.emplace_back([at = loops.back().get()] { at->Run(); });
  }
  NullHandler handler;
  auto server = millstream::http::Server::Start(borrowed, clock, handler, options);
  if (server) {
    std::printf("%d\n", (*server)->port());
    std::fflush(stdout);
    int signal = 0;
    sigwait(&signals, &signal);
    (*server)->Stop(1000);
  } else {
    std::fprintf(stderr, "%s\n", server.error().message().c_str());
  }
  for (auto& loop : loops) loop->Stop();
  for (auto& thread : threads) thread.join();
  return server ? 0 : 1;
}
