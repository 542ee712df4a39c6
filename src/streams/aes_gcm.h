#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

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

  // Writes plain.size() + kOverhead bytes. A nonce must never be used twice with one key: take
  // random ones. `context` is authenticated, not written. `out` must not overlap `plain`.
  void Seal(const uint8_t (&nonce)[kNonceSize], std::string_view context, std::string_view plain,
            char* out);
  // Writes sealed.size() - kOverhead bytes; false when key, context or bytes are not the right ones
  // (then `out` holds nothing of use).
  bool Open(std::string_view context, std::string_view sealed, char* out);

 private:
  void* context_;  // EVP_CIPHER_CTX
};

}  // namespace millstream::streams
