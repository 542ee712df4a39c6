#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/json_value.h"
#include "server/command_line.h"

namespace millstream::server {

// Calls Kinesis operations over one kept-alive HTTP/1.1 connection, signed: what the client
// commands use. Blocking; used by one thread. A connection that the server closed is opened anew.
class ApiClient {
 public:
  // Fails when the endpoint is no http:// or https:// address.
  static base::Result<ApiClient> Create(const ClientOptions& options);
  ApiClient(ApiClient&&) noexcept;
  ~ApiClient();

  // The answer's body. An exception of the service is a failure with its name and text.
  base::Result<codec::JsonDocument> Call(std::string_view operation, std::string_view json);

 private:
  struct State;
  explicit ApiClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millstream::server
