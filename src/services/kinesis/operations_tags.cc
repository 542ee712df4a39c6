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

// kinesalite, actions/addTagsToStream.js: [\u00C0-\u1FFF\u2C00-\uD7FF\w./\-=+_ @%], and ':', which the
// newer tag operations take.
bool IsTagText(std::string_view text) {
  if (!codec::IsValidUtf8(text)) return false;
  for (std::size_t i = 0; i < text.size();) {
    auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      if (!std::isalnum(lead) &&
          std::string_view("_./=+-% @:").find(text[i]) == std::string_view::npos) {
        return false;
      }
      ++i;
      continue;
    }
    if (lead >= 0xf0) return false;
    std::size_t size = lead < 0xe0 ? 2 : 3;
    uint32_t point = lead & (size == 2 ? 0x1f : 0x0f);
    for (std::size_t k = 1; k < size; ++k) {
      point = point << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3f);
    }
    if (!(point >= 0xc0 && point <= 0x1fff) && !(point >= 0x2c00 && point <= 0xd7ff)) return false;
    i += size;
  }
  return true;
}

// AWS takes '%' in the first of its two checks and refuses it in the second.
std::optional<aws::ServiceError> CheckTexts(const std::vector<std::string_view>& texts,
                                            std::string_view failed_to,
                                            const streams::StreamKey& stream) {
  if (!std::all_of(texts.begin(), texts.end(), IsTagText)) {
    return api::InvalidArgumentException(std::string(kTagAlphabet));
  }
  for (std::string_view text : texts) {
    if (text.find('%') == std::string_view::npos) continue;
    return api::InvalidArgumentException(
        "Failed to " + std::string(failed_to) + " stream " + stream.name + " under account " +
        stream.account +
        " because some tags contained illegal characters. The allowed characters are Unicode "
        "letters, white-spaces, '_',',','/','=','+','-','@'.");
  }
  return std::nullopt;
}

std::optional<aws::ServiceError> CheckTags(const Tags& tags, const streams::StreamKey& stream) {
  std::vector<std::string_view> texts;
  for (const auto& [key, value] : tags) {
    texts.push_back(key);
    texts.push_back(value);
    if (key.starts_with("aws:")) {
      return api::InvalidArgumentException(
          "Tag keys starting with aws: are reserved for system use. Key: " + key + ".");
    }
  }
  return CheckTexts(texts, "add tags to", stream);
}

std::optional<aws::ServiceError> CheckTagKeys(const std::vector<std::string>& keys,
                                              const streams::StreamKey& stream) {
  return CheckTexts({keys.begin(), keys.end()}, "remove tags from", stream);
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
  if (auto wrong = CheckTags(input.tags, (*stream)->key())) {
    return std::move(reply).Fail(std::move(*wrong));
  }
  RunControl(call, std::move(reply), [this, stream = *stream, tags = std::move(input.tags)] {
    return Done<api::AddTagsToStreamOutput>(registry_.ChangeTags(*stream, tags, {}), *stream, "");
  });
}

void KinesisService::RemoveTagsFromStream(const aws::Call& call,
                                          api::RemoveTagsFromStreamInput input,
                                          aws::Reply<api::RemoveTagsFromStreamOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  if (auto wrong = CheckTagKeys(input.tag_keys, (*stream)->key())) {
    return std::move(reply).Fail(std::move(*wrong));
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
  if (auto wrong = CheckTags(input.tags, resource->stream->key())) {
    return std::move(reply).Fail(std::move(*wrong));
  }
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
  if (auto wrong = CheckTagKeys(input.tag_keys, resource->stream->key())) {
    return std::move(reply).Fail(std::move(*wrong));
  }
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
