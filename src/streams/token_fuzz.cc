// What clients send back to us as text: iterators, sequence numbers, shard ids, hash keys.

#include <cstdlib>

#include "base/random.h"
#include "streams/hash_key.h"
#include "streams/sequence_number.h"
#include "streams/shard_id.h"
#include "streams/shard_iterator.h"

using namespace millstream;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static base::SeededRandom random(1);
  static const streams::IteratorSealer sealer(streams::IteratorSealer::Key{1}, random);
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto iterator = sealer.Open(text)) {
    if (!sealer.Open(sealer.Seal(*iterator))) std::abort();
  }
  if (auto number = streams::SequenceNumber::Parse(text)) {
    auto again = streams::SequenceNumber::Parse(number->ToString());
    if (!again || *again != *number) std::abort();
  }
  if (auto shard = streams::ShardId::Parse(text)) {
    if (streams::ShardId::Parse(shard->ToString()) != shard) std::abort();
  }
  (void)streams::ParseHashKey(text);
  return 0;
}
