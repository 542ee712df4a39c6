#include "codec/crc32c.h"

#include "codec/cpu.h"
#include "codec/crc_tables.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace millstream::codec {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;
constexpr internal::CrcTables kTables = internal::MakeCrcTables(kPolynomial);

#if defined(__x86_64__)

// The crc32 instruction takes 8 bytes each cycle but answers after three: three chains keep it
// busy. Chain lengths in bytes, longest first.
constexpr std::size_t kLongChain = 1360;
constexpr std::size_t kMiddleChain = 336;
constexpr std::size_t kShortChain = 80;

// What a checksum is multiplied by to stand before `bytes` zero bytes. The product of two reflected
// 32-bit values is one bit short, and the crc32 instruction that reduces it adds 32.
constexpr uint32_t ShiftBy(std::size_t bytes) {
  return internal::PowerOfX(kPolynomial, 8 * bytes - 33);
}

__attribute__((target("pclmul,sse4.2"), always_inline)) inline uint64_t Shift(uint64_t crc,
                                                                              uint32_t by) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<int64_t>(crc)),
                                               _mm_cvtsi32_si128(static_cast<int>(by)), 0x00);
  return _mm_crc32_u64(0, static_cast<uint64_t>(_mm_cvtsi128_si64(product)));
}

template <std::size_t kChain>
__attribute__((target("pclmul,sse4.2"), always_inline)) inline uint64_t ThreeChains(
    uint64_t crc, const char*& at, std::size_t& size) {
  constexpr uint32_t kTwice = ShiftBy(2 * kChain);
  constexpr uint32_t kOnce = ShiftBy(kChain);
  while (size >= 3 * kChain) {
    uint64_t b = 0;
    uint64_t c = 0;
    for (std::size_t i = 0; i < kChain; i += 16) {
      crc = _mm_crc32_u64(crc, LoadLittleEndian<uint64_t>(at + i));
      b = _mm_crc32_u64(b, LoadLittleEndian<uint64_t>(at + i + kChain));
      c = _mm_crc32_u64(c, LoadLittleEndian<uint64_t>(at + i + 2 * kChain));
      crc = _mm_crc32_u64(crc, LoadLittleEndian<uint64_t>(at + i + 8));
      b = _mm_crc32_u64(b, LoadLittleEndian<uint64_t>(at + i + 8 + kChain));
      c = _mm_crc32_u64(c, LoadLittleEndian<uint64_t>(at + i + 8 + 2 * kChain));
    }
    crc = Shift(crc, kTwice) ^ Shift(b, kOnce) ^ c;
    at += 3 * kChain;
    size -= 3 * kChain;
  }
  return crc;
}

__attribute__((target("pclmul,sse4.2"))) uint32_t ByInstruction(uint32_t seed, const char* at,
                                                                std::size_t size) {
  uint64_t crc = seed;
  crc = ThreeChains<kLongChain>(crc, at, size);
  crc = ThreeChains<kMiddleChain>(crc, at, size);
  crc = ThreeChains<kShortChain>(crc, at, size);
  for (; size >= 8; size -= 8, at += 8) crc = _mm_crc32_u64(crc, LoadLittleEndian<uint64_t>(at));
  auto narrow = static_cast<uint32_t>(crc);
  if (size >= 4) {
    narrow = _mm_crc32_u32(narrow, LoadLittleEndian<uint32_t>(at));
    at += 4;
    size -= 4;
  }
  for (; size > 0; --size, ++at) narrow = _mm_crc32_u8(narrow, static_cast<uint8_t>(*at));
  return narrow;
}
#endif

}  // namespace

namespace scalar {
uint32_t Crc32c(std::string_view bytes, uint32_t seed) {
  return ~internal::CrcByTables(kTables, ~seed, bytes.data(), bytes.size());
}
}  // namespace scalar

uint32_t Crc32c(std::string_view bytes, uint32_t seed) {
#if defined(__x86_64__)
  // SSE4.2 is the baseline; PCLMUL is not, though hardly any CPU has one without the other.
  if (CpuHasPclmul()) return ~ByInstruction(~seed, bytes.data(), bytes.size());
#endif
  return scalar::Crc32c(bytes, seed);
}

}  // namespace millstream::codec
