#include "codec/base64.h"

#include <array>
#include <cstdint>
#include <cstring>

#include "codec/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace millstream::codec {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kStop = 0xff;

constexpr std::array<uint8_t, 256> kSextets = [] {
  std::array<uint8_t, 256> sextets{};
  sextets.fill(kStop);
  for (uint8_t i = 0; i < 64; ++i) sextets[static_cast<uint8_t>(kAlphabet[i])] = i;
  return sextets;
}();

// Twelve bits as two characters.
constexpr std::array<char[2], 4096> kPairs = [] {
  std::array<char[2], 4096> pairs{};
  for (std::size_t i = 0; i < 4096; ++i) {
    pairs[i][0] = kAlphabet[i >> 6];
    pairs[i][1] = kAlphabet[i & 63];
  }
  return pairs;
}();

// A character's six bits at its place in a group of four; kBadGroup for all other bytes.
constexpr uint32_t kBadGroup = 0x80000000;
constexpr auto kPlaces = [] {
  std::array<std::array<uint32_t, 256>, 4> places{};
  for (std::size_t place = 0; place < 4; ++place) {
    for (std::size_t c = 0; c < 256; ++c) {
      places[place][c] =
          kSextets[c] == kStop ? kBadGroup : uint32_t{kSextets[c]} << (18 - 6 * place);
    }
  }
  return places;
}();

#if defined(__x86_64__)

#define MS_AVX2_INLINE __attribute__((target("avx2"), always_inline)) inline

// Both kernels follow W. Mula's method: classify and translate by nibble with byte shuffles, pack
// six-bit fields with multiply-adds.

// Encodes 24 bytes a turn while 28 can be read; returns the bytes consumed.
__attribute__((target("avx2"))) std::size_t EncodeAvx2(const char* from, std::size_t size,
                                                       char* out) {
  const __m256i spread =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10));
  const __m256i shift = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(65, 71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 0, 0));
  std::size_t done = 0;
  for (; size - done >= 28; done += 24, out += 32) {
    const __m256i in = _mm256_shuffle_epi8(
        _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + done))),
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + done + 12)), 1),
        spread);
    const __m256i odd = _mm256_mulhi_epu16(_mm256_and_si256(in, _mm256_set1_epi32(0x0fc0fc00)),
                                           _mm256_set1_epi32(0x04000040));
    const __m256i even = _mm256_mullo_epi16(_mm256_and_si256(in, _mm256_set1_epi32(0x003f03f0)),
                                            _mm256_set1_epi32(0x01000010));
    const __m256i sextets = _mm256_or_si256(odd, even);
    const __m256i range = _mm256_sub_epi8(_mm256_subs_epu8(sextets, _mm256_set1_epi8(51)),
                                          _mm256_cmpgt_epi8(sextets, _mm256_set1_epi8(25)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out),
                        _mm256_add_epi8(sextets, _mm256_shuffle_epi8(shift, range)));
  }
  return done;
}

struct DecodeTables {
  __m256i low_classes;
  __m256i high_classes;
  __m256i shift;
  __m256i pack;
};

MS_AVX2_INLINE DecodeTables MakeDecodeTables() {
  return {
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                                0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a)),
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08,
                                                0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10)),
      _mm256_broadcastsi128_si256(
          _mm_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0)),
      _mm256_broadcastsi128_si256(
          _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1))};
}

// Non-zero bytes where a character is not of the alphabet; `sextets` gets the values of the others.
MS_AVX2_INLINE __m256i Classify(const DecodeTables& tables, __m256i in, __m256i& sextets) {
  const __m256i slash = _mm256_set1_epi8(0x2f);
  const __m256i high = _mm256_and_si256(_mm256_srli_epi32(in, 4), slash);
  const __m256i low = _mm256_and_si256(in, slash);
  const __m256i roll =
      _mm256_shuffle_epi8(tables.shift, _mm256_add_epi8(_mm256_cmpeq_epi8(in, slash), high));
  sextets = _mm256_add_epi8(in, roll);
  return _mm256_and_si256(_mm256_shuffle_epi8(tables.low_classes, low),
                          _mm256_shuffle_epi8(tables.high_classes, high));
}

// Twelve bytes in the low part of each lane.
MS_AVX2_INLINE __m256i PackLanes(const DecodeTables& tables, __m256i sextets) {
  const __m256i words = _mm256_madd_epi16(
      _mm256_maddubs_epi16(sextets, _mm256_set1_epi32(0x01400140)), _mm256_set1_epi32(0x00011000));
  return _mm256_shuffle_epi8(words, tables.pack);
}

MS_AVX2_INLINE void Store24(__m256i lanes, char* out) {
  _mm256_storeu_si256(
      reinterpret_cast<__m256i*>(out),
      _mm256_permutevar8x32_epi32(lanes, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7)));
}

MS_AVX2_INLINE __m256i Load32(const char* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

// Decodes whole groups of 4 characters up to about the first that is not of the alphabet, 64, 32
// and then 16 characters a turn, as long as full vectors may be read and stored. The rest, stopping
// included, is for the scalar code.
__attribute__((target("avx2"))) std::size_t DecodeAvx2(const char* text, std::size_t size,
                                                       char* out, std::size_t room) {
  const DecodeTables tables = MakeDecodeTables();
  std::size_t at = 0;
  while (size - at >= 64 && room >= 56) {
    __m256i first;
    __m256i second;
    const __m256i bad = _mm256_or_si256(Classify(tables, Load32(text + at), first),
                                        Classify(tables, Load32(text + at + 32), second));
    if (!_mm256_testz_si256(bad, bad)) break;
    Store24(PackLanes(tables, first), out);
    Store24(PackLanes(tables, second), out + 24);
    at += 64;
    out += 48;
    room -= 48;
  }
  while (size - at >= 32 && room >= 32) {
    __m256i sextets;
    const __m256i bad = Classify(tables, Load32(text + at), sextets);
    if (!_mm256_testz_si256(bad, bad)) break;
    Store24(PackLanes(tables, sextets), out);
    at += 32;
    out += 24;
    room -= 24;
  }
  while (size - at >= 16 && room >= 16) {
    __m256i sextets;
    const __m256i in =
        _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(text + at)));
    const __m128i bad = _mm256_castsi256_si128(Classify(tables, in, sextets));
    if (!_mm_testz_si128(bad, bad)) break;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                     _mm256_castsi256_si128(PackLanes(tables, sextets)));
    at += 16;
    out += 12;
    room -= 12;
  }
  return at;
}

// Decodes `chars` characters, a multiple of four and not zero, of which the last `pads` are
// padding. Nothing depends on the data but the result: blocks of 64 and 32, then one of 4 to 32
// that ends the text. Stores up to 32 bytes behind the last whole group.
__attribute__((target("avx2"))) bool DecodeAllAvx2(const char* text, std::size_t chars,
                                                   std::size_t pads, char* out) {
  const DecodeTables tables = MakeDecodeTables();
  const std::size_t tail = (chars - 4) % 32 + 4;
  const std::size_t body = chars - tail;
  __m256i bad = _mm256_setzero_si256();
  std::size_t at = 0;
  for (; body - at >= 64; at += 64, out += 48) {
    __m256i first;
    __m256i second;
    bad = _mm256_or_si256(bad, Classify(tables, Load32(text + at), first));
    bad = _mm256_or_si256(bad, Classify(tables, Load32(text + at + 32), second));
    Store24(PackLanes(tables, first), out);
    Store24(PackLanes(tables, second), out + 24);
  }
  if (at < body) {
    __m256i sextets;
    bad = _mm256_or_si256(bad, Classify(tables, Load32(text + at), sextets));
    Store24(PackLanes(tables, sextets), out);
    out += 24;
  }
  // The tail's words; what is behind them is not read. Padding and absent words become zero bits.
  const __m256i words = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i present = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(tail / 4)), words);
  const __m256i in = _mm256_maskload_epi32(reinterpret_cast<const int*>(text + body), present);
  const __m256i padding = _mm256_cmpeq_epi8(in, _mm256_set1_epi8('='));
  const uint64_t expected = ((uint64_t{1} << pads) - 1) << (tail - pads);
  if (static_cast<uint32_t>(_mm256_movemask_epi8(padding)) != expected) return false;
  const __m256i used = _mm256_andnot_si256(padding, present);
  __m256i sextets;
  bad = _mm256_or_si256(
      bad, Classify(tables, _mm256_blendv_epi8(_mm256_set1_epi8('A'), in, used), sextets));
  Store24(PackLanes(tables, sextets), out);
  if (!_mm256_testz_si256(bad, bad)) return false;
  // The bits that padding leaves over are the top of the byte behind the value.
  return pads == 0 || out[tail / 4 * 3 - pads] == 0;
}

#undef MS_AVX2_INLINE
#endif

}  // namespace

namespace scalar {

char* Base64Encode(std::string_view bytes, char* out) {
  const auto* from = reinterpret_cast<const uint8_t*>(bytes.data());
  std::size_t left = bytes.size();
  for (; left >= 3; left -= 3, from += 3, out += 4) {
    const uint32_t group = uint32_t{from[0]} << 16 | uint32_t{from[1]} << 8 | from[2];
    std::memcpy(out, kPairs[group >> 12], 2);
    std::memcpy(out + 2, kPairs[group & 4095], 2);
  }
  if (left == 0) return out;
  const uint32_t group = uint32_t{from[0]} << 16 | (left == 2 ? uint32_t{from[1]} << 8 : 0);
  std::memcpy(out, kPairs[group >> 12], 2);
  out[2] = left == 2 ? kAlphabet[group >> 6 & 63] : '=';
  out[3] = '=';
  return out + 4;
}

Base64Run Base64DecodeUntil(std::string_view text, char* out, std::size_t room) {
  using End = Base64Run::End;
  std::size_t at = 0;
  std::size_t written = 0;
  for (; text.size() - at >= 4; at += 4, written += 3) {
    const auto* group = reinterpret_cast<const uint8_t*>(text.data() + at);
    const uint32_t bits =
        kPlaces[0][group[0]] | kPlaces[1][group[1]] | kPlaces[2][group[2]] | kPlaces[3][group[3]];
    if ((bits & kBadGroup) != 0) break;
    if (room - written < 3) return {End::kNoRoom, at, written};
    out[written] = static_cast<char>(bits >> 16);
    out[written + 1] = static_cast<char>(bits >> 8);
    out[written + 2] = static_cast<char>(bits);
  }

  // The last group: its characters of the alphabet, the padding, and nothing left over.
  const auto sextet_at = [&](std::size_t i) -> uint32_t {
    return i < text.size() ? kSextets[static_cast<uint8_t>(text[i])] : kStop;
  };
  const auto pads_at = [&](std::size_t i) { return i < text.size() && text[i] == '='; };
  const uint32_t a = sextet_at(at);
  if (a == kStop) return {pads_at(at) ? End::kBadValue : End::kStopped, at, written};
  const uint32_t b = sextet_at(at + 1);
  if (b == kStop) return {End::kBadValue, at + 1, written};
  const uint32_t c = sextet_at(at + 2);
  if (c == kStop) {
    if (!pads_at(at + 2) || !pads_at(at + 3) || (b & 0xf) != 0) {
      return {End::kBadValue, at + 2, written};
    }
    if (room - written < 1) return {End::kNoRoom, at, written};
    out[written] = static_cast<char>(a << 2 | b >> 4);
    return {End::kStopped, at + 4, written + 1};
  }
  if (!pads_at(at + 3) || (c & 0x3) != 0) return {End::kBadValue, at + 3, written};
  if (room - written < 2) return {End::kNoRoom, at, written};
  out[written] = static_cast<char>(a << 2 | b >> 4);
  out[written + 1] = static_cast<char>(b << 4 | c >> 2);
  return {End::kStopped, at + 4, written + 2};
}

}  // namespace scalar

char* Base64Encode(std::string_view bytes, char* out) {
#if defined(__x86_64__)
  if (bytes.size() >= 28 && CpuHasAvx2()) {
    const std::size_t done = EncodeAvx2(bytes.data(), bytes.size(), out);
    bytes.remove_prefix(done);
    out += done / 3 * 4;
  }
#endif
  return scalar::Base64Encode(bytes, out);
}

std::string Base64Encode(std::string_view bytes) {
  std::string text(Base64EncodedSize(bytes.size()), '\0');
  Base64Encode(bytes, text.data());
  return text;
}

Base64Run Base64DecodeUntil(std::string_view text, char* out, std::size_t room) {
  std::size_t done = 0;
#if defined(__x86_64__)
  if (text.size() >= 16 && CpuHasAvx2()) done = DecodeAvx2(text.data(), text.size(), out, room);
#endif
  const std::size_t bytes = done / 4 * 3;
  Base64Run run = scalar::Base64DecodeUntil(text.substr(done), out + bytes, room - bytes);
  run.consumed += done;
  run.written += bytes;
  return run;
}

std::optional<std::size_t> Base64DecodedSize(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t size = text.size() / 4 * 3;
  if (!text.empty() && text.back() == '=') --size;
  if (text.size() >= 2 && text[text.size() - 2] == '=') --size;
  return size;
}

std::optional<std::size_t> Base64Decode(std::string_view text, char* out) {
  const std::optional<std::size_t> size = Base64DecodedSize(text);
  if (!size) return std::nullopt;
  const Base64Run run = Base64DecodeUntil(text, out, *size);
  if (run.end != Base64Run::End::kStopped || run.consumed != text.size()) return std::nullopt;
  return run.written;
}

bool Base64DecodeWithSlack(std::string_view text, std::size_t size, char* out) {
  const std::size_t size_max = text.size() / 4 * 3;
  if (text.size() % 4 != 0 || size > size_max || size + 2 < size_max) return false;
  if (text.empty()) return true;
#if defined(__x86_64__)
  if (CpuHasAvx2()) {
    return DecodeAllAvx2(text.data(), text.size(), size_max - size, out);
  }
#endif
  return Base64Decode(text, out) == size;
}

std::optional<std::string> Base64Decode(std::string_view text) {
  const std::optional<std::size_t> size = Base64DecodedSize(text);
  if (!size) return std::nullopt;
  std::string bytes(*size, '\0');
  if (!Base64Decode(text, bytes.data())) return std::nullopt;
  return bytes;
}

}  // namespace millstream::codec
