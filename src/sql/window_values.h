#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace millstream::sql {

// The order of DOUBLEs in percentiles: NaN behind all others, so that it is an order.
inline bool LessNumber(double a, double b) { return a < b || (std::isnan(b) && !std::isnan(a)); }

// Numbers in order, of which any may be taken out and the n-th asked for: sorted blocks of at most
// 1024, so that a million cost microseconds.
class OrderedNumbers {
 public:
  std::size_t size() const { return size_; }
  void Insert(double x) {
    if (blocks_.empty()) {
      blocks_.push_back({x});
      size_ = 1;
      return;
    }
    std::size_t b = std::min(BlockOf(x), blocks_.size() - 1);
    std::vector<double>& block = blocks_[b];
    block.insert(std::upper_bound(block.begin(), block.end(), x, LessNumber), x);
    ++size_;
    if (block.size() <= kBlock) return;
    std::vector<double> upper(block.begin() + kBlock / 2, block.end());
    block.resize(kBlock / 2);
    blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(b) + 1, std::move(upper));
  }
  // One x that is there.
  void Erase(double x) {
    const std::size_t b = BlockOf(x);
    if (b == blocks_.size()) return;
    std::vector<double>& block = blocks_[b];
    auto at = std::lower_bound(block.begin(), block.end(), x, LessNumber);
    if (at == block.end() || LessNumber(x, *at)) return;
    block.erase(at);
    --size_;
    if (block.empty()) blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(b));
  }
  double At(std::size_t n) const {
    for (const std::vector<double>& block : blocks_) {
      if (n < block.size()) return block[n];
      n -= block.size();
    }
    return 0;
  }
  // The percentile `fraction`, of the values there are; interpolated or one of them.
  double Percentile(double fraction, bool descending, bool interpolated) const {
    auto at = [&](std::size_t n) { return At(descending ? size_ - 1 - n : n); };
    if (!interpolated) {
      return at(static_cast<std::size_t>(
          std::max(0.0, std::ceil(fraction * static_cast<double>(size_)) - 1)));
    }
    const double position = fraction * static_cast<double>(size_ - 1), low = std::floor(position);
    const double a = at(static_cast<std::size_t>(low)),
                 b = at(static_cast<std::size_t>(std::ceil(position)));
    return a + (b - a) * (position - low);
  }
  template <typename Use>
  void ForEach(Use use) const {
    for (const std::vector<double>& block : blocks_) {
      for (double x : block) use(x);
    }
  }

 private:
  static constexpr std::size_t kBlock = 1024;

  // The first block whose last value is not less than x.
  std::size_t BlockOf(double x) const {
    return static_cast<std::size_t>(
        std::lower_bound(blocks_.begin(), blocks_.end(), x,
                         [](const std::vector<double>& block, double y) {
                           return LessNumber(block.back(), y);
                         }) -
        blocks_.begin());
  }

  std::vector<std::vector<double>> blocks_;  // none is empty
  std::size_t size_ = 0;
};

// What functions over all values of a window keep: how often each value is there, or their order.
struct WindowValues {
  std::unordered_map<std::string, int64_t> counts;
  OrderedNumbers ordered;
};

}  // namespace millstream::sql
