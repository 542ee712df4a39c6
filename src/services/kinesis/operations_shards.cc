// ListShards, SplitShard, MergeShards, UpdateShardCount.
#include <algorithm>
#include <cstdlib>

#include "services/kinesis/refusals.h"
#include "services/kinesis/service.h"

namespace millstream::services::kinesis {
namespace {

using streams::ShardEntry;
using streams::ShardId;
using streams::StreamState;

// When a shard began to take records. Shards without a parent have always been there.
int64_t BeganMs(const StreamState& state, const ShardEntry& entry) {
  int64_t began = INT64_MIN;
  for (const auto& parent : {entry.facts.parent, entry.facts.adjacent_parent}) {
    if (!parent) continue;
    const ShardEntry* found = state.FindShard(*parent);
    if (found != nullptr && found->facts.closed_ms) {
      began = std::max(began, *found->facts.closed_ms);
    }
  }
  return began;
}

struct Filter {
  std::string type;  // empty: all
  int64_t timestamp_ms = 0;
};

bool Shows(const Filter& filter, const StreamState& state, const ShardEntry& entry,
           int64_t horizon_ms) {
  bool open = entry.facts.open();
  auto open_at = [&](int64_t ms) {
    return BeganMs(state, entry) <= ms && (open || *entry.facts.closed_ms > ms);
  };
  if (filter.type == "AT_LATEST") return open;
  if (filter.type == "AT_TRIM_HORIZON") return open_at(horizon_ms);
  if (filter.type == "AT_TIMESTAMP") return open_at(std::max(filter.timestamp_ms, horizon_ms));
  if (filter.type == "FROM_TIMESTAMP") {
    return open || *entry.facts.closed_ms >= std::max(filter.timestamp_ms, horizon_ms);
  }
  return true;  // FROM_TRIM_HORIZON, AFTER_SHARD_ID (by its start), none
}

// A text that is no shard id is told before a stream that does not exist (kinesalite,
// test/splitShard.js).
template <typename Input>
aws::ServiceError BadShardId(const aws::Call& call, const aws::Outcome<streams::StreamPtr>& stream,
                             const Input& input, std::string_view text) {
  if (stream) return ShardMissing(text, (*stream)->key());
  if (!input.stream_name) return stream.error();
  return ShardMissing(text, {call.account, call.region, *input.stream_name});
}

RefusalContext Context(const streams::Stream& stream) {
  RefusalContext context;
  context.stream = stream.key();
  return context;
}

}  // namespace

void KinesisService::ListShards(const aws::Call& call, api::ListShardsInput input,
                                aws::Reply<api::ListShardsOutput> reply) {
  if (!Admit(call, reply)) return;
  auto refuse = [&](std::string text) {
    std::move(reply).Fail(api::InvalidArgumentException(std::move(text)));
  };
  bool named = input.stream_name || input.stream_arn || input.stream_id;
  if (!named && !input.next_token) {
    return refuse("Either NextToken or StreamName should be provided.");
  }
  if (named && input.next_token) {
    return refuse("NextToken and StreamName cannot be provided together.");
  }
  int64_t now_ms = registry_.clock().WallMs();
  Filter filter;
  int64_t after = -1;  // shard index
  streams::StreamPtr stream;
  if (input.next_token) {
    if (input.shard_filter || input.exclusive_start_shard_id || input.stream_creation_timestamp) {
      return refuse(
          "NextToken cannot be provided together with ShardFilter, ExclusiveStartShardId or "
          "StreamCreationTimestamp.");
    }
    auto fields = ReadToken("ListShards", now_ms, *input.next_token, kListShardsFields);
    if (!fields) return std::move(reply).Fail(fields.error());
    stream = registry_.Find({(*fields)[0], (*fields)[1], (*fields)[2]});
    if (stream == nullptr) return std::move(reply).Fail(StreamNotFound((*fields)[2], (*fields)[0]));
    filter = {(*fields)[3], std::strtoll((*fields)[4].c_str(), nullptr, 10)};
    after = std::strtoll((*fields)[5].c_str(), nullptr, 10);
  } else {
    auto found = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
    if (!found) return std::move(reply).Fail(found.error());
    stream = *found;
  }
  std::string_view start;
  if (input.exclusive_start_shard_id) start = *input.exclusive_start_shard_id;
  if (input.shard_filter) {
    filter.type = input.shard_filter->type;
    bool timed = filter.type == "AT_TIMESTAMP" || filter.type == "FROM_TIMESTAMP";
    if (timed && !input.shard_filter->timestamp) {
      return refuse("The Timestamp parameter must be provided with ShardFilter type " +
                    filter.type + ".");
    }
    if (filter.type == "AFTER_SHARD_ID" && !input.shard_filter->shard_id) {
      return refuse("The ShardId parameter must be provided with ShardFilter type AFTER_SHARD_ID.");
    }
    if (timed) {
      filter.timestamp_ms = *input.shard_filter->timestamp;
      if (filter.timestamp_ms > now_ms) {
        return refuse(
            "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
            "timestampInMillis: " +
            std::to_string(filter.timestamp_ms) +
            ", currentTimestampInMillis: " + std::to_string(now_ms));
      }
    }
    if (filter.type == "AFTER_SHARD_ID") start = *input.shard_filter->shard_id;
  }
  if (!start.empty()) {
    auto id = ShardId::Parse(start);
    if (!id) return std::move(reply).Fail(ShardMissing(start, stream->key()));
    after = id->index;
  }
  auto state = stream->state();
  int64_t horizon_ms = std::max(now_ms - state->retention_ms, stream->identity().created_ms);
  std::size_t most = static_cast<std::size_t>(std::min(input.max_results.value_or(1000), 1000));
  api::ListShardsOutput output;
  output.shards.emplace();
  for (const ShardEntry& entry : state->shards) {
    if (static_cast<int64_t>(entry.facts.id.index) <= after) continue;
    if (!Shows(filter, *state, entry, horizon_ms)) continue;
    if (output.shards->size() == most) {
      const streams::StreamKey& key = stream->key();
      output.next_token = MakeToken(
          "ListShards", now_ms,
          {key.account, key.region, key.name, filter.type, std::to_string(filter.timestamp_ms),
           std::to_string(ShardId::Parse(output.shards->back().shard_id)->index)});
      break;
    }
    output.shards->push_back(DescribeShard(entry.facts));
  }
  std::move(reply).Send(output);
}

void KinesisService::SplitShard(const aws::Call& call, api::SplitShardInput input,
                                aws::Reply<api::SplitShardOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  auto shard = ShardId::Parse(input.shard_to_split);
  if (!shard) return std::move(reply).Fail(BadShardId(call, stream, input, input.shard_to_split));
  if (!stream) return std::move(reply).Fail(stream.error());
  auto key = streams::ParseHashKey(input.new_starting_hash_key);
  RunControl(
      call, std::move(reply),
      [this, stream = *stream, shard = *shard, key,
       text = input.new_starting_hash_key]() -> aws::Outcome<api::SplitShardOutput> {
        RefusalContext context = Context(*stream);
        context.shard = shard.ToString();
        auto done = registry_.Split(*stream, shard, key.value_or(0));
        if (done) return api::SplitShardOutput{};
        if (done.error().reason == streams::Refusal::kHashKeyOutside) {
          auto state = stream->state();
          const ShardEntry* entry = state->FindShard(shard);
          auto range = entry ? entry->facts.range : streams::HashKeyRange{};
          return aws::FailCall(api::InvalidArgumentException(
              "NewStartingHashKey " + text + " used in SplitShard() on shard " + context.shard +
              " in stream " + stream->key().name + " under account " + stream->key().account +
              " is not both greater than one plus the shard's StartingHashKey " +
              codec::ToDecimal(range.start) + " and less than the shard's EndingHashKey " +
              codec::ToDecimal(range.end) + "."));
        }
        return aws::FailCall(ToError(done.error(), context));
      });
}

void KinesisService::MergeShards(const aws::Call& call, api::MergeShardsInput input,
                                 aws::Reply<api::MergeShardsOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  auto shard = ShardId::Parse(input.shard_to_merge);
  auto adjacent = ShardId::Parse(input.adjacent_shard_to_merge);
  if (!shard || !adjacent) {
    return std::move(reply).Fail(BadShardId(
        call, stream, input, shard ? input.adjacent_shard_to_merge : input.shard_to_merge));
  }
  if (!stream) return std::move(reply).Fail(stream.error());
  RunControl(call, std::move(reply),
             [this, stream = *stream, shard = *shard,
              adjacent = *adjacent]() -> aws::Outcome<api::MergeShardsOutput> {
               RefusalContext context = Context(*stream);
               context.shard = shard.ToString();
               context.adjacent = adjacent.ToString();
               auto done = registry_.Merge(*stream, shard, adjacent);
               if (!done) return aws::FailCall(ToError(done.error(), context));
               return api::MergeShardsOutput{};
             });
}

void KinesisService::UpdateShardCount(const aws::Call& call, api::UpdateShardCountInput input,
                                      aws::Reply<api::UpdateShardCountOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  RunControl(call, std::move(reply),
             [this, stream = *stream,
              target = input.target_shard_count]() -> aws::Outcome<api::UpdateShardCountOutput> {
               auto done = registry_.UpdateShardCount(*stream, static_cast<uint32_t>(target));
               if (!done) return aws::FailCall(ToError(done.error(), Context(*stream)));
               api::UpdateShardCountOutput output;
               output.stream_name = stream->key().name;
               output.stream_arn = StreamArn(stream->key());
               output.current_shard_count = static_cast<int32_t>(done->before);
               output.target_shard_count = static_cast<int32_t>(done->target);
               return output;
             });
}

}  // namespace millstream::services::kinesis
