// The writer: takes what is queued, writes it to the WAL as one group, makes it readable and calls
// back. While a group is being written the next one collects in the queue.
#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/logging.h"
#include "base/thread.h"
#include "log/store_impl.h"

namespace millstream::log {
namespace {

using base::Code;
using base::Error;

// A group larger than this gains nothing on the device and makes the first in it wait.
constexpr std::size_t kGroupBytesTarget = 4u << 20;

}  // namespace

// queue_mutex_ is held.
void StoreImpl::WakeWriterLocked() {
  writer_wanted_ = true;
  if (writer_sleeping_) {
    writer_sleeping_ = false;
    writer_wake_.notify_one();
  }
}

void StoreImpl::RunWriter() {
  base::NameThisThread("log-writer");
  const bool interval = options_.durability == Durability::kInterval;
  auto next_sync = std::chrono::steady_clock::time_point::max();
  std::unique_lock lock(queue_mutex_);
  while (true) {
    // With kInterval, loops write for themselves; this thread then only syncs. There is no timer
    // when nothing was written since the last sync.
    while (!writer_wanted_ && !stopping_) {
      if (interval && unsynced_.load()) {
        const auto now = std::chrono::steady_clock::now();
        next_sync = std::min(next_sync, now + std::chrono::milliseconds(options_.interval_ms));
        if (now >= next_sync) break;
        writer_sleeping_ = true;
        writer_wake_.wait_until(lock, next_sync);
      } else {
        writer_sleeping_ = true;
        writer_wake_.wait(lock);
      }
    }
    writer_sleeping_ = false;
    const bool stopping = stopping_;
    lock.unlock();
    CommitQueued();
    if (interval && unsynced_.load() &&
        (stopping || std::chrono::steady_clock::now() >= next_sync)) {
      SyncInterval();
      next_sync = std::chrono::steady_clock::time_point::max();
    }
    lock.lock();
    if (stopping && (queue_.empty() || refusing_)) break;
  }
  lock.unlock();
  if (queued_.load()) {
    std::lock_guard io(io_mutex_);
    {
      std::lock_guard queue(queue_mutex_);
      work_.swap(queue_);
      queued_.store(false);
    }
    FailFrom(work_, 0, Error(Code::kUnavailable, "the log store is stopping"));
    work_.clear();
  }
}

void StoreImpl::SyncInterval() {
  WalPosition end;
  {
    std::lock_guard io(io_mutex_);
    if (sealed_.load()) return;
    unsynced_.store(false);
    end = wal_.end();
  }
  if (auto synced = wal_.SyncFile(end.generation); !synced) {
    Seal(synced.error());
    return;
  }
  std::lock_guard io(io_mutex_);
  wal_.NoteDurable(end);
}

void StoreImpl::CommitQueued() {
  std::lock_guard io(io_mutex_);
  while (true) {
    {
      std::lock_guard lock(queue_mutex_);
      writer_wanted_ = false;
      if (queue_.empty()) return;
      CHECK(work_.empty());
      work_.swap(queue_);
      queued_.store(false, std::memory_order_relaxed);
    }
    if (!Commit(work_)) return;
    // Inline callers answer for what their turn queued; what others queue meanwhile is theirs.
    if (options_.durability == Durability::kInterval) return;
  }
}

// Writes all of `work`, in as many groups as it takes, and empties it. False when the disk is full.
bool StoreImpl::Commit(std::vector<Pending>& work) {
  std::size_t first = 0;
  while (first < work.size()) {
    if (sealed_.load()) {
      std::unique_lock lock(queue_mutex_);
      const Error error = SealedError();
      lock.unlock();
      FailFrom(work, first, error);
      break;
    }
    items_.clear();
    std::size_t bytes = kGroupHeaderBytes;
    std::size_t end = first;
    for (; end < work.size(); ++end) {
      const Pending& pending = work[end];
      const std::size_t add = FrameBytes(pending.bytes.size());
      if (AlignUp(bytes + add) > wal_.room()) break;
      if (end > first && bytes + add > kGroupBytesTarget) break;
      bytes += add;
      items_.push_back({pending.type, pending.log->id, pending.base_offset, pending.record_count,
                        pending.bytes.view(), {}});
    }
    if (end == first) {
      Error failure(Code::kInternal, "");
      if (NextWalFile(&failure)) continue;
      if (sealed_.load()) continue;
      FailFrom(work, first, failure);
      work.clear();
      return false;
    }
    uint64_t written = 0;
    const int64_t before = clock_.MonotonicNs();
    const base::Status status = wal_.WriteGroup(items_, &written);
    if (!status && IsNoSpace(status.error())) {
      // The place is written again by the next group: nothing in it was acknowledged.
      RefuseForSpace(status.error());
      FailFrom(work, first, status.error());
      work.clear();
      return false;
    }
    if (!status) {
      Seal(status.error());
      continue;
    }
    metrics_.commit_seconds.Observe(clock_.MonotonicNs() - before);
    metrics_.commits_total.Add();
    metrics_.wal_bytes_written_total.Add(written);
    Complete(std::span(work).subspan(first, end - first), items_);
    first = end;
  }
  work.clear();
  return true;
}

// The active WAL file is full. Waits for the builder when no other is free: that is how the disk
// slows producers down. False with the reason when there will be none.
bool StoreImpl::NextWalFile(Error* failure) {
  while (true) {
    auto activated = wal_.Activate();
    if (!activated && IsNoSpace(activated.error())) {
      RefuseForSpace(activated.error());
      *failure = activated.error();
      return false;
    }
    if (!activated) {
      Seal(activated.error());
      return false;
    }
    if (*activated) {
      WakeBuilder();
      return true;
    }
    std::unique_lock lock(builder_mutex_);
    file_needed_ = true;
    builder_woken_ = true;
    builder_wake_.notify_one();
    builder_progress_.wait(lock,
                           [&] { return wal_.has_free() || no_space_ || sealed_.load(); });
    file_needed_ = false;
    if (sealed_.load()) return false;
    if (no_space_ && !wal_.has_free()) {
      *failure = Error(Code::kUnavailable,
                       "no space left on device: the write-ahead log is full and segments cannot "
                       "be written");
      lock.unlock();
      RefuseForSpace(*failure);
      return false;
    }
  }
}

// Makes a written group readable and calls back. io_mutex_ is held.
void StoreImpl::Complete(std::span<Pending> done, std::span<const WalItem> items) {
  std::vector<base::Function<void()>> ready;
  std::vector<LogPtr> to_flush;
  std::vector<LogPtr> removed;
  uint64_t bytes = 0;
  uint64_t batches = 0;
  const uint64_t generation = wal_.end().generation;
  for (std::size_t i = 0; i < done.size(); ++i) {
    Pending& pending = done[i];
    Log& log = *pending.log;
    if (log.touched_generation != generation) {
      log.touched_generation = generation;
      wal_.Touch(log.id);
    }
    if (pending.type == FrameType::kDelete) {
      removed.push_back(pending.log);
      continue;
    }
    bytes += pending.bytes.size();
    ++batches;
    const uint64_t held = pending.bytes.held_bytes();
    cached_.push_back({log.id, pending.base_offset, held});
    cached_bytes_ += held;

    std::lock_guard lock(log.mutex);
    CHECK_MSG(pending.base_offset == log.durable_end, "batches of a log became durable out of order");
    TailEntry& entry = log.entries.emplace_back();
    entry.base_offset = pending.base_offset;
    entry.max_timestamp_ms = pending.max_timestamp_ms;
    entry.wal = items[i].position;
    entry.size = static_cast<uint32_t>(pending.bytes.size());
    entry.record_count = pending.record_count;
    entry.bytes = std::move(pending.bytes);
    log.durable_end = entry.end();
    log.last_timestamp_ms = std::max(log.last_timestamp_ms, entry.max_timestamp_ms);
    log.pending_bytes += entry.size;
    if (log.pending_bytes >= options_.segment_flush_bytes && !log.flush_queued) {
      log.flush_queued = true;
      to_flush.push_back(pending.log);
    }
    for (std::size_t w = 0; w < log.waiters.size();) {
      if (log.durable_end <= log.waiters[w].offset) {
        ++w;
        continue;
      }
      ready.push_back(std::move(log.waiters[w].ready));
      std::swap(log.waiters[w], log.waiters.back());
      log.waiters.pop_back();
    }
  }
  metrics_.appended_batches_total.Add(batches);
  metrics_.appended_bytes_total.Add(bytes);
  EvictLocked();
  if (options_.durability == Durability::kInterval && !unsynced_.exchange(true)) {
    // The writer sleeps without a timer when all is synced.
    std::lock_guard lock(queue_mutex_);
    if (writer_sleeping_) writer_wake_.notify_one();
  }
  if (!removed.empty()) {
    std::lock_guard lock(logs_mutex_);
    for (const LogPtr& log : removed) logs_.erase(log->id);
  }
  {
    std::lock_guard lock(queue_mutex_);
    queue_bytes_ -= bytes;
    finished_ += done.size();
    refusing_ = false;
    metrics_.append_queue_bytes.Set(static_cast<int64_t>(queue_bytes_));
  }
  drained_.notify_all();
  const bool prepare = wal_.wants_preparation();
  if (prepare || !to_flush.empty() || !removed.empty()) {
    std::lock_guard lock(builder_mutex_);
    for (LogPtr& log : to_flush) to_flush_.push_back(std::move(log));
    for (LogPtr& log : removed) to_remove_.push_back(std::move(log));
    builder_woken_ = true;
    builder_wake_.notify_one();
  }
  for (Pending& pending : done) {
    if (pending.done) pending.done(pending.base_offset);
  }
  for (auto& wake : ready) wake();
}

// Fails what is left of `work` and everything queued behind it, newest offsets first taken back:
// the next append gets the offsets again. io_mutex_ is held.
void StoreImpl::FailFrom(std::vector<Pending>& work, std::size_t first, const Error& error) {
  std::vector<Pending> failed(std::make_move_iterator(work.begin() + static_cast<ptrdiff_t>(first)),
                              std::make_move_iterator(work.end()));
  work.resize(first);
  {
    std::lock_guard lock(queue_mutex_);
    std::move(queue_.begin(), queue_.end(), std::back_inserter(failed));
    queue_.clear();
    for (auto it = failed.rbegin(); it != failed.rend(); ++it) {
      if (it->type != FrameType::kBatch) continue;
      it->log->assigned_end = it->base_offset;
      queue_bytes_ -= it->bytes.size();
    }
    finished_ += failed.size();
    // A deletion stays asked for: it is written when writing works again.
    for (Pending& pending : failed) {
      if (pending.type != FrameType::kDelete || sealed_.load()) continue;
      queue_.push_back(std::move(pending));
      ++accepted_;
    }
    queued_.store(!queue_.empty());
    metrics_.append_queue_bytes.Set(static_cast<int64_t>(queue_bytes_));
  }
  drained_.notify_all();
  for (Pending& pending : failed) {
    if (pending.done) pending.done(base::Fail(error));
  }
}

// Keeps the tail cache within its bound: the oldest batches of all logs lose their bytes.
void StoreImpl::EvictLocked() {
  while (cached_bytes_ > options_.tail_cache_bytes_max && !cached_.empty()) {
    const CachedBatch oldest = cached_.front();
    cached_.pop_front();
    cached_bytes_ -= oldest.held_bytes;
    LogPtr log = Find(oldest.log);
    if (!log) continue;
    base::Bytes dropped;  // released outside the lock
    std::lock_guard lock(log->mutex);
    if (log->entries.empty() || oldest.base_offset < log->entries.front().base_offset) continue;
    TailEntry& entry = log->entries[log->EntryIndex(oldest.base_offset)];
    dropped = std::move(entry.bytes);
    entry.bytes = base::Bytes();
    log->PopSettled();
  }
  metrics_.cache_bytes.Set(static_cast<int64_t>(cached_bytes_));
}

// Appends are refused until the builder, or a later attempt, finds space.
void StoreImpl::RefuseForSpace(const Error& error) {
  {
    std::lock_guard lock(queue_mutex_);
    if (!refusing_) {
      LOG_ERROR("log refuses appends: no space left", {"directory", options_.directory},
                {"error", error.message()});
    }
    refusing_ = true;
  }
  std::lock_guard lock(builder_mutex_);
  no_space_ = true;
  builder_woken_ = true;
  builder_wake_.notify_one();
}

// After a failed write or sync nobody knows what the disk has: nothing is written any more.
void StoreImpl::Seal(const Error& cause) {
  std::vector<LogPtr> logs;
  {
    std::shared_lock logs_lock(logs_mutex_);
    std::lock_guard lock(queue_mutex_);
    if (sealed_.load()) return;
    seal_cause_ = cause.message();
    metrics_.sealed.Set(1);
    sealed_.store(true);
    for (const auto& [id, log] : logs_) logs.push_back(log);
  }
  LOG_ERROR("log sealed after a failed write or sync; restart to recover",
            {"directory", options_.directory}, {"error", cause.message()});
  for (const LogPtr& log : logs) {
    std::vector<Log::Waiter> waiters;
    {
      std::lock_guard lock(log->mutex);
      log->closed = true;
      waiters.swap(log->waiters);
    }
    for (Log::Waiter& waiter : waiters) waiter.ready();
  }
  drained_.notify_all();
  {
    std::lock_guard lock(queue_mutex_);
    WakeWriterLocked();  // to fail what is queued
  }
  WakeBuilder();
  builder_progress_.notify_all();
}

// queue_mutex_ is held.
Error StoreImpl::SealedError() const {
  return Error(Code::kUnavailable, "the log is sealed after a failed write: " + seal_cause_);
}

}  // namespace millstream::log
