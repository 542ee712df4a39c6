#include "codec/json_cursor.h"

#include <charconv>
#include <cstring>

#include "codec/base64.h"
#include "codec/cpu.h"
#include "codec/json_value.h"
#include "codec/utf8.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace millstream::codec {
namespace {

bool IsStringStop(char c) { return c == '"' || c == '\\' || static_cast<uint8_t>(c) < 0x20; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

#if defined(__x86_64__)
__attribute__((target("avx2"), always_inline)) inline uint32_t StopMask(const char* at) {
  const __m256i in = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
  const __m256i control = _mm256_cmpeq_epi8(_mm256_min_epu8(in, _mm256_set1_epi8(0x1f)), in);
  const __m256i marks = _mm256_or_si256(_mm256_cmpeq_epi8(in, _mm256_set1_epi8('"')),
                                        _mm256_cmpeq_epi8(in, _mm256_set1_epi8('\\')));
  return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_or_si256(control, marks)));
}

__attribute__((target("avx2"))) const char* FindStopAvx2(const char* at, const char* end) {
  for (; end - at >= 64; at += 64) {
    const uint64_t mask = StopMask(at) | uint64_t{StopMask(at + 32)} << 32;
    if (mask != 0) return at + __builtin_ctzll(mask);
  }
  if (end - at >= 32) {
    const uint32_t mask = StopMask(at);
    if (mask != 0) return at + __builtin_ctz(mask);
    at += 32;
  }
  return scalar::FindJsonStringStop(at, end);
}
#endif

// The end of the number at `at` by JSON's grammar, or nullptr.
const char* NumberEnd(const char* at, const char* end) {
  if (at != end && *at == '-') ++at;
  if (at == end || !IsDigit(*at)) return nullptr;
  if (*at == '0') {
    ++at;
  } else {
    while (at != end && IsDigit(*at)) ++at;
  }
  if (at != end && *at == '.') {
    ++at;
    if (at == end || !IsDigit(*at)) return nullptr;
    while (at != end && IsDigit(*at)) ++at;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at != end && (*at == '+' || *at == '-')) ++at;
    if (at == end || !IsDigit(*at)) return nullptr;
    while (at != end && IsDigit(*at)) ++at;
  }
  return at;
}

template <typename T>
JsonScan ReadInteger(const char*& at, const char* end, T& value) {
  const char* const stop = NumberEnd(at, end);
  if (stop == nullptr) return JsonScan::kMalformed;
  const auto [parsed, error] = std::from_chars(at, stop, value);
  // "1.5", "1e3" and values that do not fit.
  if (error != std::errc() || parsed != stop) return JsonScan::kMalformed;
  at = stop;
  return JsonScan::kOk;
}

bool ConsumeWord(const char*& at, const char* end, std::string_view word) {
  if (static_cast<std::size_t>(end - at) < word.size() ||
      std::memcmp(at, word.data(), word.size()) != 0) {
    return false;
  }
  at += word.size();
  return true;
}

bool ReadHex4(std::string_view text, char32_t& value) {
  if (text.size() < 4) return false;
  uint16_t parsed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + 4, parsed, 16);
  value = parsed;
  return error == std::errc() && end == text.data() + 4;
}

}  // namespace

namespace internal {
const char* JsonNumberEnd(const char* at, const char* end) { return NumberEnd(at, end); }
}  // namespace internal

namespace scalar {
const char* FindJsonStringStop(const char* at, const char* end) {
  while (at != end && !IsStringStop(*at)) ++at;
  return at;
}
}  // namespace scalar

const char* FindJsonStringStop(const char* at, const char* end) {
#if defined(__x86_64__)
  if (end - at >= 32 && CpuHasAvx2()) return FindStopAvx2(at, end);
#endif
  return scalar::FindJsonStringStop(at, end);
}

bool JsonCursor::ConsumeKey(std::string_view name) {
  SkipSpace();
  const std::size_t size = name.size() + 3;
  if (static_cast<std::size_t>(end_ - at_) < size || at_[0] != '"' ||
      std::memcmp(at_ + 1, name.data(), name.size()) != 0 || at_[name.size() + 1] != '"') {
    return false;
  }
  const char* const before = at_;
  at_ += name.size() + 2;
  if (Consume(':')) return true;
  at_ = before;
  return false;
}

JsonScan JsonCursor::ReadString(std::string_view& raw) {
  if (!Consume('"')) return JsonScan::kMalformed;
  const char* const first = at_;
  bool escapes = false;
  for (const char* at = first;;) {
    const char* const stop = FindJsonStringStop(at, end_);
    if (stop == end_) return JsonScan::kMalformed;
    if (*stop == '"') {
      raw = {first, static_cast<std::size_t>(stop - first)};
      at_ = stop + 1;
      return escapes ? JsonScan::kEscapes : JsonScan::kOk;
    }
    if (*stop != '\\' || end_ - stop < 2 || static_cast<uint8_t>(stop[1]) < 0x20) {
      return JsonScan::kMalformed;
    }
    escapes = true;
    at = stop + 2;
  }
}

JsonScan JsonCursor::ReadKey(std::string_view& raw) {
  const JsonScan scan = ReadString(raw);
  if (scan == JsonScan::kMalformed || !Consume(':')) return JsonScan::kMalformed;
  return scan;
}

JsonScan JsonCursor::ReadBase64(char* out, std::size_t room, std::size_t& written) {
  if (!Consume('"')) return JsonScan::kMalformed;
  const Base64Run run = Base64DecodeUntil(rest(), out, room);
  if (run.end == Base64Run::End::kNoRoom) return JsonScan::kNoRoom;
  const char* const stop = at_ + run.consumed;
  if (stop == end_) return JsonScan::kMalformed;
  // An escape inside ("\/" is one that encoders write) ends the run anywhere within a group.
  if (*stop == '\\') return JsonScan::kEscapes;
  if (run.end != Base64Run::End::kStopped || *stop != '"') return JsonScan::kMalformed;
  written = run.written;
  at_ = stop + 1;
  return JsonScan::kOk;
}

JsonScan JsonCursor::ReadInt64(int64_t& value) {
  SkipSpace();
  return ReadInteger(at_, end_, value);
}

JsonScan JsonCursor::ReadUint64(uint64_t& value) {
  SkipSpace();
  return ReadInteger(at_, end_, value);
}

JsonScan JsonCursor::ReadBool(bool& value) {
  SkipSpace();
  value = at_ != end_ && *at_ == 't';
  return ConsumeWord(at_, end_, value ? "true" : "false") ? JsonScan::kOk : JsonScan::kMalformed;
}

JsonScan JsonCursor::ReadNull() {
  SkipSpace();
  return ConsumeWord(at_, end_, "null") ? JsonScan::kOk : JsonScan::kMalformed;
}

JsonScan JsonCursor::SkipValue(std::string_view& raw) {
  SkipSpace();
  const char* const first = at_;
  bool in_object[kJsonDepthMax];
  int depth = 0;
  for (;;) {
    // One value, or the start of one; `complete` when it ended here.
    bool complete = true;
    std::string_view ignored;
    switch (Peek()) {
      case '{':
      case '[': {
        if (depth == kJsonDepthMax) return JsonScan::kMalformed;
        const bool object = *at_++ == '{';
        in_object[depth++] = object;
        if (Consume(object ? '}' : ']')) {
          --depth;
          break;
        }
        if (object && ReadKey(ignored) == JsonScan::kMalformed) return JsonScan::kMalformed;
        complete = false;
        break;
      }
      case '"':
        if (ReadString(ignored) == JsonScan::kMalformed) return JsonScan::kMalformed;
        break;
      case 't':
        if (!ConsumeWord(at_, end_, "true")) return JsonScan::kMalformed;
        break;
      case 'f':
        if (!ConsumeWord(at_, end_, "false")) return JsonScan::kMalformed;
        break;
      case 'n':
        if (!ConsumeWord(at_, end_, "null")) return JsonScan::kMalformed;
        break;
      default: {
        const char* const stop = NumberEnd(at_, end_);
        if (stop == nullptr) return JsonScan::kMalformed;
        at_ = stop;
      }
    }
    while (complete) {
      if (depth == 0) {
        raw = {first, static_cast<std::size_t>(at_ - first)};
        return JsonScan::kOk;
      }
      const bool object = in_object[depth - 1];
      if (Consume(',')) {
        if (object && ReadKey(ignored) == JsonScan::kMalformed) return JsonScan::kMalformed;
        complete = false;
      } else if (Consume(object ? '}' : ']')) {
        --depth;
      } else {
        return JsonScan::kMalformed;
      }
    }
  }
}

bool UnescapeJson(std::string_view raw, std::string& to) {
  for (;;) {
    const std::size_t slash = raw.find('\\');
    to.append(raw.substr(0, slash));
    if (slash == std::string_view::npos) return true;
    raw.remove_prefix(slash + 1);
    if (raw.empty()) return false;
    const char escape = raw.front();
    raw.remove_prefix(1);
    switch (escape) {
      case '"':
      case '\\':
      case '/':
        to.push_back(escape);
        break;
      case 'b':
        to.push_back('\b');
        break;
      case 'f':
        to.push_back('\f');
        break;
      case 'n':
        to.push_back('\n');
        break;
      case 'r':
        to.push_back('\r');
        break;
      case 't':
        to.push_back('\t');
        break;
      case 'u': {
        char32_t unit;
        if (!ReadHex4(raw, unit)) return false;
        raw.remove_prefix(4);
        if (unit >= 0xdc00 && unit < 0xe000) return false;
        if (unit >= 0xd800 && unit < 0xdc00) {
          char32_t low;
          if (raw.substr(0, 2) != "\\u" || !ReadHex4(raw.substr(2), low) || low < 0xdc00 ||
              low >= 0xe000) {
            return false;
          }
          raw.remove_prefix(6);
          unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        }
        AppendUtf8(unit, to);
        break;
      }
      default:
        return false;
    }
  }
}

}  // namespace millstream::codec
