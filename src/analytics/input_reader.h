#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "analytics/checkpoint.h"
#include "analytics/definition.h"
#include "base/result.h"
#include "streams/registry.h"
#include "streams/stream.h"

namespace millstream::analytics {

// Reads a page and waits for it. For Jobs; never on a loop or a Task.
base::Result<streams::RecordPage> ReadAndWait(const streams::Stream& stream,
                                              streams::ShardId shard, log::Offset from,
                                              const streams::ReadOptions& options);

// Where a reader of this stream begins: NOW is the end of every open shard, with the closed ones
// done; TRIM_HORIZON is everything.
StreamPosition BeginPosition(const streams::Stream& stream, const log::Store& log,
                             StartingPosition start);
// The end of every shard: where records that are not there yet will be.
StreamPosition EndPosition(const streams::Stream& stream, const log::Store& log);

// Follows all shards of one stream: parents to their end before children, new shards as they come,
// a stream that was deleted and made again from its beginning. Pages come from memory where they can
// and are fetched on reader threads otherwise.
//
// Of one Task. `wake` is called from any thread when Fetch() may have more.
class InputReader {
 public:
  InputReader(streams::StreamRegistry& registry, streams::StreamKey key, StreamPosition position,
              std::function<void()> wake);
  ~InputReader();
  InputReader(const InputReader&) = delete;

  struct Fetched {
    uint32_t shard = 0;
    int64_t from = 0;
    std::shared_ptr<const streams::RecordPage> page;
  };
  // Appends a page with records for each shard that has one at hand, and moves behind them.
  // An error (a damaged record, a failing disk, a stream that is gone) leaves the position; try
  // again later.
  base::Status Fetch(const streams::ReadOptions& options, std::vector<Fetched>& to);
  // Sees to it that `wake` is called when there is more.
  void WaitForMore();

  // Everything before `offset` of that shard was read, by a replay.
  void MoveTo(uint32_t shard, int64_t offset);

  const StreamPosition& position() const { return position_; }
  // How old the oldest unread record is, as of the last Fetch; 0 when all was read.
  int64_t millis_behind() const { return millis_behind_; }
  // Shards that are being read.
  int64_t open_shards() const;

 private:
  struct Shard;
  void Refresh();
  Shard& Add(uint32_t shard);

  streams::StreamRegistry& registry_;
  const streams::StreamKey key_;
  const std::function<void()> wake_;
  StreamPosition position_;
  streams::StreamPtr stream_;
  std::shared_ptr<const streams::StreamState> state_;
  std::vector<std::unique_ptr<Shard>> shards_;  // as in position_
  int64_t millis_behind_ = 0;
};

}  // namespace millstream::analytics
