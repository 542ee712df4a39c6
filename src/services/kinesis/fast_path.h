#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "aws/call.h"
#include "aws/error.h"
#include "aws/reply.h"
#include "aws/schema.h"
#include "base/function.h"
#include "http/message.h"
#include "services/kinesis/page_budget.h"
#include "services/kinesis/record_rows.h"
#include "streams/registry.h"

namespace millstream::services::kinesis {

// PutRecord, PutRecords and GetRecords without the schema tables: from the body's bytes to views,
// to the log, to answers from templates. Declines whatever it does not take at once, and the
// generic path, which words every error, answers with the same result.
//
// Owned by the service; called on connection loops, several at a time.
class FastPath {
 public:
  // `page_bytes` bounds the memory of GetRecords answers that are not sent yet.
  FastPath(streams::StreamRegistry& registry, int64_t page_bytes)
      : registry_(registry), pages_(std::make_shared<PageBudget>(page_bytes)) {}

  // As aws::Service::TryFast.
  bool Try(const aws::OperationSchema& operation, const aws::Call& call,
           const http::Request& request, std::unique_ptr<aws::ReplySink>& reply);

  // GetRecords for both paths: opens the iterator, reads, and gives a page that is encoded for the
  // call while it is sent. `done` runs before the call returns, or on a reader thread of the log.
  using PageDone = base::Function<void(aws::Outcome<PageAnswer>)>;
  void ReadPage(const aws::Call& call, std::string_view token, std::optional<int64_t> limit,
                PageDone done);

 private:
  bool TryPut(const aws::Call& call, const http::Request& request, bool single,
              std::unique_ptr<aws::ReplySink>& reply);
  bool TryGet(const aws::Call& call, const http::Request& request,
              std::unique_ptr<aws::ReplySink>& reply);

  streams::StreamRegistry& registry_;
  const std::shared_ptr<PageBudget> pages_;
};

// A view of the stream that an ARN names, without allocating; nullopt when it is no stream's ARN.
std::optional<streams::StreamKeyView> ParseStreamArn(std::string_view text);

// The ARN of a stream for policies and answers.
std::string StreamArn(const streams::StreamKey& key);

// The encoded ChildShards member of a page at the end of its shard; empty when there are none.
std::string EncodeChildShards(const streams::StreamState& state,
                              const std::vector<streams::ShardId>& children, bool cbor);

}  // namespace millstream::services::kinesis
