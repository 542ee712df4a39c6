#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <deque>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "codec/base64.h"
#include "codec/json.h"
#include "codec/time_format.h"
#include "codec/utf8.h"
#include "server/api_client.h"
#include "server/commands.h"
#include "server/stream_shards.h"

namespace millstream::server {
namespace {

using base::Code;
using base::Fail;
using base::Result;
using base::Status;

// Five calls a second and shard are what AWS allows; half of that leaves room for others.
constexpr std::chrono::milliseconds kPollInterval(400);
constexpr std::chrono::milliseconds kThrottlePause(1000);

std::string TextOf(codec::JsonValue object, std::string_view name) {
  auto value = object.Find(name);
  return value && value->is_string() ? std::string(value->AsString()) : "";
}

bool IsPrintable(std::string_view data) {
  for (char c : data) {
    auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f) return false;
  }
  return codec::IsValidUtf8(data);
}

// Follows shards in parallel, a page of each in turn; children join when their parents end.
class Tail {
 public:
  Tail(ApiClient& client, const TailOptions& options, bool colour)
      : client_(client), options_(options), colour_(colour) {}

  Status Run() {
    ASSIGN_OR_RETURN(auto shards, ListShards(client_, options_.stream));
    // From the oldest record on a closed shard's parents come first, by the order of their numbers.
    bool latest = options_.from == "latest";
    for (const ShardInfo& shard : shards) {
      if (!options_.shard.empty() && shard.id != options_.shard) continue;
      if (latest && !shard.open && options_.shard.empty()) continue;
      TRY(Open(shard.id, StartOf()));
    }
    if (positions_.empty())
      return Fail(Code::kNotFound,
                  fmt::format("{} has no shard {}", options_.stream, options_.shard));
    return Follow();
  }

 private:
  struct Position {
    std::string shard;
    std::string iterator;
    bool at_tip = false;
  };

  // The members of GetShardIterator that say where.
  std::string StartOf() const {
    if (options_.from == "latest") return R"("ShardIteratorType":"LATEST")";
    if (options_.from == "oldest") return R"("ShardIteratorType":"TRIM_HORIZON")";
    auto at = codec::ParseIso8601(options_.from);
    std::string timestamp;
    codec::JsonWriter(timestamp).EpochSeconds(at.value_or(0));
    return R"("ShardIteratorType":"AT_TIMESTAMP","Timestamp":)" + timestamp;
  }

  Status Open(const std::string& shard, const std::string& start) {
    if (!opened_.insert(shard).second) return {};
    std::string stream_text, shard_text;
    codec::AppendJsonString(options_.stream, stream_text);
    codec::AppendJsonString(shard, shard_text);
    ASSIGN_OR_RETURN(auto answer, client_.Call("GetShardIterator",
                                               fmt::format(R"({{"StreamName":{},"ShardId":{},{}}})",
                                                           stream_text, shard_text, start)));
    positions_.push_back({shard, TextOf(answer.root(), "ShardIterator")});
    return {};
  }

  Status Follow() {
    while (!positions_.empty()) {
      auto round = std::chrono::steady_clock::now();
      bool all_at_tip = true;
      for (std::size_t n = positions_.size(); n > 0; --n) {
        Position position = std::move(positions_.front());
        positions_.pop_front();
        ASSIGN_OR_RETURN(bool goes_on, ReadPage(position));
        if (done_) return {};
        if (!goes_on) continue;
        all_at_tip = all_at_tip && position.at_tip;
        if (options_.follow || !position.at_tip) positions_.push_back(std::move(position));
      }
      if (all_at_tip || !options_.follow)
        std::this_thread::sleep_until(round +
                                      (all_at_tip ? kPollInterval : std::chrono::milliseconds(0)));
    }
    return {};
  }

  // False at the end of the shard.
  Result<bool> ReadPage(Position& position) {
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
      if (!Show(position.shard, record)) done_ = true;
      if (options_.records_max > 0 && ++shown_ >= options_.records_max) done_ = true;
      if (done_) return true;
    }
    auto behind = page->root().Find("MillisBehindLatest");
    position.at_tip = records->size() == 0 && behind && behind->AsInt64().value_or(0) == 0;
    position.iterator = TextOf(page->root(), "NextShardIterator");
    if (!position.iterator.empty()) return true;
    if (auto children = page->root().Find("ChildShards"); children && options_.shard.empty()) {
      for (codec::JsonValue child : *children) {
        TRY(Open(TextOf(child, "ShardId"), R"("ShardIteratorType":"TRIM_HORIZON")"));
      }
    }
    return false;
  }

  // False when nobody reads any more.
  bool Show(const std::string& shard, codec::JsonValue record) {
    auto data = codec::Base64Decode(TextOf(record, "Data")).value_or("");
    auto arrival = record.Find("ApproximateArrivalTimestamp");
    auto ms = arrival && arrival->is_number() ? codec::ParseEpochSeconds(arrival->NumberText())
                                              : std::nullopt;
    std::string time = ms ? codec::FormatIso8601(*ms) : "";
    std::string out;
    switch (options_.format) {
      case TailFormat::kNdjson:
        out = data + "\n";
        break;
      case TailFormat::kJson:
        codec::JsonWriter(out)
            .BeginObject()
            .Field("ShardId", shard)
            .Field("SequenceNumber", TextOf(record, "SequenceNumber"))
            .Field("ApproximateArrivalTimestamp", time)
            .Field("PartitionKey", TextOf(record, "PartitionKey"))
            .Field("Data", TextOf(record, "Data"))
            .EndObject();
        out += '\n';
        break;
      case TailFormat::kHuman: {
        std::string_view number = shard;
        number.remove_prefix(std::min(number.size(), std::string_view("shardId-").size()));
        number.remove_prefix(std::min(number.find_first_not_of('0'), number.size() - 1));
        std::string shown =
            IsPrintable(data) ? data : fmt::format("({} bytes, not text)", data.size());
        while (!shown.empty() && (shown.back() == '\n' || shown.back() == '\r')) shown.pop_back();
        std::string key = TextOf(record, "PartitionKey");
        out = colour_ ? fmt::format("\033[2m{} {}\033[0m \033[36m{}\033[0m {}\n", time, number, key,
                                    shown)
                      : fmt::format("{} {} {} {}\n", time, number, key, shown);
        break;
      }
    }
    return Print(out);
  }

  ApiClient& client_;
  const TailOptions& options_;
  const bool colour_;
  std::deque<Position> positions_;
  std::set<std::string> opened_;
  int64_t shown_ = 0;
  bool done_ = false;
};

}  // namespace

int RunTail(const Invocation& invocation) {
  const TailOptions& options = invocation.tail;
  if (options.from != "latest" && options.from != "oldest" && !codec::ParseIso8601(options.from)) {
    return Complain(base::Error(
        Code::kInvalidArgument,
        fmt::format("--from {}: expected latest, oldest or a time such as 2026-01-01T00:00:00Z",
                    options.from)));
  }
  auto client = ApiClient::Create(invocation.client);
  if (!client) return Complain(client.error());
  Status done = Tail(*client, options, ::isatty(STDOUT_FILENO) == 1).Run();
  return done ? 0 : Complain(done.error());
}

}  // namespace millstream::server
