#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "codec/uint128.h"

// MD5 (RFC 1321), which places partition keys in the hash-key space. Not for security.
namespace millstream::codec {

using Md5Bytes = std::array<uint8_t, 16>;

Md5Bytes Md5(std::string_view bytes);

// out[i] = Md5(messages[i]). Messages of up to 55 bytes (one block) are hashed eight at a time in
// vector lanes; longer ones one by one. Requires out.size() >= messages.size().
void Md5Many(std::span<const std::string_view> messages, std::span<Md5Bytes> out);

// The digest read as a big-endian number: where Kinesis puts a partition key.
Uint128 Md5HashKey(std::string_view partition_key);
void Md5HashKeys(std::span<const std::string_view> partition_keys, std::span<Uint128> out);

}  // namespace millstream::codec
