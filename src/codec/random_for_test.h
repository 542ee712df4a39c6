#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>

namespace millstream::codec {

// Seeded input for tests. Prints its seed with the failures of the test that holds it.
class RandomForTest {
 public:
  explicit RandomForTest(uint64_t seed = std::random_device{}())
      : trace_(__FILE__, __LINE__, "seed " + std::to_string(seed)), engine_(seed) {}

  uint64_t Next() { return engine_(); }
  std::size_t Below(std::size_t bound) { return static_cast<std::size_t>(engine_() % bound); }
  std::string Bytes(std::size_t size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(engine_());
    return bytes;
  }
  std::string From(std::string_view alphabet, std::size_t size) {
    std::string text(size, '\0');
    for (char& c : text) c = alphabet[Below(alphabet.size())];
    return text;
  }

 private:
  testing::ScopedTrace trace_;
  std::mt19937_64 engine_;
};

// A copy of bytes at a chosen offset in memory of its own, whose end is the end of an allocation:
// AddressSanitizer sees a read beyond it.
class PlacedForTest {
 public:
  PlacedForTest(std::string_view bytes, std::size_t offset)
      : memory_(new char[offset + bytes.size()]), view_(memory_.get() + offset, bytes.size()) {
    if (!bytes.empty()) std::copy(bytes.begin(), bytes.end(), memory_.get() + offset);
  }
  std::string_view view() const { return view_; }

 private:
  std::unique_ptr<char[]> memory_;
  std::string_view view_;
};

}  // namespace millstream::codec
