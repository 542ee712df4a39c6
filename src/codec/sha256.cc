#include "codec/sha256.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "codec/big_endian.h"
#include "codec/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace millstream::codec {
namespace {

constexpr std::array<uint32_t, 8> kInitial = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                              0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

alignas(16) constexpr uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

constexpr std::size_t kBlock = 64;

#if defined(__x86_64__)
#define MS_SHA_TARGET __attribute__((target("sha,sse4.1")))
#define MS_SHA_INLINE __attribute__((target("sha,sse4.1"), always_inline)) inline

// The state in the order that the SHA instructions want: (a b e f) and (c d g h).
struct ShaState {
  __m128i abef;
  __m128i cdgh;
};

MS_SHA_INLINE ShaState LoadState(const std::array<uint32_t, 8>& state) {
  const __m128i abcd =
      _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(state.data())), 0xb1);
  const __m128i efgh =
      _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(state.data() + 4)), 0x1b);
  return {_mm_alignr_epi8(abcd, efgh, 8), _mm_blend_epi16(efgh, abcd, 0xf0)};
}

MS_SHA_INLINE void StoreState(const ShaState& from, std::array<uint32_t, 8>& state) {
  const __m128i feba = _mm_shuffle_epi32(from.abef, 0x1b);
  const __m128i dchg = _mm_shuffle_epi32(from.cdgh, 0xb1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state.data()), _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state.data() + 4), _mm_alignr_epi8(dchg, feba, 8));
}

MS_SHA_INLINE __m128i LoadWords(const uint8_t* from) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  return _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)), swap);
}

// Four rounds and their share of the message schedule. `i` is a constant, so the conditions and
// indexes are resolved at compile time and `w` lives in registers.
template <int i>
MS_SHA_INLINE void FourRounds(ShaState& s, __m128i (&w)[4]) {
  __m128i wk =
      _mm_add_epi32(w[i % 4], _mm_load_si128(reinterpret_cast<const __m128i*>(kRound + 4 * i)));
  s.cdgh = _mm_sha256rnds2_epu32(s.cdgh, s.abef, wk);
  if constexpr (i >= 3 && i < 15) {
    w[(i + 1) % 4] = _mm_sha256msg2_epu32(
        _mm_add_epi32(w[(i + 1) % 4], _mm_alignr_epi8(w[i % 4], w[(i + 3) % 4], 4)), w[i % 4]);
  }
  wk = _mm_shuffle_epi32(wk, 0x0e);
  s.abef = _mm_sha256rnds2_epu32(s.abef, s.cdgh, wk);
  if constexpr (i >= 1 && i < 13) {
    w[(i + 3) % 4] = _mm_sha256msg1_epu32(w[(i + 3) % 4], w[i % 4]);
  }
}

template <int i = 0>
MS_SHA_INLINE void AllRounds(ShaState& s, __m128i (&w)[4]) {
  FourRounds<i>(s, w);
  if constexpr (i < 15) AllRounds<i + 1>(s, w);
}

template <int i = 0>
MS_SHA_INLINE void AllRoundsPair(ShaState& s, __m128i (&w)[4], ShaState& t, __m128i (&v)[4]) {
  FourRounds<i>(s, w);
  FourRounds<i>(t, v);
  if constexpr (i < 15) AllRoundsPair<i + 1>(s, w, t, v);
}

MS_SHA_TARGET void BlocksSha(std::array<uint32_t, 8>& state, const uint8_t* bytes,
                             std::size_t blocks) {
  ShaState s = LoadState(state);
  for (; blocks > 0; --blocks, bytes += kBlock) {
    const ShaState before = s;
    __m128i w[4] = {LoadWords(bytes), LoadWords(bytes + 16), LoadWords(bytes + 32),
                    LoadWords(bytes + 48)};
    AllRounds(s, w);
    s.abef = _mm_add_epi32(s.abef, before.abef);
    s.cdgh = _mm_add_epi32(s.cdgh, before.cdgh);
  }
  StoreState(s, state);
}

MS_SHA_TARGET void BlocksShaPair(std::array<uint32_t, 8>& state_a, const uint8_t* a,
                                 std::array<uint32_t, 8>& state_b, const uint8_t* b,
                                 std::size_t blocks) {
  ShaState s = LoadState(state_a);
  ShaState t = LoadState(state_b);
  for (; blocks > 0; --blocks, a += kBlock, b += kBlock) {
    const ShaState s_before = s;
    const ShaState t_before = t;
    __m128i w[4] = {LoadWords(a), LoadWords(a + 16), LoadWords(a + 32), LoadWords(a + 48)};
    __m128i v[4] = {LoadWords(b), LoadWords(b + 16), LoadWords(b + 32), LoadWords(b + 48)};
    AllRoundsPair(s, w, t, v);
    s.abef = _mm_add_epi32(s.abef, s_before.abef);
    s.cdgh = _mm_add_epi32(s.cdgh, s_before.cdgh);
    t.abef = _mm_add_epi32(t.abef, t_before.abef);
    t.cdgh = _mm_add_epi32(t.cdgh, t_before.cdgh);
  }
  StoreState(s, state_a);
  StoreState(t, state_b);
}

#undef MS_SHA_TARGET
#undef MS_SHA_INLINE
#endif

void Blocks(std::array<uint32_t, 8>& state, const uint8_t* bytes, std::size_t blocks) {
#if defined(__x86_64__)
  if (CpuHasSha()) return BlocksSha(state, bytes, blocks);
#endif
  scalar::Sha256Blocks(state, bytes, blocks);
}

void BlocksPair(std::array<uint32_t, 8>& state_a, const uint8_t* a,
                std::array<uint32_t, 8>& state_b, const uint8_t* b, std::size_t blocks) {
#if defined(__x86_64__)
  if (CpuHasSha()) return BlocksShaPair(state_a, a, state_b, b, blocks);
#endif
  scalar::Sha256Blocks(state_a, a, blocks);
  scalar::Sha256Blocks(state_b, b, blocks);
}

const uint8_t* AsBytes(std::string_view bytes) {
  return reinterpret_cast<const uint8_t*>(bytes.data());
}

Sha256Bytes ToBytes(const std::array<uint32_t, 8>& state) {
  Sha256Bytes bytes;
  for (std::size_t i = 0; i < 8; ++i) StoreBigEndian(bytes.data() + 4 * i, state[i]);
  return bytes;
}

}  // namespace

namespace scalar {

void Sha256Blocks(std::array<uint32_t, 8>& state, const uint8_t* bytes, std::size_t blocks) {
  for (; blocks > 0; --blocks, bytes += kBlock) {
    uint32_t w[64];
    for (int i = 0; i < 16; ++i) w[i] = LoadBigEndian<uint32_t>(bytes + 4 * i);
    for (int i = 16; i < 64; ++i) {
      const uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
      const uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (int i = 0; i < 64; ++i) {
      const uint32_t t1 = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                          ((e & f) ^ (~e & g)) + kRound[i] + w[i];
      const uint32_t t2 =
          (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = d + t1;
      d = c;
      c = b;
      b = a;
      a = t1 + t2;
    }
    const uint32_t add[8] = {a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < 8; ++i) state[i] += add[i];
  }
}

}  // namespace scalar

void Sha256::Reset() {
  state_ = kInitial;
  size_ = 0;
}

void Sha256::Update(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::size_t waiting = size_ % kBlock;
  size_ += bytes.size();
  if (waiting != 0) {
    const std::size_t taken = std::min(kBlock - waiting, bytes.size());
    std::memcpy(block_.data() + waiting, bytes.data(), taken);
    bytes.remove_prefix(taken);
    if (waiting + taken < kBlock) return;
    Blocks(state_, block_.data(), 1);
  }
  const std::size_t blocks = bytes.size() / kBlock;
  if (blocks > 0) Blocks(state_, AsBytes(bytes), blocks);
  bytes.remove_prefix(blocks * kBlock);
  if (!bytes.empty()) std::memcpy(block_.data(), bytes.data(), bytes.size());
}

Sha256Bytes Sha256::Finish() {
  std::size_t waiting = size_ % kBlock;
  block_[waiting++] = 0x80;
  if (waiting > kBlock - 8) {
    std::memset(block_.data() + waiting, 0, kBlock - waiting);
    Blocks(state_, block_.data(), 1);
    waiting = 0;
  }
  std::memset(block_.data() + waiting, 0, kBlock - 8 - waiting);
  StoreBigEndian<uint64_t>(block_.data() + kBlock - 8, size_ * 8);
  Blocks(state_, block_.data(), 1);
  return ToBytes(state_);
}

Sha256Bytes Sha256Digest(std::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

void Sha256UpdatePair(Sha256& a, std::string_view a_bytes, Sha256& b, std::string_view b_bytes) {
  // Up to a block boundary each goes alone: at most 63 bytes.
  const auto align = [](Sha256& hash, std::string_view& bytes) {
    const std::size_t waiting = hash.size_ % kBlock;
    if (waiting == 0) return;
    const std::size_t taken = std::min(kBlock - waiting, bytes.size());
    hash.Update(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
  };
  align(a, a_bytes);
  align(b, b_bytes);
  const std::size_t blocks = std::min(a_bytes.size(), b_bytes.size()) / kBlock;
  if (blocks > 0) {
    BlocksPair(a.state_, AsBytes(a_bytes), b.state_, AsBytes(b_bytes), blocks);
    a.size_ += blocks * kBlock;
    b.size_ += blocks * kBlock;
    a_bytes.remove_prefix(blocks * kBlock);
    b_bytes.remove_prefix(blocks * kBlock);
  }
  a.Update(a_bytes);
  b.Update(b_bytes);
}

HmacSha256Key::HmacSha256Key(std::string_view key) : inner_(kInitial), outer_(kInitial) {
  std::array<uint8_t, kBlock> pad{};
  if (key.size() > kBlock) {
    const Sha256Bytes digest = Sha256Digest(key);
    std::memcpy(pad.data(), digest.data(), digest.size());
  } else if (!key.empty()) {
    std::memcpy(pad.data(), key.data(), key.size());
  }
  for (uint8_t& byte : pad) byte ^= 0x36;
  Blocks(inner_, pad.data(), 1);
  for (uint8_t& byte : pad) byte ^= 0x36 ^ 0x5c;
  Blocks(outer_, pad.data(), 1);
}

Sha256Bytes HmacSha256Key::Mac(std::string_view message) const {
  Sha256 inner;
  inner.state_ = inner_;
  inner.size_ = kBlock;
  inner.Update(message);
  const Sha256Bytes digest = inner.Finish();

  // The outer message is always one block: 32 bytes behind the pad's 64.
  std::array<uint8_t, kBlock> block{};
  std::memcpy(block.data(), digest.data(), digest.size());
  block[digest.size()] = 0x80;
  StoreBigEndian<uint64_t>(block.data() + kBlock - 8, (kBlock + digest.size()) * 8);
  std::array<uint32_t, 8> state = outer_;
  Blocks(state, block.data(), 1);
  return ToBytes(state);
}

Sha256Bytes HmacSha256(std::string_view key, std::string_view message) {
  return HmacSha256Key(key).Mac(message);
}

}  // namespace millstream::codec
