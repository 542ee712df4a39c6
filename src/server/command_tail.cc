#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include "codec/json.h"
#include "codec/time_format.h"
#include "codec/utf8.h"
#include "server/api_client.h"
#include "server/commands.h"
#include "server/stream_follower.h"

namespace millstream::server {
namespace {

using base::Status;

bool IsPrintable(std::string_view data) {
  for (char c : data) {
    auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f) return false;
  }
  return codec::IsValidUtf8(data);
}

// Prints records as they come.
class TailPrinter {
 public:
  TailPrinter(const TailOptions& options, bool colour) : options_(options), colour_(colour) {}

  // False when nobody reads any more, or enough was shown.
  bool Show(const FollowedRecord& record) {
    std::string time = record.arrival_ms ? codec::FormatIso8601(*record.arrival_ms) : "";
    std::string out;
    switch (options_.format) {
      case TailFormat::kNdjson:
        out = std::string(record.data) + "\n";
        break;
      case TailFormat::kJson:
        codec::JsonWriter(out)
            .BeginObject()
            .Field("ShardId", record.shard)
            .Field("SequenceNumber", record.sequence_number)
            .Field("ApproximateArrivalTimestamp", time)
            .Field("PartitionKey", record.partition_key)
            .Field("Data", record.data_base64)
            .EndObject();
        out += '\n';
        break;
      case TailFormat::kHuman: {
        std::string_view number = record.shard;
        number.remove_prefix(std::min(number.size(), std::string_view("shardId-").size()));
        number.remove_prefix(std::min(number.find_first_not_of('0'), number.size() - 1));
        std::string shown = IsPrintable(record.data)
                                ? std::string(record.data)
                                : fmt::format("({} bytes, not text)", record.data.size());
        while (!shown.empty() && (shown.back() == '\n' || shown.back() == '\r')) shown.pop_back();
        std::string_view key = record.partition_key;
        out = colour_ ? fmt::format("\033[2m{} {}\033[0m \033[36m{}\033[0m {}\n", time, number, key,
                                    shown)
                      : fmt::format("{} {} {} {}\n", time, number, key, shown);
        break;
      }
    }
    if (!Print(out)) return false;
    return options_.records_max == 0 || ++shown_ < options_.records_max;
  }

 private:
  const TailOptions& options_;
  const bool colour_;
  int64_t shown_ = 0;
};

Status Follow(ApiClient& client, const TailOptions& options) {
  TailPrinter printer(options, ::isatty(STDOUT_FILENO) == 1);
  StreamFollower follower(client, options.stream,
                          [&](const FollowedRecord& record) { return printer.Show(record); });
  TRY(follower.Open(options.from, options.shard));
  while (!follower.done()) {
    auto round = std::chrono::steady_clock::now();
    TRY(follower.Poll(options.follow));
    if (follower.at_tip() && !follower.done()) {
      std::this_thread::sleep_until(round + StreamFollower::kPollInterval);
    }
  }
  return {};
}

}  // namespace

int RunTail(const Invocation& invocation) {
  const TailOptions& options = invocation.tail;
  if (auto from = CheckFrom(options.from); !from) return Complain(from.error());
  auto client = ApiClient::Create(invocation.client);
  if (!client) return Complain(client.error());
  Status done = Follow(*client, options);
  return done ? 0 : Complain(done.error());
}

}  // namespace millstream::server
