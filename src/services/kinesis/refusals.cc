#include "services/kinesis/refusals.h"

#include "aws/generated/kinesis.h"
#include "base/logging.h"
#include "services/kinesis/service.h"

namespace millstream::services::kinesis {
namespace {

std::string Under(const streams::StreamKey& stream) {
  return "tream " + stream.name + " under account " + stream.account;
}

}  // namespace

aws::ServiceError StreamNotFound(std::string_view name, std::string_view account) {
  return api::ResourceNotFoundException("Stream " + std::string(name) + " under account " +
                                        std::string(account) + " not found.");
}

aws::ServiceError ShardMissing(std::string_view shard, const streams::StreamKey& stream) {
  return api::ResourceNotFoundException("Could not find shard " + std::string(shard) + " in s" +
                                        Under(stream) + ".");
}

aws::ServiceError NotActive(const streams::StreamKey& stream, streams::StreamStatus status) {
  return api::ResourceInUseException("S" + Under(stream) + " not ACTIVE, instead in state " +
                                     std::string(StatusName(status)));
}

aws::ServiceError ToError(const streams::Refused& refused, const RefusalContext& context) {
  using streams::Refusal;
  const streams::StreamKey& stream = context.stream;
  auto count = [](int64_t n) { return std::to_string(n); };
  switch (refused.reason) {
    case Refusal::kStreamNotFound:
      return StreamNotFound(stream.name, stream.account);
    case Refusal::kStreamExists:
      return api::ResourceInUseException("S" + Under(stream) + " already exists.");
    case Refusal::kStreamNotActive:
      return NotActive(stream, refused.status);
    case Refusal::kShardNotFound:
      return ShardMissing(refused.message.empty() ? context.shard : refused.message, stream);
    case Refusal::kShardLimit:
      return api::LimitExceededException(
          "This request would exceed the shard limit for the account " + stream.account + " in " +
          stream.region + ". Current shard count for the account: " + count(refused.count) +
          ". Limit: " + count(refused.limit) +
          ". Number of additional shards that would have resulted from this request: " +
          count(refused.extra) +
          ". Refer to the AWS Service Limits page "
          "(http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current "
          "limits and how to request higher limits.");
    case Refusal::kStreamsCreating:
      return api::LimitExceededException(
          "You have too many streams in CREATING state: " + count(refused.count) + ". At most " +
          count(refused.limit) + " streams can be created at the same time.");
    case Refusal::kOnDemandLimit:
      return api::LimitExceededException(
          "This request would exceed the limit of streams in On-Demand mode for the account " +
          stream.account + " in " + stream.region + ". Current count: " + count(refused.count) +
          ". Limit: " + count(refused.limit) + ".");
    case Refusal::kConsumerNotFound:
      return api::ResourceNotFoundException("Consumer " + context.consumer + " of s" +
                                            Under(stream) + " not found.");
    case Refusal::kConsumerExists:
      return api::ResourceInUseException("Consumer " + context.consumer + " of s" + Under(stream) +
                                         " already exists.");
    case Refusal::kConsumerLimit:
      return api::LimitExceededException(
          "S" + Under(stream) + " has " + count(refused.count) +
          " registered consumers already. Limit: " + count(refused.limit) + ".");
    case Refusal::kConsumersCreating:
      return api::LimitExceededException(
          "S" + Under(stream) + " has " + count(refused.count) +
          " consumers in CREATING state already. Limit: " + count(refused.limit) + ".");
    case Refusal::kHasConsumers:
      return api::ResourceInUseException(
          "S" + Under(stream) +
          " has registered consumers. Deregister them first, or set EnforceConsumerDeletion to "
          "true.");
    case Refusal::kShardClosed:
      return api::InvalidArgumentException(
          "Shard " + (refused.message.empty() ? context.shard : refused.message) + " in s" +
          Under(stream) +
          " has already been merged or split, and thus is not eligible for merging or splitting.");
    case Refusal::kShardsNotAdjacent:
      return api::InvalidArgumentException("Shards " + context.shard + " and " + context.adjacent +
                                           " in s" + Under(stream) +
                                           " are not an adjacent pair of shards eligible for "
                                           "merging");
    case Refusal::kHashKeyOutside:
      return api::InvalidArgumentException(
          "NewStartingHashKey used in SplitShard() on shard " + context.shard + " in s" +
          Under(stream) +
          " is not both greater than one plus the shard's StartingHashKey and less than the "
          "shard's EndingHashKey - 1.");
    case Refusal::kOnDemandMode:
      return api::ValidationException("Request is invalid. S" + Under(stream) +
                                      " is in On-Demand mode.");
    case Refusal::kShardCountRate:
      return api::LimitExceededException(
          "S" + Under(stream) + " was scaled " + count(refused.count) +
          " times in the last 24 hours. Limit: " + count(refused.limit) + ".");
    case Refusal::kShardCountRange:
      return api::InvalidArgumentException(
          "UpdateShardCount cannot scale s" + Under(stream) + " from " + count(refused.count) +
          " to " + count(refused.extra) +
          " shards. The target must be at most double and at least half of the current open shard "
          "count, and at most " +
          count(refused.limit) + ".");
    case Refusal::kTagLimit:
      return api::InvalidArgumentException("Failed to add tags to s" + Under(stream) +
                                           " because a given stream cannot have more than " +
                                           count(refused.limit) + " tags associated with it.");
    case Refusal::kModeRate:
      return api::LimitExceededException(
          "The mode of s" + Under(stream) + " was changed " + count(refused.count) +
          " times in the last 24 hours. Limit: " + count(refused.limit) + ".");
    case Refusal::kSameValue:
      return api::InvalidArgumentException("S" + Under(stream) +
                                           " has the requested setting already, or it cannot be "
                                           "changed yet.");
    case Refusal::kEncryption:
      return api::KMSNotFoundException("Encryption of s" + Under(stream) +
                                       " is not possible: " + refused.message + ".");
    case Refusal::kCatalog:
      break;
  }
  LOG_ERROR("control operation failed", {"stream", stream.name}, {"error", refused.message});
  return aws::InternalFailure();
}

}  // namespace millstream::services::kinesis
