#include "http/worker.h"

#include <algorithm>
#include <chrono>
#include <ctime>

#include "base/check.h"
#include "base/logging.h"

namespace millstream::http {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

std::string DateLine(int64_t second) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::time_t time = static_cast<std::time_t>(second);
  std::tm utc{};
  gmtime_r(&time, &utc);
  char text[64];
  int size = std::snprintf(text, sizeof text, "date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                           kDays[utc.tm_wday], utc.tm_mday, kMonths[utc.tm_mon], utc.tm_year + 1900,
                           utc.tm_hour, utc.tm_min, utc.tm_sec);
  return std::string(text, static_cast<std::size_t>(std::min(size, 63)));
}

}  // namespace

Worker::Worker(net::Loop& loop, std::shared_ptr<ServerShared> shared)
    : loop_(loop),
      shared_(std::move(shared)),
      read_scratch_(std::make_unique_for_overwrite<char[]>(kReadScratchBytes)) {}

Worker::~Worker() { CHECK_MSG(open_ == 0, "a worker is closed before it goes"); }

void Worker::Start(std::vector<net::Socket> sockets) {
  RunOnLoop([self = shared_from_this(), sockets = std::move(sockets)]() mutable {
    self->hook_ = self->loop_.AddTurnEndHook([worker = self.get()] { worker->EndTurn(); },
                                             net::Loop::kHookOrderSockets);
    self->hash_hook_ = self->loop_.AddTurnEndHook(
        [worker = self.get()] { worker->hasher_.Flush(); }, net::Loop::kHookOrderReceived);
    self->ArmTimeoutTimer();
    for (net::Socket& socket : sockets) {
      auto listener = std::make_unique<net::Listener>(
          self->loop_, std::move(socket),
          [worker = self.get()](net::Socket accepted, std::string peer) {
            worker->Accept(std::move(accepted), std::move(peer));
          });
      auto started = listener->Start();
      if (!started) LOG_ERROR("listener does not start", {"error", started.error().message()});
      self->listeners_.push_back(std::move(listener));
    }
  });
}

void Worker::RunOnLoop(base::Function<void()> work) {
  if (loop_.IsCurrent()) {
    work();
  } else {
    loop_.Post(std::move(work));
  }
}

void Worker::Accept(net::Socket socket, std::string peer_address) {
  ++counts_.accepted;
  if (shared_->connections.fetch_add(1) >= shared_->options.connections_max) {
    shared_->connections.fetch_sub(1);
    ++counts_.refused_connections;
    return;  // closes
  }
  uint32_t slot;
  if (free_slots_.empty()) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  ++open_;
  ++counts_.open_change;
  uint32_t generation = ++slots_[slot].generation;
  slots_[slot].connection = std::make_unique<Connection>(*this, slot, generation, std::move(socket),
                                                         std::move(peer_address));
  Connection& connection = *slots_[slot].connection;
  if (!connection.Start()) connection.Die();
}

Connection* Worker::Find(ConnectionId id) {
  if (id.slot >= slots_.size() || slots_[id.slot].generation != id.generation) return nullptr;
  return slots_[id.slot].connection.get();
}

void Worker::Remove(Connection& connection) {
  Slot& slot = slots_[connection.slot()];
  removed_.push_back(std::move(slot.connection));
  ++slot.generation;
  free_slots_.push_back(connection.slot());
  --open_;
  --counts_.open_change;
  shared_->connections.fetch_sub(1);
}

void Worker::FlushLater(Connection& connection) {
  if (connection.flush_listed) return;
  connection.flush_listed = true;
  flush_.push_back({connection.slot(), connection.generation()});
}

void Worker::ReadLater(Connection& connection) {
  if (connection.read_listed) return;
  connection.read_listed = true;
  read_.push_back({connection.slot(), connection.generation()});
  if (read_posted_) return;
  read_posted_ = true;
  loop_.Post([self = shared_from_this()] { self->ReadAgain(); });
}

void Worker::ReadAgain() {
  read_posted_ = false;
  reading_.swap(read_);
  for (ConnectionId id : reading_) {
    Connection* connection = Find(id);
    if (connection == nullptr) continue;
    connection->read_listed = false;
    connection->ReadSome();
  }
  reading_.clear();
}

void Worker::PostAnswer(ConnectionId connection, StreamId stream, Answer answer) {
  // Not through the loop, which may be gone: the comparison needs its address only.
  if (net::Loop::Current() == &loop_) {
    // Straight to the session: it may be in the middle of the very request that is answered.
    Deliver({connection, stream, false, std::move(answer)});
    return;
  }
  std::shared_ptr<BodyChannel> dropped;
  {
    std::lock_guard lock(mutex_);
    if (closed_) {
      dropped = std::move(answer.channel);
    } else {
      completions_.push_back({connection, stream, false, std::move(answer)});
      if (completions_.size() == 1) {
        loop_.Post([self = shared_from_this()] { self->DrainCompletions(); });
      }
    }
  }
  if (dropped != nullptr) dropped->Close();
}

void Worker::PostChannelReady(ConnectionId connection, StreamId stream) {
  if (net::Loop::Current() == &loop_) {
    // A channel may be written from within the session that takes from it: at the end of the turn.
    local_.push_back({connection, stream, true, {}});
    return;
  }
  std::lock_guard lock(mutex_);
  if (closed_) return;
  completions_.push_back({connection, stream, true, {}});
  if (completions_.size() == 1) {
    loop_.Post([self = shared_from_this()] { self->DrainCompletions(); });
  }
}

void Worker::DrainCompletions() {
  {
    std::lock_guard lock(mutex_);
    delivering_.swap(completions_);
  }
  for (Completion& completion : delivering_) Deliver(std::move(completion));
  delivering_.clear();
  delivering_.swap(local_);
  for (Completion& completion : delivering_) Deliver(std::move(completion));
  delivering_.clear();
}

void Worker::Deliver(Completion completion) {
  Connection* connection = Find(completion.connection);
  if (connection == nullptr) {
    if (completion.answer.channel != nullptr) completion.answer.channel->Close();
    return;
  }
  if (completion.channel_ready) {
    connection->ChannelReady(completion.stream);
  } else {
    connection->Send(completion.stream, std::move(completion.answer));
  }
}

void Worker::EndTurn() {
  // Channels that were written on the loop this turn leave in this turn.
  if (!local_.empty()) DrainCompletions();
  // A client that has its answer finds the request counted.
  counts_.MoveTo(shared_->metrics);
  flushing_.swap(flush_);
  for (ConnectionId id : flushing_) {
    Connection* connection = Find(id);
    if (connection == nullptr) continue;
    connection->flush_listed = false;
    connection->Flush();
  }
  flushing_.clear();
  // What could not go out for fairness, and what was written while the sockets were, goes on in a
  // turn that does not block.
  if (!flush_.empty() || !local_.empty()) loop_.Post([] {});
  removed_.clear();
  counts_.MoveTo(shared_->metrics);
  shared_->metrics.buffered_body_bytes.Set(
      static_cast<int64_t>(shared_->buffered_body_bytes.load(std::memory_order_relaxed)));
  if (draining_ && open_ == 0) {
    std::lock_guard lock(mutex_);
    empty_ = true;
    emptied_.notify_all();
  }
}

std::string_view Worker::date_line() {
  if (loop_.NowNs() != date_checked_ns_) {
    date_checked_ns_ = loop_.NowNs();
    int64_t second = shared_->clock.WallMs() / 1000;
    if (second != date_second_) {
      date_second_ = second;
      date_line_ = DateLine(second);
    }
  }
  return date_line_;
}

void Worker::ArmTimeoutTimer() {
  const ServerOptions& options = shared_->options;
  int64_t shortest_ms =
      std::min({options.idle_timeout_ms, options.receive_timeout_ms, options.send_timeout_ms});
  int64_t period_ms = std::clamp<int64_t>(shortest_ms / 4, 10, draining_ ? 50 : 1000);
  timeout_timer_ = loop_.RunAfter(period_ms * kNsPerMs, [this] {
    CheckTimeouts();
    ArmTimeoutTimer();
  });
}

void Worker::CheckTimeouts() {
  int64_t now_ns = loop_.NowNs();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].connection != nullptr) slots_[i].connection->CheckTimeouts(now_ns);
  }
}

void Worker::BeginDrain() {
  {
    std::lock_guard lock(mutex_);
    empty_ = false;
  }
  RunOnLoop([self = shared_from_this()] {
    self->draining_ = true;
    self->listeners_.clear();
    for (std::size_t i = 0; i < self->slots_.size(); ++i) {
      if (self->slots_[i].connection != nullptr) self->slots_[i].connection->BeginDrain();
    }
    self->loop_.CancelTimer(self->timeout_timer_);
    self->ArmTimeoutTimer();
  });
}

bool Worker::WaitUntilEmpty(int64_t timeout_ms) {
  std::unique_lock lock(mutex_);
  return emptied_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return empty_; });
}

void Worker::Close() {
  RunOnLoop([self = shared_from_this()] {
    self->draining_ = true;
    self->listeners_.clear();
    for (std::size_t i = 0; i < self->slots_.size(); ++i) {
      if (self->slots_[i].connection != nullptr) self->slots_[i].connection->Die();
    }
    self->removed_.clear();
    self->counts_.MoveTo(self->shared_->metrics);
    self->loop_.CancelTimer(self->timeout_timer_);
    self->loop_.RemoveTurnEndHook(self->hook_);
    self->loop_.RemoveTurnEndHook(self->hash_hook_);
    std::lock_guard lock(self->mutex_);
    self->closed_ = true;
    self->completions_.clear();
    self->empty_ = true;
    self->emptied_.notify_all();
  });
  std::unique_lock lock(mutex_);
  emptied_.wait(lock, [this] { return closed_; });
}

}  // namespace millstream::http
