// Durable appends through the store against raw writes of the same sizes, on the same disk.
// TMPDIR says which; it must not be a tmpfs.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/logging.h"
#include "log/aligned_buffer.h"
#include "log/store.h"

namespace millstream::log {
namespace {

struct Directory {
  Directory() {
    const char* parent = std::getenv("TMPDIR");
    path = std::string(parent == nullptr ? "/var/tmp" : parent) + "/log-bench-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) std::abort();
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::string path;
};

// The ceiling: O_DIRECT|O_DSYNC over a file that has been written before.
void RawDurableWrite(benchmark::State& state) {
  Directory directory;
  constexpr uint64_t kFileBytes = 256u << 20;
  const auto size = static_cast<std::size_t>(state.range(0));
  AlignedBuffer buffer;
  buffer.Require(std::max<std::size_t>(size, 4u << 20));
  std::memset(buffer.data(), 'x', buffer.capacity());
  const std::string path = directory.path + "/raw";
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_DIRECT | O_DSYNC, 0644);
  if (fd < 0) return state.SkipWithError("no direct I/O here");
  for (uint64_t at = 0; at < kFileBytes; at += 4u << 20) {
    if (::pwrite(fd, buffer.data(), 4u << 20, static_cast<off_t>(at)) < 0) std::abort();
  }
  uint64_t at = 0;
  for (auto _ : state) {
    if (at + size > kFileBytes) at = 0;
    if (::pwrite(fd, buffer.data(), size, static_cast<off_t>(at)) < 0) std::abort();
    at += AlignUp(size);
  }
  ::close(fd);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * size));
}
BENCHMARK(RawDurableWrite)->Arg(4096)->Arg(64 << 10)->Arg(512 << 10)->UseRealTime();

Batch OneBatch(std::size_t records, std::size_t value_bytes) {
  static const std::string value(1u << 20, 'v');
  RecordBatchBuilder builder(1'700'000'000'000, 100 + records * (value_bytes + 40));
  for (std::size_t i = 0; i < records; ++i) {
    builder.Add("partition-key", std::string_view(value).substr(0, value_bytes));
  }
  return std::move(builder).Finish();
}

// range: records per batch, bytes per record, batches on the way, logs, 1 for kInterval.
void Append(benchmark::State& state) {
  Directory directory;
  base::ConfigureLogging({.level = base::LogLevel::kWarn});
  base::RealFileSystem files;
  base::SystemClock clock;
  StoreOptions options;
  options.directory = directory.path + "/data";
  const bool interval = state.range(4) == 1;
  if (interval) options.durability = Durability::kInterval;
  auto store = Store::Open(files, clock, options);
  if (!store) return state.SkipWithError(store.error().message().c_str());
  const auto logs = static_cast<uint64_t>(state.range(3));
  for (uint64_t log = 0; log < logs; ++log) (void)(*store)->Create(LogId{log});
  std::mutex mutex;
  std::condition_variable changed;
  int64_t in_flight = 0;
  int64_t failed = 0;
  uint64_t next = 0;
  std::size_t batch_bytes = 0;
  // Once around both WAL files first: later rounds find them written.
  uint64_t warm_up = 0;
  auto append = [&] {
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return in_flight < state.range(2); });
      ++in_flight;
    }
    Batch batch = OneBatch(static_cast<std::size_t>(state.range(0)),
                           static_cast<std::size_t>(state.range(1)));
    batch_bytes = batch.bytes.size();
    log::Append one{LogId{next++ % logs}, std::move(batch), [&](base::Result<Offset> offset) {
                      std::lock_guard lock(mutex);
                      --in_flight;
                      failed += !offset;
                      changed.notify_one();
                    }};
    if (auto status = (*store)->AppendAll(std::span(&one, 1)); !status) {
      std::lock_guard lock(mutex);
      --in_flight;
      ++failed;
    }
    (*store)->FlushInline();
  };
  while (warm_up < (600u << 20) && batch_bytes * next < (600u << 20) && next < 2'000) {
    append();
    warm_up += batch_bytes;
  }
  const uint64_t commits = (*store)->metrics().commits_total.value();
  const uint64_t segments = (*store)->metrics().segment_bytes_written_total.value();
  for (auto _ : state) append();
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return in_flight == 0; });
  }
  if (failed > 0) state.SkipWithError("appends failed");
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * batch_bytes));
  state.counters["commits/s"] =
      benchmark::Counter(static_cast<double>((*store)->metrics().commits_total.value() - commits),
                         benchmark::Counter::kIsRate);
  state.counters["segment_bytes/s"] = benchmark::Counter(
      static_cast<double>((*store)->metrics().segment_bytes_written_total.value() - segments),
      benchmark::Counter::kIsRate);
}
BENCHMARK(Append)
    ->ArgNames({"records", "bytes", "in_flight", "logs", "interval"})
    ->Args({1, 1000, 1, 1, 0})
    ->Args({1, 1000, 32, 4, 0})
    ->Args({1, 1000, 256, 4, 0})
    ->Args({500, 1000, 1, 4, 0})
    ->Args({500, 1000, 8, 4, 0})
    ->Args({500, 1000, 32, 4, 0})
    ->Args({1, 1000, 1, 4, 1})
    ->Args({500, 1000, 1, 4, 1})
    ->UseRealTime()
    ->MeasureProcessCPUTime();

}  // namespace
}  // namespace millstream::log
