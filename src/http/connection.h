#pragma once

#include <memory>
#include <string>

#include "http/output_queue.h"
#include "http/session.h"
#include "net/transport.h"

namespace millstream::http {

class Worker;

// One accepted socket: finds out what it speaks, feeds the session, sends its output. Lives on its
// worker's loop. Sockets are watched edge-triggered, once: readable_ and writable_ remember edges
// that were not used up.
class Connection final : public SessionHost {
 public:
  Connection(Worker& worker, uint32_t slot, uint32_t generation, net::Socket socket,
             std::string peer_address);
  ~Connection() override;

  bool Start();  // false: the socket is of no use
  void ReadSome();
  void Flush();
  void Send(StreamId stream, Answer answer);
  void ChannelReady(StreamId stream);
  void BeginDrain();
  void CheckTimeouts(int64_t now_ns);
  void Die();  // breaks off at once

  uint32_t slot() const { return slot_; }
  uint32_t generation() const { return generation_; }
  bool dead() const { return dead_; }

  // Set while the connection stands in a list of its worker.
  bool flush_listed = false;
  bool read_listed = false;

 private:
  // SessionHost
  OutputQueue& output() override { return output_; }
  const ServerOptions& options() const override;
  TurnCounts& counts() override;
  std::string_view date_line() override;
  Http1Head& head_scratch() override;
  PairHasher& hasher() override;
  int64_t NowNs() const override;
  bool draining() const override;
  std::shared_ptr<PeerLink> NewLink() override;
  void Dispatch(Request request, StreamId stream, const std::shared_ptr<PeerLink>& link) override;
  bool ReserveBody(std::size_t bytes) override;
  void ReleaseBody(std::size_t bytes) override;
  bool can_upgrade() const override;
  void UpgradeToHttp2(Request request, std::string_view settings, std::string_view rest) override;
  void Touched() override { AfterSession(); }
  void Abort() override { Die(); }

  void OnEvents(uint32_t events);
  bool Identify();
  void Received(std::string_view bytes);
  bool ChooseProtocol(std::string_view bytes);
  void AfterSession();
  bool WriteOnce();
  void CloseWhenSent();
  void Linger();
  void CloseForTimeout();

  Worker& worker_;
  const uint32_t slot_;
  const uint32_t generation_;
  const uint64_t id_;  // Request::connection
  std::unique_ptr<net::Transport> transport_;
  net::Socket fresh_socket_;  // until its first byte tells TLS from plaintext
  std::string peer_address_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Session> retired_session_;  // replaced by an upgrade
  OutputQueue output_;
  std::string preface_;  // bytes that may become the HTTP/2 preface

  bool readable_ = false;
  bool writable_ = true;
  bool peer_ended_ = false;   // FIN was seen by the kernel
  bool input_ended_ = false;  // and has been read
  bool lingering_ = false;    // everything is said; reads on so that the peer gets it all
  bool dead_ = false;

  int64_t idle_since_ns_;
  int64_t receive_since_ns_;
  int64_t send_since_ns_;
  int64_t linger_since_ns_ = 0;
  uint64_t receive_progress_ = 0;
  bool was_receiving_ = false;
  bool was_sending_ = false;
};

}  // namespace millstream::http
