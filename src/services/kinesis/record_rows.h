#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "http/message.h"
#include "services/kinesis/page_budget.h"
#include "streams/stream.h"

namespace millstream::services::kinesis {

// Writes records as GetRecords and SubscribeToShard show them, in JSON or Kinesis's CBOR. Knows the
// exact size of a row beforehand, so that pages have a content length and no byte is moved twice.
//
// Cost per record of 1 KB: base64 (or a copy), the digits of the sequence number, four short
// copies.
class RecordRowWriter {
 public:
  RecordRowWriter(const streams::RecordPage& page, bool cbor);

  std::size_t RowSize(const streams::RecordView& record);
  // Writes exactly RowSize(record) bytes and returns their end. Records go in their order.
  char* WriteRow(const streams::RecordView& record, char* out);

 private:
  void SetArrival(int64_t arrival_ms);

  const streams::RecordPage& page_;
  const bool cbor_;
  streams::SequenceNumberWriter numbers_;
  int64_t arrival_ms_ = -1;
  std::string arrival_text_;  // of arrival_ms_, as it stands in a row
};

// A GetRecords answer that is encoded while it is sent, in chunks that fit the processor's cache.
struct PageAnswer {
  std::unique_ptr<http::BodySource> source;
  uint64_t content_length = 0;
};
// `next_iterator` is nullopt at the end of the shard; `children` is then the encoded ChildShards
// list (JSON array or CBOR array), empty when there are none to show.
// The answer keeps the page's `share` of memory until it is sent.
PageAnswer MakePageAnswer(streams::RecordPage page, PageBudget::Share share, bool cbor,
                          const std::optional<std::string>& next_iterator,
                          std::string_view children);

// The payload of one SubscribeToShardEvent. `continuation` is empty at the end of the shard, where
// `children` tells how to go on: the KCL takes exactly one of the two (DataRetrievalUtil.java).
base::Bytes EncodeSubscribeEvent(const streams::RecordPage& page, bool cbor,
                                 std::string_view continuation, std::string_view children);

}  // namespace millstream::services::kinesis
