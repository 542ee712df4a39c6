#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace millstream::sql {

// Hashes for tables and sketches of this folder: 64x64 bit multiplications folded (wyhash's idea).
// Sketches in checkpoints hold hashes, so what they are must not change.
inline constexpr uint64_t kHashSeed1 = 0xa0761d6478bd642f, kHashSeed2 = 0xe7037ed1a0b428db;

inline uint64_t MixHash(uint64_t a, uint64_t b) {
  const unsigned __int128 m = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(m) ^ static_cast<uint64_t>(m >> 64);
}

inline uint64_t HashText(std::string_view text) {
  uint64_t h = text.size() * kHashSeed1;
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    h = MixHash(h ^ word ^ kHashSeed1, kHashSeed2);
  }
  uint64_t word = 0;
  if (i < text.size()) std::memcpy(&word, text.data() + i, text.size() - i);
  return MixHash(MixHash(h ^ word ^ kHashSeed2, kHashSeed1) ^ text.size(), kHashSeed2);
}

}  // namespace millstream::sql
