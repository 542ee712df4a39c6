// Stream's reading half: pages of records, positions, waiting.

#include <algorithm>
#include <atomic>

#include "base/check.h"
#include "codec/big_endian.h"
#include "codec/json_writer.h"
#include "log/record_batch.h"
#include "streams/aes_gcm.h"
#include "streams/record_format.h"
#include "streams/stream.h"

namespace millstream::streams {
namespace {

// What a read needs to know of its shard, taken before the batches are fetched.
struct Reading {
  ShardId shard;
  int64_t shard_created_s = 0;
  log::LogId log;
  bool closed = false;
  log::LogState before;
  std::vector<ShardId> children;
  std::vector<std::shared_ptr<const DataKey>> data_keys;
  StreamUuid uuid{};
  ReadOptions options;
  log::Offset from = 0;
};

log::ReadLimits LimitsOf(const ReadOptions& options) {
  log::ReadLimits limits;
  limits.bytes_max = static_cast<std::size_t>(options.bytes_max);
  limits.records_max = options.records_max;
  return limits;
}

// Decrypts values of one page. Each batch's plain text fits the batch's size, so one buffer per
// batch never moves.
class Decryptor {
 public:
  Decryptor(const Reading& reading, RecordPage& page) : reading_(reading), page_(page) {}

  void BeginBatch(std::size_t bytes) {
    Keep();
    batch_bytes_ = bytes;
  }

  base::Status Open(std::string_view number_bytes, RecordView& record) {
    if (number_bytes.size() != 4) return Bad(record, "has a malformed data key number");
    auto number = codec::LoadBigEndian<uint32_t>(number_bytes.data());
    if (!cipher_ || number != cipher_number_) {
      auto key = std::find_if(reading_.data_keys.begin(), reading_.data_keys.end(),
                              [number](const auto& k) { return k->number == number; });
      if (key == reading_.data_keys.end()) return Bad(record, "was encrypted with an unknown key");
      cipher_.emplace((*key)->secret);
      cipher_number_ = number;
    }
    if (record.data.size() < AesGcm::kOverhead) return Bad(record, "is too short to be encrypted");
    if (plain_.capacity() == 0) plain_.Reserve(batch_bytes_);
    context_.assign(reinterpret_cast<const char*>(reading_.uuid.data()), reading_.uuid.size());
    context_ += record.partition_key;
    std::size_t size = record.data.size() - AesGcm::kOverhead;
    CHECK(plain_.capacity() - plain_.size() >= size);
    char* out = plain_.Room(size);
    if (!cipher_->Open(context_, record.data, out)) return Bad(record, "does not decrypt");
    plain_.Commit(size);
    record.data = {out, size};
    record.encrypted = true;
    return {};
  }

  void Keep() {
    if (!plain_.empty()) page_.decrypted.push_back(std::move(plain_).Share());
    plain_ = base::Buffer();
  }

 private:
  base::Status Bad(const RecordView& record, const char* what) {
    return base::Fail(base::Code::kDataLoss, reading_.shard.ToString() + ": record at offset " +
                                                 std::to_string(record.offset) + " " + what);
  }

  const Reading& reading_;
  RecordPage& page_;
  std::optional<AesGcm> cipher_;
  uint32_t cipher_number_ = 0;
  std::size_t batch_bytes_ = 0;
  base::Buffer plain_;
  std::string context_;
};

// Adds the records of one batch; false when the page is full.
base::Result<bool> AddBatch(const Reading& reading, const log::StoredBatch& batch,
                            Decryptor& decryptor, RecordPage& page) {
  ASSIGN_OR_RETURN(log::RecordBatchView view, log::RecordBatchView::Parse(batch.bytes.view()));
  log::RecordReader reader(view);
  log::RecordView from_log;
  decryptor.BeginBatch(batch.bytes.size());
  while (reader.Next(from_log)) {
    if (from_log.offset < reading.from) continue;
    if (page.records.size() >= static_cast<std::size_t>(reading.options.records_max)) return false;
    RecordView record;
    record.data = from_log.value;
    record.partition_key = from_log.key;
    record.plain_key = codec::IsPlainInJson(from_log.key);
    record.offset = from_log.offset;
    record.arrival_ms = from_log.timestamp_ms;
    if (from_log.header_count > 0) {
      auto hash = from_log.Header(kExplicitHashHeader);
      if (hash && hash->size() == 16) {
        record.explicit_hash = codec::MakeUint128(codec::LoadBigEndian<uint64_t>(hash->data()),
                                                  codec::LoadBigEndian<uint64_t>(hash->data() + 8));
      }
      if (auto origin = from_log.Header(kOriginHeader)) record.origin = *origin;
      if (auto number = from_log.Header(kDataKeyHeader)) {
        TRY(decryptor.Open(*number, record));
      }
    }
    auto bytes = static_cast<int64_t>(record.data.size() + record.partition_key.size());
    if (!page.records.empty() && page.bytes + bytes > reading.options.bytes_max) return false;
    page.bytes += bytes;
    page.records.push_back(record);
    page.next_offset = record.offset + 1;
  }
  if (!reader.status()) return base::Fail(reader.status().error());
  page.next_offset = std::max(page.next_offset, batch.next_offset());
  return true;
}

base::Result<RecordPage> MakePage(const Reading& reading, std::vector<log::StoredBatch> batches,
                                  int64_t now_ms) {
  RecordPage page;
  page.shard = reading.shard;
  page.shard_created_s = reading.shard_created_s;
  page.next_offset = reading.from;
  std::size_t expected = 0;
  for (const log::StoredBatch& batch : batches) {
    expected += static_cast<std::size_t>(batch.record_count);
  }
  page.records.reserve(
      std::min(expected, static_cast<std::size_t>(reading.options.records_max)));
  Decryptor decryptor(reading, page);
  for (const log::StoredBatch& batch : batches) {
    ASSIGN_OR_RETURN(bool more, AddBatch(reading, batch, decryptor, page));
    if (!more) break;
  }
  decryptor.Keep();
  page.batches = std::move(batches);

  const log::LogState& log = reading.before;
  bool at_tip = page.next_offset >= log.durable_end;
  if (!at_tip && !page.records.empty()) {
    page.millis_behind = std::max<int64_t>(1, now_ms - page.records.back().arrival_ms);
  } else if (!at_tip) {
    page.millis_behind = std::max<int64_t>(1, now_ms - log.last_timestamp_ms);
  }
  if (reading.closed && page.next_offset >= log.assigned_end && at_tip) {
    page.shard_end = true;
    page.children = reading.children;
  }
  return page;
}

base::Result<Reading> BeginReading(const StreamState& state, const StreamUuid& uuid,
                                   const log::Store& store, ShardId shard, log::Offset from,
                                   const ReadOptions& options) {
  const ShardEntry* entry = state.FindShard(shard);
  if (entry == nullptr) {
    return base::Fail(base::Code::kNotFound, shard.ToString() + " does not exist");
  }
  Reading reading;
  reading.shard = shard;
  reading.shard_created_s = entry->facts.created_s;
  reading.log = entry->facts.log;
  // Order matters: what was appended before the shard closed is in a state taken afterwards.
  reading.closed = !entry->facts.open();
  ASSIGN_OR_RETURN(reading.before, store.State(reading.log));
  if (reading.closed) reading.children = entry->children;
  if (!state.data_keys.empty()) reading.data_keys = state.data_keys;
  reading.uuid = uuid;
  reading.options = options;
  reading.from = std::clamp(from, reading.before.start_offset, reading.before.durable_end);
  return reading;
}

}  // namespace

base::Result<std::optional<RecordPage>> Stream::ReadCached(ShardId shard, log::Offset from,
                                                           const ReadOptions& options) const {
  std::shared_ptr<const StreamState> state = state_.Load();
  // Twice: retention may trim between looking at the log and reading from it.
  for (int attempt = 0;; ++attempt) {
    ASSIGN_OR_RETURN(Reading reading, BeginReading(*state, identity_.uuid, *environment_.store,
                                                   shard, from, options));
    auto batches =
        environment_.store->ReadCached(reading.log, reading.from, LimitsOf(options));
    if (!batches) {
      if (batches.error().code() == base::Code::kExpired && attempt == 0) continue;
      return base::Fail(std::move(batches).error());
    }
    if (!*batches) return std::nullopt;
    ASSIGN_OR_RETURN(RecordPage page,
                     MakePage(reading, std::move(**batches), environment_.clock->WallMs()));
    return page;
  }
}

void Stream::ReadAsync(ShardId shard, log::Offset from, const ReadOptions& options,
                       base::Function<void(base::Result<RecordPage>)> done) const {
  std::shared_ptr<const StreamState> state = state_.Load();
  auto reading =
      BeginReading(*state, identity_.uuid, *environment_.store, shard, from, options);
  if (!reading) return done(base::Fail(std::move(reading).error()));
  log::LogId log = reading->log;
  log::Offset start = reading->from;
  environment_.store->ReadAsync(
      log, start, LimitsOf(options),
      [self = shared_from_this(), reading = std::move(*reading),
       done = std::move(done)](base::Result<std::vector<log::StoredBatch>> batches) mutable {
        if (!batches) {
          base::Error error = std::move(batches).error();
          if (error.code() != base::Code::kExpired) return done(base::Fail(std::move(error)));
          // Trimmed meanwhile: go on from where the log begins now.
          return self->ReadAsync(reading.shard, 0, reading.options, std::move(done));
        }
        done(MakePage(reading, std::move(*batches), self->environment_.clock->WallMs()));
      });
}

void Stream::Resolve(ShardId shard, const StartPosition& position,
                     base::Function<void(base::Result<log::Offset>)> done) const {
  std::shared_ptr<const StreamState> state = state_.Load();
  const ShardEntry* entry = state->FindShard(shard);
  if (entry == nullptr) {
    return done(base::Fail(base::Code::kNotFound, shard.ToString() + " does not exist"));
  }
  auto log = environment_.store->State(entry->facts.log);
  if (!log) return done(base::Fail(std::move(log).error()));
  switch (position.kind) {
    case StartPosition::Kind::kTrimHorizon:
      return done(log->start_offset);
    case StartPosition::Kind::kLatest:
      return done(log->durable_end);
    case StartPosition::Kind::kAtSequence:
    case StartPosition::Kind::kAfterSequence: {
      const SequenceNumber& sequence = position.sequence;
      auto offset = static_cast<log::Offset>(
          std::min<uint64_t>(sequence.index, static_cast<uint64_t>(log->durable_end)));
      // The shard's StartingSequenceNumber has the index of the first record, but is less.
      bool is_record = sequence.arrival_s > entry->facts.created_s || sequence.index > 0;
      if (position.kind == StartPosition::Kind::kAfterSequence && is_record &&
          offset < log->durable_end) {
        ++offset;
      }
      return done(std::max(offset, log->start_offset));
    }
    case StartPosition::Kind::kAtTimestamp:
      return environment_.store->FindTimestamp(entry->facts.log, position.timestamp_ms,
                                               std::move(done));
  }
}

// Both ways of being woken share one call of `ready`.
class Stream::Wait {
 public:
  Wait(log::Store& store, std::shared_ptr<Shard> shard) : store_(store), shard_(std::move(shard)) {}
  Wait(const Wait&) = delete;
  ~Wait() {
    if (once_ != nullptr) once_->called.store(true, std::memory_order_relaxed);
    if (in_log_) store_.CancelWait(shard_->log(), log_wait_);
    if (closing_ != 0) shard_->ForgetClosing(closing_);
  }

  void Start(log::Offset from, base::Function<void()> ready) {
    once_ = std::make_shared<Once>();
    once_->ready = std::move(ready);
    closing_ = shard_->OnClosing(std::make_shared<base::Function<void()>>(
        [once = once_] { once->Call(); }));
    if (closing_ == 0) {
      // Closed: what is still on its way to the disk will wake us, and after that nothing.
      auto state = store_.State(shard_->log());
      if (!state || state->assigned_end <= from) return once_->Call();
    }
    log_wait_ = store_.WaitPast(shard_->log(), from, [once = once_] { once->Call(); });
    in_log_ = true;
  }

 private:
  struct Once {
    std::atomic<bool> called{false};
    base::Function<void()> ready;
    void Call() {
      if (!called.exchange(true, std::memory_order_acq_rel)) ready();
    }
  };

  log::Store& store_;
  const std::shared_ptr<Shard> shard_;
  std::shared_ptr<Once> once_;
  bool in_log_ = false;
  log::Store::WaitId log_wait_ = 0;
  uint64_t closing_ = 0;
};

std::shared_ptr<Stream::Wait> Stream::WaitForMore(ShardId shard, log::Offset from,
                                                  base::Function<void()> ready) const {
  std::shared_ptr<const StreamState> state = state_.Load();
  const ShardEntry* entry = state->FindShard(shard);
  if (entry == nullptr) {
    ready();
    return nullptr;
  }
  auto wait = std::make_shared<Wait>(*environment_.store, entry->shard);
  wait->Start(from, std::move(ready));
  return wait;
}

Stream::Stream(Identity identity, Environment environment,
               std::shared_ptr<const StreamState> state)
    : identity_(std::move(identity)), environment_(environment), state_(std::move(state)) {}

}  // namespace millstream::streams
