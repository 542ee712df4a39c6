#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

// The variable-length integers of Kafka's formats: seven bits per byte, low ones first; signed
// values zig-zag coded ("varint", "varlong"), unsigned ones as they are ("unsigned varint").
namespace millstream::codec {

inline constexpr std::size_t kVarintSizeMax = 5;
inline constexpr std::size_t kVarlongSizeMax = 10;

constexpr uint32_t ZigZag(int32_t v) {
  return (static_cast<uint32_t>(v) << 1) ^ static_cast<uint32_t>(v >> 31);
}
constexpr uint64_t ZigZag(int64_t v) {
  return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63);
}
constexpr int32_t UnZigZag(uint32_t v) { return static_cast<int32_t>((v >> 1) ^ (~(v & 1) + 1)); }
constexpr int64_t UnZigZag(uint64_t v) { return static_cast<int64_t>((v >> 1) ^ (~(v & 1) + 1)); }

constexpr std::size_t UnsignedVarlongSize(uint64_t v) {
  if (v < 1u << 7) return 1;
  if (v < 1u << 14) return 2;
  // ceil(bits / 7) without a division; the factor is right for every width up to 64.
  return static_cast<std::size_t>((static_cast<unsigned>(std::bit_width(v | 1)) * 9 + 64) / 64);
}
constexpr std::size_t UnsignedVarintSize(uint32_t v) { return UnsignedVarlongSize(v); }
constexpr std::size_t VarintSize(int32_t v) { return UnsignedVarlongSize(ZigZag(v)); }
constexpr std::size_t VarlongSize(int64_t v) { return UnsignedVarlongSize(ZigZag(v)); }

// These write ...Size(v) bytes and return the end of what was written.
inline char* WriteUnsignedVarlong(uint64_t v, char* out) {
  while (v >= 0x80) {
    *out++ = static_cast<char>(v | 0x80);
    v >>= 7;
  }
  *out++ = static_cast<char>(v);
  return out;
}
inline char* WriteUnsignedVarint(uint32_t v, char* out) { return WriteUnsignedVarlong(v, out); }
inline char* WriteVarint(int32_t v, char* out) { return WriteUnsignedVarlong(ZigZag(v), out); }
inline char* WriteVarlong(int64_t v, char* out) { return WriteUnsignedVarlong(ZigZag(v), out); }

// These take a value from the front of `from`. False, with both arguments as they were, when
// `from` ends within the value or the value does not fit its type.
[[nodiscard]] inline bool ReadUnsignedVarlong(std::string_view& from, uint64_t& v) {
  if (!from.empty() && static_cast<uint8_t>(from[0]) < 0x80) [[likely]] {
    v = static_cast<uint8_t>(from[0]);
    from.remove_prefix(1);
    return true;
  }
  uint64_t value = 0;
  for (std::size_t i = 0; i < from.size() && i < kVarlongSizeMax; ++i) {
    const uint8_t byte = static_cast<uint8_t>(from[i]);
    if (i == kVarlongSizeMax - 1 && byte > 1) return false;
    value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      v = value;
      from.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}
[[nodiscard]] inline bool ReadUnsignedVarint(std::string_view& from, uint32_t& v) {
  uint64_t wide;
  std::string_view rest = from;
  if (!ReadUnsignedVarlong(rest, wide) || wide > UINT32_MAX ||
      from.size() - rest.size() > kVarintSizeMax) {
    return false;
  }
  from = rest;
  v = static_cast<uint32_t>(wide);
  return true;
}
[[nodiscard]] inline bool ReadVarint(std::string_view& from, int32_t& v) {
  uint32_t raw;
  if (!ReadUnsignedVarint(from, raw)) return false;
  v = UnZigZag(raw);
  return true;
}
[[nodiscard]] inline bool ReadVarlong(std::string_view& from, int64_t& v) {
  uint64_t raw;
  if (!ReadUnsignedVarlong(from, raw)) return false;
  v = UnZigZag(raw);
  return true;
}

}  // namespace millstream::codec
