#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

// Answers that are exact while there is little to count, and approximate in bounded memory beyond.
#include "sql/hash.h"

namespace millstream::sql {

// How many different texts were added: exact up to `exact_max` of them (but for collisions of 64-bit
// hashes), then HyperLogLog over 2^precision registers with a standard error of
// 1.04 / sqrt(2^precision): 0.81 % for 14, 1.6 % for 12.
class DistinctCounter {
 public:
  DistinctCounter(std::size_t exact_max, int precision)
      : exact_max_(exact_max), precision_(precision) {}

  void Add(std::string_view text) { AddHash(HashText(text)); }
  void AddHash(uint64_t hash);
  void Merge(const DistinctCounter& other);
  int64_t Count() const;
  void Clear();
  std::size_t held_bytes() const { return hashes_.size() * 32 + registers_.size(); }
  void Save(std::string& out) const;
  bool Restore(std::string_view& in);

 private:
  void Register(uint64_t hash);
  std::size_t exact_max_;
  int precision_;
  std::unordered_set<uint64_t> hashes_;  // while exact
  std::vector<uint8_t> registers_;
};

// Which texts were added how often. Exact up to `capacity` different texts; beyond it rare ones are
// forgotten (Misra and Gries), so that of N rows no count is too low by more than N / capacity * 2,
// and none is too high. Texts that were never forgotten are exact.
class ItemCounter {
 public:
  explicit ItemCounter(std::size_t capacity) : capacity_(capacity) {}

  struct Item {
    std::string_view text;
    int64_t count;
    int64_t first;  // number of the row that brought it
  };
  void Add(std::string_view text);
  // The k most frequent, the earlier first among equals.
  std::vector<Item> Top(std::size_t k) const;
  void Clear();
  std::size_t held_bytes() const { return bytes_; }
  void Save(std::string& out) const;
  bool Restore(std::string_view& in);

 private:
  struct Entry {
    int64_t count = 0;
    int64_t first = 0;
    int64_t forgotten = 0;  // what had been taken from every count when it came
  };
  void Forget();
  std::size_t capacity_, bytes_ = 0;
  int64_t rows_ = 0, forgotten_ = 0;
  std::unordered_map<std::string, Entry> items_;
};

// Quantiles of numbers with a relative error of 1 % (DDSketch: buckets whose bounds grow by a factor),
// in at most 4096 buckets; beyond them the smallest magnitudes share one.
class QuantileSketch {
 public:
  void Add(double x);
  void Merge(const QuantileSketch& other);
  int64_t count() const { return count_; }
  // The value below which `fraction` of the numbers lie.
  double Quantile(double fraction) const;
  void Save(std::string& out) const;
  bool Restore(std::string_view& in);
  static constexpr std::size_t kBytesMax = 4096 * 64;

 private:
  std::vector<std::pair<int32_t, int64_t>> Ordered(bool negative) const;
  void Limit(std::unordered_map<int32_t, int64_t>& buckets);
  int64_t count_ = 0, zeros_ = 0;
  std::unordered_map<int32_t, int64_t> positive_, negative_;  // by bucket of the magnitude
};

}  // namespace millstream::sql
