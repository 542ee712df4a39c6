#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/session.h"

struct nghttp2_session;

namespace millstream::http {

// HTTP/2 on one connection, by nghttp2. Streams are used again, so that a request costs what its
// head and body need. Floods (resets, pings, settings, continuations, empty frames) end the
// connection; windows are wide, because bodies are bounded by memory limits and not by the window.
class Http2Session final : public Session, private BodyHash::Owner {
 public:
  explicit Http2Session(SessionHost& host);
  ~Http2Session() override;

  // Takes over a connection whose HTTP/1 request asked for h2c: that request becomes stream 1.
  // False: `settings` (the HTTP2-Settings header) make no sense.
  bool Upgrade(Request request, std::string_view settings);

  void Receive(std::string_view bytes) override;
  void EndOfInput() override { broken_ = true; }
  void Send(StreamId stream, Answer answer) override;
  void ChannelReady(StreamId stream) override;
  void Produce() override;
  void Drain() override;
  void ReceiveTimedOut() override;

  bool wants_input() const override;
  bool finished() const override;
  bool idle() const override { return open_ == 0; }
  bool receiving() const override { return receiving_ > 0 || in_head_; }
  bool sending_finite() const override { return sending_finite_ > 0; }
  uint64_t receive_progress() const override { return progress_; }

 private:
  struct Stream;
  struct Callbacks;  // what nghttp2 calls, in the .cc
  struct HeaderPlace {
    uint32_t name, name_size, value, value_size;  // in head_text_
  };

  Stream* Open(int32_t id);
  Stream* Find(int32_t id) const;
  void Close(Stream& stream, uint32_t error);
  void AddHeader(Stream& stream, std::string_view name, std::string_view value);
  void HeadComplete(Stream& stream, bool end_of_stream);
  void BodyArrived(Stream& stream, std::string_view bytes);
  void Complete(Stream& stream);
  void BodyHashed(BodyHash& hash) override;
  void Deliver(Stream& stream);
  void Refuse(Stream& stream, int status, std::string_view text);
  void StopReceiving(Stream& stream);
  // The next bytes of a response body into `out`; as BodyChannel::State.
  BodyChannel::State NextBytes(Stream& stream);
  bool SpendControlFrame();

  SessionHost& host_;
  nghttp2_session* session_ = nullptr;
  bool broken_ = false;
  bool draining_ = false;
  bool in_head_ = false;
  int open_ = 0;            // streams
  int receiving_ = 0;       // of them, requests that are incomplete
  int sending_finite_ = 0;  // responses whose body has an end and is not sent
  uint64_t progress_ = 0;

  // Allowance for frames that cost us work and carry nothing.
  double control_frames_left_;
  int64_t control_frames_at_ns_;

  // Of the head being received; header blocks never interleave.
  std::string head_text_;
  std::vector<HeaderPlace> head_places_;
  std::vector<std::unique_ptr<Stream>> streams_;        // open
  std::vector<std::unique_ptr<Stream>> spare_streams_;  // to be used again
};

}  // namespace millstream::http
