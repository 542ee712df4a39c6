#pragma once

#include <cstdint>
#include <mutex>
#include <string>

namespace millstream::base {

// Where randomness comes from. Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  virtual void Fill(void* to, std::size_t size) = 0;

  uint64_t Next64();
  uint64_t Below(uint64_t bound);  // uniform in [0, bound); bound > 0
  std::string Uuid();              // version 4, lower-case, with hyphens
};

// The kernel's generator behind a per-thread buffer: fit for ids, nonces and keys.
class SystemRandom final : public Random {
 public:
  void Fill(void* to, std::size_t size) override;
};

// The same numbers for the same seed; tests print the seed.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  void Fill(void* to, std::size_t size) override;

 private:
  std::mutex mutex_;
  uint64_t state_;  // guarded by mutex_
};

// Writes the canonical text of 16 random bytes as a version 4 UUID (36 characters) to `to`.
void FormatUuid(const unsigned char (&bytes)[16], char* to);

}  // namespace millstream::base
