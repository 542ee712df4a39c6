#pragma once

#include <cstdint>
#include <string_view>

namespace millstream::codec {

// CRC-32 of zlib, gzip and event-stream messages. `seed` is the checksum of the bytes that come
// before: Crc32(b, Crc32(a)) == Crc32(a + b).
uint32_t Crc32(std::string_view bytes, uint32_t seed = 0);

namespace scalar {
uint32_t Crc32(std::string_view bytes, uint32_t seed = 0);
}  // namespace scalar

}  // namespace millstream::codec
