#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aws/generated/kinesis.h"
#include "base/executor.h"
#include "services/kinesis/fast_path.h"
#include "services/kinesis/subscriptions.h"
#include "streams/registry.h"

namespace millstream::services::kinesis {

namespace api = aws::kinesis;

// Kinesis Data Streams on top of a StreamRegistry. Bodies are in operations_*.cc, one file per
// family. Thread-safe: called on connection loops; what changes the catalog runs on `jobs` and
// answers from there.
class KinesisService final : public api::KinesisApi {
 public:
  // Both must outlive the service; `jobs` is stopped before it goes.
  // `page_bytes` bounds the memory of GetRecords answers that readers have not taken.
  KinesisService(streams::StreamRegistry& registry, base::JobPool& jobs,
                 int64_t page_bytes = 1 << 30);

  bool TryFast(const aws::OperationSchema& operation, const aws::Call& call,
               const http::Request& request, std::unique_ptr<aws::ReplySink>& reply) override;
  std::vector<std::string> Resources(const aws::OperationSchema& operation, const aws::Call& call,
                                     const void* input) const override;
  std::optional<std::string> ResourcePolicy(std::string_view arn) const override;

  Subscriptions& subscriptions() { return subscriptions_; }

#define MILLSTREAM_KINESIS_OPERATION(name)                                                      \
  void name(const aws::Call& call, api::name##Input input, aws::Reply<api::name##Output> reply) \
      override;
  // operations_streams.cc
  MILLSTREAM_KINESIS_OPERATION(CreateStream)
  MILLSTREAM_KINESIS_OPERATION(DeleteStream)
  MILLSTREAM_KINESIS_OPERATION(DescribeStream)
  MILLSTREAM_KINESIS_OPERATION(DescribeStreamSummary)
  MILLSTREAM_KINESIS_OPERATION(ListStreams)
  MILLSTREAM_KINESIS_OPERATION(IncreaseStreamRetentionPeriod)
  MILLSTREAM_KINESIS_OPERATION(DecreaseStreamRetentionPeriod)
  MILLSTREAM_KINESIS_OPERATION(UpdateStreamMode)
  MILLSTREAM_KINESIS_OPERATION(UpdateStreamWarmThroughput)
  MILLSTREAM_KINESIS_OPERATION(UpdateMaxRecordSize)
  MILLSTREAM_KINESIS_OPERATION(EnableEnhancedMonitoring)
  MILLSTREAM_KINESIS_OPERATION(DisableEnhancedMonitoring)
  MILLSTREAM_KINESIS_OPERATION(StartStreamEncryption)
  MILLSTREAM_KINESIS_OPERATION(StopStreamEncryption)
  MILLSTREAM_KINESIS_OPERATION(DescribeLimits)
  MILLSTREAM_KINESIS_OPERATION(DescribeAccountSettings)
  MILLSTREAM_KINESIS_OPERATION(UpdateAccountSettings)
  // operations_shards.cc
  MILLSTREAM_KINESIS_OPERATION(ListShards)
  MILLSTREAM_KINESIS_OPERATION(SplitShard)
  MILLSTREAM_KINESIS_OPERATION(MergeShards)
  MILLSTREAM_KINESIS_OPERATION(UpdateShardCount)
  // operations_records.cc
  MILLSTREAM_KINESIS_OPERATION(PutRecord)
  MILLSTREAM_KINESIS_OPERATION(PutRecords)
  MILLSTREAM_KINESIS_OPERATION(GetShardIterator)
  MILLSTREAM_KINESIS_OPERATION(GetRecords)
  // operations_consumers.cc
  MILLSTREAM_KINESIS_OPERATION(RegisterStreamConsumer)
  MILLSTREAM_KINESIS_OPERATION(DeregisterStreamConsumer)
  MILLSTREAM_KINESIS_OPERATION(DescribeStreamConsumer)
  MILLSTREAM_KINESIS_OPERATION(ListStreamConsumers)
  void SubscribeToShard(
      const aws::Call& call, api::SubscribeToShardInput input,
      aws::StreamReply<api::SubscribeToShardOutput, api::SubscribeToShardEvent> reply) override;
  // operations_tags.cc
  MILLSTREAM_KINESIS_OPERATION(AddTagsToStream)
  MILLSTREAM_KINESIS_OPERATION(RemoveTagsFromStream)
  MILLSTREAM_KINESIS_OPERATION(ListTagsForStream)
  MILLSTREAM_KINESIS_OPERATION(TagResource)
  MILLSTREAM_KINESIS_OPERATION(UntagResource)
  MILLSTREAM_KINESIS_OPERATION(ListTagsForResource)
  MILLSTREAM_KINESIS_OPERATION(PutResourcePolicy)
  MILLSTREAM_KINESIS_OPERATION(GetResourcePolicy)
  MILLSTREAM_KINESIS_OPERATION(DeleteResourcePolicy)
#undef MILLSTREAM_KINESIS_OPERATION

 private:
  // A stream, and the consumer when an ARN named one.
  struct Resource {
    streams::StreamPtr stream;
    std::optional<streams::Consumer> consumer;
  };

  // The stream of a request: by ARN, name or id, in this order.
  aws::Outcome<streams::StreamPtr> FindStream(const aws::Call& call,
                                              const std::optional<std::string>& name,
                                              const std::optional<std::string>& arn,
                                              const std::optional<std::string>& id) const;
  aws::Outcome<streams::StreamPtr> FindByArn(std::string_view arn) const;
  // Ids name streams of the caller's account and region only; null when there is none.
  streams::StreamPtr FindById(const aws::Call& call, std::string_view id) const;
  aws::Outcome<Resource> FindResource(std::string_view arn) const;
  aws::Outcome<Resource> FindConsumer(const std::optional<std::string>& stream_arn,
                                      const std::optional<std::string>& consumer_name,
                                      const std::optional<std::string>& consumer_arn) const;

  // Control operations have a rate per account and region. Answers and returns false above it.
  template <typename Output>
  bool Admit(const aws::Call& call, aws::Reply<Output>& reply) {
    if (auto refused = RateOf(call)) {
      std::move(reply).Fail(std::move(*refused));
      return false;
    }
    return true;
  }
  std::optional<aws::ServiceError> RateOf(const aws::Call& call);

  // Runs `work` (returns aws::Outcome<Output>) on the job pool and answers with what it gives.
  template <typename Output, typename Work>
  void RunControl(const aws::Call& call, aws::Reply<Output> reply, Work work) {
    if (!Admit(call, reply)) return;
    struct Job {
      aws::Reply<Output> reply;
      Work work;
    };
    auto job = std::make_shared<Job>(Job{std::move(reply), std::move(work)});
    auto submitted = jobs_.Submit([job] { Answer(std::move(job->reply), job->work()); });
    if (!submitted) std::move(job->reply).Fail(aws::ServiceUnavailable());
  }

  template <typename Output>
  static void Answer(aws::Reply<Output> reply, aws::Outcome<Output> outcome) {
    if (outcome) {
      std::move(reply).Send(*outcome);
    } else {
      std::move(reply).Fail(std::move(outcome).error());
    }
  }

  streams::StreamRegistry& registry_;
  base::JobPool& jobs_;
  FastPath fast_;
  Subscriptions subscriptions_;
};

// ---- pieces that the families share

std::string_view StatusName(streams::StreamStatus status);
std::string_view StatusName(streams::ConsumerStatus status);
api::StreamModeDetails ModeDetails(streams::StreamMode mode);
api::Shard DescribeShard(const streams::ShardFacts& facts);
std::string ConsumerArnOf(const streams::Stream& stream, const streams::Consumer& consumer);

// Where a reader of that shard wants to start, checked in AWS's words and order.
aws::Outcome<streams::StartPosition> CheckStart(const std::string& type,
                                                const std::optional<std::string>& sequence,
                                                const std::optional<int64_t>& timestamp_ms,
                                                int64_t now_ms, std::string_view operation,
                                                const streams::ShardFacts& facts,
                                                const streams::StreamKey& stream);

// Tokens of paged lists: base64 of a kind, the moment of issue and fields. Opaque, not secret.
std::string MakeToken(std::string_view kind, int64_t now_ms,
                      const std::vector<std::string>& fields);
inline constexpr std::size_t kListShardsFields = 6;  // account, region, stream, filter, time, shard
// ExpiredNextTokenException after 300 s; InvalidArgumentException for what is no token of this
// kind.
aws::Outcome<std::vector<std::string>> ReadToken(std::string_view kind, int64_t now_ms,
                                                 std::string_view token, std::size_t fields);

}  // namespace millstream::services::kinesis
