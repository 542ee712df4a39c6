#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

// Sums of DOUBLEs that rows join and leave for ever. Every rounding error is kept beside the sum,
// so that what has left leaves nothing behind; values that would spoil a sum for good (infinities,
// NaN, and those so large that sums of them overflow) are kept apart and leave as cleanly.
namespace millstream::sql {

struct DoubleSum {
  double sum, error;

  void Add(double x) {  // Knuth's two-sum: exact
    const double s = sum + x, b = s - sum;
    error += (sum - (s - b)) + (x - b);
    sum = s;
  }
  double Result() const { return sum + error; }
};

// Of integers: exact, and without overflow.
struct IntSum {
  int64_t count;
  int64_t low, high;  // of 128 bits

  void Add(int64_t x) {
    const unsigned __int128 sum =
        Value() + static_cast<unsigned __int128>(static_cast<__int128>(x));
    low = static_cast<int64_t>(sum);
    high = static_cast<int64_t>(sum >> 64);
  }
  void Subtract(int64_t x) {
    const unsigned __int128 sum =
        Value() - static_cast<unsigned __int128>(static_cast<__int128>(x));
    low = static_cast<int64_t>(sum);
    high = static_cast<int64_t>(sum >> 64);
  }
  unsigned __int128 Value() const {
    return static_cast<unsigned __int128>(static_cast<uint64_t>(high)) << 64 |
           static_cast<uint64_t>(low);
  }
};

inline bool IsExtreme(double x) { return !(std::fabs(x) < 0x1p900); }

// Sums of x and of x squared, both exact to twice the digits of a double: their difference is good
// even after values have left that dwarfed what is there now.
struct Moments {
  int64_t count;
  DoubleSum sum, squares;

  // Squares of larger ones overflow: as long as one is in the window, no variance can be told.
  static bool IsExtreme(double x) { return !(std::fabs(x) < 0x1p450); }

  void Add(double x, double sign) {
    const double square = x * x, rest = std::fma(x, x, -square);
    sum.Add(sign * x);
    squares.Add(sign * square);
    squares.error += sign * rest;
  }
  double SquaredDeviations() const {
    const double n = static_cast<double>(count), s = sum.Result();
    const double s_rest = (sum.sum - s) + sum.error;
    const double p = s * s, p_rest = std::fma(s, s, -p) + 2 * s * s_rest;
    const double h = p / n, h_rest = (std::fma(-h, n, p) + p_rest) / n;
    DoubleSum difference{squares.sum, squares.error};
    difference.Add(-h);
    difference.error -= h_rest;
    return std::max(0.0, difference.Result());
  }
};
// The extreme values of one window, counted. `times`: 1 a value comes, -1 it leaves.
struct ExtremeSum {
  int64_t values = 0;
  int64_t large = 0, positive = 0, negative = 0, nan = 0;
  DoubleSum scaled{0, 0};

  void Add(double x, int times) {
    values += times;
    if (std::isnan(x)) {
      nan += times;
    } else if (std::isinf(x)) {
      (x > 0 ? positive : negative) += times;
    } else {
      large += times;
      scaled.Add(times * (x * kDown));
      if (large == 0) scaled = {0, 0};
    }
  }
  // With the sum of the other values of the window.
  double Result(double rest) const {
    if (nan > 0 || (positive > 0 && negative > 0)) return std::numeric_limits<double>::quiet_NaN();
    if (positive > 0) return std::numeric_limits<double>::infinity();
    if (negative > 0) return -std::numeric_limits<double>::infinity();
    return (scaled.sum + (scaled.error + rest * kDown)) / kDown;
  }

 private:
  static constexpr double kDown = 0x1p-200;
};

}  // namespace millstream::sql
