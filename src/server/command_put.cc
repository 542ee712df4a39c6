#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "base/random.h"
#include "codec/json.h"
#include "server/api_client.h"
#include "server/commands.h"

namespace millstream::server {
namespace {

using base::Code;
using base::Fail;
using base::Status;

constexpr std::size_t kBatchRecords = 500;
constexpr std::size_t kBatchBytes = 4 << 20;
constexpr std::size_t kRecordBytesMax = 10 << 20;
constexpr int kTriesMax = 10;

// Puts records in batches; what a shard throttles is put again, with pauses.
class Putter {
 public:
  Putter(ApiClient& client, const PutOptions& options) : client_(client), options_(options) {}

  Status Add(std::string data) {
    bytes_ += data.size();
    batch_.push_back({std::move(data),
                      options_.partition_key.empty() ? random_.Uuid() : options_.partition_key});
    return batch_.size() >= kBatchRecords || bytes_ >= kBatchBytes ? Flush() : Status();
  }

  Status Flush() {
    for (int tries = 0; !batch_.empty(); ++tries) {
      if (tries == kTriesMax) {
        return Fail(
            Code::kResourceExhausted,
            fmt::format("{} records were refused again and again: {}", batch_.size(), problem_));
      }
      if (tries > 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(50 << std::min(tries, 5)));
      TRY(PutOnce());
    }
    bytes_ = 0;
    return {};
  }

  std::size_t put() const { return put_; }

 private:
  struct Record {
    std::string data;
    std::string key;
  };

  std::string Body() const {
    std::string body;
    codec::JsonWriter json(body);
    json.BeginObject().Field("StreamName", options_.stream).Key("Records").BeginArray();
    for (const Record& record : batch_) {
      json.BeginObject().Key("Data").Base64(record.data).Field("PartitionKey", record.key);
      if (!options_.explicit_hash_key.empty())
        json.Field("ExplicitHashKey", options_.explicit_hash_key);
      json.EndObject();
    }
    json.EndArray().EndObject();
    return body;
  }

  // Leaves in the batch what was refused.
  Status PutOnce() {
    ASSIGN_OR_RETURN(auto answer, client_.Call("PutRecords", Body()));
    auto results = answer.root().Find("Records");
    if (!results || results->size() != batch_.size())
      return Fail(Code::kInternal, "the answer has other records than the request");
    std::vector<Record> refused;
    std::size_t i = 0;
    for (codec::JsonValue result : *results) {
      if (auto error = result.Find("ErrorMessage")) {
        problem_ = error->is_string() ? std::string(error->AsString()) : "";
        refused.push_back(std::move(batch_[i]));
      } else if (result.Find("ErrorCode")) {
        refused.push_back(std::move(batch_[i]));
      } else {
        ++put_;
      }
      ++i;
    }
    batch_ = std::move(refused);
    return {};
  }

  ApiClient& client_;
  const PutOptions& options_;
  base::SystemRandom random_;
  std::vector<Record> batch_;
  std::size_t bytes_ = 0;
  std::size_t put_ = 0;
  std::string problem_;
};

Status PutLines(Putter& putter) {
  char* line = nullptr;
  std::size_t capacity = 0;
  Status done;
  ssize_t got;
  while (done && (got = ::getline(&line, &capacity, stdin)) >= 0) {
    std::string_view text(line, static_cast<std::size_t>(got));
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (text.empty()) continue;
    if (text.size() > kRecordBytesMax) {
      done =
          Fail(Code::kInvalidArgument, fmt::format("a line of {} bytes; a record holds at most {}",
                                                   text.size(), kRecordBytesMax));
    } else {
      done = putter.Add(std::string(text));
    }
  }
  std::free(line);
  return done;
}

}  // namespace

int RunPut(const Invocation& invocation) {
  auto client = ApiClient::Create(invocation.client);
  if (!client) return Complain(client.error());
  Putter putter(*client, invocation.put);
  Status done;
  for (const std::string& data : invocation.put.data) {
    if (done) done = putter.Add(data);
  }
  if (done && invocation.put.data.empty()) done = PutLines(putter);
  if (done) done = putter.Flush();
  std::fprintf(stderr, "put %zu records\n", putter.put());
  return done ? 0 : Complain(done.error());
}

}  // namespace millstream::server
