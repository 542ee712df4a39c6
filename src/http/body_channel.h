#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>

#include "base/bytes.h"
#include "base/function.h"
#include "http/message.h"

namespace millstream::http {

// The queue between a BodyWriter, on any thread, and the session that sends its bytes, on the loop.
// Shared by the two; each may go first.
class BodyChannel {
 public:
  // `wake` tells the session that there is something to take; called on the writer's thread, once
  // until the session has taken everything.
  explicit BodyChannel(base::Function<void()> wake) : wake_(std::move(wake)) {}

  // The writer's side.
  bool Write(base::Bytes bytes);
  void Finish();
  void Abort();  // the writer went away without Finish()
  std::size_t queued_bytes() const;
  bool closed() const;
  void SetDrained(std::size_t low_water, base::Function<void()> drained);
  void ForgetDrained();  // on return the callback does not run and never will

  // The session's side, on the loop.
  enum class State { kBytes, kEmpty, kFinished, kAborted };
  State Take(base::Bytes& bytes);
  void Close();  // the peer is gone

 private:
  void WakeUnlessPending(std::unique_lock<std::mutex> lock);
  void CallDrained();

  base::Function<void()> wake_;
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::deque<base::Bytes> queue_;
  std::size_t queued_bytes_ = 0;
  std::size_t low_water_ = 0;
  bool wake_pending_ = false;
  bool finished_ = false;
  bool aborted_ = false;
  bool closed_ = false;

  std::shared_ptr<base::Function<void()>> drained_;

  // Held while drained_ runs, so that its owner can wait for the end of a call. Recursive: the
  // callback may destroy the writer. Taken before mutex_, and by the writer's end only when it
  // goes: whoever sets a callback may hold the lock that the callback takes.
  std::recursive_mutex calling_mutex_;
};

// The BodyWriter in front of a channel.
std::unique_ptr<BodyWriter> MakeBodyWriter(std::shared_ptr<BodyChannel> channel);

}  // namespace millstream::http
