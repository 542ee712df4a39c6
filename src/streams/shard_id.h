#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millstream::streams {

// Names a shard within its stream: a number that grows across resharding, "shardId-000000000003".
struct ShardId {
  uint32_t index = 0;

  static constexpr std::size_t kTextSize = 20;
  // Writes exactly kTextSize characters and returns their end.
  char* Format(char* out) const;
  std::string ToString() const;
  // Accepts what AWS accepts: "shardId-000000000003", "shardId-3", "anything-3", "3"; numbers below
  // 2^31.
  static std::optional<ShardId> Parse(std::string_view text);

  friend auto operator<=>(const ShardId&, const ShardId&) = default;
};

}  // namespace millstream::streams
