// What one record of a PutRecords request costs beyond HTTP, the body's hash and the log: parsing
// with the keys' hashes, building the batch, and encoding its row of the answer.
#include <benchmark/benchmark.h>

#include <string>

#include "codec/base64.h"
#include "log/record_batch.h"
#include "services/kinesis/put_request.h"
#include "streams/sequence_number.h"

namespace millstream::services::kinesis {
namespace {

constexpr int kRecords = 500;

// As boto3 (with spaces) or the SDKs of other languages write it.
std::string Body(std::size_t payload, bool spaces) {
  const std::string colon = spaces ? "\": " : "\":", comma = spaces ? ", " : ",";
  std::string body = "{\"StreamName" + colon + "\"bench\"" + comma + "\"Records" + colon + "[";
  for (int i = 0; i < kRecords; ++i) {
    std::string data(payload, '\0');
    for (std::size_t at = 0; at < payload; ++at) data[at] = static_cast<char>(at * 31 + i * 7);
    std::string number = std::to_string(1'000'000 + i * 7919);
    body += (i == 0 ? "" : comma) + "{\"Data" + colon + "\"" + codec::Base64Encode(data) + "\"" +
            comma + "\"PartitionKey" + colon + "\"partition-key-" + number + "\"}";
  }
  return body + "]}";
}

void PerRecord(benchmark::State& state) {
  state.counters["per_record"] = benchmark::Counter(
      kRecords, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void ParseBench(benchmark::State& state) {
  const std::string body = Body(static_cast<std::size_t>(state.range(0)), state.range(1) != 0);
  PutRequest request;
  for (auto _ : state) {
    if (!ParsePutRecords(body, false, request)) state.SkipWithError("declined");
    benchmark::DoNotOptimize(request.entries.data());
  }
  PerRecord(state);
}
BENCHMARK(ParseBench)->Args({100, 0})->Args({100, 1})->Args({1024, 0});

void BuildBench(benchmark::State& state) {
  const std::string body = Body(static_cast<std::size_t>(state.range(0)), false);
  PutRequest request;
  if (!ParsePutRecords(body, false, request)) return state.SkipWithError("declined");
  for (auto _ : state) {
    log::RecordBatchBuilder batch(1'700'000'000'000, body.size());
    for (const streams::PutEntry& entry : request.entries) {
      if (!batch.AddBase64(entry.partition_key, entry.data, entry.data_size)) state.SkipWithError("not base64");
    }
    benchmark::DoNotOptimize(std::move(batch).Finish());
  }
  PerRecord(state);
}
BENCHMARK(BuildBench)->Arg(100)->Arg(1024);

void SequenceNumbersBench(benchmark::State& state) {
  char text[64];
  for (auto _ : state) {
    streams::SequenceNumberWriter numbers(1'700'000'000, 3, 1'700'000'100, 12345);
    for (int i = 0; i < kRecords; ++i) {
      numbers.WriteNext(text);
      benchmark::DoNotOptimize(text);
    }
  }
  PerRecord(state);
}
BENCHMARK(SequenceNumbersBench);

}  // namespace
}  // namespace millstream::services::kinesis
