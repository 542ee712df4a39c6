#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "codec/big_endian.h"

// What the two reflected 32-bit CRCs of this folder share: tables and powers of x, computed at
// compile time from the polynomial.
namespace millstream::codec::internal {

// x^exponent mod the polynomial, both bit-reflected (the top bit is x^0).
constexpr uint32_t PowerOfX(uint32_t polynomial, std::size_t exponent) {
  uint32_t value = 0x80000000;
  for (std::size_t i = 0; i < exponent; ++i) {
    value = (value >> 1) ^ ((value & 1) != 0 ? polynomial : 0);
  }
  return value;
}

// Eight tables of 256: bytes are consumed eight at a time ("slicing by 8").
using CrcTables = std::array<std::array<uint32_t, 256>, 8>;

constexpr CrcTables MakeCrcTables(uint32_t polynomial) {
  CrcTables tables{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? polynomial : 0);
    tables[0][i] = value;
  }
  for (std::size_t t = 1; t < 8; ++t) {
    for (std::size_t i = 0; i < 256; ++i) {
      const uint32_t before = tables[t - 1][i];
      tables[t][i] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

// Without the inversions before and after.
inline uint32_t CrcByTables(const CrcTables& tables, uint32_t crc, const char* at,
                            std::size_t size) {
  for (; size >= 8; size -= 8, at += 8) {
    const uint64_t word = LoadLittleEndian<uint64_t>(at) ^ crc;
    crc = tables[7][word & 0xff] ^ tables[6][word >> 8 & 0xff] ^ tables[5][word >> 16 & 0xff] ^
          tables[4][word >> 24 & 0xff] ^ tables[3][word >> 32 & 0xff] ^
          tables[2][word >> 40 & 0xff] ^ tables[1][word >> 48 & 0xff] ^ tables[0][word >> 56];
  }
  for (; size > 0; --size, ++at) {
    crc = (crc >> 8) ^ tables[0][(crc ^ static_cast<uint8_t>(*at)) & 0xff];
  }
  return crc;
}

}  // namespace millstream::codec::internal
