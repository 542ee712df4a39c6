#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sql/window_sum.h"
#include "sql/window_values.h"

// The partitions of a ring window: for window_ring.cc alone.
namespace millstream::sql {

// The rows of one partition, newest last: a ring of words, `stride` per row. Texts are owned.
struct Ring {
  std::vector<int64_t> words;
  uint64_t head = 0, tail = 0;  // positions never go back
  uint64_t mask = 0;

  uint64_t size() const { return tail - head; }
  int64_t* At(uint64_t position, std::size_t stride) {
    return words.data() + (position & mask) * stride;
  }
  const int64_t* At(uint64_t position, std::size_t stride) const {
    return words.data() + (position & mask) * stride;
  }
  // `held` grows by the bytes that the ring grows by.
  int64_t* Push(std::size_t stride, std::size_t& held) {
    if (words.empty() || size() == mask + 1) {
      uint64_t capacity = words.empty() ? 4 : (mask + 1) * 2;
      held += (capacity - (words.empty() ? 0 : mask + 1)) * stride * 8;
      std::vector<int64_t> bigger(capacity * stride);
      for (uint64_t p = head; p < tail; ++p) {
        std::copy_n(At(p, stride), stride, bigger.data() + (p & (capacity - 1)) * stride);
      }
      words = std::move(bigger);
      mask = capacity - 1;
    }
    return At(tail++, stride);
  }
};

inline double AsDouble(int64_t bits) {
  double d;
  std::memcpy(&d, &bits, 8);
  return d;
}
inline const std::string& AsText(int64_t bits) {
  return *reinterpret_cast<const std::string*>(bits);
}

// What one call keeps per partition so that a row costs O(1).
struct Running {
  int64_t count = 0;
  __int128 sum = 0;
  Moments real{0, {0, 0}, {0, 0}};  // of DOUBLEs; the squares for variances only
  double weight = 0;                // EXP_AVG: real.sum.sum is what it weighs
  int64_t last_time = 0;
  // MIN and MAX only: positions with their values.
  std::unique_ptr<std::deque<std::pair<uint64_t, int64_t>>> best;
  std::unique_ptr<ExtremeSum> extreme;   // when there are such values
  std::unique_ptr<WindowValues> values;  // DISTINCT and percentiles only

  void CountExtreme(double x, int times) {
    if (extreme == nullptr) extreme = std::make_unique<ExtremeSum>();
    extreme->Add(x, times);
    if (extreme->values == 0) extreme.reset();
  }
  void AddReal(double x, int sign) {
    if (IsExtreme(x)) return CountExtreme(x, sign);
    real.sum.Add(sign * x);
  }
  void AddMoments(double x, int sign) {
    if (Moments::IsExtreme(x)) return CountExtreme(x, sign);
    real.Add(x, sign);
  }
};

struct Partition {
  Ring ring;
  std::vector<Running> running;
  std::string key;
  uint64_t hash = 0;
  bool live = false;
};

// Partitions by key: open addressing over words that hold an index and half of the hash, so that a
// lookup touches one slot and the partition. Partitions stay where they are until they are erased.
class PartitionTable {
 public:
  PartitionTable() : slots_(64) {}
  std::size_t size() const { return live_; }
  void Prefetch(uint64_t hash) const { __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]); }

  Partition* Find(std::string_view key, uint64_t hash) {
    const uint64_t mask = slots_.size() - 1;
    for (uint64_t i = hash & mask; slots_[i] != 0; i = (i + 1) & mask) {
      if (slots_[i] >> 32 != hash >> 32) continue;
      Partition& found = all_[(slots_[i] & 0xffff'ffff) - 1];
      if (found.key == key) return &found;
    }
    return nullptr;
  }
  // Requires that the key is not there.
  Partition* Add(std::string_view key, uint64_t hash) {
    if (free_.empty()) {
      all_.emplace_back();
      free_.push_back(static_cast<uint32_t>(all_.size() - 1));
    }
    const uint32_t index = free_.back();
    free_.pop_back();
    Partition& partition = all_[index];
    partition.key = key;
    partition.hash = hash;
    partition.live = true;
    ++live_;
    if (live_ * 2 > slots_.size()) {
      Rehash(slots_.size() * 2);
    } else {
      Put(index);
    }
    return &partition;
  }
  template <typename Use>
  void ForEach(Use use) const {
    for (const Partition& partition : all_) {
      if (partition.live) use(partition);
    }
  }
  template <typename Judge>
  void EraseIf(Judge judge) {
    bool erased = false;
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (!all_[i].live || !judge(all_[i])) continue;
      all_[i] = Partition();
      free_.push_back(static_cast<uint32_t>(i));
      --live_;
      erased = true;
    }
    if (erased) Rehash(slots_.size());
  }

 private:
  void Put(uint32_t index) {
    const uint64_t mask = slots_.size() - 1;
    const uint64_t hash = all_[index].hash;
    uint64_t i = hash & mask;
    while (slots_[i] != 0) i = (i + 1) & mask;
    slots_[i] = (hash >> 32) << 32 | (uint64_t{index} + 1);
  }
  void Rehash(std::size_t slots) {
    slots_.assign(slots, 0);
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (all_[i].live) Put(static_cast<uint32_t>(i));
    }
  }

  std::vector<uint64_t> slots_;  // 0: empty
  std::deque<Partition> all_;
  std::vector<uint32_t> free_;
  std::size_t live_ = 0;
};

}  // namespace millstream::sql
