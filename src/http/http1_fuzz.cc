// Feeds an HTTP/1 session with a stream of bytes, once in one piece and once in pieces whose sizes
// the first byte chooses: both must come to the same requests and the same output.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/http1_session.h"
#include "http/session_host_for_test.h"

namespace millstream::http {
namespace {

struct Outcome {
  std::size_t requests = 0;
  std::size_t header_bytes = 0;
  std::string output;
  bool finished = false;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome Feed(std::string_view bytes, std::size_t piece) {
  SessionHostForTest host({.body_bytes_max = 100'000, .head_bytes_max = 4'000});
  host.Attach(std::make_unique<Http1Session>(host));
  Session& session = host.session();
  Outcome outcome;
  while (!bytes.empty() && session.wants_input() && !host.upgraded) {
    std::span<char> target = session.ReadTarget();
    std::size_t size = std::min(bytes.size(), piece);
    if (!target.empty()) {
      size = std::min(size, target.size());
      std::copy_n(bytes.data(), size, target.data());
      session.Receive({target.data(), size});
    } else {
      session.Receive(bytes.substr(0, size));
    }
    bytes.remove_prefix(size);
    host.hasher().Flush();
    session.Produce();
    session.Resume();
    iovec parts[64];
    int count;
    while ((count = host.output().Gather(parts, 64)) > 0) {
      std::size_t taken = 0;
      for (int i = 0; i < count; ++i) {
        outcome.output.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
        taken += parts[i].iov_len;
      }
      host.output().Consume(taken);
      session.Resume();
    }
  }
  outcome.requests = host.requests;
  outcome.header_bytes = host.header_bytes;
  outcome.finished = session.finished();
  if (session.idle()) CHECK(host.reserved() == 0);
  return outcome;
}

// "100 Continue" is said only to clients that wait for it, which depends on the pieces.
void RemoveContinues(std::string& output) {
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  std::size_t at = 0;
  while ((at = output.find(kContinue, at)) != std::string::npos) output.erase(at, kContinue.size());
}

}  // namespace
}  // namespace millstream::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millstream::http;
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Outcome whole = Feed(bytes, bytes.size() + 1);
  Outcome pieces = Feed(bytes, 1u + data[0]);
  RemoveContinues(whole.output);
  RemoveContinues(pieces.output);
  // A head above the limit is refused as 431 or, when it is malformed further on, as that: only the
  // refusal is compared.
  if (whole.output != pieces.output) {
    CHECK(whole.finished && pieces.finished);
  } else {
    CHECK(whole == pieces);
  }
  return 0;
}
