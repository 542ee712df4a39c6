// What the kernels of src/codec cost, in bytes per second or per record.
#include <benchmark/benchmark.h>
#include <openssl/sha.h>

#include <random>
#include <string>
#include <vector>

#include "codec/base64.h"
#include "codec/cbor.h"
#include "codec/crc32.h"
#include "codec/crc32c.h"
#include "codec/json.h"
#include "codec/md5.h"
#include "codec/sha256.h"
#include "codec/time_format.h"
#include "codec/uint128.h"

namespace millstream::codec {
namespace {

std::string RandomBytes(std::size_t size) {
  std::mt19937_64 engine(1);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(engine());
  return bytes;
}

void CountBytes(benchmark::State& state, std::size_t per_iteration) {
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * per_iteration));
}

void CountRecords(benchmark::State& state, std::size_t per_iteration) {
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * per_iteration));
}

void Base64EncodeBench(benchmark::State& state) {
  const std::string bytes = RandomBytes(state.range(0));
  std::string text(Base64EncodedSize(bytes.size()), '\0');
  for (auto _ : state) benchmark::DoNotOptimize(Base64Encode(bytes, text.data()));
  CountBytes(state, bytes.size());
}
BENCHMARK(Base64EncodeBench)->Arg(100)->Arg(1024)->Arg(65536);

void Base64DecodeBench(benchmark::State& state) {
  std::string bytes = RandomBytes(state.range(0));
  const std::string text = Base64Encode(bytes);
  for (auto _ : state) benchmark::DoNotOptimize(Base64Decode(text, bytes.data()));
  CountBytes(state, bytes.size());
}
BENCHMARK(Base64DecodeBench)->Arg(100)->Arg(1024)->Arg(65536);

void Base64DecodeScalarBench(benchmark::State& state) {
  std::string bytes = RandomBytes(state.range(0));
  const std::string text = Base64Encode(bytes);
  for (auto _ : state) {
    benchmark::DoNotOptimize(scalar::Base64DecodeUntil(text, bytes.data(), bytes.size()));
  }
  CountBytes(state, bytes.size());
}
BENCHMARK(Base64DecodeScalarBench)->Arg(1024);

void Sha256Bench(benchmark::State& state) {
  const std::string bytes = RandomBytes(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(Sha256Digest(bytes));
  CountBytes(state, bytes.size());
}
BENCHMARK(Sha256Bench)->Arg(100)->Arg(1024)->Arg(712032);

void Sha256OpenSslBench(benchmark::State& state) {
  const std::string bytes = RandomBytes(state.range(0));
  unsigned char digest[32];
  for (auto _ : state) {
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
    benchmark::DoNotOptimize(digest);
  }
  CountBytes(state, bytes.size());
}
BENCHMARK(Sha256OpenSslBench)->Arg(100)->Arg(1024)->Arg(712032);

void Sha256PairBench(benchmark::State& state) {
  const std::string a = RandomBytes(state.range(0));
  const std::string b = a;
  for (auto _ : state) {
    Sha256 hash_a;
    Sha256 hash_b;
    Sha256UpdatePair(hash_a, a, hash_b, b);
    benchmark::DoNotOptimize(hash_a.Finish());
    benchmark::DoNotOptimize(hash_b.Finish());
  }
  CountBytes(state, 2 * a.size());
}
BENCHMARK(Sha256PairBench)->Arg(1024)->Arg(712032);

void HmacBench(benchmark::State& state) {
  const HmacSha256Key key("a signing key of thirty-two bytes");
  const std::string message = RandomBytes(138);  // SigV4's string to sign
  for (auto _ : state) benchmark::DoNotOptimize(key.Mac(message));
}
BENCHMARK(HmacBench);

void Md5ManyBench(benchmark::State& state) {
  std::vector<std::string> keys;
  for (int i = 0; i < 500; ++i) keys.push_back("partition-key-of-" + std::to_string(10000 + i));
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  std::vector<Uint128> out(views.size());
  for (auto _ : state) {
    Md5HashKeys(views, out);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  CountRecords(state, views.size());
}
BENCHMARK(Md5ManyBench);

void Md5Bench(benchmark::State& state) {
  const std::string key = "partition-key-of-10001";
  for (auto _ : state) benchmark::DoNotOptimize(Md5(key));
  CountRecords(state, 1);
}
BENCHMARK(Md5Bench);

void Crc32cBench(benchmark::State& state) {
  const std::string bytes = RandomBytes(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(Crc32c(bytes));
  CountBytes(state, bytes.size());
}
BENCHMARK(Crc32cBench)->Arg(100)->Arg(1024)->Arg(65536);

void Crc32Bench(benchmark::State& state) {
  const std::string bytes = RandomBytes(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(Crc32(bytes));
  CountBytes(state, bytes.size());
}
BENCHMARK(Crc32Bench)->Arg(100)->Arg(1024)->Arg(65536);

std::string PutRecordsBody(std::size_t records, std::size_t size) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject().Field("StreamName", "orders").Key("Records").BeginArray();
  const std::string data = RandomBytes(size);
  for (std::size_t i = 0; i < records; ++i) {
    json.BeginObject().Key("Data").Base64(data);
    json.Field("PartitionKey", "partition-key-of-" + std::to_string(10000 + i)).EndObject();
  }
  json.EndArray().EndObject();
  return body;
}

// The walk that PutRecords does: views of keys, data decoded where it stays.
void JsonCursorBench(benchmark::State& state) {
  constexpr std::size_t kRecords = 500;
  const std::string body = PutRecordsBody(kRecords, state.range(0));
  std::string staging(body.size(), '\0');
  for (auto _ : state) {
    JsonCursor json(body);
    std::string_view text;
    std::size_t used = 0;
    bool ok = json.Consume('{') && json.ConsumeKey("StreamName") &&
              json.ReadString(text) == JsonScan::kOk && json.Consume(',') &&
              json.ConsumeKey("Records") && json.Consume('[');
    do {
      std::size_t written = 0;
      ok =
          ok && json.Consume('{') && json.ConsumeKey("Data") &&
          json.ReadBase64(staging.data() + used, staging.size() - used, written) == JsonScan::kOk &&
          json.Consume(',') && json.ConsumeKey("PartitionKey") &&
          json.ReadString(text) == JsonScan::kOk && json.Consume('}');
      used += written;
    } while (ok && json.Consume(','));
    if (!ok) state.SkipWithError("the body did not parse");
    benchmark::DoNotOptimize(used);
  }
  CountBytes(state, body.size());
  CountRecords(state, kRecords);
}
BENCHMARK(JsonCursorBench)->Arg(100)->Arg(1024);

void JsonDocumentBench(benchmark::State& state) {
  constexpr std::size_t kRecords = 500;
  const std::string body = PutRecordsBody(kRecords, state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(JsonDocument::Parse(body));
  CountBytes(state, body.size());
  CountRecords(state, kRecords);
}
BENCHMARK(JsonDocumentBench)->Arg(100)->Arg(1024);

void CborReaderBench(benchmark::State& state) {
  constexpr std::size_t kRecords = 500;
  std::string body;
  CborWriter writer(body);
  const std::string data = RandomBytes(state.range(0));
  writer.BeginMap(2).Text("StreamName").Text("orders").Text("Records").BeginArray(kRecords);
  for (std::size_t i = 0; i < kRecords; ++i) {
    writer.BeginMap(2).Text("Data").Bytes(data);
    writer.Text("PartitionKey").Text("partition-key-of-10001");
  }
  for (auto _ : state) {
    CborReader cbor(body);
    std::size_t bytes = 0;
    for (CborItems map = cbor.ReadMap(); cbor.Next(map);) {
      if (cbor.ReadText() != "Records") {
        cbor.Skip();
        continue;
      }
      for (CborItems records = cbor.ReadArray(); cbor.Next(records);) {
        for (CborItems record = cbor.ReadMap(); cbor.Next(record);) {
          const std::string_view key = cbor.ReadText();
          bytes += key == "Data" ? cbor.ReadBytes().size() : cbor.ReadText().size();
        }
      }
    }
    if (!cbor.ok()) state.SkipWithError("the body did not parse");
    benchmark::DoNotOptimize(bytes);
  }
  CountRecords(state, kRecords);
}
BENCHMARK(CborReaderBench)->Arg(1024);

void FormatSequenceNumberBench(benchmark::State& state) {
  Uint192 value = *ParseUint192("49590338271490256608559692538361571095921575989136588898");
  char text[kUint192DigitsMax];
  for (auto _ : state) {
    value.low += 0x10000000;
    benchmark::DoNotOptimize(FormatUint192(value, text));
    benchmark::ClobberMemory();
  }
  CountRecords(state, 1);
}
BENCHMARK(FormatSequenceNumberBench);

void ParseSequenceNumberBench(benchmark::State& state) {
  const std::string text = "49590338271490256608559692538361571095921575989136588898";
  for (auto _ : state) benchmark::DoNotOptimize(ParseUint192(text));
  CountRecords(state, 1);
}
BENCHMARK(ParseSequenceNumberBench);

void FormatHttpDateBench(benchmark::State& state) {
  char text[kHttpDateSize];
  int64_t now = 1700000000000;
  for (auto _ : state) benchmark::DoNotOptimize(FormatHttpDate(now += 1000, text));
}
BENCHMARK(FormatHttpDateBench);

}  // namespace
}  // namespace millstream::codec
