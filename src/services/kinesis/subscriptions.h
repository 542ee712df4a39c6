#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>

#include "aws/generated/kinesis.h"
#include "aws/reply.h"
#include "services/kinesis/shared_events.h"
#include "streams/registry.h"

namespace millstream::services::kinesis {

// SubscribeToShard: pushes the records of a shard to each subscriber within milliseconds of their
// commit, at least one event every five seconds, for five minutes.
//
// Each subscription lives on the loop of its connection and touches its state only there; the log's
// writer wakes it through the loop. One subscription per consumer and shard: within five seconds of
// the first a second is refused, later it takes over. Owned by the service. Thread-safe.
class Subscriptions {
 public:
  explicit Subscriptions(streams::StreamRegistry& registry) : registry_(registry) {}
  ~Subscriptions();

  using Reply =
      aws::StreamReply<aws::kinesis::SubscribeToShardOutput, aws::kinesis::SubscribeToShardEvent>;
  struct Request {
    streams::StreamPtr stream;
    std::string consumer;
    int64_t consumer_created_s = 0;
    streams::ShardId shard;
    streams::StartPosition start;
    bool cbor = false;
  };
  // The caller has found that stream, ACTIVE consumer and shard exist and that the position is one
  // of this shard. On a connection loop.
  void Start(Request request, Reply reply);

  // Ends all subscriptions; they are told nothing, as at a lost connection. Used at shutdown.
  void Stop();

  std::size_t active() const;

 private:
  class Subscription;
  // Stream uuid, consumer (name and creation), shard.
  using Key = std::tuple<streams::StreamUuid, std::string, int64_t, uint32_t>;

  void Remove(const Key& key, const Subscription* subscription);

  streams::StreamRegistry& registry_;
  SharedEvents events_;
  mutable std::mutex mutex_;
  std::map<Key, std::shared_ptr<Subscription>> active_;  // guarded by mutex_
  bool stopping_ = false;                                // guarded by mutex_
};

}  // namespace millstream::services::kinesis
