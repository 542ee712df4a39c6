#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/random.h"

namespace millstream::streams {

// AES-256-GCM under one key. A sealed text is nonce (12) | cipher text | tag (16).
//
// Not thread-safe; making one costs a key schedule, so keep it for the records of a batch.
class AesGcm {
 public:
  using Key = std::array<uint8_t, 32>;
  static constexpr std::size_t kNonceSize = 12;
  static constexpr std::size_t kTagSize = 16;
  static constexpr std::size_t kOverhead = kNonceSize + kTagSize;

  explicit AesGcm(const Key& key);
  ~AesGcm();
  AesGcm(const AesGcm&) = delete;
  AesGcm& operator=(const AesGcm&) = delete;

  // Writes plain.size() + kOverhead bytes. A nonce must never be used twice with one key: see
  // NextNonce. `context` is authenticated, not written. `out` must not overlap `plain`.
  void Seal(const uint8_t (&nonce)[kNonceSize], std::string_view context, std::string_view plain,
            char* out);
  // Writes sealed.size() - kOverhead bytes; false when key, context or bytes are not the right ones
  // (then `out` holds nothing of use).
  bool Open(std::string_view context, std::string_view sealed, char* out);

 private:
  void* context_;  // EVP_CIPHER_CTX
};

// A nonce that no thread of any process uses again, whatever the key: each thread counts on from a
// 96-bit number drawn once. Random nonces would meet their birthday bound after 2^32 records, which a
// busy stream writes within hours; two of these runs overlap with a chance of their length over 2^96.
void NextNonce(base::Random& random, uint8_t (&nonce)[AesGcm::kNonceSize]);

}  // namespace millstream::streams
