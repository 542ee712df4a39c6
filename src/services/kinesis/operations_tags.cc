// Tags both ways (by stream name, by resource ARN) and resource policies.
#include <algorithm>

#include "aws/policy.h"
#include "codec/utf8.h"
#include "services/kinesis/refusals.h"
#include "services/kinesis/service.h"

namespace millstream::services::kinesis {
namespace {

using Tags = std::map<std::string, std::string>;

constexpr std::string_view kTagAlphabet =
    "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, "
    "_ . / = + - % @.";

// Letters beyond ASCII are taken as they are; of ASCII, what AWS lists (and ':', which its newer
// tag operations take).
bool IsTagText(std::string_view text) {
  if (!codec::IsValidUtf8(text)) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    auto u = static_cast<unsigned char>(c);
    return u >= 0x80 || std::isalnum(u) ||
           std::string_view("_./=+-% @:").find(c) != std::string_view::npos;
  });
}

std::optional<aws::ServiceError> CheckTags(const Tags& tags) {
  for (const auto& [key, value] : tags) {
    if (!IsTagText(key) || !IsTagText(value)) {
      return api::InvalidArgumentException(std::string(kTagAlphabet));
    }
    if (key.starts_with("aws:")) {
      return api::InvalidArgumentException(
          "Tag keys starting with aws: are reserved for system use. Key: " + key + ".");
    }
  }
  return std::nullopt;
}

std::vector<api::Tag> TagList(const Tags& tags) {
  std::vector<api::Tag> list;
  for (const auto& [key, value] : tags) {
    api::Tag& tag = list.emplace_back();
    tag.key = key;
    tag.value = value;
  }
  return list;
}

template <typename Output>
aws::Outcome<Output> Done(const streams::Controlled<void>& done, const streams::Stream& stream,
                          std::string_view consumer) {
  if (done) return Output{};
  RefusalContext context;
  context.stream = stream.key();
  context.consumer = consumer;
  return aws::FailCall(ToError(done.error(), context));
}

}  // namespace

void KinesisService::AddTagsToStream(const aws::Call& call, api::AddTagsToStreamInput input,
                                     aws::Reply<api::AddTagsToStreamOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  if (auto wrong = CheckTags(input.tags)) return std::move(reply).Fail(std::move(*wrong));
  RunControl(call, std::move(reply), [this, stream = *stream, tags = std::move(input.tags)] {
    return Done<api::AddTagsToStreamOutput>(registry_.ChangeTags(*stream, tags, {}), *stream, "");
  });
}

void KinesisService::RemoveTagsFromStream(const aws::Call& call,
                                          api::RemoveTagsFromStreamInput input,
                                          aws::Reply<api::RemoveTagsFromStreamOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  for (const std::string& key : input.tag_keys) {
    if (!IsTagText(key)) {
      return std::move(reply).Fail(api::InvalidArgumentException(std::string(kTagAlphabet)));
    }
  }
  RunControl(call, std::move(reply), [this, stream = *stream, keys = std::move(input.tag_keys)] {
    return Done<api::RemoveTagsFromStreamOutput>(registry_.ChangeTags(*stream, {}, keys), *stream,
                                                 "");
  });
}

void KinesisService::ListTagsForStream(const aws::Call& call, api::ListTagsForStreamInput input,
                                       aws::Reply<api::ListTagsForStreamOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  if (!Admit(call, reply)) return;
  auto state = (*stream)->state();
  api::ListTagsForStreamOutput output;
  std::size_t most = static_cast<std::size_t>(input.limit.value_or(50));
  for (api::Tag& tag : TagList(state->tags)) {
    if (input.exclusive_start_tag_key && tag.key <= *input.exclusive_start_tag_key) continue;
    if (output.tags.size() == most) {
      output.has_more_tags = true;
      break;
    }
    output.tags.push_back(std::move(tag));
  }
  std::move(reply).Send(output);
}

void KinesisService::TagResource(const aws::Call& call, api::TagResourceInput input,
                                 aws::Reply<api::TagResourceOutput> reply) {
  auto resource = FindResource(input.resource_arn);
  if (!resource) return std::move(reply).Fail(resource.error());
  if (auto wrong = CheckTags(input.tags)) return std::move(reply).Fail(std::move(*wrong));
  RunControl(call, std::move(reply), [this, resource = *resource, tags = std::move(input.tags)] {
    if (!resource.consumer) {
      return Done<api::TagResourceOutput>(registry_.ChangeTags(*resource.stream, tags, {}),
                                          *resource.stream, "");
    }
    const std::string& name = resource.consumer->name;
    return Done<api::TagResourceOutput>(
        registry_.ChangeConsumerTags(*resource.stream, name, tags, {}), *resource.stream, name);
  });
}

void KinesisService::UntagResource(const aws::Call& call, api::UntagResourceInput input,
                                   aws::Reply<api::UntagResourceOutput> reply) {
  auto resource = FindResource(input.resource_arn);
  if (!resource) return std::move(reply).Fail(resource.error());
  RunControl(
      call, std::move(reply), [this, resource = *resource, keys = std::move(input.tag_keys)] {
        if (!resource.consumer) {
          return Done<api::UntagResourceOutput>(registry_.ChangeTags(*resource.stream, {}, keys),
                                                *resource.stream, "");
        }
        const std::string& name = resource.consumer->name;
        return Done<api::UntagResourceOutput>(
            registry_.ChangeConsumerTags(*resource.stream, name, {}, keys), *resource.stream, name);
      });
}

void KinesisService::ListTagsForResource(const aws::Call& call, api::ListTagsForResourceInput input,
                                         aws::Reply<api::ListTagsForResourceOutput> reply) {
  auto resource = FindResource(input.resource_arn);
  if (!resource) return std::move(reply).Fail(resource.error());
  if (!Admit(call, reply)) return;
  api::ListTagsForResourceOutput output;
  output.tags =
      TagList(resource->consumer ? resource->consumer->tags : resource->stream->state()->tags);
  std::move(reply).Send(output);
}

void KinesisService::PutResourcePolicy(const aws::Call& call, api::PutResourcePolicyInput input,
                                       aws::Reply<api::PutResourcePolicyOutput> reply) {
  auto resource = FindResource(input.resource_arn);
  if (!resource) return std::move(reply).Fail(resource.error());
  if (auto parsed = aws::PolicyDocument::Parse(input.policy, aws::PolicyKind::kResource); !parsed) {
    return std::move(reply).Fail(api::InvalidArgumentException(
        "The resource policy is not valid: " + parsed.error().message()));
  }
  RunControl(
      call, std::move(reply), [this, resource = *resource, policy = std::move(input.policy)] {
        if (!resource.consumer) {
          return Done<api::PutResourcePolicyOutput>(registry_.SetPolicy(*resource.stream, policy),
                                                    *resource.stream, "");
        }
        const std::string& name = resource.consumer->name;
        return Done<api::PutResourcePolicyOutput>(
            registry_.SetConsumerPolicy(*resource.stream, name, policy), *resource.stream, name);
      });
}

void KinesisService::GetResourcePolicy(const aws::Call& call, api::GetResourcePolicyInput input,
                                       aws::Reply<api::GetResourcePolicyOutput> reply) {
  auto resource = FindResource(input.resource_arn);
  if (!resource) return std::move(reply).Fail(resource.error());
  if (!Admit(call, reply)) return;
  auto policy = ResourcePolicy(input.resource_arn);
  if (!policy) {
    return std::move(reply).Fail(api::ResourceNotFoundException(
        "No resource policy found for resource ARN " + input.resource_arn + "."));
  }
  api::GetResourcePolicyOutput output;
  output.policy = std::move(*policy);
  std::move(reply).Send(output);
}

void KinesisService::DeleteResourcePolicy(const aws::Call& call,
                                          api::DeleteResourcePolicyInput input,
                                          aws::Reply<api::DeleteResourcePolicyOutput> reply) {
  auto resource = FindResource(input.resource_arn);
  if (!resource) return std::move(reply).Fail(resource.error());
  if (!ResourcePolicy(input.resource_arn)) {
    return std::move(reply).Fail(api::ResourceNotFoundException(
        "No resource policy found for resource ARN " + input.resource_arn + "."));
  }
  RunControl(call, std::move(reply), [this, resource = *resource] {
    if (!resource.consumer) {
      return Done<api::DeleteResourcePolicyOutput>(registry_.SetPolicy(*resource.stream, ""),
                                                   *resource.stream, "");
    }
    const std::string& name = resource.consumer->name;
    return Done<api::DeleteResourcePolicyOutput>(
        registry_.SetConsumerPolicy(*resource.stream, name, ""), *resource.stream, name);
  });
}

}  // namespace millstream::services::kinesis
