#pragma once

#include <cstdint>
#include <string_view>

namespace millstream::codec {

// CRC-32C (Castagnoli), as Kafka batches and our log frames use it. `seed` is the checksum of the
// bytes that come before: Crc32c(b, Crc32c(a)) == Crc32c(a + b).
uint32_t Crc32c(std::string_view bytes, uint32_t seed = 0);

namespace scalar {
uint32_t Crc32c(std::string_view bytes, uint32_t seed = 0);
}  // namespace scalar

}  // namespace millstream::codec
