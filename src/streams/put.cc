// Stream::Put: from views of records to one durable batch per shard.

#include <algorithm>
#include <cstring>
#include <mutex>

#include "base/check.h"
#include "codec/base64.h"
#include "codec/big_endian.h"
#include "codec/crc32c.h"
#include "log/record_batch.h"
#include "streams/aes_gcm.h"
#include "streams/record_format.h"
#include "streams/stream.h"

namespace millstream::streams {

// One Put that waits for its batches. Freed by the last of them.
struct PutCall {
  PutCall(std::shared_ptr<Stream> owner, Stream::PutDone callback)
      : stream(std::move(owner)), done(std::move(callback)) {}

  // Runs on the log's writer thread, once per group that has a batch.
  void Complete(uint32_t group, base::Result<log::Offset> base_offset) {
    PutOutcome::Group& target = outcome->groups_[group];
    if (base_offset) {
      target.base_offset = *base_offset;
    } else {
      target.error = PutError::kInternal;
      std::lock_guard lock(mutex);
      if (!failure) failure.emplace(std::move(base_offset).error());
    }
    if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) Finish();
  }

  void Finish() {
    std::unique_ptr<PutCall> self(this);
    StreamMetrics& metrics = stream->metrics();
    if (all_or_nothing) {
      if (failure) return done(base::Fail(std::move(*failure)));
      metrics.put_record_success.Add();
      metrics.put_record_bytes.Add(bytes);
    } else {
      std::size_t failed = failure ? outcome->failed() : throttled;
      if (failed < outcome->size()) metrics.put_records_success.Add();
      metrics.put_records_successful.Add(outcome->size() - failed);
      metrics.put_records_failed.Add(failed - throttled);
      metrics.put_records_throttled.Add(throttled);
      metrics.put_records_bytes.Add(bytes);
    }
    done(std::move(outcome));
  }

  std::shared_ptr<Stream> stream;
  Stream::PutDone done;
  std::unique_ptr<PutOutcome> outcome = std::make_unique<PutOutcome>();
  bool all_or_nothing = false;
  std::size_t throttled = 0;
  uint64_t bytes = 0;  // accepted
  std::atomic<uint32_t> left{0};
  std::mutex mutex;
  std::optional<base::Error> failure;  // guarded by mutex until `left` is zero
};

namespace {

constexpr uint32_t kNone = UINT32_MAX;
constexpr int kRouteAttemptsMax = 64;
constexpr std::size_t kBatchBaseTimestampAt = 27;
constexpr std::size_t kBatchMaxTimestampAt = 35;
constexpr std::size_t kBatchCrcAt = 17;

// A shard that this call writes to, and its records in order.
struct Destination {
  Shard* shard = nullptr;
  uint32_t first = kNone;  // entry; the others follow through Scratch::next
  uint32_t last = kNone;
  uint32_t accepted = 0;
  std::size_t bytes = 0;  // room that the batch needs
  uint64_t payload = 0;   // data and partition keys accepted
  log::Batch batch;
};

// Arrays that a thread keeps from call to call.
struct Scratch {
  std::vector<uint32_t> destination_of_route;  // all kNone between calls
  std::vector<uint32_t> touched_routes;
  std::vector<uint32_t> next;
  std::vector<Destination> destinations;
  std::vector<uint32_t> lock_order;
  std::vector<log::Append> appends;
};

Scratch& ThreadScratch() {
  thread_local Scratch scratch;
  return scratch;
}

void GroupByShard(const StreamState& state, std::span<const PutEntry> entries,
                  std::vector<PutOutcome::Place>& places, Scratch& scratch) {
  scratch.destination_of_route.resize(
      std::max(scratch.destination_of_route.size(), state.routes.size()), kNone);
  scratch.next.resize(entries.size());
  scratch.destinations.clear();
  scratch.touched_routes.clear();
  places.resize(entries.size());
  for (uint32_t i = 0; i < entries.size(); ++i) {
    const PutEntry& entry = entries[i];
    auto after = std::upper_bound(
        state.routes.begin(), state.routes.end(), entry.hash,
        [](HashKey key, const StreamState::Route& route) { return key < route.start; });
    auto route = static_cast<uint32_t>(after - state.routes.begin() - 1);
    uint32_t& destination = scratch.destination_of_route[route];
    if (destination == kNone) {
      destination = static_cast<uint32_t>(scratch.destinations.size());
      scratch.destinations.emplace_back().shard = state.routes[route].shard;
      scratch.touched_routes.push_back(route);
    }
    Destination& to = scratch.destinations[destination];
    scratch.next[i] = kNone;
    (to.last == kNone ? to.first : scratch.next[to.last]) = i;
    to.last = i;
    places[i] = {destination, to.accepted++};
    to.payload += entry.data_size + entry.partition_key.size();
  }
  for (uint32_t route : scratch.touched_routes) scratch.destination_of_route[route] = kNone;
}

// Asks the quota of one shard for each of its records; those refused lose their ordinal.
std::size_t TakeQuota(WriteQuota& quota, std::span<const PutEntry> entries, int64_t now_ns,
                      std::vector<PutOutcome::Place>& places, const Scratch& scratch,
                      Destination& to) {
  std::size_t refused = 0;
  to.accepted = 0;
  for (uint32_t i = to.first; i != kNone; i = scratch.next[i]) {
    auto size = static_cast<int64_t>(entries[i].data_size + entries[i].partition_key.size());
    if (quota.TryTake(size, now_ns)) {
      places[i].ordinal = to.accepted++;
    } else {
      places[i].ordinal = PutOutcome::kThrottledOrdinal;
      to.payload -= static_cast<uint64_t>(size);
      ++refused;
    }
  }
  return refused;
}

// Encrypts the values of one call, or leaves them alone.
class ValueWriter {
 public:
  ValueWriter(const StreamState& state, const StreamUuid& uuid, base::Random& random)
      : random_(random) {
    if (!state.encryption) return;
    const DataKey& key = *state.encryption->data_key;
    cipher_.emplace(key.secret);
    codec::StoreBigEndian<uint32_t>(key_number_, key.number);
    context_.assign(reinterpret_cast<const char*>(uuid.data()), uuid.size());
  }
  bool encrypts() const { return cipher_.has_value(); }

  // False when the data is not base64.
  bool Add(const PutEntry& entry, log::RecordBatchBuilder& batch) {
    log::RecordHeader headers[3];
    std::size_t count = 0;
    char hash[16];
    if (entry.explicit_hash) {
      codec::StoreBigEndian<uint64_t>(hash, static_cast<uint64_t>(entry.hash >> 64));
      codec::StoreBigEndian<uint64_t>(hash + 8, static_cast<uint64_t>(entry.hash));
      headers[count++] = {kExplicitHashHeader, {hash, sizeof hash}};
    }
    if (!entry.origin.empty()) headers[count++] = {kOriginHeader, entry.origin};
    // An empty value must not look like Kafka's null.
    std::string_view data = entry.data.data() == nullptr ? std::string_view("", 0) : entry.data;
    if (!cipher_) {
      std::span<const log::RecordHeader> used(headers, count);
      if (entry.data_is_base64)
        return batch.AddBase64(entry.partition_key, data, entry.data_size, used);
      batch.Add(entry.partition_key, data, used);
      return true;
    }
    headers[count++] = {kDataKeyHeader, {key_number_, sizeof key_number_}};
    if (entry.data_is_base64) {
      plain_.resize(entry.data_size);
      auto size = codec::Base64DecodedSize(data);
      if (!size || *size != entry.data_size || !codec::Base64Decode(data, plain_.data())) {
        return false;
      }
      data = plain_;
    }
    char* out = batch.AddUnfilled(entry.partition_key, data.size() + AesGcm::kOverhead,
                                  std::span<const log::RecordHeader>(headers, count));
    uint8_t nonce[AesGcm::kNonceSize];
    NextNonce(random_, nonce);
    context_.resize(sizeof(StreamUuid));
    context_ += entry.partition_key;
    cipher_->Seal(nonce, context_, data, out);
    return true;
  }

 private:
  base::Random& random_;
  std::optional<AesGcm> cipher_;
  char key_number_[4];
  std::string context_;
  std::string plain_;
};

std::size_t BatchRoom(const Destination& to, std::span<const PutEntry> entries,
                      const Scratch& scratch, bool encrypts) {
  // Per record at most: length, attributes, deltas and counts 32, headers below 64.
  std::size_t room = log::kBatchHeaderBytes + codec::kBase64Slack;
  for (uint32_t i = to.first; i != kNone; i = scratch.next[i]) {
    const PutEntry& entry = entries[i];
    room += 32 + entry.partition_key.size() + entry.data_size + (entry.explicit_hash ? 48 : 0) +
            (entry.origin.empty() ? 0 : kOriginHeader.size() + 8 + entry.origin.size()) +
            (encrypts ? 64 : 0);
  }
  return room;
}

// Moves all records of a finished batch to a later time.
void Restamp(log::Batch& batch, int64_t timestamp_ms) {
  char* bytes = batch.bytes.data();
  codec::StoreBigEndian<int64_t>(bytes + kBatchBaseTimestampAt, timestamp_ms);
  codec::StoreBigEndian<int64_t>(bytes + kBatchMaxTimestampAt, timestamp_ms);
  std::string_view covered = batch.bytes.view().substr(log::kBatchCrcStart);
  codec::StoreBigEndian<uint32_t>(bytes + kBatchCrcAt, codec::Crc32c(covered));
  batch.max_timestamp_ms = timestamp_ms;
}

}  // namespace

PutResult PutOutcome::Result(std::size_t i) const {
  const Place& place = places_[i];
  const Group& group = groups_[place.group];
  PutResult result;
  result.shard = group.shard;
  if (place.ordinal == kThrottledOrdinal) {
    result.error = PutError::kThrottled;
  } else if (group.error != PutError::kNone) {
    result.error = group.error;
  } else {
    result.sequence = {group.shard_created_s,
                       static_cast<uint64_t>(group.base_offset) + place.ordinal, group.arrival_s,
                       group.shard.index};
  }
  return result;
}

std::size_t PutOutcome::failed() const {
  return static_cast<std::size_t>(
      std::count_if(places_.begin(), places_.end(), [this](const Place& place) {
        return place.ordinal == kThrottledOrdinal || groups_[place.group].error != PutError::kNone;
      }));
}

void Stream::Put(std::span<const PutEntry> entries, const PutOptions& options, PutDone done) {
  Scratch& scratch = ThreadScratch();
  auto call = std::make_unique<PutCall>(shared_from_this(), std::move(done));
  call->all_or_nothing = options.all_or_nothing;
  PutOutcome& outcome = *call->outcome;
  if (options.all_or_nothing) {
    metrics_.put_record_requests.Add();
  } else {
    metrics_.put_records_requests.Add();
    metrics_.put_records_total.Add(entries.size());
  }
  auto refuse = [&call](base::Error error) { call->done(base::Fail(std::move(error))); };

  for (int attempt = 0; attempt < kRouteAttemptsMax; ++attempt) {
    std::shared_ptr<const StreamState> state = state_.Load();
    if ((state->status != StreamStatus::kActive && state->status != StreamStatus::kUpdating) ||
        state->routes.empty()) {
      return refuse({base::Code::kNotFound, "stream " + key().name + " takes no records"});
    }
    GroupByShard(*state, entries, outcome.places_, scratch);
    std::vector<Destination>& destinations = scratch.destinations;

    call->throttled = 0;
    if (environment_.limits->enforced) {
      int64_t now_ns = environment_.clock->MonotonicNs();
      for (Destination& to : destinations) {
        std::size_t refused;
        {
          std::lock_guard lock(to.shard->mutex_);
          refused =
              TakeQuota(to.shard->write_quota_, entries, now_ns, outcome.places_, scratch, to);
        }
        if (refused > 0) to.shard->metrics_.write_throttled.Add(refused);
        call->throttled += refused;
      }
      if (options.all_or_nothing && call->throttled > 0) {
        return refuse({base::Code::kResourceExhausted,
                       "Rate exceeded for shard " + destinations[0].shard->id().ToString()});
      }
    }

    int64_t arrival_ms = environment_.clock->WallMs();
    if (options.ordering) {
      arrival_ms = std::max(arrival_ms, options.ordering->arrival_s * 1000);
    }
    ValueWriter values(*state, identity_.uuid, *environment_.random);
    outcome.encrypted_ = values.encrypts();
    uint32_t batches = 0;
    for (Destination& to : destinations) {
      if (to.accepted == 0) continue;
      log::RecordBatchBuilder batch(arrival_ms, BatchRoom(to, entries, scratch, values.encrypts()));
      for (uint32_t i = to.first; i != kNone; i = scratch.next[i]) {
        if (outcome.places_[i].ordinal == PutOutcome::kThrottledOrdinal) continue;
        if (!values.Add(entries[i], batch)) {
          return refuse({base::Code::kInvalidArgument,
                         "record " + std::to_string(i) + ": data is not base64"});
        }
      }
      to.batch = std::move(batch).Finish();
      ++batches;
    }

    outcome.groups_.clear();
    outcome.groups_.resize(destinations.size());
    call->bytes = 0;
    scratch.lock_order.clear();
    for (uint32_t g = 0; g < destinations.size(); ++g) {
      const Shard& shard = *destinations[g].shard;
      outcome.groups_[g].shard = shard.id();
      outcome.groups_[g].shard_created_s = shard.created_s();
      if (destinations[g].accepted > 0) scratch.lock_order.push_back(g);
      call->bytes += destinations[g].payload;
    }
    if (batches == 0) {  // all throttled
      call.release()->Finish();
      return;
    }
    std::sort(scratch.lock_order.begin(), scratch.lock_order.end(),
              [&destinations](uint32_t a, uint32_t b) {
                return destinations[a].shard->id() < destinations[b].shard->id();
              });

    call->left.store(batches, std::memory_order_relaxed);
    scratch.appends.clear();
    bool closed = false;
    base::Status accepted;
    for (uint32_t g : scratch.lock_order) destinations[g].shard->mutex_.lock();
    for (uint32_t g : scratch.lock_order) closed |= destinations[g].shard->closed_;
    if (!closed) {
      for (uint32_t g : scratch.lock_order) {
        Destination& to = destinations[g];
        Shard& shard = *to.shard;
        // Invariant: arrival times of one log never go back, whatever the clock does and whichever
        // of two concurrent calls gets here first.
        if (arrival_ms < shard.last_arrival_ms_) Restamp(to.batch, shard.last_arrival_ms_);
        int64_t stamped_ms = std::max(arrival_ms, shard.last_arrival_ms_);
        outcome.groups_[g].arrival_s = ArrivalSecond(shard.created_s(), stamped_ms);
        scratch.appends.push_back({shard.log(), std::move(to.batch),
                                   [call = call.get(), g](base::Result<log::Offset> base_offset) {
                                     call->Complete(g, std::move(base_offset));
                                   }});
      }
      accepted = environment_.store->AppendAll(scratch.appends);
      if (accepted) {
        for (uint32_t g : scratch.lock_order) {
          Shard& shard = *destinations[g].shard;
          shard.last_arrival_ms_ = std::max(arrival_ms, shard.last_arrival_ms_);
        }
      }
    }
    for (uint32_t g : scratch.lock_order) destinations[g].shard->mutex_.unlock();
    if (closed) continue;  // resharded meanwhile: the new state is published already
    if (!accepted) return refuse(std::move(accepted).error());

    call.release();  // the batches own it now, and may have freed it
    for (const Destination& to : destinations) {
      ShardMetrics& metrics = to.shard->metrics_;
      metrics.incoming_bytes.Add(to.payload);
      metrics.incoming_records.Add(to.accepted);
    }
    return;
  }
  refuse({base::Code::kUnavailable, "stream " + key().name + " is resharded too fast to follow"});
}

}  // namespace millstream::streams
