#include "analytics/stream_writer.h"

#include <algorithm>

#include "base/logging.h"
#include "codec/hex.h"
#include "codec/md5.h"

namespace millstream::analytics {
namespace {

constexpr std::size_t kPutRecordsMax = 2000;
constexpr std::size_t kPutBytesMax = 1 << 20;
constexpr int64_t kRetryFirstNs = 20'000'000;
constexpr int64_t kRetryMostNs = 1'000'000'000;
constexpr int64_t kWarnEveryNs = 60'000'000'000;

// Spreads the results over the shards.
std::array<char, 16> PartitionKey(uint64_t run, uint64_t number) {
  uint64_t x = run + number * 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  x ^= x >> 31;
  std::array<char, 16> key;
  for (char& c : key) {
    c = "0123456789abcdef"[x & 15];
    x >>= 4;
  }
  return key;
}

}  // namespace

StreamWriter::StreamWriter(streams::StreamRegistry& registry, base::Clock& clock,
                           streams::StreamKey key, uint64_t run, std::function<void()> wake)
    : registry_(registry),
      clock_(clock),
      key_(std::move(key)),
      run_(run),
      wake_(std::move(wake)),
      // Another start of the same run goes on with other keys.
      keys_(static_cast<uint64_t>(clock.MonotonicNs())) {}

void StreamWriter::Add(uint64_t step, std::string data) {
  pending_bytes_ += data.size();
  waiting_.push_back({step, std::move(data)});
}

int64_t StreamWriter::Pump() {
  if (!in_flight_.empty()) TakeOutcome();
  if (!in_flight_.empty() || waiting_.empty()) return INT64_MAX;
  if (clock_.MonotonicNs() < retry_at_ns_) return retry_at_ns_;
  Put();
  return INT64_MAX;
}

void StreamWriter::TakeOutcome() {
  std::optional<base::Result<std::unique_ptr<streams::PutOutcome>>> outcome;
  {
    std::lock_guard lock(flight_->mutex);
    outcome.swap(flight_->outcome);
  }
  if (!outcome) return;
  std::string problem;
  std::vector<Item> left;
  if (!*outcome) {
    problem = outcome->error().message();
    left = std::move(in_flight_);
  } else {
    for (std::size_t i = 0; i < in_flight_.size(); ++i) {
      if ((**outcome)->Result(i).error == streams::PutError::kNone) {
        pending_bytes_ -= in_flight_[i].data.size();
        ++written_;
      } else {
        left.push_back(std::move(in_flight_[i]));
      }
    }
    if (!left.empty()) problem = "the shards are throttled";
  }
  in_flight_.clear();
  if (left.empty()) {
    retry_ns_ = 0;
    retry_at_ns_ = 0;
    return;
  }
  refused_ += left.size();
  int64_t now = clock_.MonotonicNs();
  retry_ns_ = std::clamp(retry_ns_ * 2, kRetryFirstNs, kRetryMostNs);
  retry_at_ns_ = now + retry_ns_;
  if (warned_at_ns_ == INT64_MIN || now - warned_at_ns_ > kWarnEveryNs) {
    warned_at_ns_ = now;
    LOG_WARN("results wait for their stream", {"stream", key_.name}, {"problem", problem});
  }
  waiting_.insert(waiting_.begin(), std::make_move_iterator(left.begin()),
                  std::make_move_iterator(left.end()));
}

void StreamWriter::Put() {
  std::size_t bytes = 0;
  while (!waiting_.empty() && in_flight_.size() < kPutRecordsMax && bytes < kPutBytesMax) {
    bytes += waiting_.front().data.size();
    in_flight_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  flight_ = std::make_shared<Flight>();
  auto finish = [flight = flight_, wake = wake_](
                    base::Result<std::unique_ptr<streams::PutOutcome>> outcome) {
    {
      std::lock_guard lock(flight->mutex);
      flight->outcome.emplace(std::move(outcome));
    }
    wake();
  };
  streams::StreamPtr stream = registry_.Find(key_);
  if (stream == nullptr) {
    return finish(base::Fail(base::Code::kNotFound, "there is no such stream"));
  }
  std::vector<std::array<char, 16>> keys(in_flight_.size());
  std::vector<std::string> origins;
  std::vector<streams::PutEntry> entries(in_flight_.size());
  origins.reserve(in_flight_.size());  // entries refer to them
  for (std::size_t i = 0; i < in_flight_.size(); ++i) {
    const Item& item = in_flight_[i];
    keys[i] = PartitionKey(run_, keys_++);
    if (i == 0 || item.step != in_flight_[i - 1].step) {
      origins.push_back(MakeOrigin(run_, item.step));
    }
    streams::PutEntry& entry = entries[i];
    entry.partition_key = {keys[i].data(), keys[i].size()};
    entry.hash = codec::Md5HashKey(entry.partition_key);
    entry.data = item.data;
    entry.data_size = static_cast<uint32_t>(item.data.size());
    entry.origin = origins.back();
  }
  stream->Put(entries, {}, finish);
}

void StreamWriter::AppendPending(const std::string& output_id,
                                 std::vector<PendingRecord>& to) const {
  for (const Item& item : in_flight_) to.push_back({output_id, item.step, item.data});
  for (const Item& item : waiting_) to.push_back({output_id, item.step, item.data});
}

}  // namespace millstream::analytics
