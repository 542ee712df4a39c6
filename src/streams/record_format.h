#pragma once

#include <string_view>

// How a Kinesis record becomes a Kafka record (docs/internals/record-format.md): key = partition
// key, value = data, timestamp = arrival, and these headers where they apply.
namespace millstream::streams {

// 16 bytes, big-endian: the hash key that the producer chose instead of the MD5 of the key.
inline constexpr std::string_view kExplicitHashHeader = "kinesis-hash-key";
// 4 bytes, big-endian: the number of the data key that the value is encrypted with. The value is
// then nonce (12) | AES-256-GCM cipher text | tag (16); the context is stream uuid | partition key.
inline constexpr std::string_view kDataKeyHeader = "millstream-data-key";
// Opaque bytes of an engine that wrote the record (PutEntry::origin).
inline constexpr std::string_view kOriginHeader = "millstream-origin";

}  // namespace millstream::streams
