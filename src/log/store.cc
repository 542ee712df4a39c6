#include "log/store.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "log/store_impl.h"

namespace millstream::log {
namespace {

using base::Code;
using base::Fail;

std::atomic<uint64_t> next_serial{1};
// The store whose FlushInline this thread calls.
thread_local uint64_t flushed_store = 0;

tl::unexpected<base::Error> NoSuchLog(LogId log) {
  return Fail(Code::kNotFound, "no such log: " + LogIdText(log));
}

}  // namespace

std::size_t Log::EntryIndex(Offset offset) const {
  auto after = std::upper_bound(
      entries.begin(), entries.end(), offset,
      [](Offset value, const TailEntry& entry) { return value < entry.base_offset; });
  CHECK(after != entries.begin());
  return static_cast<std::size_t>(after - entries.begin()) - 1;
}

base::Result<std::unique_ptr<Store>> Store::Open(base::FileSystem& files, base::Clock& clock,
                                                 StoreOptions options) {
  if (options.wal_file_bytes % kWalBlockBytes != 0 || options.wal_file_bytes < 4 * kWalBlockBytes ||
      options.wal_files_max < 2 || options.segment_bytes_max > INT32_MAX ||
      options.reader_threads < 1 || options.interval_ms < 1) {
    return Fail(Code::kInvalidArgument,
                "log options: wal_file_bytes must be a multiple of 4096 and at least 16384, "
                "wal_files_max at least 2, segment_bytes_max at most 2147483647, reader_threads and "
                "interval_ms at least 1");
  }
  auto store = std::make_unique<StoreImpl>(files, clock, std::move(options));
  TRY(store->Recover());
  TRY(store->Start());
  return store;
}

StoreImpl::StoreImpl(base::FileSystem& files, base::Clock& clock, StoreOptions options)
    : files_(files),
      clock_(clock),
      options_(std::move(options)),
      serial_(next_serial.fetch_add(1)),
      wal_(files, WalOptions{options_.directory + "/wal", options_.wal_file_bytes,
                             options_.wal_files_max, options_.durability == Durability::kSync}),
      file_cache_(files, 256),
      readers_({.threads = options_.reader_threads, .queue_max = 4096, .name = "log-read"}) {}

StoreImpl::~StoreImpl() { Stop(); }

LogPtr StoreImpl::Find(LogId log) const {
  std::shared_lock lock(logs_mutex_);
  auto it = logs_.find(log);
  return it == logs_.end() ? nullptr : it->second;
}

base::Status StoreImpl::Create(LogId log) {
  std::lock_guard lock(logs_mutex_);
  auto [it, created] = logs_.try_emplace(log);
  if (created) {
    it->second = std::make_shared<Log>(log);
    return {};
  }
  std::lock_guard queue_lock(queue_mutex_);
  if (!it->second->deleted) return {};
  return Fail(Code::kFailedPrecondition, "log is being deleted: " + LogIdText(log));
}

base::Status StoreImpl::Delete(LogId id) {
  LogPtr log = Find(id);
  if (!log) return NoSuchLog(id);
  std::vector<Log::Waiter> waiters;
  {
    std::lock_guard lock(queue_mutex_);
    if (log->deleted) return {};
    if (sealed_.load()) return Fail(SealedError());
    if (stopping_) return Fail(Code::kUnavailable, "the log store is stopping");
    log->deleted = true;
    // The frame in the WAL keeps the log from coming back out of earlier frames.
    Pending pending;
    pending.type = FrameType::kDelete;
    pending.log = log;
    queue_.push_back(std::move(pending));
    ++accepted_;
    queued_.store(true, std::memory_order_relaxed);
    WakeWriterLocked();
    std::lock_guard log_lock(log->mutex);
    log->closed = true;
    waiters.swap(log->waiters);
  }
  for (Log::Waiter& waiter : waiters) waiter.ready();
  return {};
}

std::vector<LogId> StoreImpl::List() const {
  std::shared_lock lock(logs_mutex_);
  std::lock_guard queue_lock(queue_mutex_);
  std::vector<LogId> ids;
  ids.reserve(logs_.size());
  for (const auto& [id, log] : logs_) {
    if (!log->deleted) ids.push_back(id);
  }
  return ids;
}

base::Status StoreImpl::AppendAll(std::span<Append> appends) {
  if (appends.empty()) return {};
  uint64_t bytes = 0;
  for (const Append& append : appends) {
    const std::size_t size = append.batch.bytes.size();
    CHECK(size >= kBatchHeaderBytes && append.batch.record_count > 0);
    if (AlignUp(kGroupHeaderBytes + FrameBytes(size)) > wal_.group_bytes_max() ||
        size > options_.segment_bytes_max) {
      return Fail(Code::kInvalidArgument, "batch of " + std::to_string(size) +
                                              " bytes does not fit a write-ahead log file of " +
                                              std::to_string(options_.wal_file_bytes) +
                                              " bytes or a segment");
    }
    bytes += size;
  }
  std::shared_lock logs_lock(logs_mutex_);
  std::lock_guard lock(queue_mutex_);
  if (sealed_.load(std::memory_order_relaxed)) return Fail(SealedError());
  if (stopping_) return Fail(Code::kUnavailable, "the log store is stopping");
  if (refusing_) return Fail(Code::kUnavailable, "no space left on device for the log");
  if (queue_bytes_ + bytes > options_.append_queue_bytes_max) {
    return Fail(Code::kResourceExhausted,
                "append queue is full: " + std::to_string(queue_bytes_) + " of " +
                    std::to_string(options_.append_queue_bytes_max) + " bytes wait for the disk");
  }
  // Two passes, so that nothing has been taken when one is refused.
  const std::size_t first = queue_.size();
  for (const Append& append : appends) {
    auto it = logs_.find(append.log);
    if (it == logs_.end() || it->second->deleted) {
      queue_.resize(first);
      return NoSuchLog(append.log);
    }
    queue_.emplace_back().log = it->second;
  }
  for (std::size_t i = 0; i < appends.size(); ++i) {
    Append& append = appends[i];
    Pending& pending = queue_[first + i];
    Log& log = *pending.log;
    pending.base_offset = log.assigned_end;
    pending.record_count = append.batch.record_count;
    pending.max_timestamp_ms = append.batch.max_timestamp_ms;
    StampBaseOffset(append.batch.bytes.data(), log.assigned_end);
    pending.bytes = std::move(append.batch.bytes).Share();
    pending.done = std::move(append.done);
    log.assigned_end += pending.record_count;
  }
  queue_bytes_ += bytes;
  accepted_ += appends.size();
  metrics_.append_queue_bytes.Set(static_cast<int64_t>(queue_bytes_));
  queued_.store(true, std::memory_order_relaxed);
  if (flushed_store != serial_) WakeWriterLocked();
  return {};
}

void StoreImpl::FlushInline() {
  flushed_store = serial_;
  if (!queued_.load(std::memory_order_relaxed)) return;
  if (options_.durability == Durability::kInterval) {
    CommitQueued();
    return;
  }
  std::lock_guard lock(queue_mutex_);
  if (!queue_.empty()) WakeWriterLocked();
}

base::Result<LogState> StoreImpl::State(LogId id) const {
  LogPtr log = Find(id);
  if (!log) return NoSuchLog(id);
  LogState state;
  {
    std::lock_guard lock(queue_mutex_);
    if (log->deleted) return NoSuchLog(id);
    state.assigned_end = log->assigned_end;
  }
  std::lock_guard lock(log->mutex);
  state.start_offset = log->start_offset;
  state.durable_end = log->durable_end;
  state.last_timestamp_ms = log->last_timestamp_ms;
  state.bytes = log->SegmentBytes() + log->pending_bytes;
  state.sealed = sealed_.load();
  return state;
}

base::Status StoreImpl::CheckRange(const Log& log, Offset from) const {
  if (log.closed && !sealed_.load()) return NoSuchLog(log.id);
  if (from < log.start_offset) {
    return Fail(Code::kExpired, "offset " + std::to_string(from) + " of log " + LogIdText(log.id) +
                                    " is before the oldest retained one, " +
                                    std::to_string(log.start_offset));
  }
  if (from > log.durable_end) {
    return Fail(Code::kInvalidArgument, "offset " + std::to_string(from) + " of log " +
                                            LogIdText(log.id) + " is beyond the end, " +
                                            std::to_string(log.durable_end));
  }
  return {};
}

base::Result<std::optional<std::vector<StoredBatch>>> StoreImpl::ReadCached(LogId id, Offset from,
                                                                           ReadLimits limits) {
  LogPtr log = Find(id);
  if (!log) return NoSuchLog(id);
  std::vector<StoredBatch> batches;
  std::lock_guard lock(log->mutex);
  TRY(CheckRange(*log, from));
  if (from == log->durable_end) return batches;
  if (log->entries.empty() || from < log->entries.front().base_offset) {
    metrics_.cache_misses_total.Add();
    return std::nullopt;
  }
  std::size_t bytes = 0;
  int32_t records = 0;
  for (std::size_t i = log->EntryIndex(from); i < log->entries.size(); ++i) {
    const TailEntry& entry = log->entries[i];
    if (entry.bytes.empty()) break;
    if (!batches.empty() && bytes + entry.size > limits.bytes_max) break;
    batches.push_back(
        {entry.bytes, entry.base_offset, entry.record_count, entry.max_timestamp_ms});
    bytes += entry.size;
    records += entry.record_count;
    if (records >= limits.records_max || bytes >= limits.bytes_max) break;
  }
  if (batches.empty()) {
    metrics_.cache_misses_total.Add();
    return std::nullopt;
  }
  metrics_.cache_hits_total.Add();
  return batches;
}

Store::WaitId StoreImpl::WaitPast(LogId id, Offset offset, base::Function<void()> ready) {
  LogPtr log = Find(id);
  if (log) {
    std::lock_guard lock(log->mutex);
    if (!log->closed && log->durable_end <= offset) {
      const WaitId wait = next_wait_.fetch_add(1);
      log->waiters.push_back({wait, offset, std::move(ready)});
      return wait;
    }
  }
  ready();
  return 0;
}

void StoreImpl::CancelWait(LogId id, WaitId wait) {
  LogPtr log = Find(id);
  if (!log) return;
  base::Function<void()> dropped;  // destroyed outside the lock
  std::lock_guard lock(log->mutex);
  for (Log::Waiter& waiter : log->waiters) {
    if (waiter.id != wait) continue;
    dropped = std::move(waiter.ready);
    std::swap(waiter, log->waiters.back());
    log->waiters.pop_back();
    return;
  }
}

base::Status StoreImpl::TrimBefore(LogId id, int64_t timestamp_ms) {
  LogPtr log = Find(id);
  if (!log) return NoSuchLog(id);
  {
    // Most calls of a retention task find nothing to do: they must not wake anybody.
    std::lock_guard lock(log->mutex);
    if (log->start_offset == log->durable_end) return {};
    if (!log->segments.empty() && log->start_offset <= log->segments.front().base &&
        log->segments.front().first_timestamp_ms >= timestamp_ms) {
      return {};
    }
  }
  std::lock_guard lock(builder_mutex_);
  int64_t& before = to_trim_[id];
  before = std::max(before, timestamp_ms);
  builder_woken_ = true;
  builder_wake_.notify_one();
  return {};
}

base::Status StoreImpl::FlushSegments() {
  {
    std::unique_lock lock(queue_mutex_);
    if (sealed_.load()) return Fail(SealedError());
    const uint64_t target = accepted_;
    if (!queue_.empty()) WakeWriterLocked();
    drained_.wait(lock, [&] { return finished_ >= target || sealed_.load(); });
  }
  std::unique_lock lock(builder_mutex_);
  if (builder_stop_) return Fail(Code::kUnavailable, "the log store is stopping");
  const uint64_t ticket = ++flush_requests_;
  builder_woken_ = true;
  builder_wake_.notify_one();
  builder_progress_.wait(lock, [&] { return flush_answers_ >= ticket; });
  return flush_result_;
}

void StoreImpl::Stop() {
  if (stopped_) return;
  stopped_ = true;
  if (started_) {
    {
      std::lock_guard lock(queue_mutex_);
      stopping_ = true;
      WakeWriterLocked();
    }
    writer_.join();
    {
      std::lock_guard lock(builder_mutex_);
      builder_stop_ = true;
      builder_wake_.notify_one();
    }
    builder_.join();
  }
  readers_.Stop();
}

}  // namespace millstream::log
