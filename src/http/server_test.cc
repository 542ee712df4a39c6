#include "http/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <thread>

#include "codec/hex.h"
#include "codec/sha256.h"
#include "http/server_for_test.h"

namespace millstream::http {
namespace {

using namespace std::string_literals;

// Answers with what it got.
void Echo(Request request, Responder responder) {
  Response response;
  response.headers.Add("x-method", request.method);
  response.headers.Add("x-target", request.target);
  response.headers.Add(
      "x-sha-ok", request.body_sha256 == codec::Sha256Digest(request.body.view()) ? "yes" : "no");
  response.body = request.body;
  std::move(responder).Send(std::move(response));
}

TEST(ServerTest, AnswersRequestsOnOneConnection) {
  ServerForTest server(Echo);
  Client client(server.client_options());
  for (std::size_t size : {0u, 1u, 1000u, 16u << 10, 32u << 10, 33u << 10, 200u << 10, 3u << 20}) {
    std::string body(size, 'a');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>('a' + i * 7 % 26);
    auto response = client.Send({.method = "POST", .target = "/x?y=z", .body = body});
    ASSERT_TRUE(response) << response.error().message();
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->Find("x-target"), "/x?y=z");
    EXPECT_EQ(response->Find("x-method"), "POST");
    EXPECT_EQ(response->Find("x-sha-ok"), "yes");
    EXPECT_TRUE(response->body == body) << size;
    EXPECT_TRUE(response->Find("date"));
  }
  EXPECT_EQ(server.metrics().connections_accepted_total.value(), 1u);
}

TEST(ServerTest, ReadsARequestByteByByte) {
  ServerForTest server(Echo);
  SocketForTest socket(server.port());
  for (char c : "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"s) {
    ASSERT_TRUE(socket.Send({&c, 1}));
  }
  std::string got = socket.ReadUntil("hello");
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200 OK\r\n")) << got;
  for (char c :
       "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
       "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: v\r\n\r\n"s) {
    ASSERT_TRUE(socket.Send({&c, 1}));
  }
  got = socket.ReadUntil("hello world");
  EXPECT_NE(got.find("x-sha-ok: yes"), std::string::npos) << got;
}

TEST(ServerTest, AnswersPipelinedRequestsInOrder) {
  std::mutex mutex;
  std::vector<std::pair<std::string, Responder>> waiting;
  ServerForTest server([&](Request request, Responder responder) {
    std::lock_guard lock(mutex);
    waiting.emplace_back(std::string(request.target), std::move(responder));
    // Answer in reverse order once all are here.
    if (waiting.size() < 8) return;
    while (!waiting.empty()) {
      auto [target, last] = std::move(waiting.back());
      waiting.pop_back();
      std::move(last).Send(TextResponse(target));
    }
  });
  SocketForTest socket(server.port());
  std::string text;
  for (int i = 0; i < 8; ++i) {
    text += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
  }
  ASSERT_TRUE(socket.Send(text));
  std::string got = socket.ReadUntil("\r\n\r\n/7");
  std::size_t at = 0;
  for (int i = 0; i < 8; ++i) {
    at = got.find("\r\n\r\n/" + std::to_string(i), at);
    ASSERT_NE(at, std::string::npos) << i << "\n" << got;
  }
}

TEST(ServerTest, PipelinesMoreThanItsLimit) {
  ServerForTest server(Echo, {.pipelined_max = 4});
  SocketForTest socket(server.port());
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    text += "GET /" + std::to_string(i) + "x HTTP/1.1\r\nHost: h\r\n\r\n";
  }
  std::thread sender([&] { socket.Send(text); });
  std::string got;
  while (got.find("x-target: /999x") == std::string::npos) {
    std::string part = socket.ReadUntil("\r\n");
    ASSERT_EQ(part.find('<'), std::string::npos) << part;
    got += part;
  }
  sender.join();
  EXPECT_EQ(server.metrics().requests_http1_total.value(), 1000u);
}

TEST(ServerTest, SaysContinueBeforeTheBody) {
  ServerForTest server(Echo);
  SocketForTest socket(server.port());
  ASSERT_TRUE(socket.Send(
      "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
  EXPECT_EQ(socket.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(socket.Send("ok"));
  std::string got = socket.ReadUntil("\r\n\r\nok");
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200 OK")) << got;
}

TEST(ServerTest, AnswersHeadAndOldClients) {
  ServerForTest server(Echo);
  SocketForTest socket(server.port());
  ASSERT_TRUE(
      socket.Send("HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok"
                  "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"));
  std::string got = socket.ReadUntil("x-target: /next");
  EXPECT_NE(got.find("content-length: 2\r\n"), std::string::npos) << got;
  EXPECT_EQ(got.find("\r\n\r\nok"), std::string::npos) << got;

  SocketForTest old(server.port());
  ASSERT_TRUE(old.Send("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nok"));
  got = old.ReadAll();
  EXPECT_NE(got.find("connection: close\r\n"), std::string::npos) << got;
  EXPECT_TRUE(got.ends_with("\r\n\r\nok<end>")) << got;
}

TEST(ServerTest, RefusesAndClosesOnMalformedRequests) {
  ServerForTest server(Echo, {.body_bytes_max = 1000, .head_bytes_max = 1000});
  struct {
    std::string text;
    int status;
  } cases[] = {
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"\x01\x02garbage\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n" + std::string(1001, 'x'), 413},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", 413},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: h\r\nA: " + std::string(1000, 'x') + "\r\n\r\n", 431},
      {"GET / HTTP/1.1\r\nHost: h\r\nA: " + std::string(2000, 'x'), 431},
  };
  for (auto& bad : cases) {
    SocketForTest socket(server.port());
    ASSERT_TRUE(socket.Send(bad.text));
    std::string got = socket.ReadAll();
    EXPECT_TRUE(got.starts_with("HTTP/1.1 " + std::to_string(bad.status))) << bad.text << got;
    EXPECT_TRUE(got.ends_with("<end>")) << got;
  }
}

TEST(ServerTest, AnswersBeforeAMalformedPipelinedRequest) {
  ServerForTest server(Echo);
  SocketForTest socket(server.port());
  ASSERT_TRUE(socket.Send("GET /good HTTP/1.1\r\nHost: h\r\n\r\nbad\r\n\r\n"));
  std::string got = socket.ReadAll();
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200")) << got;
  EXPECT_NE(got.find("HTTP/1.1 400"), std::string::npos) << got;
}

TEST(ServerTest, HalfClosedClientsGetTheirAnswer) {
  ServerForTest server([](Request, Responder responder) {
    std::thread([responder = std::make_shared<Responder>(std::move(responder))] {
      std::move(*responder).Send(TextResponse("late"));
    }).detach();
  });
  SocketForTest socket(server.port());
  ASSERT_TRUE(socket.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  socket.EndOutput();
  std::string got = socket.ReadAll();
  EXPECT_TRUE(got.ends_with("late<end>")) << got;
}

class CountingSource final : public BodySource {
 public:
  CountingSource(int parts, std::size_t part_size, std::atomic<int>& made)
      : left_(parts), part_size_(part_size), made_(made) {}
  base::Result<base::Bytes> Next() override {
    if (left_ == 0) return base::Bytes();
    --left_;
    ++made_;
    return base::Bytes::Copy(std::string(part_size_, 'p'));
  }

 private:
  int left_;
  std::size_t part_size_;
  std::atomic<int>& made_;
};

TEST(ServerTest, SendsBodiesFromASource) {
  std::atomic<int> made{0};
  ServerForTest server([&](Request request, Responder responder) {
    Response response;
    response.source = std::make_unique<CountingSource>(10, 100'000, made);
    if (request.path() == "/known") response.content_length = 1'000'000;
    std::move(responder).Send(std::move(response));
  });
  Client client(server.client_options());
  auto chunked = client.Send({});
  ASSERT_TRUE(chunked) << chunked.error().message();
  EXPECT_EQ(chunked->Find("transfer-encoding"), "chunked");
  EXPECT_EQ(chunked->body, std::string(1'000'000, 'p'));
  auto known = client.Send({.target = "/known"});
  ASSERT_TRUE(known) << known.error().message();
  EXPECT_EQ(known->Find("content-length"), "1000000");
  EXPECT_EQ(known->body, std::string(1'000'000, 'p'));
  EXPECT_EQ(server.metrics().connections_accepted_total.value(), 1u);
  SocketForTest old(server.port());
  ASSERT_TRUE(old.Send("GET / HTTP/1.0\r\n\r\n"));
  std::string got = old.ReadAll();
  EXPECT_EQ(got.size() - got.find("\r\n\r\n") - 4, 1'000'000 + "<end>"s.size());
}

TEST(ServerTest, PullsNoMoreThanASlowReaderTakes) {
  std::atomic<int> made{0};
  ServerForTest server(
      [&](Request, Responder responder) {
        Response response;
        response.source = std::make_unique<CountingSource>(1'000, 1 << 20, made);
        std::move(responder).Send(std::move(response));
      },
      {.send_timeout_ms = 200});
  SocketForTest socket(server.port());
  ASSERT_TRUE(socket.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  // Read nothing: the server gives up on us, having made what the socket buffers hold.
  while (server.metrics().timeouts_total.value() == 0) std::this_thread::yield();
  EXPECT_LT(made, 30);
  EXPECT_TRUE(socket.ReadAll().size() < 30u << 20);
}

TEST(ServerTest, ClosesSlowAndIdleConnections) {
  ServerForTest server(Echo, {.idle_timeout_ms = 100, .receive_timeout_ms = 50});
  SocketForTest idle(server.port());
  SocketForTest used(server.port());
  ASSERT_TRUE(used.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  SocketForTest slow(server.port());
  ASSERT_TRUE(slow.Send("GET / HTTP/1.1\r\nHos"));
  SocketForTest slow_body(server.port());
  ASSERT_TRUE(slow_body.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nab"));
  EXPECT_TRUE(slow.ReadAll().starts_with("HTTP/1.1 408"));
  EXPECT_TRUE(slow_body.ReadAll().starts_with("HTTP/1.1 408"));
  EXPECT_EQ(idle.ReadAll(), "<end>");
  EXPECT_TRUE(used.ReadAll().ends_with("\r\n\r\n<end>"));
}

TEST(ServerTest, BoundsTheBodiesBeingReceived) {
  ServerForTest server(Echo, {.buffered_body_bytes_max = 1000});
  SocketForTest first(server.port());
  ASSERT_TRUE(first.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\nx"));
  while (server.metrics().buffered_body_bytes.value() != 900) std::this_thread::yield();
  SocketForTest second(server.port());
  ASSERT_TRUE(second.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\n"));
  EXPECT_TRUE(second.ReadAll().starts_with("HTTP/1.1 503"));
  first.Reset();
  while (server.metrics().buffered_body_bytes.value() != 0) std::this_thread::yield();
}

TEST(ServerTest, RefusesConnectionsAboveItsLimit) {
  ServerForTest server(Echo, {.connections_max = 2});
  SocketForTest a(server.port()), b(server.port()), c(server.port());
  for (auto* socket : {&a, &b}) {
    ASSERT_TRUE(socket->Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    EXPECT_TRUE(socket->ReadUntil("\r\n\r\n").starts_with("HTTP/1.1 200"));
  }
  std::string got = c.ReadAll();
  EXPECT_TRUE(got == "<end>" || got == "<reset>") << got;
}

TEST(ServerTest, StreamsFromAnotherThreadUntilFinished) {
  std::vector<std::thread> writers;
  ServerForTest server([&](Request, Responder responder) {
    auto writer = std::move(responder).Stream(TextResponse("head "));
    writers.emplace_back([writer = std::move(writer)] {
      for (int i = 0; i < 1000; ++i) writer->Write(base::Bytes::Copy(std::to_string(i) + " "));
      writer->Finish();
    });
  });
  Client client(server.client_options());
  std::string expected = "head ";
  for (int i = 0; i < 1000; ++i) expected += std::to_string(i) + " ";
  for (int i = 0; i < 2; ++i) {
    auto response = client.Send({});
    ASSERT_TRUE(response) << response.error().message();
    EXPECT_EQ(response->body, expected);
  }
  for (auto& writer : writers) writer.join();
}

TEST(ServerTest, AWriterHearsOfDrainingAndOfThePeerLeaving) {
  std::mutex mutex;
  std::condition_variable changed;
  std::unique_ptr<BodyWriter> writer;
  int drained = 0;
  ServerForTest server([&](Request, Responder responder) {
    std::lock_guard lock(mutex);
    writer = std::move(responder).Stream({});
    writer->OnDrained(1000, [&] {
      std::lock_guard inner(mutex);
      ++drained;
      changed.notify_all();
    });
    changed.notify_all();
  });
  SocketForTest socket(server.port());
  ASSERT_TRUE(socket.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return writer != nullptr; });
  lock.unlock();
  ASSERT_TRUE(writer->Write(base::Bytes::Copy(std::string(5000, 'x'))));
  EXPECT_NE(socket.ReadUntil("xxxxx").find("transfer-encoding: chunked"), std::string::npos);
  lock.lock();
  changed.wait(lock, [&] { return drained == 1; });
  lock.unlock();
  EXPECT_EQ(writer->queued_bytes(), 0u);
  socket.Reset();
  lock.lock();
  changed.wait(lock, [&] { return drained == 2; });
  lock.unlock();
  EXPECT_TRUE(writer->closed());
  EXPECT_FALSE(writer->Write(base::Bytes::Copy("y")));
  writer.reset();
}

TEST(ServerTest, AnEndlessResponseToASlowReaderQueuesInItsWriter) {
  std::mutex mutex;
  std::condition_variable changed;
  std::unique_ptr<BodyWriter> writer;
  ServerForTest server([&](Request, Responder responder) {
    std::lock_guard lock(mutex);
    writer = std::move(responder).Stream({});
    changed.notify_all();
  });
  SocketForTest socket(server.port());
  ASSERT_TRUE(socket.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return writer != nullptr; });
  std::string part(64 << 10, 'x');
  // Socket buffers take some; then what is queued stays queued.
  std::size_t written = 0;
  while (writer->queued_bytes() < (1u << 20)) {
    ASSERT_TRUE(writer->Write(base::Bytes::Copy(part)));
    written += part.size();
    ASSERT_LT(written, 100u << 20);
  }
  writer.reset();  // without Finish(): the response is cut off, not ended
  EXPECT_EQ(socket.ReadAll().find("\r\n0\r\n\r\n"), std::string::npos);
}

TEST(ServerTest, ADroppedResponderAnswers500) {
  ServerForTest server([](Request, Responder) {});
  Client client(server.client_options());
  auto response = client.Send({});
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->status, 500);
  EXPECT_EQ(server.metrics().unanswered_total.value(), 1u);
}

TEST(ServerTest, AnswersFromOtherThreadsAfterTheConnectionIsGone) {
  std::mutex mutex;
  std::vector<Responder> waiting;
  std::vector<std::unique_ptr<BodyWriter>> writers;
  {
    ServerForTest server([&](Request, Responder responder) {
      std::lock_guard lock(mutex);
      waiting.push_back(std::move(responder));
    });
    auto arrive = [&](std::size_t count) {
      while (true) {
        std::lock_guard lock(mutex);
        if (waiting.size() == count) return;
      }
    };
    SocketForTest first(server.port()), second(server.port());
    ASSERT_TRUE(first.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    ASSERT_TRUE(second.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    arrive(2);
    EXPECT_FALSE(waiting[0].closed());
    first.Reset();
    second.Reset();
    while (!waiting[0].closed() || !waiting[1].closed()) std::this_thread::yield();
    std::move(waiting[0]).Send(TextResponse("x"));
    auto writer = std::move(waiting[1]).Stream({});
    EXPECT_FALSE(writer->Write(base::Bytes::Copy("x")));
    writers.push_back(std::move(writer));
    waiting.clear();
    SocketForTest third(server.port());
    ASSERT_TRUE(third.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    arrive(2);
    writers.push_back(std::move(waiting[0]).Stream({}));
    waiting.erase(waiting.begin());
  }
  // The server and its loop are gone.
  std::move(waiting[0]).Send(TextResponse("x"));
  EXPECT_FALSE(writers[1]->Write(base::Bytes::Copy("x")));
  writers[1]->Finish();
}

TEST(ServerTest, StopsUnderLoad) {
  for (int round = 0; round < 5; ++round) {
    std::atomic<int> answered{0};
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Responder> queue;
    bool done = false;
    std::thread answering([&] {
      std::unique_lock lock(mutex);
      while (true) {
        changed.wait(lock, [&] { return done || !queue.empty(); });
        if (queue.empty()) return;
        Responder responder = std::move(queue.front());
        queue.pop_front();
        lock.unlock();
        std::move(responder).Send(TextResponse("ok"));
        ++answered;
        lock.lock();
      }
    });
    auto server = std::make_unique<ServerForTest>(
        [&](Request, Responder responder) {
          std::lock_guard lock(mutex);
          queue.push_back(std::move(responder));
          changed.notify_one();
        },
        ServerOptions{}, 2);
    std::vector<std::thread> clients;
    std::atomic<int> good{0};
    for (int i = 0; i < 8; ++i) {
      clients.emplace_back([&, options = server->client_options()] {
        Client client(options);
        while (true) {
          auto response = client.Send({.method = "POST", .body = "hello"});
          if (!response) return;
          EXPECT_EQ(response->body, "ok");
          ++good;
        }
      });
    }
    while (good < 500) std::this_thread::yield();
    server->server().Stop(5'000);
    for (auto& client : clients) client.join();
    EXPECT_EQ(server->metrics().connections_open.value(), 0);
    server.reset();
    {
      std::lock_guard lock(mutex);
      done = true;
      changed.notify_one();
    }
    answering.join();
  }
}

TEST(ServerTest, HoldsAThousandConnections) {
  ServerForTest server(Echo, {}, 2);
  std::vector<std::unique_ptr<SocketForTest>> sockets;
  auto before = base::CurrentBlockUsage();
  for (int i = 0; i < 1000; ++i) {
    sockets.push_back(std::make_unique<SocketForTest>(server.port()));
    ASSERT_TRUE(sockets.back()->Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok"));
  }
  for (auto& socket : sockets) ASSERT_TRUE(socket->ReadUntil("ok").ends_with("ok"));
  EXPECT_EQ(server.metrics().connections_open.value(), 1000);
  // Idle connections hold no buffers.
  while (base::CurrentBlockUsage().in_use_bytes > before.in_use_bytes) std::this_thread::yield();
  for (auto& socket : sockets) {
    ASSERT_TRUE(socket->Send("GET /again HTTP/1.1\r\nHost: h\r\n\r\n"));
    ASSERT_NE(socket->ReadUntil("/again").find("/again"), std::string::npos);
  }
}

TEST(ServerTest, SaysThatAPortIsTaken) {
  ServerForTest server(Echo, {}, 2);
  base::SystemClock clock;
  LoopsForTest loops(clock, 2);
  LambdaHandler handler(Echo);
  auto second = Server::Start(loops.all(), clock, handler, {.port = server.port()});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), base::Code::kAlreadyExists);
}

TEST(ServerTest, ListensOnBothLoopbackAddresses) {
  ServerForTest server(Echo, {.address = "localhost"}, 2);
  for (const char* host : {"127.0.0.1", "::1"}) {
    ClientOptions options = server.client_options();
    options.host = host;
    Client client(options);
    auto response = client.Send({});
    ASSERT_TRUE(response) << response.error().message();
  }
}

// Random cuts of a random pipeline of requests come to the same answers.
TEST(ServerTest, AnswersDoNotDependOnHowBytesArrive) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  ServerForTest server(Echo);
  for (int round = 0; round < 20; ++round) {
    std::string text;
    std::string expected;
    for (int i = 0; i < 10; ++i) {
      std::string body(random() % 2 == 0 ? random() % 50 : random() % 100'000, 'b');
      expected += std::to_string(body.size()) + " ";
      if (random() % 2 == 0) {
        text += "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n\r\n" + body;
      } else {
        text += "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        std::string_view left = body;
        while (!left.empty()) {
          auto part = std::min<std::size_t>(left.size(), 1 + random() % 30'000);
          char size[20];
          snprintf(size, sizeof size, "%zx\r\n", part);
          text += size + std::string(left.substr(0, part)) + "\r\n";
          left.remove_prefix(part);
        }
        text += "0\r\n\r\n";
      }
    }
    text += "GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    SocketForTest socket(server.port());
    std::thread sender([&] {
      std::string_view left = text;
      while (!left.empty()) {
        auto part = std::min<std::size_t>(left.size(), 1 + random() % 20'000);
        socket.Send(left.substr(0, part));
        left.remove_prefix(part);
      }
    });
    std::string got = socket.ReadAll();
    sender.join();
    std::string lengths;
    std::size_t at = 0;
    while ((at = got.find("content-length: ", at)) != std::string::npos) {
      at += 16;
      lengths += got.substr(at, got.find("\r\n", at) - at) + " ";
    }
    EXPECT_EQ(lengths, expected + "0 ");
    EXPECT_EQ(got.find("x-sha-ok: no"), std::string::npos);
  }
}

}  // namespace
}  // namespace millstream::http
