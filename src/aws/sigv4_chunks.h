#pragma once

#include <cstdint>
#include <string_view>

#include "aws/error.h"
#include "base/bytes.h"
#include "codec/sha256.h"

namespace millstream::aws {

// The kinds of aws-chunked payloads, by the value of x-amz-content-sha256.
enum class ChunkedPayload : uint8_t {
  kNone,
  kSigned,           // STREAMING-AWS4-HMAC-SHA256-PAYLOAD
  kSignedTrailer,    // STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER
  kUnsignedTrailer,  // STREAMING-UNSIGNED-PAYLOAD-TRAILER
};
ChunkedPayload ChunkedPayloadOf(std::string_view content_sha256);

// What the chunks of one request are verified against. With a null `key` (open mode) the framing is
// taken off and checked, signatures are not.
struct ChunkSigning {
  const codec::HmacSha256Key* key = nullptr;
  std::string_view timestamp;
  std::string_view scope;           // DATE/REGION/SERVICE/aws4_request
  std::string_view seed_signature;  // of the request's head
};

// Takes the framing off: `HEX;chunk-signature=S\r\n bytes \r\n ... 0;...\r\n [trailers] \r\n`, and
// verifies each chunk's signature (every signature covers the one before), the signature and the
// checksums of the trailer, and `decoded_length` (x-amz-decoded-content-length) when not empty.
Outcome<base::Bytes> DecodeChunks(ChunkedPayload kind, std::string_view body,
                                  std::string_view decoded_length, const ChunkSigning& signing);

}  // namespace millstream::aws
