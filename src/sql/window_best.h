#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace millstream::sql {

// The values that are or will be the least (or greatest) of their window, with their times: each is
// better than all behind it, so the best is in front.
struct Best {
  struct Entry {
    int64_t time, value;
  };
  std::vector<Entry> ring;
  uint64_t head = 0, tail = 0;

  Entry& At(uint64_t position) { return ring[position & (ring.size() - 1)]; }
  const Entry& At(uint64_t position) const { return ring[position & (ring.size() - 1)]; }
  // Returns by how many entries the ring has grown.
  std::size_t Push(Entry entry) {
    std::size_t more = 0;
    if (tail - head == ring.size()) {
      std::vector<Entry> bigger(std::max<std::size_t>(4, ring.size() * 2));
      for (uint64_t p = head; p < tail; ++p) bigger[p & (bigger.size() - 1)] = At(p);
      more = bigger.size() - ring.size();
      ring = std::move(bigger);
    }
    At(tail++) = entry;
    return more;
  }
};

}  // namespace millstream::sql
