#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/metrics.h"

namespace millstream::aws {

// Counters by error code. Errors are the slow path: a mutex is fine.
class ErrorCounts {
 public:
  void Add(std::string_view code);
  std::map<std::string, uint64_t> Snapshot() const;

 private:
  // Codes are ours, but for those of fault rules; further ones count as "Other".
  static constexpr std::size_t kCodesMax = 64;
  mutable std::mutex mutex_;
  std::map<std::string, uint64_t, std::less<>> counts_;  // guarded by mutex_
};

// What moves per operation of a registered service.
struct OperationMetrics {
  base::Counter calls;          // answered, whatever the answer
  base::Counter client_errors;  // 4xx
  base::Counter server_errors;  // 5xx
  base::Counter fast_path;      // taken by Service::TryFast
  ErrorCounts errors;
  base::DurationHistogram latency;  // from the complete request to the answer handed to http
};

// What moves before an operation is known, or regardless of it.
struct FrontDoorMetrics {
  base::Counter requests;         // to AWS paths
  base::Counter refused;          // answered before authentication: CORS, methods, types, targets
  base::Counter unauthenticated;  // missing, incomplete or wrong signatures, unknown keys
  base::Counter access_denied;    // by policies
  base::Counter injected_faults;
};

}  // namespace millstream::aws
