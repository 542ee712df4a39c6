#include "server/stream_shards.h"

#include "codec/json.h"

namespace millstream::server {
namespace {

std::string TextOf(codec::JsonValue object, std::string_view name) {
  auto value = object.Find(name);
  return value && value->is_string() ? std::string(value->AsString()) : "";
}

}  // namespace

base::Result<std::vector<ShardInfo>> ListShards(ApiClient& client, const std::string& stream) {
  std::vector<ShardInfo> shards;
  std::string token;
  do {
    std::string body;
    codec::JsonWriter(body)
        .BeginObject()
        .Field(token.empty() ? "StreamName" : "NextToken", token.empty() ? stream : token)
        .EndObject();
    ASSIGN_OR_RETURN(auto page, client.Call("ListShards", body));
    token = TextOf(page.root(), "NextToken");
    auto list = page.root().Find("Shards");
    if (!list) break;
    for (codec::JsonValue shard : *list) {
      ShardInfo info;
      info.id = TextOf(shard, "ShardId");
      info.parent = TextOf(shard, "ParentShardId");
      info.adjacent_parent = TextOf(shard, "AdjacentParentShardId");
      if (auto range = shard.Find("HashKeyRange")) {
        info.range_start = TextOf(*range, "StartingHashKey");
        info.range_end = TextOf(*range, "EndingHashKey");
      }
      if (auto numbers = shard.Find("SequenceNumberRange")) {
        info.open = TextOf(*numbers, "EndingSequenceNumber").empty();
      }
      shards.push_back(std::move(info));
    }
  } while (!token.empty());
  return shards;
}

}  // namespace millstream::server
