#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "analytics/checkpoint.h"
#include "analytics/definition.h"
#include "analytics/engine.h"
#include "analytics/input_reader.h"
#include "analytics/metrics.h"
#include "analytics/stream_writer.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/file_system.h"
#include "base/random.h"
#include "base/result.h"
#include "log/store.h"
#include "streams/registry.h"

namespace millstream::analytics {

struct RunnerOptions {
  std::string directory;          // of this application: checkpoint and copies of reference tables
  std::string buckets_directory;  // empty: buckets are not supported
  int64_t checkpoint_interval_ms = 10'000;
  int64_t tick_ms = 20;  // how often time alone closes windows
  std::size_t pending_bytes_max = 8u << 20;
  std::size_t state_bytes_max = std::size_t{2} << 30;  // of each operator (a window, a join)
  int64_t step_bytes_max = 16 << 20;  // of all shards together
  int32_t step_records_max = 8192;    // of each shard
  int64_t stop_patience_ms = 5000;   // for results to be acknowledged
  int64_t table_look_ms = 2000;      // how often reference tables are looked at
};

struct RunnerEnvironment {
  streams::StreamRegistry* registry = nullptr;
  log::Store* log = nullptr;
  base::FileSystem* files = nullptr;
  base::Clock* clock = nullptr;
  base::Random* random = nullptr;
  base::TaskExecutor* executor = nullptr;
  base::JobPool* jobs = nullptr;
  // Told once, from the task, when the application cannot go on; whoever owns it stops it.
  std::function<void(const base::Error&)> on_failure = {};
};

// One application at work: reads its inputs, steps its engine, writes its results, and remembers
// enough to do so exactly once through stops and crashes (docs/decisions/sql-exactly-once.md).
//
// A Task. Start and Stop block: call them from a Job.
class Runner final : public base::Task, public std::enable_shared_from_this<Runner> {
 public:
  // Goes on where the checkpoint in the directory and its journal end, as far as the inputs'
  // starting positions say LAST_STOPPED_POINT; `resume` says so for all, as after a restart of the
  // process. Everything that `definition` names must have its id.
  static base::Result<std::shared_ptr<Runner>> Start(RunnerEnvironment environment,
                                                     const ApplicationKey& key,
                                                     Definition definition, bool resume,
                                                     RunnerOptions options,
                                                     std::shared_ptr<ApplicationMetrics> metrics);
  ~Runner() override;

  base::TaskNext Step(int64_t budget_ns) override;

  // Asks for the end; Stop() then waits for it.
  void BeginStop();
  // Returns when the results are acknowledged (or patience has ended) and the checkpoint is written.
  base::Status Stop();
  // Stops between two moments without a checkpoint, as a crash would.
  void AbandonForTest();

  // The application cannot go on; on_failure was told. Any thread.
  bool failed() const { return failed_; }

 private:
  struct Waker;
  struct Table {
    std::string path;
    uint64_t file_version = 0;  // as FileVersion() gave it when the file was read; 0: look again
    uint64_t digest = 0;
    sql::TableConfig config;    // rows are moved into the engine
  };
  // Results found in the streams at the start: stream, step, digest of the record.
  using Written = std::map<std::tuple<std::string, uint64_t, uint64_t>, int>;

  Runner(RunnerEnvironment environment, ApplicationKey key, Definition definition,
         RunnerOptions options, std::shared_ptr<ApplicationMetrics> metrics);

  // runner_start.cc
  base::Status Open(bool resume);
  base::Status OpenFresh();
  base::Status OpenAt(Checkpoint checkpoint, bool with_state, bool resume);
  // The tables as the checkpoint had them (from the copies), or as their files are now.
  base::Result<std::vector<Table>> LoadTables(const Checkpoint* checkpoint) const;
  base::Result<std::unique_ptr<Engine>> MakeEngine(std::vector<Table>& tables);
  static std::vector<sql::TableConfig> TakeConfigs(std::vector<Table>& tables);
  void MakeWritersAndReaders(std::vector<StreamPosition> positions);
  base::Status FindWritten(const Checkpoint& checkpoint);
  base::Status Replay();
  base::Status ReplayStep(const JournalStep& step);
  streams::StreamKey KeyOf(const std::string& resource) const;
  std::vector<StreamPosition> OutputEnds() const;

  // runner.cc
  // False when the engine failed: nothing of the step counts.
  bool Execute(int64_t at_ms, const std::vector<Engine::Slice>& slices,
               std::vector<JournalRange> ranges);
  void TakeResult(std::size_t output, uint64_t step, std::string data);
  bool ReadInputs(std::vector<Engine::Slice>& slices, std::vector<JournalRange>& ranges,
                  std::vector<InputReader::Fetched>& pages);
  bool FlushJournal();
  int64_t PumpWriters();
  // The time of a step: the wall clock's, but it never goes back, and does not stand still either
  // while the wall clock is behind.
  int64_t NowMs();
  bool WritersIdle() const;
  std::size_t PendingBytes() const;
  void LeaveExecutor();
  void UpdateMetrics();

  // runner_checkpoint.cc
  Checkpoint MakeCheckpoint();
  base::Status WriteCheckpoint(const Checkpoint& checkpoint) const;
  // With `hold`, no step is done before the checkpoint is on disk.
  void BeginCheckpoint(bool hold);
  void LookAtTables();
  void TakeReloadedTables();
  std::string CheckpointFile() const { return options_.directory + "/checkpoint"; }
  std::string TableFile(uint64_t digest) const;

  const RunnerEnvironment environment_;
  const ApplicationKey key_;
  const Definition definition_;
  const RunnerOptions options_;
  const std::shared_ptr<ApplicationMetrics> metrics_;
  const uint64_t fingerprint_;
  std::shared_ptr<Waker> waker_;
  base::TaskExecutor::TaskId task_ = 0;

  // Of the task (and of Start and Stop before and after it).
  uint64_t run_ = 0;
  int64_t query_start_ms_ = 0;
  int64_t last_ms_ = 0;
  int64_t time_base_ms_ = 0;  // a moment at which ROWTIME was sound, and its monotonic time
  int64_t time_base_ns_ = 0;
  uint64_t next_step_ = 0;
  std::unique_ptr<Engine> engine_;
  std::vector<std::unique_ptr<InputReader>> readers_;  // by input
  std::vector<std::unique_ptr<StreamWriter>> writers_; // by output
  std::vector<Table> tables_;
  std::vector<StreamPosition> output_ends_;  // before anything that is not acknowledged yet
  Written written_;
  bool step_gave_results_ = false;
  std::vector<std::pair<std::size_t, std::string>> step_results_;  // of the step under way
  std::atomic<bool> failed_ = false;  // the engine has; the last checkpoint and the journal stay
  std::string journal_;         // steps that are not in the log yet
  bool journal_wanted_ = false; // one of them gave results
  int64_t journal_since_ns_ = 0;
  int64_t next_tick_ns_ = 0;
  int64_t next_checkpoint_ns_ = 0;
  int64_t next_table_look_ns_ = 0;
  uint64_t checkpointed_step_ = 0;
  int64_t read_warned_ns_ = INT64_MIN;
  bool pages_full_ = false;     // the last read left records behind
  Engine::Counts counted_;
  uint64_t counted_written_ = 0;
  uint64_t counted_refused_ = 0;

  // Shared with jobs and with Stop().
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_wanted_ = false;          // guarded by mutex_
  bool stopped_ = false;              // guarded by mutex_: the task does nothing any more
  bool checkpoint_under_way_ = false; // guarded by mutex_
  bool hold_ = false;  // guarded by mutex_: no step before the checkpoint under way is written
  bool reload_under_way_ = false;     // guarded by mutex_
  std::vector<Table> reloaded_;       // guarded by mutex_
};

}  // namespace millstream::analytics
