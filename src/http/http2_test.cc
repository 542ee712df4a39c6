#include <fcntl.h>
#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdlib.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "codec/sha256.h"
#include "http/server_for_test.h"
#include "net/certificate.h"
#include "net/tls.h"
#include "net/transport.h"

namespace millstream::http {
namespace {

using namespace std::string_literals;

// A blocking HTTP/2 client of nghttp2's for tests: submit requests, then run until answers are in.
class Http2ClientForTest {
 public:
  struct Reply {
    std::map<std::string, std::string> headers;
    std::string body;
    bool closed = false;
    uint32_t error = 0;
  };

  explicit Http2ClientForTest(std::unique_ptr<net::Transport> transport, uint32_t window = 1 << 20)
      : transport_(std::move(transport)) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t n,
                      const uint8_t* value, size_t v, uint8_t, void* self) {
          Self(self).replies[frame->hd.stream_id].headers[Text(name, n)] = Text(value, v);
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks,
        [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* self) {
          Self(self).replies[id].body += Text(data, size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, int32_t id, uint32_t error, void* self) {
          Self(self).replies[id].closed = true;
          Self(self).replies[id].error = error;
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
          if (frame->hd.type == NGHTTP2_GOAWAY) {
            Self(self).goaway = true;
            Self(self).goaway_error = frame->goaway.error_code;
          }
          return 0;
        });
    nghttp2_session_client_new(&session, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window}};
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, 1);
  }
  ~Http2ClientForTest() { nghttp2_session_del(session); }

  int32_t Submit(std::string_view method, std::string_view path, std::string body = {},
                 std::vector<std::pair<std::string, std::string>> more = {}) {
    std::vector<std::pair<std::string, std::string>> all = {{":method", std::string(method)},
                                                            {":scheme", "http"},
                                                            {":authority", "h:1"},
                                                            {":path", std::string(path)}};
    all.insert(all.end(), more.begin(), more.end());
    std::vector<nghttp2_nv> headers;
    for (auto& [name, value] : all) {
      headers.push_back({reinterpret_cast<uint8_t*>(name.data()),
                         reinterpret_cast<uint8_t*>(value.data()), name.size(), value.size(), 0});
    }
    bodies_.push_back(std::make_unique<std::string>(std::move(body)));
    nghttp2_data_provider provider{};
    provider.source.ptr = bodies_.back().get();
    provider.read_callback = [](nghttp2_session*, int32_t, uint8_t* to, size_t size,
                                uint32_t* flags, nghttp2_data_source* source, void*) {
      auto& left = *static_cast<std::string*>(source->ptr);
      size_t part = std::min(size, left.size());
      std::copy_n(left.data(), part, reinterpret_cast<char*>(to));
      left.erase(0, part);
      if (left.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(part);
    };
    int32_t id = nghttp2_submit_request(session, nullptr, headers.data(), headers.size(),
                                        bodies_.back()->empty() ? nullptr : &provider, nullptr);
    CHECK(id > 0);
    return id;
  }

  // One exchange of bytes with the server. False when the connection is over.
  bool Step(int timeout_ms = 10'000) {
    const uint8_t* data = nullptr;
    while (true) {
      ssize_t size = nghttp2_session_mem_send(session, &data);
      if (size <= 0) break;
      unsent_.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    }
    if (!unsent_.empty()) {
      iovec part{unsent_.data(), unsent_.size()};
      net::IoResult wrote = transport_->Write(&part, 1);
      if (wrote.state == net::IoResult::State::kFailed) return false;
      unsent_.erase(0, wrote.bytes);
    }
    char bytes[65536];
    net::IoResult got = transport_->Read(bytes, sizeof bytes);
    if (got.state == net::IoResult::State::kWouldBlock) {
      short events = static_cast<short>(POLLIN | (unsent_.empty() ? 0 : POLLOUT));
      pollfd wait{transport_->fd(), events, 0};
      return poll(&wait, 1, timeout_ms) == 1;
    }
    if (got.state != net::IoResult::State::kOk) return false;
    return nghttp2_session_mem_recv(session, reinterpret_cast<uint8_t*>(bytes), got.bytes) >= 0;
  }

  const Reply& Wait(int32_t id) {
    while (!replies[id].closed && Step()) {
    }
    return replies[id];
  }

  nghttp2_session* session = nullptr;
  std::map<int32_t, Reply> replies;
  bool goaway = false;
  uint32_t goaway_error = 0;

 private:
  static Http2ClientForTest& Self(void* self) { return *static_cast<Http2ClientForTest*>(self); }
  static std::string Text(const uint8_t* data, size_t size) {
    return std::string(reinterpret_cast<const char*>(data), size);
  }

  std::unique_ptr<net::Transport> transport_;
  std::vector<std::unique_ptr<std::string>> bodies_;
  std::string unsent_;
};

void Echo(Request request, Responder responder) {
  Response response;
  response.headers.Add("x-target", request.target);
  response.headers.Add("x-authority", request.authority);
  response.headers.Add("x-version", request.version == Version::kHttp2 ? "2" : "1");
  response.headers.Add("x-tls", request.tls ? "yes" : "no");
  response.headers.Add("x-headers", std::to_string(request.headers.size()));
  response.headers.Add(
      "x-sha-ok", request.body_sha256 == codec::Sha256Digest(request.body.view()) ? "yes" : "no");
  response.body = request.body;
  std::move(responder).Send(std::move(response));
}

net::Socket ConnectNonBlocking(uint16_t port) {
  SocketForTest socket(port);
  int fd = dup(socket.fd());
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return net::Socket(fd);
}

std::unique_ptr<net::Transport> Connect(uint16_t port) {
  return net::MakePlainTransport(ConnectNonBlocking(port));
}

TEST(Http2Test, AnswersWithPriorKnowledge) {
  ServerForTest server(Echo);
  Http2ClientForTest client(Connect(server.port()));
  for (std::size_t size : {0u, 1u, 1000u, 32u << 10, 33u << 10, 200u << 10, 5u << 20}) {
    std::string body(size, 'a');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>('a' + i * 7 % 26);
    auto& reply = client.Wait(client.Submit(
        "POST", "/x?y", body, {{"content-length", std::to_string(size)}, {"a", "b"}}));
    EXPECT_EQ(reply.error, 0u);
    auto headers = reply.headers;
    EXPECT_EQ(headers[":status"], "200");
    EXPECT_EQ(headers["x-target"], "/x?y");
    EXPECT_EQ(headers["x-authority"], "h:1");
    EXPECT_EQ(headers["x-headers"], "2");
    EXPECT_EQ(headers["x-version"], "2");
    EXPECT_EQ(headers["x-sha-ok"], "yes");
    EXPECT_EQ(headers["content-length"], std::to_string(size));
    EXPECT_TRUE(reply.body == body) << size;
  }
  auto& unannounced = client.Wait(client.Submit("POST", "/", std::string(100'000, 'x')));
  EXPECT_EQ(unannounced.body, std::string(100'000, 'x'));
}

TEST(Http2Test, RunsStreamsSideBySide) {
  std::mutex mutex;
  std::vector<std::pair<std::string, Responder>> waiting;
  ServerForTest server([&](Request request, Responder responder) {
    std::lock_guard lock(mutex);
    waiting.emplace_back(std::string(request.target), std::move(responder));
    if (waiting.size() < 100) return;
    while (!waiting.empty()) {
      auto [target, last] = std::move(waiting.back());
      waiting.pop_back();
      std::move(last).Send(TextResponse(target));
    }
  });
  Http2ClientForTest client(Connect(server.port()));
  std::vector<int32_t> ids;
  for (int i = 0; i < 200; ++i) ids.push_back(client.Submit("GET", "/" + std::to_string(i)));
  for (int i = 0; i < 200; ++i) EXPECT_EQ(client.Wait(ids[i]).body, "/" + std::to_string(i));
  EXPECT_EQ(server.metrics().connections_accepted_total.value(), 1u);
}

TEST(Http2Test, UpgradesFromHttp1) {
  ServerForTest server(Echo);
  net::Socket socket = ConnectNonBlocking(server.port());
  std::string request =
      "POST /first HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
      "HTTP2-Settings: AAMAAABkAAQAoAAA\r\nContent-Length: 5\r\n\r\nhello";
  ASSERT_EQ(send(socket.fd(), request.data(), request.size(), 0),
            static_cast<ssize_t>(request.size()));
  std::string switching;
  while (!switching.ends_with("\r\n\r\n")) {
    char c;
    pollfd wait{socket.fd(), POLLIN, 0};
    ASSERT_EQ(poll(&wait, 1, 10'000), 1);
    ASSERT_EQ(recv(socket.fd(), &c, 1, 0), 1);
    switching += c;
  }
  EXPECT_TRUE(switching.starts_with("HTTP/1.1 101 ")) << switching;
  Http2ClientForTest client(net::MakePlainTransport(std::move(socket)));
  const uint8_t settings[] = {0, 3, 0, 0, 0, 100, 0, 4, 0, 0xa0, 0, 0};
  ASSERT_EQ(nghttp2_session_upgrade2(client.session, settings, sizeof settings, 0, nullptr), 0);
  EXPECT_EQ(client.Wait(1).body, "hello");
  EXPECT_EQ(client.replies[1].headers["x-target"], "/first");
  EXPECT_EQ(client.Wait(client.Submit("POST", "/second", "again")).body, "again");
}

TEST(Http2Test, RefusesWhatIsTooLarge) {
  ServerForTest server(Echo, {.body_bytes_max = 1000, .head_bytes_max = 2000});
  Http2ClientForTest client(Connect(server.port()));
  auto& announced =
      client.Wait(client.Submit("POST", "/", std::string(1001, 'x'), {{"content-length", "1001"}}));
  EXPECT_EQ(announced.headers.at(":status"), "413");
  auto& found = client.Wait(client.Submit("POST", "/", std::string(200'000, 'x')));
  EXPECT_EQ(found.headers.at(":status"), "413");
  auto& head = client.Wait(client.Submit("GET", "/", "", {{"a", std::string(2000, 'x')}}));
  EXPECT_EQ(head.headers.at(":status"), "431");
  EXPECT_EQ(client.Wait(client.Submit("POST", "/", "ok")).body, "ok");
  EXPECT_EQ(server.metrics().buffered_body_bytes.value(), 0);
}

TEST(Http2Test, AResetStreamClosesItsResponder) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Responder> waiting;
  ServerForTest server([&](Request request, Responder responder) {
    if (request.target == "/echo") return Echo(std::move(request), std::move(responder));
    std::lock_guard lock(mutex);
    waiting.push_back(std::move(responder));
    changed.notify_all();
  });
  Http2ClientForTest client(Connect(server.port()));
  int32_t id = client.Submit("GET", "/");
  auto arrived = [&] {
    std::lock_guard lock(mutex);
    return !waiting.empty();
  };
  while (!arrived()) client.Step(1);
  EXPECT_FALSE(waiting[0].closed());
  nghttp2_submit_rst_stream(client.session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
  while (!waiting[0].closed()) client.Step(1);
  std::move(waiting[0]).Send(TextResponse("late"));
  EXPECT_EQ(client.Wait(client.Submit("POST", "/echo", "x")).body, "x");
}

TEST(Http2Test, StreamsToSeveralReadersWithinTheirWindows) {
  std::mutex mutex;
  std::vector<std::shared_ptr<BodyWriter>> writers;
  ServerForTest server([&](Request, Responder responder) {
    std::lock_guard lock(mutex);
    writers.push_back(std::move(responder).Stream({}));
  });
  Http2ClientForTest client(Connect(server.port()), 10'000);
  int32_t a = client.Submit("GET", "/"), b = client.Submit("GET", "/");
  auto count = [&] {
    std::lock_guard lock(mutex);
    return writers.size();
  };
  while (count() < 2) client.Step(1);
  std::thread writing([&] {
    for (int i = 0; i < 1000; ++i) {
      for (auto& writer : writers)
        EXPECT_TRUE(writer->Write(base::Bytes::Copy(std::string(997, 'w'))));
    }
    writers[0]->Finish();
    writers.erase(writers.begin() + 1);  // without Finish()
  });
  EXPECT_EQ(client.Wait(a).body, std::string(997'000, 'w'));
  EXPECT_EQ(client.replies[a].error, 0u);
  EXPECT_EQ(client.Wait(b).error, static_cast<uint32_t>(NGHTTP2_INTERNAL_ERROR));
  writing.join();
}

class PartsSource final : public BodySource {
 public:
  PartsSource(int parts, std::atomic<int>& made) : left_(parts), made_(made) {}
  base::Result<base::Bytes> Next() override {
    if (left_ == 0) return base::Bytes();
    --left_;
    ++made_;
    return base::Bytes::Copy(std::string(200'000, 'p'));
  }

 private:
  int left_;
  std::atomic<int>& made_;
};

TEST(Http2Test, SendsBodiesFromASourceAsTheReaderTakesThem) {
  std::atomic<int> made{0};
  ServerForTest server([&](Request request, Responder responder) {
    Response response;
    response.source = std::make_unique<PartsSource>(20, made);
    if (request.target == "/known") response.content_length = 4'000'000;
    std::move(responder).Send(std::move(response));
  });
  Http2ClientForTest client(Connect(server.port()));
  for (const char* path : {"/", "/known"}) {
    made = 0;
    auto& reply = client.Wait(client.Submit("GET", path));
    EXPECT_EQ(reply.body, std::string(4'000'000, 'p'));
    EXPECT_EQ(reply.error, 0u);
  }
  // A reader with a small window that never opens it.
  made = 0;
  Http2ClientForTest slow(Connect(server.port()), 1000);
  int32_t id = slow.Submit("GET", "/");
  slow.Step();
  while (slow.replies[id].body.empty()) slow.Step();
  EXPECT_LE(made, 2);
}

// Sends frames that cost the server work and carry nothing, until it has had enough.
void Flood(const char* what, std::function<void(Http2ClientForTest&, int)> one) {
  ServerForTest server(Echo);
  Http2ClientForTest client(Connect(server.port()));
  client.Wait(client.Submit("GET", "/"));
  for (int i = 0; i < 200'000 && !client.goaway; ++i) {
    one(client, i);
    if (i % 100 == 99 && !client.Step(0) && client.goaway) break;
  }
  while (!client.goaway && client.Step(1000)) {
  }
  EXPECT_TRUE(client.goaway || server.metrics().connections_open.value() == 0) << what;
  // The server itself is well.
  Http2ClientForTest other(Connect(server.port()));
  EXPECT_EQ(other.Wait(other.Submit("POST", "/", "x")).body, "x");
}

TEST(Http2Test, EndsConnectionsThatFlood) {
  Flood("ping", [](Http2ClientForTest& client, int) {
    nghttp2_submit_ping(client.session, NGHTTP2_FLAG_NONE, nullptr);
  });
  Flood("settings", [](Http2ClientForTest& client, int) {
    nghttp2_submit_settings(client.session, NGHTTP2_FLAG_NONE, nullptr, 0);
  });
  Flood("rapid reset", [](Http2ClientForTest& client, int) {
    int32_t id = client.Submit("GET", "/");
    client.Step(0);
    nghttp2_submit_rst_stream(client.session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
  });
  Flood("priority", [](Http2ClientForTest& client, int i) {
    nghttp2_priority_spec spec;
    nghttp2_priority_spec_init(&spec, 0, 1 + i % 256, 0);
    nghttp2_submit_priority(client.session, NGHTTP2_FLAG_NONE, 3, &spec);
  });
}

TEST(Http2Test, EndsAConnectionOfEndlessContinuations) {
  ServerForTest server(Echo);
  SocketForTest socket(server.port());
  ASSERT_TRUE(socket.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"s + "\0\0\0\4\0\0\0\0\0"s));
  ASSERT_TRUE(socket.Send("\0\0\1\1\0\0\0\0\1\x82"s));  // HEADERS, not the end of them
  std::string continuation = "\0\0\0\x09\0\0\0\0\1"s;
  for (int i = 0; i < 100'000; ++i) {
    if (!socket.Send(continuation)) break;
  }
  std::string got = socket.ReadAll();
  EXPECT_TRUE(got.ends_with("<end>") || got.ends_with("<reset>"));
}

TEST(Http2Test, StopSaysGoawayAndLetsRequestsFinish) {
  std::mutex mutex;
  std::vector<Responder> waiting;
  ServerForTest server([&](Request, Responder responder) {
    std::lock_guard lock(mutex);
    waiting.push_back(std::move(responder));
  });
  Http2ClientForTest client(Connect(server.port()));
  int32_t id = client.Submit("GET", "/");
  auto arrived = [&] {
    std::lock_guard lock(mutex);
    return !waiting.empty();
  };
  while (!arrived()) client.Step(1);
  std::thread stopping([&] { server.server().Stop(10'000); });
  while (!client.goaway) ASSERT_TRUE(client.Step());
  EXPECT_EQ(client.goaway_error, 0u);
  std::move(waiting[0]).Send(TextResponse("done"));
  EXPECT_EQ(client.Wait(id).body, "done");
  while (client.Step()) {
  }
  stopping.join();
}

TEST(Http2Test, GarbageAfterThePrefaceEndsTheConnection) {
  ServerForTest server(Echo);
  SocketForTest socket(server.port());
  for (char c : "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"s) ASSERT_TRUE(socket.Send({&c, 1}));
  ASSERT_TRUE(socket.Send(std::string(1000, '\xff')));
  std::string got = socket.ReadAll();
  EXPECT_TRUE(got.ends_with("<end>") || got.ends_with("<reset>"));
  SocketForTest almost(server.port());
  ASSERT_TRUE(almost.Send("PRI * HTTP/1.1\r\n\r\n"));
  EXPECT_TRUE(almost.ReadAll().starts_with("HTTP/1.1 400"));
}

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    char path[] = "/tmp/millstream-tls-XXXXXX";
    directory_ = mkdtemp(path);
    auto made = net::MakeLocalCertificate(
        {.names = {"localhost", "127.0.0.1"}, .now_ms = base::SystemClock().WallMs()});
    Write("ca.pem", made->ca_certificate);
    Write("server.pem", made->chain);
    Write("key.pem", made->key);
    options_.tls_certificate_file = directory_ + "/server.pem";
    options_.tls_key_file = directory_ + "/key.pem";
  }
  ~TlsTest() override { std::filesystem::remove_all(directory_); }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ + "/" + name) << text;
  }
  net::TlsClientOptions ClientTls(std::string alpn) const {
    return {.host = "127.0.0.1", .ca_file = directory_ + "/ca.pem", .alpn = std::move(alpn)};
  }

  std::string directory_;
  ServerOptions options_;
};

TEST_F(TlsTest, SpeaksHttp1OverTlsAndPlainOnOnePort) {
  ServerForTest server(Echo, options_);
  ClientOptions options = server.client_options();
  Client plain(options);
  options.tls = true;
  options.ca_file = directory_ + "/ca.pem";
  Client secure(options);
  for (std::size_t size : {0u, 1000u, 100'000u, 5'000'000u}) {
    std::string body(size, 's');
    for (Client* client : {&plain, &secure}) {
      auto response = client->Send({.method = "POST", .body = body});
      ASSERT_TRUE(response) << response.error().message();
      EXPECT_TRUE(response->body == body);
      EXPECT_EQ(response->Find("x-tls"), client == &secure ? "yes" : "no");
      EXPECT_EQ(response->Find("x-sha-ok"), "yes");
    }
  }
  EXPECT_EQ(server.metrics().tls_handshakes_total.value(), 1u);
  options.ca_file = "";
  Client distrustful(options);
  EXPECT_FALSE(distrustful.Send({}));
}

TEST_F(TlsTest, SpeaksHttp2ByAlpnAndByPriorKnowledge) {
  ServerForTest server(Echo, options_);
  for (const char* alpn : {"h2", "unknown"}) {
    auto transport = net::ConnectTls(ConnectNonBlocking(server.port()), ClientTls(alpn));
    ASSERT_TRUE(transport) << transport.error().message();
    EXPECT_EQ((*transport)->alpn(), alpn == "h2"s ? "h2" : "");
    Http2ClientForTest client(std::move(*transport));
    std::string body(3'000'000, 't');
    auto& reply = client.Wait(client.Submit("POST", "/", body));
    EXPECT_TRUE(reply.body == body);
    EXPECT_EQ(reply.headers.at("x-tls"), "yes");
  }
}

TEST_F(TlsTest, GarbageHandshakesAreDropped) {
  options_.receive_timeout_ms = 50;
  ServerForTest server(Echo, options_);
  SocketForTest garbage(server.port());
  ASSERT_TRUE(garbage.Send("\x16\x03\x01" + std::string(1000, 'x')));
  std::string got = garbage.ReadAll();
  EXPECT_TRUE(got.ends_with("<end>") || got.ends_with("<reset>")) << got;
  SocketForTest half(server.port());
  ASSERT_TRUE(half.Send("\x16\x03\x01\x02"));
  got = half.ReadAll();
  EXPECT_TRUE(got.ends_with("<end>") || got.ends_with("<reset>")) << got;
  EXPECT_GE(server.metrics().tls_failures_total.value(), 1u);
}

TEST_F(TlsTest, ASlowReaderIsCutOff) {
  options_.send_timeout_ms = 200;
  std::atomic<int> made{0};
  ServerForTest server(
      [&](Request, Responder responder) {
        Response response;
        response.source = std::make_unique<PartsSource>(1000, made);
        std::move(responder).Send(std::move(response));
      },
      options_);
  auto transport = net::ConnectTls(ConnectNonBlocking(server.port()), ClientTls("http/1.1"));
  ASSERT_TRUE(transport);
  std::string request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  iovec part{request.data(), request.size()};
  ASSERT_EQ((*transport)->Write(&part, 1).bytes, request.size());
  while (server.metrics().timeouts_total.value() == 0) std::this_thread::yield();
  EXPECT_LT(made, 100);
}

TEST_F(TlsTest, SaysWhichFileIsWrong) {
  base::SystemClock clock;
  LoopsForTest loops(clock);
  LambdaHandler handler(Echo);
  options_.port = 0;
  options_.tls_key_file = directory_ + "/missing.pem";
  auto server = Server::Start(loops.all(), clock, handler, options_);
  ASSERT_FALSE(server);
  EXPECT_NE(server.error().message().find("missing.pem"), std::string::npos);
}

}  // namespace
}  // namespace millstream::http
