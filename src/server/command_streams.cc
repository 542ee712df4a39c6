#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "codec/json.h"
#include "codec/time_format.h"
#include "server/api_client.h"
#include "server/commands.h"
#include "server/stream_shards.h"

namespace millstream::server {
namespace {

using base::Result;
using base::Status;

std::string_view TextOf(codec::JsonValue object, std::string_view name) {
  auto value = object.Find(name);
  return value && value->is_string() ? value->AsString() : std::string_view();
}

std::string NumberOf(codec::JsonValue object, std::string_view name) {
  auto value = object.Find(name);
  return value && value->is_number() ? std::string(value->NumberText()) : "0";
}

std::string TimeOf(codec::JsonValue object, std::string_view name) {
  auto value = object.Find(name);
  auto ms =
      value && value->is_number() ? codec::ParseEpochSeconds(value->NumberText()) : std::nullopt;
  return ms ? codec::FormatIso8601Seconds(*ms) : "";
}

// Lines up columns; the first row is the heading.
std::string Table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::string JsonOf(std::string_view member, std::string_view text) {
  std::string body;
  codec::JsonWriter(body).BeginObject().Field(member, text).EndObject();
  return body;
}

Result<codec::JsonDocument> Summary(ApiClient& client, std::string_view stream) {
  return client.Call("DescribeStreamSummary", JsonOf("StreamName", stream));
}

Status ListAll(ApiClient& client, bool as_json) {
  std::vector<std::vector<std::string>> rows = {
      {"STREAM", "STATUS", "MODE", "SHARDS", "RETENTION", "CONSUMERS", "CREATED"}};
  std::string json = "[";
  std::string from;
  while (true) {
    std::string body = from.empty() ? "{}" : JsonOf("ExclusiveStartStreamName", from);
    ASSIGN_OR_RETURN(auto page, client.Call("ListStreams", body));
    auto names = page.root().Find("StreamNames");
    if (!names) break;
    for (codec::JsonValue name : *names) {
      from = std::string(name.AsString());
      auto answer = Summary(client, from);
      if (!answer && answer.error().code() == base::Code::kNotFound) continue;  // deleted meanwhile
      if (!answer) return base::Fail(std::move(answer).error());
      auto summary = answer->root().Find("StreamDescriptionSummary");
      if (!summary) continue;
      auto mode = summary->Find("StreamModeDetails");
      rows.push_back(
          {from, std::string(TextOf(*summary, "StreamStatus")),
           mode ? std::string(TextOf(*mode, "StreamMode")) : "",
           NumberOf(*summary, "OpenShardCount"), NumberOf(*summary, "RetentionPeriodHours") + " h",
           NumberOf(*summary, "ConsumerCount"), TimeOf(*summary, "StreamCreationTimestamp")});
      if (json.size() > 1) json += ',';
      codec::JsonWriter(json)
          .BeginObject()
          .Field("name", from)
          .Field("status", TextOf(*summary, "StreamStatus"))
          .Field("arn", TextOf(*summary, "StreamARN"))
          .Field("mode", mode ? TextOf(*mode, "StreamMode") : std::string_view())
          .Key("open_shards")
          .Raw(NumberOf(*summary, "OpenShardCount"))
          .Key("retention_hours")
          .Raw(NumberOf(*summary, "RetentionPeriodHours"))
          .Key("consumers")
          .Raw(NumberOf(*summary, "ConsumerCount"))
          .EndObject();
    }
    auto more = page.root().Find("HasMoreStreams");
    if (!more || !more->is_bool() || !more->AsBool() || names->size() == 0) break;
  }
  if (as_json) {
    Print(json + "]\n");
  } else {
    Print(rows.size() == 1 ? "no streams\n" : Table(rows));
  }
  return {};
}

Status Describe(ApiClient& client, const std::string& stream, bool as_json) {
  ASSIGN_OR_RETURN(auto answer, Summary(client, stream));
  auto summary = answer.root().Find("StreamDescriptionSummary");
  if (!summary)
    return base::Fail(base::Code::kInternal, "the answer has no StreamDescriptionSummary");
  ASSIGN_OR_RETURN(auto shards, ListShards(client, stream));
  if (as_json) {
    std::string json;
    codec::JsonWriter out(json);
    out.BeginObject()
        .Field("name", stream)
        .Field("status", TextOf(*summary, "StreamStatus"))
        .Key("shards")
        .BeginArray();
    for (const ShardInfo& shard : shards) {
      out.BeginObject()
          .Field("id", shard.id)
          .Field("start", shard.range_start)
          .Field("end", shard.range_end)
          .Field("parent", shard.parent)
          .Field("open", shard.open)
          .EndObject();
    }
    out.EndArray().EndObject();
    Print(json + "\n");
    return {};
  }
  std::vector<std::vector<std::string>> facts = {
      {"arn", std::string(TextOf(*summary, "StreamARN"))},
      {"status", std::string(TextOf(*summary, "StreamStatus"))},
      {"created", TimeOf(*summary, "StreamCreationTimestamp")},
      {"retention", NumberOf(*summary, "RetentionPeriodHours") + " h"},
      {"encryption", std::string(TextOf(*summary, "EncryptionType"))},
      {"consumers", NumberOf(*summary, "ConsumerCount")}};
  std::vector<std::vector<std::string>> rows = {{"SHARD", "STATE", "PARENTS", "HASH KEYS"}};
  for (const ShardInfo& shard : shards) {
    rows.push_back(
        {shard.id, shard.open ? "open" : "closed",
         shard.parent + (shard.adjacent_parent.empty() ? "" : " " + shard.adjacent_parent),
         shard.range_start + " - " + shard.range_end});
  }
  Print(stream + "\n" + Table(facts) + "\n" + Table(rows));
  return {};
}

}  // namespace

int RunStreams(const Invocation& invocation) {
  auto client = ApiClient::Create(invocation.client);
  if (!client) return Complain(client.error());
  const StreamsOptions& options = invocation.streams;
  Status done = options.stream.empty() ? ListAll(*client, options.json)
                                       : Describe(*client, options.stream, options.json);
  return done ? 0 : Complain(done.error());
}

}  // namespace millstream::server
