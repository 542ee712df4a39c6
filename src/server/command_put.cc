#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
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

// True when standard input has nothing for us at this moment, so that what is at hand may as well
// go.
bool InputPauses() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return ::poll(&input, 1, 0) == 0;
}

Status PutLine(Putter& putter, std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line.empty() ? Status() : putter.Add(std::string(line));
}

// A record a line. Batches fill while lines come quickly; a pause sends what there is, so that a
// followed file arrives line by line.
Status PutLines(Putter& putter) {
  std::string text;
  char bytes[64 << 10];
  while (true) {
    ssize_t got = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return Fail(Code::kUnavailable, fmt::format("standard input: {}", std::strerror(errno)));
    if (got == 0) return PutLine(putter, text);
    text.append(bytes, static_cast<std::size_t>(got));
    std::size_t begin = 0, end;
    while ((end = text.find('\n', begin)) != std::string::npos) {
      TRY(PutLine(putter, std::string_view(text).substr(begin, end - begin)));
      begin = end + 1;
    }
    text.erase(0, begin);
    if (text.size() > kRecordBytesMax) {
      return Fail(
          Code::kInvalidArgument,
          fmt::format("a line of more than {} bytes; a record holds no more", kRecordBytesMax));
    }
    if (InputPauses()) TRY(putter.Flush());
  }
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
