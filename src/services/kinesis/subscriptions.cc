#include "services/kinesis/subscriptions.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "aws/event_stream.h"
#include "base/check.h"
#include "base/logging.h"
#include "net/loop.h"
#include "services/kinesis/fast_path.h"
#include "services/kinesis/record_rows.h"
#include "streams/quota.h"

namespace millstream::services::kinesis {
namespace {

namespace api = aws::kinesis;
using streams::RecordPage;
using streams::SequenceNumber;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kLifeNs = 300 * kSecondNs;
constexpr int64_t kHeartbeatNs = 5 * kSecondNs;
constexpr int64_t kTakeOverNs = 5 * kSecondNs;
// One event's payload: large enough to batch well, small enough to flow and to stay in cache.
constexpr int64_t kEventBytesMax = 1 << 20;
constexpr int32_t kEventRecordsMax = 10'000;
// A subscriber that reads slowly gets no more events until it took what is queued.
constexpr std::size_t kQueuedBytesMax = 4u << 20;
constexpr std::size_t kQueuedBytesLow = 1u << 20;

constexpr std::string_view kTakenOver =
    "Another active subscription exists for this consumer and shard.";

}  // namespace

class Subscriptions::Subscription : public std::enable_shared_from_this<Subscription> {
 public:
  Subscription(Subscriptions& owner, Key key, Request request)
      : owner_(owner),
        registry_(owner.registry_),
        key_(std::move(key)),
        request_(std::move(request)),
        loop_(net::Loop::Current()),
        started_ns_(registry_.clock().MonotonicNs()),
        quota_(registry_.limits().fan_out_bytes_per_s, registry_.limits().fan_out_bytes_per_s) {
    CHECK(loop_ != nullptr);
  }

  int64_t started_ns() const { return started_ns_; }

  void Start(Reply reply) {
    reply_ = std::move(reply);
    request_.stream->Resolve(request_.shard, request_.start,
                             [self = shared_from_this()](base::Result<log::Offset> offset) {
                               self->OnLoop([self, offset] { self->Opened(offset); });
                             });
  }

  // Ends this one because another took its place. Any thread.
  void Displace() {
    loop_->Post([self = shared_from_this()] {
      if (self->ended_) return;
      self->FailWith(api::ResourceInUseException(std::string(kTakenOver)));
    });
  }

  // Ends it without a word. Any thread.
  void Drop() {
    loop_->Post([self = shared_from_this()] { self->End(false); });
  }

 private:
  template <typename Work>
  void OnLoop(Work work) {
    if (loop_->IsCurrent()) {
      work();
    } else {
      loop_->Post(std::move(work));
    }
  }

  void Opened(base::Result<log::Offset> offset) {
    if (!offset) {
      bool gone = offset.error().code() == base::Code::kNotFound;
      std::move(reply_).Fail(gone ? api::ResourceNotFoundException(offset.error().message())
                                  : aws::InternalFailure());
      ended_ = true;
      owner_.Remove(key_, this);
      return;
    }
    if (ended_) return;  // stopped meanwhile
    next_ = *offset;
    writer_ = std::move(reply_).Open({});
    opened_ = true;
    request_.stream->metrics().subscribe_success.Add();
    writer_.OnDrained(kQueuedBytesLow, [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->OnLoop([self] { self->Pump(); });
    });
    life_timer_ = loop_->RunAfter(kLifeNs, [self = shared_from_this()] { self->End(true); });
    Pump();
  }

  // Sends what there is until the reader is slow, the quota is used up or the tip is reached.
  void Pump() {
    while (!ended_ && !reading_ && !waiting_) {
      if (writer_.closed()) return End(false);
      if (writer_.queued_bytes() > kQueuedBytesMax) return;  // OnDrained comes back
      int64_t now = registry_.clock().MonotonicNs();
      if (registry_.limits().enforced && quota_.Level(now) <= 0) return PauseForQuota();
      if (auto shared = owner_.events_.Find(Log(), next_, request_.cbor, now)) {
        Send(*shared, now);
        continue;
      }
      auto page =
          request_.stream->ReadCached(request_.shard, next_, {kEventRecordsMax, kEventBytesMax});
      if (page && !*page) return ReadFromDisk();
      if (!page) return OnReadFailure(page.error());
      if (!Deliver(std::move(**page))) return;
    }
  }

  // False when there is nothing more to do for now.
  bool Deliver(RecordPage page) {
    int64_t now = registry_.clock().MonotonicNs();
    if (page.shard_end) {
      SendEnd(page);
      return false;
    }
    if (page.records.empty()) {
      next_ = page.next_offset;
      if (sent_ns_ == 0) SendEmpty(page.millis_behind, now);  // tells that the subscription stands
      WaitForMore();
      return false;
    }
    EncodedEvent event;
    event.next_offset = page.next_offset;
    event.payload_bytes = page.bytes;
    event.records = static_cast<int32_t>(page.records.size());
    event.last_arrival_s = page.SequenceOf(page.records.back()).arrival_s;
    event.millis_behind = page.millis_behind;
    SequenceNumber last = page.SequenceOf(page.records.back());
    event.frame = Frame(EncodeSubscribeEvent(page, request_.cbor, last.ToString(), {}));
    owner_.events_.Keep(Log(), next_, request_.cbor, now, event);
    Send(event, now);
    return true;
  }

  void Send(const EncodedEvent& event, int64_t now) {
    streams::StreamMetrics& metrics = request_.stream->metrics();
    metrics.subscribe_events.Add();
    metrics.subscribe_records.Add(static_cast<uint64_t>(event.records));
    metrics.subscribe_bytes.Add(static_cast<uint64_t>(event.payload_bytes));
    metrics.subscribe_millis_behind.Set(event.millis_behind);
    next_ = event.next_offset;
    last_arrival_s_ = event.last_arrival_s;
    if (registry_.limits().enforced) quota_.Take(event.payload_bytes, now);
    Push(event.frame, now);
  }

  void SendEmpty(int64_t millis_behind, int64_t now) {
    RecordPage page;
    page.shard = request_.shard;
    page.shard_created_s = ShardCreated();
    page.next_offset = next_;
    page.millis_behind = millis_behind;
    request_.stream->metrics().subscribe_events.Add();
    Push(Frame(EncodeSubscribeEvent(page, request_.cbor, Continuation().ToString(), {})), now);
  }

  void SendEnd(const RecordPage& page) {
    int64_t now = registry_.clock().MonotonicNs();
    auto state = request_.stream->state();
    std::string children = EncodeChildShards(*state, page.children, request_.cbor);
    request_.stream->metrics().subscribe_events.Add();
    Push(Frame(EncodeSubscribeEvent(page, request_.cbor, {}, children)), now);
    End(true);
  }

  base::Bytes Frame(const base::Bytes& payload) {
    base::Buffer frame(payload.size() + 256);
    aws::AppendEncodedEvent(writer_.protocol(), "SubscribeToShardEvent", payload.view(), frame);
    return std::move(frame).Share();
  }

  void Push(base::Bytes frame, int64_t now) {
    sent_ns_ = now;
    if (!writer_.PushEncoded(std::move(frame))) End(false);
  }

  // What AFTER_SEQUENCE_NUMBER takes to go on exactly here.
  SequenceNumber Continuation() const {
    int64_t created = ShardCreated();
    if (next_ == 0) return {created, 0, created, request_.shard.index};
    int64_t arrival = last_arrival_s_ != 0
                          ? last_arrival_s_
                          : streams::ArrivalSecond(created, registry_.clock().WallMs());
    return {created, static_cast<uint64_t>(next_ - 1), arrival, request_.shard.index};
  }

  void WaitForMore() {
    waiting_ = true;
    if (heartbeat_timer_ == 0) ArmHeartbeat();
    wait_ = request_.stream->WaitForMore(request_.shard, next_, [weak = weak_from_this()] {
      auto self = weak.lock();
      if (!self) return;
      self->loop_->Post([self] {
        self->waiting_ = false;
        self->wait_.reset();
        self->Pump();
      });
    });
  }

  void ArmHeartbeat() {
    int64_t since = registry_.clock().MonotonicNs() - sent_ns_;
    heartbeat_timer_ = loop_->RunAfter(std::max<int64_t>(kHeartbeatNs - since, 1'000'000),
                                       [weak = weak_from_this()] {
                                         if (auto self = weak.lock()) self->Heartbeat();
                                       });
  }

  void Heartbeat() {
    heartbeat_timer_ = 0;
    if (ended_) return;
    if (writer_.closed()) return End(false);
    int64_t now = registry_.clock().MonotonicNs();
    if (waiting_ && now - sent_ns_ >= kHeartbeatNs) SendEmpty(0, now);
    if (!ended_) ArmHeartbeat();
  }

  void PauseForQuota() {
    if (quota_timer_ != 0) return;
    request_.stream->metrics().subscribe_rate_exceeded.Add();
    quota_timer_ = loop_->RunAfter(20'000'000, [weak = weak_from_this()] {
      auto self = weak.lock();
      if (!self) return;
      self->quota_timer_ = 0;
      self->Pump();
    });
  }

  void ReadFromDisk() {
    reading_ = true;
    request_.stream->ReadAsync(request_.shard, next_, {kEventRecordsMax, kEventBytesMax},
                               [self = shared_from_this()](base::Result<RecordPage> page) mutable {
                                 self->OnLoop([self, page = std::move(page)]() mutable {
                                   self->reading_ = false;
                                   if (self->ended_) return;
                                   if (!page) return self->OnReadFailure(page.error());
                                   if (self->Deliver(std::move(*page))) self->Pump();
                                 });
                               });
  }

  void OnReadFailure(const base::Error& error) {
    if (error.code() == base::Code::kNotFound) {
      return FailWith(api::ResourceNotFoundException(error.message()));
    }
    LOG_ERROR("subscription failed", {"stream", request_.stream->key().name},
              {"shard", request_.shard.ToString()}, {"error", error.message()});
    FailWith(api::InternalFailureException("Internal service failure."));
  }

  void FailWith(aws::ServiceError error) {
    if (ended_) return;
    if (opened_) {
      std::move(writer_).Fail(std::move(error));
    } else if (reply_) {
      std::move(reply_).Fail(std::move(error));
    }
    End(false);
  }

  void End(bool politely) {
    if (ended_) return;
    ended_ = true;
    wait_.reset();
    for (net::Loop::TimerId timer : {life_timer_, heartbeat_timer_, quota_timer_}) {
      if (timer != 0) loop_->CancelTimer(timer);
    }
    if (politely && writer_) std::move(writer_).End();
    writer_ = {};
    owner_.Remove(key_, this);
  }

  log::LogId Log() const {
    if (log_.value == 0) {
      auto state = request_.stream->state();
      if (const streams::ShardEntry* entry = state->FindShard(request_.shard)) {
        log_ = entry->facts.log;
        created_s_ = entry->facts.created_s;
      }
    }
    return log_;
  }
  int64_t ShardCreated() const {
    Log();
    return created_s_;
  }

  Subscriptions& owner_;
  streams::StreamRegistry& registry_;
  const Key key_;
  const Request request_;
  net::Loop* const loop_;
  const int64_t started_ns_;

  // Everything below belongs to the loop.
  Reply reply_;
  aws::EventWriter<api::SubscribeToShardEvent> writer_;
  streams::TokenBucket quota_;
  log::Offset next_ = 0;
  int64_t last_arrival_s_ = 0;
  int64_t sent_ns_ = 0;
  bool opened_ = false, ended_ = false, reading_ = false, waiting_ = false;
  std::shared_ptr<streams::Stream::Wait> wait_;
  net::Loop::TimerId life_timer_ = 0, heartbeat_timer_ = 0, quota_timer_ = 0;
  mutable log::LogId log_;
  mutable int64_t created_s_ = 0;
};

Subscriptions::~Subscriptions() { Stop(); }

void Subscriptions::Start(Request request, Reply reply) {
  Key key{request.stream->identity().uuid, request.consumer, request.consumer_created_s,
          request.shard.index};
  auto subscription = std::make_shared<Subscription>(*this, key, std::move(request));
  std::shared_ptr<Subscription> displaced;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) {
      std::move(reply).Fail(aws::ServiceUnavailable());
      return;
    }
    std::shared_ptr<Subscription>& slot = active_[key];
    if (slot != nullptr && subscription->started_ns() - slot->started_ns() < kTakeOverNs) {
      std::move(reply).Fail(api::ResourceInUseException(std::string(kTakenOver)));
      return;
    }
    displaced = std::exchange(slot, subscription);
  }
  if (displaced != nullptr) displaced->Displace();
  subscription->Start(std::move(reply));
}

void Subscriptions::Remove(const Key& key, const Subscription* subscription) {
  std::shared_ptr<Subscription> removed;  // destroyed outside the lock
  std::lock_guard lock(mutex_);
  auto found = active_.find(key);
  if (found == active_.end() || found->second.get() != subscription) return;
  removed = std::move(found->second);
  active_.erase(found);
}

void Subscriptions::Stop() {
  std::vector<std::shared_ptr<Subscription>> all;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto& [key, subscription] : active_) all.push_back(subscription);
  }
  for (auto& subscription : all) subscription->Drop();
}

std::size_t Subscriptions::active() const {
  std::lock_guard lock(mutex_);
  return active_.size();
}

}  // namespace millstream::services::kinesis
