#include "http/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>

#include "base/logging.h"
#include "http/http1_session.h"
#include "http/http2_session.h"
#include "http/worker.h"

namespace millstream::http {
namespace {

constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr char kTlsHandshakeByte = 0x16;
// Then the other connections have their turn: large bodies advance side by side, and their hashes
// are made in pairs while the bytes are in the cache.
constexpr int kReadsPerTurn = 4;
constexpr std::size_t kReadBytesPerTurn = 128 << 10;
constexpr std::size_t kSendBytesPerTurn = 2 << 20;
constexpr int kPartsPerWrite = 64;
constexpr int64_t kLingerNs = 2'000'000'000;
constexpr int64_t kLingerDrainingNs = 200'000'000;  // clients that keep idle connections open
constexpr int64_t kNsPerMs = 1'000'000;

// Answers through the worker that owns the connection; holds no pointer into either.
class LinkResponder final : public Responder::Impl {
 public:
  LinkResponder(std::shared_ptr<PeerLink> link, StreamId stream)
      : link_(std::move(link)), stream_(stream) {}

  ~LinkResponder() override {
    if (answered_ || closed()) return;
    LOG_ERROR("a request was dropped without an answer");
    link_->worker->shared().metrics.unanswered_total.Add();
    Response response;
    response.status = 500;
    Post({std::move(response), nullptr});
  }

  void Send(Response response) override {
    answered_ = true;
    Post({std::move(response), nullptr});
  }

  std::unique_ptr<BodyWriter> Stream(Response head) override {
    answered_ = true;
    auto channel = std::make_shared<BodyChannel>([link = link_, stream = stream_] {
      link->worker->PostChannelReady({link->slot, link->generation}, stream);
    });
    Post({std::move(head), channel});
    return MakeBodyWriter(std::move(channel));
  }

  bool closed() const override { return link_->closed.load(std::memory_order_relaxed); }

 private:
  void Post(Answer answer) {
    if (closed()) {
      if (answer.channel != nullptr) answer.channel->Close();
      return;
    }
    link_->worker->PostAnswer({link_->slot, link_->generation}, stream_, std::move(answer));
  }

  const std::shared_ptr<PeerLink> link_;
  const StreamId stream_;
  bool answered_ = false;
};

uint64_t NextConnectionId() {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

Connection::Connection(Worker& worker, uint32_t slot, uint32_t generation, net::Socket socket,
                       std::string peer_address)
    : worker_(worker),
      slot_(slot),
      generation_(generation),
      id_(NextConnectionId()),
      peer_address_(std::move(peer_address)),
      idle_since_ns_(worker.loop().NowNs()),
      receive_since_ns_(idle_since_ns_),
      send_since_ns_(idle_since_ns_) {
  if (worker.shared().tls != nullptr) {
    fresh_socket_ = std::move(socket);
  } else {
    transport_ = net::MakePlainTransport(std::move(socket));
  }
}

Connection::~Connection() = default;

bool Connection::Start() {
  int fd = transport_ != nullptr ? transport_->fd() : fresh_socket_.fd();
  auto watched = worker_.loop().Watch(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                      [this](uint32_t events) { OnEvents(events); });
  if (!watched) LOG_WARN("connection dropped", {"error", watched.error().message()});
  return watched.has_value();
}

void Connection::OnEvents(uint32_t events) {
  if (dead_) return;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    // Both directions are gone; what may still be read nobody can answer.
    if (!lingering_) ++counts().resets;
    return Die();
  }
  if ((events & EPOLLRDHUP) != 0) peer_ended_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP)) != 0) {
    readable_ = true;
    ReadSome();
  }
  if (dead_ || (events & EPOLLOUT) == 0) return;
  writable_ = true;
  if (!output_.empty() || (transport_ != nullptr && transport_->has_unsent())) {
    worker_.FlushLater(*this);
  }
}

// Looks at the first byte of a connection: 0x16 starts a TLS handshake, everything else is HTTP.
bool Connection::Identify() {
  char first;
  ssize_t got = recv(fresh_socket_.fd(), &first, 1, MSG_PEEK);
  if (got <= 0) {
    readable_ = false;
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) Die();
    return false;
  }
  if (first == kTlsHandshakeByte) {
    transport_ = worker_.shared().tls->Accept(std::move(fresh_socket_));
    if (transport_ == nullptr) Die();
  } else {
    transport_ = net::MakePlainTransport(std::move(fresh_socket_));
  }
  return transport_ != nullptr;
}

void Connection::ReadSome() {
  if (transport_ == nullptr && !dead_ && !Identify()) return;
  std::size_t received = 0;
  for (int i = 0; i < kReadsPerTurn && received < kReadBytesPerTurn && readable_ && !dead_; ++i) {
    if (session_ != nullptr && !lingering_ && !session_->wants_input()) return;
    std::span<char> target;
    if (session_ != nullptr && !lingering_) target = session_->ReadTarget();
    if (target.empty()) target = worker_.read_scratch();
    net::IoResult got = transport_->Read(target.data(), target.size());
    switch (got.state) {
      case net::IoResult::State::kOk:
        // A short count: the socket is empty, unless FIN is behind what was read.
        if (got.bytes < target.size() && !peer_ended_) readable_ = false;
        counts().received_bytes += got.bytes;
        received += got.bytes;
        if (!lingering_) Received({target.data(), got.bytes});
        break;
      case net::IoResult::State::kWouldBlock:
        readable_ = false;
        break;
      case net::IoResult::State::kClosed:
        readable_ = false;
        input_ended_ = true;
        if (lingering_ || session_ == nullptr) return Die();
        session_->EndOfInput();
        AfterSession();
        return;
      case net::IoResult::State::kFailed:
        ++counts().resets;
        if (session_ == nullptr && transport_->tls()) ++counts().tls_failures;
        return Die();
    }
  }
  if (readable_ && !dead_) worker_.ReadLater(*this);
}

void Connection::Received(std::string_view bytes) {
  if (session_ != nullptr) {
    session_->Receive(bytes);
  } else if (!ChooseProtocol(bytes)) {
    return;
  }
  AfterSession();
}

// HTTP/2 is agreed upon in the TLS handshake, or known beforehand: then it starts with a preface
// that is no HTTP/1 request. False: more bytes must tell.
bool Connection::ChooseProtocol(std::string_view bytes) {
  if (transport_->tls()) ++counts().tls_handshakes;
  bool http2 = transport_->alpn() == "h2";
  if (!http2) {
    std::size_t known = preface_.size();
    std::size_t compared = std::min(bytes.size(), kHttp2Preface.size() - known);
    bool alike = bytes.substr(0, compared) == kHttp2Preface.substr(known, compared);
    if (alike && known + compared < kHttp2Preface.size()) {
      preface_ += bytes;
      return false;
    }
    http2 = alike;
  }
  if (http2) {
    session_ = std::make_unique<Http2Session>(*this);
  } else {
    session_ = std::make_unique<Http1Session>(*this);
  }
  if (draining()) session_->Drain();
  std::string before = std::move(preface_);
  preface_.clear();
  if (!before.empty()) session_->Receive(before);
  session_->Receive(bytes);
  return true;
}

// Whatever the session did, its output leaves at the end of the turn.
void Connection::AfterSession() {
  if (dead_) return;
  worker_.FlushLater(*this);
}

void Connection::Send(StreamId stream, Answer answer) {
  if (dead_ || session_ == nullptr) return;
  session_->Send(stream, std::move(answer));
  AfterSession();
}

void Connection::ChannelReady(StreamId stream) {
  if (dead_ || session_ == nullptr) return;
  session_->ChannelReady(stream);
  AfterSession();
}

void Connection::BeginDrain() {
  if (dead_ || lingering_) return;
  if (session_ == nullptr) return Die();
  session_->Drain();
  AfterSession();
}

void Connection::Flush() {
  if (dead_ || transport_ == nullptr) return;
  retired_session_.reset();
  std::size_t sent_before = counts().sent_bytes;
  while (!dead_) {
    if (session_ != nullptr && !lingering_) session_->Produce();
    if (dead_ || (output_.empty() && !transport_->has_unsent())) break;
    if (!writable_ || !WriteOnce()) break;
    if (counts().sent_bytes - sent_before > kSendBytesPerTurn) {
      worker_.FlushLater(*this);  // from within the flush: the next turn
      break;
    }
  }
  if (dead_ || session_ == nullptr || lingering_) return;
  if (session_->finished()) return CloseWhenSent();
  // Answers made room for requests that waited, in memory or in the socket.
  session_->Resume();
  if (!dead_ && readable_ && session_->wants_input()) worker_.ReadLater(*this);
  if (!dead_ && !output_.empty() && writable_) worker_.FlushLater(*this);
}

// Writes once; false when there is no more to write or no room.
bool Connection::WriteOnce() {
  iovec parts[kPartsPerWrite];
  int count = output_.Gather(parts, kPartsPerWrite);
  std::size_t offered = 0;
  for (int i = 0; i < count; ++i) offered += parts[i].iov_len;
  net::IoResult wrote = transport_->Write(parts, count);
  if (wrote.state == net::IoResult::State::kFailed) {
    ++counts().resets;
    Die();
    return false;
  }
  if (wrote.bytes > 0) {
    output_.Consume(wrote.bytes);
    counts().sent_bytes += wrote.bytes;
    send_since_ns_ = worker_.loop().NowNs();
  }
  if (wrote.state == net::IoResult::State::kWouldBlock || wrote.bytes < offered ||
      transport_->has_unsent()) {
    writable_ = false;
    return false;
  }
  return true;
}

void Connection::CloseWhenSent() {
  if (!output_.empty() || transport_->has_unsent()) return;
  if (input_ended_) return Die();
  Linger();
}

// Closing a socket with unread input resets the connection and may destroy what was just sent:
// say that no more comes, then read until the peer has understood.
void Connection::Linger() {
  lingering_ = true;
  linger_since_ns_ = worker_.loop().NowNs();
  transport_->ShutdownWrite();
  if (readable_) worker_.ReadLater(*this);
}

void Connection::Die() {
  if (dead_) return;
  dead_ = true;
  int fd = transport_ != nullptr ? transport_->fd() : fresh_socket_.fd();
  if (fd >= 0) worker_.loop().Unwatch(fd);
  worker_.Remove(*this);
}

void Connection::CheckTimeouts(int64_t now_ns) {
  if (dead_) return;
  const ServerOptions& limits = options();
  if (lingering_) {
    if (now_ns - linger_since_ns_ > (draining() ? kLingerDrainingNs : kLingerNs)) Die();
    return;
  }
  const bool handshaking = session_ == nullptr && transport_ != nullptr && transport_->tls();
  const bool receiving =
      session_ == nullptr ? handshaking || !preface_.empty() : session_->receiving();
  const uint64_t progress = session_ == nullptr ? 0 : session_->receive_progress();
  if (!receiving || !was_receiving_ || progress != receive_progress_) receive_since_ns_ = now_ns;
  receive_progress_ = progress;
  was_receiving_ = receiving;
  const bool sending = session_ != nullptr &&
                       (session_->sending_finite() || (session_->finished() && !output_.empty()));
  if (!sending || !was_sending_) send_since_ns_ = std::max(send_since_ns_, now_ns);
  was_sending_ = sending;
  const bool idle = session_ == nullptr || (session_->idle() && output_.empty());
  if (!idle) idle_since_ns_ = now_ns;

  if (receiving && now_ns - receive_since_ns_ > limits.receive_timeout_ms * kNsPerMs) {
    ++counts().timeouts;
    if (session_ == nullptr) return Die();
    session_->ReceiveTimedOut();
    return AfterSession();
  }
  if (sending && now_ns - send_since_ns_ > limits.send_timeout_ms * kNsPerMs) {
    ++counts().timeouts;
    return Die();
  }
  if (idle && now_ns - idle_since_ns_ > limits.idle_timeout_ms * kNsPerMs) {
    ++counts().timeouts;
    if (session_ == nullptr) return Die();
    session_->Drain();
    AfterSession();
  }
}

const ServerOptions& Connection::options() const { return worker_.shared().options; }
TurnCounts& Connection::counts() { return worker_.counts(); }
std::string_view Connection::date_line() { return worker_.date_line(); }
Http1Head& Connection::head_scratch() { return worker_.head_scratch(); }
PairHasher& Connection::hasher() { return worker_.hasher(); }
int64_t Connection::NowNs() const { return worker_.loop().NowNs(); }
bool Connection::draining() const { return worker_.draining(); }

std::shared_ptr<PeerLink> Connection::NewLink() {
  auto link = std::make_shared<PeerLink>();
  link->worker = worker_.shared_from_this();
  link->slot = slot_;
  link->generation = generation_;
  return link;
}

void Connection::Dispatch(Request request, StreamId stream, const std::shared_ptr<PeerLink>& link) {
  if (dead_) return;  // its last body was hashed too late
  idle_since_ns_ = worker_.loop().NowNs();
  request.tls = transport_->tls();
  request.peer_address = peer_address_;
  request.connection = id_;
  worker_.shared().handler.Handle(std::move(request),
                                  Responder(std::make_unique<LinkResponder>(link, stream)));
}

bool Connection::ReserveBody(std::size_t bytes) {
  ServerShared& shared = worker_.shared();
  std::size_t before = shared.buffered_body_bytes.fetch_add(bytes, std::memory_order_relaxed);
  if (before + bytes <= shared.options.buffered_body_bytes_max) return true;
  shared.buffered_body_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

void Connection::ReleaseBody(std::size_t bytes) {
  if (bytes == 0) return;
  worker_.shared().buffered_body_bytes.fetch_sub(bytes, std::memory_order_relaxed);
}

bool Connection::can_upgrade() const { return !transport_->tls(); }

void Connection::UpgradeToHttp2(Request request, std::string_view settings, std::string_view rest) {
  // The HTTP/1 session is still at work: it goes with the flush.
  retired_session_ = std::move(session_);
  auto session = std::make_unique<Http2Session>(*this);
  Http2Session& upgraded = *session;
  session_ = std::move(session);
  output_.Append(
      std::string_view("HTTP/1.1 101 Switching Protocols\r\n"
                       "connection: Upgrade\r\nupgrade: h2c\r\n\r\n"));
  if (!upgraded.Upgrade(std::move(request), settings)) return Die();
  if (!rest.empty()) session_->Receive(rest);
}

}  // namespace millstream::http
