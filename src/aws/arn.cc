#include "aws/arn.h"

#include <algorithm>
#include <charconv>

namespace millstream::aws {
namespace {

constexpr std::string_view kStreamPrefix = "stream/";
constexpr std::string_view kConsumerPart = "/consumer/";

// Names of streams and consumers: 1-128 of [a-zA-Z0-9_.-].
bool IsResourceName(std::string_view name) {
  return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
}

tl::unexpected<base::Error> NotAn(std::string_view what, std::string_view text) {
  return base::Fail(base::Code::kInvalidArgument,
                    std::string("not the ARN of a ").append(what).append(": ").append(text));
}

// The region, account and resource of a Kinesis ARN.
bool ParseKinesisArn(std::string_view text, ArnView& arn) {
  return ParseArn(text, arn) && arn.partition.substr(0, 3) == "aws" && arn.service == "kinesis" &&
         !arn.region.empty() && IsAccountId(arn.account) &&
         arn.resource.substr(0, kStreamPrefix.size()) == kStreamPrefix;
}

}  // namespace

bool IsAccountId(std::string_view text) {
  return text.size() == 12 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool ParseArn(std::string_view text, ArnView& arn) {
  if (text.substr(0, 4) != "arn:") return false;
  text.remove_prefix(4);
  for (std::string_view* part : {&arn.partition, &arn.service, &arn.region, &arn.account}) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return false;
    *part = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  arn.resource = text;
  return !arn.partition.empty() && !arn.service.empty() && !arn.resource.empty();
}

base::Result<StreamArn> ParseStreamArn(std::string_view text) {
  ArnView arn;
  if (!ParseKinesisArn(text, arn)) return NotAn("stream", text);
  const std::string_view name = arn.resource.substr(kStreamPrefix.size());
  if (!IsResourceName(name)) return NotAn("stream", text);
  return StreamArn{std::string(arn.region), std::string(arn.account), std::string(name)};
}

base::Result<ConsumerArn> ParseConsumerArn(std::string_view text) {
  ArnView arn;
  if (!ParseKinesisArn(text, arn)) return NotAn("consumer", text);
  std::string_view rest = arn.resource.substr(kStreamPrefix.size());
  const auto part = rest.find(kConsumerPart);
  if (part == std::string_view::npos) return NotAn("consumer", text);
  const std::string_view stream_name = rest.substr(0, part);
  rest.remove_prefix(part + kConsumerPart.size());
  const auto colon = rest.find(':');
  if (colon == std::string_view::npos) return NotAn("consumer", text);
  const std::string_view consumer_name = rest.substr(0, colon);
  const std::string_view digits = rest.substr(colon + 1);
  ConsumerArn consumer;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), consumer.creation_seconds);
  if (error != std::errc() || end != digits.data() + digits.size() || digits[0] == '-' ||
      !IsResourceName(stream_name) || !IsResourceName(consumer_name)) {
    return NotAn("consumer", text);
  }
  consumer.stream = {std::string(arn.region), std::string(arn.account), std::string(stream_name)};
  consumer.consumer_name = consumer_name;
  return consumer;
}

bool LooksLikeConsumerArn(std::string_view text) {
  return text.find(kConsumerPart) != std::string_view::npos;
}

std::string_view PartitionOfRegion(std::string_view region) {
  if (region.substr(0, 3) == "cn-") return "aws-cn";
  if (region.substr(0, 7) == "us-gov-") return "aws-us-gov";
  return "aws";
}

std::string FormatStreamArn(std::string_view region, std::string_view account,
                            std::string_view stream_name) {
  std::string arn = "arn:";
  arn.append(PartitionOfRegion(region)).append(":kinesis:").append(region).append(":");
  arn.append(account).append(":").append(kStreamPrefix).append(stream_name);
  return arn;
}

std::string FormatConsumerArn(std::string_view region, std::string_view account,
                              std::string_view stream_name, std::string_view consumer_name,
                              int64_t creation_seconds) {
  std::string arn = FormatStreamArn(region, account, stream_name);
  arn.append(kConsumerPart).append(consumer_name).append(":");
  arn += std::to_string(creation_seconds);
  return arn;
}

std::string_view AccountOfPrincipal(std::string_view principal) {
  if (IsAccountId(principal)) return principal;
  ArnView arn;
  if (!ParseArn(principal, arn)) return {};
  return arn.account;
}

}  // namespace millstream::aws
