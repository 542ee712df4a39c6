// Enhanced fan-out: consumers, and the way into SubscribeToShard (subscriptions.h).
#include <algorithm>

#include "services/kinesis/refusals.h"
#include "services/kinesis/service.h"

namespace millstream::services::kinesis {

namespace {

api::Consumer Describe(const streams::Stream& stream, const streams::Consumer& consumer) {
  api::Consumer output;
  output.consumer_name = consumer.name;
  output.consumer_arn = ConsumerArnOf(stream, consumer);
  output.consumer_status = StatusName(consumer.status);
  output.consumer_creation_timestamp = consumer.created_s * 1000;
  return output;
}

}  // namespace

void KinesisService::RegisterStreamConsumer(const aws::Call& call,
                                            api::RegisterStreamConsumerInput input,
                                            aws::Reply<api::RegisterStreamConsumerOutput> reply) {
  auto stream = FindByArn(input.stream_arn);
  if (!stream) return std::move(reply).Fail(stream.error());
  RunControl(call, std::move(reply),
             [this, stream = *stream, name = input.consumer_name,
              tags = input.tags.value_or(std::map<std::string, std::string>())]()
                 -> aws::Outcome<api::RegisterStreamConsumerOutput> {
               auto consumer = registry_.RegisterConsumer(*stream, name, tags);
               if (!consumer) {
                 RefusalContext context;
                 context.stream = stream->key();
                 context.consumer = name;
                 return aws::FailCall(ToError(consumer.error(), context));
               }
               api::RegisterStreamConsumerOutput output;
               output.consumer = Describe(*stream, *consumer);
               return output;
             });
}

void KinesisService::DeregisterStreamConsumer(
    const aws::Call& call, api::DeregisterStreamConsumerInput input,
    aws::Reply<api::DeregisterStreamConsumerOutput> reply) {
  auto resource = FindConsumer(input.stream_arn, input.consumer_name, input.consumer_arn);
  if (!resource) return std::move(reply).Fail(resource.error());
  RunControl(
      call, std::move(reply),
      [this, stream = resource->stream,
       name = resource->consumer->name]() -> aws::Outcome<api::DeregisterStreamConsumerOutput> {
        auto done = registry_.DeregisterConsumer(*stream, name);
        if (!done) {
          RefusalContext context;
          context.stream = stream->key();
          context.consumer = name;
          return aws::FailCall(ToError(done.error(), context));
        }
        return api::DeregisterStreamConsumerOutput{};
      });
}

void KinesisService::DescribeStreamConsumer(const aws::Call& call,
                                            api::DescribeStreamConsumerInput input,
                                            aws::Reply<api::DescribeStreamConsumerOutput> reply) {
  auto resource = FindConsumer(input.stream_arn, input.consumer_name, input.consumer_arn);
  if (!resource) return std::move(reply).Fail(resource.error());
  if (!Admit(call, reply)) return;
  api::Consumer consumer = Describe(*resource->stream, *resource->consumer);
  api::DescribeStreamConsumerOutput output;
  api::ConsumerDescription& to = output.consumer_description;
  to.consumer_name = consumer.consumer_name;
  to.consumer_arn = consumer.consumer_arn;
  to.consumer_status = consumer.consumer_status;
  to.consumer_creation_timestamp = consumer.consumer_creation_timestamp;
  to.stream_arn = StreamArn(resource->stream->key());
  std::move(reply).Send(output);
}

void KinesisService::ListStreamConsumers(const aws::Call& call, api::ListStreamConsumersInput input,
                                         aws::Reply<api::ListStreamConsumersOutput> reply) {
  auto stream = FindByArn(input.stream_arn);
  if (!stream) return std::move(reply).Fail(stream.error());
  if (!Admit(call, reply)) return;
  int64_t now_ms = registry_.clock().WallMs();
  std::string after;
  if (input.next_token) {
    auto fields = ReadToken("ListStreamConsumers", now_ms, *input.next_token, 2);
    if (!fields) return std::move(reply).Fail(fields.error());
    if ((*fields)[0] != input.stream_arn) {
      return std::move(reply).Fail(api::InvalidArgumentException("Invalid NextToken."));
    }
    after = (*fields)[1];
  }
  std::size_t most = static_cast<std::size_t>(std::min(input.max_results.value_or(100), 100));
  auto state = (*stream)->state();
  api::ListStreamConsumersOutput output;
  output.consumers.emplace();
  for (const streams::Consumer& consumer : state->consumers) {
    if (!after.empty() && consumer.name <= after) continue;
    if (output.consumers->size() == most) {
      output.next_token = MakeToken("ListStreamConsumers", now_ms,
                                    {input.stream_arn, output.consumers->back().consumer_name});
      break;
    }
    output.consumers->push_back(Describe(**stream, consumer));
  }
  std::move(reply).Send(output);
}

void KinesisService::SubscribeToShard(
    const aws::Call& call, api::SubscribeToShardInput input,
    aws::StreamReply<api::SubscribeToShardOutput, api::SubscribeToShardEvent> reply) {
  auto resource = FindConsumer(std::nullopt, std::nullopt, input.consumer_arn);
  if (!resource) return std::move(reply).Fail(resource.error());
  const streams::Stream& stream = *resource->stream;
  const streams::Consumer& consumer = *resource->consumer;
  if (consumer.status != streams::ConsumerStatus::kActive) {
    return std::move(reply).Fail(api::ResourceInUseException(
        "Consumer " + input.consumer_arn + " not ACTIVE, instead in state " +
        std::string(StatusName(consumer.status))));
  }
  auto state = stream.state();
  auto shard = streams::ShardId::Parse(input.shard_id);
  const streams::ShardEntry* entry = shard ? state->FindShard(*shard) : nullptr;
  if (entry == nullptr) return std::move(reply).Fail(ShardMissing(input.shard_id, stream.key()));
  const api::StartingPosition& start = input.starting_position;
  auto position =
      CheckStart(start.type, start.sequence_number, start.timestamp, registry_.clock().WallMs(),
                 "SubscribeToShard", entry->facts, stream.key());
  if (!position) return std::move(reply).Fail(position.error());
  Subscriptions::Request request;
  request.stream = resource->stream;
  request.consumer = consumer.name;
  request.consumer_created_s = consumer.created_s;
  request.shard = *shard;
  request.start = *position;
  request.cbor = call.protocol == aws::Protocol::kCborKinesis;
  subscriptions_.Start(std::move(request), std::move(reply));
}

}  // namespace millstream::services::kinesis
