// Checkpoints, and reference tables that change while the application runs.
#include <algorithm>

#include "analytics/reference_data.h"
#include "analytics/runner.h"
#include "analytics/runner_waker.h"
#include "base/logging.h"
#include "codec/hex.h"

namespace millstream::analytics {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kCheckpointRetryNs = 1'000 * kNsPerMs;
// A checkpoint may take this share of the time.
constexpr int64_t kSaveShare = 20;
constexpr std::string_view kTablePrefix = "table-";

}  // namespace

std::string Runner::TableFile(uint64_t digest) const {
  char name[17];
  for (int i = 0; i < 16; ++i) name[i] = "0123456789abcdef"[(digest >> (60 - 4 * i)) & 15];
  name[16] = 0;
  return options_.directory + "/" + std::string(kTablePrefix) + name;
}

std::vector<StreamPosition> Runner::OutputEnds() const {
  std::vector<StreamPosition> ends;
  for (const auto& writer : writers_) {
    streams::StreamPtr stream = environment_.registry->Find(writer->key());
    if (stream == nullptr) continue;
    bool known = std::any_of(ends.begin(), ends.end(), [&](const StreamPosition& p) {
      return p.uuid == stream->identity().uuid;
    });
    if (!known) ends.push_back(EndPosition(*stream, *environment_.log));
  }
  return ends;
}

Checkpoint Runner::MakeCheckpoint() {
  Checkpoint c;
  c.run = run_;
  c.fingerprint = fingerprint_;
  c.query_start_ms = query_start_ms_;
  c.last_ms = last_ms_;
  c.next_step = next_step_;
  auto journal = environment_.log->State(log::LogId{run_});
  c.journal_next = journal ? journal->assigned_end : 0;
  for (const auto& reader : readers_) c.inputs.push_back(reader->position());
  if (WritersIdle()) output_ends_ = OutputEnds();
  c.outputs = output_ends_;
  for (std::size_t i = 0; i < writers_.size(); ++i) {
    writers_[i]->AppendPending(definition_.outputs[i].id, c.pending);
  }
  for (const Table& table : tables_) c.tables.push_back({table.config.name, table.digest});
  c.state = engine_->Save();
  checkpointed_step_ = next_step_;
  return c;
}

base::Status Runner::WriteCheckpoint(const Checkpoint& checkpoint) const {
  base::FileSystem& files = *environment_.files;
  std::string bytes = EncodeCheckpoint(checkpoint);
  auto written = files.WriteFileAtomically(CheckpointFile(), bytes);
  if (!written) {
    metrics_->checkpoint_failures_total.Add();
    return base::Fail(written.error().Within("writing the checkpoint"));
  }
  metrics_->checkpoints_total.Add();
  metrics_->checkpoint_bytes.Set(static_cast<int64_t>(bytes.size()));
  // What the checkpoint replaces is not needed any more; a failure here only costs space.
  (void)environment_.log->TrimBefore(log::LogId{checkpoint.run}, checkpoint.last_ms);
  auto entries = files.List(options_.directory);
  if (!entries) return {};
  for (const base::DirectoryEntry& entry : *entries) {
    if (!entry.name.starts_with(kTablePrefix)) continue;
    std::string path = options_.directory + "/" + entry.name;
    bool used = std::any_of(checkpoint.tables.begin(), checkpoint.tables.end(),
                            [&](const TableVersion& t) { return TableFile(t.digest) == path; });
    if (!used) (void)files.Remove(path);
  }
  return {};
}

void Runner::BeginCheckpoint(bool hold) {
  int64_t began_ns = environment_.clock->MonotonicNs();
  next_checkpoint_ns_ = began_ns + kCheckpointRetryNs;
  {
    std::lock_guard lock(mutex_);
    hold_ = hold_ || hold;
    if (checkpoint_under_way_ || reload_under_way_) return;
    checkpoint_under_way_ = true;
  }
  // Rows of one ROWTIME that wait for each other are out of the way after this.
  auto give_up = [this] {
    std::lock_guard lock(mutex_);
    checkpoint_under_way_ = false;
    changed_.notify_all();
  };
  if (!Execute(NowMs() + 1, {}, {})) return give_up();
  if (!journal_.empty() && !FlushJournal()) return give_up();
  auto checkpoint = std::make_shared<Checkpoint>(MakeCheckpoint());
  int64_t took_ns = environment_.clock->MonotonicNs() - began_ns;
  next_checkpoint_ns_ = began_ns + std::max(options_.checkpoint_interval_ms * kNsPerMs,
                                            took_ns * kSaveShare);
  auto submitted = environment_.jobs->Submit([self = shared_from_this(), checkpoint] {
    auto written = self->WriteCheckpoint(*checkpoint);
    if (!written) {
      LOG_ERROR("an application's checkpoint failed", {"application", self->key_.name},
                {"error", written.error().message()});
    }
    {
      std::lock_guard lock(self->mutex_);
      self->checkpoint_under_way_ = false;
      if (written) self->hold_ = false;
      self->changed_.notify_all();
    }
    self->waker_->Wake();
  });
  if (!submitted) {
    next_checkpoint_ns_ = began_ns + kCheckpointRetryNs;
    give_up();
  }
}

void Runner::LookAtTables() {
  next_table_look_ns_ = environment_.clock->MonotonicNs() + options_.table_look_ms * kNsPerMs;
  bool changed = std::any_of(tables_.begin(), tables_.end(), [](const Table& table) {
    uint64_t version = FileVersion(table.path);
    return version != 0 && version != table.file_version;
  });
  if (!changed) return;
  {
    std::lock_guard lock(mutex_);
    // Its copies must not be taken for garbage by a checkpoint under way.
    if (reload_under_way_ || checkpoint_under_way_ || !reloaded_.empty()) return;
    reload_under_way_ = true;
  }
  auto submitted = environment_.jobs->Submit([self = shared_from_this()] {
    auto tables = self->LoadTables(nullptr);
    if (!tables) {
      LOG_WARN("a reference table was not read again", {"application", self->key_.name},
               {"error", tables.error().message()});
    }
    {
      std::lock_guard lock(self->mutex_);
      self->reload_under_way_ = false;
      if (tables) self->reloaded_ = std::move(*tables);
      self->changed_.notify_all();
    }
    self->waker_->Wake();
  });
  if (!submitted) {
    std::lock_guard lock(mutex_);
    reload_under_way_ = false;
    changed_.notify_all();
  }
}

void Runner::TakeReloadedTables() {
  std::vector<Table> tables;
  {
    std::lock_guard lock(mutex_);
    if (reloaded_.empty() || checkpoint_under_way_) return;
    tables.swap(reloaded_);
  }
  bool same = tables.size() == tables_.size();
  for (std::size_t i = 0; same && i < tables.size(); ++i) {
    same = tables[i].digest == tables_[i].digest;
  }
  if (same) {
    for (std::size_t i = 0; i < tables.size(); ++i) {
      tables_[i].file_version = tables[i].file_version;
    }
    return;
  }
  // A checkpoint between the steps before and those after, since both could not be replayed with one
  // set of tables.
  if (!Execute(NowMs() + 1, {}, {})) return;
  if (auto replaced = engine_->ReplaceTables(TakeConfigs(tables)); !replaced) {
    LOG_WARN("a changed reference table does not fit", {"application", key_.name},
             {"error", replaced.error().message()});
    return;
  }
  tables_ = std::move(tables);
  LOG_INFO("reference tables read again", {"application", key_.name});
  BeginCheckpoint(true);
}

}  // namespace millstream::analytics
