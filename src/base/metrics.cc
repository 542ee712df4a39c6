#include "base/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace millstream::base {

void DurationHistogram::Observe(int64_t ns) {
  uint64_t us = ns <= 0 ? 0 : static_cast<uint64_t>(ns + 999) / 1000;
  int bucket = us <= 1 ? 0 : static_cast<int>(std::bit_width(us - 1));
  buckets_[std::min(bucket, kBuckets - 1)].fetch_add(1, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
  sum_ns_.fetch_add(ns < 0 ? 0 : static_cast<uint64_t>(ns), std::memory_order_relaxed);
}

void MetricsPage::Family(std::string_view name, std::string_view help, std::string_view type) {
  fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void MetricsPage::Sample(std::string_view name, std::string_view labels, double value) {
  text_ += name;
  if (!labels.empty()) text_.append("{").append(labels).append("}");
  if (std::abs(value) < 9e15 && value == std::floor(value)) {
    fmt::format_to(std::back_inserter(text_), " {}\n", static_cast<int64_t>(value));
  } else {
    fmt::format_to(std::back_inserter(text_), " {:.9g}\n", value);
  }
}

void MetricsPage::Histogram(std::string_view name, std::string_view labels,
                            const DurationHistogram& values) {
  std::string comma = labels.empty() ? "" : std::string(labels) + ",";
  uint64_t cumulated = 0;
  for (int i = 0; i < DurationHistogram::kBuckets; ++i) {
    cumulated += values.bucket(i);
    Sample(fmt::format("{}_bucket", name),
           fmt::format("{}le=\"{:g}\"", comma, DurationHistogram::BucketUpperSeconds(i)),
           static_cast<double>(cumulated));
  }
  Sample(fmt::format("{}_bucket", name), comma + "le=\"+Inf\"", static_cast<double>(cumulated));
  Sample(fmt::format("{}_sum", name), labels, static_cast<double>(values.sum_ns()) * 1e-9);
  Sample(fmt::format("{}_count", name), labels, static_cast<double>(cumulated));
}

std::string MetricsPage::EscapeLabel(std::string_view value) {
  std::string escaped;
  for (char c : value) {
    if (c == '\\' || c == '"') escaped += '\\';
    if (c == '\n') {
      escaped += "\\n";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace millstream::base
