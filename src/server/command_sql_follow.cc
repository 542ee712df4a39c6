#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <map>
#include <thread>

#include "server/command_sql.h"
#include "server/command_sql_input.h"
#include "server/stream_follower.h"

namespace millstream::server {

using base::Status;

namespace {

// Results of closed windows show up so soon after their time.
constexpr std::chrono::milliseconds kRound = StreamFollower::kPollInterval;
constexpr std::size_t kSampleRecords = 100;

std::atomic<bool> stop_wanted{false};

}  // namespace

base::Result<std::vector<std::string>> SampleStream(const ClientOptions& options,
                                                    const std::string& stream) {
  std::vector<std::string> sample;
  ASSIGN_OR_RETURN(ApiClient client, ApiClient::Create(options));
  StreamFollower follower(client, stream, [&](const FollowedRecord& record) {
    sample.emplace_back(record.data);
    return sample.size() < kSampleRecords;
  });
  TRY(follower.Open("oldest"));
  while (!follower.done()) TRY(follower.Poll(/*keep=*/false));
  return sample;
}

Status FollowSql(const Invocation& invocation, SqlSetup& setup, sql::Application& application,
                 SqlPrinter& printer) {
  TRY(CheckFrom(invocation.sql.from));
  ASSIGN_OR_RETURN(ApiClient client, ApiClient::Create(invocation.client));
  base::SystemClock clock;
  struct Source {
    std::string name;
    std::unique_ptr<SqlInput> input;
    std::unique_ptr<StreamFollower> follower;
    bool own_time = false;
  };
  std::vector<Source> sources;
  sources.reserve(setup.streams.size());
  Status failed;
  for (SqlStream& stream : setup.streams) {
    if (stream.follow.empty()) {
      TRY(application.Advance(stream.name, INT64_MAX));
      continue;
    }
    Source& source = sources.emplace_back();
    source.name = stream.name;
    source.own_time = !stream.rowtime.empty();
    ASSIGN_OR_RETURN(source.input,
                     SqlInput::Create(
                         {.schema = stream.schema, .has_shards = true, .rowtime = stream.rowtime},
                         [&](const sql::Batch& rows) {
                           if (failed) failed = application.Push(source.name, rows);
                         },
                         [&](std::string message, int64_t rowtime, std::string_view record) {
                           application.ReportInputError("INPUT_ERROR", std::move(message), rowtime,
                                                        record);
                         }));
    source.follower =
        std::make_unique<StreamFollower>(client, stream.follow, [&](const FollowedRecord& record) {
          sql::RecordFacts facts;
          facts.rowtime = clock.WallMs();
          facts.arrival_ms = record.arrival_ms.value_or(facts.rowtime);
          facts.shard_id = record.shard;
          facts.partition_key = record.partition_key;
          facts.sequence_number = record.sequence_number;
          source.input->Add(record.data, facts);
          return !printer.done() && !stop_wanted;
        });
    TRY(source.follower->Open(invocation.sql.from));
  }
  std::signal(SIGINT, [](int) { stop_wanted = true; });
  std::signal(SIGTERM, [](int) { stop_wanted = true; });
  while (!printer.done() && !stop_wanted) {
    auto round = std::chrono::steady_clock::now();
    bool at_tip = true, any = false;
    for (Source& source : sources) {
      TRY(source.follower->Poll(/*keep=*/true));
      source.input->Flush();
      TRY(failed);
      any = any || !source.follower->done();
      at_tip = at_tip && source.follower->at_tip();
    }
    // Nothing earlier than now can come any more: windows close by the wall clock. Times of the
    // records' own move with the records alone.
    for (Source& source : sources) {
      if (source.follower->at_tip() && !source.own_time)
        TRY(application.Advance(source.name, clock.WallMs() - 1));
    }
    printer.Flush();
    if (!any) break;
    if (at_tip) std::this_thread::sleep_until(round + kRound);
  }
  return {};
}

}  // namespace millstream::server
