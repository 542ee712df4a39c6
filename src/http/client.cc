#include "http/client.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "http/characters.h"
#include "net/socket.h"
#include "net/tls.h"
#include "net/transport.h"

namespace millstream::http {
namespace {

constexpr std::size_t kHeadBytesMax = 256 << 10;

base::Error Broken(const std::string& what) {
  return base::Error(base::Code::kUnavailable, "http client: " + what);
}

base::Result<net::Socket> ConnectTo(const std::string& host, uint16_t port, int64_t timeout_ms) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::string bare =
      host.size() > 2 && host.front() == '[' ? host.substr(1, host.size() - 2) : host;
  int result = getaddrinfo(bare.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (result != 0) return base::Fail(Broken("looking up " + host + ": " + gai_strerror(result)));
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
  std::string reason = "no address";
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    net::Socket socket(::socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.valid()) continue;
    if (connect(socket.fd(), at->ai_addr, at->ai_addrlen) == 0) return socket;
    if (errno == EINPROGRESS) {
      pollfd wait{socket.fd(), POLLOUT, 0};
      int ready = poll(&wait, 1, static_cast<int>(timeout_ms));
      int failure = 0;
      socklen_t size = sizeof failure;
      getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &failure, &size);
      if (ready == 1 && failure == 0) return socket;
      reason = ready == 0 ? "timed out" : strerror(failure);
    } else {
      reason = strerror(errno);
    }
  }
  return base::Fail(Broken("connecting to " + host + ":" + std::to_string(port) + ": " + reason));
}

}  // namespace

std::optional<std::string_view> ClientResponse::Find(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return std::nullopt;
}

// A connection with its unread bytes.
class Client::Wire {
 public:
  Wire(std::unique_ptr<net::Transport> transport, int64_t timeout_ms)
      : transport_(std::move(transport)), timeout_ms_(static_cast<int>(timeout_ms)) {}

  base::Status Write(std::string_view text);
  base::Status ReadMore();  // appends to `input`; at the end of input sets `ended`
  std::string input;
  bool ended = false;

 private:
  base::Status Wait(short events);

  const std::unique_ptr<net::Transport> transport_;
  const int timeout_ms_;
};

base::Status Client::Wire::Wait(short events) {
  pollfd wait{transport_->fd(), events, 0};
  int ready = poll(&wait, 1, timeout_ms_);
  if (ready == 0) return base::Fail(Broken("timed out"));
  if (ready < 0 && errno != EINTR) return base::Fail(Broken(strerror(errno)));
  return {};
}

base::Status Client::Wire::Write(std::string_view text) {
  while (!text.empty() || transport_->has_unsent()) {
    iovec part{const_cast<char*>(text.data()), text.size()};
    net::IoResult wrote = transport_->Write(&part, text.empty() ? 0 : 1);
    if (wrote.state == net::IoResult::State::kFailed) {
      return base::Fail(Broken("the connection broke while sending"));
    }
    text.remove_prefix(wrote.bytes);
    if (!text.empty() || transport_->has_unsent()) TRY(Wait(POLLOUT));
  }
  return {};
}

base::Status Client::Wire::ReadMore() {
  char part[64 << 10];
  while (true) {
    net::IoResult got = transport_->Read(part, sizeof part);
    switch (got.state) {
      case net::IoResult::State::kOk:
        input.append(part, got.bytes);
        return {};
      case net::IoResult::State::kClosed:
        ended = true;
        return {};
      case net::IoResult::State::kFailed:
        return base::Fail(Broken("the connection broke while receiving"));
      case net::IoResult::State::kWouldBlock:
        TRY(Wait(POLLIN));
        break;
    }
  }
}

Client::Client(ClientOptions options) : options_(std::move(options)) {}
Client::~Client() = default;

void Client::Close() { wire_.reset(); }

base::Status Client::Connect() {
  ASSIGN_OR_RETURN(net::Socket socket,
                   ConnectTo(options_.host, options_.port, options_.timeout_ms));
  std::unique_ptr<net::Transport> transport;
  if (options_.tls) {
    ASSIGN_OR_RETURN(transport,
                     net::ConnectTls(std::move(socket), {.host = options_.host,
                                                         .ca_file = options_.ca_file,
                                                         .verify = options_.verify,
                                                         .timeout_ms = options_.timeout_ms}));
  } else {
    transport = net::MakePlainTransport(std::move(socket));
  }
  wire_ = std::make_unique<Wire>(std::move(transport), options_.timeout_ms);
  return {};
}

base::Result<ClientResponse> Client::Send(const ClientRequest& request) {
  return ExchangeAgain(request, nullptr);
}

base::Result<ClientResponse> Client::SendStreaming(const ClientRequest& request,
                                                   base::Function<bool(std::string_view)> part) {
  return ExchangeAgain(request, &part);
}

// Once more when the server closed the kept connection in between.
base::Result<ClientResponse> Client::ExchangeAgain(const ClientRequest& request,
                                                   base::Function<bool(std::string_view)>* part) {
  bool reused = wire_ != nullptr;
  bool answered = false;
  auto response = Exchange(request, part, answered);
  if (!response && reused && !answered) {
    Close();
    response = Exchange(request, part, answered);
  }
  if (!response) Close();
  return response;
}

namespace {

// Reads one response from `wire`, which has `input`, `ended` and ReadMore().
template <typename Wire>
class ResponseReader {
 public:
  ResponseReader(Wire& wire, std::size_t body_bytes_max,
                 base::Function<bool(std::string_view)>* part)
      : wire_(wire), body_bytes_max_(body_bytes_max), part_(part) {}

  base::Result<ClientResponse> Read(bool head_only, bool& answered, bool& keep_alive);

 private:
  base::Status Fill();
  base::Result<std::string> ReadLine();
  base::Status ReadHead(ClientResponse& response);
  base::Status Deliver(std::size_t size);  // the first bytes of the input
  base::Status ReadCounted(uint64_t size);
  base::Status ReadChunked();

  Wire& wire_;
  const std::size_t body_bytes_max_;
  base::Function<bool(std::string_view)>* const part_;
  ClientResponse response_;
  bool stopped_ = false;
};

template <typename Wire>
base::Status ResponseReader<Wire>::Fill() {
  TRY(wire_.ReadMore());
  if (wire_.ended) return base::Fail(Broken("the connection ended within a response"));
  return {};
}

template <typename Wire>
base::Result<std::string> ResponseReader<Wire>::ReadLine() {
  while (true) {
    std::size_t end = wire_.input.find("\r\n");
    if (end != std::string::npos) {
      std::string line = wire_.input.substr(0, end);
      wire_.input.erase(0, end + 2);
      return line;
    }
    if (wire_.input.size() > kHeadBytesMax) return base::Fail(Broken("a line is too long"));
    TRY(Fill());
  }
}

template <typename Wire>
base::Status ResponseReader<Wire>::ReadHead(ClientResponse& response) {
  ASSIGN_OR_RETURN(std::string status_line, ReadLine());
  if (status_line.size() < 12 || !status_line.starts_with("HTTP/1.") ||
      std::from_chars(status_line.data() + 9, status_line.data() + 12, response.status).ec !=
          std::errc()) {
    return base::Fail(Broken("not an HTTP/1 response: " + status_line.substr(0, 80)));
  }
  response.headers.clear();
  while (true) {
    ASSIGN_OR_RETURN(std::string line, ReadLine());
    if (line.empty()) return {};
    std::size_t colon = line.find(':');
    if (colon == std::string::npos) return base::Fail(Broken("malformed header: " + line));
    std::string name = line.substr(0, colon);
    for (char& c : name) c = LowerAscii(c);
    response.headers.emplace_back(std::move(name),
                                  TrimBlanks(std::string_view(line).substr(colon + 1)));
    if (response.headers.size() > 1000) return base::Fail(Broken("too many headers"));
  }
}

template <typename Wire>
base::Status ResponseReader<Wire>::Deliver(std::size_t size) {
  if (part_ != nullptr) {
    if (!stopped_ && !(*part_)(std::string_view(wire_.input).substr(0, size))) stopped_ = true;
  } else {
    if (response_.body.size() + size > body_bytes_max_) {
      return base::Fail(Broken("the response body is too large"));
    }
    response_.body.append(wire_.input, 0, size);
  }
  wire_.input.erase(0, size);
  return {};
}

template <typename Wire>
base::Status ResponseReader<Wire>::ReadCounted(uint64_t size) {
  while (size > 0 && !stopped_) {
    if (wire_.input.empty()) TRY(Fill());
    auto part = static_cast<std::size_t>(std::min<uint64_t>(size, wire_.input.size()));
    TRY(Deliver(part));
    size -= part;
  }
  return {};
}

template <typename Wire>
base::Status ResponseReader<Wire>::ReadChunked() {
  while (!stopped_) {
    ASSIGN_OR_RETURN(std::string line, ReadLine());
    uint64_t size = 0;
    if (std::from_chars(line.data(), line.data() + line.size(), size, 16).ec != std::errc()) {
      return base::Fail(Broken("malformed chunk size: " + line.substr(0, 80)));
    }
    TRY(ReadCounted(size));
    if (stopped_) return {};
    if (size > 0) {
      ASSIGN_OR_RETURN(std::string end, ReadLine());
      if (!end.empty()) return base::Fail(Broken("a chunk does not end where it should"));
      continue;
    }
    while (true) {
      ASSIGN_OR_RETURN(std::string trailer, ReadLine());
      if (trailer.empty()) return {};
    }
  }
  return {};
}

template <typename Wire>
base::Result<ClientResponse> ResponseReader<Wire>::Read(bool head_only, bool& answered,
                                                        bool& keep_alive) {
  do {
    if (wire_.input.empty()) TRY(Fill());
    answered = true;
    TRY(ReadHead(response_));
  } while (response_.status >= 100 && response_.status < 200);
  keep_alive = true;
  if (auto connection = response_.Find("connection")) keep_alive = *connection != "close";
  if (head_only || response_.status == 204 || response_.status == 304) return std::move(response_);
  if (auto coding = response_.Find("transfer-encoding"); coding && *coding == "chunked") {
    TRY(ReadChunked());
  } else if (auto length = response_.Find("content-length")) {
    uint64_t size = 0;
    if (std::from_chars(length->data(), length->data() + length->size(), size).ec != std::errc()) {
      return base::Fail(Broken("malformed content-length"));
    }
    TRY(ReadCounted(size));
  } else {
    keep_alive = false;
    while (!stopped_) {
      if (!wire_.input.empty()) TRY(Deliver(wire_.input.size()));
      TRY(wire_.ReadMore());
      if (wire_.ended) break;
    }
  }
  if (stopped_) keep_alive = false;
  return std::move(response_);
}

}  // namespace

base::Result<ClientResponse> Client::Exchange(const ClientRequest& request,
                                              base::Function<bool(std::string_view)>* part,
                                              bool& answered) {
  if (wire_ == nullptr) TRY(Connect());
  std::string text = request.method + " " + request.target + " HTTP/1.1\r\nhost: " + options_.host +
                     ":" + std::to_string(options_.port) + "\r\n";
  for (const auto& [name, value] : request.headers) text += name + ": " + value + "\r\n";
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    text += "content-length: " + std::to_string(request.body.size()) + "\r\n";
  }
  text += "\r\n";
  text += request.body;
  // A server may answer and close before it has read all; then its answer counts, not our failure.
  base::Status sent = wire_->Write(text);
  bool keep_alive = false;
  ResponseReader<Wire> reader(*wire_, options_.body_bytes_max, part);
  auto response = reader.Read(request.method == "HEAD", answered, keep_alive);
  if (!sent && !response) return base::Fail(std::move(sent).error());
  if (!response) return response;
  if (!keep_alive || !sent) Close();
  return response;
}

}  // namespace millstream::http
