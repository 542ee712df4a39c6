// The task: reading, stepping, writing. runner_start.cc begins it, runner_checkpoint.cc saves it.
#include "analytics/runner.h"

#include <algorithm>
#include <chrono>

#include "analytics/runner_waker.h"
#include "base/logging.h"
#include "log/record_batch.h"

namespace millstream::analytics {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
// Between two steps with rows: what arrives meanwhile makes one step together.
constexpr int64_t kGatherNs = 1 * kNsPerMs;
constexpr int64_t kReadRetryNs = 100 * kNsPerMs;
constexpr int64_t kJournalRetryNs = 20 * kNsPerMs;
constexpr int64_t kShardBytesMin = 64 << 10;
constexpr int64_t kWarnEveryNs = 60'000 * kNsPerMs;
constexpr std::size_t kJournalBytes = 64 << 10;
constexpr int64_t kJournalAgeNs = 1'000 * kNsPerMs;

}  // namespace

Runner::Runner(RunnerEnvironment environment, ApplicationKey key, Definition definition,
               RunnerOptions options, std::shared_ptr<ApplicationMetrics> metrics)
    : environment_(environment),
      key_(std::move(key)),
      definition_(std::move(definition)),
      options_(std::move(options)),
      metrics_(std::move(metrics)),
      fingerprint_(Fingerprint(definition_)),
      waker_(std::make_shared<Waker>()) {}

Runner::~Runner() = default;

base::TaskNext Runner::Step(int64_t) {
  base::Clock& clock = *environment_.clock;
  auto sleep_until = [](int64_t ns) {
    return ns == INT64_MAX ? base::TaskNext::Blocked() : base::TaskNext::IdleUntil(ns);
  };
  int64_t retry_ns = PumpWriters();
  UpdateMetrics();
  bool hold_again = false;
  {
    std::lock_guard lock(mutex_);
    if (stop_wanted_) {
      if (!WritersIdle()) return sleep_until(retry_ns);
      stopped_ = true;
      changed_.notify_all();
      return base::TaskNext::Done();
    }
    if (failed_ || (hold_ && checkpoint_under_way_)) return sleep_until(retry_ns);
    hold_again = hold_;
  }
  int64_t now_ns = clock.MonotonicNs();
  if (hold_again) {
    if (now_ns >= next_checkpoint_ns_) BeginCheckpoint(true);
    return sleep_until(std::min(retry_ns, next_checkpoint_ns_));
  }
  // Results wait for their streams: so do the inputs.
  if (PendingBytes() > options_.pending_bytes_max) return sleep_until(retry_ns);
  TakeReloadedTables();

  std::vector<Engine::Slice> slices;
  std::vector<JournalRange> ranges;
  std::vector<InputReader::Fetched> pages;
  bool readable = ReadInputs(slices, ranges, pages);
  if (!slices.empty() || now_ns >= next_tick_ns_) {
    if (!Execute(NowMs(), slices, std::move(ranges))) {
      return base::TaskNext::Blocked();
    }
    // On even times of the wall clock: windows of whole seconds close as soon as they can.
    int64_t into_tick_ms = clock.WallMs() % options_.tick_ms;
    next_tick_ns_ = clock.MonotonicNs() + (options_.tick_ms - into_tick_ms) * kNsPerMs;
    retry_ns = PumpWriters();
    UpdateMetrics();
  }
  if (!journal_.empty() && (journal_.size() > kJournalBytes ||
                            now_ns - journal_since_ns_ > kJournalAgeNs)) {
    FlushJournal();
  }
  if (now_ns >= next_checkpoint_ns_ && next_step_ != checkpointed_step_) BeginCheckpoint(false);
  if (now_ns >= next_table_look_ns_) LookAtTables();

  if (pages_full_) return base::TaskNext::More();
  now_ns = clock.MonotonicNs();
  int64_t next_ns = std::min(next_tick_ns_, retry_ns);
  if (!readable) return base::TaskNext::IdleUntil(std::min(next_ns, now_ns + kReadRetryNs));
  if (!slices.empty()) return base::TaskNext::IdleUntil(std::min(next_ns, now_ns + kGatherNs));
  for (auto& reader : readers_) reader->WaitForMore();
  return base::TaskNext::IdleUntil(next_ns);
}

bool Runner::ReadInputs(std::vector<Engine::Slice>& slices, std::vector<JournalRange>& ranges,
                        std::vector<InputReader::Fetched>& pages) {
  streams::ReadOptions read;
  read.records_max = options_.step_records_max;
  int64_t shards = 1;
  for (const auto& reader : readers_) shards += reader->open_shards();
  read.bytes_max = std::max(options_.step_bytes_max / shards, kShardBytesMin);
  bool readable = true;
  pages_full_ = false;
  for (std::size_t i = 0; i < readers_.size(); ++i) {
    std::size_t first = pages.size();
    auto status = readers_[i]->Fetch(read, pages);
    if (!status) {
      readable = false;
      int64_t now_ns = environment_.clock->MonotonicNs();
      if (read_warned_ns_ == INT64_MIN || now_ns - read_warned_ns_ > kWarnEveryNs) {
        read_warned_ns_ = now_ns;
        LOG_WARN("an application cannot read its input", {"application", key_.name},
                 {"input", definition_.inputs[i].resource}, {"error", status.error().message()});
      }
    }
    for (std::size_t p = first; p < pages.size(); ++p) {
      const InputReader::Fetched& fetched = pages[p];
      auto input = static_cast<uint32_t>(i);
      slices.push_back({input, fetched.page.get(), fetched.from, fetched.page->next_offset});
      ranges.push_back({input, fetched.shard, fetched.from, fetched.page->next_offset});
      pages_full_ |= fetched.page->millis_behind > 0;
    }
  }
  return readable;
}

int64_t Runner::NowMs() {
  int64_t wall_ms = environment_.clock->WallMs();
  int64_t now_ns = environment_.clock->MonotonicNs();
  if (wall_ms >= last_ms_) {
    time_base_ms_ = wall_ms;
    time_base_ns_ = now_ns;
    return wall_ms;
  }
  if (time_base_ns_ == 0) {  // an earlier process saw a later clock
    time_base_ms_ = last_ms_;
    time_base_ns_ = now_ns;
  }
  return std::max(last_ms_, time_base_ms_ + (now_ns - time_base_ns_) / kNsPerMs);
}

bool Runner::Execute(int64_t at_ms, const std::vector<Engine::Slice>& slices,
                     std::vector<JournalRange> ranges) {
  if (failed_) return false;
  last_ms_ = at_ms;
  step_gave_results_ = false;
  step_results_.clear();
  auto stepped = engine_->Step(at_ms, slices);
  if (!stepped) {
    // The step is not in the journal and its results are not written: the checkpoint and the journal
    // still say what is so.
    failed_ = true;
    step_results_.clear();
    LOG_ERROR("an application cannot go on", {"application", key_.name},
              {"error", stepped.error().message()});
    if (environment_.on_failure) environment_.on_failure(stepped.error());
    return false;
  }
  for (auto& [output, data] : step_results_) TakeResult(output, next_step_, std::move(data));
  step_results_.clear();
  // Time alone that gave nothing changes nothing that later steps would not change as well.
  if (ranges.empty() && !step_gave_results_) return true;
  if (journal_.empty()) journal_since_ns_ = environment_.clock->MonotonicNs();
  AppendStep({next_step_, at_ms, std::move(ranges)}, journal_);
  journal_wanted_ |= step_gave_results_;
  ++next_step_;
  metrics_->steps_total.Add();
  return true;
}

void Runner::TakeResult(std::size_t output, uint64_t step, std::string data) {
  step_gave_results_ = true;
  StreamWriter& writer = *writers_[output];
  if (!written_.empty()) {
    auto found = written_.find({writer.key().name, step, Digest(data)});
    if (found != written_.end()) {
      if (--found->second == 0) written_.erase(found);
      return;
    }
  }
  writer.Add(step, std::move(data));
}

// Invariant: a step is in the log's queue before its first result is, and the log keeps that order
// on disk. So a result that survives a crash finds its step in the journal.
bool Runner::FlushJournal() {
  log::RecordBatchBuilder batch(last_ms_, journal_.size() + 128);
  batch.Add("", journal_);
  log::Append append;
  append.log = log::LogId{run_};
  append.batch = std::move(batch).Finish();
  append.done = [](base::Result<log::Offset>) {};
  if (!environment_.log->AppendAll({&append, 1})) return false;
  journal_.clear();
  journal_wanted_ = false;
  return true;
}

int64_t Runner::PumpWriters() {
  if (journal_wanted_ && !FlushJournal()) {
    return environment_.clock->MonotonicNs() + kJournalRetryNs;
  }
  int64_t next_ns = INT64_MAX;
  for (auto& writer : writers_) next_ns = std::min(next_ns, writer->Pump());
  return next_ns;
}

bool Runner::WritersIdle() const {
  return !journal_wanted_ && std::all_of(writers_.begin(), writers_.end(),
                                         [](const auto& writer) { return writer->idle(); });
}

std::size_t Runner::PendingBytes() const {
  std::size_t bytes = 0;
  for (const auto& writer : writers_) bytes += writer->pending_bytes();
  return bytes;
}

void Runner::UpdateMetrics() {
  const Engine::Counts& counts = engine_->counts();
  metrics_->records_total.Add(counts.records - counted_.records);
  metrics_->bytes_total.Add(counts.bytes - counted_.bytes);
  metrics_->results_total.Add(counts.results - counted_.results);
  metrics_->row_errors_total.Add(counts.errors - counted_.errors);
  counted_ = counts;
  uint64_t written = 0, refused = 0;
  for (const auto& writer : writers_) {
    written += writer->written();
    refused += writer->refused();
  }
  metrics_->results_written_total.Add(written - counted_written_);
  metrics_->results_refused_total.Add(refused - counted_refused_);
  counted_written_ = written;
  counted_refused_ = refused;
  int64_t behind = 0;
  for (const auto& reader : readers_) behind = std::max(behind, reader->millis_behind());
  metrics_->millis_behind_latest.Set(behind);
  metrics_->pending_bytes.Set(static_cast<int64_t>(PendingBytes()));
}

void Runner::BeginStop() {
  {
    std::lock_guard lock(mutex_);
    stop_wanted_ = true;
  }
  waker_->Wake();
}

void Runner::LeaveExecutor() {
  environment_.executor->Cancel(task_);
  waker_->Forget();
}

base::Status Runner::Stop() {
  BeginStop();
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(options_.stop_patience_ms),
                      [this] { return stopped_; });
  }
  LeaveExecutor();
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !checkpoint_under_way_ && !reload_under_way_; });
  }
  // Nobody else touches the state now.
  if (failed_) return {};  // the last checkpoint and the journal are what remains
  Execute(NowMs() + 1, {}, {});
  if (!journal_.empty() && !FlushJournal()) {
    return base::Fail(base::Code::kUnavailable, "the journal of steps could not be written");
  }
  PumpWriters();
  Checkpoint checkpoint = MakeCheckpoint();
  UpdateMetrics();
  return WriteCheckpoint(checkpoint);
}

void Runner::AbandonForTest() {
  LeaveExecutor();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !checkpoint_under_way_ && !reload_under_way_; });
}

}  // namespace millstream::analytics
