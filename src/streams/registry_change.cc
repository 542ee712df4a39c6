// StreamRegistry::Control: one change of one stream, from a copied state to a published one.

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/logging.h"
#include "streams/registry_implementation.h"

namespace millstream::streams {
namespace {

// A stream's shards begin two seconds before it, as on AWS, so that the first record's arrival is
// after the shard's creation (kinesalite, actions/createStream.js).
constexpr int64_t kCreationLeadMs = 2000;

}  // namespace

Controlled<void> StreamRegistry::Control::RequirePresent() const {
  if (registry_.directory.Load()->Find(stream_.key()).get() != &stream_) {
    return Refuse(Refusal::kStreamNotFound);
  }
  return {};
}

Controlled<void> StreamRegistry::Control::RequireActive() const {
  TRY_CONTROL(RequirePresent());
  if (before_->status != StreamStatus::kActive) {
    Refused refused;
    refused.reason = Refusal::kStreamNotActive;
    refused.status = before_->status;
    return tl::unexpected<Refused>(std::move(refused));
  }
  return {};
}

void StreamRegistry::Control::AddShard(const ShardFacts& facts) {
  ShardEntry entry;
  entry.facts = facts;
  entry.shard = registry_.MakeShard(facts);
  next.shards.push_back(std::move(entry));
  transaction.Put(kShardKind, NumberedKey(stream_.identity().uuid, facts.id.index),
                  EncodeShard(facts));
}

void StreamRegistry::Control::CreateShards(uint32_t count, int64_t created_ms) {
  for (uint32_t i = 0; i < count; ++i) {
    ShardFacts facts;
    facts.id = {next.next_shard_index++};
    facts.range = UniformRange(i, count);
    facts.created_s = (created_ms - kCreationLeadMs) / 1000;
    facts.log = {registry_.next_log++};
    AddShard(facts);
  }
  logs_allocated_ = true;
  next.initial_shards = 0;
}

std::vector<OpenRange> StreamRegistry::Control::OpenRanges() const {
  std::vector<OpenRange> open;
  open.reserve(next.routes.size());
  for (const StreamState::Route& route : next.routes) {
    open.push_back({route.shard->id(), route.shard->range()});
  }
  return open;
}

void StreamRegistry::Control::Reshard(std::vector<ReshardStep> steps) {
  int64_t update_ms = registry_.options.times.update_ms;
  if (update_ms <= 0) {
    ApplyReshard(steps);
    return;
  }
  next.status = StreamStatus::kUpdating;
  next.steps = std::move(steps);
  next.change_due_ms = registry_.NowMs() + update_ms;
}

void StreamRegistry::Control::ApplyReshard(std::span<const ReshardStep> steps) {
  if (steps.empty()) return;
  std::vector<ShardFacts> facts;
  facts.reserve(next.shards.size() + 2 * steps.size());
  for (const ShardEntry& entry : next.shards) facts.push_back(entry.facts);
  ApplySteps(steps, registry_.NowMs(), facts, next.next_shard_index,
             [this] { return log::LogId{registry_.next_log++}; });
  logs_allocated_ = true;
  std::size_t existing = next.shards.size();
  for (std::size_t i = 0; i < existing; ++i) {
    if (facts[i].open() == next.shards[i].facts.open()) continue;
    next.shards[i].facts = facts[i];
    closing_.push_back(next.shards[i].shard);
    transaction.Put(kShardKind, NumberedKey(stream_.identity().uuid, facts[i].id.index),
                    EncodeShard(facts[i]));
  }
  for (std::size_t i = existing; i < facts.size(); ++i) AddShard(facts[i]);
}

void StreamRegistry::Control::ForgetShards(const std::vector<ShardId>& expired) {
  for (ShardId id : expired) {
    const ShardEntry* entry = next.FindShard(id);
    CHECK(entry != nullptr && !entry->facts.open());
    transaction.Delete(kShardKind, NumberedKey(stream_.identity().uuid, id.index));
    transaction.Put(kDoomedLogKind, std::to_string(entry->facts.log.value), "");
    doomed_.push_back(entry->facts.log);
  }
  std::erase_if(next.shards, [&expired](const ShardEntry& entry) {
    return std::find(expired.begin(), expired.end(), entry.facts.id) != expired.end();
  });
}

Controlled<void> StreamRegistry::Control::Commit() {
  next.Index();
  transaction.Put(kStreamKind, UuidText(stream_.identity().uuid),
                  EncodeStream(stream_.identity(), next));
  if (logs_allocated_) {
    transaction.Put(kMetaKind, kNextLogKey, std::to_string(registry_.next_log));
  }
  if (auto committed = registry_.environment.catalog->Commit(transaction); !committed) {
    LOG_ERROR("catalog commit failed", {"stream", stream_.key().name},
              {"error", committed.error().message()});
    return Refuse(Refusal::kCatalog, committed.error().message());
  }
  const StreamUuid& uuid = stream_.identity().uuid;
  if (next.status != StreamStatus::kActive) registry_.agenda.emplace(next.change_due_ms, uuid);
  for (const Consumer& consumer : next.consumers) {
    if (consumer.status != ConsumerStatus::kActive) {
      registry_.agenda.emplace(consumer.change_due_ms, uuid);
    }
  }

  auto published = std::make_shared<const StreamState>(std::move(next));
  std::vector<std::shared_ptr<base::Function<void()>>> waiters;
  // Invariant: a Put that finds its shard closed finds the new routes too, and a reader that sees
  // the shard closed knows that nothing can be appended any more.
  for (const auto& shard : closing_) shard->mutex_.lock();
  for (const auto& shard : closing_) {
    shard->closed_ = true;
    for (auto& [id, waiter] : shard->closing_waiters_) waiters.push_back(std::move(waiter));
    shard->closing_waiters_.clear();
  }
  stream_.state_.Store(std::move(published));
  for (const auto& shard : closing_) shard->mutex_.unlock();
  for (auto& waiter : waiters) (*waiter)();

  if (!doomed_.empty()) {
    if (auto dropped = registry_.DropDoomedLogs(); !dropped) {
      LOG_WARN("logs of expired shards stay for now", {"error", dropped.error().message()});
    }
  }
  // Only while the control lock is held by this object; RunDue looks at the agenda itself.
  if (lock_.owns_lock()) {
    lock_.unlock();
    registry_.WakeTask();
  }
  return {};
}

// The last act of a stream: its rows go, then its logs.
Controlled<void> StreamRegistry::Implementation::Remove(Stream& stream) {
  auto state = stream.state();
  std::string uuid = UuidText(stream.identity().uuid);
  catalog::Transaction transaction;
  transaction.Delete(kStreamKind, uuid);
  transaction.DeletePrefix(kShardKind, uuid + "/");
  transaction.DeletePrefix(kDataKeyKind, uuid + "/");
  for (const ShardEntry& entry : state->shards) {
    transaction.Put(kDoomedLogKind, std::to_string(entry.facts.log.value), "");
  }
  if (auto committed = environment.catalog->Commit(transaction); !committed) {
    LOG_ERROR("catalog commit failed", {"stream", stream.key().name},
              {"error", committed.error().message()});
    return Refuse(Refusal::kCatalog, committed.error().message());
  }
  auto smaller = std::make_shared<Directory>(*directory.Load());
  smaller->Remove(stream);
  directory.Store(std::move(smaller));
  loads.erase(stream.identity().stream_id);

  auto gone = std::make_shared<StreamState>(*state);
  gone->status = StreamStatus::kDeleting;
  std::vector<std::shared_ptr<base::Function<void()>>> waiters;
  stream.state_.Store(std::move(gone));
  for (const ShardEntry& entry : state->shards) {
    std::lock_guard lock(entry.shard->mutex_);
    entry.shard->closed_ = true;
    for (auto& [id, waiter] : entry.shard->closing_waiters_) waiters.push_back(std::move(waiter));
    entry.shard->closing_waiters_.clear();
  }
  if (auto dropped = DropDoomedLogs(); !dropped) {
    LOG_WARN("logs of a deleted stream stay for now", {"stream", stream.key().name},
             {"error", dropped.error().message()});
  }
  for (auto& waiter : waiters) (*waiter)();
  return {};
}

}  // namespace millstream::streams
