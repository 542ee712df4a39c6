#pragma once

#include <memory>
#include <string>
#include <utility>

#include "http/session.h"

namespace millstream::http {

// A connection without a socket: feeds a session, keeps its output, answers every request with its
// body. For fuzzers and tests of sessions alone.
class SessionHostForTest final : public SessionHost {
 public:
  explicit SessionHostForTest(ServerOptions options = {}) : options_(std::move(options)) {}
  void Attach(std::unique_ptr<Session> session) { session_ = std::move(session); }
  Session& session() { return *session_; }

  OutputQueue& output() override { return output_; }
  const ServerOptions& options() const override { return options_; }
  TurnCounts& counts() override { return counts_; }
  std::string_view date_line() override { return "date: Tue, 24 Nov 2026 04:05:06 GMT\r\n"; }
  Http1Head& head_scratch() override { return head_; }
  PairHasher& hasher() override { return hasher_; }
  int64_t NowNs() const override { return 0; }
  bool draining() const override { return false; }
  std::shared_ptr<PeerLink> NewLink() override { return std::make_shared<PeerLink>(); }
  void Dispatch(Request request, StreamId stream, const std::shared_ptr<PeerLink>&) override {
    ++requests;
    for (const HeaderView& header : request.headers) {
      header_bytes += header.name.size() + header.value.size();
    }
    Answer answer;
    answer.response.body = request.body;
    session_->Send(stream, std::move(answer));
  }
  bool ReserveBody(std::size_t bytes) override {
    if (reserved_ + bytes > options_.buffered_body_bytes_max) return false;
    reserved_ += bytes;
    return true;
  }
  void ReleaseBody(std::size_t bytes) override { reserved_ -= bytes; }
  bool can_upgrade() const override { return true; }
  void UpgradeToHttp2(Request, std::string_view, std::string_view) override { upgraded = true; }
  void Touched() override {}
  void Abort() override { aborted = true; }
  std::size_t reserved() const { return reserved_; }

  std::size_t requests = 0;
  std::size_t header_bytes = 0;
  bool upgraded = false;
  bool aborted = false;

 private:
  const ServerOptions options_;
  OutputQueue output_;
  TurnCounts counts_;
  Http1Head head_;
  std::size_t reserved_ = 0;
  PairHasher hasher_;
  std::unique_ptr<Session> session_;
};

}  // namespace millstream::http
