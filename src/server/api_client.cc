#include "server/api_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "aws/sigv4_signer.h"
#include "base/clock.h"
#include "net/blocking_connection.h"

namespace millstream::server {
namespace {

using base::Code;
using base::Fail;
using base::Result;
using base::Status;

constexpr std::size_t kHeadBytesMax = 64 << 10;
constexpr std::size_t kBodyBytesMax = 256 << 20;

Result<net::BlockingConnection::Target> ParseEndpoint(std::string_view endpoint) {
  net::BlockingConnection::Target target;
  std::string_view rest = endpoint;
  if (rest.starts_with("https://")) {
    target.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return Fail(Code::kInvalidArgument,
                fmt::format("endpoint \"{}\" is neither http:// nor https://", endpoint));
  }
  rest = rest.substr(0, rest.find('/'));
  target.port = target.tls ? 443 : 80;
  auto bracket = rest.rfind(']');
  auto colon = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    std::string_view port = rest.substr(colon + 1);
    auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), target.port);
    if (error != std::errc() || end != port.data() + port.size()) {
      return Fail(Code::kInvalidArgument,
                  fmt::format("endpoint \"{}\" has no valid port", endpoint));
    }
    rest = rest.substr(0, colon);
  }
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  if (rest.empty())
    return Fail(Code::kInvalidArgument, fmt::format("endpoint \"{}\" has no host", endpoint));
  target.host = std::string(rest);
  if (const char* bundle = std::getenv("AWS_CA_BUNDLE")) target.ca_file = bundle;
  return target;
}

struct Answer {
  int status = 0;
  bool keep_alive = true;
  std::string body;
};

// Reads one HTTP/1.1 answer: a body of known length, in chunks, or up to the end of the connection.
class AnswerReader {
 public:
  explicit AnswerReader(net::BlockingConnection& connection) : connection_(connection) {}

  Result<Answer> Read() {
    Answer answer;
    TRY(ReadHead(answer));
    if (chunked_) {
      TRY(ReadChunks(answer.body));
    } else if (length_) {
      TRY(Take(*length_, answer.body));
    } else {
      answer.keep_alive = false;
      TRY(ReadToEnd(answer.body));
    }
    return answer;
  }

 private:
  Result<bool> More() {
    char bytes[64 << 10];
    ASSIGN_OR_RETURN(std::size_t got, connection_.Read(bytes, sizeof bytes));
    buffer_.append(bytes, got);
    return got != 0;
  }
  Status NeedMore() {
    ASSIGN_OR_RETURN(bool more, More());
    if (!more) return Fail(Code::kUnavailable, "the server closed the connection within an answer");
    return {};
  }

  Result<std::string> Line() {
    std::size_t end;
    while ((end = buffer_.find("\r\n")) == std::string::npos) {
      if (buffer_.size() > kHeadBytesMax)
        return Fail(Code::kUnavailable, "the answer's head is too long");
      TRY(NeedMore());
    }
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return line;
  }

  Status Take(std::size_t size, std::string& into) {
    if (size > kBodyBytesMax - std::min(kBodyBytesMax, into.size())) {
      return Fail(Code::kUnavailable, "the answer is too long");
    }
    while (buffer_.size() < size) TRY(NeedMore());
    into.append(buffer_, 0, size);
    buffer_.erase(0, size);
    return {};
  }

  Status ReadHead(Answer& answer) {
    ASSIGN_OR_RETURN(std::string status, Line());
    if (!status.starts_with("HTTP/1.1 ") || status.size() < 12) {
      return Fail(Code::kUnavailable, "this is no HTTP/1.1 server");
    }
    std::from_chars(status.data() + 9, status.data() + 12, answer.status);
    while (true) {
      ASSIGN_OR_RETURN(std::string line, Line());
      if (line.empty()) return {};
      std::transform(line.begin(), line.end(), line.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      });
      if (line.starts_with("content-length: ")) {
        std::size_t length = 0;
        std::from_chars(line.data() + 16, line.data() + line.size(), length);
        length_ = length;
      } else if (line == "transfer-encoding: chunked") {
        chunked_ = true;
      } else if (line == "connection: close") {
        answer.keep_alive = false;
      }
    }
  }

  Status ReadChunks(std::string& body) {
    while (true) {
      ASSIGN_OR_RETURN(std::string line, Line());
      std::size_t size = 0;
      auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), size, 16);
      if (error != std::errc() || end == line.data())
        return Fail(Code::kUnavailable, "a chunk without a size");
      TRY(Take(size, body));
      ASSIGN_OR_RETURN(std::string blank, Line());
      if (size == 0) return {};
    }
  }

  Status ReadToEnd(std::string& body) {
    while (true) {
      ASSIGN_OR_RETURN(bool more, More());
      if (buffer_.size() > kBodyBytesMax) return Fail(Code::kUnavailable, "the answer is too long");
      if (!more) break;
    }
    body = std::move(buffer_);
    return {};
  }

  net::BlockingConnection& connection_;
  std::string buffer_;
  std::optional<std::size_t> length_;
  bool chunked_ = false;
};

// "ResourceNotFoundException: Stream s under account a not found."
base::Error ServiceFailure(int status, std::string_view body) {
  auto document = codec::JsonDocument::Parse(body);
  auto text = [&](std::string_view name) -> std::string {
    if (!document) return "";
    auto value = document->root().Find(name);
    return value && value->is_string() ? std::string(value->AsString()) : "";
  };
  std::string type = text("__type");
  std::string message = text("message").empty() ? text("Message") : text("message");
  if (type.empty()) return base::Error(Code::kUnavailable, fmt::format("HTTP status {}", status));
  Code code = type == "ResourceNotFoundException" ? Code::kNotFound
              : type == "ResourceInUseException"  ? Code::kAlreadyExists
              : type == "ProvisionedThroughputExceededException" || type == "LimitExceededException"
                  ? Code::kResourceExhausted
              : type == "ExpiredIteratorException" ? Code::kExpired
                                                   : Code::kInvalidArgument;
  return base::Error(code, message.empty() ? type : fmt::format("{}: {}", type, message));
}

}  // namespace

struct ApiClient::State {
  net::BlockingConnection::Target target;
  std::string host_header;
  aws::SigV4Signer signer;
  base::SystemClock clock;
  std::unique_ptr<net::BlockingConnection> connection;

  Result<Answer> Exchange(std::string_view operation, std::string_view body) {
    aws::UnsignedRequest request;
    request.headers = {{"host", host_header},
                       {"content-type", "application/x-amz-json-1.1"},
                       {"x-amz-target", fmt::format("Kinesis_20131202.{}", operation)}};
    request.body = body;
    std::string head = "POST / HTTP/1.1\r\n";
    auto add = [&head](const auto& headers) {
      for (const auto& [name, value] : headers) head += fmt::format("{}: {}\r\n", name, value);
    };
    add(request.headers);
    add(signer.Sign(request, clock.WallMs()));
    head += fmt::format("user-agent: millstream/{}\r\ncontent-length: {}\r\n\r\n",
                        MILLSTREAM_VERSION, body.size());

    // A kept-alive connection may have been closed meanwhile; a fresh one gets one try.
    for (bool fresh = connection == nullptr;; fresh = true) {
      if (connection == nullptr) {
        ASSIGN_OR_RETURN(connection, net::BlockingConnection::Open(target));
      }
      Status sent = connection->WriteAll(head);
      if (sent) sent = connection->WriteAll(body);
      if (sent) {
        auto answer = AnswerReader(*connection).Read();
        if (answer && !answer->keep_alive) connection = nullptr;
        if (answer || fresh) return answer;
      } else if (fresh) {
        return Fail(std::move(sent).error());
      }
      connection = nullptr;
    }
  }
};

ApiClient::ApiClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
ApiClient::ApiClient(ApiClient&&) noexcept = default;
ApiClient::~ApiClient() = default;

Result<ApiClient> ApiClient::Create(const ClientOptions& options) {
  ASSIGN_OR_RETURN(auto target, ParseEndpoint(options.endpoint));
  bool standard = target.port == (target.tls ? 443 : 80);
  std::string host =
      target.host.find(':') == std::string::npos ? target.host : "[" + target.host + "]";
  std::string host_header = standard ? host : fmt::format("{}:{}", host, target.port);
  return ApiClient(std::unique_ptr<State>(
      new State{std::move(target),
                std::move(host_header),
                aws::SigV4Signer({options.access_key, options.secret, options.session_token},
                                 options.region, "kinesis"),
                {},
                nullptr}));
}

Result<codec::JsonDocument> ApiClient::Call(std::string_view operation, std::string_view json) {
  auto answer = state_->Exchange(operation, json);
  if (!answer)
    return Fail(answer.error().Within(fmt::format("{} at {}", operation, state_->host_header)));
  if (answer->status != 200) return Fail(ServiceFailure(answer->status, answer->body));
  return codec::JsonDocument::Parse(answer->body.empty() ? "{}" : answer->body);
}

}  // namespace millstream::server
