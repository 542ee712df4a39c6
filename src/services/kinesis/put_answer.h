#pragma once

#include <string_view>

#include "base/bytes.h"
#include "streams/stream.h"

namespace millstream::services::kinesis {

// The answers of PutRecord and PutRecords, written from templates: per record one copy of what is
// the same for its shard, and the digits of its sequence number (about 25 ns).
//
// `stream` is named in the messages of records that were refused.
base::Bytes EncodePutRecords(const streams::PutOutcome& outcome, const streams::Stream& stream,
                             bool cbor);
// Requires that the one record was accepted.
base::Bytes EncodePutRecord(const streams::PutOutcome& outcome, bool cbor);

// "Rate exceeded for shard shardId-... in stream S under account A."
std::string RateExceededMessage(streams::ShardId shard, const streams::StreamKey& stream);

}  // namespace millstream::services::kinesis
