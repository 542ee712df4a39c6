#pragma once

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/function.h"
#include "base/result.h"

namespace millstream::net {

// One reactor: an epoll set, its timers and the thread that runs it. Requests run to completion on
// the loop of their connection; a connection never changes loop (ARCHITECTURE.md, "Request").
//
// One turn = wait for events, handle all of them, run what was posted and the timers due, run the
// end-of-turn hooks. Batching happens at those hooks: the log is flushed once per turn, sockets are
// written once per turn. Hooks run in rising order, so that what a flushed log acknowledges still
// leaves in the same turn.
//
// Post() and IsCurrent() may be called from any thread; everything else only on the loop's thread
// or before Run().
class Loop {
 public:
  struct Options {
    // How long to poll before blocking when the loop was busy. Adaptive: polls that find nothing
    // shorten it, and it gives way when another thread wants the core. 0: always block.
    int64_t spin_ns = 0;
    const char* name = "loop";
  };
  static base::Result<std::unique_ptr<Loop>> Create(base::Clock& clock, Options options);
  virtual ~Loop() = default;

  virtual void Run() = 0;   // until Stop()
  virtual void Stop() = 0;  // any thread; the turn under way is finished

  // Runs `work` on the loop's thread in a later turn, in the order of the calls of one thread.
  virtual void Post(base::Function<void()> work) = 0;
  virtual bool IsCurrent() const = 0;
  // The loop that runs on the calling thread, or null.
  static Loop* Current();

  using TimerId = uint64_t;
  virtual TimerId RunAfter(int64_t delay_ns, base::Function<void()> work) = 0;
  virtual void CancelTimer(TimerId id) = 0;  // fine when it has run

  using HookId = uint64_t;
  static constexpr int kHookOrderReceived = -100;  // requests that waited for the turn's others
  static constexpr int kHookOrderWork = 0;       // logs, batches of any kind
  static constexpr int kHookOrderSockets = 100;  // after everything that may still answer
  virtual HookId AddTurnEndHook(base::Function<void()> hook, int order = kHookOrderWork) = 0;
  virtual void RemoveTurnEndHook(HookId id) = 0;

  // Readiness of a file descriptor. `ready` gets EPOLL* bits. Edge- or level-triggered as `events`
  // says. Unwatch before closing the descriptor.
  virtual base::Status Watch(int fd, uint32_t events, base::Function<void(uint32_t)> ready) = 0;
  virtual base::Status Rewatch(int fd, uint32_t events) = 0;
  virtual void Unwatch(int fd) = 0;

  virtual int64_t NowNs() const = 0;  // monotonic, read once per turn
};

}  // namespace millstream::net
