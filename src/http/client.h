#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/function.h"
#include "base/result.h"

namespace millstream::http {

struct ClientOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  bool tls = false;
  std::string ca_file{};        // PEM; with `tls`, the server's certificate must come from it
  bool verify = true;           // false: any certificate will do
  int64_t timeout_ms = 30'000;  // for each wait on the socket
  std::size_t body_bytes_max = 256u << 20;  // of a response that is not streamed
};

using ClientHeaders = std::vector<std::pair<std::string, std::string>>;

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";
  ClientHeaders headers{};  // without host and content-length
  std::string body{};
};

struct ClientResponse {
  int status = 0;
  ClientHeaders headers;  // names in lower case
  std::string body;

  std::optional<std::string_view> Find(std::string_view lower_case_name) const;
};

// A small blocking HTTP/1.1 client for our own command-line tools and tests: one connection, kept
// alive and opened again when the server closed it in between. Used by one thread.
// For the open internet use libcurl.
class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();

  base::Result<ClientResponse> Send(const ClientRequest& request);
  // Hands over the body as it arrives; `part` returns false to stop and close the connection.
  base::Result<ClientResponse> SendStreaming(const ClientRequest& request,
                                             base::Function<bool(std::string_view)> part);
  void Close();

 private:
  class Wire;
  base::Status Connect();
  base::Result<ClientResponse> ExchangeAgain(const ClientRequest& request,
                                             base::Function<bool(std::string_view)>* part);
  base::Result<ClientResponse> Exchange(const ClientRequest& request,
                                        base::Function<bool(std::string_view)>* part,
                                        bool& answered);

  const ClientOptions options_;
  std::unique_ptr<Wire> wire_;
};

}  // namespace millstream::http
