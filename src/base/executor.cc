#include "base/executor.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <string>

namespace millstream::base {

JobPool::JobPool(Options options) : options_(options) {
  for (int i = 0; i < options_.threads; ++i) {
    threads_.emplace_back([this] { Run(); });
    pthread_setname_np(threads_.back().native_handle(), options_.name);
  }
}

JobPool::~JobPool() { Stop(); }

Status JobPool::Submit(Function<void()> job) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return Fail(Code::kUnavailable, "job pool is stopping");
    if (queue_.size() >= options_.queue_max) {
      return Fail(Code::kResourceExhausted, std::string(options_.name) + " pool: " +
                                                std::to_string(queue_.size()) +
                                                " jobs are waiting already");
    }
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
  return {};
}

void JobPool::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void JobPool::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Function<void()> job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
  }
}

struct TaskExecutor::Entry {
  TaskId id;
  std::shared_ptr<Task> task;
  enum class State { kReady, kRunning, kIdle, kBlocked, kGone } state = State::kReady;
  int64_t at_ns = 0;
  bool woken = false;      // Wake() came during a step
  bool cancelled = false;
  uint64_t turn = 0;       // oldest ready first
};

TaskExecutor::TaskExecutor(Clock& clock, Options options) : clock_(clock), options_(options) {
  for (int i = 0; i < options_.threads; ++i) {
    threads_.emplace_back([this] { Run(); });
    pthread_setname_np(threads_.back().native_handle(), "task");
  }
}

TaskExecutor::~TaskExecutor() { Stop(); }

TaskExecutor::TaskId TaskExecutor::Start(std::shared_ptr<Task> task) {
  TaskId id;
  {
    std::lock_guard lock(mutex_);
    id = next_id_++;
    auto entry = std::make_shared<Entry>();
    entry->id = id;
    entry->task = std::move(task);
    entries_.push_back(std::move(entry));
  }
  wake_.notify_one();
  return id;
}

void TaskExecutor::Wake(TaskId id) {
  {
    std::lock_guard lock(mutex_);
    for (auto& entry : entries_) {
      if (entry->id != id) continue;
      if (entry->state == Entry::State::kRunning) {
        entry->woken = true;
      } else {
        entry->state = Entry::State::kReady;
      }
      break;
    }
  }
  wake_.notify_one();
}

void TaskExecutor::Cancel(TaskId id) {
  std::unique_lock lock(mutex_);
  auto find = [&] {
    return std::find_if(entries_.begin(), entries_.end(), [&](auto& e) { return e->id == id; });
  };
  auto it = find();
  if (it == entries_.end()) return;
  (*it)->cancelled = true;
  stepped_.wait(lock, [&] {
    auto now = find();
    return now == entries_.end() || (*now)->state != Entry::State::kRunning;
  });
  it = find();
  if (it != entries_.end()) entries_.erase(it);
}

void TaskExecutor::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void TaskExecutor::Run() {
  std::unique_lock lock(mutex_);
  uint64_t turn = 0;
  while (!stopping_) {
    int64_t now = clock_.MonotonicNs();
    int64_t soonest = now + 1'000'000'000;
    std::shared_ptr<Entry> chosen;
    for (auto& entry : entries_) {
      if (entry->state == Entry::State::kIdle) {
        if (entry->at_ns <= now) {
          entry->state = Entry::State::kReady;
        } else {
          soonest = std::min(soonest, entry->at_ns);
        }
      }
      if (entry->state == Entry::State::kReady && !entry->cancelled &&
          (!chosen || entry->turn < chosen->turn)) {
        chosen = entry;
      }
    }
    if (!chosen) {
      wake_.wait_for(lock, std::chrono::nanoseconds(std::max<int64_t>(soonest - now, 1000)));
      continue;
    }
    chosen->state = Entry::State::kRunning;
    chosen->woken = false;
    chosen->turn = ++turn;
    lock.unlock();
    TaskNext next = chosen->task->Step(options_.step_budget_ns);
    lock.lock();
    switch (next.kind) {
      case TaskNext::Kind::kMore: chosen->state = Entry::State::kReady; break;
      case TaskNext::Kind::kIdleUntil:
        chosen->state = chosen->woken ? Entry::State::kReady : Entry::State::kIdle;
        chosen->at_ns = next.at_monotonic_ns;
        break;
      case TaskNext::Kind::kBlocked:
        chosen->state = chosen->woken ? Entry::State::kReady : Entry::State::kBlocked;
        break;
      case TaskNext::Kind::kDone:
        chosen->state = Entry::State::kGone;
        std::erase(entries_, chosen);
        break;
    }
    stepped_.notify_all();
  }
}

}  // namespace millstream::base
