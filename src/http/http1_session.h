#pragma once

#include <deque>
#include <memory>
#include <string>

#include "http/session.h"

namespace millstream::http {

// HTTP/1.0 and 1.1 on one connection: keep-alive, pipelining with answers in order, chunked bodies
// both ways, 100-continue, h2c upgrade. Bodies arrive straight in the memory that the handler gets.
class Http1Session final : public Session, private BodyHash::Owner {
 public:
  explicit Http1Session(SessionHost& host) : host_(host), link_(host.NewLink()) {
    hash_.owner = this;
  }
  ~Http1Session() override;

  std::span<char> ReadTarget() override;
  void Receive(std::string_view bytes) override;
  void Resume() override;
  void EndOfInput() override;
  void Send(StreamId stream, Answer answer) override;
  void ChannelReady(StreamId) override {}  // Produce() asks the channel anyway
  void Produce() override;
  void Drain() override;
  void ReceiveTimedOut() override;

  bool wants_input() const override;
  bool finished() const override { return finished_; }
  bool idle() const override {
    return exchanges_.empty() && !receiving() && state_ != State::kHashing;
  }
  bool receiving() const override;
  bool sending_finite() const override;
  uint64_t receive_progress() const override { return progress_; }

 private:
  enum class State : uint8_t { kHead, kFixedBody, kChunkedBody, kHashing, kNoMore };

  // A request that was dispatched and whose response is not sent completely.
  struct Exchange {
    bool keep_alive = true;
    bool head_only = false;  // HEAD
    bool http10 = false;
    std::unique_ptr<Answer> waiting;  // came before those of earlier requests
  };

  // How the body of the response in front is framed and where it comes from.
  struct Sending {
    bool active = false;
    bool chunked = false;
    bool counted = false;     // by content-length
    uint64_t bytes_left = 0;  // when counted
    std::unique_ptr<BodySource> source;
    std::shared_ptr<BodyChannel> channel;
  };

  void ParseAll(std::string_view input);
  bool HasRoomForRequest() const;
  std::size_t ParseHead(std::string_view input);
  bool BeginBody(const Http1Head& head, std::size_t head_size, const char* head_bytes);
  std::size_t ReceiveFixed(std::string_view input);
  std::size_t ReceiveChunked(std::string_view input);
  void BodyArrived(std::string_view bytes);
  void GrowBody();
  void Complete(bool more_input);
  void BodyHashed(BodyHash& hash) override;
  void Deliver();
  void Refuse(int status, std::string_view text);
  void SendContinueIfDue();
  void HandOver(std::string_view rest);

  void StartFront(Answer answer);
  void WriteHead(const Response& response, const Exchange& exchange, bool endless);
  void FrontDone();
  void WriteChunk(base::Bytes bytes);
  bool ProduceFromSource();
  bool ProduceFromChannel();

  SessionHost& host_;
  const std::shared_ptr<PeerLink> link_;
  State state_ = State::kHead;
  bool finished_ = false;
  bool draining_ = false;
  bool input_ended_ = false;
  bool continue_due_ = false;  // 100 Continue waits for its turn among pipelined answers

  // Unparsed bytes: an incomplete head, or requests that wait for room.
  base::Buffer pending_;

  // The request being received. Views, head and small bodies share one block.
  Request request_;
  base::Buffer memory_;
  base::Buffer body_;           // bodies too large for memory_, and chunked ones
  std::size_t head_begin_ = 0;  // of memory_
  std::size_t head_size_ = 0;
  bool body_in_memory_ = false;
  std::size_t body_size_ = 0;  // content-length
  std::size_t body_received_ = 0;
  std::size_t body_reserved_ = 0;  // counted in the server's budget
  std::unique_ptr<ChunkDecoder> chunks_;
  BodyHash hash_;
  Exchange next_exchange_;
  bool upgrade_h2c_ = false;
  std::string http2_settings_;
  uint64_t progress_ = 0;
  std::size_t progress_bytes_ = 0;

  std::deque<Exchange> exchanges_;  // in order; [0] is the next to answer
  StreamId first_exchange_ = 1;     // number of exchanges_[0]
  Sending sending_;                 // of exchanges_[0]
};

}  // namespace millstream::http
