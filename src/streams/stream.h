#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/function.h"
#include "base/random.h"
#include "base/result.h"
#include "log/store.h"
#include "streams/metrics.h"
#include "streams/published.h"
#include "streams/stream_state.h"

namespace millstream::streams {

// One record on its way in. The views must live until Put() returns, no longer.
struct PutEntry {
  std::string_view partition_key;
  HashKey hash = 0;            // where it goes: MD5 of the key, or the explicit one
  bool explicit_hash = false;  // then the explicit key is kept with the record
  std::string_view data;       // raw bytes, or base64 when data_is_base64
  bool data_is_base64 = false;
  uint32_t data_size = 0;      // decoded
  // Who wrote it and which of its writes it is: kept with the record, not shown to clients. An
  // engine that finds its own origins at the end of a stream knows what it need not write again.
  std::string_view origin = {};
};

enum class PutError : uint8_t {
  kNone,
  kThrottled,  // the shard's quota: ProvisionedThroughputExceededException
  kInternal,   // the log refused or failed: InternalFailure
};

// What became of one record.
struct PutResult {
  PutError error = PutError::kNone;
  ShardId shard;
  SequenceNumber sequence;  // when error is kNone
};

// What became of the records of one Put. Compact, so that the log's writer thread does next to
// nothing for it; the fields are worked out by whoever asks.
class PutOutcome {
 public:
  // Records that went to one shard together.
  struct Group {
    ShardId shard;
    int64_t shard_created_s = 0;
    int64_t arrival_s = 0;  // as in the sequence numbers
    log::Offset base_offset = 0;
    PutError error = PutError::kNone;
  };
  struct Place {
    uint32_t group;
    uint32_t ordinal;  // within the group's batch; kThrottledOrdinal when it was refused
  };
  static constexpr uint32_t kThrottledOrdinal = UINT32_MAX;

  std::size_t size() const { return places_.size(); }
  std::span<const Group> groups() const { return groups_; }
  std::span<const Place> places() const { return places_; }
  PutResult Result(std::size_t i) const;
  std::size_t failed() const;
  bool encrypted() const { return encrypted_; }

 private:
  friend class Stream;
  friend struct PutCall;
  std::vector<Group> groups_;
  std::vector<Place> places_;
  bool encrypted_ = false;
};

struct PutOptions {
  // PutRecord: refuse the whole call rather than a record. The result is kResourceExhausted then.
  bool all_or_nothing = false;
  // PutRecord's SequenceNumberForOrdering: arrival must not be before it.
  std::optional<SequenceNumber> ordering;
};

// One record on its way out. Views into the page that holds it.
struct RecordView {
  std::string_view data;
  std::string_view partition_key;
  std::optional<HashKey> explicit_hash;
  log::Offset offset = 0;
  int64_t arrival_ms = 0;
  bool encrypted = false;  // was encrypted on disk
  bool plain_key = false;  // codec::IsPlainInJson(partition_key), seen while it was at hand
  std::string_view origin = {};  // as PutEntry has it
};

// Records of one shard in order, and where to go on. Keeps the bytes of its records alive.
struct RecordPage {
  std::vector<RecordView> records;
  ShardId shard;
  int64_t shard_created_s = 0;
  log::Offset next_offset = 0;
  int64_t bytes = 0;          // data and partition keys
  int64_t millis_behind = 0;  // 0 at the tip
  bool shard_end = false;     // nothing will ever follow: no next iterator
  std::vector<ShardId> children;  // with shard_end: to read next

  SequenceNumber SequenceOf(const RecordView& record) const {
    return {shard_created_s, static_cast<uint64_t>(record.offset),
            ArrivalSecond(shard_created_s, record.arrival_ms), shard.index};
  }

  std::vector<log::StoredBatch> batches;   // memory of the views
  std::vector<base::Bytes> decrypted;      // the same, of encrypted streams
};

struct ReadOptions {
  int32_t records_max = 10'000;
  int64_t bytes_max = 10 << 20;
};

// Where a reader wants to begin.
struct StartPosition {
  enum class Kind { kTrimHorizon, kLatest, kAtSequence, kAfterSequence, kAtTimestamp };
  Kind kind = Kind::kTrimHorizon;
  SequenceNumber sequence;
  int64_t timestamp_ms = 0;
};

// A stream: an identity with a changing state and the operations of the hot path. Owned by
// shared_ptr; the registry lists it until it is deleted. Control operations are the registry's.
//
// Thread-safe; everything here is fit for event loops (no I/O, no waiting for other streams).
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  struct Identity {
    StreamKey key;
    StreamUuid uuid{};
    std::string stream_id;  // AWS's 20+3 characters, made from the uuid
    int64_t created_ms = 0;
  };
  struct Environment {
    log::Store* store = nullptr;
    base::Clock* clock = nullptr;
    base::Random* random = nullptr;
    const Limits* limits = nullptr;
  };
  Stream(Identity identity, Environment environment, std::shared_ptr<const StreamState> state);

  const Identity& identity() const { return identity_; }
  const StreamKey& key() const { return identity_.key; }
  std::shared_ptr<const StreamState> state() const { return state_.Load(); }
  StreamMetrics& metrics() { return metrics_; }
  const StreamMetrics& metrics() const { return metrics_; }

  // Appends the entries, each to the shard that its hash belongs to, in their order within a shard.
  //
  // `done` runs exactly once: with the outcome when every batch is durable, on the log's writer
  // thread (it must be short), or on the calling thread before Put returns when the call is refused
  // as a whole: kNotFound (stream not ACTIVE or UPDATING), kResourceExhausted (all_or_nothing and
  // throttled: PutError of a single record; log queue full), kInvalidArgument (data is no base64),
  // kUnavailable (log sealed).
  //
  // Cost per record: one 128-bit search in the routes, a counting sort, one copy (or base64 decode)
  // into the batch, a share of the batch's CRC. Per call: two vectors, and per shard touched one
  // batch buffer, one lock for the quotas and one for the append.
  using PutDone = base::Function<void(base::Result<std::unique_ptr<PutOutcome>>)>;
  void Put(std::span<const PutEntry> entries, const PutOptions& options, PutDone done);

  // Records from `from` on as far as memory has them without I/O; nullopt: use ReadAsync.
  // An offset before the trim horizon is moved up to it.
  base::Result<std::optional<RecordPage>> ReadCached(ShardId shard, log::Offset from,
                                                     const ReadOptions& options) const;
  // The same from disk as well; `done` runs on a reader thread or before the call returns.
  void ReadAsync(ShardId shard, log::Offset from, const ReadOptions& options,
                 base::Function<void(base::Result<RecordPage>)> done) const;

  // The offset a position stands for. kNotFound: no such shard. kInvalidArgument with `reason` of
  // the caller's choosing is the services' affair: sequence numbers are checked by CheckSequence.
  void Resolve(ShardId shard, const StartPosition& position,
               base::Function<void(base::Result<log::Offset>)> done) const;

  // Calls `ready` once when the shard has records at or after `from`, is closed, or is gone; at once
  // when it is so already. Any thread; must be short. The handle cancels when destroyed.
  class Wait;
  std::shared_ptr<Wait> WaitForMore(ShardId shard, log::Offset from,
                                    base::Function<void()> ready) const;

 private:
  friend class StreamRegistry;

  const Identity identity_;
  const Environment environment_;
  Published<StreamState> state_;
  StreamMetrics metrics_;
};

}  // namespace millstream::streams
