#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "http/connection.h"
#include "http/http1_parser.h"
#include "http/metrics.h"
#include "http/server.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/tls.h"

namespace millstream::http {

// What the workers of one server share.
struct ServerShared {
  ServerShared(ServerOptions server_options, base::Clock& server_clock, Handler& server_handler)
      : options(std::move(server_options)), clock(server_clock), handler(server_handler) {}

  const ServerOptions options;
  base::Clock& clock;
  Handler& handler;
  Metrics metrics;
  std::atomic<std::size_t> buffered_body_bytes{0};
  std::atomic<std::size_t> connections{0};
  std::unique_ptr<net::TlsContext> tls;  // null: plaintext only
};

// Names a connection of one worker for ever: the slot is used again, the generation is not.
struct ConnectionId {
  uint32_t slot = 0;
  uint32_t generation = 0;
};

// The part of a server that lives on one loop: its listeners and connections. Everything runs on
// the loop's thread except Post*(), which responders call from anywhere and which outlive it: they
// hold the worker, and after Close() what they bring is dropped.
class Worker : public std::enable_shared_from_this<Worker> {
 public:
  Worker(net::Loop& loop, std::shared_ptr<ServerShared> shared);
  ~Worker();

  // From the server's owner, with the loop running or not yet.
  void Start(std::vector<net::Socket> sockets);
  void BeginDrain();
  bool WaitUntilEmpty(int64_t timeout_ms);
  void Close();  // closes everything and waits for that

  // Any thread. What one turn's worth of calls brings wakes the loop once.
  void PostAnswer(ConnectionId connection, StreamId stream, Answer answer);
  void PostChannelReady(ConnectionId connection, StreamId stream);

  // For connections, on the loop.
  net::Loop& loop() { return loop_; }
  ServerShared& shared() { return *shared_; }
  TurnCounts& counts() { return counts_; }
  PairHasher& hasher() { return hasher_; }
  Http1Head& head_scratch() { return head_scratch_; }
  std::span<char> read_scratch() { return {read_scratch_.get(), kReadScratchBytes}; }
  std::string_view date_line();
  bool draining() const { return draining_; }
  void FlushLater(Connection& connection);
  void ReadLater(Connection& connection);
  void Remove(Connection& connection);  // destroyed when the turn is over

 private:
  static constexpr std::size_t kReadScratchBytes = 128 << 10;

  struct Completion {
    ConnectionId connection;
    StreamId stream;
    bool channel_ready;
    Answer answer;
  };
  struct Slot {
    uint32_t generation = 0;
    std::unique_ptr<Connection> connection;
  };

  void Accept(net::Socket socket, std::string peer_address);
  void Deliver(Completion completion);
  void DrainCompletions();
  Connection* Find(ConnectionId id);
  void ReadAgain();
  void EndTurn();
  void CheckTimeouts();
  void ArmTimeoutTimer();
  void RunOnLoop(base::Function<void()> work);

  net::Loop& loop_;
  const std::shared_ptr<ServerShared> shared_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_slots_;
  std::size_t open_ = 0;
  bool draining_ = false;
  bool closing_ = false;

  std::vector<ConnectionId> flush_;  // to be flushed at the end of this turn
  std::vector<ConnectionId> flushing_;
  std::vector<ConnectionId> read_;  // have more to read in the next turn
  std::vector<ConnectionId> reading_;
  bool read_posted_ = false;
  std::vector<std::unique_ptr<Connection>> removed_;
  std::vector<Completion> local_;  // completions made on the loop's own thread

  TurnCounts counts_;
  Http1Head head_scratch_;
  PairHasher hasher_;
  std::unique_ptr<char[]> read_scratch_;
  std::string date_line_;
  int64_t date_second_ = -1;
  int64_t date_checked_ns_ = -1;
  net::Loop::HookId hook_ = 0;
  net::Loop::HookId hash_hook_ = 0;
  net::Loop::TimerId timeout_timer_ = 0;

  std::mutex mutex_;
  std::condition_variable emptied_;
  std::vector<Completion> completions_;  // guarded by mutex_
  bool closed_ = false;                  // guarded by mutex_
  bool empty_ = true;                    // guarded by mutex_: open_ == 0 and draining
  std::vector<Completion> delivering_;
};

}  // namespace millstream::http
