#include "services/kinesis/service.h"

#include <algorithm>

#include "aws/arn.h"
#include "codec/base64.h"
#include "services/kinesis/refusals.h"

namespace millstream::services::kinesis {
namespace {

// Calls per second and account of control operations (botocore's documentation of each).
int64_t CallsPerSecond(std::string_view operation) {
  if (operation == "ListShards") return 1000;
  if (operation == "DescribeStreamSummary" || operation == "DescribeStreamConsumer") return 20;
  if (operation == "DescribeStream" || operation == "UpdateShardCount") return 10;
  if (operation == "DescribeLimits") return 1;
  return 5;
}

constexpr int64_t kTokenLifeMs = 300'000;

// The text members of an input that name a resource.
std::string_view TextMember(const aws::OperationSchema& operation, std::string_view name,
                            const void* input) {
  const aws::MemberSchema* member = operation.input->Find(name);
  if (member == nullptr || member->shape->kind != aws::Kind::kString) return {};
  const void* value = member->Get(input);
  return value == nullptr ? std::string_view() : *static_cast<const std::string*>(value);
}

}  // namespace

KinesisService::KinesisService(streams::StreamRegistry& registry, base::JobPool& jobs,
                               int64_t page_bytes)
    : registry_(registry), jobs_(jobs), fast_(registry, page_bytes), subscriptions_(registry) {}

bool KinesisService::TryFast(const aws::OperationSchema& operation, const aws::Call& call,
                             const http::Request& request, std::unique_ptr<aws::ReplySink>& reply) {
  return fast_.Try(operation, call, request, reply);
}

std::vector<std::string> KinesisService::Resources(const aws::OperationSchema& operation,
                                                   const aws::Call& call, const void* input) const {
  for (std::string_view name : {"ConsumerARN", "ResourceARN", "StreamARN"}) {
    std::string_view arn = TextMember(operation, name, input);
    if (!arn.empty()) return {std::string(arn)};
  }
  std::string_view name = TextMember(operation, "StreamName", input);
  if (!name.empty()) return {aws::FormatStreamArn(call.region, call.account, name)};
  if (std::string_view id = TextMember(operation, "StreamId", input); !id.empty()) {
    if (auto stream = FindById(call, id)) return {StreamArn(stream->key())};
  }
  if (std::string_view token = TextMember(operation, "ShardIterator", input); !token.empty()) {
    if (auto iterator = registry_.iterators().Open(token)) return {StreamArn(iterator->stream)};
  }
  // The token of ListShards names its stream: account, region, name.
  if (std::string_view token = TextMember(operation, "NextToken", input);
      !token.empty() && operation.name == "ListShards") {
    auto fields = ReadToken("ListShards", registry_.clock().WallMs(), token, kListShardsFields);
    if (fields) return {aws::FormatStreamArn((*fields)[1], (*fields)[0], (*fields)[2])};
  }
  return {"*"};
}

std::optional<std::string> KinesisService::ResourcePolicy(std::string_view arn) const {
  auto resource = FindResource(arn);
  if (!resource) return std::nullopt;
  std::string policy =
      resource->consumer ? resource->consumer->policy : resource->stream->state()->policy;
  if (policy.empty()) return std::nullopt;
  return policy;
}

aws::Outcome<streams::StreamPtr> KinesisService::FindByArn(std::string_view arn) const {
  auto key = ParseStreamArn(arn);
  if (!key) {
    return aws::FailCall(
        api::InvalidArgumentException("Invalid StreamARN: " + std::string(arn) + "."));
  }
  if (auto stream = registry_.Find(*key)) return stream;
  return aws::FailCall(StreamNotFound(key->name, key->account));
}

aws::Outcome<streams::StreamPtr> KinesisService::FindStream(
    const aws::Call& call, const std::optional<std::string>& name,
    const std::optional<std::string>& arn, const std::optional<std::string>& id) const {
  if (arn) {
    auto stream = FindByArn(*arn);
    if (stream && name && (*stream)->key().name != *name) {
      return aws::FailCall(api::InvalidArgumentException(
          "StreamName " + *name + " does not match the name in the StreamARN " + *arn + "."));
    }
    return stream;
  }
  if (name) {
    if (auto stream = registry_.Find({call.account, call.region, *name})) return stream;
    return aws::FailCall(StreamNotFound(*name, call.account));
  }
  if (id) {
    if (auto stream = FindById(call, *id)) return stream;
    return aws::FailCall(StreamNotFound(*id, call.account));
  }
  return aws::FailCall(
      api::InvalidArgumentException("Either StreamName or StreamARN must be specified."));
}

streams::StreamPtr KinesisService::FindById(const aws::Call& call, std::string_view id) const {
  streams::StreamPtr stream = registry_.FindByStreamId(id);
  bool own = stream != nullptr && stream->key().account == call.account &&
             stream->key().region == call.region;
  return own ? stream : nullptr;
}

aws::Outcome<KinesisService::Resource> KinesisService::FindResource(std::string_view arn) const {
  Resource resource;
  if (!aws::LooksLikeConsumerArn(arn)) {
    auto stream = FindByArn(arn);
    if (!stream) return aws::FailCall(stream.error());
    resource.stream = *stream;
    return resource;
  }
  return FindConsumer(std::nullopt, std::nullopt, std::string(arn));
}

aws::Outcome<KinesisService::Resource> KinesisService::FindConsumer(
    const std::optional<std::string>& stream_arn, const std::optional<std::string>& consumer_name,
    const std::optional<std::string>& consumer_arn) const {
  Resource resource;
  std::string name;
  std::optional<int64_t> created_s;
  if (consumer_arn) {
    auto arn = aws::ParseConsumerArn(*consumer_arn);
    if (!arn) {
      return aws::FailCall(
          api::InvalidArgumentException("Invalid ConsumerARN: " + *consumer_arn + "."));
    }
    resource.stream =
        registry_.Find({arn->stream.account, arn->stream.region, arn->stream.stream_name});
    if (resource.stream == nullptr) {
      return aws::FailCall(StreamNotFound(arn->stream.stream_name, arn->stream.account));
    }
    name = arn->consumer_name;
    created_s = arn->creation_seconds;
  } else if (stream_arn && consumer_name) {
    auto stream = FindByArn(*stream_arn);
    if (!stream) return aws::FailCall(stream.error());
    resource.stream = *stream;
    name = *consumer_name;
  } else {
    return aws::FailCall(api::InvalidArgumentException(
        "Either ConsumerARN, or both StreamARN and ConsumerName must be specified."));
  }
  auto state = resource.stream->state();
  const streams::Consumer* consumer = state->FindConsumer(name);
  if (consumer == nullptr || (created_s && *created_s != consumer->created_s)) {
    return aws::FailCall(api::ResourceNotFoundException(
        "Consumer " + name + " of stream " + resource.stream->key().name + " under account " +
        resource.stream->key().account + " not found."));
  }
  resource.consumer = *consumer;
  return resource;
}

std::optional<aws::ServiceError> KinesisService::RateOf(const aws::Call& call) {
  const streams::Limits& limits = registry_.limits();
  if (!limits.enforced || !limits.control_rates) return std::nullopt;
  if (registry_.TryControl(call.account, call.region, call.operation,
                           CallsPerSecond(call.operation))) {
    return std::nullopt;
  }
  return api::LimitExceededException("Rate exceeded for API " + call.operation + " under account " +
                                     call.account + ".");
}

std::string_view StatusName(streams::StreamStatus status) {
  switch (status) {
    case streams::StreamStatus::kCreating:
      return "CREATING";
    case streams::StreamStatus::kActive:
      return "ACTIVE";
    case streams::StreamStatus::kUpdating:
      return "UPDATING";
    case streams::StreamStatus::kDeleting:
      return "DELETING";
  }
  return "";
}

std::string_view StatusName(streams::ConsumerStatus status) {
  switch (status) {
    case streams::ConsumerStatus::kCreating:
      return "CREATING";
    case streams::ConsumerStatus::kActive:
      return "ACTIVE";
    case streams::ConsumerStatus::kDeleting:
      return "DELETING";
  }
  return "";
}

api::StreamModeDetails ModeDetails(streams::StreamMode mode) {
  api::StreamModeDetails details;
  details.stream_mode = mode == streams::StreamMode::kOnDemand ? "ON_DEMAND" : "PROVISIONED";
  return details;
}

api::Shard DescribeShard(const streams::ShardFacts& facts) {
  api::Shard shard;
  shard.shard_id = facts.id.ToString();
  if (facts.parent) shard.parent_shard_id = facts.parent->ToString();
  if (facts.adjacent_parent) shard.adjacent_parent_shard_id = facts.adjacent_parent->ToString();
  shard.hash_key_range.starting_hash_key = codec::ToDecimal(facts.range.start);
  shard.hash_key_range.ending_hash_key = codec::ToDecimal(facts.range.end);
  shard.sequence_number_range.starting_sequence_number = facts.StartingSequenceNumber().ToString();
  if (!facts.open()) {
    shard.sequence_number_range.ending_sequence_number = facts.EndingSequenceNumber().ToString();
  }
  return shard;
}

std::string ConsumerArnOf(const streams::Stream& stream, const streams::Consumer& consumer) {
  const streams::StreamKey& key = stream.key();
  return aws::FormatConsumerArn(key.region, key.account, key.name, consumer.name,
                                consumer.created_s);
}

std::string MakeToken(std::string_view kind, int64_t now_ms,
                      const std::vector<std::string>& fields) {
  std::string text(kind);
  text += "\n" + std::to_string(now_ms);
  for (const std::string& field : fields) text += "\n" + field;
  return codec::Base64Encode(text);
}

aws::Outcome<std::vector<std::string>> ReadToken(std::string_view kind, int64_t now_ms,
                                                 std::string_view token, std::size_t fields) {
  auto invalid = [] { return aws::FailCall(api::InvalidArgumentException("Invalid NextToken.")); };
  auto text = codec::Base64Decode(token);
  if (!text) return invalid();
  std::vector<std::string> parts;
  std::string_view rest = *text;
  while (true) {
    std::size_t end = rest.find('\n');
    parts.emplace_back(rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  if (parts.size() != fields + 2 || parts[0] != kind) return invalid();
  int64_t issued_ms = std::strtoll(parts[1].c_str(), nullptr, 10);
  if (now_ms - issued_ms > kTokenLifeMs) {
    return aws::FailCall(api::ExpiredNextTokenException(
        "The specified pagination token expired after " + std::to_string(kTokenLifeMs / 1000) +
        " seconds. Start the list again without NextToken."));
  }
  parts.erase(parts.begin(), parts.begin() + 2);
  return parts;
}

}  // namespace millstream::services::kinesis
