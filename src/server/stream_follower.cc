#include "server/stream_follower.h"

#include <fmt/format.h>

#include <thread>

#include "codec/base64.h"
#include "codec/json.h"
#include "codec/time_format.h"
#include "server/stream_shards.h"

namespace millstream::server {

using base::Code;
using base::Fail;
using base::Result;
using base::Status;

namespace {

constexpr std::chrono::milliseconds kThrottlePause(1000);

std::string_view TextOf(codec::JsonValue object, std::string_view name) {
  auto value = object.Find(name);
  return value && value->is_string() ? value->AsString() : std::string_view();
}

// The members of GetShardIterator that say where.
std::string StartOf(const std::string& from) {
  if (from == "latest") return R"("ShardIteratorType":"LATEST")";
  if (from == "oldest") return R"("ShardIteratorType":"TRIM_HORIZON")";
  std::string timestamp;
  codec::JsonWriter(timestamp).EpochSeconds(codec::ParseIso8601(from).value_or(0));
  return R"("ShardIteratorType":"AT_TIMESTAMP","Timestamp":)" + timestamp;
}

}  // namespace

Status CheckFrom(std::string_view from) {
  if (from == "latest" || from == "oldest" || codec::ParseIso8601(from)) return {};
  return Fail(
      Code::kInvalidArgument,
      fmt::format("--from {}: expected latest, oldest or a time such as 2026-01-01T00:00:00Z",
                  from));
}

StreamFollower::StreamFollower(ApiClient& client, std::string stream, Each each)
    : client_(client), stream_(std::move(stream)), each_(std::move(each)) {}

Status StreamFollower::Open(const std::string& from, const std::string& shard) {
  one_shard_ = !shard.empty();
  ASSIGN_OR_RETURN(auto shards, ListShards(client_, stream_));
  // From the oldest record on a closed shard's parents come first, by the order of their numbers.
  for (const ShardInfo& info : shards) {
    if (one_shard_ && info.id != shard) continue;
    if (from == "latest" && !info.open && !one_shard_) continue;
    TRY(OpenShard(info.id, StartOf(from)));
  }
  if (positions_.empty())
    return Fail(Code::kNotFound, fmt::format("{} has no shard {}", stream_, shard));
  return {};
}

Status StreamFollower::OpenShard(const std::string& shard, const std::string& start) {
  if (!opened_.insert(shard).second) return {};
  std::string stream_text, shard_text;
  codec::AppendJsonString(stream_, stream_text);
  codec::AppendJsonString(shard, shard_text);
  ASSIGN_OR_RETURN(auto answer, client_.Call("GetShardIterator",
                                             fmt::format(R"({{"StreamName":{},"ShardId":{},{}}})",
                                                         stream_text, shard_text, start)));
  positions_.push_back({shard, std::string(TextOf(answer.root(), "ShardIterator"))});
  return {};
}

Status StreamFollower::Poll(bool keep) {
  at_tip_ = true;
  for (std::size_t n = positions_.size(); n > 0; --n) {
    Position position = std::move(positions_.front());
    positions_.pop_front();
    ASSIGN_OR_RETURN(bool goes_on, ReadPage(position));
    if (stopped_) return {};
    if (!goes_on) continue;
    at_tip_ = at_tip_ && position.at_tip;
    if (keep || !position.at_tip) positions_.push_back(std::move(position));
  }
  return {};
}

Result<bool> StreamFollower::ReadPage(Position& position) {
  std::string body;
  codec::JsonWriter(body)
      .BeginObject()
      .Field("ShardIterator", position.iterator)
      .Field("Limit", 1000)
      .EndObject();
  auto page = client_.Call("GetRecords", body);
  if (!page && page.error().code() == Code::kResourceExhausted) {
    std::this_thread::sleep_for(kThrottlePause);
    return true;
  }
  if (!page) return Fail(std::move(page).error());
  auto records = page->root().Find("Records");
  for (codec::JsonValue record : *records) {
    if (!Give(position.shard, record)) {
      stopped_ = true;
      return true;
    }
  }
  auto behind = page->root().Find("MillisBehindLatest");
  position.at_tip = records->size() == 0 && behind && behind->AsInt64().value_or(0) == 0;
  position.iterator = TextOf(page->root(), "NextShardIterator");
  if (!position.iterator.empty()) return true;
  if (auto children = page->root().Find("ChildShards"); children && !one_shard_) {
    for (codec::JsonValue child : *children) {
      TRY(OpenShard(std::string(TextOf(child, "ShardId")),
                    R"("ShardIteratorType":"TRIM_HORIZON")"));
    }
  }
  return false;
}

bool StreamFollower::Give(const std::string& shard, codec::JsonValue record) {
  FollowedRecord given;
  given.shard = shard;
  given.sequence_number = TextOf(record, "SequenceNumber");
  given.partition_key = TextOf(record, "PartitionKey");
  given.data_base64 = TextOf(record, "Data");
  std::string data = codec::Base64Decode(given.data_base64).value_or("");
  given.data = data;
  auto arrival = record.Find("ApproximateArrivalTimestamp");
  if (arrival && arrival->is_number())
    given.arrival_ms = codec::ParseEpochSeconds(arrival->NumberText());
  return each_(given);
}

}  // namespace millstream::server
