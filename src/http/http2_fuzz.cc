// Feeds an HTTP/2 session with bytes, in pieces whose sizes the first byte chooses. With its lowest
// bit set the connection preface and SETTINGS come first, so that the fuzzer starts at frames.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/http2_session.h"
#include "http/session_host_for_test.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millstream::http;
  if (size == 0) return 0;
  std::string bytes;
  if ((data[0] & 1) != 0) {
    bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string("\0\0\0\4\0\0\0\0\0", 9);
  }
  bytes.append(reinterpret_cast<const char*>(data) + 1, size - 1);
  SessionHostForTest host({.body_bytes_max = 100'000, .head_bytes_max = 4'000});
  host.Attach(std::make_unique<Http2Session>(host));
  Session& session = host.session();
  std::size_t piece = 1u + (data[0] >> 1) * 8u;
  std::string_view left = bytes;
  while (!left.empty() && session.wants_input()) {
    std::string_view part = left.substr(0, std::min(left.size(), piece));
    left.remove_prefix(part.size());
    session.Receive(part);
    host.hasher().Flush();
    for (int i = 0; i < 100; ++i) {
      session.Produce();
      if (host.output().empty()) break;
      host.output().Clear();
    }
  }
  if (session.idle()) CHECK(host.reserved() == 0);
  return 0;
}
