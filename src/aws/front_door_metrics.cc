#include "aws/front_door_metrics.h"

namespace millstream::aws {

void ErrorCounts::Add(std::string_view code) {
  const std::lock_guard lock(mutex_);
  auto found = counts_.find(code);
  if (found == counts_.end()) {
    found = counts_.emplace(counts_.size() < kCodesMax ? std::string(code) : "Other", 0).first;
  }
  ++found->second;
}

std::map<std::string, uint64_t> ErrorCounts::Snapshot() const {
  const std::lock_guard lock(mutex_);
  return {counts_.begin(), counts_.end()};
}

}  // namespace millstream::aws
