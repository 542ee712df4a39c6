#include "http/pair_hasher.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>

namespace millstream::http {
namespace {

// Keeps what it was told, and may hand in another body from within.
class Bodies final : public BodyHash::Owner {
 public:
  void BodyHashed(BodyHash& hash) override {
    hash.complete = false;
    done.emplace_back(hash.stream, hash.hash.Finish());
  }
  std::deque<std::pair<uint64_t, codec::Sha256Bytes>> done;
};

TEST(PairHasherTest, ABodyWaitsForAnotherOrForTheEndOfTheTurn) {
  PairHasher hasher;
  Bodies bodies;
  BodyHash a, b, c;
  uint64_t stream = 0;
  for (BodyHash* hash : {&a, &b, &c}) {
    hash->owner = &bodies;
    hash->stream = stream++;
  }
  hasher.Add(a, "first");
  hasher.Complete(a);
  EXPECT_TRUE(bodies.done.empty());
  hasher.Add(b, "second");
  hasher.Complete(b);
  ASSERT_EQ(bodies.done.size(), 2u);
  EXPECT_EQ(bodies.done[0].second, codec::Sha256Digest("first"));
  EXPECT_EQ(bodies.done[1].second, codec::Sha256Digest("second"));
  hasher.Add(c, "third");
  hasher.Complete(c);
  EXPECT_EQ(bodies.done.size(), 2u);
  hasher.Flush();
  ASSERT_EQ(bodies.done.size(), 3u);
  EXPECT_EQ(bodies.done[2].second, codec::Sha256Digest("third"));
}

TEST(PairHasherTest, AForgottenBodyIsNotTouched) {
  PairHasher hasher;
  Bodies bodies;
  {
    BodyHash gone;
    gone.owner = &bodies;
    hasher.Add(gone, std::string(100, 'x'));
    hasher.Complete(gone);
    hasher.Forget(gone);
  }
  BodyHash next;
  next.owner = &bodies;
  hasher.Add(next, "next");
  hasher.Complete(next);
  hasher.Flush();
  ASSERT_EQ(bodies.done.size(), 1u);
  EXPECT_EQ(bodies.done[0].second, codec::Sha256Digest("next"));
}

TEST(PairHasherTest, HashesAreRightWhateverTheOrderOfParts) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 30; ++round) {
    PairHasher hasher;
    Bodies bodies;
    constexpr int kBodies = 5;
    std::string texts[kBodies];
    std::size_t sent[kBodies] = {};
    BodyHash hashes[kBodies];
    for (int i = 0; i < kBodies; ++i) {
      texts[i].resize(1 + random() % 500'000);
      for (char& c : texts[i]) c = static_cast<char>(random());
      hashes[i].owner = &bodies;
      hashes[i].stream = static_cast<uint64_t>(i);
    }
    int open = kBodies;
    while (open > 0) {
      std::size_t i = random() % kBodies;
      if (sent[i] == texts[i].size()) continue;
      std::size_t part = std::min<std::size_t>(1 + random() % 130'000, texts[i].size() - sent[i]);
      hasher.Add(hashes[i], {texts[i].data() + sent[i], part});
      sent[i] += part;
      if (random() % 8 == 0) hasher.HashNow(hashes[i]);
      if (sent[i] == texts[i].size()) {
        hasher.Complete(hashes[i]);
        --open;
      }
      if (random() % 4 == 0) hasher.Flush();
    }
    hasher.Flush();
    ASSERT_EQ(bodies.done.size(), static_cast<std::size_t>(kBodies));
    for (auto& [stream, digest] : bodies.done) {
      EXPECT_EQ(digest, codec::Sha256Digest(texts[stream])) << stream;
    }
  }
}

}  // namespace
}  // namespace millstream::http
