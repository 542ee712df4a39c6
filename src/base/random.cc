#include "base/random.h"

#include <sys/random.h>

#include <cstring>

#include "base/check.h"

namespace millstream::base {

uint64_t Random::Next64() {
  uint64_t value;
  Fill(&value, sizeof value);
  return value;
}

uint64_t Random::Below(uint64_t bound) {
  CHECK(bound > 0);
  uint64_t threshold = (0 - bound) % bound;  // rejects the uneven rest
  for (;;) {
    uint64_t value = Next64();
    if (value >= threshold) return value % bound;
  }
}

void FormatUuid(const unsigned char (&bytes)[16], char* to) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (int i = 0; i < 16; ++i) {
    unsigned char b = bytes[i];
    if (i == 6) b = static_cast<unsigned char>((b & 0x0f) | 0x40);
    if (i == 8) b = static_cast<unsigned char>((b & 0x3f) | 0x80);
    if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
    *to++ = kHex[b >> 4];
    *to++ = kHex[b & 15];
  }
}

std::string Random::Uuid() {
  unsigned char bytes[16];
  Fill(bytes, sizeof bytes);
  std::string text(36, '\0');
  FormatUuid(bytes, text.data());
  return text;
}

void SystemRandom::Fill(void* to, std::size_t size) {
  struct Stock {
    unsigned char bytes[512];
    std::size_t used = sizeof bytes;
  };
  thread_local Stock stock;
  auto* out = static_cast<unsigned char*>(to);
  while (size > 0) {
    if (stock.used == sizeof stock.bytes) {
      std::size_t got = 0;
      while (got < sizeof stock.bytes) {
        ssize_t n = getrandom(stock.bytes + got, sizeof stock.bytes - got, 0);
        CHECK_MSG(n > 0, "getrandom failed");
        got += static_cast<std::size_t>(n);
      }
      stock.used = 0;
    }
    std::size_t take = std::min(size, sizeof stock.bytes - stock.used);
    std::memcpy(out, stock.bytes + stock.used, take);
    std::memset(stock.bytes + stock.used, 0, take);  // never handed out twice
    stock.used += take;
    out += take;
    size -= take;
  }
}

void SeededRandom::Fill(void* to, std::size_t size) {
  std::lock_guard lock(mutex_);
  auto* out = static_cast<unsigned char*>(to);
  while (size > 0) {  // splitmix64
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    z ^= z >> 31;
    std::size_t take = std::min(size, sizeof z);
    std::memcpy(out, &z, take);
    out += take;
    size -= take;
  }
}

}  // namespace millstream::base
