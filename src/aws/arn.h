#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

// Amazon Resource Names, taken apart and put together.
namespace millstream::aws {

// The six parts of any ARN; views into the text that was parsed.
struct ArnView {
  std::string_view partition;  // aws, aws-cn, aws-us-gov
  std::string_view service;
  std::string_view region;
  std::string_view account;
  std::string_view resource;  // everything after the fifth colon
};

// False when `text` is not an ARN.
bool ParseArn(std::string_view text, ArnView& arn);

// arn:aws:kinesis:REGION:ACCOUNT:stream/NAME
struct StreamArn {
  std::string region;
  std::string account;
  std::string stream_name;

  friend bool operator==(const StreamArn&, const StreamArn&) = default;
};
base::Result<StreamArn> ParseStreamArn(std::string_view text);
std::string FormatStreamArn(std::string_view region, std::string_view account,
                            std::string_view stream_name);

// arn:aws:kinesis:REGION:ACCOUNT:stream/NAME/consumer/CONSUMER:CREATION_SECONDS
struct ConsumerArn {
  StreamArn stream;
  std::string consumer_name;
  int64_t creation_seconds = 0;

  friend bool operator==(const ConsumerArn&, const ConsumerArn&) = default;
};
base::Result<ConsumerArn> ParseConsumerArn(std::string_view text);
std::string FormatConsumerArn(std::string_view region, std::string_view account,
                              std::string_view stream_name, std::string_view consumer_name,
                              int64_t creation_seconds);

// True for the ARN of a consumer, false for anything else; decides nothing about its validity.
bool LooksLikeConsumerArn(std::string_view text);

// The partition of a region: "aws-cn" for cn-*, "aws-us-gov" for us-gov-*, else "aws".
std::string_view PartitionOfRegion(std::string_view region);

// The account of a principal's ARN, or the text itself when it is twelve digits; else empty.
std::string_view AccountOfPrincipal(std::string_view principal);

bool IsAccountId(std::string_view text);  // twelve digits

}  // namespace millstream::aws
