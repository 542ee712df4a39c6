#include "streams/registry.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/check.h"
#include "base/logging.h"
#include "log/log_range.h"
#include "streams/registry_implementation.h"

namespace millstream::streams {
namespace {

std::size_t Mix(std::size_t hash, std::string_view text) {
  return hash * 0x9e3779b97f4a7c15ULL ^ std::hash<std::string_view>()(text);
}

std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string AccountRowKey(std::string_view account, std::string_view region) {
  return std::string(account) + "/" + std::string(region);
}

std::size_t Directory::KeyHash::operator()(const StreamKeyView& key) const {
  return Mix(Mix(std::hash<std::string_view>()(key.name), key.account), key.region);
}

StreamPtr Directory::Find(const StreamKeyView& key) const {
  const auto& bucket = by_key[KeyHash()(key) % kBuckets];
  if (bucket == nullptr) return nullptr;
  auto found = bucket->find(key);
  return found == bucket->end() ? nullptr : found->second;
}

StreamPtr Directory::FindId(const std::string& id) const {
  const auto& bucket = by_id[std::hash<std::string>()(id) % kBuckets];
  if (bucket == nullptr) return nullptr;
  auto found = bucket->find(id);
  return found == bucket->end() ? nullptr : found->second;
}

void Directory::Add(const StreamPtr& stream) {
  auto& bucket = by_key[KeyHash()(stream->key()) % kBuckets];
  auto copy = bucket == nullptr ? std::make_shared<Bucket>() : std::make_shared<Bucket>(*bucket);
  (*copy)[stream->key()] = stream;
  bucket = std::move(copy);
  const std::string& id = stream->identity().stream_id;
  auto& id_bucket = by_id[std::hash<std::string>()(id) % kBuckets];
  auto id_copy = id_bucket == nullptr ? std::make_shared<IdBucket>()
                                      : std::make_shared<IdBucket>(*id_bucket);
  (*id_copy)[id] = stream;
  id_bucket = std::move(id_copy);
}

void Directory::Remove(const Stream& stream) {
  auto& bucket = by_key[KeyHash()(stream.key()) % kBuckets];
  if (bucket != nullptr) {
    auto copy = std::make_shared<Bucket>(*bucket);
    auto found = copy->find(stream.key());
    if (found != copy->end() && found->second.get() == &stream) copy->erase(found);
    bucket = std::move(copy);
  }
  auto& id_bucket = by_id[std::hash<std::string>()(stream.identity().stream_id) % kBuckets];
  if (id_bucket != nullptr) {
    auto copy = std::make_shared<IdBucket>(*id_bucket);
    copy->erase(stream.identity().stream_id);
    id_bucket = std::move(copy);
  }
}

StreamRegistry::StreamRegistry(RegistryEnvironment environment, RegistryOptions options)
    : environment_(environment),
      options_(options),
      implementation_(std::make_unique<Implementation>(environment, options)) {}

StreamRegistry::~StreamRegistry() { Stop(); }

base::Result<std::unique_ptr<StreamRegistry>> StreamRegistry::Open(
    RegistryEnvironment environment, RegistryOptions options) {
  std::unique_ptr<StreamRegistry> registry(new StreamRegistry(environment, options));
  TRY(registry->implementation_->Load());
  ASSIGN_OR_RETURN(auto key, environment.catalog->Get(kMetaKind, kIteratorKey));
  IteratorSealer::Key iterator_key;
  if (!key) {
    environment.random->Fill(iterator_key.data(), iterator_key.size());
    catalog::Transaction transaction;
    transaction.Put(kMetaKind, kIteratorKey,
                    {reinterpret_cast<const char*>(iterator_key.data()), iterator_key.size()});
    TRY(environment.catalog->Commit(transaction));
  } else if (key->size() == iterator_key.size()) {
    std::memcpy(iterator_key.data(), key->data(), key->size());
  } else {
    return base::Fail(base::Code::kDataLoss, "catalog: the iterator key has the wrong size");
  }
  registry->sealer_ = std::make_unique<IteratorSealer>(iterator_key, *environment.random);
  return registry;
}

base::Status StreamRegistry::Implementation::Load() {
  started_wall_ms = environment.clock->WallMs();
  started_monotonic_ns = environment.clock->MonotonicNs();
  std::lock_guard lock(control_mutex);
  TRY(LoadMeta());
  TRY(LoadStreams());
  TRY(DropDoomedLogs());
  return {};
}

base::Status StreamRegistry::Implementation::LoadMeta() {
  ASSIGN_OR_RETURN(auto stored, environment.catalog->Get(kMetaKind, kNextLogKey));
  std::vector<log::LogId> logs = environment.log->List();
  std::erase_if(logs, [](log::LogId log) { return log.value >= log::kEngineLogsFirst; });
  uint64_t above = 1;
  for (log::LogId log : logs) above = std::max(above, log.value + 1);
  if (!stored) {
    if (logs.empty()) return {};
    return base::Fail(base::Code::kDataLoss,
                      "the catalog is empty but the data directory holds " +
                          std::to_string(logs.size()) +
                          " logs: restore catalog.db beside them, or use another directory");
  }
  auto number = ParseNumber(*stored);
  if (!number) return base::Fail(base::Code::kDataLoss, "catalog: malformed next log number");
  next_log = *number;
  if (above > next_log) {
    // An older catalog than the logs, as after restoring a backup: never reuse their numbers.
    LOG_WARN("logs newer than the catalog", {"next_log", next_log}, {"found", above - 1});
    next_log = above;
  }
  ASSIGN_OR_RETURN(auto rows, environment.catalog->Scan(kAccountKind));
  std::lock_guard lock(accounts_mutex);
  for (const catalog::Row& row : rows) {
    ASSIGN_OR_RETURN(accounts[row.key], DecodeAccount(row.value));
  }
  return {};
}

base::Status StreamRegistry::Implementation::LoadStreams() {
  ASSIGN_OR_RETURN(auto stream_rows, environment.catalog->Scan(kStreamKind));
  ASSIGN_OR_RETURN(auto shard_rows, environment.catalog->Scan(kShardKind));
  ASSIGN_OR_RETURN(auto key_rows, environment.catalog->Scan(kDataKeyKind));
  std::unordered_map<std::string, std::vector<std::string_view>> shards_of, keys_of;
  auto group = [](const std::vector<catalog::Row>& rows, auto& by_uuid) {
    for (const catalog::Row& row : rows) {
      by_uuid[row.key.substr(0, row.key.find('/'))].push_back(row.value);
    }
  };
  group(shard_rows, shards_of);
  group(key_rows, keys_of);

  auto next = std::make_shared<Directory>();
  for (const catalog::Row& row : stream_rows) {
    ASSIGN_OR_RETURN(DecodedStream decoded, DecodeStream(row.key, row.value));
    StreamState& state = decoded.state;
    for (std::string_view value : keys_of[row.key]) {
      ASSIGN_OR_RETURN(WrappedDataKey wrapped, DecodeDataKey(value));
      if (environment.key_ring == nullptr) {
        return base::Fail(base::Code::kFailedPrecondition,
                          "stream " + decoded.identity.key.name +
                              " is encrypted, but no key ring is configured");
      }
      auto secret = environment.key_ring->Unwrap(wrapped.wrapped, wrapped.key_id, row.key);
      if (!secret) {
        return base::Fail(secret.error().Within("stream " + decoded.identity.key.name));
      }
      auto key = std::make_shared<DataKey>();
      key->number = wrapped.number;
      key->secret = *secret;
      if (state.encryption && wrapped.number == decoded.data_key_number) {
        state.encryption->data_key = key;
      }
      state.data_keys.push_back(std::move(key));
    }
    if (state.encryption && state.encryption->data_key == nullptr) {
      return base::Fail(base::Code::kDataLoss, "catalog: stream " + decoded.identity.key.name +
                                                   " has lost its data key");
    }
    for (std::string_view value : shards_of[row.key]) {
      ShardEntry entry;
      ASSIGN_OR_RETURN(entry.facts, DecodeShard(value));
      entry.shard = MakeShard(entry.facts);
      state.shards.push_back(std::move(entry));
    }
    state.Index();
    bool passing = state.status != StreamStatus::kActive;
    if (passing) agenda.emplace(state.change_due_ms, decoded.identity.uuid);
    for (const Consumer& consumer : state.consumers) {
      if (consumer.status != ConsumerStatus::kActive) {
        agenda.emplace(consumer.change_due_ms, decoded.identity.uuid);
      }
    }
    next->Add(std::make_shared<Stream>(decoded.identity, StreamEnvironment(),
                                       std::make_shared<const StreamState>(std::move(state))));
  }
  directory.Store(std::move(next));
  return {};
}

base::Status StreamRegistry::Implementation::DropDoomedLogs() {
  ASSIGN_OR_RETURN(auto rows, environment.catalog->Scan(kDoomedLogKind));
  catalog::Transaction done;
  for (const catalog::Row& row : rows) {
    auto number = ParseNumber(row.key);
    if (number) {
      auto deleted = environment.log->Delete(log::LogId{*number});
      if (!deleted && deleted.error().code() != base::Code::kNotFound) {
        LOG_WARN("log of a deleted stream stays", {"log", *number},
                 {"error", deleted.error().message()});
        continue;
      }
    }
    done.Delete(kDoomedLogKind, row.key);
  }
  return environment.catalog->Commit(done);
}

std::shared_ptr<Shard> StreamRegistry::Implementation::MakeShard(const ShardFacts& facts) const {
  auto shard = std::make_shared<Shard>(facts, options.limits);
  if (auto created = environment.log->Create(facts.log); !created) {
    // Appends and reads of this shard will say so again to whoever tries.
    LOG_ERROR("log not created", {"log", facts.log.value}, {"error", created.error().message()});
  }
  if (auto state = environment.log->State(facts.log)) {
    shard->last_arrival_ms_ = state->last_timestamp_ms;
  }
  return shard;
}

StreamPtr StreamRegistry::Find(const StreamKeyView& key) const {
  return implementation_->directory.Load()->Find(key);
}

StreamPtr StreamRegistry::FindByUuid(const StreamUuid& uuid) const {
  StreamPtr stream = FindByStreamId(StreamIdOf(uuid));
  return stream != nullptr && stream->identity().uuid == uuid ? stream : nullptr;
}

StreamPtr StreamRegistry::FindByStreamId(std::string_view stream_id) const {
  return implementation_->directory.Load()->FindId(std::string(stream_id));
}

std::vector<StreamPtr> StreamRegistry::List(std::string_view account,
                                            std::string_view region) const {
  std::vector<StreamPtr> streams = ListAll();
  std::erase_if(streams, [&](const StreamPtr& stream) {
    return stream->key().account != account || stream->key().region != region;
  });
  return streams;
}

std::vector<StreamPtr> StreamRegistry::ListAll() const {
  auto directory = implementation_->directory.Load();
  std::vector<StreamPtr> streams;
  for (const auto& bucket : directory->by_key) {
    if (bucket == nullptr) continue;
    for (const auto& [key, stream] : *bucket) streams.push_back(stream);
  }
  std::sort(streams.begin(), streams.end(),
            [](const StreamPtr& a, const StreamPtr& b) { return a->key() < b->key(); });
  return streams;
}

bool StreamRegistry::TryControl(std::string_view account, std::string_view region,
                                std::string_view operation, int64_t per_second) {
  if (!options_.limits.enforced || !options_.limits.control_rates) return true;
  constexpr std::size_t kBucketsMax = 100'000;
  std::string key = AccountRowKey(account, region) + "/" + std::string(operation);
  int64_t now_ns = environment_.clock->MonotonicNs();
  std::lock_guard lock(implementation_->rates_mutex);
  auto& rates = implementation_->rates;
  if (rates.size() >= kBucketsMax) rates.clear();
  return rates.try_emplace(std::move(key), per_second, per_second)
      .first->second.TryTake(1, now_ns);
}

StreamRegistry::Usage StreamRegistry::Implementation::UsageOf(std::string_view account,
                                                              std::string_view region) const {
  Usage usage;
  auto all = directory.Load();
  for (const auto& bucket : all->by_key) {
    if (bucket == nullptr) continue;
    for (const auto& [key, stream] : *bucket) {
      if (key.account != account || key.region != region) continue;
      auto state = stream->state();
      if (state->status == StreamStatus::kDeleting) continue;
      if (state->mode == StreamMode::kOnDemand) {
        ++usage.on_demand_streams;
      } else {
        usage.open_shards += static_cast<int64_t>(
            state->status == StreamStatus::kCreating ? state->initial_shards
                                                     : state->open_shards());
      }
    }
  }
  return usage;
}

StreamRegistry::Usage StreamRegistry::UsageOf(std::string_view account,
                                              std::string_view region) const {
  return implementation_->UsageOf(account, region);
}

AccountSettings StreamRegistry::Settings(std::string_view account, std::string_view region) const {
  std::lock_guard lock(implementation_->accounts_mutex);
  auto found = implementation_->accounts.find(AccountRowKey(account, region));
  if (found == implementation_->accounts.end()) return {};
  AccountSettings settings = found->second;
  if (settings.ended_ms != 0 && settings.ended_ms <= implementation_->NowMs()) {
    settings.billing_commitment = false;
  }
  return settings;
}

}  // namespace millstream::streams
