#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "codec/sha256.h"

namespace millstream::http {

// The hash of one body that is being received. Its owner calls PairHasher::Forget() before it goes.
struct BodyHash {
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void BodyHashed(BodyHash& hash) = 0;  // a complete body has its hash
  };

  Owner* owner = nullptr;
  uint64_t stream = 0;  // the owner's name for the body
  codec::Sha256 hash;
  std::string_view waiting;  // received and not hashed; these bytes stay where they are
  bool queued = false;       // known to the hasher
  bool complete = false;     // no more bytes will come
};

// Hashes the bodies of one loop's connections two at a time: a pair of SHA-256 streams in
// interleaved lanes takes a quarter less than one after the other. Bytes wait for a partner until
// the turn's events are handled, no longer. One thread.
class PairHasher {
 public:
  // `bytes` follow, in memory too, those that wait. From kPairMin on they look for a partner; at
  // kWaitingMax they are hashed alone, while they are in the cache.
  void Add(BodyHash& hash, std::string_view bytes);
  // No more bytes come: the owner hears of it now or at the end of the turn.
  void Complete(BodyHash& hash);
  // Hashes what waits, because its memory moves or its owner cannot wait. For a complete body the
  // owner hears of it before this returns.
  void HashNow(BodyHash& hash);
  void Forget(BodyHash& hash);
  // The turn's events are handled.
  void Flush();

  // Bodies below it are hashed whole: parts of different lengths would pair badly.
  static constexpr std::size_t kPairMin = 128 << 10;
  static constexpr std::size_t kWaitingMax = 256 << 10;

 private:
  void Enqueue(BodyHash& hash);
  static void Finish(BodyHash& hash);

  BodyHash* waiting_ = nullptr;
};

}  // namespace millstream::http
