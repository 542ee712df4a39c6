#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "codec/uint128.h"

namespace millstream::streams {

// A point of the hash-key space [0, 2^128): the MD5 of a partition key, or what the producer chose.
using HashKey = codec::Uint128;

inline constexpr HashKey kHashKeyMax = codec::kUint128Max;

// A range of hash keys, both ends included, as Kinesis shows it.
struct HashKeyRange {
  HashKey start = 0;
  HashKey end = kHashKeyMax;

  bool Contains(HashKey key) const { return start <= key && key <= end; }
  // True when the two ranges touch without overlap.
  bool IsAdjacentTo(const HashKeyRange& other) const {
    return (end != kHashKeyMax && end + 1 == other.start) ||
           (other.end != kHashKeyMax && other.end + 1 == start);
  }
  friend bool operator==(const HashKeyRange&, const HashKeyRange&) = default;
};

// The range of shard `i` of `count` equal ones: floor(2^128 / count) keys each, and the rest to the
// last, as AWS cuts the space. Requires i < count and count >= 1.
HashKeyRange UniformRange(uint32_t i, uint32_t count);

// An explicit hash key as clients write it; nullopt when it is not a number below 2^128.
std::optional<HashKey> ParseHashKey(std::string_view decimal);

}  // namespace millstream::streams
