#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

// Metrics belong to the component that moves them: a plain struct of these in `<folder>/metrics.h`,
// named in the field's way (`log_sync_seconds`, `streams_put_records_total`). server/ walks the
// structs and writes the Prometheus page.
namespace millstream::base {

// Thread-safe, relaxed.
class Counter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class Gauge {
 public:
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void Add(int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// A histogram of durations with buckets at powers of two of a microsecond (1 us .. 67 s).
// Observe() is three relaxed additions.
class DurationHistogram {
 public:
  static constexpr int kBuckets = 27;
  void Observe(int64_t ns);
  uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  uint64_t sum_ns() const { return sum_ns_.load(std::memory_order_relaxed); }
  uint64_t bucket(int i) const { return buckets_[i].load(std::memory_order_relaxed); }
  static double BucketUpperSeconds(int i) { return 1e-6 * static_cast<double>(uint64_t{1} << i); }

 private:
  std::array<std::atomic<uint64_t>, kBuckets> buckets_{};
  std::atomic<uint64_t> count_{0};
  std::atomic<uint64_t> sum_ns_{0};
};

// Builds a page in the Prometheus text format (version 0.0.4).
//
//   page.Family("log_sync_seconds", "Time of one group commit.", "histogram");
//   page.Histogram("log_sync_seconds", "", metrics.sync_seconds);
class MetricsPage {
 public:
  void Family(std::string_view name, std::string_view help, std::string_view type);
  // `labels` is empty or `stream="a",shard="b"`, values escaped by EscapeLabel.
  void Sample(std::string_view name, std::string_view labels, double value);
  void Histogram(std::string_view name, std::string_view labels, const DurationHistogram& values);
  const std::string& text() const { return text_; }
  static std::string EscapeLabel(std::string_view value);

 private:
  std::string text_;
};

}  // namespace millstream::base
