#include "services/kinesis/fast_path.h"

#include <utility>

#include "aws/arn.h"
#include "aws/generated/kinesis.h"
#include "base/bytes.h"
#include "base/logging.h"
#include "codec/cbor.h"
#include "codec/json_cursor.h"
#include "codec/json_writer.h"
#include "net/loop.h"
#include "services/kinesis/put_answer.h"
#include "services/kinesis/put_request.h"

namespace millstream::services::kinesis {
namespace {

namespace api = aws::kinesis;
using codec::CborItems;
using codec::CborReader;
using codec::CborType;
using codec::CborWriter;
using codec::JsonCursor;
using codec::JsonScan;
using codec::JsonWriter;
using streams::PutOutcome;
using streams::StreamPtr;

constexpr std::size_t kPutRecordsBytesMax = 10u << 20;

bool IsCbor(const aws::Call& call) { return call.protocol == aws::Protocol::kCborKinesis; }

// Runs `work` on the loop of the connection, where answers are written; at once when there is none
// (the log's writer thread must not spend its time on encoding).
template <typename Work>
void OnLoop(net::Loop* loop, Work work) {
  if (loop == nullptr || loop->IsCurrent()) {
    work();
  } else {
    loop->Post(std::move(work));
  }
}

// A put that is under way. While Stream::Put has not returned, `reply` can still be taken back, so
// that a call refused at once is worded by the generic path.
struct PendingPut {
  std::unique_ptr<aws::ReplySink> reply;
  StreamPtr stream;
  net::Loop* loop = nullptr;
  bool cbor = false;
  bool single = false;
};

void AnswerPut(PendingPut& put, base::Result<std::unique_ptr<PutOutcome>> outcome) {
  if (!outcome) {
    // Refused after it was accepted: the log failed while it was written.
    LOG_ERROR("put failed", {"stream", put.stream->key().name},
              {"error", outcome.error().message()});
    put.reply->Fail(aws::InternalFailure());
    return;
  }
  if (!put.single) {
    put.reply->SendEncoded(EncodePutRecords(**outcome, *put.stream, put.cbor));
    return;
  }
  streams::PutResult result = (*outcome)->Result(0);
  switch (result.error) {
    case streams::PutError::kNone:
      put.reply->SendEncoded(EncodePutRecord(**outcome, put.cbor));
      return;
    case streams::PutError::kThrottled:
      put.reply->Fail(api::ProvisionedThroughputExceededException(
          RateExceededMessage(result.shard, put.stream->key())));
      return;
    case streams::PutError::kInternal:
      put.reply->Fail(aws::InternalFailure());
      return;
  }
}

struct GetRequest {
  std::string_view iterator;
  std::optional<int64_t> limit;
};

bool ParseGetJson(std::string_view body, GetRequest& request) {
  JsonCursor json(body);
  if (!json.Consume('{')) return false;
  do {
    std::string_view key, ignored;
    int64_t limit;
    if (json.ReadKey(key) != JsonScan::kOk) return false;
    if (key == "ShardIterator") {
      if (json.ReadString(request.iterator) != JsonScan::kOk) return false;
    } else if (key == "Limit") {
      if (json.ReadInt64(limit) != JsonScan::kOk) return false;
      request.limit = limit;
    } else if (key == "StreamARN") {
      if (json.ReadString(ignored) != JsonScan::kOk) return false;
    } else {
      return false;
    }
  } while (json.Consume(','));
  return json.Consume('}') && json.AtEnd();
}

bool ParseGetCbor(std::string_view body, GetRequest& request) {
  CborReader cbor(body);
  if (cbor.Peek() != CborType::kMap) return false;
  for (CborItems members = cbor.ReadMap(); cbor.Next(members);) {
    std::string_view key = cbor.ReadText();
    if (key == "ShardIterator") {
      if (cbor.Peek() != CborType::kText) return false;
      request.iterator = cbor.ReadText();
    } else if (key == "Limit") {
      if (cbor.Peek() != CborType::kUnsigned) return false;
      request.limit = cbor.ReadInt64();
    } else if (key == "StreamARN") {
      if (cbor.Peek() != CborType::kText) return false;
      cbor.ReadText();
    } else {
      return false;
    }
  }
  return cbor.ok() && cbor.AtEnd();
}

// One GetRecords under way.
struct PendingRead {
  StreamPtr stream;
  streams::ShardIterator position;
  PageBudget::Share memory;
  bool cbor = false;
};

constexpr int64_t kCompactFactor = 4;

// What a page keeps alive: whole batches, of which it may show a few records.
int64_t MemoryOf(const streams::RecordPage& page) {
  std::size_t bytes = page.records.size() * sizeof(streams::RecordView);
  for (const log::StoredBatch& batch : page.batches) bytes += batch.bytes.size();
  for (const base::Bytes& plain : page.decrypted) bytes += plain.size();
  return static_cast<int64_t>(bytes);
}

// A page of few records copies them, rather than keep their batches alive.
void Compact(streams::RecordPage& page) {
  std::size_t bytes = 0;
  for (const streams::RecordView& record : page.records) {
    bytes += record.data.size() + record.partition_key.size() + record.origin.size();
  }
  base::Buffer memory;
  memory.Reserve(bytes);
  auto keep = [&memory](std::string_view& view) {
    const char* to = memory.data() + memory.size();
    memory.Append(view);
    view = {to, view.size()};
  };
  for (streams::RecordView& record : page.records) {
    keep(record.data);
    keep(record.partition_key);
    keep(record.origin);
  }
  page.batches.clear();
  page.decrypted.clear();
  page.decrypted.push_back(std::move(memory).Share());
}

aws::ServiceError TooManyReads(const PendingRead& read) {
  return api::ProvisionedThroughputExceededException(
      RateExceededMessage(read.position.shard, read.stream->key()));
}

aws::Outcome<PageAnswer> AnswerRead(streams::StreamRegistry& registry, PendingRead& read,
                                    base::Result<streams::RecordPage> page) {
  if (!page && page.error().code() == base::Code::kResourceExhausted) {
    return aws::FailCall(TooManyReads(read));  // the disk's queue is full
  }
  if (!page) {
    LOG_ERROR("read failed", {"stream", read.stream->key().name},
              {"shard", read.position.shard.ToString()}, {"error", page.error().message()});
    return aws::FailCall(aws::InternalFailure());
  }
  int64_t memory = MemoryOf(*page);
  if (memory > read.memory.bytes() && memory > kCompactFactor * page->bytes) {
    Compact(*page);
    memory = MemoryOf(*page);
  }
  if (!read.memory.Resize(memory)) return aws::FailCall(TooManyReads(read));
  base::Clock& clock = registry.clock();
  auto state = read.stream->state();
  streams::StreamMetrics& metrics = read.stream->metrics();
  metrics.get_records_success.Add();
  metrics.get_records_records.Add(page->records.size());
  metrics.get_records_bytes.Add(static_cast<uint64_t>(page->bytes));
  metrics.get_records_iterator_age_ms.Set(page->millis_behind);
  if (const streams::ShardEntry* entry = state->FindShard(page->shard)) {
    entry->shard->ChargeRead(page->bytes, clock.MonotonicNs());
    streams::ShardMetrics& of_shard = entry->shard->metrics();
    of_shard.outgoing_records.Add(page->records.size());
    of_shard.outgoing_bytes.Add(static_cast<uint64_t>(page->bytes));
    of_shard.iterator_age_ms.Set(page->millis_behind);
  }
  std::optional<std::string> next;
  std::string children;
  if (page->shard_end) {
    children = EncodeChildShards(*state, page->children, read.cbor);
  } else {
    read.position.offset = page->next_offset;
    read.position.issued_ms = clock.WallMs();
    next = registry.iterators().Seal(read.position);
  }
  return MakePageAnswer(std::move(*page), std::move(read.memory), read.cbor, next, children);
}

}  // namespace

std::optional<streams::StreamKeyView> ParseStreamArn(std::string_view text) {
  constexpr std::string_view kResource = "stream/";
  aws::ArnView arn;
  if (!aws::ParseArn(text, arn) || arn.service != "kinesis") return std::nullopt;
  if (!arn.resource.starts_with(kResource)) return std::nullopt;
  std::string_view name = arn.resource.substr(kResource.size());
  if (name.empty() || name.find('/') != std::string_view::npos) return std::nullopt;
  return streams::StreamKeyView(arn.account, arn.region, name);
}

std::string StreamArn(const streams::StreamKey& key) {
  return aws::FormatStreamArn(key.region, key.account, key.name);
}

std::string EncodeChildShards(const streams::StreamState& state,
                              const std::vector<streams::ShardId>& children, bool cbor) {
  std::string out;
  std::vector<const streams::ShardEntry*> entries;
  for (streams::ShardId child : children) {
    if (const streams::ShardEntry* entry = state.FindShard(child)) entries.push_back(entry);
  }
  if (entries.empty()) return out;
  CborWriter binary(out);
  JsonWriter text(out);
  cbor ? (void)binary.BeginArray(entries.size()) : (void)text.BeginArray();
  for (const streams::ShardEntry* entry : entries) {
    const streams::ShardFacts& facts = entry->facts;
    std::string id = facts.id.ToString();
    std::string start = codec::ToDecimal(facts.range.start),
                end = codec::ToDecimal(facts.range.end);
    std::vector<std::string> parents;
    if (facts.parent) parents.push_back(facts.parent->ToString());
    if (facts.adjacent_parent) parents.push_back(facts.adjacent_parent->ToString());
    if (cbor) {
      binary.BeginMap(3).Text("ShardId").Text(id).Text("ParentShards").BeginArray(parents.size());
      for (const std::string& parent : parents) binary.Text(parent);
      binary.Text("HashKeyRange").BeginMap(2).Text("StartingHashKey").Text(start);
      binary.Text("EndingHashKey").Text(end);
    } else {
      text.BeginObject().Field("ShardId", id).Key("ParentShards").BeginArray();
      for (const std::string& parent : parents) text.String(parent);
      text.EndArray().Key("HashKeyRange").BeginObject().Field("StartingHashKey", start);
      text.Field("EndingHashKey", end).EndObject().EndObject();
    }
  }
  if (!cbor) text.EndArray();
  return out;
}

bool FastPath::Try(const aws::OperationSchema& operation, const aws::Call& call,
                   const http::Request& request, std::unique_ptr<aws::ReplySink>& reply) {
  if (call.protocol != aws::Protocol::kJson11 && call.protocol != aws::Protocol::kCborKinesis) {
    return false;
  }
  if (operation.name == "PutRecords") return TryPut(call, request, false, reply);
  if (operation.name == "PutRecord") return TryPut(call, request, true, reply);
  if (operation.name == "GetRecords") return TryGet(call, request, reply);
  return false;
}

bool FastPath::TryPut(const aws::Call& call, const http::Request& request, bool single,
                      std::unique_ptr<aws::ReplySink>& reply) {
  bool cbor = IsCbor(call);
  thread_local PutRequest put;
  std::string_view body = request.body.view();
  if (!(single ? ParsePutRecord(body, cbor, put) : ParsePutRecords(body, cbor, put))) return false;

  streams::StreamKeyView key(call.account, call.region, put.stream_name);
  if (!put.stream_arn.empty()) {
    auto parsed = ParseStreamArn(put.stream_arn);
    if (!parsed) return false;
    key = *parsed;
  }
  StreamPtr stream = registry_.Find(key);
  if (stream == nullptr) return false;
  auto state = stream->state();
  if (state->routes.empty() || state->status == streams::StreamStatus::kDeleting) return false;
  if (!single && put.payload_bytes > kPutRecordsBytesMax) return false;
  for (const streams::PutEntry& entry : put.entries) {
    if (static_cast<int64_t>(entry.data_size + entry.partition_key.size()) >
        state->record_bytes_max) {
      return false;
    }
  }
  if (call.authorizer != nullptr &&
      call.authorizer->Authorize(call, single ? "kinesis:PutRecord" : "kinesis:PutRecords",
                                 StreamArn(stream->key()))) {
    return false;
  }

  auto pending = std::make_unique<PendingPut>();
  pending->reply = std::move(reply);
  pending->stream = stream;
  pending->loop = net::Loop::Current();
  pending->cbor = cbor;
  pending->single = single;

  // Set while Put runs; a refusal before it returns is left to the generic path.
  struct Declined {
    std::unique_ptr<aws::ReplySink> reply;
  } declined;
  thread_local Declined* declining = nullptr;
  declining = &declined;
  stream->Put(
      put.entries, {.all_or_nothing = single, .ordering = std::nullopt},
      [pending = std::move(pending)](base::Result<std::unique_ptr<PutOutcome>> outcome) mutable {
        if (!outcome && declining != nullptr) {
          declining->reply = std::move(pending->reply);
          return;
        }
        net::Loop* loop = pending->loop;
        OnLoop(loop, [pending = std::move(pending), outcome = std::move(outcome)]() mutable {
          AnswerPut(*pending, std::move(outcome));
        });
      });
  declining = nullptr;
  if (declined.reply != nullptr) {
    reply = std::move(declined.reply);
    return false;
  }
  return true;
}

void FastPath::ReadPage(const aws::Call& call, std::string_view token, std::optional<int64_t> limit,
                        PageDone done) {
  auto refuse = [&](aws::ServiceError error) { done(aws::FailCall(std::move(error))); };
  base::Clock& clock = registry_.clock();
  auto position = registry_.iterators().Open(token);
  if (!position) return refuse(api::InvalidArgumentException("Invalid ShardIterator."));
  if (auto age = streams::IteratorSealer::CheckAge(*position, clock.WallMs()); !age) {
    return refuse(age.error().code() == base::Code::kExpired
                      ? api::ExpiredIteratorException(age.error().message())
                      : api::InvalidArgumentException(age.error().message()));
  }
  StreamPtr stream = registry_.Find(position->stream);
  // Of a stream that is gone AWS says the same as of a shard that is (kinesalite, test/getRecords.js).
  auto state = stream == nullptr ? nullptr : stream->state();
  const streams::ShardEntry* entry = state == nullptr ? nullptr : state->FindShard(position->shard);
  if (entry == nullptr || stream->identity().uuid != position->uuid) {
    return refuse(api::ResourceNotFoundException(
        "Shard " + position->shard.ToString() + " in stream " + position->stream.name +
        " under account " + position->stream.account + " does not exist"));
  }
  if (call.authorizer != nullptr) {
    if (auto denied =
            call.authorizer->Authorize(call, "kinesis:GetRecords", StreamArn(stream->key()))) {
      return refuse(std::move(*denied));
    }
  }
  stream->metrics().get_records_requests.Add();
  if (!entry->shard->TryBeginRead(clock.MonotonicNs())) {
    return refuse(api::ProvisionedThroughputExceededException(
        RateExceededMessage(position->shard, stream->key())));
  }

  const streams::Limits& limits = registry_.limits();
  streams::ReadOptions options;
  options.records_max = static_cast<int32_t>(
      std::min<int64_t>(limit.value_or(limits.page_records_max), limits.page_records_max));
  PendingRead read{stream, *position, {}, IsCbor(call)};
  auto memory = pages_->Take(limits.page_bytes_max, call.connection);
  if (!memory) return refuse(TooManyReads(read));
  read.memory = std::move(*memory);
  options.bytes_max = read.memory.bytes();
  auto cached = stream->ReadCached(position->shard, position->offset, options);
  if (!cached) return done(AnswerRead(registry_, read, base::Fail(cached.error())));
  if (*cached) return done(AnswerRead(registry_, read, std::move(**cached)));
  stream->ReadAsync(position->shard, position->offset, options,
                    [this, read = std::move(read),
                     done = std::move(done)](base::Result<streams::RecordPage> page) mutable {
                      done(AnswerRead(registry_, read, std::move(page)));
                    });
}

bool FastPath::TryGet(const aws::Call& call, const http::Request& request,
                      std::unique_ptr<aws::ReplySink>& reply) {
  GetRequest get;
  std::string_view body = request.body.view();
  if (!(IsCbor(call) ? ParseGetCbor(body, get) : ParseGetJson(body, get))) return false;
  // Lengths and ranges outside the model are the generic path's to word.
  if (get.iterator.empty() || get.iterator.size() > 512) return false;
  if (get.limit && (*get.limit < 1 || *get.limit > 10'000)) return false;
  ReadPage(call, get.iterator, get.limit,
           [sink = std::move(reply)](aws::Outcome<PageAnswer> answer) mutable {
             if (!answer) {
               sink->Fail(std::move(answer).error());
             } else {
               sink->SendEncoded(std::move(answer->source), answer->content_length);
             }
           });
  return true;
}

}  // namespace millstream::services::kinesis
