#include "services/kinesis/put_answer.h"

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "codec/cbor.h"
#include "codec/json_writer.h"
#include "streams/sequence_number.h"

namespace millstream::services::kinesis {
namespace {

using base::Buffer;
using base::Bytes;
using codec::CborWriter;
using codec::JsonWriter;
using streams::PutError;
using streams::PutOutcome;
using streams::SequenceNumber;
using streams::SequenceNumberWriter;
using streams::ShardId;

// A row is `head`, 56 digits, `tail`; head is the same for all, tail for all of one shard.
constexpr std::string_view kJsonHead = R"({"SequenceNumber":")";
constexpr std::string_view kJsonMiddle = R"(","ShardId":")";
constexpr std::string_view kJsonEnd = "\"}";
constexpr std::string_view kCborHead = "\xa2\x6eSequenceNumber\x78\x38";
constexpr std::string_view kCborMiddle = "\x67ShardId\x74";

char* Put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

struct GroupRow {
  std::optional<SequenceNumberWriter> numbers;
  char tail[48];
  std::size_t tail_size = 0;
};

void AppendRefused(Buffer& out, const streams::PutResult& result, const streams::Stream& stream,
                   bool cbor) {
  bool throttled = result.error == PutError::kThrottled;
  std::string_view code = throttled ? "ProvisionedThroughputExceededException" : "InternalFailure";
  std::string message = throttled ? RateExceededMessage(result.shard, stream.key())
                                  : std::string("Internal service failure.");
  if (cbor) {
    CborWriter(out).BeginMap(2).Text("ErrorCode").Text(code).Text("ErrorMessage").Text(message);
  } else {
    JsonWriter(out)
        .BeginObject()
        .Field("ErrorCode", code)
        .Field("ErrorMessage", message)
        .EndObject();
  }
}

}  // namespace

std::string RateExceededMessage(ShardId shard, const streams::StreamKey& stream) {
  return "Rate exceeded for shard " + shard.ToString() + " in stream " + stream.name +
         " under account " + stream.account + ".";
}

Bytes EncodePutRecords(const PutOutcome& outcome, const streams::Stream& stream, bool cbor) {
  std::string_view head = cbor ? kCborHead : kJsonHead;
  std::vector<GroupRow> rows(outcome.groups().size());
  for (std::size_t g = 0; g < rows.size(); ++g) {
    const PutOutcome::Group& group = outcome.groups()[g];
    GroupRow& row = rows[g];
    if (group.error == PutError::kNone) {
      row.numbers.emplace(group.shard_created_s, group.shard.index, group.arrival_s,
                          static_cast<uint64_t>(group.base_offset));
    }
    char* out = Put(row.tail, cbor ? kCborMiddle : kJsonMiddle);
    out = group.shard.Format(out);
    if (!cbor) out = Put(out, kJsonEnd);
    row.tail_size = static_cast<std::size_t>(out - row.tail);
  }

  std::size_t count = outcome.size();
  std::size_t row_bytes = head.size() + SequenceNumber::kTextSize + sizeof(GroupRow::tail) + 1;
  Buffer out(count * row_bytes + 128);
  if (cbor) {
    CborWriter writer(out);
    writer.BeginMap(outcome.encrypted() ? 3 : 2);
    writer.Text("FailedRecordCount").Uint(outcome.failed());
    if (outcome.encrypted()) writer.Text("EncryptionType").Text("KMS");
    writer.Text("Records").BeginArray(count);
  } else {
    out.Append("{\"FailedRecordCount\":");
    out.Append(std::to_string(outcome.failed()));
    if (outcome.encrypted()) out.Append(",\"EncryptionType\":\"KMS\"");
    out.Append(",\"Records\":[");
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (!cbor && i > 0) out.Append(',');
    const PutOutcome::Place& place = outcome.places()[i];
    if (place.ordinal == PutOutcome::kThrottledOrdinal || !rows[place.group].numbers) {
      AppendRefused(out, outcome.Result(i), stream, cbor);
      continue;
    }
    GroupRow& row = rows[place.group];
    char* at = out.Room(row_bytes);
    char* end = Put(at, head);
    end = row.numbers->WriteNext(end);  // ordinals of a group grow by one in request order
    end = Put(end, {row.tail, row.tail_size});
    out.Commit(static_cast<std::size_t>(end - at));
  }
  if (!cbor) out.Append("]}");
  return std::move(out).Share();
}

Bytes EncodePutRecord(const PutOutcome& outcome, bool cbor) {
  streams::PutResult result = outcome.Result(0);
  CHECK(result.error == PutError::kNone);
  Buffer out(192);
  std::string_view head = cbor ? kCborHead : kJsonHead;
  char* at = out.Room(160);
  char* end = at;
  if (cbor && outcome.encrypted()) {
    *end++ = '\xa3';  // a map of three instead of two
    end = Put(end, head.substr(1));
  } else {
    end = Put(end, head);
  }
  end = SequenceNumberWriter(result.sequence.shard_created_s, result.sequence.shard_index,
                             result.sequence.arrival_s, result.sequence.index)
            .WriteNext(end);
  end = Put(end, cbor ? kCborMiddle : kJsonMiddle);
  end = result.shard.Format(end);
  if (cbor) {
    if (outcome.encrypted())
      end = Put(end,
                "\x6e"
                "EncryptionType"
                "\x63"
                "KMS");
  } else {
    end =
        Put(end, outcome.encrypted() ? std::string_view(R"(","EncryptionType":"KMS"})") : kJsonEnd);
  }
  out.Commit(static_cast<std::size_t>(end - at));
  return std::move(out).Share();
}

}  // namespace millstream::services::kinesis
