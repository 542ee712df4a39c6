#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

// Unaligned loads and stores of integers in network order (and, for formats that want it, little
// endian). The caller has checked the bounds.
namespace millstream::codec {

template <std::integral T>
constexpr T ByteSwap(T value) {
  if constexpr (sizeof(T) == 1) return value;
  if constexpr (sizeof(T) == 2)
    return static_cast<T>(__builtin_bswap16(static_cast<uint16_t>(value)));
  if constexpr (sizeof(T) == 4)
    return static_cast<T>(__builtin_bswap32(static_cast<uint32_t>(value)));
  if constexpr (sizeof(T) == 8)
    return static_cast<T>(__builtin_bswap64(static_cast<uint64_t>(value)));
}

// T is named by the caller: LoadBigEndian<uint32_t>(p).
template <std::integral T>
T LoadBigEndian(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return std::endian::native == std::endian::little ? ByteSwap(value) : value;
}

template <std::integral T>
void StoreBigEndian(void* to, T value) {
  if (std::endian::native == std::endian::little) value = ByteSwap(value);
  std::memcpy(to, &value, sizeof(T));
}

template <std::integral T>
T LoadLittleEndian(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return std::endian::native == std::endian::little ? value : ByteSwap(value);
}

template <std::integral T>
void StoreLittleEndian(void* to, T value) {
  if (std::endian::native != std::endian::little) value = ByteSwap(value);
  std::memcpy(to, &value, sizeof(T));
}

}  // namespace millstream::codec
