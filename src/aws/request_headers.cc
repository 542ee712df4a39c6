#include "aws/request_headers.h"

#include <array>
#include <cstdint>
#include <iterator>

namespace millstream::aws {
namespace {

using Field = std::string_view RequestHeaders::*;

struct Known {
  std::string_view name;
  Field field;
};

// Sorted by length. No two of one length share their last letter, so a header is compared in full
// with at most one of them.
constexpr Known kKnown[] = {
    {"date", &RequestHeaders::date},
    {"accept", &RequestHeaders::accept},
    {"origin", &RequestHeaders::origin},
    {"x-amz-date", &RequestHeaders::amz_date},
    {"user-agent", &RequestHeaders::user_agent},
    {"content-type", &RequestHeaders::content_type},
    {"x-amz-target", &RequestHeaders::amz_target},
    {"authorization", &RequestHeaders::authorization},
    {"smithy-protocol", &RequestHeaders::smithy_protocol},
    {"x-amz-security-token", &RequestHeaders::amz_security_token},
    {"x-amz-content-sha256", &RequestHeaders::amz_content_sha256},
    {"x-amz-decoded-content-length", &RequestHeaders::amz_decoded_content_length},
    {"access-control-request-method", &RequestHeaders::access_control_request_method},
    {"access-control-request-headers", &RequestHeaders::access_control_request_headers},
};
constexpr std::size_t kKnownCount = std::size(kKnown);
constexpr std::size_t kLengthMax = 30;

// kFirst[n]: where names of length n begin in kKnown; kKnownCount for lengths without any.
constexpr auto kFirst = [] {
  std::array<uint8_t, kLengthMax + 1> first{};
  for (std::size_t length = 0; length <= kLengthMax; ++length) {
    first[length] = static_cast<uint8_t>(kKnownCount);
    for (std::size_t i = kKnownCount; i-- > 0;) {
      if (kKnown[i].name.size() == length) first[length] = static_cast<uint8_t>(i);
    }
  }
  return first;
}();

constexpr char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

bool EqualsLower(std::string_view lower, std::string_view any) {
  if (lower.size() != any.size()) return false;
  for (std::size_t i = 0; i < lower.size(); ++i) {
    if (lower[i] != Lower(any[i])) return false;
  }
  return true;
}

RequestHeaders::RequestHeaders(const http::Request& request) {
  for (const http::HeaderView& header : request.headers) {
    const std::size_t length = header.name.size();
    if (length == 0 || length > kLengthMax) continue;
    const char last = Lower(header.name.back());
    for (std::size_t i = kFirst[length]; i < kKnownCount && kKnown[i].name.size() == length; ++i) {
      if (kKnown[i].name.back() != last) continue;
      std::string_view& field = this->*kKnown[i].field;
      if (field.data() == nullptr && EqualsLower(kKnown[i].name, header.name)) field = header.value;
    }
  }
}

}  // namespace millstream::aws
