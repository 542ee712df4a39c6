// Whatever the hot path's parsers take must be what the general parser reads from the same bytes.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "codec/base64.h"
#include "codec/json_value.h"
#include "services/kinesis/put_request.h"

using millstream::codec::Base64Decode;
using millstream::codec::JsonDocument;
using millstream::services::kinesis::ParsePutRecord;
using millstream::services::kinesis::ParsePutRecords;
using millstream::services::kinesis::PutRequest;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  PutRequest request;
  bool cbor = (data[0] & 1) != 0, single = (data[0] & 2) != 0;
  bool taken = single ? ParsePutRecord(body, cbor, request) : ParsePutRecords(body, cbor, request);
  if (!taken) return 0;
  size_t payload = 0;
  bool decodes = true;  // Stream::Put finds out; then the body goes to the generic path
  for (const auto& entry : request.entries) {
    CHECK(entry.data.data() >= body.data() || entry.data.empty());
    CHECK(entry.data.data() + entry.data.size() <= body.data() + body.size() || entry.data.empty());
    decodes = decodes && (cbor || Base64Decode(entry.data).has_value());
    payload += entry.data_size + entry.partition_key.size();
  }
  CHECK(payload == request.payload_bytes);
  if (!cbor && decodes) CHECK(JsonDocument::Parse(body).has_value());
  return 0;
}
