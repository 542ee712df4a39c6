#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/api_client.h"

namespace millstream::server {

// A record as GetRecords gives it, its data decoded. Valid during the call.
struct FollowedRecord {
  std::string_view shard;
  std::string_view sequence_number;
  std::string_view partition_key;
  std::optional<int64_t> arrival_ms;
  std::string_view data;
  std::string_view data_base64;
};

// Reads the shards of a stream of a server, a page of each in turn; children join when their
// parents end. One thread.
class StreamFollower {
 public:
  // False to stop.
  using Each = std::function<bool(const FollowedRecord&)>;

  // Five calls a second and shard are what AWS allows; half of that leaves room for others.
  static constexpr std::chrono::milliseconds kPollInterval{400};

  StreamFollower(ApiClient& client, std::string stream, Each each);

  // `from`: latest, oldest, or a time of ISO 8601. `shard`: only this one, or empty.
  base::Status Open(const std::string& from, const std::string& shard = "");
  // One page of every shard. Shards that are read to their tip are dropped when `keep` is false.
  base::Status Poll(bool keep);
  // Every shard was at its tip in the last Poll.
  bool at_tip() const { return at_tip_; }
  // No shard is left, or `each` has said to stop.
  bool done() const { return stopped_ || positions_.empty(); }

 private:
  struct Position {
    std::string shard;
    std::string iterator;
    bool at_tip = false;
  };
  base::Status OpenShard(const std::string& shard, const std::string& start);
  base::Result<bool> ReadPage(Position& position);  // false at the end of the shard
  bool Give(const std::string& shard, codec::JsonValue record);

  ApiClient& client_;
  const std::string stream_;
  const Each each_;
  bool one_shard_ = false;
  std::deque<Position> positions_;
  std::set<std::string> opened_;
  bool at_tip_ = false;
  bool stopped_ = false;
};

// Whether `from` is one of what Open takes.
base::Status CheckFrom(std::string_view from);

}  // namespace millstream::server
