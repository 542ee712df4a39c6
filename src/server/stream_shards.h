#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "server/api_client.h"

namespace millstream::server {

// A shard as the client commands see it.
struct ShardInfo {
  std::string id;
  std::string range_start;
  std::string range_end;
  std::string parent;
  std::string adjacent_parent;
  bool open = true;
};

// Every shard of a stream, over as many pages as it takes.
base::Result<std::vector<ShardInfo>> ListShards(ApiClient& client, const std::string& stream);

}  // namespace millstream::server
