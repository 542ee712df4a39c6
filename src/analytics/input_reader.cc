#include "analytics/input_reader.h"

#include <algorithm>
#include <future>

namespace millstream::analytics {

using streams::RecordPage;
using streams::ShardId;

base::Result<RecordPage> ReadAndWait(const streams::Stream& stream, ShardId shard,
                                     log::Offset from, const streams::ReadOptions& options) {
  ASSIGN_OR_RETURN(auto cached, stream.ReadCached(shard, from, options));
  if (cached) return std::move(*cached);
  auto promise = std::make_shared<std::promise<base::Result<RecordPage>>>();
  auto future = promise->get_future();
  stream.ReadAsync(shard, from, options, [promise](base::Result<RecordPage> page) {
    promise->set_value(std::move(page));
  });
  return future.get();
}

StreamPosition BeginPosition(const streams::Stream& stream, const log::Store& log,
                             StartingPosition start) {
  if (start != StartingPosition::kTrimHorizon) {
    StreamPosition position = EndPosition(stream, log);
    auto state = stream.state();
    for (std::size_t i = 0; i < position.shards.size(); ++i) {
      position.shards[i].done = !state->shards[i].facts.open();
    }
    return position;
  }
  StreamPosition position;
  position.uuid = stream.identity().uuid;
  return position;
}

StreamPosition EndPosition(const streams::Stream& stream, const log::Store& log) {
  StreamPosition position;
  position.uuid = stream.identity().uuid;
  auto state = stream.state();
  for (const streams::ShardEntry& shard : state->shards) {
    auto at = log.State(shard.facts.log);
    position.shards.push_back({shard.facts.id.index, at ? at->durable_end : 0, false});
  }
  return position;
}

struct InputReader::Shard {
  // What reader threads bring; shared with them.
  struct Arrival {
    std::mutex mutex;
    bool reading = false;                          // guarded by mutex
    std::optional<base::Result<RecordPage>> page;  // guarded by mutex
  };
  std::shared_ptr<Arrival> arrival = std::make_shared<Arrival>();
  std::shared_ptr<streams::Stream::Wait> wait;
  int64_t waits_at = -1;
};

InputReader::InputReader(streams::StreamRegistry& registry, streams::StreamKey key,
                         StreamPosition position, std::function<void()> wake)
    : registry_(registry),
      key_(std::move(key)),
      wake_(std::move(wake)),
      position_(std::move(position)) {
  for (std::size_t i = 0; i < position_.shards.size(); ++i) {
    shards_.push_back(std::make_unique<Shard>());
  }
}

InputReader::~InputReader() = default;

InputReader::Shard& InputReader::Add(uint32_t shard) {
  auto at = std::lower_bound(position_.shards.begin(), position_.shards.end(), shard,
                             [](const ShardPosition& p, uint32_t s) { return p.shard < s; });
  auto index = at - position_.shards.begin();
  position_.shards.insert(at, {shard, 0, false});
  return **shards_.insert(shards_.begin() + index, std::make_unique<Shard>());
}

void InputReader::MoveTo(uint32_t shard, int64_t offset) {
  for (ShardPosition& position : position_.shards) {
    if (position.shard != shard) continue;
    position.offset = std::max(position.offset, offset);
    return;
  }
  Add(shard);
  MoveTo(shard, offset);
}

void InputReader::Refresh() {
  stream_ = registry_.Find(key_);
  if (stream_ == nullptr) {
    state_ = nullptr;
    return;
  }
  if (stream_->identity().uuid != position_.uuid) {
    position_ = {};
    position_.uuid = stream_->identity().uuid;
    shards_.clear();
    state_ = nullptr;
  }
  auto state = stream_->state();
  auto find = [this](uint32_t shard) {
    return std::find_if(position_.shards.begin(), position_.shards.end(),
                        [shard](const ShardPosition& p) { return p.shard == shard; });
  };
  if (state != state_) {
    // Shards that retention has ended are forgotten.
    for (std::size_t i = position_.shards.size(); i-- > 0;) {
      if (state->FindShard({position_.shards[i].shard}) != nullptr) continue;
      position_.shards.erase(position_.shards.begin() + static_cast<std::ptrdiff_t>(i));
      shards_.erase(shards_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  state_ = state;
  auto read_out = [&](const std::optional<ShardId>& parent) {
    if (!parent || state->FindShard(*parent) == nullptr) return true;
    auto position = find(parent->index);
    return position != position_.shards.end() && position->done;
  };
  // By index, so that a parent that has just been found comes before its children.
  for (const streams::ShardEntry& shard : state->shards) {
    if (find(shard.facts.id.index) != position_.shards.end()) continue;
    if (read_out(shard.facts.parent) && read_out(shard.facts.adjacent_parent)) {
      Add(shard.facts.id.index);
    }
  }
}

base::Status InputReader::Fetch(const streams::ReadOptions& options, std::vector<Fetched>& to) {
  Refresh();
  millis_behind_ = 0;
  if (stream_ == nullptr) return base::Fail(base::Code::kNotFound, "there is no such stream");
  base::Status status;
  bool ended = false;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    ShardPosition& position = position_.shards[i];
    if (position.done) continue;
    Shard& shard = *shards_[i];
    std::optional<base::Result<RecordPage>> page;
    {
      std::lock_guard lock(shard.arrival->mutex);
      if (shard.arrival->reading) continue;
      page.swap(shard.arrival->page);
    }
    if (!page) {
      auto cached = stream_->ReadCached({position.shard}, position.offset, options);
      if (!cached) {
        status = base::Fail(cached.error());
        continue;
      }
      if (!*cached) {
        {
          std::lock_guard lock(shard.arrival->mutex);
          shard.arrival->reading = true;
        }
        stream_->ReadAsync({position.shard}, position.offset, options,
                           [arrival = shard.arrival, wake = wake_](base::Result<RecordPage> read) {
                             {
                               std::lock_guard lock(arrival->mutex);
                               arrival->reading = false;
                               arrival->page.emplace(std::move(read));
                             }
                             wake();
                           });
        continue;
      }
      page.emplace(std::move(**cached));
    }
    if (!*page) {
      status = base::Fail(page->error());
      continue;
    }
    RecordPage& read = **page;
    millis_behind_ = std::max(millis_behind_, read.millis_behind);
    position.offset = std::max(position.offset, static_cast<int64_t>(read.next_offset));
    position.done = read.shard_end;
    ended |= position.done;
    if (read.records.empty()) continue;
    Fetched fetched;
    fetched.shard = position.shard;
    fetched.from = read.records.front().offset;
    fetched.page = std::make_shared<const RecordPage>(std::move(read));
    to.push_back(std::move(fetched));
  }
  if (ended) Refresh();  // for the children, so that WaitForMore() knows them
  return status;
}

int64_t InputReader::open_shards() const {
  return std::count_if(position_.shards.begin(), position_.shards.end(),
                       [](const ShardPosition& p) { return !p.done; });
}

void InputReader::WaitForMore() {
  if (stream_ == nullptr) return;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = *shards_[i];
    const ShardPosition& position = position_.shards[i];
    if (position.done) {
      shard.wait = nullptr;
      continue;
    }
    if (shard.wait != nullptr && shard.waits_at == position.offset) continue;
    shard.waits_at = position.offset;
    shard.wait = stream_->WaitForMore({position.shard}, position.offset, [wake = wake_] { wake(); });
  }
}

}  // namespace millstream::analytics
