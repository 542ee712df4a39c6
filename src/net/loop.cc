#include "net/loop.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/check.h"
#include "base/thread.h"

namespace millstream::net {
namespace {

constexpr int kEventsPerWait = 64;
// A turn older than this leaves its other events to the next when there is posted work: answers of
// the last group go out, and their clients go on, while the rest is handled.
constexpr int64_t kTurnNs = 300'000;
constexpr int64_t kYieldTookLongNs = 5'000;  // somebody else ran: the core is wanted
constexpr uint64_t kWakeData = ~uint64_t{0};

thread_local Loop* current_loop = nullptr;

class EpollLoop final : public Loop {
 public:
  EpollLoop(base::Clock& clock, Options options, int epoll_fd, int wake_fd)
      : clock_(clock),
        options_(options),
        epoll_fd_(epoll_fd),
        wake_fd_(wake_fd),
        spin_budget_ns_(options.spin_ns),
        now_ns_(clock.MonotonicNs()) {}

  ~EpollLoop() override {
    close(wake_fd_);
    close(epoll_fd_);
  }

  void Run() override;
  void Stop() override;
  void Post(base::Function<void()> work) override;
  bool IsCurrent() const override { return current_loop == this; }
  TimerId RunAfter(int64_t delay_ns, base::Function<void()> work) override;
  void CancelTimer(TimerId id) override;
  HookId AddTurnEndHook(base::Function<void()> hook, int order) override;
  void RemoveTurnEndHook(HookId id) override;
  base::Status Watch(int fd, uint32_t events, base::Function<void(uint32_t)> ready) override;
  base::Status Rewatch(int fd, uint32_t events) override;
  void Unwatch(int fd) override;
  int64_t NowNs() const override { return now_ns_; }

 private:
  struct Watcher {
    uint32_t generation;  // tells events of an earlier descriptor of the same number apart
    base::Function<void(uint32_t)> ready;
  };
  struct Hook {
    HookId id;
    int order;
    base::Function<void()> run;
  };

  void WaitForEvents();
  bool Spin();
  void Block(int timeout_ms);
  int TimeoutMs() const;
  bool HasEvents() const { return next_event_ < event_count_; }
  void HandleEvents();
  void RunPosted();
  void RunTimers();
  void RunHooks();
  bool HasPosted() const { return posted_count_.load(std::memory_order_acquire) > 0; }

  base::Clock& clock_;
  const Options options_;
  const int epoll_fd_;
  const int wake_fd_;
  std::atomic<bool> stop_{false};
  // True while the loop blocks or is about to: only then does Post() need the eventfd.
  std::atomic<bool> sleeping_{false};

  std::mutex mutex_;
  std::vector<base::Function<void()>> posted_;       // by other threads; guarded by mutex_
  std::atomic<std::size_t> posted_count_{0};         // size of posted_
  std::vector<base::Function<void()>> posted_here_;  // by the loop's own thread
  std::vector<base::Function<void()>> running_;
  std::vector<base::Function<void()>> running_here_;

  int64_t spin_budget_ns_;
  int64_t now_ns_;
  bool busy_ = false;  // the last turn had something to do

  epoll_event events_[kEventsPerWait];
  int event_count_ = 0;
  int next_event_ = 0;  // of events_; those before it are handled

  std::vector<std::unique_ptr<Watcher>> watchers_;  // by descriptor
  // Watchers are destroyed when the turn is over: one may unwatch itself while it runs.
  std::vector<std::unique_ptr<Watcher>> unwatched_;
  uint32_t next_generation_ = 0;

  std::map<std::pair<int64_t, TimerId>, base::Function<void()>> timers_;
  std::unordered_map<TimerId, int64_t> timer_deadlines_;
  TimerId next_timer_ = 1;

  std::vector<std::unique_ptr<Hook>> hooks_;  // by order, then by age
  std::vector<std::unique_ptr<Hook>> removed_hooks_;
  HookId next_hook_ = 1;
};

void EpollLoop::Run() {
  CHECK_MSG(current_loop == nullptr, "a thread runs one loop");
  current_loop = this;
  base::NameThisThread(options_.name);
  while (!stop_.load(std::memory_order_acquire)) {
    if (!HasEvents()) WaitForEvents();
    now_ns_ = clock_.MonotonicNs();
    busy_ = HasEvents() || HasPosted() || !posted_here_.empty();
    HandleEvents();
    RunPosted();
    RunTimers();
    RunHooks();
    unwatched_.clear();
    removed_hooks_.clear();
  }
  current_loop = nullptr;
}

void EpollLoop::Stop() {
  stop_.store(true, std::memory_order_release);
  Post([] {});
}

void EpollLoop::WaitForEvents() {
  int timeout_ms = !posted_here_.empty() || HasPosted() ? 0 : TimeoutMs();
  if (timeout_ms == 0) {
    Block(0);
    return;
  }
  if (options_.spin_ns > 0 && busy_ && spin_budget_ns_ > 0 && Spin()) return;
  // Invariant: sleeping_ is set before the last look at the queue, and Post() looks at sleeping_
  // after it queued: one of the two sees the other.
  sleeping_.store(true, std::memory_order_seq_cst);
  if (posted_count_.load(std::memory_order_seq_cst) > 0) timeout_ms = 0;
  int64_t before_ns = options_.spin_ns > 0 ? clock_.MonotonicNs() : 0;
  Block(timeout_ms);
  sleeping_.store(false, std::memory_order_seq_cst);
  if (options_.spin_ns > 0 && clock_.MonotonicNs() - before_ns < options_.spin_ns) {
    spin_budget_ns_ = options_.spin_ns;  // a poll of that length would have been enough
  }
}

// True when something came.
bool EpollLoop::Spin() {
  const int64_t start_ns = clock_.MonotonicNs();
  int64_t before_ns = start_ns;
  while (true) {
    Block(0);
    if (HasEvents() || HasPosted()) {
      spin_budget_ns_ = options_.spin_ns;
      return true;
    }
    sched_yield();
    int64_t after_ns = clock_.MonotonicNs();
    if (after_ns - before_ns > kYieldTookLongNs || after_ns - start_ns > spin_budget_ns_) break;
    before_ns = after_ns;
  }
  spin_budget_ns_ /= 2;
  if (spin_budget_ns_ < 1000) spin_budget_ns_ = 0;
  return false;
}

void EpollLoop::Block(int timeout_ms) {
  int count = epoll_wait(epoll_fd_, events_, kEventsPerWait, timeout_ms);
  CHECK_MSG(count >= 0 || errno == EINTR, "epoll_wait failed");
  event_count_ = std::max(count, 0);
  next_event_ = 0;
}

int EpollLoop::TimeoutMs() const {
  if (timers_.empty()) return -1;
  int64_t delay_ns = timers_.begin()->first.first - clock_.MonotonicNs();
  if (delay_ns <= 0) return 0;
  return static_cast<int>(std::min<int64_t>((delay_ns + 999'999) / 1'000'000, 60'000));
}

void EpollLoop::HandleEvents() {
  while (HasEvents()) {
    const epoll_event& event = events_[next_event_++];
    if (event.data.u64 == kWakeData) continue;  // edge-triggered: nothing to read away
    auto fd = static_cast<uint32_t>(event.data.u64);
    auto generation = static_cast<uint32_t>(event.data.u64 >> 32);
    if (fd >= watchers_.size() || watchers_[fd] == nullptr) continue;
    Watcher* watcher = watchers_[fd].get();
    if (watcher->generation != generation) continue;
    watcher->ready(event.events);
    if (HasPosted() && clock_.MonotonicNs() - now_ns_ > kTurnNs) return;
  }
}

void EpollLoop::RunPosted() {
  // What these post themselves waits for the next turn.
  running_here_.swap(posted_here_);
  if (HasPosted()) {
    {
      std::lock_guard lock(mutex_);
      running_.swap(posted_);
      posted_count_.store(0, std::memory_order_relaxed);
    }
    for (auto& work : running_) work();
    running_.clear();
  }
  for (auto& work : running_here_) work();
  running_here_.clear();
}

void EpollLoop::RunTimers() {
  while (!timers_.empty() && timers_.begin()->first.first <= now_ns_) {
    auto node = timers_.extract(timers_.begin());
    timer_deadlines_.erase(node.key().second);
    node.mapped()();
  }
}

void EpollLoop::RunHooks() {
  for (std::size_t i = 0; i < hooks_.size(); ++i) {
    Hook* hook = hooks_[i].get();
    hook->run();
    // A hook may remove itself or others; carry on behind the one that just ran.
    if (i >= hooks_.size() || hooks_[i].get() != hook) {
      auto at = std::find_if(hooks_.begin(), hooks_.end(),
                             [hook](const auto& other) { return other.get() == hook; });
      if (at == hooks_.end()) {
        --i;
      } else {
        i = static_cast<std::size_t>(at - hooks_.begin());
      }
    }
  }
}

void EpollLoop::Post(base::Function<void()> work) {
  if (IsCurrent()) {
    posted_here_.push_back(std::move(work));
    return;
  }
  {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
    posted_count_.store(posted_.size(), std::memory_order_seq_cst);
  }
  // The first of a burst of posts to a sleeping loop pays for the wake-up, the others do not.
  if (sleeping_.load(std::memory_order_seq_cst) && sleeping_.exchange(false)) {
    uint64_t one = 1;
    ssize_t written = write(wake_fd_, &one, sizeof one);
    CHECK(written == sizeof one);
  }
}

Loop::TimerId EpollLoop::RunAfter(int64_t delay_ns, base::Function<void()> work) {
  TimerId id = next_timer_++;
  int64_t deadline_ns = clock_.MonotonicNs() + std::max<int64_t>(delay_ns, 0);
  timers_.emplace(std::make_pair(deadline_ns, id), std::move(work));
  timer_deadlines_.emplace(id, deadline_ns);
  return id;
}

void EpollLoop::CancelTimer(TimerId id) {
  auto at = timer_deadlines_.find(id);
  if (at == timer_deadlines_.end()) return;
  timers_.erase({at->second, id});
  timer_deadlines_.erase(at);
}

Loop::HookId EpollLoop::AddTurnEndHook(base::Function<void()> hook, int order) {
  auto at = std::find_if(hooks_.begin(), hooks_.end(),
                         [order](const auto& other) { return other->order > order; });
  HookId id = next_hook_++;
  hooks_.insert(at, std::make_unique<Hook>(Hook{id, order, std::move(hook)}));
  return id;
}

void EpollLoop::RemoveTurnEndHook(HookId id) {
  auto at =
      std::find_if(hooks_.begin(), hooks_.end(), [id](const auto& hook) { return hook->id == id; });
  if (at == hooks_.end()) return;
  removed_hooks_.push_back(std::move(*at));
  hooks_.erase(at);
}

base::Status EpollLoop::Watch(int fd, uint32_t events, base::Function<void(uint32_t)> ready) {
  CHECK(fd >= 0);
  auto index = static_cast<std::size_t>(fd);
  if (index >= watchers_.size()) watchers_.resize(index + 1);
  CHECK_MSG(watchers_[index] == nullptr, "descriptor is watched already");
  uint32_t generation = next_generation_++;
  epoll_event event{};
  event.events = events;
  event.data.u64 = static_cast<uint64_t>(generation) << 32 | static_cast<uint32_t>(fd);
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
    return base::Fail(base::Code::kUnavailable,
                      std::string("watching a descriptor failed: ") + strerror(errno));
  }
  watchers_[index] = std::make_unique<Watcher>(Watcher{generation, std::move(ready)});
  return {};
}

base::Status EpollLoop::Rewatch(int fd, uint32_t events) {
  auto index = static_cast<std::size_t>(fd);
  CHECK(index < watchers_.size() && watchers_[index] != nullptr);
  epoll_event event{};
  event.events = events;
  event.data.u64 =
      static_cast<uint64_t>(watchers_[index]->generation) << 32 | static_cast<uint32_t>(fd);
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event) != 0) {
    return base::Fail(base::Code::kUnavailable,
                      std::string("watching a descriptor failed: ") + strerror(errno));
  }
  return {};
}

void EpollLoop::Unwatch(int fd) {
  auto index = static_cast<std::size_t>(fd);
  if (index >= watchers_.size() || watchers_[index] == nullptr) return;
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  unwatched_.push_back(std::move(watchers_[index]));
}

}  // namespace

base::Result<std::unique_ptr<Loop>> Loop::Create(base::Clock& clock, Options options) {
  int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) {
    return base::Fail(base::Code::kUnavailable,
                      std::string("epoll_create failed: ") + strerror(errno));
  }
  int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = kWakeData;
  if (wake_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) != 0) {
    std::string reason = strerror(errno);
    if (wake_fd >= 0) close(wake_fd);
    close(epoll_fd);
    return base::Fail(base::Code::kUnavailable, "creating a loop's wake-up failed: " + reason);
  }
  return std::unique_ptr<Loop>(std::make_unique<EpollLoop>(clock, options, epoll_fd, wake_fd));
}

Loop* Loop::Current() { return current_loop; }

}  // namespace millstream::net
