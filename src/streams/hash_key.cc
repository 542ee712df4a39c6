#include "streams/hash_key.h"

#include "base/check.h"

namespace millstream::streams {

HashKeyRange UniformRange(uint32_t i, uint32_t count) {
  CHECK(count >= 1 && i < count);
  if (count == 1) return {};
  // floor(2^128 / count) without 129 bits: 2^128 = kHashKeyMax + 1.
  HashKey width = kHashKeyMax / count;
  if (kHashKeyMax % count == count - 1) ++width;
  HashKeyRange range;
  range.start = width * i;
  range.end = i + 1 == count ? kHashKeyMax : width * (i + 1) - 1;
  return range;
}

std::optional<HashKey> ParseHashKey(std::string_view decimal) {
  return codec::ParseUint128(decimal);
}

}  // namespace millstream::streams
