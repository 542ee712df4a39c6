#pragma once

#include <string_view>

#include "http/message.h"

namespace millstream::aws {

// The headers that the front door and the verifier look at, found in one pass. Views into the
// request's head; a header that came twice shows its first value; absent ones have no data().
struct RequestHeaders {
  explicit RequestHeaders(const http::Request& request);

  std::string_view accept;
  std::string_view access_control_request_headers;
  std::string_view access_control_request_method;
  std::string_view amz_content_sha256;
  std::string_view amz_date;
  std::string_view amz_decoded_content_length;
  std::string_view amz_security_token;
  std::string_view amz_target;
  std::string_view authorization;
  std::string_view content_type;
  std::string_view date;
  std::string_view origin;
  std::string_view smithy_protocol;
  std::string_view user_agent;
};

// `lower` equals `any` when the latter's ASCII letters are lowered.
bool EqualsLower(std::string_view lower, std::string_view any);

}  // namespace millstream::aws
