#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "log/record_batch.h"
#include "log/store.h"

// Shared by the tests of this folder: batches with recognisable content, appends and reads that wait.
namespace millstream::log {

inline Batch MakeBatch(const std::vector<std::string>& values, int64_t timestamp_ms = 1'000) {
  RecordBatchBuilder builder(timestamp_ms);
  for (const std::string& value : values) builder.Add("key", value);
  return std::move(builder).Finish();
}

// Collects what happened to appends.
class AppendResults {
 public:
  base::Function<void(base::Result<Offset>)> Next() {
    std::lock_guard lock(mutex_);
    const std::size_t index = results_.size();
    results_.emplace_back(base::Fail(base::Code::kInternal, "not called"));
    return [this, index](base::Result<Offset> result) {
      std::lock_guard inner(mutex_);
      results_[index] = std::move(result);
      ++called_;
      changed_.notify_all();
    };
  }
  std::vector<base::Result<Offset>> Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return called_ == results_.size(); });
    return results_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<base::Result<Offset>> results_;
  std::size_t called_ = 0;
};

inline base::Result<Offset> AppendAndWait(Store& store, LogId log, Batch batch) {
  AppendResults results;
  Append append{log, std::move(batch), results.Next()};
  TRY(store.AppendAll(std::span(&append, 1)));
  return results.Wait()[0];
}

inline base::Result<std::vector<StoredBatch>> ReadAndWait(Store& store, LogId log, Offset from,
                                                          ReadLimits limits = {}) {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<base::Result<std::vector<StoredBatch>>> answer;
  store.ReadAsync(log, from, limits, [&](base::Result<std::vector<StoredBatch>> batches) {
    std::lock_guard lock(mutex);
    answer = std::move(batches);
    changed.notify_all();
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return answer.has_value(); });
  return std::move(*answer);
}

inline base::Result<Offset> FindTimestampAndWait(Store& store, LogId log, int64_t timestamp_ms) {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<base::Result<Offset>> answer;
  store.FindTimestamp(log, timestamp_ms, [&](base::Result<Offset> offset) {
    std::lock_guard lock(mutex);
    answer = std::move(offset);
    changed.notify_all();
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return answer.has_value(); });
  return std::move(*answer);
}

// The values of all records from `from` on, read from disk; checks that offsets have no gap.
inline base::Result<std::vector<std::string>> ReadValues(Store& store, LogId log, Offset from = 0) {
  std::vector<std::string> values;
  ASSIGN_OR_RETURN(const LogState state, store.State(log));
  Offset at = std::max(from, state.start_offset);
  while (at < state.durable_end) {
    ASSIGN_OR_RETURN(const auto batches, ReadAndWait(store, log, at));
    if (batches.empty()) return base::Fail(base::Code::kInternal, "read returned nothing");
    for (const StoredBatch& stored : batches) {
      TRY(CheckBatch(stored.bytes.view()));
      ASSIGN_OR_RETURN(const auto batch, RecordBatchView::Parse(stored.bytes.view()));
      RecordReader reader(batch);
      RecordView record;
      while (reader.Next(record)) {
        if (record.offset < at) continue;
        if (record.offset != at) return base::Fail(base::Code::kInternal, "gap in offsets");
        values.emplace_back(record.value);
        ++at;
      }
    }
  }
  return values;
}

}  // namespace millstream::log
