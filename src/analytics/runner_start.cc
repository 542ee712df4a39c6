// How an application begins: fresh, at the positions of an earlier run, or with all its state and
// the steps since replayed.
#include <fmt/format.h>

#include <algorithm>
#include <future>

#include "analytics/reference_data.h"
#include "analytics/runner.h"
#include "analytics/runner_waker.h"
#include "base/logging.h"
#include "log/log_range.h"
#include "log/record_batch.h"

namespace millstream::analytics {
namespace {

using base::Code;
using base::Fail;
using base::Result;
using base::Status;

constexpr std::size_t kJournalReadBytes = 1 << 20;

Result<std::vector<log::StoredBatch>> ReadLog(log::Store& store, log::LogId log,
                                              log::Offset from) {
  log::ReadLimits limits;
  limits.bytes_max = kJournalReadBytes;
  ASSIGN_OR_RETURN(auto cached, store.ReadCached(log, from, limits));
  if (cached) return std::move(*cached);
  auto promise = std::make_shared<std::promise<Result<std::vector<log::StoredBatch>>>>();
  auto future = promise->get_future();
  store.ReadAsync(log, from, limits, [promise](Result<std::vector<log::StoredBatch>> batches) {
    promise->set_value(std::move(batches));
  });
  return future.get();
}

}  // namespace

Result<std::shared_ptr<Runner>> Runner::Start(RunnerEnvironment environment,
                                              const ApplicationKey& key, Definition definition,
                                              bool resume, RunnerOptions options,
                                              std::shared_ptr<ApplicationMetrics> metrics) {
  std::shared_ptr<Runner> runner(new Runner(environment, key, std::move(definition),
                                            std::move(options), std::move(metrics)));
  TRY(runner->Open(resume));
  int64_t now_ns = environment.clock->MonotonicNs();
  runner->next_checkpoint_ns_ = now_ns + runner->options_.checkpoint_interval_ms * 1'000'000;
  runner->next_table_look_ns_ = now_ns;
  runner->task_ = environment.executor->Start(runner);
  runner->waker_->Set(*environment.executor, runner->task_);
  runner->waker_->Wake();  // for what came before it could
  return runner;
}

streams::StreamKey Runner::KeyOf(const std::string& resource) const {
  return StreamKeyOf(key_, resource);
}

Status Runner::Open(bool resume) {
  for (const Input& input : definition_.inputs) {
    if (input.kind != Input::Kind::kStream) {
      return Fail(Code::kNotSupported, "input " + input.name_prefix +
                                           ": delivery streams are not supported yet");
    }
    if (input.processor) {
      return Fail(Code::kNotSupported,
                  "input " + input.name_prefix + ": record processors are not supported yet");
    }
  }
  for (const Output& output : definition_.outputs) {
    if (output.kind != Output::Kind::kStream) {
      return Fail(Code::kNotSupported,
                  "output " + output.name +
                      ": only streams are supported as destinations yet, not delivery streams or "
                      "functions");
    }
  }
  TRY(environment_.files->CreateDirectories(options_.directory));
  auto continues = [resume](const Input& input) {
    return resume || input.starting_position == StartingPosition::kLastStoppedPoint;
  };
  bool any = std::any_of(definition_.inputs.begin(), definition_.inputs.end(), continues);
  bool all = std::all_of(definition_.inputs.begin(), definition_.inputs.end(), continues);
  ASSIGN_OR_RETURN(bool exists, environment_.files->Exists(CheckpointFile()));
  if (!exists) return OpenFresh();
  ASSIGN_OR_RETURN(std::string bytes, environment_.files->ReadFile(CheckpointFile()));
  auto checkpoint = DecodeCheckpoint(bytes);
  if (!checkpoint) return Fail(checkpoint.error().Within(CheckpointFile()));
  if (!any && !resume) {
    // Everything begins anew; what the old run left goes.
    TRY(environment_.log->Create(log::LogId{checkpoint->run}));
    (void)environment_.log->Delete(log::LogId{checkpoint->run});
    TRY(environment_.files->Remove(CheckpointFile()));
    return OpenFresh();
  }
  bool with_state = all && checkpoint->fingerprint == fingerprint_;
  return OpenAt(std::move(*checkpoint), with_state, resume);
}

Status Runner::OpenFresh() {
  run_ = environment_.random->Next64() | log::kEngineLogsFirst;
  TRY(environment_.log->Create(log::LogId{run_}));
  query_start_ms_ = last_ms_ = environment_.clock->WallMs();
  ASSIGN_OR_RETURN(tables_, LoadTables(nullptr));
  std::vector<StreamPosition> positions;
  for (const Input& input : definition_.inputs) {
    streams::StreamPtr stream = environment_.registry->Find(KeyOf(input.resource));
    if (stream == nullptr) {
      return Fail(Code::kNotFound, fmt::format("input {}: there is no stream {}",
                                               input.name_prefix, input.resource));
    }
    StartingPosition start = input.starting_position.value_or(StartingPosition::kNow);
    positions.push_back(BeginPosition(*stream, *environment_.log, start));
  }
  MakeWritersAndReaders(std::move(positions));
  ASSIGN_OR_RETURN(engine_, MakeEngine(tables_));
  // Before the first step: NOW must not become later than it was.
  return WriteCheckpoint(MakeCheckpoint());
}

Status Runner::OpenAt(Checkpoint checkpoint, bool with_state, bool resume) {
  run_ = checkpoint.run;
  TRY(environment_.log->Create(log::LogId{run_}));
  next_step_ = checkpoint.next_step;
  output_ends_ = checkpoint.outputs;
  last_ms_ = checkpoint.last_ms;
  std::vector<StreamPosition> positions;
  for (std::size_t i = 0; i < definition_.inputs.size(); ++i) {
    if (with_state) {
      positions.push_back(checkpoint.inputs.size() > i ? checkpoint.inputs[i] : StreamPosition{});
      continue;
    }
    const Input& input = definition_.inputs[i];
    streams::StreamPtr stream = environment_.registry->Find(KeyOf(input.resource));
    if (stream == nullptr) {
      return Fail(Code::kNotFound, fmt::format("input {}: there is no stream {}",
                                               input.name_prefix, input.resource));
    }
    StartingPosition start = input.starting_position.value_or(StartingPosition::kNow);
    auto before = std::find_if(checkpoint.inputs.begin(), checkpoint.inputs.end(),
                               [&](const StreamPosition& p) {
                                 return p.uuid == stream->identity().uuid;
                               });
    if (before != checkpoint.inputs.end() &&
        (resume || start == StartingPosition::kLastStoppedPoint)) {
      positions.push_back(*before);
    } else {
      positions.push_back(BeginPosition(*stream, *environment_.log, start));
    }
  }
  MakeWritersAndReaders(std::move(positions));
  TRY(FindWritten(checkpoint));
  for (PendingRecord& record : checkpoint.pending) {
    for (std::size_t i = 0; i < writers_.size(); ++i) {
      if (definition_.outputs[i].id != record.output_id) continue;
      TakeResult(i, record.step, std::move(record.data));
      break;
    }
  }
  // Results of steps before the checkpoint are done with.
  std::erase_if(written_, [this](const auto& written) {
    return std::get<1>(written.first) < next_step_;
  });
  if (!with_state) {
    // Windows begin anew; results and positions do not.
    query_start_ms_ = environment_.clock->WallMs();
    last_ms_ = std::max(last_ms_, query_start_ms_);
    ASSIGN_OR_RETURN(tables_, LoadTables(nullptr));
    ASSIGN_OR_RETURN(engine_, MakeEngine(tables_));
    written_.clear();
    return WriteCheckpoint(MakeCheckpoint());
  }
  query_start_ms_ = checkpoint.query_start_ms;
  ASSIGN_OR_RETURN(tables_, LoadTables(&checkpoint));
  ASSIGN_OR_RETURN(engine_, MakeEngine(tables_));
  if (auto restored = engine_->Restore(checkpoint.state); !restored) {
    LOG_WARN("an application's saved state is of another version; its windows begin anew",
             {"application", key_.name}, {"error", restored.error().message()});
    ASSIGN_OR_RETURN(tables_, LoadTables(nullptr));
    ASSIGN_OR_RETURN(engine_, MakeEngine(tables_));
    written_.clear();
    return WriteCheckpoint(MakeCheckpoint());
  }
  checkpointed_step_ = next_step_;
  ASSIGN_OR_RETURN(auto journal, environment_.log->State(log::LogId{run_}));
  uint64_t first = next_step_;
  int64_t began_ns = environment_.clock->MonotonicNs();
  log::Offset at = std::max(checkpoint.journal_next, journal.start_offset);
  while (at < journal.durable_end) {
    ASSIGN_OR_RETURN(auto batches, ReadLog(*environment_.log, log::LogId{run_}, at));
    if (batches.empty()) break;
    for (const log::StoredBatch& batch : batches) {
      ASSIGN_OR_RETURN(auto view, log::RecordBatchView::Parse(batch.bytes.view()));
      log::RecordReader reader(view);
      log::RecordView record;
      while (reader.Next(record)) {
        if (record.offset < at) continue;
        ASSIGN_OR_RETURN(auto steps, DecodeSteps(record.value));
        for (const JournalStep& step : steps) TRY(ReplayStep(step));
        at = record.offset + 1;
      }
      TRY(reader.status());
    }
  }
  metrics_->replayed_steps_total.Add(next_step_ - first);
  if (next_step_ > first) {
    LOG_INFO("an application went on after a crash", {"application", key_.name},
             {"steps", next_step_ - first},
             {"ms", (environment_.clock->MonotonicNs() - began_ns) / 1'000'000});
  }
  if (!written_.empty()) {
    metrics_->replay_mismatches_total.Add(written_.size());
    LOG_WARN("results were written that the replay did not give again",
             {"application", key_.name}, {"results", written_.size()});
  }
  written_.clear();
  return {};
}

// Reads what is at and behind the ends that the checkpoint noted.
Status Runner::FindWritten(const Checkpoint& checkpoint) {
  std::vector<streams::StreamUuid> seen;
  for (const auto& writer : writers_) {
    streams::StreamPtr stream = environment_.registry->Find(writer->key());
    if (stream == nullptr) continue;
    const streams::StreamUuid& uuid = stream->identity().uuid;
    if (std::find(seen.begin(), seen.end(), uuid) != seen.end()) continue;
    seen.push_back(uuid);
    const StreamPosition* noted = nullptr;
    for (const StreamPosition& position : checkpoint.outputs) {
      if (position.uuid == uuid) noted = &position;
    }
    for (const ShardPosition& end : EndPosition(*stream, *environment_.log).shards) {
      int64_t at = 0;
      if (noted != nullptr) {
        for (const ShardPosition& shard : noted->shards) {
          if (shard.shard == end.shard) at = shard.offset;
        }
      }
      while (at < end.offset) {
        ASSIGN_OR_RETURN(auto page, ReadAndWait(*stream, {end.shard}, at, {}));
        for (const streams::RecordView& record : page.records) {
          uint64_t run = 0, step = 0;
          if (!ParseOrigin(record.origin, run, step) || run != run_) continue;
          ++written_[{writer->key().name, step, Digest(record.data)}];
        }
        if (page.next_offset <= at) break;
        at = page.next_offset;
      }
    }
  }
  return {};
}

Status Runner::ReplayStep(const JournalStep& step) {
  if (step.number < next_step_) return {};
  if (step.number != next_step_) {
    return Fail(Code::kDataLoss, fmt::format("journal of {}: step {} follows step {}", key_.name,
                                             step.number, next_step_ - 1));
  }
  std::vector<std::unique_ptr<streams::RecordPage>> pages;
  std::vector<Engine::Slice> slices;
  for (const JournalRange& range : step.ranges) {
    if (range.input >= readers_.size()) {
      return Fail(Code::kDataLoss, fmt::format("journal of {}: no input {}", key_.name,
                                               range.input));
    }
    InputReader& reader = *readers_[range.input];
    const Input& input = definition_.inputs[range.input];
    streams::StreamPtr stream = environment_.registry->Find(KeyOf(input.resource));
    bool same = stream != nullptr && stream->identity().uuid == reader.position().uuid;
    int64_t at = range.from;
    while (same && at < range.to) {
      streams::ReadOptions options;
      options.records_max =
          static_cast<int32_t>(std::min<int64_t>(range.to - at, options.records_max));
      auto page = ReadAndWait(*stream, {range.shard}, at, options);
      if (!page && page.error().code() == Code::kNotFound) break;
      if (!page) return Fail(page.error().Within("replaying the journal of " + key_.name));
      if (page->next_offset <= at) break;
      at = page->next_offset;
      pages.push_back(std::make_unique<streams::RecordPage>(std::move(*page)));
      slices.push_back({range.input, pages.back().get(), range.from, range.to});
    }
    if (at < range.to) {
      LOG_WARN("records are gone that an application had read", {"application", key_.name},
               {"input", input.resource}, {"records", range.to - at});
    }
    reader.MoveTo(range.shard, range.to);
  }
  last_ms_ = step.at_ms;
  step_results_.clear();
  TRY(engine_->Step(step.at_ms, slices));
  for (auto& [output, data] : step_results_) TakeResult(output, next_step_, std::move(data));
  step_results_.clear();
  ++next_step_;
  return {};
}

void Runner::MakeWritersAndReaders(std::vector<StreamPosition> positions) {
  auto wake = [waker = waker_] { waker->Wake(); };
  for (std::size_t i = 0; i < definition_.inputs.size(); ++i) {
    readers_.push_back(std::make_unique<InputReader>(*environment_.registry,
                                                     KeyOf(definition_.inputs[i].resource),
                                                     std::move(positions[i]), wake));
  }
  for (const Output& output : definition_.outputs) {
    writers_.push_back(std::make_unique<StreamWriter>(
        *environment_.registry, *environment_.clock, KeyOf(output.resource), run_, wake));
  }
}

std::vector<sql::TableConfig> Runner::TakeConfigs(std::vector<Table>& tables) {
  std::vector<sql::TableConfig> configs;
  for (Table& table : tables) {
    configs.push_back(std::move(table.config));
    table.config = {.name = configs.back().name, .columns = {}, .rows = {}};
  }
  return configs;
}

Result<std::unique_ptr<Engine>> Runner::MakeEngine(std::vector<Table>& tables) {
  return Engine::Create(definition_, TakeConfigs(tables), query_start_ms_, options_.state_bytes_max,
                        [this](std::size_t output, std::string data) {
                          step_results_.emplace_back(output, std::move(data));
                        });
}

Result<std::vector<Runner::Table>> Runner::LoadTables(const Checkpoint* checkpoint) const {
  std::vector<Table> tables;
  for (const ReferenceDataSource& source : definition_.reference_tables) {
    Table table;
    ASSIGN_OR_RETURN(table.path, ReferencePath(source, options_.buckets_directory));
    std::string bytes;
    const TableVersion* version = nullptr;
    if (checkpoint != nullptr) {
      for (const TableVersion& v : checkpoint->tables) {
        if (v.name == source.table_name) version = &v;
      }
    }
    if (version != nullptr) {
      ASSIGN_OR_RETURN(bytes, ReadReference(*environment_.files, TableFile(version->digest)));
      table.digest = version->digest;
    } else {
      table.file_version = FileVersion(table.path);
      auto read = ReadReference(*environment_.files, table.path);
      if (!read) return Fail(read.error().Within("reference table " + source.table_name));
      bytes = std::move(*read);
      table.digest = Digest(bytes);
      TRY(environment_.files->WriteFileAtomically(TableFile(table.digest), bytes));
    }
    uint64_t failed = 0;
    ASSIGN_OR_RETURN(table.config, MakeTable(source, bytes, &failed));
    if (failed > 0) {
      LOG_WARN("rows of a reference table do not fit its schema", {"application", key_.name},
               {"table", source.table_name}, {"rows", failed});
    }
    tables.push_back(std::move(table));
  }
  return tables;
}

}  // namespace millstream::analytics
