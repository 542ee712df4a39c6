// What makes, shows and changes a stream as a whole, and the account's settings.
#include <algorithm>
#include <array>

#include "services/kinesis/refusals.h"
#include "services/kinesis/service.h"

namespace millstream::services::kinesis {
namespace {

using streams::ShardMetricSet;
using streams::StreamPtr;

constexpr int64_t kHourMs = 3'600'000;

constexpr std::array<std::string_view, 7> kMetricNames = {"IncomingBytes",
                                                          "IncomingRecords",
                                                          "OutgoingBytes",
                                                          "OutgoingRecords",
                                                          "WriteProvisionedThroughputExceeded",
                                                          "ReadProvisionedThroughputExceeded",
                                                          "IteratorAgeMilliseconds"};

std::vector<std::string> MetricNames(ShardMetricSet set) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kMetricNames.size(); ++i) {
    if (set & (1u << i)) names.emplace_back(kMetricNames[i]);
  }
  return names;
}

ShardMetricSet MetricSet(const std::vector<std::string>& names) {
  ShardMetricSet set = 0;
  for (const std::string& name : names) {
    if (name == "ALL") return streams::kAllShardMetrics;
    for (std::size_t i = 0; i < kMetricNames.size(); ++i) {
      if (kMetricNames[i] == name) set = static_cast<ShardMetricSet>(set | (1u << i));
    }
  }
  return set;
}

std::vector<api::EnhancedMetrics> Monitoring(const streams::StreamState& state) {
  api::EnhancedMetrics metrics;
  metrics.shard_level_metrics = MetricNames(state.shard_metrics);
  return {metrics};
}

std::optional<api::WarmThroughputObject> WarmThroughput(const streams::StreamState& state) {
  if (state.warm_throughput_mibps <= 0) return std::nullopt;
  api::WarmThroughputObject warm;
  warm.target_mibps = state.warm_throughput_mibps;
  warm.current_mibps = state.warm_throughput_mibps;
  return warm;
}

RefusalContext ContextOf(const streams::StreamKey& key) {
  RefusalContext context;
  context.stream = key;
  return context;
}

// The outcome of a control call without output.
template <typename Output>
aws::Outcome<Output> Done(const streams::Controlled<void>& done, const streams::StreamKey& key) {
  if (!done) return aws::FailCall(ToError(done.error(), ContextOf(key)));
  return Output{};
}

api::MinimumThroughputBillingCommitmentOutput Commitment(const streams::AccountSettings& settings) {
  api::MinimumThroughputBillingCommitmentOutput output;
  output.status = !settings.billing_commitment ? "DISABLED"
                  : settings.ended_ms != 0     ? "ENABLED_UNTIL_EARLIEST_ALLOWED_END"
                                               : "ENABLED";
  if (settings.started_ms > 0) output.started_at = settings.started_ms;
  if (settings.ended_ms > 0) output.ended_at = settings.ended_ms;
  if (settings.billing_commitment && settings.earliest_end_ms > 0) {
    output.earliest_allowed_end_at = settings.earliest_end_ms;
  }
  return output;
}

}  // namespace

void KinesisService::CreateStream(const aws::Call& call, api::CreateStreamInput input,
                                  aws::Reply<api::CreateStreamOutput> reply) {
  streams::CreateOptions options;
  bool on_demand = input.stream_mode_details ? input.stream_mode_details->stream_mode == "ON_DEMAND"
                                             : !input.shard_count.has_value();
  if (!on_demand && !input.shard_count) {
    return std::move(reply).Fail(
        aws::ValidationException("ShardCount must be specified for a stream in PROVISIONED mode."));
  }
  options.mode = on_demand ? streams::StreamMode::kOnDemand : streams::StreamMode::kProvisioned;
  options.shards = on_demand ? registry_.options().on_demand.shards_initial
                             : static_cast<uint32_t>(*input.shard_count);
  if (input.tags) options.tags = *input.tags;
  if (input.max_record_size_in_kib) {
    options.record_bytes_max = int64_t{*input.max_record_size_in_kib} << 10;
  }
  if (input.warm_throughput_mibps) {
    if (!on_demand) {
      return std::move(reply).Fail(aws::ValidationException(
          "WarmThroughputMiBps can only be set for streams in On-Demand mode."));
    }
    if (!registry_.Settings(call.account, call.region).billing_commitment) {
      return std::move(reply).Fail(aws::ValidationException(
          "Warm throughput needs the account's MinimumThroughputBillingCommitment to be ENABLED."));
    }
    options.warm_throughput_mibps = *input.warm_throughput_mibps;
  }
  streams::StreamKey key{call.account, call.region, input.stream_name};
  RunControl(call, std::move(reply),
             [this, key = std::move(key),
              options = std::move(options)]() -> aws::Outcome<api::CreateStreamOutput> {
               auto created = registry_.Create(key, options);
               if (!created) return aws::FailCall(ToError(created.error(), ContextOf(key)));
               return api::CreateStreamOutput{};
             });
}

void KinesisService::DeleteStream(const aws::Call& call, api::DeleteStreamInput input,
                                  aws::Reply<api::DeleteStreamOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  RunControl(call, std::move(reply),
             [this, stream = *stream, enforce = input.enforce_consumer_deletion.value_or(false)] {
               return Done<api::DeleteStreamOutput>(registry_.Delete(*stream, enforce),
                                                    stream->key());
             });
}

void KinesisService::DescribeStream(const aws::Call& call, api::DescribeStreamInput input,
                                    aws::Reply<api::DescribeStreamOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  if (!Admit(call, reply)) return;
  int64_t after = -1;
  if (input.exclusive_start_shard_id) {
    auto id = streams::ShardId::Parse(*input.exclusive_start_shard_id);
    if (!id) {
      return std::move(reply).Fail(ShardMissing(*input.exclusive_start_shard_id, (*stream)->key()));
    }
    after = id->index;
  }
  auto state = (*stream)->state();
  api::DescribeStreamOutput output;
  api::StreamDescription& to = output.stream_description;
  to.stream_name = (*stream)->key().name;
  to.stream_arn = StreamArn((*stream)->key());
  to.stream_status = StatusName(state->status);
  to.stream_mode_details = ModeDetails(state->mode);
  to.retention_period_hours = static_cast<int32_t>(state->retention_ms / kHourMs);
  to.stream_creation_timestamp = (*stream)->identity().created_ms / 1000 * 1000;
  to.enhanced_monitoring = Monitoring(*state);
  to.encryption_type = state->encryption ? "KMS" : "NONE";
  if (state->encryption) to.key_id = state->encryption->key_id;
  std::size_t most = static_cast<std::size_t>(std::min(input.limit.value_or(100), 100));
  for (const streams::ShardEntry& entry : state->shards) {
    if (static_cast<int64_t>(entry.facts.id.index) <= after) continue;
    if (to.shards.size() == most) {
      to.has_more_shards = true;
      break;
    }
    to.shards.push_back(DescribeShard(entry.facts));
  }
  std::move(reply).Send(output);
}

void KinesisService::DescribeStreamSummary(const aws::Call& call,
                                           api::DescribeStreamSummaryInput input,
                                           aws::Reply<api::DescribeStreamSummaryOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  if (!Admit(call, reply)) return;
  auto state = (*stream)->state();
  api::DescribeStreamSummaryOutput output;
  api::StreamDescriptionSummary& to = output.stream_description_summary;
  to.stream_name = (*stream)->key().name;
  to.stream_arn = StreamArn((*stream)->key());
  to.stream_id = (*stream)->identity().stream_id;
  to.stream_status = StatusName(state->status);
  to.stream_mode_details = ModeDetails(state->mode);
  to.retention_period_hours = static_cast<int32_t>(state->retention_ms / kHourMs);
  to.stream_creation_timestamp = (*stream)->identity().created_ms / 1000 * 1000;
  to.enhanced_monitoring = Monitoring(*state);
  to.encryption_type = state->encryption ? "KMS" : "NONE";
  if (state->encryption) to.key_id = state->encryption->key_id;
  to.open_shard_count = static_cast<int32_t>(state->open_shards());
  to.consumer_count = static_cast<int32_t>(state->consumers.size());
  to.warm_throughput = WarmThroughput(*state);
  to.max_record_size_in_kib = static_cast<int32_t>(state->record_bytes_max >> 10);
  std::move(reply).Send(output);
}

void KinesisService::ListStreams(const aws::Call& call, api::ListStreamsInput input,
                                 aws::Reply<api::ListStreamsOutput> reply) {
  if (!Admit(call, reply)) return;
  std::string after = input.exclusive_start_stream_name.value_or("");
  int64_t now_ms = registry_.clock().WallMs();
  if (input.next_token) {
    auto fields = ReadToken("ListStreams", now_ms, *input.next_token, 1);
    if (!fields) return std::move(reply).Fail(fields.error());
    after = (*fields)[0];
  }
  std::size_t most = static_cast<std::size_t>(std::min(input.limit.value_or(100), 100));
  api::ListStreamsOutput output;
  output.stream_summaries.emplace();
  for (const StreamPtr& stream : registry_.List(call.account, call.region)) {
    if (!after.empty() && stream->key().name <= after) continue;
    if (output.stream_names.size() == most) {
      output.has_more_streams = true;
      output.next_token = MakeToken("ListStreams", now_ms, {output.stream_names.back()});
      break;
    }
    auto state = stream->state();
    output.stream_names.push_back(stream->key().name);
    api::StreamSummary& summary = output.stream_summaries->emplace_back();
    summary.stream_name = stream->key().name;
    summary.stream_arn = StreamArn(stream->key());
    summary.stream_status = StatusName(state->status);
    summary.stream_mode_details = ModeDetails(state->mode);
    summary.stream_creation_timestamp = stream->identity().created_ms / 1000 * 1000;
  }
  std::move(reply).Send(output);
}

namespace {

std::string Hours(int64_t hours) { return std::to_string(hours) + " hours"; }

// What AWS says of a requested retention; `longer` for IncreaseStreamRetentionPeriod.
std::optional<aws::ServiceError> CheckRetention(int64_t hours, int64_t existing, bool longer,
                                                const std::string& stream) {
  if (hours < 24) {
    return api::InvalidArgumentException(
        "Minimum allowed retention period is 24 hours. Requested retention period (" +
        Hours(hours) + ") is too short.");
  }
  if (hours > 8760) {
    return api::InvalidArgumentException(
        "Maximum allowed retention period is 8760 hours. Requested retention period (" +
        Hours(hours) + ") is too long.");
  }
  std::string requested = "Requested retention period (" + Hours(hours) + ") for stream " + stream;
  if (longer && hours < existing) {
    return api::InvalidArgumentException(requested +
                                         " can not be shorter than existing retention period (" +
                                         Hours(existing) + "). Use DecreaseRetentionPeriod API.");
  }
  if (!longer && hours > existing) {
    return api::InvalidArgumentException(requested +
                                         " can not be longer than existing retention period (" +
                                         Hours(existing) + "). Use IncreaseRetentionPeriod API.");
  }
  return std::nullopt;
}

template <typename Output>
aws::Outcome<Output> SetRetention(streams::StreamRegistry& registry, const StreamPtr& stream,
                                  int64_t hours, bool longer) {
  int64_t existing = stream->state()->retention_ms / kHourMs;
  if (auto wrong = CheckRetention(hours, existing, longer, stream->key().name)) {
    return aws::FailCall(std::move(*wrong));
  }
  return Done<Output>(registry.SetRetention(*stream, hours * kHourMs), stream->key());
}

}  // namespace

void KinesisService::IncreaseStreamRetentionPeriod(
    const aws::Call& call, api::IncreaseStreamRetentionPeriodInput input,
    aws::Reply<api::IncreaseStreamRetentionPeriodOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  RunControl(call, std::move(reply),
             [this, stream = *stream, hours = input.retention_period_hours] {
               return SetRetention<api::IncreaseStreamRetentionPeriodOutput>(registry_, stream,
                                                                             hours, true);
             });
}

void KinesisService::DecreaseStreamRetentionPeriod(
    const aws::Call& call, api::DecreaseStreamRetentionPeriodInput input,
    aws::Reply<api::DecreaseStreamRetentionPeriodOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  RunControl(call, std::move(reply),
             [this, stream = *stream, hours = input.retention_period_hours] {
               return SetRetention<api::DecreaseStreamRetentionPeriodOutput>(registry_, stream,
                                                                             hours, false);
             });
}

void KinesisService::UpdateStreamMode(const aws::Call& call, api::UpdateStreamModeInput input,
                                      aws::Reply<api::UpdateStreamModeOutput> reply) {
  auto stream = FindByArn(input.stream_arn);
  if (!stream) return std::move(reply).Fail(stream.error());
  auto mode = input.stream_mode_details.stream_mode == "ON_DEMAND"
                  ? streams::StreamMode::kOnDemand
                  : streams::StreamMode::kProvisioned;
  if (input.warm_throughput_mibps &&
      !registry_.Settings(call.account, call.region).billing_commitment) {
    return std::move(reply).Fail(aws::ValidationException(
        "Warm throughput needs the account's MinimumThroughputBillingCommitment to be ENABLED."));
  }
  RunControl(call, std::move(reply),
             [this, stream = *stream, mode, warm = input.warm_throughput_mibps] {
               return Done<api::UpdateStreamModeOutput>(registry_.SetMode(*stream, mode, warm),
                                                        stream->key());
             });
}

void KinesisService::UpdateStreamWarmThroughput(
    const aws::Call& call, api::UpdateStreamWarmThroughputInput input,
    aws::Reply<api::UpdateStreamWarmThroughputOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  if ((*stream)->state()->mode != streams::StreamMode::kOnDemand) {
    return std::move(reply).Fail(aws::ValidationException(
        "Request is invalid. Stream " + (*stream)->key().name + " under account " +
        (*stream)->key().account + " is in Provisioned mode."));
  }
  if (!registry_.Settings(call.account, call.region).billing_commitment) {
    return std::move(reply).Fail(aws::ValidationException(
        "Warm throughput needs the account's MinimumThroughputBillingCommitment to be ENABLED."));
  }
  RunControl(call, std::move(reply),
             [this, stream = *stream, mibps = input.warm_throughput_mibps]()
                 -> aws::Outcome<api::UpdateStreamWarmThroughputOutput> {
               auto done = registry_.SetWarmThroughput(*stream, mibps);
               if (!done) return aws::FailCall(ToError(done.error(), ContextOf(stream->key())));
               api::UpdateStreamWarmThroughputOutput output;
               output.stream_arn = StreamArn(stream->key());
               output.stream_name = stream->key().name;
               output.warm_throughput = WarmThroughput(*stream->state());
               return output;
             });
}

void KinesisService::UpdateMaxRecordSize(const aws::Call& call, api::UpdateMaxRecordSizeInput input,
                                         aws::Reply<api::UpdateMaxRecordSizeOutput> reply) {
  auto stream = FindStream(call, std::nullopt, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  RunControl(call, std::move(reply), [this, stream = *stream, kib = input.max_record_size_in_kib] {
    return Done<api::UpdateMaxRecordSizeOutput>(
        registry_.SetRecordBytesMax(*stream, int64_t{kib} << 10), stream->key());
  });
}

namespace {

aws::Outcome<api::EnhancedMonitoringOutput> ChangeMonitoring(streams::StreamRegistry& registry,
                                                             const StreamPtr& stream,
                                                             ShardMetricSet add,
                                                             ShardMetricSet remove) {
  auto change = registry.SetShardMetrics(*stream, add, remove);
  if (!change) return aws::FailCall(ToError(change.error(), ContextOf(stream->key())));
  api::EnhancedMonitoringOutput output;
  output.stream_name = stream->key().name;
  output.stream_arn = StreamArn(stream->key());
  output.current_shard_level_metrics = MetricNames(change->before);
  output.desired_shard_level_metrics = MetricNames(change->after);
  return output;
}

}  // namespace

void KinesisService::EnableEnhancedMonitoring(
    const aws::Call& call, api::EnableEnhancedMonitoringInput input,
    aws::Reply<api::EnableEnhancedMonitoringOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  RunControl(call, std::move(reply),
             [this, stream = *stream, set = MetricSet(input.shard_level_metrics)] {
               return ChangeMonitoring(registry_, stream, set, 0);
             });
}

void KinesisService::DisableEnhancedMonitoring(
    const aws::Call& call, api::DisableEnhancedMonitoringInput input,
    aws::Reply<api::DisableEnhancedMonitoringOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  RunControl(call, std::move(reply),
             [this, stream = *stream, set = MetricSet(input.shard_level_metrics)] {
               return ChangeMonitoring(registry_, stream, 0, set);
             });
}

void KinesisService::StartStreamEncryption(const aws::Call& call,
                                           api::StartStreamEncryptionInput input,
                                           aws::Reply<api::StartStreamEncryptionOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  if (input.encryption_type != "KMS") {
    return std::move(reply).Fail(
        api::InvalidArgumentException("EncryptionType must be KMS to start encryption."));
  }
  RunControl(call, std::move(reply), [this, stream = *stream, key = input.key_id] {
    return Done<api::StartStreamEncryptionOutput>(registry_.StartEncryption(*stream, key),
                                                  stream->key());
  });
}

void KinesisService::StopStreamEncryption(const aws::Call& call,
                                          api::StopStreamEncryptionInput input,
                                          aws::Reply<api::StopStreamEncryptionOutput> reply) {
  auto stream = FindStream(call, input.stream_name, input.stream_arn, input.stream_id);
  if (!stream) return std::move(reply).Fail(stream.error());
  RunControl(call, std::move(reply), [this, stream = *stream] {
    return Done<api::StopStreamEncryptionOutput>(registry_.StopEncryption(*stream), stream->key());
  });
}

void KinesisService::DescribeLimits(const aws::Call& call, api::DescribeLimitsInput,
                                    aws::Reply<api::DescribeLimitsOutput> reply) {
  if (!Admit(call, reply)) return;
  auto usage = registry_.UsageOf(call.account, call.region);
  const streams::Limits& limits = registry_.limits();
  api::DescribeLimitsOutput output;
  output.shard_limit = static_cast<int32_t>(limits.shards_max);
  output.open_shard_count = static_cast<int32_t>(usage.open_shards);
  output.on_demand_stream_count = static_cast<int32_t>(usage.on_demand_streams);
  output.on_demand_stream_count_limit = static_cast<int32_t>(limits.on_demand_streams_max);
  std::move(reply).Send(output);
}

void KinesisService::DescribeAccountSettings(const aws::Call& call,
                                             api::DescribeAccountSettingsInput,
                                             aws::Reply<api::DescribeAccountSettingsOutput> reply) {
  if (!Admit(call, reply)) return;
  api::DescribeAccountSettingsOutput output;
  output.minimum_throughput_billing_commitment =
      Commitment(registry_.Settings(call.account, call.region));
  std::move(reply).Send(output);
}

void KinesisService::UpdateAccountSettings(const aws::Call& call,
                                           api::UpdateAccountSettingsInput input,
                                           aws::Reply<api::UpdateAccountSettingsOutput> reply) {
  bool enable = input.minimum_throughput_billing_commitment.status == "ENABLED";
  RunControl(call, std::move(reply),
             [this, enable, key = streams::StreamKey{call.account, call.region, ""}]()
                 -> aws::Outcome<api::UpdateAccountSettingsOutput> {
               auto done = registry_.SetBillingCommitment(key.account, key.region, enable);
               if (!done) return aws::FailCall(ToError(done.error(), ContextOf(key)));
               api::UpdateAccountSettingsOutput output;
               output.minimum_throughput_billing_commitment = Commitment(*done);
               return output;
             });
}

}  // namespace millstream::services::kinesis
