#pragma once

#include <string_view>

#include "base/random.h"
#include "http/message.h"

namespace millstream::aws {

// The headers that every answer carries: ids made per request, and what browsers need.
struct AnswerHead {
  static constexpr std::size_t kRequestIdSize = 36;   // a UUID
  static constexpr std::size_t kExtendedIdSize = 96;  // base64 of 72 bytes, as AWS sends

  char request_id[kRequestIdSize];
  char extended_id[kExtendedIdSize];
  bool cross_origin = false;  // the request had an Origin

  // Ids identify and protect nothing: they come from a fast generator per thread that `random`
  // seeds.
  void MakeIds(base::Random& random);

  std::string_view id() const { return {request_id, sizeof request_id}; }
  void AppendTo(http::HeaderBlock& headers) const;
};

}  // namespace millstream::aws
