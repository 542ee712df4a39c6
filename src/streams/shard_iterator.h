#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "streams/shard_id.h"
#include "streams/stream_key.h"

namespace millstream::streams {

// The 128-bit identity of a stream, for ever; also its Kafka topic id.
using StreamUuid = std::array<uint8_t, 16>;

// Where a reader stands, as GetShardIterator and GetRecords hand it out.
struct ShardIterator {
  StreamKey stream;
  StreamUuid uuid{};
  ShardId shard;
  int64_t offset = 0;     // of the next record
  int64_t issued_ms = 0;

  static constexpr int64_t kLifeMs = 300'000;
};

// Turns iterators into tokens that only this data directory can read: base64 of eight bytes
// 00..01, then AES-256-GCM (nonce, text, tag) padded to blocks of 16. Two tokens of one position
// differ. The key lives in the catalog, so tokens survive a restart.
//
// Thread-safe.
class IteratorSealer {
 public:
  using Key = std::array<uint8_t, 32>;
  IteratorSealer(const Key& key, base::Random& random);

  std::string Seal(const ShardIterator& iterator) const;
  // kInvalidArgument when the token is not one of ours ("Invalid ShardIterator."); quotes around it
  // are tolerated as AWS does. Age is the caller's to judge: kExpired comes from CheckAge.
  base::Result<ShardIterator> Open(std::string_view token) const;
  // kExpired with AWS's text when older than kLifeMs; kInvalidArgument when from the future.
  static base::Status CheckAge(const ShardIterator& iterator, int64_t now_ms);

 private:
  Key key_;
  base::Random& random_;
};

}  // namespace millstream::streams
