#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/function.h"
#include "base/result.h"

namespace millstream::http {

enum class Version : uint8_t { kHttp10, kHttp11, kHttp2 };

struct HeaderView {
  std::string_view name;   // as sent over HTTP/1 (any case); lower case over HTTP/2
  std::string_view value;  // without surrounding blanks

  friend bool operator==(const HeaderView &, const HeaderView &) = default;
};

// One request, complete with its body. Views point into `head` and live as long as the Request;
// it may be moved and kept after the handler returned. Used by one thread at a time.
struct Request {
  std::string_view method;
  std::string_view target;     // path and query as sent, still percent-encoded
  std::string_view authority;  // Host header or :authority
  Version version = Version::kHttp11;
  std::span<const HeaderView> headers;  // in wire order; HTTP/2 pseudo headers are left out
  base::Bytes body;
  // SHA-256 of the body as received, computed while it arrived; set when ServerOptions.hash_bodies.
  std::array<uint8_t, 32> body_sha256{};
  bool tls = false;
  std::string peer_address;                // "127.0.0.1"; no port
  uint64_t connection = 0;                 // names the connection in this process; 0: none
  base::Bytes head;                        // memory of the views
  std::vector<HeaderView> header_storage;  // memory of `headers` in hand-made requests; the server
                                           // keeps them in `head`

  std::string_view path() const { return target.substr(0, target.find('?')); }
  std::string_view query() const {
    auto at = target.find('?');
    return at == std::string_view::npos ? std::string_view() : target.substr(at + 1);
  }
  // Value of the first header of that name (give it in lower case), or nullopt.
  std::optional<std::string_view> Find(std::string_view lower_case_name) const;
};

// Response headers, kept as the HTTP/1 lines they become ("name: value\r\n"...).
class HeaderBlock {
 public:
  HeaderBlock() = default;
  // `name` in lower case. Line breaks and other controls in `value` become blanks: a value made of
  // foreign text cannot start a header of its own.
  void Add(std::string_view name, std::string_view value);
  std::string_view lines() const { return lines_; }
  void AppendLines(std::string_view ready_lines) { lines_ += ready_lines; }

 private:
  std::string lines_;
};

// A body made while it is sent, so that a large page never stands in memory as a whole. Called on
// the connection's loop, when the socket has room.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // The next part (128-256 KiB is a good size); empty at the end. A failure resets the response.
  virtual base::Result<base::Bytes> Next() = 0;
};

struct Response {
  int status = 200;
  HeaderBlock headers;  // without content-length, date, connection
  base::Bytes body;
  std::unique_ptr<BodySource> source;      // follows `body` when set
  std::optional<uint64_t> content_length;  // of `source` if known; else chunked (HTTP/1) or DATA
};

// The sending end of a response whose body has no end yet (SubscribeToShard, live metrics).
// Any thread. Destroying it without Finish() resets the stream, and waits for a drained callback
// that is running elsewhere: not under a lock that the callback takes.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  // Queues bytes. False when the peer is gone: stop producing.
  virtual bool Write(base::Bytes bytes) = 0;
  // Bytes queued and not yet on their way into the socket; producers wait above their limit. (The
  // connection itself holds at most about 256 KiB beyond these.)
  virtual std::size_t queued_bytes() const = 0;
  // Called (on the loop) whenever queued bytes fall below `low_water`, and when the peer is gone.
  virtual void OnDrained(std::size_t low_water, base::Function<void()> drained) = 0;
  virtual bool closed() const = 0;
  virtual void Finish() = 0;
};

// Answers one request: exactly one of Send() and Stream(), from any thread, at any time later, even
// after the connection or the server is gone. Move-only; the server's Impl answers 500 and logs a
// bug when it is dropped unanswered.
class Responder {
 public:
  class Impl {
   public:
    virtual ~Impl() = default;
    virtual void Send(Response response) = 0;
    virtual std::unique_ptr<BodyWriter> Stream(Response head) = 0;
    // True once the peer has gone away: the answer will be dropped.
    virtual bool closed() const = 0;
  };
  Responder() = default;
  explicit Responder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
  Responder(Responder &&) = default;
  Responder &operator=(Responder &&) = default;

  void Send(Response response) &&;
  std::unique_ptr<BodyWriter> Stream(Response head) &&;
  bool closed() const { return impl_ == nullptr || impl_->closed(); }
  explicit operator bool() const { return impl_ != nullptr; }

 private:
  std::unique_ptr<Impl> impl_;
};

// What a server does with requests. Called on the connection's loop; must not block.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual void Handle(Request request, Responder responder) = 0;
};

}  // namespace millstream::http
