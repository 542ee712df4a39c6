#include "base/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace millstream::base {
namespace {

TEST(JobPoolTest, FinishesQueuedJobsBeforeItStops) {
  std::atomic<int> done{0};
  JobPool pool({.threads = 2});
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(pool.Submit([&] { ++done; }));
  pool.Stop();
  EXPECT_EQ(done, 100);
  EXPECT_EQ(pool.Submit([] {}).error().code(), Code::kUnavailable);
}

TEST(JobPoolTest, RefusesWhenItsQueueIsFull) {
  std::promise<void> release, started;
  JobPool pool({.threads = 1, .queue_max = 1});
  ASSERT_TRUE(pool.Submit([&] {
    started.set_value();
    release.get_future().wait();
  }));
  started.get_future().wait();
  ASSERT_TRUE(pool.Submit([] {}));
  EXPECT_EQ(pool.Submit([] {}).error().code(), Code::kResourceExhausted);
  release.set_value();
}

class CountingTask : public Task {
 public:
  TaskNext Step(int64_t) override {
    if (++steps == 3) blocked.set_value();
    return steps < 3 ? TaskNext::More() : steps == 3 ? TaskNext::Blocked() : Finish();
  }
  TaskNext Finish() {
    finished.set_value();
    return TaskNext::Done();
  }
  std::atomic<int> steps{0};
  std::promise<void> blocked, finished;
};

TEST(TaskExecutorTest, RunsUntilBlockedAndAgainWhenWoken) {
  SystemClock clock;
  TaskExecutor executor(clock, {.threads = 2});
  auto task = std::make_shared<CountingTask>();
  auto id = executor.Start(task);
  task->blocked.get_future().wait();
  executor.Wake(id);
  task->finished.get_future().wait();
  EXPECT_EQ(task->steps, 4);
}

class EndlessTask : public Task {
 public:
  TaskNext Step(int64_t) override {
    ++steps;
    return TaskNext::More();
  }
  std::atomic<int> steps{0};
};

TEST(TaskExecutorTest, DoesNotStepAfterCancel) {
  SystemClock clock;
  TaskExecutor executor(clock, {.threads = 2});
  auto task = std::make_shared<EndlessTask>();
  auto id = executor.Start(task);
  while (task->steps == 0) std::this_thread::yield();
  executor.Cancel(id);
  int after = task->steps;
  auto other = std::make_shared<EndlessTask>();
  executor.Start(other);
  while (other->steps < 100) std::this_thread::yield();
  EXPECT_EQ(task->steps, after);
}

}  // namespace
}  // namespace millstream::base
