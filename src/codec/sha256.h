#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

// SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104) on the CPU's SHA instructions where it has them.
// Nothing here allocates; every type is a value. One object is used by one thread at a time.
namespace millstream::codec {

using Sha256Bytes = std::array<uint8_t, 32>;

class Sha256 {
 public:
  Sha256() { Reset(); }

  void Reset();
  void Update(std::string_view bytes);
  Sha256Bytes Finish();  // Reset() before the next use

 private:
  friend void Sha256UpdatePair(Sha256& a, std::string_view a_bytes, Sha256& b,
                               std::string_view b_bytes);
  friend class HmacSha256Key;

  std::array<uint32_t, 8> state_;
  uint64_t size_;                  // bytes so far, those waiting in block_ included
  std::array<uint8_t, 64> block_;  // the first size_ % 64 bytes wait
};

Sha256Bytes Sha256Digest(std::string_view bytes);

// a.Update(a_bytes) and b.Update(b_bytes) for two independent messages, whatever their lengths.
// Their blocks are hashed in interleaved lanes, which is a third faster than one after the other
// because one message alone waits for the latency of the SHA instructions.
void Sha256UpdatePair(Sha256& a, std::string_view a_bytes, Sha256& b, std::string_view b_bytes);

// A key prepared for many MACs: the states after the inner and outer pads are kept, which saves two
// of the four blocks of a short MAC. Immutable, hence shareable between threads.
class HmacSha256Key {
 public:
  explicit HmacSha256Key(std::string_view key);
  Sha256Bytes Mac(std::string_view message) const;

 private:
  std::array<uint32_t, 8> inner_;
  std::array<uint32_t, 8> outer_;
};

Sha256Bytes HmacSha256(std::string_view key, std::string_view message);

inline std::string_view AsView(const Sha256Bytes& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// The portable twins, for differential tests and benchmarks.
namespace scalar {
void Sha256Blocks(std::array<uint32_t, 8>& state, const uint8_t* bytes, std::size_t blocks);
}  // namespace scalar

}  // namespace millstream::codec
