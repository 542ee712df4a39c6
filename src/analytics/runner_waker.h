#pragma once

#include <mutex>

#include "analytics/runner.h"

namespace millstream::analytics {

// Wakes a runner's task from any thread, also before it is started and after it is gone.
struct Runner::Waker {
  void Set(base::TaskExecutor& to, base::TaskExecutor::TaskId id) {
    std::lock_guard lock(mutex);
    executor = &to;
    task = id;
  }
  // Nobody is woken any more. Writes and waits that are under way hold the waker, and the executor
  // may be gone before they end.
  void Forget() {
    std::lock_guard lock(mutex);
    executor = nullptr;
  }
  void Wake() {
    std::lock_guard lock(mutex);
    if (executor != nullptr) executor->Wake(task);
  }

  std::mutex mutex;
  base::TaskExecutor* executor = nullptr;  // guarded by mutex
  base::TaskExecutor::TaskId task = 0;     // guarded by mutex
};

}  // namespace millstream::analytics
