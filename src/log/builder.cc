// The builder: moves batches from the tail to segments in large writes, syncs them, says so in the
// manifest, and gives WAL files free again. Retention and deletion, too.
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
using base::Fail;

constexpr std::size_t kFlushStep = 1u << 20;      // bytes collected at a time
constexpr std::size_t kOpenWritersMax = 64;       // of three files each
constexpr std::size_t kSyncOneByOneMax = 48;      // more dirty files than this: one syncfs
constexpr auto kNoSpaceRetry = std::chrono::milliseconds(250);

std::string ParentOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

void StoreImpl::WakeBuilder() {
  std::lock_guard lock(builder_mutex_);
  builder_woken_ = true;
  builder_wake_.notify_one();
}

void StoreImpl::RunBuilder() {
  base::NameThisThread("log-builder");
  std::unique_lock lock(builder_mutex_);
  while (true) {
    auto woken = [&] { return builder_woken_ || builder_stop_; };
    if (no_space_) {
      builder_wake_.wait_for(lock, kNoSpaceRetry, woken);
    } else {
      builder_wake_.wait(lock, woken);
    }
    builder_woken_ = false;
    const bool stop = builder_stop_;
    const uint64_t requests = flush_requests_;
    const bool flush_all = stop || requests > flush_answers_;
    lock.unlock();
    base::Status status = sealed_.load() ? base::Status(Fail(Code::kUnavailable, "log is sealed"))
                                         : BuildRound(flush_all);
    if (!status && !sealed_.load()) NoteBuilderFailure(status.error());
    lock.lock();
    if (status && no_space_) {
      no_space_ = false;
      lock.unlock();
      {
        std::lock_guard queue(queue_mutex_);
        if (refusing_) {
          LOG_INFO("log accepts appends again", {"directory", options_.directory});
        }
        refusing_ = false;
        if (!queue_.empty()) WakeWriterLocked();
      }
      lock.lock();
    }
    if (requests > flush_answers_) {
      flush_answers_ = requests;
      flush_result_ = status;
    }
    builder_progress_.notify_all();
    if (stop) return;
  }
}

void StoreImpl::NoteBuilderFailure(const base::Error& error) {
  if (!IsNoSpace(error)) {
    Seal(error);
    return;
  }
  std::lock_guard lock(builder_mutex_);
  if (!no_space_) {
    LOG_WARN("segments wait for disk space", {"directory", options_.directory},
             {"error", error.message()});
  }
  no_space_ = true;
}

// One pass over everything that can be asked of the builder.
base::Status StoreImpl::BuildRound(bool flush_all) {
  std::vector<LogPtr> flush;
  std::map<LogId, int64_t> trims;
  bool file_needed;
  {
    std::lock_guard lock(builder_mutex_);
    flush.swap(to_flush_);
    trims.swap(to_trim_);
    file_needed = file_needed_;
  }
  // Space first: it may be what the rest waits for.
  TRY(RemoveDeleted());
  for (const auto& [id, timestamp_ms] : trims) {
    if (LogPtr log = Find(id)) TRY(TrimLog(*log, timestamp_ms));
  }
  if (manifest_dirty_) TRY(Checkpoint(wal_.oldest_generation()));

  // The next WAL file before segments: the writer may wait for it.
  ASSIGN_OR_RETURN(bool more, wal_.Prepare(file_needed));
  if (more) builder_progress_.notify_all();
  for (std::size_t i = 0; i < flush.size(); ++i) {
    if (auto flushed = FlushLog(*flush[i]); !flushed) {
      std::lock_guard lock(builder_mutex_);
      to_flush_.insert(to_flush_.end(), flush.begin() + static_cast<ptrdiff_t>(i), flush.end());
      return flushed;
    }
  }
  if (flush_all) {
    std::vector<LogPtr> all;
    {
      std::shared_lock lock(logs_mutex_);
      for (const auto& [id, log] : logs_) all.push_back(log);
    }
    for (const LogPtr& log : all) TRY(FlushLog(*log));
  }
  TRY(RetireClosed());
  if (flush_all) {
    TRY(CutPaddings());
    bool stopping;
    {
      std::lock_guard lock(builder_mutex_);
      stopping = builder_stop_;
    }
    // When the writer has ended, segments have everything: nothing of the WAL is needed.
    TRY(Checkpoint(stopping ? wal_.active_generation() + 1 : wal_.oldest_generation()));
    return {};
  }
  while (more) {
    {
      std::lock_guard lock(builder_mutex_);
      if (builder_woken_ || builder_stop_) {
        builder_woken_ = true;  // come back for the rest
        break;
      }
    }
    ASSIGN_OR_RETURN(more, wal_.Prepare(false));
  }
  return {};
}

// -------------------------------------------------------------------------------------- segments

// Writes everything durable of one log to its segments. Not synced yet.
base::Status StoreImpl::FlushLog(Log& log) {
  std::vector<StoredBatch> batches;
  while (true) {
    batches.clear();
    std::vector<std::size_t> from_wal;
    std::vector<std::pair<WalPosition, uint32_t>> places;
    SegmentInfo active;
    {
      std::lock_guard lock(log.mutex);
      if (log.flushed_end == log.durable_end) {
        log.flush_queued = false;
        return {};
      }
      if (!log.segments.empty()) active = log.segments.back();
      std::size_t bytes = 0;
      for (std::size_t i = log.EntryIndex(log.flushed_end);
           i < log.entries.size() && bytes < kFlushStep; ++i) {
        const TailEntry& entry = log.entries[i];
        if (entry.bytes.empty()) {
          from_wal.push_back(batches.size());
          places.emplace_back(entry.wal, entry.size);
        }
        batches.push_back(
            {entry.bytes, entry.base_offset, entry.record_count, entry.max_timestamp_ms});
        bytes += entry.size;
      }
    }
    for (std::size_t i = 0; i < from_wal.size(); ++i) {
      auto bytes = wal_.ReadPayload(places[i].first, places[i].second);
      if (!bytes) {
        NoteCorruption(bytes.error());
        return Fail(bytes.error());
      }
      batches[from_wal[i]].bytes = std::move(*bytes);
    }
    if (!log.files_checked) {
      TRY(CheckFiles(log));
      log.files_checked = true;
    }

    std::vector<SegmentInfo> closed;
    std::size_t first = 0;
    while (first < batches.size()) {
      const StoredBatch& next = batches[first];
      const bool fresh = active.bytes == 0;
      auto fits = [&](const StoredBatch& batch, uint64_t bytes) {
        return bytes + batch.bytes.size() <= options_.segment_bytes_max &&
               batch.next_offset() - active.base <= INT32_MAX &&
               batch.max_timestamp_ms - active.first_timestamp_ms <= options_.segment_age_ms_max;
      };
      if (fresh || !fits(next, active.bytes)) {
        if (!fresh) {
          ASSIGN_OR_RETURN(SegmentWriter * writer, WriterFor(log, active));
          TRY(writer->Close(active));
          closed.push_back(active);
        }
        active = SegmentInfo();
        active.base = active.end = next.base_offset;
        active.first_timestamp_ms = next.max_timestamp_ms;
      }
      std::size_t last = first;
      const uint64_t before = active.bytes;
      uint64_t bytes = before;
      do {
        bytes += batches[last++].bytes.size();
      } while (last < batches.size() && fits(batches[last], bytes));
      ASSIGN_OR_RETURN(SegmentWriter * writer, WriterFor(log, active));
      TRY(writer->Append(std::span(batches).subspan(first, last - first), active,
                         options_.segment_direct_bytes_min, segment_staging_));
      metrics_.segment_bytes_written_total.Add(active.bytes - before);
      first = last;
    }

    std::lock_guard lock(log.mutex);
    for (const SegmentInfo& segment : closed) {
      if (!log.segments.empty() && log.segments.back().base == segment.base) {
        log.segments.back() = segment;
      } else {
        log.segments.push_back(segment);
      }
    }
    if (!log.segments.empty() && log.segments.back().base == active.base) {
      log.segments.back() = active;
    } else {
      log.segments.push_back(active);
    }
    log.flushed_end = active.end;
    for (const StoredBatch& batch : batches) log.pending_bytes -= batch.bytes.size();
    log.PopSettled();
  }
}

// Makes the files of a log what the manifest says, once per process: a crash may have left longer
// ones, and ones that nobody knows. Damage ends the active segment; the log goes on in a new one.
base::Status StoreImpl::CheckFiles(Log& log) {
  const std::string directory = LogDirectory(options_.directory, log.id);
  ASSIGN_OR_RETURN(const bool exists, files_.Exists(directory));
  if (!exists) {
    TRY(files_.CreateDirectories(directory));
    dirty_directories_.insert(ParentOf(directory));
    dirty_directories_.insert(ParentOf(ParentOf(directory)));
    return {};
  }
  std::set<Offset> known;
  {
    std::lock_guard lock(log.mutex);
    for (const SegmentInfo& segment : log.segments) known.insert(segment.base);
  }
  ASSIGN_OR_RETURN(const auto entries, files_.List(directory));
  for (const base::DirectoryEntry& entry : entries) {
    std::string_view suffix;
    const auto base = SegmentBaseFromName(entry.name, &suffix);
    if (!base || known.contains(*base)) continue;
    TRY(files_.Remove(directory + "/" + entry.name));
  }
  return {};
}

base::Result<SegmentWriter*> StoreImpl::WriterFor(Log& log, const SegmentInfo& info) {
  OpenWriter& open = open_writers_[log.id];
  open.last_used = ++writer_uses_;
  const std::string directory = LogDirectory(options_.directory, log.id);
  if (!open.writer || open.writer->base() != info.base) {
    open.writer.reset();
    auto writer = SegmentWriter::Open(files_, directory, info);
    if (!writer) {
      open_writers_.erase(log.id);
      return Fail(std::move(writer).error());
    }
    open.writer = std::move(*writer);
    if (info.bytes == 0) dirty_directories_.insert(directory);
  }
  for (const char* suffix : {".log", ".index", ".timeindex"}) {
    dirty_files_.insert(SegmentPath(directory, info.base, suffix));
  }
  SegmentWriter* writer = open.writer.get();
  if (open_writers_.size() > kOpenWritersMax) {
    auto oldest = std::min_element(open_writers_.begin(), open_writers_.end(),
                                   [](const auto& a, const auto& b) {
                                     return a.second.last_used < b.second.last_used;
                                   });
    TRY(CutPadding(oldest->first, *oldest->second.writer));
    open_writers_.erase(oldest);
  }
  return writer;
}

// So that the files are exactly Kafka's whenever somebody asked for them, and after Stop().
base::Status StoreImpl::CutPaddings() {
  for (auto& [id, open] : open_writers_) TRY(CutPadding(id, *open.writer));
  return {};
}

base::Status StoreImpl::CutPadding(LogId id, SegmentWriter& writer) {
  LogPtr log = Find(id);
  if (!log) return {};
  SegmentInfo active;
  {
    std::lock_guard lock(log->mutex);
    if (log->segments.empty()) return {};
    active = log->segments.back();
  }
  return active.base == writer.base() ? writer.CutPadding(active) : base::Status();
}

// ---------------------------------------------------------------------------- manifest and WAL files

// Brings everything that closed WAL files hold to segments, and gives the files free.
base::Status StoreImpl::RetireClosed() {
  const std::vector<uint64_t> closed = wal_.ClosedGenerations();
  if (closed.empty()) return {};
  for (uint64_t generation : closed) {
    for (LogId id : wal_.TouchedBy(generation)) {
      if (LogPtr log = Find(id)) TRY(FlushLog(*log));
    }
  }
  TRY(Checkpoint(closed.back() + 1));
  for (uint64_t generation : closed) wal_.Retire(generation);
  builder_progress_.notify_all();
  return {};
}

// Syncs what was written since the last one, and writes a manifest that says so.
base::Status StoreImpl::Checkpoint(uint64_t floor) {
  TRY(SyncDirty());
  Manifest manifest;
  manifest.wal_floor = floor;
  manifest.wal_newest = wal_.active_generation();
  {
    std::shared_lock lock(logs_mutex_);
    manifest.logs.reserve(logs_.size());
    for (const auto& [id, log] : logs_) {
      std::lock_guard log_lock(log->mutex);
      if (log->flushed_end == 0) continue;
      manifest.logs.push_back(
          {id, log->start_offset, log->flushed_end, log->last_timestamp_ms, log->segments});
    }
  }
  if (options_.durability == Durability::kInterval) {
    // A log is missing above because its deletion is in the WAL, which must not be lost while the
    // log's earlier frames are kept.
    TRY(wal_.SyncFile(wal_.active_generation()));
  }
  TRY(files_.WriteFileAtomically(options_.directory + "/manifest", EncodeManifest(manifest)));
  manifest_dirty_ = false;
  for (const std::string& path : to_unlink_) {
    file_cache_.Forget(path);
    auto removed = files_.Remove(path);
    if (!removed && removed.error().code() != Code::kNotFound) {
      LOG_WARN("cannot remove segment file", {"path", path}, {"error", removed.error().message()});
    }
  }
  to_unlink_.clear();
  return {};
}

base::Status StoreImpl::SyncDirty() {
  if (dirty_files_.size() + dirty_directories_.size() > kSyncOneByOneMax) {
    TRY(files_.SyncAll(options_.directory));
  } else {
    for (const std::string& path : dirty_files_) {
      ASSIGN_OR_RETURN(auto file, files_.Open(path, {.write = true}));
      TRY(file->Sync());
    }
    for (const std::string& path : dirty_directories_) TRY(files_.SyncDirectory(path));
  }
  dirty_files_.clear();
  dirty_directories_.clear();
  return {};
}

// ------------------------------------------------------------------------- deletion and retention

base::Status StoreImpl::RemoveDeleted() {
  std::vector<LogPtr> removed;
  {
    std::lock_guard lock(builder_mutex_);
    removed.swap(to_remove_);
  }
  if (!removed.empty()) manifest_dirty_ = true;
  for (const LogPtr& log : removed) {
    const std::string directory = LogDirectory(options_.directory, log->id);
    open_writers_.erase(log->id);
    std::erase_if(dirty_files_, [&](const std::string& path) { return path.starts_with(directory); });
    std::erase_if(dirty_directories_,
                  [&](const std::string& path) { return path.starts_with(directory); });
    orphan_trees_.push_back(directory);
    std::lock_guard lock(log->mutex);
    log->entries.clear();
    log->segments.clear();
    log->pending_bytes = 0;
    log->flushed_end = log->durable_end;
  }
  if (orphan_trees_.empty()) return {};
  // The manifest must not name files that are gone.
  if (manifest_dirty_) TRY(Checkpoint(wal_.oldest_generation()));
  for (const std::string& tree : orphan_trees_) {
    if (auto gone = files_.RemoveTree(tree); !gone) {
      LOG_WARN("cannot remove a deleted log", {"path", tree}, {"error", gone.error().message()});
    }
  }
  LOG_INFO("removed deleted logs", {"count", orphan_trees_.size()});
  orphan_trees_.clear();
  return {};
}

base::Status StoreImpl::TrimLog(Log& log, int64_t timestamp_ms) {
  const std::string directory = LogDirectory(options_.directory, log.id);
  auto found = FindTimestampBlocking(log, timestamp_ms);
  if (!found) {
    if (found.error().code() == Code::kNotFound) return {};  // being deleted
    // Damage at the old end must not keep the disk from being freed; whole segments can still go.
    if (found.error().code() != Code::kDataLoss) return Fail(found.error());
    NoteCorruption(found.error());
  }
  std::vector<Offset> gone;
  {
    std::lock_guard lock(log.mutex);
    if (log.closed) return {};
    const Offset start = found ? std::max(*found, log.start_offset) : log.start_offset;
    auto keep = log.segments.begin();
    while (keep != log.segments.end() && (keep->end <= start || keep->max_timestamp_ms < timestamp_ms)) {
      gone.push_back(keep->base);
      ++keep;
    }
    const Offset kept_from = keep == log.segments.begin() ? log.start_offset : std::prev(keep)->end;
    if (start == log.start_offset && gone.empty()) return {};
    log.segments.erase(log.segments.begin(), keep);
    log.start_offset = std::max(start, kept_from);
    // Batches that no segment got before they were too old never need one.
    while (!log.entries.empty() && log.entries.front().end() <= log.start_offset) {
      const TailEntry& entry = log.entries.front();
      if (entry.end() > log.flushed_end) {
        log.pending_bytes -= entry.size;
        log.flushed_end = entry.end();
      }
      log.entries.pop_front();
    }
    manifest_dirty_ = true;
  }
  for (Offset base : gone) {
    auto open = open_writers_.find(log.id);
    if (open != open_writers_.end() && open->second.writer->base() == base) {
      open_writers_.erase(open);
    }
    for (const char* suffix : {".log", ".index", ".timeindex"}) {
      const std::string path = SegmentPath(directory, base, suffix);
      dirty_files_.erase(path);
      to_unlink_.push_back(path);
    }
  }
  return {};
}

}  // namespace millstream::log
