#include "http/http1_session.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>

#include "base/check.h"
#include "base/logging.h"
#include "http/status.h"

namespace millstream::http {
namespace {

// A body up to this size shares the block of its head: one allocation for a small request.
constexpr std::size_t kBodyInMemoryMax = 32 << 10;
// Reading less than this into its final place is not worth a call of its own: with the rest of the
// socket's bytes it comes through the scratch buffer, and a short read saves the one that would
// have to find the socket empty.
constexpr std::size_t kReadTargetMin = 16 << 10;
constexpr std::size_t kReadTargetMax = 128 << 10;
// Memory taken on the word of a content-length alone. Beyond it, the client has sent that much.
constexpr std::size_t kBodyTrustedBytes = 1 << 20;
constexpr std::size_t kProgressBytes = 16 << 10;

char* Put(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

char* PutDecimal(char* to, uint64_t value) { return std::to_chars(to, to + 20, value).ptr; }

// Moves a view from the bytes that were parsed to their copy.
struct Rebase {
  const char* from;
  std::size_t size;
  const char* to;
  std::string_view operator()(std::string_view view) const {
    if (view.data() < from || view.data() > from + size) return view;  // a literal, or null
    return {to + (view.data() - from), view.size()};
  }
};

}  // namespace

Http1Session::~Http1Session() {
  link_->closed.store(true, std::memory_order_relaxed);
  host_.hasher().Forget(hash_);
  host_.ReleaseBody(body_reserved_);
  if (sending_.channel != nullptr) sending_.channel->Close();
  for (Exchange& exchange : exchanges_) {
    if (exchange.waiting != nullptr && exchange.waiting->channel != nullptr) {
      exchange.waiting->channel->Close();
    }
  }
}

bool Http1Session::receiving() const {
  return state_ == State::kFixedBody || state_ == State::kChunkedBody ||
         (state_ == State::kHead && !pending_.empty() && HasRoomForRequest());
}

bool Http1Session::sending_finite() const {
  // With TLS, what was produced may all be in the transport, waiting for the peer.
  return sending_.channel == nullptr && (sending_.active || host_.output().size() > 0);
}

bool Http1Session::HasRoomForRequest() const {
  return exchanges_.size() < host_.options().pipelined_max &&
         host_.output().size() < kOutputHighBytes;
}

bool Http1Session::wants_input() const {
  if (finished_ || input_ended_ || state_ == State::kNoMore) return false;
  if (state_ == State::kHashing) return false;
  return state_ != State::kHead || HasRoomForRequest();
}

std::span<char> Http1Session::ReadTarget() {
  if (state_ != State::kFixedBody || body_in_memory_) return {};
  std::size_t left = body_size_ - body_received_;
  if (left < kReadTargetMin) return {};
  if (body_.capacity() == body_received_) GrowBody();
  std::size_t room = std::min({left, body_.capacity() - body_received_, kReadTargetMax});
  return {body_.data() + body_received_, room};
}

// The first trusted bytes are here: now take memory for all.
void Http1Session::GrowBody() {
  host_.hasher().HashNow(hash_);
  body_.Reserve(body_size_);
}

void Http1Session::Receive(std::string_view bytes) {
  if (state_ == State::kNoMore || bytes.empty()) return;
  if (state_ == State::kFixedBody && !body_in_memory_ &&
      bytes.data() == body_.data() + body_received_) {
    body_.Commit(bytes.size());
    BodyArrived(bytes);
    if (body_received_ == body_size_) {
      Complete(false);
      if (upgrade_h2c_) HandOver({});
    }
    return;
  }
  if (pending_.empty()) return ParseAll(bytes);
  std::size_t scanned = pending_.size();
  pending_.Append(bytes);
  // A head that was incomplete stays so until another line ends.
  if (state_ == State::kHead && HasRoomForRequest() &&
      pending_.size() <= host_.options().head_bytes_max &&
      std::memchr(pending_.data() + scanned, '\n', bytes.size()) == nullptr) {
    return;
  }
  Resume();
}

void Http1Session::Resume() {
  if (pending_.empty() || state_ == State::kNoMore) return;
  base::Buffer input = std::move(pending_);
  ParseAll(input.view());
}

void Http1Session::ParseAll(std::string_view input) {
  while (!input.empty() && state_ != State::kNoMore) {
    std::size_t consumed = 0;
    switch (state_) {
      case State::kHead:
        if (HasRoomForRequest()) consumed = ParseHead(input);
        break;
      case State::kFixedBody:
        consumed = ReceiveFixed(input);
        break;
      case State::kChunkedBody:
        consumed = ReceiveChunked(input);
        break;
      case State::kHashing:
      case State::kNoMore:
        break;
    }
    if (consumed == 0) break;
    input.remove_prefix(consumed);
    if (upgrade_h2c_ && state_ == State::kHead) return HandOver(input);
  }
  if (!input.empty() && state_ != State::kNoMore) pending_.Append(input);
}

// The request that asked for HTTP/2 is complete: it is answered there.
void Http1Session::HandOver(std::string_view rest) {
  state_ = State::kNoMore;
  host_.UpgradeToHttp2(std::move(request_), http2_settings_, rest);
}

std::size_t Http1Session::ParseHead(std::string_view input) {
  Http1Head& head = host_.head_scratch();
  HeadParse parse = ParseHttp1Head(input, head);
  const std::size_t head_bytes_max = host_.options().head_bytes_max;
  if (parse.state == ParseState::kError) {
    Refuse(parse.error.status, parse.error.text);
    return 0;
  }
  if (parse.state == ParseState::kIncomplete) {
    if (input.size() > head_bytes_max) Refuse(431, "the request head is too large");
    return 0;
  }
  if (parse.consumed > head_bytes_max) {
    Refuse(431, "the request head is too large");
    return 0;
  }
  if (!BeginBody(head, parse.consumed, input.data())) return 0;
  if (state_ == State::kHead) Complete(false);  // there is no body
  return parse.consumed;
}

// Copies the head to memory that the request keeps, and prepares for its body. False: refused.
bool Http1Session::BeginBody(const Http1Head& head, std::size_t head_size, const char* head_bytes) {
  const uint64_t length = head.content_length.value_or(0);
  if (length > host_.options().body_bytes_max) {
    Refuse(413, "the request body is too large");
    return false;
  }
  body_size_ = static_cast<std::size_t>(length);
  if (!host_.ReserveBody(body_size_)) {
    Refuse(503, "too many request bodies are being received");
    return false;
  }
  body_reserved_ = body_size_;
  body_received_ = 0;
  body_in_memory_ = !head.chunked && body_size_ <= kBodyInMemoryMax;

  const std::size_t views_size = head.header_count * sizeof(HeaderView);
  memory_ = base::Buffer(views_size + head_size + (body_in_memory_ ? body_size_ : 0));
  char* memory = memory_.data();
  head_begin_ = views_size;
  head_size_ = head_size;
  std::memcpy(memory + views_size, head_bytes, head_size);
  Rebase rebase{head_bytes, head_size, memory + views_size};
  auto* views = reinterpret_cast<HeaderView*>(memory);
  for (std::size_t i = 0; i < head.header_count; ++i) {
    new (views + i) HeaderView{rebase(head.headers[i].name), rebase(head.headers[i].value)};
  }
  memory_.Commit(views_size + head_size);
  request_.method = rebase(head.method);
  request_.target = rebase(head.target);
  request_.authority = rebase(head.authority);
  request_.version = head.minor_version == 0 ? Version::kHttp10 : Version::kHttp11;
  request_.headers = {views, head.header_count};
  next_exchange_.keep_alive = head.keep_alive;
  next_exchange_.head_only = head.method == "HEAD";
  next_exchange_.http10 = head.minor_version == 0;
  upgrade_h2c_ = head.upgrade_h2c && exchanges_.empty() && host_.can_upgrade();
  if (upgrade_h2c_) http2_settings_ = head.http2_settings;
  hash_.hash.Reset();
  hash_.waiting = {};
  hash_.complete = false;

  if (head.chunked) {
    chunks_ = std::make_unique<ChunkDecoder>(host_.options().body_bytes_max,
                                             host_.options().head_bytes_max);
    state_ = State::kChunkedBody;
  } else if (body_size_ > 0) {
    if (!body_in_memory_) body_ = base::Buffer(std::min(body_size_, kBodyTrustedBytes));
    state_ = State::kFixedBody;
  }
  continue_due_ = head.expect_continue && state_ != State::kHead;
  SendContinueIfDue();
  return true;
}

void Http1Session::SendContinueIfDue() {
  if (!continue_due_ || !exchanges_.empty()) return;
  continue_due_ = false;
  if (body_received_ == 0) host_.output().Append(std::string_view("HTTP/1.1 100 Continue\r\n\r\n"));
}

std::size_t Http1Session::ReceiveFixed(std::string_view input) {
  std::size_t part = std::min(input.size(), body_size_ - body_received_);
  base::Buffer& to = body_in_memory_ ? memory_ : body_;
  if (!body_in_memory_ && body_.capacity() - body_received_ < part) GrowBody();
  char* place = to.data() + to.size();
  to.Append(input.substr(0, part));  // within the capacity: views into memory_ stay
  BodyArrived({place, part});
  if (body_received_ == body_size_) Complete(input.size() > part);
  return part;
}

std::size_t Http1Session::ReceiveChunked(std::string_view input) {
  host_.hasher().HashNow(hash_);  // the buffer may move
  std::size_t before = body_.size();
  std::size_t consumed = 0;
  ParseState parse = chunks_->Decode(input, body_, consumed);
  if (parse == ParseState::kError) {
    Refuse(chunks_->error().status, chunks_->error().text);
    return 0;
  }
  std::size_t arrived = body_.size() - before;
  if (arrived > 0) {
    if (!host_.ReserveBody(arrived)) {
      Refuse(503, "too many request bodies are being received");
      return 0;
    }
    body_reserved_ += arrived;
    BodyArrived({body_.data() + before, arrived});
  }
  if (parse == ParseState::kComplete) Complete(consumed < input.size());
  return consumed;
}

void Http1Session::BodyArrived(std::string_view bytes) {
  body_received_ += bytes.size();
  progress_bytes_ += bytes.size();
  if (progress_bytes_ >= kProgressBytes) {
    progress_bytes_ = 0;
    ++progress_;
  }
  if (host_.options().hash_bodies) host_.hasher().Add(hash_, bytes);
}

void Http1Session::Complete(bool more_input) {
  ++progress_;
  ++host_.counts().requests_http1;
  host_.ReleaseBody(body_reserved_);
  body_reserved_ = 0;
  continue_due_ = false;
  chunks_.reset();

  base::Bytes memory = std::move(memory_).Share();
  request_.head = memory.Slice(head_begin_, head_size_);
  if (body_in_memory_) {
    request_.body =
        body_size_ == 0 ? base::Bytes() : memory.Slice(head_begin_ + head_size_, body_size_);
  } else {
    request_.body = std::move(body_).Share();
  }
  if (!host_.options().hash_bodies || body_received_ == 0) {
    request_.body_sha256 = kEmptySha256;
    return Deliver();
  }
  state_ = State::kHashing;
  host_.hasher().Complete(hash_);
  // What follows on this connection cannot be parsed before.
  if (state_ == State::kHashing && (more_input || upgrade_h2c_)) host_.hasher().HashNow(hash_);
}

void Http1Session::BodyHashed(BodyHash&) {
  request_.body_sha256 = hash_.hash.Finish();
  Deliver();
  host_.Touched();
}

void Http1Session::Deliver() {
  hash_.complete = false;
  state_ = State::kHead;
  if (upgrade_h2c_) return;  // the caller hands it over
  if (!next_exchange_.keep_alive) state_ = State::kNoMore;
  exchanges_.push_back(std::exchange(next_exchange_, Exchange{}));
  Request request = std::exchange(request_, Request{});
  host_.Dispatch(std::move(request), first_exchange_ + exchanges_.size() - 1, link_);
}

void Http1Session::Refuse(int status, std::string_view text) {
  ++host_.counts().requests_refused;
  state_ = State::kNoMore;
  host_.hasher().Forget(hash_);
  hash_.waiting = {};
  host_.ReleaseBody(body_reserved_);
  body_reserved_ = 0;
  memory_ = base::Buffer();
  body_ = base::Buffer();
  pending_ = base::Buffer();
  Answer answer;
  answer.response.status = status;
  answer.response.headers.Add("content-type", "text/plain");
  std::string body(text);
  body += '\n';
  answer.response.body = base::Bytes::Copy(body);
  exchanges_.emplace_back().keep_alive = false;
  Send(first_exchange_ + exchanges_.size() - 1, std::move(answer));
}

void Http1Session::ReceiveTimedOut() { Refuse(408, "the request took too long to arrive"); }

void Http1Session::EndOfInput() {
  input_ended_ = true;
  if (state_ == State::kHashing) host_.hasher().HashNow(hash_);
  // A peer that half-closed gets its answers; one that listens to an endless response has left.
  if (exchanges_.empty() || sending_.channel != nullptr) finished_ = true;
  if (!exchanges_.empty()) exchanges_.back().keep_alive = false;
}

void Http1Session::Drain() {
  draining_ = true;
  if (idle()) finished_ = true;
}

void Http1Session::Send(StreamId stream, Answer answer) {
  if (stream < first_exchange_ || stream - first_exchange_ >= exchanges_.size()) return;
  auto index = static_cast<std::size_t>(stream - first_exchange_);
  ++host_.counts().responses;
  if (answer.response.status >= 500) ++host_.counts().responses_5xx;
  if (index > 0 || sending_.active) {
    exchanges_[index].waiting = std::make_unique<Answer>(std::move(answer));
    return;
  }
  StartFront(std::move(answer));
}

void Http1Session::StartFront(Answer answer) {
  Exchange& exchange = exchanges_.front();
  Response& response = answer.response;
  // With nothing else under way the connection ends with this answer.
  if (draining_ && exchanges_.size() == 1 && state_ == State::kHead && pending_.empty()) {
    exchange.keep_alive = false;
  }
  const bool endless = answer.channel != nullptr;
  const bool bodyless = exchange.head_only || IsBodyless(response.status);
  sending_.chunked = sending_.counted = false;
  if (!bodyless && (endless || response.source != nullptr)) {
    sending_.counted = !endless && response.content_length.has_value();
    sending_.bytes_left = response.content_length.value_or(0);
    sending_.chunked = !sending_.counted && !exchange.http10;
    if (exchange.http10 && !sending_.counted) exchange.keep_alive = false;  // ends with the socket
  }
  WriteHead(response, exchange, endless);
  if (bodyless) {
    if (endless) answer.channel->Close();
    return FrontDone();
  }
  if (!endless && response.source == nullptr) {
    host_.output().Append(std::move(response.body));
    return FrontDone();
  }
  sending_.active = true;
  sending_.source = std::move(response.source);
  sending_.channel = std::move(answer.channel);
  if (!response.body.empty()) WriteChunk(std::move(response.body));
  // The rest is pulled by Produce() when the connection flushes.
}

// Status line and headers, composed in place: one reservation, no allocation.
void Http1Session::WriteHead(const Response& response, const Exchange& exchange, bool endless) {
  constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\n";
  std::string_view lines = response.headers.lines();
  char* const begin = host_.output().Room(256 + lines.size());
  char* at = begin;
  if (response.status == 200) {
    at = Put(at, kOk);
  } else {
    at = Put(at, "HTTP/1.1 ");
    at = PutDecimal(at, static_cast<uint64_t>(std::clamp(response.status, 200, 999)));
    *at++ = ' ';
    at = Put(at, ReasonPhrase(response.status));
    at = Put(at, "\r\n");
  }
  at = Put(at, host_.date_line());
  if (sending_.chunked) {
    at = Put(at, "transfer-encoding: chunked\r\n");
  } else if (sending_.counted) {
    at = Put(at, "content-length: ");
    at = PutDecimal(at, sending_.bytes_left);
    at = Put(at, "\r\n");
  } else if (IsBodyless(response.status)) {
    // Has no length.
  } else if (!endless && (response.source == nullptr || response.content_length)) {
    at = Put(at, "content-length: ");
    at = PutDecimal(at,
                    response.source == nullptr ? response.body.size() : *response.content_length);
    at = Put(at, "\r\n");
  }
  if (!exchange.keep_alive) {
    at = Put(at, "connection: close\r\n");
  } else if (exchange.http10) {
    at = Put(at, "connection: keep-alive\r\n");
  }
  at = Put(at, lines);
  at = Put(at, "\r\n");
  host_.output().Commit(static_cast<std::size_t>(at - begin));
}

void Http1Session::FrontDone() {
  sending_ = Sending{};
  bool keep_alive = exchanges_.front().keep_alive;
  exchanges_.pop_front();
  ++first_exchange_;
  if (!keep_alive || (exchanges_.empty() && (input_ended_ || (draining_ && idle())))) {
    finished_ = true;
    return;
  }
  SendContinueIfDue();
  if (!exchanges_.empty() && exchanges_.front().waiting != nullptr) {
    Answer next = std::move(*exchanges_.front().waiting);
    exchanges_.front().waiting.reset();
    StartFront(std::move(next));  // as deep as answers wait: at most pipelined_max
  }
}

void Http1Session::WriteChunk(base::Bytes bytes) {
  OutputQueue& output = host_.output();
  if (sending_.chunked) {
    char* at = output.Room(20);
    char* end = std::to_chars(at, at + 16, bytes.size(), 16).ptr;
    end = Put(end, "\r\n");
    output.Commit(static_cast<std::size_t>(end - at));
    output.Append(std::move(bytes));
    output.Append(std::string_view("\r\n"));
    return;
  }
  if (sending_.counted) {
    if (bytes.size() > sending_.bytes_left) {
      LOG_ERROR("response body is longer than its content-length", {"excess", bytes.size()});
      host_.Abort();
      return;
    }
    sending_.bytes_left -= bytes.size();
  }
  output.Append(std::move(bytes));
}

void Http1Session::Produce() {
  while (sending_.active && !finished_ && host_.output().size() < kOutputHighBytes) {
    bool more = sending_.channel != nullptr ? ProduceFromChannel() : ProduceFromSource();
    if (!more) return;
  }
}

// Each returns whether to go on.
bool Http1Session::ProduceFromSource() {
  base::Result<base::Bytes> part = sending_.source->Next();
  if (!part) {
    LOG_WARN("response body failed", {"error", part.error().message()});
    host_.Abort();
    return false;
  }
  if (!part->empty()) {
    WriteChunk(std::move(*part));
    return true;
  }
  if (sending_.counted && sending_.bytes_left > 0) {
    LOG_ERROR("response body is shorter than its content-length", {"missing", sending_.bytes_left});
    host_.Abort();
    return false;
  }
  if (sending_.chunked) host_.output().Append(std::string_view("0\r\n\r\n"));
  FrontDone();
  return true;
}

bool Http1Session::ProduceFromChannel() {
  // Kept alive: its callbacks may end this response.
  std::shared_ptr<BodyChannel> channel = sending_.channel;
  base::Bytes bytes;
  switch (channel->Take(bytes)) {
    case BodyChannel::State::kBytes:
      WriteChunk(std::move(bytes));
      return true;
    case BodyChannel::State::kEmpty:
      return false;
    case BodyChannel::State::kAborted:
      host_.Abort();
      return false;
    case BodyChannel::State::kFinished:
      break;
  }
  if (sending_.chunked) host_.output().Append(std::string_view("0\r\n\r\n"));
  FrontDone();
  return true;
}

}  // namespace millstream::http
