#include "server/audit_trail.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <utility>

#include "base/bytes.h"
#include "base/logging.h"
#include "codec/md5.h"
#include "streams/stream.h"

namespace millstream::server {
namespace {

constexpr std::size_t kBatchEvents = 500;
constexpr int64_t kRetryNs = 100'000'000;
constexpr int kTriesMax = 600;  // a minute of refusals, then the batch is dropped

}  // namespace

// Takes batches from the queue, encodes them, puts them, and puts again what a shard throttled.
// One put at a time, so events keep their order within a shard.
class AuditTrail::Writer final : public base::Task, public std::enable_shared_from_this<Writer> {
 public:
  Writer(AuditTrail& trail, streams::StreamRegistry& registry, base::Clock& clock,
         base::Random& random)
      : trail_(trail), registry_(registry), clock_(clock), random_(random) {}

  base::TaskNext Step(int64_t) override {
    {
      std::lock_guard lock(mutex_);
      if (in_flight_) return base::TaskNext::Blocked();
    }
    if (pending_.empty() && !TakeBatch()) return base::TaskNext::Blocked();
    if (tries_ > 0 && clock_.MonotonicNs() < retry_at_ns_)
      return base::TaskNext::IdleUntil(retry_at_ns_);
    auto stream = registry_.Find(trail_.options_.stream);
    if (stream == nullptr) return Retry("there is no such stream");
    Put(*stream);
    return base::TaskNext::Blocked();
  }

  // True when everything was written in time.
  bool WaitUntilIdle(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    return idle_.wait_for(lock, patience, [this] {
      std::lock_guard queue(trail_.mutex_);
      return !in_flight_ && pending_count_ == 0 && trail_.queue_.empty();
    });
  }

 private:
  struct Encoded {
    std::string event_id;  // also the partition key: events spread over the shards
    base::Buffer json;
  };

  bool TakeBatch() {
    std::vector<aws::AuditEvent> events;
    {
      std::lock_guard lock(trail_.mutex_);
      auto& queue = trail_.queue_;
      auto end = queue.begin() + static_cast<std::ptrdiff_t>(std::min(queue.size(), kBatchEvents));
      events.assign(std::make_move_iterator(queue.begin()), std::make_move_iterator(end));
      queue.erase(queue.begin(), end);
      trail_.metrics_.queue_events.Set(static_cast<int64_t>(queue.size()));
    }
    for (const aws::AuditEvent& event : events) {
      Encoded encoded{random_.Uuid(), {}};
      aws::AppendAuditJson(event, encoded.event_id, encoded.json);
      pending_.push_back(std::move(encoded));
    }
    tries_ = 0;
    SetPending();
    return !pending_.empty();
  }

  void Put(streams::Stream& stream) {
    std::vector<streams::PutEntry> entries;
    for (const Encoded& event : pending_) {
      entries.push_back({.partition_key = event.event_id,
                         .hash = codec::Md5HashKey(event.event_id),
                         .data = event.json.view(),
                         .data_size = static_cast<uint32_t>(event.json.size())});
    }
    {
      std::lock_guard lock(mutex_);
      in_flight_ = true;
    }
    stream.Put(entries, {},
               [self = shared_from_this()](auto outcome) { self->Finish(std::move(outcome)); });
  }

  // On the log's writer thread, or within Put().
  void Finish(base::Result<std::unique_ptr<streams::PutOutcome>> outcome) {
    std::vector<Encoded> left;
    std::string problem;
    if (!outcome) {
      problem = outcome.error().message();
      left = std::move(pending_);
    } else {
      for (std::size_t i = 0; i < pending_.size(); ++i) {
        if ((*outcome)->Result(i).error == streams::PutError::kNone) {
          trail_.metrics_.written_total.Add();
        } else {
          left.push_back(std::move(pending_[i]));
        }
      }
      problem = "a shard refused it";
    }
    pending_ = std::move(left);
    if (!pending_.empty()) Retry(problem);
    {
      std::lock_guard lock(mutex_);
      in_flight_ = false;
      pending_count_ = pending_.size();
    }
    idle_.notify_all();
    trail_.executor_->Wake(trail_.task_);
  }

  base::TaskNext Retry(std::string_view problem) {
    if (++tries_ >= kTriesMax) {
      LOG_WARN("audit events dropped", {"events", pending_.size()}, {"problem", problem});
      trail_.metrics_.dropped_total.Add(pending_.size());
      pending_.clear();
      tries_ = 0;
    }
    SetPending();
    retry_at_ns_ = clock_.MonotonicNs() + kRetryNs;
    return base::TaskNext::IdleUntil(retry_at_ns_);
  }

  void SetPending() {
    std::lock_guard lock(mutex_);
    pending_count_ = pending_.size();
  }

  AuditTrail& trail_;
  streams::StreamRegistry& registry_;
  base::Clock& clock_;
  base::Random& random_;
  // Of the step, or of Finish() while a put is in flight; never of both.
  std::vector<Encoded> pending_;
  int tries_ = 0;
  int64_t retry_at_ns_ = 0;

  std::mutex mutex_;
  std::condition_variable idle_;
  bool in_flight_ = false;         // guarded by mutex_
  std::size_t pending_count_ = 0;  // guarded by mutex_
};

AuditTrail::AuditTrail(streams::StreamRegistry& registry, base::Clock& clock, base::Random& random,
                       Options options)
    : options_(std::move(options)),
      stream_arn_suffix_(fmt::format(":{}:{}:stream/{}", options_.stream.region,
                                     options_.stream.account, options_.stream.name)),
      writer_(std::make_shared<Writer>(*this, registry, clock, random)) {}

AuditTrail::~AuditTrail() { Stop(); }

void AuditTrail::Start(base::TaskExecutor& executor) {
  std::lock_guard lock(mutex_);
  executor_ = &executor;
  task_ = executor.Start(writer_);
}

void AuditTrail::Stop() {
  {
    std::lock_guard lock(mutex_);
    if (executor_ == nullptr) return;
  }
  writer_->WaitUntilIdle(std::chrono::seconds(1));
  executor_->Cancel(task_);
  std::lock_guard lock(mutex_);
  executor_ = nullptr;
}

void AuditTrail::Record(aws::AuditEvent event) {
  bool reads_itself =
      event.data_event && event.read_only &&
      std::any_of(event.resources.begin(), event.resources.end(), [&](const auto& arn) {
        return arn.find(stream_arn_suffix_) != std::string::npos;
      });
  if (reads_itself) return;
  base::TaskExecutor* wake = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() >= options_.queue_events_max) {
      metrics_.dropped_total.Add();
      return;
    }
    if (queue_.empty()) wake = executor_;
    queue_.push_back(std::move(event));
    metrics_.queue_events.Set(static_cast<int64_t>(queue_.size()));
  }
  metrics_.recorded_total.Add();
  if (wake != nullptr) wake->Wake(task_);
}

}  // namespace millstream::server
