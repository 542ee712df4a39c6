// Hash keys, shard ids, sequence numbers, iterators, quotas.

#include <gtest/gtest.h>

#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "base/random.h"
#include "codec/base64.h"
#include "streams/aes_gcm.h"
#include "streams/hash_key.h"
#include "streams/quota.h"
#include "streams/sequence_number.h"
#include "streams/shard_id.h"
#include "streams/shard_iterator.h"

namespace millstream::streams {
namespace {

TEST(HashKeyRangeTest, CutsTheSpaceAsAwsDoes) {
  // kinesalite, test/createStream.js: three shards.
  EXPECT_EQ(codec::ToDecimal(UniformRange(0, 3).end), "113427455640312821154458202477256070484");
  EXPECT_EQ(codec::ToDecimal(UniformRange(1, 3).start), "113427455640312821154458202477256070485");
  EXPECT_EQ(codec::ToDecimal(UniformRange(1, 3).end), "226854911280625642308916404954512140969");
  EXPECT_EQ(codec::ToDecimal(UniformRange(2, 3).end), "340282366920938463463374607431768211455");
  EXPECT_EQ(codec::ToDecimal(UniformRange(0, 2).end), "170141183460469231731687303715884105727");
}

TEST(HashKeyRangeTest, PartitionsTheSpaceForEveryCount) {
  for (uint32_t count : {1u, 2u, 3u, 5u, 7u, 64u, 1000u, 10'000u}) {
    for (uint32_t i = 0; i < count; ++i) {
      HashKeyRange range = UniformRange(i, count);
      EXPECT_LE(range.start, range.end);
      if (i == 0) {
        EXPECT_EQ(range.start, 0);
      }
      if (i + 1 < count) {
        EXPECT_EQ(range.end + 1, UniformRange(i + 1, count).start);
        EXPECT_TRUE(range.IsAdjacentTo(UniformRange(i + 1, count)));
      } else {
        EXPECT_EQ(range.end, kHashKeyMax);
      }
    }
  }
}

TEST(ShardIdTest, ReadsWhatAwsReads) {
  EXPECT_EQ(ShardId::Parse("shardId-000000000003"), ShardId{3});
  EXPECT_EQ(ShardId::Parse("shardId-3"), ShardId{3});
  EXPECT_EQ(ShardId::Parse("3"), ShardId{3});
  EXPECT_EQ(ShardId::Parse("whatever-0"), ShardId{0});
  EXPECT_EQ(ShardId::Parse("shardId-2147483647"), ShardId{2147483647});
  EXPECT_EQ(ShardId::Parse("shardId-2147483648"), std::nullopt);
  EXPECT_EQ(ShardId::Parse("shardId-"), std::nullopt);
  EXPECT_EQ(ShardId::Parse("shardId-a"), std::nullopt);
  EXPECT_EQ(ShardId::Parse(""), std::nullopt);
  EXPECT_EQ(ShardId{3}.ToString(), "shardId-000000000003");
  EXPECT_EQ(ShardId{0x8000'0000}.ToString(), "shardId--02147483648");
}

// Decimal text of a hexadecimal number.
std::string FromHex(std::string_view hex) {
  codec::Uint192 value;
  for (char c : hex) {
    value.high = value.high << 4 | value.middle >> 60;
    value.middle = value.middle << 4 | value.low >> 60;
    value.low = value.low << 4 | static_cast<uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return codec::ToDecimal(value);
}

TEST(SequenceNumberTest, HasTheLayoutOfVersionTwo) {
  SequenceNumber number{0x54c04cb9, 0x3039, 0x54c04cba, 5};
  std::string text = number.ToString();
  EXPECT_EQ(text, FromHex("2"
                          "054c04cb9"
                          "5"
                          "0000000000003039"
                          "00"
                          "054c04cba"
                          "00000005"
                          "2"));
  EXPECT_EQ(text.size(), SequenceNumber::kTextSize);
  EXPECT_EQ(text.substr(0, 2), "49");
  EXPECT_EQ(SequenceNumber::Parse(text), number);
}

TEST(SequenceNumberTest, ReadsNumbersOfTheRealService) {
  // From the documentation of PutRecord and GetRecords.
  auto number = SequenceNumber::Parse("49543463076548007577105092703039560359975228518395012686");
  EXPECT_FALSE(number.has_value());  // version 14 in its last digit: AWS made it up
  number = SequenceNumber::Parse("49568749374218235080373793662003016116473266703358230578");
  ASSERT_TRUE(number.has_value());
  EXPECT_EQ(number->ToString(), "49568749374218235080373793662003016116473266703358230578");
  EXPECT_GT(number->shard_created_s, 1'450'000'000);
  EXPECT_LT(number->shard_created_s, 1'500'000'000);
  EXPECT_GE(number->arrival_s, number->shard_created_s);
}

TEST(SequenceNumberTest, RefusesWhatAwsRefuses) {
  // kinesalite, test/getShardIterator.js.
  EXPECT_FALSE(SequenceNumber::ParseAnyVersion(FromHex("13bb2cc3d80000000000000000000000")));
  EXPECT_FALSE(
      SequenceNumber::ParseAnyVersion(FromHex("20000000000800000000000000000000000000000000002")));
  auto negative =
      SequenceNumber::ParseAnyVersion(FromHex("20000000000000000000000000000000000000800000002"));
  ASSERT_TRUE(negative);
  EXPECT_EQ(ShardId{negative->number.shard_index}.ToString(), "shardId--02147483648");
  auto five = SequenceNumber::ParseAnyVersion("5");
  ASSERT_TRUE(five);
  EXPECT_EQ(five->version, 0);
  EXPECT_EQ(five->number.shard_index, 5u);
  EXPECT_FALSE(SequenceNumber::Parse("5"));
  EXPECT_FALSE(SequenceNumber::Parse(""));
  EXPECT_FALSE(SequenceNumber::Parse("4957x"));
  EXPECT_FALSE(SequenceNumber::Parse(std::string(129, '9')));
}

TEST(SequenceNumberTest, OrdersByShardCreationThenIndex) {
  SequenceNumber parent{1000, 77, 1100, 3};
  SequenceNumber parent_end{1000, SequenceNumber::kEndIndex, 1200, 3};
  SequenceNumber child{1201, 0, 1201, 4};
  EXPECT_LT(parent, parent_end);
  EXPECT_LT(parent_end, child);
  EXPECT_LT((SequenceNumber{1000, 76, 1150, 3}), parent);
}

TEST(SequenceNumberWriterTest, WritesWhatTheNumberIs) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 200; ++round) {
    SequenceNumber number;
    number.shard_created_s = static_cast<int64_t>(random() % 4'000'000'000);
    number.shard_index = static_cast<uint32_t>(random() % 100'000);
    number.arrival_s = number.shard_created_s + static_cast<int64_t>(random() % 1'000'000);
    number.index = random() >> (1 + random() % 62);
    SequenceNumberWriter writer(number.shard_created_s, number.shard_index, number.arrival_s,
                                number.index);
    for (int i = 0; i < 300 && number.index < SequenceNumber::kEndIndex; ++i, ++number.index) {
      char text[SequenceNumber::kTextSize];
      ASSERT_EQ(writer.WriteNext(text), text + sizeof text);
      ASSERT_EQ(std::string_view(text, sizeof text), number.ToString()) << number.index;
    }
  }
}

// The digits that are counted on overflow about every 83 million records.
TEST(SequenceNumberWriterTest, CarriesIntoTheFirstDigits) {
  SequenceNumber number{1'700'000'000, 26242097, 1'700'000'100, 3};
  const std::string before = number.ToString();
  SequenceNumberWriter writer(number.shard_created_s, number.shard_index, number.arrival_s,
                              number.index);
  char text[SequenceNumber::kTextSize];
  writer.WriteNext(text);
  EXPECT_EQ(std::string_view(text, sizeof text), before);
  for (int i = 0; i < 3; ++i) {
    ++number.index;
    writer.WriteNext(text);
    EXPECT_EQ(std::string_view(text, sizeof text), number.ToString());
  }
  EXPECT_NE(before.substr(0, 24), number.ToString().substr(0, 24));
}

class IteratorTest : public testing::Test {
 protected:
  IteratorTest() : random_(7), sealer_(IteratorSealer::Key{1, 2, 3}, random_) {
    iterator_.stream = {"123456789012", "us-east-1", "orders"};
    iterator_.uuid[3] = 9;
    iterator_.shard = {12};
    iterator_.offset = 4711;
    iterator_.issued_ms = 1'421'889'722'000;
  }
  base::SeededRandom random_;
  IteratorSealer sealer_;
  ShardIterator iterator_;
};

TEST_F(IteratorTest, ComesBackAsItWas) {
  std::string token = sealer_.Seal(iterator_);
  auto opened = sealer_.Open(token);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->stream, iterator_.stream);
  EXPECT_EQ(opened->uuid, iterator_.uuid);
  EXPECT_EQ(opened->shard, iterator_.shard);
  EXPECT_EQ(opened->offset, 4711);
  EXPECT_EQ(opened->issued_ms, iterator_.issued_ms);
  EXPECT_TRUE(sealer_.Open('"' + token + '"'));
  // Another process with the same key opens it too.
  base::SeededRandom other_random(8);
  EXPECT_TRUE(IteratorSealer(IteratorSealer::Key{1, 2, 3}, other_random).Open(token));
}

TEST_F(IteratorTest, LooksLikeAnIteratorOfAws) {
  for (std::size_t name = 1; name <= 128; ++name) {
    iterator_.stream.name = std::string(name, 'n');
    std::string token = sealer_.Seal(iterator_);
    auto bytes = codec::Base64Decode(token);
    ASSERT_TRUE(bytes);
    EXPECT_EQ(bytes->substr(0, 8), std::string_view("\0\0\0\0\0\0\0\1", 8));
    EXPECT_EQ(bytes->size(), 152 + (name + 2) / 16 * 16);
    EXPECT_LE(token.size(), 512u);
    EXPECT_TRUE(sealer_.Open(token));
  }
}

TEST_F(IteratorTest, DiffersEachTime) {
  std::set<std::string> tokens;
  for (int i = 0; i < 100; ++i) tokens.insert(sealer_.Seal(iterator_));
  EXPECT_EQ(tokens.size(), 100u);
}

TEST_F(IteratorTest, RefusesEveryChangedByteAndForeignTokens) {
  std::string token = sealer_.Seal(iterator_);
  std::string bytes = *codec::Base64Decode(token);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    auto opened = sealer_.Open(codec::Base64Encode(changed));
    ASSERT_FALSE(opened) << i;
    EXPECT_EQ(opened.error().message(), "Invalid ShardIterator.");
  }
  base::SeededRandom random(9);
  EXPECT_FALSE(IteratorSealer(IteratorSealer::Key{4}, random).Open(token));
  for (std::string_view bad : {"", "\"", "\"\"", "a", "AAAAAAAAAAE=", "*"}) {
    EXPECT_FALSE(sealer_.Open(bad)) << bad;
  }
  EXPECT_FALSE(sealer_.Open(std::string(100'000, 'A')));
}

TEST_F(IteratorTest, ExpiresAfterFiveMinutesInTheWordsOfAws) {
  int64_t now = iterator_.issued_ms;
  EXPECT_TRUE(IteratorSealer::CheckAge(iterator_, now + 300'000));
  auto expired = IteratorSealer::CheckAge(iterator_, now + 300'001);
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().code(), base::Code::kExpired);
  EXPECT_EQ(expired.error().message(),
            "Iterator expired. The iterator was created at time Thu Jan 22 01:22:02 UTC 2015 while "
            "right now it is Thu Jan 22 01:27:02 UTC 2015 which is further in the future than the "
            "tolerated delay of 300000 milliseconds.");
  // A clock set back an hour: not ours to trust.
  auto future = IteratorSealer::CheckAge(iterator_, now - 3'600'000);
  ASSERT_FALSE(future);
  EXPECT_EQ(future.error().code(), base::Code::kInvalidArgument);
}

TEST(AesGcmTest, OpensWhatItSealedAndNothingElse) {
  base::SeededRandom random(3);
  AesGcm::Key key{7};
  const std::string plain = "some bytes", context = "where they belong";
  std::string sealed(plain.size() + AesGcm::kOverhead, '\0'), out(plain.size(), '\0');
  uint8_t nonce[AesGcm::kNonceSize];
  NextNonce(random, nonce);
  AesGcm cipher(key);
  cipher.Seal(nonce, context, plain, sealed.data());
  EXPECT_TRUE(cipher.Open(context, sealed, out.data()));
  EXPECT_EQ(out, plain);
  EXPECT_FALSE(cipher.Open("elsewhere", sealed, out.data()));
  EXPECT_FALSE(AesGcm(AesGcm::Key{8}).Open(context, sealed, out.data()));
  EXPECT_FALSE(cipher.Open(context, sealed.substr(0, AesGcm::kOverhead - 1), out.data()));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(cipher.Open(context, changed, out.data())) << i;
  }
  // Empty texts have a tag too.
  std::string empty(AesGcm::kOverhead, '\0');
  NextNonce(random, nonce);
  cipher.Seal(nonce, "", "", empty.data());
  EXPECT_TRUE(cipher.Open("", empty, out.data()));
}

TEST(AesGcmTest, NeverRepeatsANonce) {
  base::SeededRandom random(3);
  std::mutex mutex;
  std::set<std::string> seen;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        uint8_t nonce[AesGcm::kNonceSize];
        NextNonce(random, nonce);
        std::lock_guard lock(mutex);
        EXPECT_TRUE(seen.emplace(reinterpret_cast<char*>(nonce), sizeof nonce).second);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMiB = 1 << 20;

TEST(WriteQuotaTest, AllowsAThousandRecordsASecond) {
  WriteQuota quota{Limits()};
  int64_t now = 5 * kSecond;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(quota.TryTake(10, now));
  EXPECT_FALSE(quota.TryTake(10, now));
  EXPECT_TRUE(quota.TryTake(10, now + kSecond / 1000));
  EXPECT_FALSE(quota.TryTake(10, now + kSecond / 1000));
}

TEST(WriteQuotaTest, AllowsAMebibyteASecond) {
  WriteQuota quota{Limits()};
  EXPECT_TRUE(quota.TryTake(kMiB, 0));
  EXPECT_FALSE(quota.TryTake(1000, 0));
  EXPECT_TRUE(quota.TryTake(kMiB / 2, kSecond / 2));
}

TEST(WriteQuotaTest, LetsLargeRecordsDrainTheBurst) {
  WriteQuota quota{Limits()};
  EXPECT_TRUE(quota.TryTake(8 * kMiB, 0));
  EXPECT_FALSE(quota.TryTake(4 * kMiB, kSecond));
  EXPECT_TRUE(quota.TryTake(4 * kMiB, 2 * kSecond));
}

TEST(ReadQuotaTest, AllowsFiveCallsASecond) {
  ReadQuota quota{Limits()};
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(quota.TryBegin(0));
  EXPECT_FALSE(quota.TryBegin(0));
  EXPECT_TRUE(quota.TryBegin(kSecond / 5));
}

TEST(ReadQuotaTest, MakesAFullPageWaitFiveSeconds) {
  ReadQuota quota{Limits()};
  ASSERT_TRUE(quota.TryBegin(0));
  quota.Charge(10 * kMiB, 0);
  EXPECT_FALSE(quota.TryBegin(4 * kSecond));
  EXPECT_FALSE(quota.TryBegin(4 * kSecond + kSecond * 99 / 100));
  EXPECT_TRUE(quota.TryBegin(5 * kSecond + kSecond / 100));
}

TEST(TokenBucketTest, KeepsFractionsOfFrequentCallers) {
  TokenBucket bucket(5, 5);
  int64_t now = 0;
  ASSERT_EQ(bucket.Level(now), 5);
  bucket.Take(5, now);
  // Asked every millisecond for a second, it must still gain five tokens.
  for (int i = 0; i < 1000; ++i) bucket.Level(now += kSecond / 1000);
  EXPECT_EQ(bucket.Level(now), 5);
}

TEST(TokenBucketTest, SurvivesLongIdleTimesAndClockJumps) {
  TokenBucket bucket(1 << 30, 1 << 30);
  bucket.Take(1 << 30, 0);
  EXPECT_EQ(bucket.Level(INT64_MAX / 2), 1 << 30);
  EXPECT_EQ(bucket.Level(0), 1 << 30);
}

}  // namespace
}  // namespace millstream::streams
