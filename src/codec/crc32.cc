#include "codec/crc32.h"

#include "codec/cpu.h"
#include "codec/crc_tables.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace millstream::codec {
namespace {

constexpr uint32_t kPolynomial = 0xedb88320;
constexpr internal::CrcTables kTables = internal::MakeCrcTables(kPolynomial);

#if defined(__x86_64__)
constexpr std::size_t kFoldMin = 64;

// Multiplying the two halves of 16 bytes by these moves them `bits` bits on (Intel, "Fast CRC
// computation for generic polynomials using PCLMULQDQ"; the shift by one is the reflected
// domain's).
struct FoldConstants {
  uint64_t low;
  uint64_t high;
};
constexpr FoldConstants FoldBy(std::size_t bits) {
  return {uint64_t{internal::PowerOfX(kPolynomial, bits + 32)} << 1,
          uint64_t{internal::PowerOfX(kPolynomial, bits - 32)} << 1};
}
constexpr FoldConstants kFold512 = FoldBy(512);
constexpr FoldConstants kFold128 = FoldBy(128);
static_assert(kFold512.low == 0x154442bd4 && kFold512.high == 0x1c6e41596);

__attribute__((target("pclmul"), always_inline)) inline __m128i Fold(__m128i value, __m128i by,
                                                                     __m128i next) {
  return _mm_xor_si128(
      _mm_xor_si128(_mm_clmulepi64_si128(value, by, 0x00), _mm_clmulepi64_si128(value, by, 0x11)),
      next);
}

__attribute__((target("pclmul"), always_inline)) inline __m128i Load(const char* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

// Folds 64 bytes a turn into four accumulators, then these into 16 bytes that have the same
// remainder as all before. Requires size >= kFoldMin.
__attribute__((target("pclmul"))) uint32_t FoldPclmul(uint32_t crc, const char* at,
                                                      std::size_t size) {
  const __m128i by_512 = _mm_set_epi64x(kFold512.high, kFold512.low);
  const __m128i by_128 = _mm_set_epi64x(kFold128.high, kFold128.low);
  __m128i x0 = _mm_xor_si128(Load(at), _mm_cvtsi32_si128(static_cast<int>(crc)));
  __m128i x1 = Load(at + 16);
  __m128i x2 = Load(at + 32);
  __m128i x3 = Load(at + 48);
  at += 64;
  size -= 64;
  for (; size >= 64; size -= 64, at += 64) {
    x0 = Fold(x0, by_512, Load(at));
    x1 = Fold(x1, by_512, Load(at + 16));
    x2 = Fold(x2, by_512, Load(at + 32));
    x3 = Fold(x3, by_512, Load(at + 48));
  }
  x0 = Fold(Fold(Fold(x0, by_128, x1), by_128, x2), by_128, x3);
  for (; size >= 16; size -= 16, at += 16) x0 = Fold(x0, by_128, Load(at));
  alignas(16) char folded[16];
  _mm_store_si128(reinterpret_cast<__m128i*>(folded), x0);
  return internal::CrcByTables(kTables, internal::CrcByTables(kTables, 0, folded, 16), at, size);
}
#endif

}  // namespace

namespace scalar {
uint32_t Crc32(std::string_view bytes, uint32_t seed) {
  return ~internal::CrcByTables(kTables, ~seed, bytes.data(), bytes.size());
}
}  // namespace scalar

uint32_t Crc32(std::string_view bytes, uint32_t seed) {
#if defined(__x86_64__)
  if (bytes.size() >= kFoldMin && CpuHasPclmul()) {
    return ~FoldPclmul(~seed, bytes.data(), bytes.size());
  }
#endif
  return scalar::Crc32(bytes, seed);
}

}  // namespace millstream::codec
