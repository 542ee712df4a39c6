#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "analytics/definition.h"
#include "analytics/metrics.h"
#include "analytics/runner.h"
#include "analytics/stored_application.h"
#include "base/executor.h"
#include "base/result.h"
#include "catalog/store.h"

namespace millstream::analytics {

// What a refused operation ran into, so that a service can say it in its own words.
enum class Refusal : uint8_t {
  kNotFound,
  kExists,
  kVersion,        // changed meanwhile: `version` is the one now
  kStatus,         // `status` does not allow it
  kLimit,          // `limit`
  kConfiguration,  // `message`: the definition does not hold together
  kArgument,       // `message`: what was asked for makes no sense here
  kCode,           // `message`: the code is wrong, with line and column
  kNotSupported,   // `message`
  kStorage,        // `message`: the environment's fault
};
struct Refused {
  Refusal reason = Refusal::kStorage;
  std::string message = {};
  ApplicationStatus status = ApplicationStatus::kReady;
  int64_t version = 0;
  int64_t limit = 0;
};
template <typename T>
using Controlled = tl::expected<T, Refused>;
inline tl::unexpected<Refused> Refuse(Refusal reason, std::string message = {}) {
  return tl::unexpected<Refused>(Refused{.reason = reason, .message = std::move(message)});
}

struct ApplicationsOptions {
  std::string directory;
  int threads = 2;                    // that step applications
  std::size_t applications_max = 50;  // per account and region
  RunnerOptions runner;               // without directory
};

// An application at one moment. Immutable.
struct ApplicationSnapshot {
  ApplicationKey key;
  ApplicationStatus status = ApplicationStatus::kReady;
  Definition definition;
};
using SnapshotPtr = std::shared_ptr<const ApplicationSnapshot>;

// All SQL applications of a data directory: remembers them in the catalog, starts and stops them,
// starts those that ran again with the process.
//
// Thread-safe. Find and List are for any thread. What changes something blocks on the catalog, Update
// also on the run's last checkpoint: call it from a Job. Passing statuses (STARTING, STOPPING,
// UPDATING, DELETING) end on threads of this class; while one lasts every other change is refused.
class Applications {
 public:
  // Registry, log, files, clock and random of the environment outlive this; executor and jobs are
  // made here.
  static base::Result<std::unique_ptr<Applications>> Open(catalog::Store& catalog,
                                                          RunnerEnvironment environment,
                                                          ApplicationsOptions options);
  ~Applications();

  // Starts what ran when the process ended. Once, when the streams are there.
  void StartAll();
  // Stops all runs with their checkpoints; they start again with the process.
  void Stop();

  SnapshotPtr Find(const ApplicationKey& key) const;
  // Of one account and region, by name.
  std::vector<SnapshotPtr> List(std::string_view account, std::string_view region) const;
  struct Measured {
    SnapshotPtr application;
    std::shared_ptr<const ApplicationMetrics> metrics;
  };
  std::vector<Measured> ListAll() const;

  Controlled<SnapshotPtr> Create(const ApplicationKey& key, Definition definition);
  // Applies `change` to a copy when the version is that and stores it under the next version. A
  // running application goes on with it: with its windows when code and schemas are the same.
  using Change = std::function<std::optional<Refused>(Definition&)>;
  Controlled<SnapshotPtr> Update(const ApplicationKey& key, std::optional<int64_t> version,
                                 const Change& change);
  // Tags do not count as a version.
  Controlled<SnapshotPtr> ChangeTags(const ApplicationKey& key, const Change& change);
  // Starting positions by input id; inputs that are not named go on where they stopped.
  Controlled<SnapshotPtr> Start(const ApplicationKey& key,
                                const std::map<std::string, StartingPosition>& positions);
  Controlled<SnapshotPtr> Stop(const ApplicationKey& key);
  Controlled<void> Delete(const ApplicationKey& key, std::optional<int64_t> created_ms);

  // Waits until the status is no passing one. For tests and configuration at the start.
  ApplicationStatus WaitUntilSettled(const ApplicationKey& key);

 private:
  struct Entry;
  Applications(catalog::Store& catalog, RunnerEnvironment environment,
               ApplicationsOptions options);

  base::Status Load();
  void RemoveLeftovers();
  base::Status Store(const StoredApplication& application);
  std::shared_ptr<Entry> FindEntry(const ApplicationKey& key) const;
  // The entry when its status is one of two; else why not.
  Controlled<std::shared_ptr<Entry>> Take(const ApplicationKey& key, ApplicationStatus one,
                                          ApplicationStatus other) const;
  SnapshotPtr Publish(Entry& entry, ApplicationStatus status);
  // Runs the entry's application; READY with a log line when it does not start.
  void Run(const std::shared_ptr<Entry>& entry, bool resume);
  void StopFailed(const std::shared_ptr<Entry>& entry);
  void Settle(Entry& entry, base::Function<void()> work);
  std::optional<Refused> CheckRunnable(const ApplicationKey& key,
                                       const Definition& definition) const;
  RunnerOptions OptionsOf(const StoredApplication& application) const;

  catalog::Store& catalog_;
  const ApplicationsOptions options_;
  RunnerEnvironment environment_;
  std::unique_ptr<base::TaskExecutor> executor_;
  std::unique_ptr<base::JobPool> checkpoints_;  // of the runners
  std::unique_ptr<base::JobPool> control_;      // starts and stops, which wait for the former

  std::mutex control_mutex_;  // serialises changes; before mutex_
  mutable std::mutex mutex_;
  std::condition_variable settled_;
  std::map<ApplicationKey, std::shared_ptr<Entry>> entries_;  // guarded by mutex_
  bool stopped_ = false;                                      // guarded by mutex_
};

// What a definition must fulfil to be stored: all that can be judged while parts may still be missing
// (code before its input, an input before its reference table).
std::optional<Refused> CheckStorable(const Definition& definition);

}  // namespace millstream::analytics
