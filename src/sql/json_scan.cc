#include "sql/json_scan.h"

#include <cstring>

#include "codec/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace millstream::sql {

namespace {

// The four brackets are kBracket without these bits; so are Y, y, _ and DEL, which Take refuses: no
// value has them outside of texts.
constexpr char kNoKind = ~0x26;
constexpr char kBracket = '{' & kNoKind;

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20; }

// The value of four hexadecimal digits, or -1.
int HexQuad(const char* at, const char* end) {
  if (end - at < 4) return -1;
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = at[i];
    const int digit = c >= '0' && c <= '9'                     ? c - '0'
                      : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                               : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

// How far a nested value has been stepped over.
struct Nesting {
  // A bit per open bracket, the lowest of the innermost: 1 when it is [. The highest 1 is none.
  uint64_t open = 1;
  bool in_text = false;

  // False: too deep, or closed by the wrong kind, or no bracket.
  bool Take(char bracket) {
    const uint64_t array = ~static_cast<uint64_t>(bracket) >> 5 & 1;
    if ((bracket & 2) != 0) {
      if ((bracket & 4) != 0 || static_cast<int64_t>(open) < 0) return false;
      open = open * 2 + array;
      return true;
    }
    if ((open & 1) != array || (bracket & 4) == 0) return false;
    open >>= 1;
    return true;
  }
  bool done() const { return open == 1; }
};

enum class Step { kOn, kDone, kWrong };

// Goes on to `stop`, and beyond it when an escape begins before it.
Step StepTo(const char* stop, const char*& at, const char* end, bool lines, Nesting& nesting,
            JsonScanned& scanned) {
  while (at < stop) {
    const char c = *at;
    if (static_cast<unsigned char>(c) >= 0x80) scanned.ascii = false;
    if (nesting.in_text) {
      if (c == '\\') {
        at = EndOfEscape(at, end);
        if (at == nullptr) return Step::kWrong;
        continue;
      }
      if (IsControl(c)) return Step::kWrong;
      if (c == '"') nesting.in_text = false;
    } else if (c == '"') {
      nesting.in_text = true;
    } else if ((c & kNoKind) == kBracket) {
      if (!nesting.Take(c)) return Step::kWrong;
      if (nesting.done()) {
        ++at;
        return Step::kDone;
      }
    } else if (IsControl(c)) {
      if (c != '\r' && c != '\t' && (c != '\n' || lines)) return Step::kWrong;
    } else if (c == '\\') {
      return Step::kWrong;
    }
    ++at;
  }
  return Step::kOn;
}

#if defined(__x86_64__)

#define MS_AVX2 __attribute__((target("avx2,bmi,popcnt,pclmul")))

MS_AVX2 inline uint64_t Bits(__m256i low, __m256i high) {
  return static_cast<uint32_t>(_mm256_movemask_epi8(low)) |
         static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(high))) << 32;
}

// Quotes, backslashes and control characters.
MS_AVX2 inline __m256i TextStops(__m256i in) {
  const __m256i control = _mm256_set1_epi8(0x1F);
  return _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(in, _mm256_set1_epi8('"')),
                                         _mm256_cmpeq_epi8(in, _mm256_set1_epi8('\\'))),
                         _mm256_cmpeq_epi8(_mm256_max_epu8(in, control), control));
}

MS_AVX2 const char* EndOfTextAvx2(const char* at, const char* end, JsonScanned& scanned) {
  __m256i seen = _mm256_setzero_si256();
  while (end - at >= 64) {
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 32));
    seen = _mm256_or_si256(seen, _mm256_or_si256(a, b));
    const uint64_t found = Bits(TextStops(a), TextStops(b));
    if (found == 0) {
      at += 64;
      continue;
    }
    at += __builtin_ctzll(found);
    if (*at == '"') {
      if (_mm256_movemask_epi8(seen) != 0) scanned.ascii = false;
      return at;
    }
    if (*at != '\\') return nullptr;
    scanned.escapes = true;
    at = EndOfEscape(at, end);
    if (at == nullptr) return nullptr;
  }
  if (_mm256_movemask_epi8(seen) != 0) scanned.ascii = false;
  return scalar::EndOfText(at, end, scanned);
}

MS_AVX2 const char* EndOfNestedAvx2(const char* at, const char* end, bool lines,
                                    JsonScanned& scanned) {
  const __m256i control = _mm256_set1_epi8(0x1F), backslash = _mm256_set1_epi8('\\');
  const __m256i quote = _mm256_set1_epi8('"');
  const __m256i no_kind = _mm256_set1_epi8(kNoKind), bracket = _mm256_set1_epi8(kBracket);
  __m256i seen = _mm256_setzero_si256();
  Nesting nesting;
  char tail[64];
  while (at < end) {
    const char* block = at;
    if (end - at < 64) {
      std::memset(tail, ' ', sizeof tail);
      std::memcpy(tail, at, static_cast<std::size_t>(end - at));
      block = tail;
    }
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 32));
    seen = _mm256_or_si256(seen, _mm256_or_si256(a, b));
    const uint64_t quotes = Bits(_mm256_cmpeq_epi8(a, quote), _mm256_cmpeq_epi8(b, quote));
    // From each opening quote up to the byte before its closing one: the parity of the quotes.
    uint64_t texts = static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_clmulepi64_si128(
        _mm_set_epi64x(0, static_cast<int64_t>(quotes)), _mm_set1_epi8(-1), 0)));
    if (nesting.in_text) texts = ~texts;
    uint64_t brackets = Bits(_mm256_cmpeq_epi8(_mm256_and_si256(a, no_kind), bracket),
                             _mm256_cmpeq_epi8(_mm256_and_si256(b, no_kind), bracket)) &
                        ~texts;
    const __m256i any_odd = _mm256_or_si256(
        _mm256_or_si256(_mm256_cmpeq_epi8(a, backslash), _mm256_cmpeq_epi8(b, backslash)),
        _mm256_cmpeq_epi8(_mm256_max_epu8(_mm256_min_epu8(a, b), control), control));
    int odd = 64;  // the first backslash or control character: quotes behind it are not understood
    if (!_mm256_testz_si256(any_odd, any_odd)) {
      const __m256i odd_a = _mm256_or_si256(
          _mm256_cmpeq_epi8(a, backslash), _mm256_cmpeq_epi8(_mm256_max_epu8(a, control), control));
      const __m256i odd_b = _mm256_or_si256(
          _mm256_cmpeq_epi8(b, backslash), _mm256_cmpeq_epi8(_mm256_max_epu8(b, control), control));
      odd = __builtin_ctzll(Bits(odd_a, odd_b));
      brackets &= (uint64_t{1} << odd) - 1;
    }
    for (; brackets != 0; brackets &= brackets - 1) {
      const int i = __builtin_ctzll(brackets);
      if (!nesting.Take(block[i])) return nullptr;
      if (!nesting.done()) continue;
      if (_mm256_movemask_epi8(seen) != 0) scanned.ascii = false;
      return at + i + 1;
    }
    if (odd == 64) {
      nesting.in_text = static_cast<int64_t>(texts) < 0;
      at += 64;
      continue;
    }
    at += odd;
    Nesting slow = nesting;  // a copy, so that the other one stays in registers
    slow.in_text = (texts >> odd & 1) != 0;
    if (StepTo(at + 1, at, end, lines, slow, scanned) == Step::kWrong) return nullptr;
    nesting = slow;
  }
  return nullptr;
}

bool HasVectors() {
  __builtin_cpu_init();  // this runs before main
  return codec::CpuHasAvx2() && codec::CpuHasPclmul();
}

#endif

}  // namespace

const char* EndOfEscape(const char* at, const char* end) {
  if (end - at < 2) return nullptr;
  switch (at[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      return at + 2;
    case 'u':
      break;
    default:
      return nullptr;
  }
  const int unit = HexQuad(at + 2, end);
  if (unit < 0) return nullptr;
  at += 6;
  if (unit < 0xD800 || unit > 0xDFFF) return at;
  if (unit > 0xDBFF || end - at < 6 || at[0] != '\\' || at[1] != 'u') return nullptr;
  const int second = HexQuad(at + 2, end);
  return second >= 0xDC00 && second <= 0xDFFF ? at + 6 : nullptr;
}

namespace scalar {

const char* EndOfText(const char* at, const char* end, JsonScanned& scanned) {
  while (at < end) {
    const char c = *at;
    if (c == '"') return at;
    if (c == '\\') {
      scanned.escapes = true;
      at = EndOfEscape(at, end);
      if (at == nullptr) return nullptr;
      continue;
    }
    if (IsControl(c)) return nullptr;
    if (static_cast<unsigned char>(c) >= 0x80) scanned.ascii = false;
    ++at;
  }
  return nullptr;
}

const char* EndOfNested(const char* at, const char* end, bool lines, JsonScanned& scanned) {
  Nesting nesting;
  return StepTo(end, at, end, lines, nesting, scanned) == Step::kDone ? at : nullptr;
}

}  // namespace scalar

#if defined(__x86_64__)
const EndOfTextKernel EndOfText = HasVectors() ? EndOfTextAvx2 : scalar::EndOfText;
const EndOfNestedKernel EndOfNested = HasVectors() ? EndOfNestedAvx2 : scalar::EndOfNested;
#else
const EndOfTextKernel EndOfText = scalar::EndOfText;
const EndOfNestedKernel EndOfNested = scalar::EndOfNested;
#endif

}  // namespace millstream::sql
