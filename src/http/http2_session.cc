#include "http/http2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>

#include "base/check.h"
#include "base/logging.h"
#include "http/characters.h"
#include "http/status.h"

namespace millstream::http {
namespace {

constexpr std::size_t kBodyInMemoryMax = 32 << 10;  // such bodies share the block of their head
constexpr std::size_t kBodyTrustedBytes = 1 << 20;  // memory taken on a content-length's word
constexpr std::size_t kProgressBytes = 16 << 10;
constexpr uint32_t kStreamWindowBytes = 4 << 20;
constexpr int32_t kConnectionWindowBytes = 64 << 20;
constexpr std::size_t kSpareStreams = 32;
constexpr std::size_t kFrameBytesMax = 256 << 10;  // of DATA, when the peer allows that much
// A burst, and a rate that no honest client reaches: pings and settings come once in seconds.
constexpr double kControlFramesBurst = 2000;
constexpr double kControlFramesPerSecond = 100;
// PRIORITY, WINDOW_UPDATE and the like come with honest requests: each request earns some.
constexpr double kControlFramesPerRequest = 8;

nghttp2_nv MakeHeader(std::string_view name, std::string_view value, uint8_t flags) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          flags};
}

// Values that differ in every response would only push useful ones out of the peer's table.
uint8_t IndexingOf(std::string_view name) {
  bool unique = name == "content-length" || name == "x-amzn-requestid" || name == "x-amz-id-2";
  return unique ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
}

// Connection-specific fields have no place in HTTP/2 (RFC 9113, 8.2.2).
bool IsForbiddenHeader(std::string_view name) {
  return name == "connection" || name == "keep-alive" || name == "transfer-encoding" ||
         name == "upgrade" || name == "proxy-connection";
}

// base64url without padding, as the HTTP2-Settings header has it.
bool DecodeBase64Url(std::string_view text, std::string& bytes) {
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    int digit;
    if (c >= 'A' && c <= 'Z') {
      digit = c - 'A';
    } else if (c >= 'a' && c <= 'z') {
      digit = c - 'a' + 26;
    } else if (c >= '0' && c <= '9') {
      digit = c - '0' + 52;
    } else if (c == '-') {
      digit = 62;
    } else if (c == '_') {
      digit = 63;
    } else {
      return false;
    }
    bits = bits << 6 | static_cast<uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>(bits >> count & 0xff);
    }
  }
  return true;
}

}  // namespace

struct Http2Session::Stream {
  int32_t id = 0;
  std::size_t index = 0;  // in streams_

  // The request.
  Request request;
  base::Buffer memory;  // views, head, small body
  base::Buffer body;
  std::size_t head_begin = 0;
  std::size_t head_size = 0;
  std::size_t head_list_size = 0;  // as SETTINGS_MAX_HEADER_LIST_SIZE counts it
  bool body_in_memory = false;
  std::size_t body_size = 0;  // announced
  std::size_t body_received = 0;
  std::size_t body_reserved = 0;
  std::size_t progress_bytes = 0;
  BodyHash hash;
  bool receiving = false;
  bool head_only = false;
  int refusal = 0;       // status, found while the head arrives
  bool refused = false;  // the rest of the request is unwanted

  // The response.
  bool answered = false;
  bool sending_finite = false;
  bool counted = false;
  bool last_part = false;  // nothing follows `out`
  uint64_t bytes_left = 0;
  base::Bytes out;
  std::size_t out_sent = 0;
  std::unique_ptr<BodySource> source;
  std::shared_ptr<BodyChannel> channel;

  std::shared_ptr<PeerLink> link;
};

// nghttp2's callbacks: they find the session and stream and call it.
struct Http2Session::Callbacks {
  static Http2Session& Self(void* user_data) { return *static_cast<Http2Session*>(user_data); }

  static nghttp2_session_callbacks* Get() {
    static nghttp2_session_callbacks* made = [] {
      nghttp2_session_callbacks* callbacks = nullptr;
      CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
      nghttp2_session_callbacks_set_send_callback(callbacks, OnSend);
      nghttp2_session_callbacks_set_send_data_callback(callbacks, OnSendData);
      nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, OnBeginHeaders);
      nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
      nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
      nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, OnFrameSent);
      nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, OnInvalidFrame);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
      nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnClose);
      nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, ReadLength);
      return callbacks;
    }();
    return made;
  }

  static const nghttp2_option* Options() {
    static const nghttp2_option* made = [] {
      nghttp2_option* option = nullptr;
      CHECK(nghttp2_option_new(&option) == 0);
      nghttp2_option_set_max_outbound_ack(option, 1000);
      nghttp2_option_set_max_settings(option, 32);
      nghttp2_option_set_stream_reset_rate_limit(option, 1000, 50);
      // Clients exist that pad header values; AWS trims them when it signs, so do we.
      nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
      nghttp2_option_set_no_closed_streams(option, 1);
      return option;
    }();
    return made;
  }

  static ssize_t OnSend(nghttp2_session*, const uint8_t* data, size_t size, int, void* user_data) {
    OutputQueue& output = Self(user_data).host_.output();
    if (output.size() >= kOutputHighBytes) return NGHTTP2_ERR_WOULDBLOCK;
    output.Append(std::string_view(reinterpret_cast<const char*>(data), size));
    return static_cast<ssize_t>(size);
  }

  static int OnSendData(nghttp2_session*, nghttp2_frame*, const uint8_t* frame_header, size_t size,
                        nghttp2_data_source* source, void* user_data) {
    OutputQueue& output = Self(user_data).host_.output();
    if (output.size() >= kOutputHighBytes) return NGHTTP2_ERR_WOULDBLOCK;
    Stream& stream = *static_cast<Stream*>(source->ptr);
    output.Append(std::string_view(reinterpret_cast<const char*>(frame_header), 9));
    if (size > 0) output.Append(stream.out.Slice(stream.out_sent, size));
    stream.out_sent += size;
    return 0;
  }

  static ssize_t ReadLength(nghttp2_session*, uint8_t, int32_t, int32_t session_window,
                            int32_t stream_window, uint32_t frame_bytes_max, void*) {
    return std::max<ssize_t>(
        std::min<ssize_t>({session_window, stream_window, static_cast<ssize_t>(frame_bytes_max),
                           static_cast<ssize_t>(kFrameBytesMax)}),
        1);
  }

  // How much of the body comes next; OnSendData() then moves it without a copy.
  static ssize_t OnRead(nghttp2_session*, int32_t, uint8_t*, size_t length, uint32_t* flags,
                        nghttp2_data_source* source, void* user_data) {
    Stream& stream = *static_cast<Stream*>(source->ptr);
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (stream.out_sent == stream.out.size() && !stream.last_part) {
      switch (Self(user_data).NextBytes(stream)) {
        case BodyChannel::State::kBytes:
          break;
        case BodyChannel::State::kEmpty:
          return NGHTTP2_ERR_DEFERRED;
        case BodyChannel::State::kFinished:
          stream.last_part = true;
          break;
        case BodyChannel::State::kAborted:
          return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
      }
    }
    std::size_t size = std::min(length, stream.out.size() - stream.out_sent);
    if (stream.last_part && size == stream.out.size() - stream.out_sent) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return static_cast<ssize_t>(size);
  }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Http2Session& self = Self(user_data);
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    self.in_head_ = true;
    self.head_text_.clear();
    self.head_places_.clear();
    self.Open(frame->hd.stream_id);
    return 0;
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                      void* user_data) {
    Http2Session& self = Self(user_data);
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    if (Stream* stream = self.Find(frame->hd.stream_id)) {
      self.AddHeader(*stream, {reinterpret_cast<const char*>(name), name_size},
                     {reinterpret_cast<const char*>(value), value_size});
    }
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Http2Session& self = Self(user_data);
    const bool end_of_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    Stream* stream = frame->hd.stream_id == 0 ? nullptr : self.Find(frame->hd.stream_id);
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        self.in_head_ = false;
        if (stream == nullptr) break;
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
          self.HeadComplete(*stream, end_of_stream);
        } else if (end_of_stream && stream->receiving) {
          self.Complete(*stream);  // trailers are dropped
        }
        break;
      case NGHTTP2_DATA:
        if (end_of_stream) {
          if (stream != nullptr && stream->receiving) self.Complete(*stream);
        } else if (frame->hd.length == 0 && !self.SpendControlFrame()) {
          return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
        break;
      case NGHTTP2_PING:
      case NGHTTP2_SETTINGS:
      case NGHTTP2_PRIORITY:
      case NGHTTP2_RST_STREAM:
      case NGHTTP2_WINDOW_UPDATE:
        if (!self.SpendControlFrame()) return NGHTTP2_ERR_CALLBACK_FAILURE;
        break;
      default:
        break;
    }
    return 0;
  }

  // A refused request was answered: its client should stop sending (RFC 9113, 8.1).
  static int OnFrameSent(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) return 0;
    Stream* stream = Self(user_data).Find(frame->hd.stream_id);
    if (stream != nullptr && stream->refused) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  static int OnInvalidFrame(nghttp2_session*, const nghttp2_frame*, int, void* user_data) {
    Self(user_data).in_head_ = false;
    return Self(user_data).SpendControlFrame() ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int OnData(nghttp2_session*, uint8_t, int32_t stream_id, const uint8_t* data, size_t size,
                    void* user_data) {
    Http2Session& self = Self(user_data);
    Stream* stream = self.Find(stream_id);
    if (stream != nullptr && stream->receiving) {
      self.BodyArrived(*stream, {reinterpret_cast<const char*>(data), size});
    }
    return 0;
  }

  static int OnClose(nghttp2_session*, int32_t stream_id, uint32_t error, void* user_data) {
    Http2Session& self = Self(user_data);
    if (Stream* stream = self.Find(stream_id)) self.Close(*stream, error);
    return 0;
  }
};

Http2Session::Http2Session(SessionHost& host)
    : host_(host), control_frames_left_(kControlFramesBurst), control_frames_at_ns_(host.NowNs()) {
  CHECK(nghttp2_session_server_new2(&session_, Callbacks::Get(), this, Callbacks::Options()) == 0);
  const ServerOptions& options = host_.options();
  nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, static_cast<uint32_t>(options.streams_max)},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindowBytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(options.head_bytes_max)},
  };
  CHECK(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings)) == 0);
  CHECK(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                              kConnectionWindowBytes) == 0);
}

Http2Session::~Http2Session() {
  while (!streams_.empty()) Close(*streams_.back(), NGHTTP2_CANCEL);
  nghttp2_session_del(session_);
}

bool Http2Session::Upgrade(Request request, std::string_view settings) {
  std::string payload;
  if (!DecodeBase64Url(settings, payload)) return false;
  const bool head_only = request.method == "HEAD";
  if (nghttp2_session_upgrade2(session_, reinterpret_cast<const uint8_t*>(payload.data()),
                               payload.size(), head_only ? 1 : 0, nullptr) != 0) {
    return false;
  }
  Stream* stream = Open(1);
  stream->head_only = head_only;
  --receiving_;
  stream->receiving = false;
  ++host_.counts().requests_http2;
  std::shared_ptr<PeerLink> link = stream->link;
  host_.Dispatch(std::move(request), 1, link);
  return true;
}

Http2Session::Stream* Http2Session::Open(int32_t id) {
  std::unique_ptr<Stream> stream;
  if (spare_streams_.empty()) {
    stream = std::make_unique<Stream>();
  } else {
    stream = std::move(spare_streams_.back());
    spare_streams_.pop_back();
  }
  stream->id = id;
  stream->index = streams_.size();
  stream->receiving = true;
  if (stream->link == nullptr) stream->link = host_.NewLink();
  nghttp2_session_set_stream_user_data(session_, id, stream.get());
  ++open_;
  ++receiving_;
  streams_.push_back(std::move(stream));
  return streams_.back().get();
}

Http2Session::Stream* Http2Session::Find(int32_t id) const {
  return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session_, id));
}

void Http2Session::StopReceiving(Stream& stream) {
  if (!stream.receiving) return;
  stream.receiving = false;
  --receiving_;
  host_.ReleaseBody(stream.body_reserved);
  stream.body_reserved = 0;
}

void Http2Session::Close(Stream& stream, uint32_t error) {
  if (error != NGHTTP2_NO_ERROR) ++host_.counts().resets;
  host_.hasher().Forget(stream.hash);
  StopReceiving(stream);
  if (stream.sending_finite) --sending_finite_;
  --open_;
  nghttp2_session_set_stream_user_data(session_, stream.id, nullptr);
  std::shared_ptr<BodyChannel> channel = std::move(stream.channel);
  std::shared_ptr<PeerLink> link = std::move(stream.link);
  link->closed.store(true, std::memory_order_relaxed);

  std::unique_ptr<Stream> removed = std::move(streams_[stream.index]);
  if (removed->index + 1 != streams_.size()) {
    streams_[removed->index] = std::move(streams_.back());
    streams_[removed->index]->index = removed->index;
  }
  streams_.pop_back();
  *removed = Stream();
  // Nobody else holds the link: the next stream may have it.
  if (link.use_count() == 1) {
    link->closed.store(false, std::memory_order_relaxed);
    removed->link = std::move(link);
  }
  if (spare_streams_.size() < kSpareStreams) spare_streams_.push_back(std::move(removed));
  if (channel != nullptr) channel->Close();  // calls out: last
}

bool Http2Session::SpendControlFrame() {
  int64_t now_ns = host_.NowNs();
  double earned =
      static_cast<double>(now_ns - control_frames_at_ns_) * 1e-9 * kControlFramesPerSecond;
  control_frames_at_ns_ = now_ns;
  control_frames_left_ = std::min(control_frames_left_ + earned, kControlFramesBurst) - 1;
  return control_frames_left_ > 0;
}

void Http2Session::AddHeader(Stream& stream, std::string_view name, std::string_view value) {
  if (stream.refusal != 0) return;
  value = TrimBlanks(value);
  stream.head_list_size += name.size() + value.size() + 32;
  if (head_places_.size() >= kHeadersMax + 4 ||
      stream.head_list_size > host_.options().head_bytes_max) {
    stream.refusal = 431;
    return;
  }
  HeaderPlace place;
  place.name = static_cast<uint32_t>(head_text_.size());
  place.name_size = static_cast<uint32_t>(name.size());
  head_text_ += name;
  place.value = static_cast<uint32_t>(head_text_.size());
  place.value_size = static_cast<uint32_t>(value.size());
  head_text_ += value;
  head_places_.push_back(place);
}

// The head goes to memory that the request keeps, together with room for a small body.
void Http2Session::HeadComplete(Stream& stream, bool end_of_stream) {
  if (stream.refusal != 0) {
    return Refuse(stream, stream.refusal, "the request head is too large");
  }
  uint64_t length = 0;
  bool expect_continue = false;
  for (const HeaderPlace& place : head_places_) {
    std::string_view name(head_text_.data() + place.name, place.name_size);
    std::string_view value(head_text_.data() + place.value, place.value_size);
    if (name == "content-length") {
      // nghttp2 has checked it, and checks the body against it.
      std::from_chars(value.data(), value.data() + value.size(), length);
    } else if (name == "expect") {
      expect_continue = EqualsIgnoringCase(value, "100-continue");
    }
  }
  if (length > host_.options().body_bytes_max) {
    return Refuse(stream, 413, "the request body is too large");
  }
  if (end_of_stream) length = 0;
  stream.body_size = static_cast<std::size_t>(length);
  if (!host_.ReserveBody(stream.body_size)) {
    return Refuse(stream, 503, "too many request bodies are being received");
  }
  stream.body_reserved = stream.body_size;
  stream.body_in_memory =
      end_of_stream || (stream.body_size > 0 && stream.body_size <= kBodyInMemoryMax);

  const std::size_t views_size = head_places_.size() * sizeof(HeaderView);
  stream.memory =
      base::Buffer(views_size + head_text_.size() + (stream.body_in_memory ? stream.body_size : 0));
  char* memory = stream.memory.data();
  stream.head_begin = views_size;
  stream.head_size = head_text_.size();
  std::memcpy(memory + views_size, head_text_.data(), head_text_.size());
  const char* text = memory + views_size;
  auto* views = reinterpret_cast<HeaderView*>(memory);
  std::size_t count = 0;
  std::string_view host;
  for (const HeaderPlace& place : head_places_) {
    std::string_view name(text + place.name, place.name_size);
    std::string_view value(text + place.value, place.value_size);
    if (name.starts_with(':')) {
      if (name == ":method") stream.request.method = value;
      if (name == ":path") stream.request.target = value;
      if (name == ":authority") stream.request.authority = value;
      continue;
    }
    if (name == "host") host = value;
    new (views + count++) HeaderView{name, value};
  }
  stream.memory.Commit(views_size + head_text_.size());
  if (stream.request.authority.empty()) stream.request.authority = host;
  stream.request.version = Version::kHttp2;
  stream.request.headers = {views, count};
  stream.head_only = stream.request.method == "HEAD";
  stream.hash.owner = this;
  stream.hash.stream = static_cast<StreamId>(stream.id);
  if (end_of_stream) return Complete(stream);
  if (!stream.body_in_memory) {
    stream.body = base::Buffer(std::clamp<std::size_t>(stream.body_size, 4000, kBodyTrustedBytes));
  }
  if (expect_continue) {
    nghttp2_nv status = MakeHeader(":status", "100", NGHTTP2_NV_FLAG_NONE);
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id, nullptr, &status, 1, nullptr);
  }
}

void Http2Session::BodyArrived(Stream& stream, std::string_view bytes) {
  stream.body_received += bytes.size();
  if (stream.body_received > stream.body_reserved) {
    // No length was announced.
    std::size_t more = stream.body_received - stream.body_reserved;
    if (stream.body_received > host_.options().body_bytes_max) {
      return Refuse(stream, 413, "the request body is too large");
    }
    if (!host_.ReserveBody(more)) {
      return Refuse(stream, 503, "too many request bodies are being received");
    }
    stream.body_reserved += more;
  }
  base::Buffer& to = stream.body_in_memory ? stream.memory : stream.body;
  // The trusted bytes are here: now take memory for all.
  if (!stream.body_in_memory && to.capacity() - to.size() < bytes.size()) {
    host_.hasher().HashNow(stream.hash);
    to.Reserve(std::max(stream.body_size, to.size() + bytes.size()));
  }
  if (stream.body_in_memory && stream.body_received > stream.body_size) {
    return Refuse(stream, 400, "the request body is longer than its content-length");
  }
  const char* place = to.data() + to.size();
  to.Append(bytes);  // within the capacity
  stream.progress_bytes += bytes.size();
  if (stream.progress_bytes >= kProgressBytes) {
    stream.progress_bytes = 0;
    ++progress_;
  }
  if (host_.options().hash_bodies) host_.hasher().Add(stream.hash, {place, bytes.size()});
}

void Http2Session::Complete(Stream& stream) {
  ++progress_;
  ++host_.counts().requests_http2;
  control_frames_left_ =
      std::min(control_frames_left_ + kControlFramesPerRequest, kControlFramesBurst);
  StopReceiving(stream);
  base::Bytes memory = std::move(stream.memory).Share();
  Request& request = stream.request;
  request.head = memory.Slice(stream.head_begin, stream.head_size);
  if (!stream.body_in_memory) {
    request.body = std::move(stream.body).Share();
  } else if (stream.body_received > 0) {
    request.body = memory.Slice(stream.head_begin + stream.head_size, stream.body_received);
  }
  if (!host_.options().hash_bodies || stream.body_received == 0) {
    request.body_sha256 = kEmptySha256;
    return Deliver(stream);
  }
  host_.hasher().Complete(stream.hash);
}

void Http2Session::BodyHashed(BodyHash& hash) {
  Stream* stream = Find(static_cast<int32_t>(hash.stream));
  CHECK(stream != nullptr && &stream->hash == &hash);
  stream->request.body_sha256 = hash.hash.Finish();
  hash.complete = false;
  Deliver(*stream);
  host_.Touched();
}

void Http2Session::Deliver(Stream& stream) {
  std::shared_ptr<PeerLink> link = stream.link;
  auto id = static_cast<StreamId>(stream.id);
  host_.Dispatch(std::exchange(stream.request, Request{}), id, link);
}

void Http2Session::Refuse(Stream& stream, int status, std::string_view text) {
  ++host_.counts().requests_refused;
  stream.refused = true;
  StopReceiving(stream);
  host_.hasher().Forget(stream.hash);
  stream.hash.waiting = {};
  stream.memory = base::Buffer();
  stream.body = base::Buffer();
  Answer answer;
  answer.response.status = status;
  answer.response.headers.Add("content-type", "text/plain");
  answer.response.body = base::Bytes::Copy(std::string(text) + "\n");
  Send(static_cast<StreamId>(stream.id), std::move(answer));
}

void Http2Session::Send(StreamId id, Answer answer) {
  Stream* found = id > INT32_MAX ? nullptr : Find(static_cast<int32_t>(id));
  if (found == nullptr || found->answered) {
    if (answer.channel != nullptr) answer.channel->Close();
    return;
  }
  Stream& stream = *found;
  stream.answered = true;
  ++host_.counts().responses;
  Response& response = answer.response;
  if (response.status >= 500) ++host_.counts().responses_5xx;

  constexpr std::size_t kHeadersInPlace = 32;
  nghttp2_nv in_place[kHeadersInPlace];
  std::vector<nghttp2_nv> allocated;
  std::size_t lines = static_cast<std::size_t>(
      std::count(response.headers.lines().begin(), response.headers.lines().end(), '\n'));
  nghttp2_nv* headers = in_place;
  if (lines + 3 > kHeadersInPlace) {
    allocated.resize(lines + 3);
    headers = allocated.data();
  }
  std::size_t count = 0;
  char status[8];
  auto* status_end = std::to_chars(status, status + 8, std::clamp(response.status, 200, 999)).ptr;
  headers[count++] = MakeHeader(":status", {status, static_cast<std::size_t>(status_end - status)},
                                NGHTTP2_NV_FLAG_NONE);
  std::string_view date = host_.date_line();  // "date: ...\r\n"
  headers[count++] = MakeHeader("date", date.substr(6, date.size() - 8), NGHTTP2_NV_FLAG_NONE);

  const bool endless = answer.channel != nullptr;
  const bool bodyless = stream.head_only || IsBodyless(response.status);
  char length[24];
  if (!endless && !IsBodyless(response.status) &&
      (response.source == nullptr || response.content_length)) {
    uint64_t size = response.source == nullptr ? response.body.size() : *response.content_length;
    auto* end = std::to_chars(length, length + 24, size).ptr;
    headers[count++] =
        MakeHeader("content-length", {length, static_cast<std::size_t>(end - length)},
                   NGHTTP2_NV_FLAG_NO_INDEX);
    stream.counted = response.source != nullptr;
    stream.bytes_left = size;
  }
  std::string_view left = response.headers.lines();
  while (!left.empty()) {
    std::string_view line = left.substr(0, left.find("\r\n"));
    left.remove_prefix(std::min(left.size(), line.size() + 2));
    std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view name = line.substr(0, colon);
    if (IsForbiddenHeader(name)) continue;
    headers[count++] = MakeHeader(name, TrimBlanks(line.substr(colon + 1)), IndexingOf(name));
  }

  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = Callbacks::OnRead;
  const bool has_body =
      !bodyless && (endless || response.source != nullptr || !response.body.empty());
  if (has_body) {
    stream.out = std::move(response.body);
    stream.out_sent = 0;
    stream.source = std::move(response.source);
    stream.channel = std::move(answer.channel);
    stream.last_part = stream.source == nullptr && stream.channel == nullptr;
    stream.sending_finite = !endless;
    if (stream.sending_finite) ++sending_finite_;
    if (stream.counted) {
      stream.bytes_left -= std::min<uint64_t>(stream.bytes_left, stream.out.size());
    }
  }
  const int32_t stream_id = stream.id;
  if (nghttp2_submit_response(session_, stream_id, headers, count,
                              has_body ? &provider : nullptr) != 0) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_INTERNAL_ERROR);
  }
  if (endless && bodyless) answer.channel->Close();
}

BodyChannel::State Http2Session::NextBytes(Stream& stream) {
  base::Bytes next;
  if (stream.channel != nullptr) {
    // Kept alive: its callbacks may end this response.
    std::shared_ptr<BodyChannel> channel = stream.channel;
    BodyChannel::State state = channel->Take(next);
    if (state != BodyChannel::State::kBytes) return state;
  } else {
    base::Result<base::Bytes> part = stream.source->Next();
    if (!part) {
      LOG_WARN("response body failed", {"error", part.error().message()});
      return BodyChannel::State::kAborted;
    }
    next = std::move(*part);
    if (stream.counted &&
        (next.size() > stream.bytes_left || (next.empty() && stream.bytes_left > 0))) {
      LOG_ERROR("response body does not have its content-length", {"missing", stream.bytes_left},
                {"part", next.size()});
      return BodyChannel::State::kAborted;
    }
    stream.bytes_left -= next.size();
    if (next.empty()) {
      stream.out = base::Bytes();
      stream.out_sent = 0;
      return BodyChannel::State::kFinished;
    }
    if (stream.counted && stream.bytes_left == 0) stream.last_part = true;
  }
  stream.out = std::move(next);
  stream.out_sent = 0;
  return BodyChannel::State::kBytes;
}

void Http2Session::ChannelReady(StreamId id) {
  if (id > INT32_MAX || Find(static_cast<int32_t>(id)) == nullptr) return;
  nghttp2_session_resume_data(session_, static_cast<int32_t>(id));
}

void Http2Session::Receive(std::string_view bytes) {
  if (broken_) return;
  ssize_t consumed = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (consumed >= 0) return;
  ++host_.counts().requests_refused;
  if (consumed == NGHTTP2_ERR_CALLBACK_FAILURE) {
    nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
  } else {
    nghttp2_session_terminate_session(session_, NGHTTP2_PROTOCOL_ERROR);
  }
  Produce();
  broken_ = true;
}

void Http2Session::Produce() {
  if (broken_) return;
  if (nghttp2_session_send(session_) != 0) broken_ = true;
}

void Http2Session::Drain() {
  if (draining_) return;
  draining_ = true;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

void Http2Session::ReceiveTimedOut() {
  if (in_head_) {
    nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
    return;
  }
  for (auto& stream : streams_) {
    if (!stream->receiving) continue;
    StopReceiving(*stream);
    host_.hasher().Forget(stream->hash);
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
  }
}

bool Http2Session::wants_input() const {
  // While output waits, frames that make more of it must wait too.
  return !broken_ && host_.output().size() < 4 * kOutputHighBytes;
}

bool Http2Session::finished() const {
  if (broken_) return true;
  if (nghttp2_session_want_write(session_) != 0) return false;
  return (draining_ && open_ == 0) || nghttp2_session_want_read(session_) == 0;
}

}  // namespace millstream::http
