#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/function.h"
#include "base/result.h"

namespace millstream::base {

// Runs Jobs: blocking or long work (cold reads, SQLite, outbound HTTP) on a bounded pool.
// Thread-safe. Stop() lets queued jobs finish and waits for them.
class JobPool {
 public:
  struct Options {
    int threads = 2;
    std::size_t queue_max = 1024;
    const char* name = "job";
  };
  explicit JobPool(Options options);
  ~JobPool();

  // kResourceExhausted when the queue is full, kUnavailable after Stop().
  Status Submit(Function<void()> job);
  void Stop();

 private:
  void Run();

  const Options options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Function<void()>> queue_;  // guarded by mutex_
  bool stopping_ = false;               // guarded by mutex_
  std::vector<std::thread> threads_;
};

// What a Task wants after a step.
struct TaskNext {
  enum class Kind { kMore, kIdleUntil, kBlocked, kDone } kind;
  int64_t at_monotonic_ns = 0;  // for kIdleUntil

  static TaskNext More() { return {Kind::kMore}; }
  static TaskNext IdleUntil(int64_t ns) { return {Kind::kIdleUntil, ns}; }
  static TaskNext Blocked() { return {Kind::kBlocked}; }  // until somebody calls Wake()
  static TaskNext Done() { return {Kind::kDone}; }
};

// Work that comes back in small steps for as long as it lives: SQL pumps, delivery, retention.
class Task {
 public:
  virtual ~Task() = default;
  // Does at most about `budget_ns` of work. Never called by two threads at once.
  virtual TaskNext Step(int64_t budget_ns) = 0;
};

// Runs Tasks on a few threads. Thread-safe.
class TaskExecutor {
 public:
  struct Options {
    int threads = 1;
    int64_t step_budget_ns = 2'000'000;
  };
  TaskExecutor(Clock& clock, Options options);
  ~TaskExecutor();

  using TaskId = uint64_t;
  TaskId Start(std::shared_ptr<Task> task);
  // Makes a blocked or idle task runnable now; a wake during its step runs it once more.
  void Wake(TaskId id);
  // Returns after the task's last step; it is not stepped again. Not from within its own step.
  void Cancel(TaskId id);
  void Stop();

 private:
  struct Entry;
  void Run();

  Clock& clock_;
  const Options options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable stepped_;
  std::vector<std::shared_ptr<Entry>> entries_;  // guarded by mutex_
  TaskId next_id_ = 1;                           // guarded by mutex_
  bool stopping_ = false;                        // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace millstream::base
