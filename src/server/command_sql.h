#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "server/command_line.h"
#include "server/command_sql_load.h"
#include "server/command_sql_output.h"
#include "sql/application.h"

namespace millstream::server {

// A clock that stands at the ROWTIME that a run has reached: with it a run depends on nothing but
// its inputs.
class ReplayClock final : public base::Clock {
 public:
  explicit ReplayClock(int64_t start_ms) : now_ms_(start_ms) {}
  int64_t WallMs() const override { return now_ms_; }
  int64_t MonotonicNs() const override { return now_ms_ * 1'000'000; }
  void Set(int64_t now_ms) { now_ms_ = now_ms; }

 private:
  int64_t now_ms_;
};

// "line 3, column 14: what" as "app.sql:3:14: what", with the line of `text` and a caret below.
std::string PointedError(std::string_view label, std::string_view text, const std::string& message);

// Runs on the streams of a server until it is told to stop, enough rows are printed, or something
// fails (command_sql_follow.cc).
base::Status FollowSql(const Invocation& invocation, SqlSetup& setup, sql::Application& application,
                       SqlPrinter& printer);

// Looks at the newest records of a stream of a server; for discovery.
base::Result<std::vector<std::string>> SampleStream(const ClientOptions& client,
                                                    const std::string& stream);

}  // namespace millstream::server
