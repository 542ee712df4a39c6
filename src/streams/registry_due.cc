// What time brings to streams: ends of passing states, retention, on-demand scaling.

#include <algorithm>

#include "base/check.h"
#include "base/logging.h"
#include "streams/registry_implementation.h"

namespace millstream::streams {
namespace {

constexpr int64_t kHourMs = 3'600'000;
constexpr int64_t kIdleMsMax = 60'000;

// How far the wall clock may run ahead of the monotonic one before retention stops believing it.
constexpr int64_t kWallDriftMsMax = kHourMs;

}  // namespace

int64_t StreamRegistry::Implementation::RetentionNowMs() const {
  int64_t elapsed_ms =
      (environment.clock->MonotonicNs() - started_monotonic_ns) / 1'000'000;
  return std::min(NowMs(), started_wall_ms + elapsed_ms + kWallDriftMsMax);
}

void StreamRegistry::Implementation::ApplyDue(Stream& stream, int64_t now_ms) {
  Control control(*this, stream, Control::Locked());
  const StreamState& before = control.before();
  bool changed = false;
  if (before.status != StreamStatus::kActive && now_ms >= before.change_due_ms) {
    if (before.status == StreamStatus::kDeleting) {
      if (!Remove(stream)) agenda.emplace(NowMs() + 1000, stream.identity().uuid);
      return;
    }
    control.next.status = StreamStatus::kActive;
    control.next.steps.clear();
    if (before.status == StreamStatus::kCreating) {
      control.CreateShards(before.initial_shards, stream.identity().created_ms);
    } else {
      control.ApplyReshard(before.steps);
    }
    changed = true;
  }
  std::vector<Consumer>& consumers = control.next.consumers;
  for (Consumer& consumer : consumers) {
    if (consumer.status == ConsumerStatus::kCreating && now_ms >= consumer.change_due_ms) {
      consumer.status = ConsumerStatus::kActive;
      changed = true;
    }
  }
  changed |= std::erase_if(consumers, [now_ms](const Consumer& consumer) {
               return consumer.status == ConsumerStatus::kDeleting &&
                      now_ms >= consumer.change_due_ms;
             }) > 0;
  // A catalog that cannot be written now may be writable later.
  if (changed && !control.Commit()) agenda.emplace(NowMs() + 1000, stream.identity().uuid);
}

void StreamRegistry::Implementation::Trim(Stream& stream, int64_t now_ms) {
  auto state = stream.state();
  if (state->status == StreamStatus::kDeleting) return;
  int64_t horizon_ms = now_ms - state->retention_ms;
  std::vector<ShardId> expired;
  for (const ShardEntry& entry : state->shards) {
    if (entry.facts.closed_ms && *entry.facts.closed_ms < horizon_ms) {
      expired.push_back(entry.facts.id);
      continue;
    }
    auto log = environment.log->State(entry.facts.log);
    if (!log || log->start_offset >= log->durable_end) continue;
    if (auto trimmed = environment.log->TrimBefore(entry.facts.log, horizon_ms); !trimmed) {
      LOG_WARN("retention failed", {"stream", stream.key().name},
               {"shard", entry.facts.id.ToString()}, {"error", trimmed.error().message()});
    }
  }
  if (expired.empty()) return;
  Control control(*this, stream, Control::Locked());
  control.ForgetShards(expired);
  (void)control.Commit();  // said in the log; tried again next time
}

// Splits every shard that took more than its share over the last interval, which also follows skewed
// keys; merges neighbours when the whole stream stayed small for long. At most one change of shape
// per interval, so capacity at most doubles in that time.
void StreamRegistry::Implementation::ScaleOnDemand(Stream& stream, int64_t now_ms) {
  auto state = stream.state();
  if (state->mode != StreamMode::kOnDemand || state->status != StreamStatus::kActive) return;
  const OnDemandOptions& rules = options.on_demand;
  ObservedLoad& load = loads[stream.identity().stream_id];
  bool first = load.since_ms == 0;
  if (first) load.since_ms = now_ms;

  double seconds = static_cast<double>(rules.interval_ms) / 1000.0;
  double total = 0;
  std::vector<ReshardStep> steps;
  auto room = options.limits.on_demand_shards_max - static_cast<int64_t>(state->open_shards());
  std::unordered_map<uint32_t, ObservedLoad::OfShard> counters;
  for (const StreamState::Route& route : state->routes) {
    const ShardMetrics& metrics = route.shard->metrics();
    uint32_t index = route.shard->id().index;
    ObservedLoad::OfShard now{metrics.incoming_bytes.value(), metrics.incoming_records.value()};
    ObservedLoad::OfShard then = load.counters.contains(index) ? load.counters[index]
                                 : first                       ? now
                                                               : ObservedLoad::OfShard();
    counters[index] = now;
    double share =
        std::max(static_cast<double>(now.bytes - then.bytes) /
                     static_cast<double>(options.limits.write_bytes_per_s),
                 static_cast<double>(now.records - then.records) /
                     static_cast<double>(options.limits.write_records_per_s)) /
        seconds;
    total += share;
    const HashKeyRange& range = route.shard->range();
    if (share > rules.split_above && room > 0 && range.end - range.start > 3) {
      HashKey middle = range.start + (range.end - range.start) / 2 + 1;
      steps.push_back({ReshardStep::Kind::kSplit, route.shard->id(), {}, middle});
      --room;
    }
  }
  load.counters = std::move(counters);
  if (load.peaks.empty() || now_ms - load.peaks.back().first >= kHourMs) {
    load.peaks.emplace_back(now_ms, total);
  } else {
    load.peaks.back().second = std::max(load.peaks.back().second, total);
  }
  std::erase_if(load.peaks, [&](const auto& peak) {
    return peak.first < now_ms - rules.shrink_after_ms - kHourMs;
  });

  if (steps.empty() && now_ms - load.since_ms >= rules.shrink_after_ms) {
    double peak = 0;
    for (const auto& [at, value] : load.peaks) peak = std::max(peak, value);
    auto open = static_cast<double>(state->open_shards());
    auto least = std::max<std::size_t>(
        rules.shards_initial, static_cast<std::size_t>(std::max(0, state->warm_throughput_mibps)));
    if (peak < rules.merge_below * open && state->open_shards() > least) {
      std::size_t left = state->open_shards();
      for (std::size_t i = 0; i + 1 < state->routes.size() && left > least; i += 2, --left) {
        steps.push_back({ReshardStep::Kind::kMerge, state->routes[i].shard->id(),
                         state->routes[i + 1].shard->id(), 0});
      }
    }
  }
  if (steps.empty()) return;
  load.since_ms = now_ms;
  LOG_INFO("on-demand stream scales", {"stream", stream.key().name},
           {"open_shards", state->open_shards()}, {"steps", steps.size()}, {"load", total});
  Control control(*this, stream, Control::Locked());
  control.Reshard(std::move(steps));
  (void)control.Commit();  // said in the log; load will ask again
}

int64_t StreamRegistry::Implementation::NextDueMs() const {
  int64_t next = std::min(next_retention_ms, next_on_demand_ms);
  if (!agenda.empty()) next = std::min(next, agenda.begin()->first);
  return next;
}

int64_t StreamRegistry::RunDue() {
  Implementation& registry = *implementation_;
  std::lock_guard lock(registry.control_mutex);
  int64_t now_ms = registry.NowMs();
  // Bounded by what was due on entry: transitions that take no time may add more.
  std::vector<std::pair<StreamUuid, bool>> due;  // and whether to believe that its time has come
  int64_t longest = std::max({options_.times.create_ms, options_.times.update_ms,
                              options_.times.delete_ms, options_.times.consumer_ms});
  while (!registry.agenda.empty()) {
    int64_t at = registry.agenda.begin()->first;
    // A clock that was set back must not leave streams in a passing state for ever.
    bool clock_went_back = at > now_ms + longest + 1000;
    if (at > now_ms && !clock_went_back) break;
    due.emplace_back(registry.agenda.begin()->second, clock_went_back);
    registry.agenda.erase(registry.agenda.begin());
  }
  for (const auto& [uuid, clock_went_back] : due) {
    if (StreamPtr stream = FindByUuid(uuid)) {
      registry.ApplyDue(*stream, clock_went_back ? INT64_MAX : now_ms);
    }
  }

  bool trim = now_ms >= registry.next_retention_ms ||
              registry.next_retention_ms > now_ms + options_.retention_interval_ms;
  bool scale = now_ms >= registry.next_on_demand_ms ||
               registry.next_on_demand_ms > now_ms + options_.on_demand.interval_ms;
  if (trim || scale) {
    for (const StreamPtr& stream : ListAll()) {
      if (trim) registry.Trim(*stream, registry.RetentionNowMs());
      if (scale) registry.ScaleOnDemand(*stream, now_ms);
    }
    if (trim) registry.next_retention_ms = now_ms + options_.retention_interval_ms;
    if (scale) registry.next_on_demand_ms = now_ms + options_.on_demand.interval_ms;
  }
  return registry.NextDueMs();
}

namespace {

class DueTask final : public base::Task {
 public:
  explicit DueTask(StreamRegistry& registry) : registry_(registry) {}

  base::TaskNext Step(int64_t) override {
    base::Clock& clock = registry_.clock();
    int64_t due_ms = registry_.RunDue();
    int64_t wait_ms = std::clamp<int64_t>(due_ms - clock.WallMs(), 0, kIdleMsMax);
    return base::TaskNext::IdleUntil(clock.MonotonicNs() + wait_ms * 1'000'000);
  }

 private:
  StreamRegistry& registry_;
};

}  // namespace

void StreamRegistry::StartTask(base::TaskExecutor& executor) {
  std::lock_guard lock(implementation_->task_mutex);
  CHECK(implementation_->executor == nullptr);
  implementation_->executor = &executor;
  implementation_->task = executor.Start(std::make_shared<DueTask>(*this));
}

void StreamRegistry::Stop() {
  base::TaskExecutor* executor;
  base::TaskExecutor::TaskId task;
  {
    std::lock_guard lock(implementation_->task_mutex);
    executor = std::exchange(implementation_->executor, nullptr);
    task = implementation_->task;
  }
  if (executor != nullptr) executor->Cancel(task);
}

void StreamRegistry::Implementation::WakeTask() {
  std::lock_guard lock(task_mutex);
  if (executor != nullptr) executor->Wake(task);
}

}  // namespace millstream::streams
