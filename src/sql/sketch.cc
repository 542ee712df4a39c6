#include "sql/sketch.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "sql/operator.h"

namespace millstream::sql {

namespace {

// Of O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017).
double Sigma(double x) {
  if (x == 1) return INFINITY;
  double y = 1, z = x, before;
  do {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  } while (z != before);
  return z;
}
double Tau(double x) {
  if (x == 0 || x == 1) return 0;
  double y = 1, z = 1 - x, before;
  do {
    x = std::sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  } while (z != before);
  return z / 3;
}

const double kGamma = 1.01 / 0.99;
const double kLogGamma = std::log(kGamma);
constexpr std::size_t kBucketsMax = 4096;

}  // namespace

// --- DistinctCounter ----------------------------------------------------------------------------

void DistinctCounter::AddHash(uint64_t hash) {
  if (!registers_.empty()) return Register(hash);
  hashes_.insert(hash);
  if (hashes_.size() <= exact_max_) return;
  registers_.assign(std::size_t{1} << precision_, 0);
  for (uint64_t h : hashes_) Register(h);
  hashes_ = {};
}

void DistinctCounter::Register(uint64_t hash) {
  std::size_t index = hash >> (64 - precision_);
  uint64_t rest = hash << precision_ | uint64_t{1} << (precision_ - 1);
  uint8_t rank = static_cast<uint8_t>(std::countl_zero(rest) + 1);
  registers_[index] = std::max(registers_[index], rank);
}

void DistinctCounter::Merge(const DistinctCounter& other) {
  for (uint64_t h : other.hashes_) AddHash(h);
  if (other.registers_.empty()) return;
  if (registers_.empty()) {
    registers_.assign(other.registers_.size(), 0);
    for (uint64_t h : hashes_) Register(h);
    hashes_ = {};
  }
  for (std::size_t i = 0; i < registers_.size(); ++i) {
    registers_[i] = std::max(registers_[i], other.registers_[i]);
  }
}

int64_t DistinctCounter::Count() const {
  if (registers_.empty()) return static_cast<int64_t>(hashes_.size());
  int q = 64 - precision_;
  std::vector<double> counts(static_cast<std::size_t>(q) + 2, 0);
  for (uint8_t r : registers_) ++counts[r];
  double m = static_cast<double>(registers_.size());
  double z = m * Tau(1 - counts[static_cast<std::size_t>(q) + 1] / m);
  for (std::size_t k = static_cast<std::size_t>(q); k >= 1; --k) z = 0.5 * (z + counts[k]);
  z += m * Sigma(counts[0] / m);
  return static_cast<int64_t>(std::llround(m * m / (2 * std::log(2) * z)));
}

void DistinctCounter::Clear() {
  hashes_.clear();
  registers_.clear();
}

void DistinctCounter::Save(std::string& out) const {
  SaveInt(static_cast<int64_t>(hashes_.size()), out);
  for (uint64_t h : hashes_) SaveInt(static_cast<int64_t>(h), out);
  SaveText({reinterpret_cast<const char*>(registers_.data()), registers_.size()}, out);
}
bool DistinctCounter::Restore(std::string_view& in) {
  int64_t n = 0, h = 0;
  std::string_view registers;
  if (!RestoreInt(in, n)) return false;
  for (int64_t i = 0; i < n; ++i) {
    if (!RestoreInt(in, h)) return false;
    hashes_.insert(static_cast<uint64_t>(h));
  }
  if (!RestoreText(in, registers)) return false;
  registers_.assign(registers.begin(), registers.end());
  return registers_.empty() || registers_.size() == std::size_t{1} << precision_;
}

// --- ItemCounter --------------------------------------------------------------------------------

void ItemCounter::Add(std::string_view text) {
  auto it = items_.find(std::string(text));
  if (it == items_.end()) {
    it = items_.emplace(std::string(text), Entry{0, rows_, forgotten_}).first;
    bytes_ += kEntryBytes + sizeof(Entry) + text.size();
  }
  ++it->second.count;
  ++rows_;
  if (items_.size() > capacity_) Forget();
}

// Takes from every count what leaves half of the texts without one.
void ItemCounter::Forget() {
  std::vector<int64_t> left;
  left.reserve(items_.size());
  for (const auto& [text, e] : items_) left.push_back(e.count - (forgotten_ - e.forgotten));
  auto middle = left.begin() + static_cast<std::ptrdiff_t>(left.size() / 2);
  std::nth_element(left.begin(), middle, left.end());
  int64_t take = *middle;
  for (auto it = items_.begin(); it != items_.end();) {
    const Entry& e = it->second;
    if (e.count - (forgotten_ - e.forgotten) <= take) {
      bytes_ -= kEntryBytes + sizeof(Entry) + it->first.size();
      it = items_.erase(it);
    } else {
      ++it;
    }
  }
  forgotten_ += take;
}

std::vector<ItemCounter::Item> ItemCounter::Top(std::size_t k) const {
  std::vector<Item> all;
  for (const auto& [text, e] : items_) all.push_back({text, e.count, e.first});
  k = std::min(k, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(k), all.end(),
                    [](const Item& a, const Item& b) {
                      return a.count != b.count ? a.count > b.count : a.first < b.first;
                    });
  all.resize(k);
  return all;
}

void ItemCounter::Clear() {
  items_.clear();
  bytes_ = 0;
  rows_ = forgotten_ = 0;
}

void ItemCounter::Save(std::string& out) const {
  SaveInt(rows_, out);
  SaveInt(forgotten_, out);
  SaveInt(static_cast<int64_t>(items_.size()), out);
  for (const auto& [text, e] : items_) {
    SaveText(text, out);
    SaveInt(e.count, out);
    SaveInt(e.first, out);
    SaveInt(e.forgotten, out);
  }
}
bool ItemCounter::Restore(std::string_view& in) {
  int64_t n = 0;
  if (!RestoreInt(in, rows_) || !RestoreInt(in, forgotten_) || !RestoreInt(in, n)) return false;
  for (int64_t i = 0; i < n; ++i) {
    std::string_view text;
    Entry e;
    if (!RestoreText(in, text) || !RestoreInt(in, e.count) || !RestoreInt(in, e.first) ||
        !RestoreInt(in, e.forgotten)) {
      return false;
    }
    items_.emplace(std::string(text), e);
    bytes_ += kEntryBytes + sizeof(Entry) + text.size();
  }
  return true;
}

// --- QuantileSketch -----------------------------------------------------------------------------

void QuantileSketch::Add(double x) {
  if (!std::isfinite(x)) return;
  ++count_;
  double magnitude = std::fabs(x);
  if (magnitude < 1e-300) {
    ++zeros_;
    return;
  }
  auto& buckets = x > 0 ? positive_ : negative_;
  ++buckets[static_cast<int32_t>(std::ceil(std::log(magnitude) / kLogGamma))];
  if (buckets.size() > kBucketsMax) Limit(buckets);
}

void QuantileSketch::Limit(std::unordered_map<int32_t, int64_t>& buckets) {
  std::vector<int32_t> keys;
  for (const auto& [k, n] : buckets) keys.push_back(k);
  auto middle = keys.begin() + static_cast<std::ptrdiff_t>(keys.size() / 8);
  std::nth_element(keys.begin(), middle, keys.end());
  int32_t lowest = *middle;
  int64_t moved = 0;
  for (auto it = buckets.begin(); it != buckets.end();) {
    if (it->first < lowest) {
      moved += it->second;
      it = buckets.erase(it);
    } else {
      ++it;
    }
  }
  buckets[lowest] += moved;
}

void QuantileSketch::Merge(const QuantileSketch& other) {
  count_ += other.count_;
  zeros_ += other.zeros_;
  for (const auto& [k, n] : other.positive_) positive_[k] += n;
  for (const auto& [k, n] : other.negative_) negative_[k] += n;
  if (positive_.size() > kBucketsMax) Limit(positive_);
  if (negative_.size() > kBucketsMax) Limit(negative_);
}

std::vector<std::pair<int32_t, int64_t>> QuantileSketch::Ordered(bool negative) const {
  const auto& buckets = negative ? negative_ : positive_;
  std::vector<std::pair<int32_t, int64_t>> out(buckets.begin(), buckets.end());
  std::sort(out.begin(), out.end());
  if (negative) std::reverse(out.begin(), out.end());
  return out;
}

double QuantileSketch::Quantile(double fraction) const {
  int64_t rank = static_cast<int64_t>(fraction * static_cast<double>(count_ - 1));
  auto value = [](int32_t k) { return 2 * std::exp(k * kLogGamma) / (kGamma + 1); };
  int64_t seen = 0;
  for (const auto& [k, n] : Ordered(true)) {
    seen += n;
    if (seen > rank) return -value(k);
  }
  seen += zeros_;
  if (seen > rank) return 0;
  double last = 0;
  for (const auto& [k, n] : Ordered(false)) {
    seen += n;
    last = value(k);
    if (seen > rank) break;
  }
  return last;
}

void QuantileSketch::Save(std::string& out) const {
  SaveInt(count_, out);
  SaveInt(zeros_, out);
  for (bool negative : {false, true}) {
    auto buckets = Ordered(negative);
    SaveInt(static_cast<int64_t>(buckets.size()), out);
    for (const auto& [k, n] : buckets) {
      SaveInt(k, out);
      SaveInt(n, out);
    }
  }
}
bool QuantileSketch::Restore(std::string_view& in) {
  if (!RestoreInt(in, count_) || !RestoreInt(in, zeros_)) return false;
  for (auto* buckets : {&positive_, &negative_}) {
    int64_t size = 0, k = 0, n = 0;
    if (!RestoreInt(in, size)) return false;
    for (int64_t i = 0; i < size; ++i) {
      if (!RestoreInt(in, k) || !RestoreInt(in, n)) return false;
      (*buckets)[static_cast<int32_t>(k)] = n;
    }
  }
  return true;
}

}  // namespace millstream::sql
