#include "http/pair_hasher.h"

namespace millstream::http {

void PairHasher::Add(BodyHash& hash, std::string_view bytes) {
  if (hash.waiting.empty()) {
    hash.waiting = bytes;
  } else {
    hash.waiting = {hash.waiting.data(), hash.waiting.size() + bytes.size()};
  }
  if (hash.waiting.size() >= kWaitingMax) return HashNow(hash);
  if (hash.waiting.size() >= kPairMin) Enqueue(hash);
}

void PairHasher::Complete(BodyHash& hash) {
  hash.complete = true;
  Enqueue(hash);
}

void PairHasher::Enqueue(BodyHash& hash) {
  if (hash.queued) return;
  if (waiting_ == nullptr) {
    waiting_ = &hash;
    hash.queued = true;
    return;
  }
  BodyHash& other = *waiting_;
  waiting_ = nullptr;
  other.queued = false;
  codec::Sha256UpdatePair(other.hash, other.waiting, hash.hash, hash.waiting);
  other.waiting = hash.waiting = {};
  // Calls out, and may come back here with other hashes.
  Finish(other);
  Finish(hash);
}

void PairHasher::HashNow(BodyHash& hash) {
  Forget(hash);
  hash.hash.Update(hash.waiting);
  hash.waiting = {};
  Finish(hash);
}

void PairHasher::Forget(BodyHash& hash) {
  if (waiting_ == &hash) waiting_ = nullptr;
  hash.queued = false;
}

void PairHasher::Flush() {
  while (waiting_ != nullptr) HashNow(*waiting_);
}

void PairHasher::Finish(BodyHash& hash) {
  if (hash.complete) hash.owner->BodyHashed(hash);
}

}  // namespace millstream::http
