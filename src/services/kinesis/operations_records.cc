// The generic ways of PutRecord, PutRecords and GetRecords; GetShardIterator.
#include <algorithm>

#include "base/logging.h"
#include "codec/md5.h"
#include "net/loop.h"
#include "services/kinesis/put_answer.h"
#include "services/kinesis/refusals.h"
#include "services/kinesis/service.h"

namespace millstream::services::kinesis {
namespace {

using streams::PutEntry;
using streams::PutOutcome;
using streams::SequenceNumber;
using streams::ShardId;
using streams::StartPosition;

bool TakesRecords(const streams::StreamState& state) {
  return !state.routes.empty() && (state.status == streams::StreamStatus::kActive ||
                                   state.status == streams::StreamStatus::kUpdating);
}

// One record into an entry; views into the arguments.
aws::Outcome<PutEntry> MakeEntry(const base::Bytes& data, const std::string& key,
                                 const std::optional<std::string>& explicit_hash,
                                 int64_t record_bytes_max, const std::string& path) {
  PutEntry entry;
  entry.partition_key = key;
  entry.data = data.view();
  entry.data_size = static_cast<uint32_t>(data.size());
  std::string size = std::to_string(data.size());
  if (static_cast<int64_t>(data.size()) > record_bytes_max) {
    return aws::FailCall(aws::ValidationException(
        "1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=" + size +
        " cap=" + size + "]' at '" + path +
        "' failed to satisfy constraint: Member must have length less than or equal to " +
        std::to_string(record_bytes_max)));
  }
  if (static_cast<int64_t>(data.size() + key.size()) > record_bytes_max) {
    return aws::FailCall(api::InvalidArgumentException(
        "The record's data (" + size + " bytes) and partition key (" + std::to_string(key.size()) +
        " bytes) exceed the stream's maximum record size of " + std::to_string(record_bytes_max) +
        " bytes."));
  }
  if (!explicit_hash) {
    entry.hash = codec::Md5HashKey(key);
    return entry;
  }
  auto hash = streams::ParseHashKey(*explicit_hash);
  if (!hash) {
    return aws::FailCall(api::InvalidArgumentException(
        "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified "
        "value was " +
        *explicit_hash));
  }
  entry.hash = *hash;
  entry.explicit_hash = true;
  return entry;
}

// Runs `work` on the loop that the call came from: the log's writer thread must not encode answers.
template <typename Work>
void OnLoop(net::Loop* loop, Work work) {
  if (loop == nullptr || loop->IsCurrent()) {
    work();
  } else {
    loop->Post(std::move(work));
  }
}

// The answer to a put that was refused or failed as a whole.
aws::ServiceError PutFailure(const base::Error& error, const streams::StreamKey& stream) {
  switch (error.code()) {
    case base::Code::kNotFound:
      return StreamNotFound(stream.name, stream.account);
    case base::Code::kResourceExhausted:
      // "Rate exceeded for shard shardId-...", or the log's queue is full: either way, later.
      return api::ProvisionedThroughputExceededException(error.message() + " in stream " +
                                                         stream.name + " under account " +
                                                         stream.account + ".");
    case base::Code::kInvalidArgument:
      return aws::SerializationException();
    default:
      break;
  }
  LOG_ERROR("put failed", {"stream", stream.name}, {"error", error.message()});
  return aws::InternalFailure();
}

using PutResultOf = base::Result<std::unique_ptr<PutOutcome>>;

void AnswerPutRecord(PutResultOf outcome, const streams::Stream& stream,
                     aws::Reply<api::PutRecordOutput> reply) {
  if (!outcome) return std::move(reply).Fail(PutFailure(outcome.error(), stream.key()));
  streams::PutResult result = (*outcome)->Result(0);
  if (result.error == streams::PutError::kThrottled) {
    return std::move(reply).Fail(api::ProvisionedThroughputExceededException(
        RateExceededMessage(result.shard, stream.key())));
  }
  if (result.error != streams::PutError::kNone) {
    return std::move(reply).Fail(aws::InternalFailure());
  }
  api::PutRecordOutput output;
  output.shard_id = result.shard.ToString();
  output.sequence_number = result.sequence.ToString();
  if ((*outcome)->encrypted()) output.encryption_type = "KMS";
  std::move(reply).Send(output);
}

void AnswerPutRecords(PutResultOf outcome, const streams::Stream& stream,
                      aws::Reply<api::PutRecordsOutput> reply) {
  if (!outcome) return std::move(reply).Fail(PutFailure(outcome.error(), stream.key()));
  const PutOutcome& results = **outcome;
  api::PutRecordsOutput output;
  output.failed_record_count = static_cast<int32_t>(results.failed());
  if (results.encrypted()) output.encryption_type = "KMS";
  output.records.resize(results.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    streams::PutResult result = results.Result(i);
    api::PutRecordsResultEntry& row = output.records[i];
    if (result.error == streams::PutError::kNone) {
      row.sequence_number = result.sequence.ToString();
      row.shard_id = result.shard.ToString();
    } else if (result.error == streams::PutError::kThrottled) {
      row.error_code = "ProvisionedThroughputExceededException";
      row.error_message = RateExceededMessage(result.shard, stream.key());
    } else {
      row.error_code = "InternalFailure";
      row.error_message = "Internal service failure.";
    }
  }
  std::move(reply).Send(output);
}

}  // namespace

void KinesisService::PutRecord(const aws::Call& call, api::PutRecordInput input,
                               aws::Reply<api::PutRecordOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  auto state = (*stream)->state();
  const streams::StreamKey& key = (*stream)->key();
  if (!TakesRecords(*state)) return std::move(reply).Fail(StreamNotFound(key.name, key.account));
  auto entry = MakeEntry(input.data, input.partition_key, input.explicit_hash_key,
                         state->record_bytes_max, "data");
  if (!entry) return std::move(reply).Fail(entry.error());
  streams::PutOptions options{.all_or_nothing = true, .ordering = std::nullopt};
  if (input.sequence_number_for_ordering) {
    if (auto parsed = SequenceNumber::ParseAnyVersion(*input.sequence_number_for_ordering)) {
      options.ordering = parsed->number;
    }
    if (!options.ordering || options.ordering->arrival_s * 1000 > call.now_ms + 5000) {
      return std::move(reply).Fail(api::InvalidArgumentException(
          "ExclusiveMinimumSequenceNumber " + *input.sequence_number_for_ordering +
          " used in PutRecord on stream " + key.name + " under account " + key.account +
          " is invalid."));
    }
  }
  (*stream)->Put({&*entry, 1}, options,
                 [stream = *stream, loop = net::Loop::Current(), reply = std::move(reply)](
                     base::Result<std::unique_ptr<PutOutcome>> outcome) mutable {
                   OnLoop(loop, [stream, reply = std::move(reply),
                                 outcome = std::move(outcome)]() mutable {
                     AnswerPutRecord(std::move(outcome), *stream, std::move(reply));
                   });
                 });
}

void KinesisService::PutRecords(const aws::Call& call, api::PutRecordsInput input,
                                aws::Reply<api::PutRecordsOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  auto state = (*stream)->state();
  const streams::StreamKey& key = (*stream)->key();
  if (!TakesRecords(*state)) return std::move(reply).Fail(StreamNotFound(key.name, key.account));
  std::vector<PutEntry> entries;
  int64_t bytes = 0;
  for (std::size_t i = 0; i < input.records.size(); ++i) {
    const api::PutRecordsRequestEntry& record = input.records[i];
    auto entry =
        MakeEntry(record.data, record.partition_key, record.explicit_hash_key,
                  state->record_bytes_max, "records." + std::to_string(i + 1) + ".member.data");
    if (!entry) return std::move(reply).Fail(entry.error());
    bytes += static_cast<int64_t>(entry->data_size + record.partition_key.size());
    entries.push_back(*entry);
  }
  int64_t most = registry_.limits().put_records_bytes_max;
  if (bytes > most) {
    return std::move(reply).Fail(api::InvalidArgumentException(
        "Records size exceeds " + std::to_string(most >> 20) + " MB limit"));
  }
  (*stream)->Put(entries, {},
                 [stream = *stream, loop = net::Loop::Current(), reply = std::move(reply)](
                     base::Result<std::unique_ptr<PutOutcome>> outcome) mutable {
                   OnLoop(loop, [stream, reply = std::move(reply),
                                 outcome = std::move(outcome)]() mutable {
                     AnswerPutRecords(std::move(outcome), *stream, std::move(reply));
                   });
                 });
}

void KinesisService::GetRecords(const aws::Call& call, api::GetRecordsInput input,
                                aws::Reply<api::GetRecordsOutput> reply) {
  std::optional<int64_t> limit;
  if (input.limit) limit = *input.limit;
  fast_.ReadPage(call, input.shard_iterator, limit,
                 [reply = std::move(reply)](aws::Outcome<PageAnswer> answer) mutable {
                   if (!answer) return std::move(reply).Fail(std::move(answer).error());
                   std::move(reply).SendEncoded(std::move(answer->source), answer->content_length);
                 });
}

namespace {

std::string InStream(const streams::StreamKey& stream) {
  return " in stream " + stream.name + " under account " + stream.account;
}

// Checks a sequence number against the shard it is to be used with, in AWS's words.
aws::Outcome<SequenceNumber> CheckSequence(const std::string& text, std::string_view operation,
                                           const streams::ShardFacts& facts,
                                           const streams::StreamKey& stream) {
  std::string shard = facts.id.ToString();
  std::string used = "StartingSequenceNumber " + text + " used in " + std::string(operation) +
                     " on shard " + shard + InStream(stream) + " is invalid";
  auto parsed = SequenceNumber::ParseAnyVersion(text);
  if (!parsed) return aws::FailCall(api::InvalidArgumentException(used + "."));
  const SequenceNumber* sequence = &parsed->number;
  if (sequence->shard_index != facts.id.index) {
    return aws::FailCall(api::InvalidArgumentException(
        "Invalid StartingSequenceNumber. It encodes " + ShardId{sequence->shard_index}.ToString() +
        ", while it was used in a call to a shard with " + shard));
  }
  // AWS fails on the oldest layout, small numbers among them (kinesalite, test/getShardIterator.js).
  if (parsed->version == 0) return aws::FailCall(aws::InternalFailure());
  if (parsed->version != 2 || sequence->shard_created_s != facts.created_s) {
    return aws::FailCall(
        api::InvalidArgumentException(used + " because it did not come from this stream."));
  }
  return *sequence;
}

}  // namespace

aws::Outcome<StartPosition> CheckStart(const std::string& type,
                                       const std::optional<std::string>& sequence,
                                       const std::optional<int64_t>& timestamp_ms, int64_t now_ms,
                                       std::string_view operation, const streams::ShardFacts& facts,
                                       const streams::StreamKey& stream) {
  using Kind = StartPosition::Kind;
  StartPosition position;
  constexpr std::string_view kEither =
      "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and "
      "StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request "
      "specified ";
  bool by_sequence = type == "AT_SEQUENCE_NUMBER" || type == "AFTER_SEQUENCE_NUMBER";
  if (by_sequence != sequence.has_value() && type != "AT_TIMESTAMP") {
    return aws::FailCall(api::InvalidArgumentException(
        std::string(kEither) + type +
        (by_sequence ? " and no StartingSequenceNumber." : " and also a StartingSequenceNumber.")));
  }
  if (by_sequence) {
    auto checked = CheckSequence(*sequence, operation, facts, stream);
    if (!checked) return aws::FailCall(checked.error());
    position.kind = type == "AT_SEQUENCE_NUMBER" ? Kind::kAtSequence : Kind::kAfterSequence;
    position.sequence = *checked;
  } else if (type == "AT_TIMESTAMP") {
    if (!timestamp_ms) {
      return aws::FailCall(api::InvalidArgumentException(
          "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current "
          "request has no timestamp parameter."));
    }
    if (*timestamp_ms > now_ms) {
      return aws::FailCall(api::InvalidArgumentException(
          "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
          "timestampInMillis: " +
          std::to_string(*timestamp_ms) + ", currentTimestampInMillis: " + std::to_string(now_ms)));
    }
    position.kind = Kind::kAtTimestamp;
    position.timestamp_ms = *timestamp_ms;
  } else {
    position.kind = type == "LATEST" ? Kind::kLatest : Kind::kTrimHorizon;
  }
  return position;
}

void KinesisService::GetShardIterator(const aws::Call& call, api::GetShardIteratorInput input,
                                      aws::Reply<api::GetShardIteratorOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  auto shard = ShardId::Parse(input.shard_id);
  if (!shard) {
    streams::StreamKey key{call.account, call.region, input.stream_name.value_or("")};
    return std::move(reply).Fail(ShardMissing(input.shard_id, stream ? (*stream)->key() : key));
  }
  if (!stream) {
    if (stream.error().code == "ResourceNotFoundException" && input.stream_name) {
      return std::move(reply).Fail(api::ResourceNotFoundException(
          "Shard " + shard->ToString() + InStream({call.account, call.region, *input.stream_name}) +
          " does not exist"));
    }
    return std::move(reply).Fail(stream.error());
  }
  auto state = (*stream)->state();
  const streams::ShardEntry* entry = state->FindShard(*shard);
  if (entry == nullptr) {
    return std::move(reply).Fail(api::ResourceNotFoundException(
        "Shard " + shard->ToString() + InStream((*stream)->key()) + " does not exist"));
  }
  // Five a second for each shard (botocore's documentation).
  std::string rate = "GetShardIterator/" + (*stream)->key().name + "/" + shard->ToString();
  if (!registry_.TryControl(call.account, call.region, rate, 5)) {
    return std::move(reply).Fail(api::ProvisionedThroughputExceededException(
        RateExceededMessage(*shard, (*stream)->key())));
  }
  auto position =
      CheckStart(input.shard_iterator_type, input.starting_sequence_number, input.timestamp,
                 registry_.clock().WallMs(), "GetShardIterator", entry->facts, (*stream)->key());
  if (!position) return std::move(reply).Fail(position.error());
  (*stream)->Resolve(*shard, *position,
                     [this, stream = *stream, shard = *shard,
                      reply = std::move(reply)](base::Result<log::Offset> offset) mutable {
                       if (!offset) {
                         LOG_ERROR("position not found", {"stream", stream->key().name},
                                   {"shard", shard.ToString()},
                                   {"error", offset.error().message()});
                         return std::move(reply).Fail(aws::InternalFailure());
                       }
                       streams::ShardIterator iterator;
                       iterator.stream = stream->key();
                       iterator.uuid = stream->identity().uuid;
                       iterator.shard = shard;
                       iterator.offset = *offset;
                       iterator.issued_ms = registry_.clock().WallMs();
                       api::GetShardIteratorOutput output;
                       output.shard_iterator = registry_.iterators().Seal(iterator);
                       std::move(reply).Send(output);
                     });
}

}  // namespace millstream::services::kinesis
