// The control operations of StreamRegistry.

#include <algorithm>

#include "base/check.h"
#include "base/logging.h"
#include "streams/registry_implementation.h"

namespace millstream::streams {
namespace {

constexpr int64_t kDayMs = 24 * 3'600'000LL;
constexpr int64_t kModeUpdatesPerDay = 2;

void ForgetOlderThanADay(std::vector<int64_t>& times_ms, int64_t now_ms) {
  std::erase_if(times_ms, [now_ms](int64_t at) { return at <= now_ms - kDayMs || at > now_ms; });
}

Controlled<void> ChangeTagMap(std::map<std::string, std::string>& tags,
                              const std::map<std::string, std::string>& put,
                              const std::vector<std::string>& remove, int64_t limit) {
  for (const std::string& key : remove) tags.erase(key);
  for (const auto& [key, value] : put) tags[key] = value;
  if (static_cast<int64_t>(tags.size()) > limit) {
    return RefuseCounted(Refusal::kTagLimit, static_cast<int64_t>(tags.size()), limit, 0);
  }
  return {};
}

Consumer* FindMutable(StreamState& state, std::string_view name) {
  auto found = std::find_if(state.consumers.begin(), state.consumers.end(),
                            [name](const Consumer& consumer) { return consumer.name == name; });
  return found == state.consumers.end() ? nullptr : &*found;
}

}  // namespace

Controlled<StreamPtr> StreamRegistry::Create(const StreamKey& key, const CreateOptions& options) {
  Implementation& registry = *implementation_;
  const Limits& limits = options_.limits;
  std::unique_lock lock(registry.control_mutex);
  if (registry.directory.Load()->Find(key) != nullptr) return Refuse(Refusal::kStreamExists);
  uint32_t shards = options.shards;
  if (options.mode == StreamMode::kOnDemand) {
    shards = std::max(options_.on_demand.shards_initial,
                      static_cast<uint32_t>(std::max(0, options.warm_throughput_mibps)));
  }
  if (limits.enforced) {
    Usage usage = registry.UsageOf(key.account, key.region);
    if (options.mode == StreamMode::kOnDemand) {
      if (usage.on_demand_streams >= limits.on_demand_streams_max) {
        return RefuseCounted(Refusal::kOnDemandLimit, usage.on_demand_streams,
                             limits.on_demand_streams_max, 1);
      }
    } else if (usage.open_shards + shards > limits.shards_max) {
      return RefuseCounted(Refusal::kShardLimit, usage.open_shards, limits.shards_max, shards);
    }
    if (options_.times.create_ms > 0) {
      int64_t creating = 0;
      for (const StreamPtr& stream : List(key.account, key.region)) {
        if (stream->state()->status == StreamStatus::kCreating) ++creating;
      }
      if (creating >= limits.streams_creating_max) {
        return RefuseCounted(Refusal::kStreamsCreating, creating, limits.streams_creating_max, 1);
      }
    }
  }

  Stream::Identity identity;
  identity.key = key;
  environment_.random->Fill(identity.uuid.data(), identity.uuid.size());
  identity.uuid[6] = static_cast<uint8_t>((identity.uuid[6] & 0x0f) | 0x40);  // UUID version 4
  identity.uuid[8] = static_cast<uint8_t>((identity.uuid[8] & 0x3f) | 0x80);
  identity.stream_id = StreamIdOf(identity.uuid);
  identity.created_ms = registry.NowMs();
  StreamState state;
  state.mode = options.mode;
  state.tags = options.tags;
  state.warm_throughput_mibps = options.warm_throughput_mibps;
  state.record_bytes_max = options.record_bytes_max;
  state.retention_ms = options.retention_ms;
  state.initial_shards = shards;
  state.change_due_ms = identity.created_ms + options_.times.create_ms;
  auto stream = std::make_shared<Stream>(identity, registry.StreamEnvironment(),
                                         std::make_shared<const StreamState>(std::move(state)));
  Control control(registry, *stream, Control::Locked());
  if (options_.times.create_ms <= 0) {
    control.next.status = StreamStatus::kActive;
    control.CreateShards(shards, identity.created_ms);
  }
  TRY_CONTROL(control.Commit());
  auto larger = std::make_shared<Directory>(*registry.directory.Load());
  larger->Add(stream);
  registry.directory.Store(std::move(larger));
  lock.unlock();
  registry.WakeTask();
  return stream;
}

Controlled<void> StreamRegistry::Delete(Stream& stream, bool enforce_consumer_deletion) {
  Implementation& registry = *implementation_;
  Control control(registry, stream);
  TRY_CONTROL(control.RequirePresent());
  if (control.before().status == StreamStatus::kDeleting) return {};
  if (!enforce_consumer_deletion && !control.before().consumers.empty()) {
    return Refuse(Refusal::kHasConsumers);
  }
  if (options_.times.delete_ms <= 0) return registry.Remove(stream);
  control.next.status = StreamStatus::kDeleting;
  control.next.steps.clear();
  control.next.change_due_ms = registry.NowMs() + options_.times.delete_ms;
  return control.Commit();
}

Controlled<void> StreamRegistry::Split(Stream& stream, ShardId shard, HashKey new_start) {
  Control control(*implementation_, stream);
  TRY_CONTROL(control.RequireActive());
  if (control.before().mode == StreamMode::kOnDemand) return Refuse(Refusal::kOnDemandMode);
  const ShardEntry* entry = control.before().FindShard(shard);
  if (entry == nullptr) return Refuse(Refusal::kShardNotFound, shard.ToString());
  if (!entry->facts.open()) return Refuse(Refusal::kShardClosed, shard.ToString());
  if (options_.limits.enforced && control.before().mode == StreamMode::kProvisioned) {
    Usage usage = implementation_->UsageOf(stream.key().account, stream.key().region);
    if (usage.open_shards + 1 > options_.limits.shards_max) {
      return RefuseCounted(Refusal::kShardLimit, usage.open_shards, options_.limits.shards_max, 1);
    }
  }
  // AWS wants more than the arithmetic needs: start + 1 < new_start < end.
  const HashKeyRange& range = entry->facts.range;
  if (new_start <= range.start || new_start - range.start <= 1 || new_start >= range.end) {
    return Refuse(Refusal::kHashKeyOutside, codec::ToDecimal(new_start));
  }
  control.Reshard({{ReshardStep::Kind::kSplit, shard, {}, new_start}});
  return control.Commit();
}

Controlled<void> StreamRegistry::Merge(Stream& stream, ShardId shard, ShardId adjacent) {
  Control control(*implementation_, stream);
  TRY_CONTROL(control.RequireActive());
  if (control.before().mode == StreamMode::kOnDemand) return Refuse(Refusal::kOnDemandMode);
  const ShardEntry* first = control.before().FindShard(shard);
  const ShardEntry* second = control.before().FindShard(adjacent);
  for (auto [entry, id] : {std::pair(first, shard), std::pair(second, adjacent)}) {
    if (entry == nullptr) return Refuse(Refusal::kShardNotFound, id.ToString());
  }
  for (const ShardEntry* entry : {first, second}) {
    if (!entry->facts.open()) return Refuse(Refusal::kShardClosed, entry->facts.id.ToString());
  }
  const HashKeyRange& lower = first->facts.range;
  if (lower.end == kHashKeyMax || lower.end + 1 != second->facts.range.start) {
    return Refuse(Refusal::kShardsNotAdjacent, shard.ToString() + " and " + adjacent.ToString());
  }
  control.Reshard({{ReshardStep::Kind::kMerge, shard, adjacent, 0}});
  return control.Commit();
}

Controlled<StreamRegistry::ShardCount> StreamRegistry::UpdateShardCount(Stream& stream,
                                                                        uint32_t target) {
  Control control(*implementation_, stream);
  TRY_CONTROL(control.RequireActive());
  const StreamState& before = control.before();
  if (before.mode == StreamMode::kOnDemand) return Refuse(Refusal::kOnDemandMode);
  const Limits& limits = options_.limits;
  auto current = static_cast<uint32_t>(before.open_shards());
  int64_t now_ms = implementation_->NowMs();
  ForgetOlderThanADay(control.next.shard_count_updates_ms, now_ms);
  if (int64_t{target} > 2 * int64_t{current} || 2 * int64_t{target} < int64_t{current} ||
      int64_t{target} > limits.shard_count_max || target == 0) {
    return RefuseCounted(Refusal::kShardCountRange, current, limits.shard_count_max, target);
  }
  if (limits.enforced) {
    auto updates = static_cast<int64_t>(control.next.shard_count_updates_ms.size());
    if (updates >= limits.shard_count_updates_per_day) {
      return RefuseCounted(Refusal::kShardCountRate, updates, limits.shard_count_updates_per_day,
                           1);
    }
    Usage usage = implementation_->UsageOf(stream.key().account, stream.key().region);
    int64_t extra = int64_t{target} - current;
    if (extra > 0 && usage.open_shards + extra > limits.shards_max) {
      return RefuseCounted(Refusal::kShardLimit, usage.open_shards, limits.shards_max, extra);
    }
  }
  control.next.shard_count_updates_ms.push_back(now_ms);
  control.Reshard(PlanUniform(control.OpenRanges(), before.next_shard_index, target));
  TRY_CONTROL(control.Commit());
  return ShardCount{current, target};
}

Controlled<void> StreamRegistry::SetMode(Stream& stream, StreamMode mode,
                                         std::optional<int32_t> warm_mibps) {
  Implementation& registry = *implementation_;
  Control control(registry, stream);
  TRY_CONTROL(control.RequireActive());
  const StreamState& before = control.before();
  if (before.mode == mode) return Refuse(Refusal::kSameValue);
  int64_t now_ms = registry.NowMs();
  ForgetOlderThanADay(control.next.mode_updates_ms, now_ms);
  if (options_.limits.enforced) {
    auto updates = static_cast<int64_t>(control.next.mode_updates_ms.size());
    if (updates >= kModeUpdatesPerDay) {
      return RefuseCounted(Refusal::kModeRate, updates, kModeUpdatesPerDay, 1);
    }
    Usage usage = registry.UsageOf(stream.key().account, stream.key().region);
    if (mode == StreamMode::kOnDemand &&
        usage.on_demand_streams >= options_.limits.on_demand_streams_max) {
      return RefuseCounted(Refusal::kOnDemandLimit, usage.on_demand_streams,
                           options_.limits.on_demand_streams_max, 1);
    }
    auto open = static_cast<int64_t>(before.open_shards());
    if (mode == StreamMode::kProvisioned &&
        usage.open_shards + open > options_.limits.shards_max) {
      return RefuseCounted(Refusal::kShardLimit, usage.open_shards, options_.limits.shards_max,
                           open);
    }
  }
  control.next.mode = mode;
  control.next.mode_updates_ms.push_back(now_ms);
  control.next.warm_throughput_mibps = mode == StreamMode::kOnDemand ? warm_mibps.value_or(0) : 0;
  uint32_t wanted = static_cast<uint32_t>(std::max(0, control.next.warm_throughput_mibps));
  if (wanted > before.open_shards()) {
    control.Reshard(PlanUniform(control.OpenRanges(), before.next_shard_index, wanted));
  } else {
    control.PassThroughUpdating();
  }
  registry.loads.erase(stream.identity().stream_id);
  return control.Commit();
}

Controlled<void> StreamRegistry::SetWarmThroughput(Stream& stream, int32_t mibps) {
  Control control(*implementation_, stream);
  TRY_CONTROL(control.RequireActive());
  const StreamState& before = control.before();
  control.next.warm_throughput_mibps = mibps;
  auto wanted = static_cast<uint32_t>(std::max(0, mibps));
  if (wanted > before.open_shards()) {
    control.Reshard(PlanUniform(control.OpenRanges(), before.next_shard_index, wanted));
  } else {
    control.PassThroughUpdating();
  }
  return control.Commit();
}

Controlled<void> StreamRegistry::SetRetention(Stream& stream, int64_t retention_ms) {
  Control control(*implementation_, stream);
  TRY_CONTROL(control.RequireActive());
  control.next.retention_ms = retention_ms;
  return control.Commit();
}

Controlled<void> StreamRegistry::SetRecordBytesMax(Stream& stream, int64_t bytes) {
  Control control(*implementation_, stream);
  TRY_CONTROL(control.RequireActive());
  control.next.record_bytes_max = bytes;
  control.PassThroughUpdating();
  return control.Commit();
}

Controlled<StreamRegistry::MetricsChange> StreamRegistry::SetShardMetrics(Stream& stream,
                                                                          ShardMetricSet add,
                                                                          ShardMetricSet remove) {
  Control control(*implementation_, stream);
  TRY_CONTROL(control.RequireActive());
  MetricsChange change;
  change.before = control.before().shard_metrics;
  change.after = static_cast<ShardMetricSet>((change.before | add) & ~remove);
  control.next.shard_metrics = change.after;
  control.PassThroughUpdating();
  TRY_CONTROL(control.Commit());
  return change;
}

Controlled<void> StreamRegistry::StartEncryption(Stream& stream, std::string_view key_id) {
  Control control(*implementation_, stream);
  TRY_CONTROL(control.RequireActive());
  if (environment_.key_ring == nullptr) {
    return Refuse(Refusal::kEncryption, "no key ring is configured");
  }
  if (control.before().encryption && control.before().encryption->key_id == key_id) {
    control.PassThroughUpdating();
    return control.Commit();
  }
  auto key = std::make_shared<DataKey>();
  for (const auto& old : control.before().data_keys) {
    key->number = std::max(key->number, old->number);
  }
  ++key->number;
  environment_.random->Fill(key->secret.data(), key->secret.size());
  std::string uuid = UuidText(stream.identity().uuid);
  WrappedDataKey wrapped;
  wrapped.number = key->number;
  wrapped.key_id = key_id;
  wrapped.wrapped =
      environment_.key_ring->Wrap(key->secret, key_id, uuid, *environment_.random);
  control.transaction.Put(kDataKeyKind, NumberedKey(stream.identity().uuid, key->number),
                          EncodeDataKey(wrapped));
  control.next.encryption = Encryption{std::string(key_id), key};
  control.next.data_keys.push_back(std::move(key));
  control.PassThroughUpdating();
  return control.Commit();
}

Controlled<void> StreamRegistry::StopEncryption(Stream& stream) {
  Control control(*implementation_, stream);
  TRY_CONTROL(control.RequireActive());
  control.next.encryption.reset();  // old data keys stay for the records they opened
  control.PassThroughUpdating();
  return control.Commit();
}

Controlled<void> StreamRegistry::ChangeTags(Stream& stream,
                                            const std::map<std::string, std::string>& put,
                                            const std::vector<std::string>& remove) {
  Control control(*implementation_, stream);
  TRY_CONTROL(control.RequirePresent());
  TRY_CONTROL(ChangeTagMap(control.next.tags, put, remove, options_.limits.tags_max));
  return control.Commit();
}

Controlled<void> StreamRegistry::SetPolicy(Stream& stream, std::string policy) {
  Control control(*implementation_, stream);
  TRY_CONTROL(control.RequirePresent());
  control.next.policy = std::move(policy);
  return control.Commit();
}

Controlled<Consumer> StreamRegistry::RegisterConsumer(
    Stream& stream, std::string_view name, const std::map<std::string, std::string>& tags) {
  Control control(*implementation_, stream);
  TRY_CONTROL(control.RequireActive());
  const Limits& limits = options_.limits;
  std::vector<Consumer>& consumers = control.next.consumers;
  if (FindMutable(control.next, name) != nullptr) return Refuse(Refusal::kConsumerExists, std::string(name));
  if (limits.enforced) {
    AccountSettings settings = Settings(stream.key().account, stream.key().region);
    int64_t most =
        settings.billing_commitment ? limits.consumers_advantage_max : limits.consumers_max;
    auto count = static_cast<int64_t>(consumers.size());
    if (count >= most) return RefuseCounted(Refusal::kConsumerLimit, count, most, 1);
    int64_t creating = std::count_if(
        consumers.begin(), consumers.end(),
        [](const Consumer& consumer) { return consumer.status == ConsumerStatus::kCreating; });
    if (creating >= limits.consumers_creating_max) {
      return RefuseCounted(Refusal::kConsumersCreating, creating, limits.consumers_creating_max,
                           1);
    }
  }
  Consumer consumer;
  consumer.name = name;
  consumer.created_s = implementation_->NowMs() / 1000;
  consumer.tags = tags;
  bool at_once = options_.times.consumer_ms <= 0;
  consumer.status = at_once ? ConsumerStatus::kActive : ConsumerStatus::kCreating;
  consumer.change_due_ms = implementation_->NowMs() + options_.times.consumer_ms;
  auto place = std::upper_bound(
      consumers.begin(), consumers.end(), consumer,
      [](const Consumer& a, const Consumer& b) { return a.name < b.name; });
  consumers.insert(place, consumer);
  TRY_CONTROL(control.Commit());
  // AWS answers CREATING whatever comes after.
  consumer.status = ConsumerStatus::kCreating;
  return consumer;
}

Controlled<void> StreamRegistry::DeregisterConsumer(Stream& stream, std::string_view name) {
  Control control(*implementation_, stream);
  TRY_CONTROL(control.RequirePresent());
  Consumer* consumer = FindMutable(control.next, name);
  if (consumer == nullptr) return Refuse(Refusal::kConsumerNotFound, std::string(name));
  if (options_.times.consumer_ms <= 0) {
    control.next.consumers.erase(control.next.consumers.begin() +
                                 (consumer - control.next.consumers.data()));
  } else {
    consumer->status = ConsumerStatus::kDeleting;
    consumer->change_due_ms = implementation_->NowMs() + options_.times.consumer_ms;
  }
  return control.Commit();
}

Controlled<void> StreamRegistry::ChangeConsumerTags(Stream& stream, std::string_view name,
                                                    const std::map<std::string, std::string>& put,
                                                    const std::vector<std::string>& remove) {
  Control control(*implementation_, stream);
  TRY_CONTROL(control.RequirePresent());
  Consumer* consumer = FindMutable(control.next, name);
  if (consumer == nullptr) return Refuse(Refusal::kConsumerNotFound, std::string(name));
  TRY_CONTROL(ChangeTagMap(consumer->tags, put, remove, options_.limits.tags_max));
  return control.Commit();
}

Controlled<void> StreamRegistry::SetConsumerPolicy(Stream& stream, std::string_view name,
                                                   std::string policy) {
  Control control(*implementation_, stream);
  TRY_CONTROL(control.RequirePresent());
  Consumer* consumer = FindMutable(control.next, name);
  if (consumer == nullptr) return Refuse(Refusal::kConsumerNotFound, std::string(name));
  consumer->policy = std::move(policy);
  return control.Commit();
}

Controlled<AccountSettings> StreamRegistry::SetBillingCommitment(std::string_view account,
                                                                 std::string_view region,
                                                                 bool enabled) {
  // AWS: a commitment lasts at least 24 hours.
  constexpr int64_t kCommitmentMs = kDayMs;
  std::lock_guard lock(implementation_->control_mutex);
  AccountSettings settings = Settings(account, region);
  int64_t now_ms = implementation_->NowMs();
  if (enabled) {
    if (!settings.billing_commitment) settings = {true, now_ms, 0, now_ms + kCommitmentMs};
    settings.ended_ms = 0;
  } else if (settings.billing_commitment) {
    // Ends when it may; until then it stands (see Settings).
    settings.ended_ms = std::max(now_ms, settings.earliest_end_ms);
    if (!options_.limits.enforced) settings.ended_ms = now_ms;
    settings.billing_commitment = settings.ended_ms > now_ms;
  }
  std::string key = AccountRowKey(account, region);
  catalog::Transaction transaction;
  transaction.Put(kAccountKind, key, EncodeAccount(settings));
  if (auto committed = environment_.catalog->Commit(transaction); !committed) {
    return Refuse(Refusal::kCatalog, committed.error().message());
  }
  std::lock_guard accounts_lock(implementation_->accounts_mutex);
  implementation_->accounts[key] = settings;
  return settings;
}

}  // namespace millstream::streams
