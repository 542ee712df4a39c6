#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "codec/json.h"
#include "server/api_client.h"
#include "server/commands.h"

namespace millstream::server {
namespace {

using base::Status;
using SteadyClock = std::chrono::steady_clock;

// The body of one PutRecords of random records.
std::string MakeBody(const BenchOptions& options, base::Random& random) {
  std::string body, data(static_cast<std::size_t>(options.record_bytes), '\0');
  codec::JsonWriter json(body);
  json.BeginObject().Field("StreamName", options.stream).Key("Records").BeginArray();
  for (int64_t i = 0; i < options.batch; ++i) {
    random.Fill(data.data(), data.size());
    json.BeginObject().Key("Data").Base64(data).Field("PartitionKey", random.Uuid()).EndObject();
  }
  json.EndArray().EndObject();
  return body;
}

Status EnsureStream(ApiClient& client, const std::string& stream) {
  std::string create, describe;
  codec::JsonWriter(create)
      .BeginObject()
      .Field("StreamName", stream)
      .Field("ShardCount", 4)
      .EndObject();
  codec::JsonWriter(describe).BeginObject().Field("StreamName", stream).EndObject();
  auto created = client.Call("CreateStream", create);
  if (!created && created.error().code() != base::Code::kAlreadyExists)
    return base::Fail(std::move(created).error());
  for (int tries = 0; tries < 600; ++tries) {
    ASSIGN_OR_RETURN(auto answer, client.Call("DescribeStreamSummary", describe));
    auto summary = answer.root().Find("StreamDescriptionSummary");
    if (summary) {
      auto status = summary->Find("StreamStatus");
      if (status && status->AsString() == "ACTIVE") return {};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return base::Fail(base::Code::kUnavailable, stream + " did not become ACTIVE within 30 s");
}

struct Results {
  std::mutex mutex;
  std::vector<double> latencies_ms;  // guarded by mutex
  uint64_t records = 0;              // guarded by mutex
  uint64_t throttled = 0;            // guarded by mutex
  std::string problem;               // guarded by mutex
};

void RunConnection(const Invocation& invocation, SteadyClock::time_point end, Results& results) {
  std::vector<double> latencies;
  uint64_t records = 0, throttled = 0;
  base::SystemRandom random;
  auto client = ApiClient::Create(invocation.client);
  std::string body = MakeBody(invocation.bench, random), problem;
  while (client && problem.empty() && SteadyClock::now() < end) {
    auto before = SteadyClock::now();
    auto answer = client->Call("PutRecords", body);
    if (!answer) {
      problem = answer.error().message();
      break;
    }
    latencies.push_back(
        std::chrono::duration<double, std::milli>(SteadyClock::now() - before).count());
    auto failed = answer->root().Find("FailedRecordCount");
    auto refused = static_cast<uint64_t>(failed ? failed->AsInt64().value_or(0) : 0);
    throttled += refused;
    records += static_cast<uint64_t>(invocation.bench.batch) - refused;
  }
  std::lock_guard lock(results.mutex);
  results.latencies_ms.insert(results.latencies_ms.end(), latencies.begin(), latencies.end());
  results.records += records;
  results.throttled += throttled;
  if (!problem.empty()) results.problem = problem;
}

}  // namespace

int RunBench(const Invocation& invocation) {
  const BenchOptions& options = invocation.bench;
  auto client = ApiClient::Create(invocation.client);
  if (!client) return Complain(client.error());
  if (Status ready = EnsureStream(*client, options.stream); !ready) return Complain(ready.error());

  Results results;
  auto begin = SteadyClock::now();
  std::vector<std::thread> threads;
  for (int64_t i = 0; i < options.connections; ++i) {
    threads.emplace_back(
        [&] { RunConnection(invocation, begin + std::chrono::seconds(options.seconds), results); });
  }
  for (std::thread& thread : threads) thread.join();
  double seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
  if (!results.problem.empty())
    return Complain(base::Error(base::Code::kUnavailable, results.problem));

  std::vector<double>& sorted = results.latencies_ms;
  std::sort(sorted.begin(), sorted.end());
  auto at = [&](double share) {
    return sorted.empty()
               ? 0.0
               : sorted[std::min(
                     sorted.size() - 1,
                     static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
  };
  double records = static_cast<double>(results.records);
  Print(fmt::format(
      "{:.0f} records/s, {:.1f} MB/s of data, {:.0f} PutRecords/s over {} connections for {:.1f} "
      "s\n"
      "latency p50 {:.2f} ms, p99 {:.2f} ms, max {:.2f} ms\n",
      records / seconds, records * static_cast<double>(options.record_bytes) / seconds / 1e6,
      static_cast<double>(sorted.size()) / seconds, options.connections, seconds, at(0.5), at(0.99),
      at(1.0)));
  if (results.throttled > 0) {
    Print(
        fmt::format("{} records were throttled by shard limits; serve with --limits off to measure "
                    "the machine\n",
                    results.throttled));
  }
  return 0;
}

}  // namespace millstream::server
