#pragma once

#include <string_view>
#include <vector>

#include "streams/stream.h"

namespace millstream::services::kinesis {

// A PutRecord or PutRecords body as views: what the hot path needs and nothing else. Meant to be
// kept per thread and used again, so that a request allocates nothing once the vectors have grown.
struct PutRequest {
  std::string_view stream_name;  // one of the two
  std::string_view stream_arn;
  std::vector<streams::PutEntry> entries;
  std::size_t payload_bytes = 0;  // data and partition keys

  void Clear();
};

// These take a body in one pass. They accept only what needs no words: the usual members in any
// order, strings without escapes, UTF-8 keys within their limits, well-formed explicit hash keys.
// False for everything else, right or wrong: the generic engine then reads the same body, and finds
// the same values or the error to answer with. Base64 is not decoded here; Stream::Put does that,
// straight into the log's batch.
//
// Cost per record of 1 KB: one vector scan of the base64 text, two short string reads, a lane of
// MD5.
bool ParsePutRecords(std::string_view body, bool cbor, PutRequest& request);
bool ParsePutRecord(std::string_view body, bool cbor, PutRequest& request);

}  // namespace millstream::services::kinesis
