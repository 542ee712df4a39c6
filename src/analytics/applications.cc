#include "analytics/applications.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "analytics/reference_data.h"
#include "base/logging.h"
#include "log/log_range.h"
#include "sql/parser.h"

namespace millstream::analytics {
namespace {

constexpr std::string_view kKind = "analytics-application";

std::string CatalogKey(const ApplicationKey& key) {
  return key.account + "/" + key.region + "/" + key.name;
}

bool IsPassing(ApplicationStatus status) {
  return status != ApplicationStatus::kReady && status != ApplicationStatus::kRunning;
}

Refused RefusedFor(const base::Error& error) {
  Refused refused;
  refused.message = error.message();
  switch (error.code()) {
    case base::Code::kNotSupported:
      refused.reason = Refusal::kNotSupported;
      break;
    case base::Code::kInvalidArgument:
    case base::Code::kNotFound:
      refused.reason = error.message().starts_with("line ") ? Refusal::kCode
                                                            : Refusal::kConfiguration;
      break;
    default:
      refused.reason = Refusal::kStorage;
  }
  return refused;
}

std::optional<Refused> CheckSupported(const Definition& definition) {
  auto refuse = [](std::string message) {
    return Refused{.reason = Refusal::kNotSupported, .message = std::move(message)};
  };
  for (const Input& input : definition.inputs) {
    if (input.kind != Input::Kind::kStream) {
      return refuse("Delivery streams are not supported as inputs yet: " + input.resource);
    }
    if (input.processor) {
      return refuse("Preprocessing functions are not supported yet: " +
                    input.processor->lambda_arn);
    }
  }
  for (const Output& output : definition.outputs) {
    if (output.kind == Output::Kind::kDeliveryStream) {
      return refuse("Delivery streams are not supported as outputs yet: " + output.resource);
    }
    if (output.kind == Output::Kind::kFunction) {
      return refuse("Functions are not supported as outputs yet: " + output.resource);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Refused> CheckStorable(const Definition& definition) {
  if (auto refused = CheckSupported(definition)) return refused;
  if (definition.inputs.empty() || definition.code.empty()) {
    if (auto checked = CheckParts(definition); !checked) return RefusedFor(checked.error());
    auto parsed = sql::Parse(definition.code);
    if (!parsed) return RefusedFor(parsed.error());
    return std::nullopt;
  }
  auto checked = Check(definition);
  if (checked) return std::nullopt;
  // A name in FROM that resembles none: the reference table may come with its own call.
  if (checked.error().code() == base::Code::kNotFound && definition.reference_tables.empty()) {
    return std::nullopt;
  }
  return RefusedFor(checked.error());
}

struct Applications::Entry {
  StoredApplication stored;  // guarded by control_mutex_
  SnapshotPtr published;     // guarded by mutex_
  std::shared_ptr<Runner> runner;  // of the control thread that settles, else guarded by mutex_
  std::shared_ptr<ApplicationMetrics> metrics = std::make_shared<ApplicationMetrics>();
};

Applications::Applications(catalog::Store& catalog, RunnerEnvironment environment,
                           ApplicationsOptions options)
    : catalog_(catalog), options_(std::move(options)), environment_(environment) {
  executor_ = std::make_unique<base::TaskExecutor>(
      *environment_.clock, base::TaskExecutor::Options{.threads = options_.threads});
  checkpoints_ = std::make_unique<base::JobPool>(
      base::JobPool::Options{.threads = 1, .queue_max = 4096, .name = "checkpoint"});
  control_ = std::make_unique<base::JobPool>(
      base::JobPool::Options{.threads = 2, .queue_max = 4096, .name = "analytics"});
  environment_.executor = executor_.get();
  environment_.jobs = checkpoints_.get();
}

Applications::~Applications() { Stop(); }

base::Result<std::unique_ptr<Applications>> Applications::Open(catalog::Store& catalog,
                                                               RunnerEnvironment environment,
                                                               ApplicationsOptions options) {
  std::unique_ptr<Applications> applications(
      new Applications(catalog, environment, std::move(options)));
  TRY(applications->Load());
  return applications;
}

base::Status Applications::Load() {
  TRY(environment_.files->CreateDirectories(options_.directory));
  ASSIGN_OR_RETURN(auto rows, catalog_.Scan(kKind));
  {
    std::lock_guard control(control_mutex_);
    std::lock_guard lock(mutex_);
    for (const catalog::Row& row : rows) {
      auto entry = std::make_shared<Entry>();
      auto stored = DecodeApplication(row.value);
      if (!stored) return base::Fail(stored.error().Within(row.key));
      entry->stored = std::move(*stored);
      entry->published = std::make_shared<const ApplicationSnapshot>(ApplicationSnapshot{
          entry->stored.key,
          entry->stored.runs ? ApplicationStatus::kStarting : ApplicationStatus::kReady,
          entry->stored.definition});
      entries_[entry->stored.key] = std::move(entry);
    }
  }
  RemoveLeftovers();
  return {};
}

// Directories and journals that no application has: of deletions that a crash cut short.
void Applications::RemoveLeftovers() {
  std::set<std::string> directories;
  for (const auto& [key, entry] : entries_) directories.insert(entry->stored.directory);
  std::set<uint64_t> runs;
  auto listed = environment_.files->List(options_.directory);
  if (!listed) return;
  for (const base::DirectoryEntry& found : *listed) {
    std::string path = options_.directory + "/" + found.name;
    if (!directories.contains(found.name)) {
      (void)environment_.files->RemoveTree(path);
      continue;
    }
    auto bytes = environment_.files->ReadFile(path + "/checkpoint");
    if (!bytes) continue;
    auto checkpoint = DecodeCheckpoint(*bytes);
    if (!checkpoint) return;  // its owner will say so; until then no journal is anybody's to remove
    runs.insert(checkpoint->run);
  }
  for (log::LogId log : environment_.log->List()) {
    if (log.value >= log::kEngineLogsFirst && !runs.contains(log.value)) {
      (void)environment_.log->Delete(log);
    }
  }
}

void Applications::StartAll() {
  std::vector<std::shared_ptr<Entry>> starting;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [key, entry] : entries_) {
      if (entry->published->status == ApplicationStatus::kStarting) starting.push_back(entry);
    }
  }
  for (auto& entry : starting) {
    Settle(*entry, [this, entry] { Run(entry, /*resume=*/true); });
  }
}

void Applications::Stop() {
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
  }
  control_->Stop();  // what is under way ends first
  std::vector<std::shared_ptr<Entry>> running;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [key, entry] : entries_) {
      if (entry->runner != nullptr) running.push_back(entry);
    }
  }
  for (auto& entry : running) entry->runner->BeginStop();
  for (auto& entry : running) {
    auto stopped = entry->runner->Stop();
    if (!stopped) {
      LOG_WARN("an application goes on from its journal next time",
               {"application", entry->stored.key.name}, {"error", stopped.error().message()});
    }
    entry->runner = nullptr;
  }
  executor_->Stop();
  checkpoints_->Stop();
}

std::shared_ptr<Applications::Entry> Applications::FindEntry(const ApplicationKey& key) const {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : found->second;
}

SnapshotPtr Applications::Find(const ApplicationKey& key) const {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : found->second->published;
}

std::vector<SnapshotPtr> Applications::List(std::string_view account,
                                            std::string_view region) const {
  std::lock_guard lock(mutex_);
  std::vector<SnapshotPtr> list;
  for (const auto& [key, entry] : entries_) {
    if (key.account == account && key.region == region) list.push_back(entry->published);
  }
  return list;
}

std::vector<Applications::Measured> Applications::ListAll() const {
  std::lock_guard lock(mutex_);
  std::vector<Measured> list;
  for (const auto& [key, entry] : entries_) list.push_back({entry->published, entry->metrics});
  return list;
}

base::Status Applications::Store(const StoredApplication& application) {
  catalog::Transaction transaction;
  transaction.Put(kKind, CatalogKey(application.key), EncodeApplication(application));
  return catalog_.Commit(transaction);
}

// control_mutex_ is held, or the status is a passing one that this thread ends.
SnapshotPtr Applications::Publish(Entry& entry, ApplicationStatus status) {
  auto snapshot = std::make_shared<const ApplicationSnapshot>(
      ApplicationSnapshot{entry.stored.key, status, entry.stored.definition});
  {
    std::lock_guard lock(mutex_);
    entry.published = snapshot;
  }
  settled_.notify_all();
  return snapshot;
}

Controlled<std::shared_ptr<Applications::Entry>> Applications::Take(
    const ApplicationKey& key, ApplicationStatus one, ApplicationStatus other) const {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(key);
  if (found == entries_.end()) return Refuse(Refusal::kNotFound);
  ApplicationStatus status = found->second->published->status;
  if (status != one && status != other) {
    return tl::unexpected<Refused>(Refused{.reason = Refusal::kStatus, .status = status});
  }
  return found->second;
}

Controlled<SnapshotPtr> Applications::Create(const ApplicationKey& key, Definition definition) {
  std::lock_guard control(control_mutex_);
  {
    std::lock_guard lock(mutex_);
    if (entries_.contains(key)) return Refuse(Refusal::kExists);
    auto same_place = [&](const auto& e) {
      return e.first.account == key.account && e.first.region == key.region;
    };
    auto count = std::count_if(entries_.begin(), entries_.end(), same_place);
    if (static_cast<std::size_t>(count) >= options_.applications_max) {
      return tl::unexpected<Refused>(
          Refused{.reason = Refusal::kLimit,
                  .limit = static_cast<int64_t>(options_.applications_max)});
    }
  }
  if (auto refused = CheckStorable(definition)) return tl::unexpected<Refused>(*refused);
  auto entry = std::make_shared<Entry>();
  entry->stored.key = key;
  entry->stored.directory = environment_.random->Uuid();
  entry->stored.definition = std::move(definition);
  Definition& d = entry->stored.definition;
  d.name = key.name;
  d.version = 1;
  // API timestamps have whole seconds, and DeleteApplication compares them.
  d.created_ms = environment_.clock->WallMs() / 1000 * 1000;
  d.updated_ms = d.created_ms;
  if (auto stored = Store(entry->stored); !stored) {
    return Refuse(Refusal::kStorage, stored.error().message());
  }
  SnapshotPtr snapshot = Publish(*entry, ApplicationStatus::kReady);
  std::lock_guard lock(mutex_);
  entries_[key] = std::move(entry);
  return snapshot;
}

Controlled<SnapshotPtr> Applications::Update(const ApplicationKey& key,
                                             std::optional<int64_t> version,
                                             const Change& change) {
  std::lock_guard control(control_mutex_);
  auto entry = Take(key, ApplicationStatus::kReady, ApplicationStatus::kRunning);
  if (!entry) return tl::unexpected<Refused>(entry.error());
  StoredApplication changed = (*entry)->stored;
  if (version && *version != changed.definition.version) {
    return tl::unexpected<Refused>(
        Refused{.reason = Refusal::kVersion, .version = changed.definition.version});
  }
  if (auto refused = change(changed.definition)) return tl::unexpected<Refused>(*refused);
  ++changed.definition.version;
  changed.definition.updated_ms = environment_.clock->WallMs() / 1000 * 1000;
  if (auto refused = CheckStorable(changed.definition)) return tl::unexpected<Refused>(*refused);
  bool running = (*entry)->runner != nullptr;
  if (running) {
    if (auto refused = CheckRunnable(key, changed.definition)) {
      return tl::unexpected<Refused>(*refused);
    }
    // The old run ends with its checkpoint before the new definition counts: a journal is never
    // replayed with another definition than it was written with.
    Publish(**entry, ApplicationStatus::kUpdating);
    std::shared_ptr<Runner> runner;
    {
      std::lock_guard lock(mutex_);
      runner.swap((*entry)->runner);
    }
    auto stopped = runner->Stop();
    if (!stopped) {
      LOG_WARN("an application was updated without a last checkpoint", {"application", key.name},
               {"error", stopped.error().message()});
    }
  }
  auto stored = Store(changed);
  if (stored) (*entry)->stored = std::move(changed);
  if (running) Settle(**entry, [this, e = *entry] { Run(e, /*resume=*/true); });
  if (!stored) return Refuse(Refusal::kStorage, stored.error().message());
  return Publish(**entry, running ? ApplicationStatus::kUpdating : ApplicationStatus::kReady);
}

Controlled<SnapshotPtr> Applications::ChangeTags(const ApplicationKey& key, const Change& change) {
  std::lock_guard control(control_mutex_);
  std::shared_ptr<Entry> entry = FindEntry(key);
  if (entry == nullptr) return Refuse(Refusal::kNotFound);
  StoredApplication changed = entry->stored;
  if (auto refused = change(changed.definition)) return tl::unexpected<Refused>(*refused);
  entry->stored.definition.tags = changed.definition.tags;
  if (auto stored = Store(entry->stored); !stored) {
    return Refuse(Refusal::kStorage, stored.error().message());
  }
  ApplicationStatus status = Find(key)->status;
  return Publish(*entry, status);
}

std::optional<Refused> Applications::CheckRunnable(const ApplicationKey& key,
                                                   const Definition& definition) const {
  auto refuse = [](std::string message) {
    return Refused{.reason = Refusal::kConfiguration, .message = std::move(message)};
  };
  if (definition.inputs.empty()) return refuse("The application has no input.");
  if (auto refused = CheckSupported(definition)) return refused;
  if (auto checked = Check(definition); !checked) return RefusedFor(checked.error());
  auto find = [&](const std::string& resource) {
    return environment_.registry->Find(StreamKeyOf(key, resource));
  };
  // Nobody's policies are asked when the application reads and writes, so it stays at home.
  auto elsewhere = [&](const std::string& resource) {
    streams::StreamKey stream = StreamKeyOf(key, resource);
    return stream.account != key.account || stream.region != key.region;
  };
  for (const Input& input : definition.inputs) {
    if (elsewhere(input.resource)) {
      return refuse("The input stream is of another account or region: " + input.resource);
    }
    if (find(input.resource) == nullptr) {
      return refuse("The input stream does not exist: " + input.resource);
    }
  }
  for (const Output& output : definition.outputs) {
    if (elsewhere(output.resource)) {
      return refuse("The output stream is of another account or region: " + output.resource);
    }
    if (find(output.resource) == nullptr) {
      return refuse("The output stream does not exist: " + output.resource);
    }
  }
  for (const ReferenceDataSource& source : definition.reference_tables) {
    auto path = ReferencePath(source, options_.runner.buckets_directory);
    if (!path) return RefusedFor(path.error());
    auto exists = environment_.files->Exists(*path);
    if (!exists || !*exists) return refuse("The reference data does not exist: " + *path);
  }
  return std::nullopt;
}

RunnerOptions Applications::OptionsOf(const StoredApplication& application) const {
  RunnerOptions options = options_.runner;
  options.directory = options_.directory + "/" + application.directory;
  return options;
}

void Applications::Settle(Entry& entry, base::Function<void()> work) {
  auto submitted = control_->Submit(std::move(work));
  if (!submitted) {
    LOG_WARN("an application was not started or stopped", {"application", entry.stored.key.name},
             {"error", submitted.error().message()});
  }
}

void Applications::Run(const std::shared_ptr<Entry>& entry, bool resume) {
  StoredApplication stored;
  {
    std::lock_guard control(control_mutex_);
    stored = entry->stored;
  }
  RunnerEnvironment environment = environment_;
  environment.on_failure = [this, entry](const base::Error&) {
    Settle(*entry, [this, entry] { StopFailed(entry); });
  };
  auto runner = Runner::Start(environment, stored.key, stored.definition, resume,
                              OptionsOf(stored), entry->metrics);
  std::lock_guard control(control_mutex_);
  if (runner) {
    std::shared_ptr<Runner> started = *runner;
    {
      std::lock_guard lock(mutex_);
      entry->runner = std::move(*runner);
    }
    Publish(*entry, ApplicationStatus::kRunning);
    // It may have failed before it could be stopped for that.
    if (started->failed()) Settle(*entry, [this, entry] { StopFailed(entry); });
    return;
  }
  LOG_ERROR("an application did not start", {"application", stored.key.name},
            {"error", runner.error().message()});
  // One that ran before tries again with the next start of the process.
  if (!resume) {
    entry->stored.runs = false;
    (void)Store(entry->stored);
  }
  Publish(*entry, ApplicationStatus::kReady);
}

// Whoever wants it to run again changes its code, or starts it elsewhere in its input.
void Applications::StopFailed(const std::shared_ptr<Entry>& entry) {
  std::lock_guard control(control_mutex_);
  std::shared_ptr<Runner> runner;
  {
    std::lock_guard lock(mutex_);
    // Somebody else stops or updates it already.
    if (entry->published->status != ApplicationStatus::kRunning) return;
    runner.swap(entry->runner);
  }
  (void)runner->Stop();
  entry->stored.runs = false;
  (void)Store(entry->stored);
  Publish(*entry, ApplicationStatus::kReady);
}

Controlled<SnapshotPtr> Applications::Start(
    const ApplicationKey& key, const std::map<std::string, StartingPosition>& positions) {
  std::lock_guard control(control_mutex_);
  auto entry = Take(key, ApplicationStatus::kReady, ApplicationStatus::kReady);
  if (!entry) return tl::unexpected<Refused>(entry.error());
  StoredApplication changed = (*entry)->stored;
  for (const auto& [id, position] : positions) {
    auto has_id = [&id = id](const Input& input) { return input.id == id; };
    if (std::none_of(changed.definition.inputs.begin(), changed.definition.inputs.end(), has_id)) {
      return Refuse(Refusal::kArgument, "The application has no input with the id " + id + ".");
    }
  }
  for (Input& input : changed.definition.inputs) {
    auto position = positions.find(input.id);
    input.starting_position =
        position == positions.end() ? StartingPosition::kLastStoppedPoint : position->second;
  }
  if (auto refused = CheckRunnable(key, changed.definition)) {
    return tl::unexpected<Refused>(*refused);
  }
  changed.runs = true;
  if (auto stored = Store(changed); !stored) {
    return Refuse(Refusal::kStorage, stored.error().message());
  }
  (*entry)->stored = std::move(changed);
  SnapshotPtr snapshot = Publish(**entry, ApplicationStatus::kStarting);
  Settle(**entry, [this, e = *entry] { Run(e, /*resume=*/false); });
  return snapshot;
}

Controlled<SnapshotPtr> Applications::Stop(const ApplicationKey& key) {
  std::lock_guard control(control_mutex_);
  auto entry = Take(key, ApplicationStatus::kRunning, ApplicationStatus::kRunning);
  if (!entry) return tl::unexpected<Refused>(entry.error());
  (*entry)->stored.runs = false;
  if (auto stored = Store((*entry)->stored); !stored) {
    (*entry)->stored.runs = true;
    return Refuse(Refusal::kStorage, stored.error().message());
  }
  SnapshotPtr snapshot = Publish(**entry, ApplicationStatus::kStopping);
  Settle(**entry, [this, e = *entry] {
    std::shared_ptr<Runner> runner;
    {
      std::lock_guard lock(mutex_);
      runner.swap(e->runner);
    }
    auto stopped = runner->Stop();
    if (!stopped) {
      LOG_WARN("an application goes on from its journal next time",
               {"application", e->stored.key.name}, {"error", stopped.error().message()});
    }
    std::lock_guard settle(control_mutex_);
    Publish(*e, ApplicationStatus::kReady);
  });
  return snapshot;
}

Controlled<void> Applications::Delete(const ApplicationKey& key,
                                      std::optional<int64_t> created_ms) {
  std::lock_guard control(control_mutex_);
  auto entry = Take(key, ApplicationStatus::kReady, ApplicationStatus::kRunning);
  if (!entry) return tl::unexpected<Refused>(entry.error());
  if (created_ms && *created_ms / 1000 != (*entry)->stored.definition.created_ms / 1000) {
    return Refuse(Refusal::kConfiguration,
                  "The create timestamp does not match the application's.");
  }
  catalog::Transaction transaction;
  transaction.Delete(kKind, CatalogKey(key));
  if (auto committed = catalog_.Commit(transaction); !committed) {
    return Refuse(Refusal::kStorage, committed.error().message());
  }
  Publish(**entry, ApplicationStatus::kDeleting);
  Settle(**entry, [this, e = *entry, key] {
    std::shared_ptr<Runner> runner;
    {
      std::lock_guard lock(mutex_);
      runner.swap(e->runner);
    }
    std::string directory = OptionsOf(e->stored).directory;
    if (runner != nullptr) (void)runner->Stop();
    if (auto bytes = environment_.files->ReadFile(directory + "/checkpoint")) {
      if (auto checkpoint = DecodeCheckpoint(*bytes)) {
        (void)environment_.log->Create(log::LogId{checkpoint->run});
        (void)environment_.log->Delete(log::LogId{checkpoint->run});
      }
    }
    (void)environment_.files->RemoveTree(directory);
    {
      std::lock_guard lock(mutex_);
      entries_.erase(key);
    }
    settled_.notify_all();
  });
  return {};
}

ApplicationStatus Applications::WaitUntilSettled(const ApplicationKey& key) {
  std::unique_lock lock(mutex_);
  ApplicationStatus status = ApplicationStatus::kDeleting;
  settled_.wait(lock, [&] {
    auto found = entries_.find(key);
    if (found == entries_.end()) {
      status = ApplicationStatus::kDeleting;
      return true;
    }
    status = found->second->published->status;
    return !IsPassing(status);
  });
  return status;
}

}  // namespace millstream::analytics
