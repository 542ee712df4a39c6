#include "streams/shard_id.h"

#include <cstring>

namespace millstream::streams {
namespace {

// Twelve digits, or a minus and eleven: AWS prints indexes above 2^31 as the negative numbers they
// are in Java (kinesalite, test/getShardIterator.js).
void WriteDigits(int64_t value, char* out) {
  int first = 0;
  if (value < 0) {
    out[0] = '-';
    value = -value;
    first = 1;
  }
  for (int i = 11; i >= first; --i) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

}  // namespace

char* ShardId::Format(char* out) const {
  std::memcpy(out, "shardId-", 8);
  WriteDigits(static_cast<int32_t>(index), out + 8);
  return out + kTextSize;
}

std::string ShardId::ToString() const {
  std::string text(kTextSize, '\0');
  Format(text.data());
  return text;
}

std::optional<ShardId> ShardId::Parse(std::string_view text) {
  std::string_view digits = text;
  if (auto dash = text.find('-'); dash != std::string_view::npos) {
    std::string_view rest = text.substr(dash + 1);
    rest = rest.substr(0, rest.find('-'));
    if (!rest.empty()) digits = rest;
  }
  if (digits.empty()) return std::nullopt;
  uint64_t value = 0;
  for (char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(c - '0');
    if (value > 0x7fff'ffff) return std::nullopt;
  }
  return ShardId{static_cast<uint32_t>(value)};
}

}  // namespace millstream::streams
