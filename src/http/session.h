#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "codec/sha256.h"
#include "http/body_channel.h"
#include "http/http1_parser.h"
#include "http/message.h"
#include "http/metrics.h"
#include "http/output_queue.h"
#include "http/pair_hasher.h"
#include "http/server.h"

// The seam between a protocol (HTTP/1, HTTP/2) and the connection it runs on. Sessions do no I/O:
// they are fed bytes and append to an output queue, which is how the fuzzers and tests drive them.
namespace millstream::http {

// What a responder sends: a complete response, or the head of one that a channel feeds.
struct Answer {
  Response response;
  std::shared_ptr<BodyChannel> channel;  // null: the response is complete
};

// Names a request within its connection: HTTP/1, its number; HTTP/2, its stream.
using StreamId = uint64_t;

// Output above which sessions stop pulling from bodies, and HTTP/1 stops taking requests.
inline constexpr std::size_t kOutputHighBytes = 64 << 10;

// SHA-256 of nothing: what most requests without a body are signed with.
inline constexpr codec::Sha256Bytes kEmptySha256 = {
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};

class Worker;

// Shared by a connection (HTTP/1) or a stream (HTTP/2) and the responders of its requests. The
// session sets `closed` when nobody will read the answer any more.
struct PeerLink {
  std::shared_ptr<Worker> worker;
  uint32_t slot = 0;  // of the connection
  uint32_t generation = 0;
  std::atomic<bool> closed{false};
};

// What a session asks of its connection. One thread.
class SessionHost {
 public:
  virtual ~SessionHost() = default;
  virtual OutputQueue& output() = 0;
  virtual const ServerOptions& options() const = 0;
  virtual TurnCounts& counts() = 0;
  virtual std::string_view date_line() = 0;  // "date: Tue, 24 Nov 2026 04:05:06 GMT\r\n"
  virtual Http1Head& head_scratch() = 0;     // too large to clear for each request
  virtual PairHasher& hasher() = 0;
  virtual int64_t NowNs() const = 0;
  virtual bool draining() const = 0;  // the server stops: take no further requests

  virtual std::shared_ptr<PeerLink> NewLink() = 0;
  // Hands a complete request to the handler, which may answer before this returns.
  virtual void Dispatch(Request request, StreamId stream,
                        const std::shared_ptr<PeerLink>& link) = 0;

  // Memory for a body within buffered_body_bytes_max of the server. False: full.
  virtual bool ReserveBody(std::size_t bytes) = 0;
  virtual void ReleaseBody(std::size_t bytes) = 0;

  // Whether h2c may be agreed upon: not within TLS.
  virtual bool can_upgrade() const = 0;
  // An agreed change of protocol (h2c): the host replaces the session once the call it is in
  // returns. `rest` are bytes behind the request, `request` answers on stream 1.
  virtual void UpgradeToHttp2(Request request, std::string_view settings,
                              std::string_view rest) = 0;
  // The session moved on outside a call of its connection: a body was hashed.
  virtual void Touched() = 0;
  // Breaks the connection at once, dropping output.
  virtual void Abort() = 0;
};

// One connection's protocol. One thread; calls do not nest, but for Answer() within Receive().
class Session {
 public:
  virtual ~Session() = default;

  // Where the next bytes should be received; empty: anywhere. Valid until the next call.
  virtual std::span<char> ReadTarget() { return {}; }
  virtual void Receive(std::string_view bytes) = 0;
  // Carries on with what Receive() left behind when a limit held it up.
  virtual void Resume() {}
  virtual void EndOfInput() = 0;  // the peer will send no more

  virtual void Send(StreamId stream, Answer answer) = 0;
  virtual void ChannelReady(StreamId stream) = 0;  // its channel has something to take
  // Fills the output up to kOutputHighBytes from the bodies under way.
  virtual void Produce() = 0;
  // Takes no further requests; finished() once those under way are answered.
  virtual void Drain() = 0;
  virtual void ReceiveTimedOut() = 0;  // answers so if it can; finished() afterwards

  virtual bool wants_input() const = 0;
  virtual bool finished() const = 0;        // close the connection when the output is sent
  virtual bool idle() const = 0;            // no request is being received or answered
  virtual bool receiving() const = 0;       // a request is incomplete
  virtual bool sending_finite() const = 0;  // a response with an end is under way
  // Rises with each request completed and each 16 KiB of body: progress for the receive timeout.
  virtual uint64_t receive_progress() const = 0;
};

}  // namespace millstream::http
