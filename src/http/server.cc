#include "http/server.h"

#include <chrono>

#include "base/check.h"
#include "base/logging.h"
#include "http/metrics.h"
#include "http/worker.h"
#include "net/socket.h"

namespace millstream::http {
namespace {

class LoopServer final : public Server {
 public:
  LoopServer(std::shared_ptr<ServerShared> shared, std::vector<std::shared_ptr<Worker>> workers,
             uint16_t port)
      : shared_(std::move(shared)), workers_(std::move(workers)), port_(port) {}
  ~LoopServer() override { Stop(0); }

  uint16_t port() const override { return port_; }
  const Metrics& metrics() const override { return shared_->metrics; }

  void Stop(int64_t grace_ms) override {
    if (stopped_) return;
    stopped_ = true;
    for (auto& worker : workers_) worker->BeginDrain();
    auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(grace_ms);
    for (auto& worker : workers_) {
      auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          deadline - std::chrono::steady_clock::now());
      if (!worker->WaitUntilEmpty(std::max<int64_t>(left.count(), 0)) && grace_ms > 0) {
        LOG_WARN("server stops with requests under way", {"grace_ms", grace_ms});
      }
    }
    for (auto& worker : workers_) worker->Close();
  }

 private:
  const std::shared_ptr<ServerShared> shared_;
  const std::vector<std::shared_ptr<Worker>> workers_;
  const uint16_t port_;
  bool stopped_ = false;
};

// One listening socket per address and loop. All addresses get the same port.
base::Result<std::vector<std::vector<net::Socket>>> OpenSockets(const ServerOptions& options,
                                                                std::size_t loops, uint16_t& port) {
  ASSIGN_OR_RETURN(auto addresses, net::ListenAddresses(options.address, options.port));
  std::vector<std::vector<net::Socket>> sockets(loops);
  port = options.port;
  bool bound = false;
  for (net::SocketAddress& address : addresses) {
    address.set_port(port);
    if (port != 0) {
      auto free = net::CheckAddressIsFree(address);
      if (!free && bound && free.error().code() != base::Code::kAlreadyExists) {
        continue;  // a host without IPv6
      }
      if (!free) return base::Fail(std::move(free).error());
    }
    for (std::size_t i = 0; i < loops; ++i) {
      address.set_port(port);
      ASSIGN_OR_RETURN(net::Socket socket, net::Listen(address, loops > 1));
      ASSIGN_OR_RETURN(net::SocketAddress local, net::LocalAddress(socket.fd()));
      port = local.port();
      sockets[i].push_back(std::move(socket));
    }
    bound = true;
  }
  return sockets;
}

}  // namespace

base::Result<std::unique_ptr<Server>> Server::Start(std::vector<net::Loop*> loops,
                                                    base::Clock& clock, Handler& handler,
                                                    ServerOptions options) {
  CHECK(!loops.empty());
  std::unique_ptr<net::TlsContext> tls;
  if (!options.tls_certificate_file.empty()) {
    ASSIGN_OR_RETURN(tls,
                     net::TlsContext::Load(options.tls_certificate_file, options.tls_key_file));
  }
  uint16_t port = 0;
  ASSIGN_OR_RETURN(auto sockets, OpenSockets(options, loops.size(), port));
  auto shared = std::make_shared<ServerShared>(std::move(options), clock, handler);
  shared->tls = std::move(tls);
  std::vector<std::shared_ptr<Worker>> workers;
  for (std::size_t i = 0; i < loops.size(); ++i) {
    workers.push_back(std::make_shared<Worker>(*loops[i], shared));
    workers.back()->Start(std::move(sockets[i]));
  }
  return std::unique_ptr<Server>(
      std::make_unique<LoopServer>(std::move(shared), std::move(workers), port));
}

}  // namespace millstream::http
