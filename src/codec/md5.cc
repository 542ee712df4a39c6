#include "codec/md5.h"

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

constexpr std::array<uint32_t, 4> kInitial = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
constexpr std::size_t kBlock = 64;
constexpr std::size_t kOneBlockMax = kBlock - 9;  // room for the 0x80 and the length

constexpr uint32_t kSine[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

// Which word of the block step i adds, and by how much it rotates.
constexpr int WordOf(int i) {
  return i < 16 ? i : i < 32 ? (5 * i + 1) % 16 : i < 48 ? (3 * i + 5) % 16 : 7 * i % 16;
}
constexpr int TurnOf(int i) {
  constexpr int kTurns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  return kTurns[i / 16][i % 4];
}

// The operations of a step on one message. LaneWords below are the same on sixteen.
struct ScalarWords {
  using Word = uint32_t;
  const uint8_t* block;
  Word Load(int i) const { return LoadLittleEndian<uint32_t>(block + 4 * i); }
  static Word Constant(uint32_t k) { return k; }
  static Word Add(Word x, Word y) { return x + y; }
  template <int n>
  static Word Turn(Word x) {
    return std::rotl(x, n);
  }
  // x & y | ~x & z; the identity below needs one operation less.
  static Word Choose(Word x, Word y, Word z) { return z ^ (x & (y ^ z)); }
  static Word Parity(Word x, Word y, Word z) { return x ^ y ^ z; }
  static Word Mix(Word x, Word y, Word z) { return y ^ (x | ~z); }
};

// The words change roles from step to step instead of places, so that nothing is moved.
template <int i>
__attribute__((always_inline)) inline void StepScalar(const ScalarWords& w, uint32_t& a, uint32_t b,
                                                      uint32_t c, uint32_t d) {
  using W = ScalarWords;
  W::Word f;
  if constexpr (i < 16) f = W::Choose(b, c, d);
  if constexpr (i >= 16 && i < 32) f = W::Choose(d, b, c);
  if constexpr (i >= 32 && i < 48) f = W::Parity(b, c, d);
  if constexpr (i >= 48) f = W::Mix(b, c, d);
  const auto sum = W::Add(W::Add(a, W::Add(w.Load(WordOf(i)), W::Constant(kSine[i]))), f);
  a = W::Add(b, W::Turn<TurnOf(i)>(sum));
}

template <int i = 0>
__attribute__((always_inline)) inline void StepsScalar(const ScalarWords& w, uint32_t& a,
                                                       uint32_t& b, uint32_t& c, uint32_t& d) {
  StepScalar<i>(w, a, b, c, d);
  if constexpr (i < 63) StepsScalar<i + 1>(w, d, a, b, c);
}

void Block(std::array<uint32_t, 4>& state, const uint8_t* block) {
  auto [a, b, c, d] = state;
  StepsScalar(ScalarWords{block}, a, b, c, d);
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

Md5Bytes ToBytes(const std::array<uint32_t, 4>& state) {
  Md5Bytes bytes;
  for (std::size_t i = 0; i < 4; ++i) StoreLittleEndian(bytes.data() + 4 * i, state[i]);
  return bytes;
}

// The last block or two: the rest of the message, 0x80, zeros, the length in bits.
std::size_t Pad(std::string_view rest, std::size_t message_size, uint8_t (&to)[2 * kBlock]) {
  const std::size_t size = rest.size() <= kOneBlockMax ? kBlock : 2 * kBlock;
  if (!rest.empty()) std::memcpy(to, rest.data(), rest.size());
  to[rest.size()] = 0x80;
  std::memset(to + rest.size() + 1, 0, size - rest.size() - 9);
  StoreLittleEndian<uint64_t>(to + size - 8, message_size * 8);
  return size;
}

#if defined(__x86_64__)
#define MS_AVX2_INLINE __attribute__((target("avx2"), always_inline)) inline

constexpr std::size_t kLanes = 8;

// Sixteen words of eight messages each, transposed: word i of all lanes in words[i].
struct alignas(32) LaneBlock {
  uint32_t words[16][kLanes];
};

// Two sets of eight lanes go through the steps together: one alone waits for its own results.
struct LaneWords {
  struct Word {
    __m256i x;
    __m256i y;
  };
  const LaneBlock* first;
  const LaneBlock* second;
  MS_AVX2_INLINE Word Load(int i) const {
    return {_mm256_load_si256(reinterpret_cast<const __m256i*>(first->words[i])),
            _mm256_load_si256(reinterpret_cast<const __m256i*>(second->words[i]))};
  }
  static MS_AVX2_INLINE Word Constant(uint32_t k) {
    const __m256i v = _mm256_set1_epi32(static_cast<int>(k));
    return {v, v};
  }
  static MS_AVX2_INLINE Word Add(Word a, Word b) {
    return {_mm256_add_epi32(a.x, b.x), _mm256_add_epi32(a.y, b.y)};
  }
  template <int n>
  static MS_AVX2_INLINE Word Turn(Word a) {
    return {_mm256_or_si256(_mm256_slli_epi32(a.x, n), _mm256_srli_epi32(a.x, 32 - n)),
            _mm256_or_si256(_mm256_slli_epi32(a.y, n), _mm256_srli_epi32(a.y, 32 - n))};
  }
  static MS_AVX2_INLINE Word Choose(Word a, Word b, Word c) {
    return {_mm256_xor_si256(c.x, _mm256_and_si256(a.x, _mm256_xor_si256(b.x, c.x))),
            _mm256_xor_si256(c.y, _mm256_and_si256(a.y, _mm256_xor_si256(b.y, c.y)))};
  }
  static MS_AVX2_INLINE Word Parity(Word a, Word b, Word c) {
    return {_mm256_xor_si256(a.x, _mm256_xor_si256(b.x, c.x)),
            _mm256_xor_si256(a.y, _mm256_xor_si256(b.y, c.y))};
  }
  static MS_AVX2_INLINE Word Mix(Word a, Word b, Word c) {
    const __m256i ones = _mm256_set1_epi32(-1);
    return {_mm256_xor_si256(b.x, _mm256_or_si256(a.x, _mm256_xor_si256(c.x, ones))),
            _mm256_xor_si256(b.y, _mm256_or_si256(a.y, _mm256_xor_si256(c.y, ones)))};
  }
};

// The same as StepScalar and StepsScalar: a function inlines only into one of its own target.
template <int i>
MS_AVX2_INLINE void StepLanes(const LaneWords& w, LaneWords::Word& a, const LaneWords::Word& b,
                              const LaneWords::Word& c, const LaneWords::Word& d) {
  using W = LaneWords;
  W::Word f;
  if constexpr (i < 16) f = W::Choose(b, c, d);
  if constexpr (i >= 16 && i < 32) f = W::Choose(d, b, c);
  if constexpr (i >= 32 && i < 48) f = W::Parity(b, c, d);
  if constexpr (i >= 48) f = W::Mix(b, c, d);
  const auto sum = W::Add(W::Add(a, W::Add(w.Load(WordOf(i)), W::Constant(kSine[i]))), f);
  a = W::Add(b, W::Turn<TurnOf(i)>(sum));
}

template <int i = 0>
MS_AVX2_INLINE void StepsLanes(const LaneWords& w, LaneWords::Word& a, LaneWords::Word& b,
                               LaneWords::Word& c, LaneWords::Word& d) {
  StepLanes<i>(w, a, b, c, d);
  if constexpr (i < 63) StepsLanes<i + 1>(w, d, a, b, c);
}

// Rows of eight words become columns.
MS_AVX2_INLINE void Transpose(__m256i (&r)[8]) {
  __m256i t[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
  }
  __m256i u[8];
  for (int i = 0; i < 8; i += 4) {
    u[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
    u[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
    u[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
    u[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x20);
    r[i + 4] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x31);
  }
}

__attribute__((target("avx2"))) void FillLanes(const uint8_t (&blocks)[kLanes][kBlock],
                                               LaneBlock& to) {
  for (int half = 0; half < 2; ++half) {
    __m256i rows[8];
    for (int lane = 0; lane < 8; ++lane) {
      rows[lane] = _mm256_load_si256(reinterpret_cast<const __m256i*>(blocks[lane] + 32 * half));
    }
    Transpose(rows);
    for (int i = 0; i < 8; ++i) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(to.words[8 * half + i]), rows[i]);
    }
  }
}

// Hashes 16 padded blocks; `out` gets the four state words of each message in order.
__attribute__((target("avx2"))) void BlocksAvx2(const LaneBlock (&in)[2], Md5Bytes* (&out)[16]) {
  using Word = LaneWords::Word;
  const Word a0 = LaneWords::Constant(kInitial[0]), b0 = LaneWords::Constant(kInitial[1]),
             c0 = LaneWords::Constant(kInitial[2]), d0 = LaneWords::Constant(kInitial[3]);
  Word a = a0, b = b0, c = c0, d = d0;
  StepsLanes(LaneWords{&in[0], &in[1]}, a, b, c, d);
  a = LaneWords::Add(a, a0);
  b = LaneWords::Add(b, b0);
  c = LaneWords::Add(c, c0);
  d = LaneWords::Add(d, d0);
  for (int set = 0; set < 2; ++set) {
    const __m256i z = _mm256_setzero_si256();
    __m256i rows[8] = {set == 0 ? a.x : a.y,
                       set == 0 ? b.x : b.y,
                       set == 0 ? c.x : c.y,
                       set == 0 ? d.x : d.y,
                       z,
                       z,
                       z,
                       z};
    Transpose(rows);
    for (int lane = 0; lane < 8; ++lane) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out[8 * set + lane]->data()),
                       _mm256_castsi256_si128(rows[lane]));
    }
  }
}

// Collects messages of one block and hashes them sixteen at a time.
class LaneHasher {
 public:
  void Add(std::string_view message, Md5Bytes* out) {
    uint8_t* block = blocks_[count_ / kLanes][count_ % kLanes];
    // Zeros first and whole: variable-size fills cost more than two vector stores.
    std::memset(block, 0, kBlock);
    if (!message.empty()) std::memcpy(block, message.data(), message.size());
    block[message.size()] = 0x80;
    StoreLittleEndian<uint64_t>(block + kBlock - 8, message.size() * 8);
    out_[count_++] = out;
    if (count_ == 2 * kLanes) Flush();
  }
  void Flush() {
    if (count_ == 0) return;
    Md5Bytes unused;
    for (std::size_t i = count_; i < 2 * kLanes; ++i) out_[i] = &unused;
    LaneBlock lanes[2];
    FillLanes(blocks_[0], lanes[0]);
    FillLanes(blocks_[1], lanes[1]);
    BlocksAvx2(lanes, out_);
    count_ = 0;
  }

 private:
  // Lanes without a message hash what is left there from before, or these zeros.
  alignas(32) uint8_t blocks_[2][kLanes][kBlock] = {};
  Md5Bytes* out_[2 * kLanes] = {};
  std::size_t count_ = 0;
};

#undef MS_AVX2_INLINE
#endif

}  // namespace

Md5Bytes Md5(std::string_view bytes) {
  std::array<uint32_t, 4> state = kInitial;
  std::string_view rest = bytes;
  for (; rest.size() >= kBlock; rest.remove_prefix(kBlock)) {
    Block(state, reinterpret_cast<const uint8_t*>(rest.data()));
  }
  uint8_t last[2 * kBlock];
  const std::size_t size = Pad(rest, bytes.size(), last);
  for (std::size_t at = 0; at < size; at += kBlock) Block(state, last + at);
  return ToBytes(state);
}

void Md5Many(std::span<const std::string_view> messages, std::span<Md5Bytes> out) {
#if defined(__x86_64__)
  // A call of the lanes costs about as much as four single hashes.
  constexpr std::size_t kLanesMin = 4;
  if (messages.size() >= kLanesMin && CpuHasAvx2()) {
    LaneHasher lanes;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      if (messages[i].size() <= kOneBlockMax) {
        lanes.Add(messages[i], &out[i]);
      } else {
        out[i] = Md5(messages[i]);
      }
    }
    lanes.Flush();
    return;
  }
#endif
  for (std::size_t i = 0; i < messages.size(); ++i) out[i] = Md5(messages[i]);
}

namespace {
Uint128 ToHashKey(const Md5Bytes& digest) {
  return MakeUint128(LoadBigEndian<uint64_t>(digest.data()),
                     LoadBigEndian<uint64_t>(digest.data() + 8));
}
}  // namespace

Uint128 Md5HashKey(std::string_view partition_key) { return ToHashKey(Md5(partition_key)); }

void Md5HashKeys(std::span<const std::string_view> partition_keys, std::span<Uint128> out) {
  std::array<Md5Bytes, 64> digests;
  for (std::size_t at = 0; at < partition_keys.size(); at += digests.size()) {
    const auto part =
        partition_keys.subspan(at, std::min(digests.size(), partition_keys.size() - at));
    Md5Many(part, digests);
    for (std::size_t i = 0; i < part.size(); ++i) out[at + i] = ToHashKey(digests[i]);
  }
}

}  // namespace millstream::codec
