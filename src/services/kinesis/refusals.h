#pragma once

#include <string>
#include <string_view>

#include "aws/error.h"
#include "streams/registry.h"

namespace millstream::services::kinesis {

// What a refused control operation was about, to fill AWS's texts.
struct RefusalContext {
  streams::StreamKey stream;
  std::string shard;     // as the caller gave it
  std::string adjacent;  // second shard of a merge
  std::string consumer;
};

// The exception and text with which AWS answers a refusal (texts: kinesalite's recordings, and the
// figures of botocore's documentation).
aws::ServiceError ToError(const streams::Refused& refused, const RefusalContext& context);

aws::ServiceError StreamNotFound(std::string_view name, std::string_view account);
aws::ServiceError ShardMissing(std::string_view shard, const streams::StreamKey& stream);
aws::ServiceError NotActive(const streams::StreamKey& stream, streams::StreamStatus status);

}  // namespace millstream::services::kinesis
