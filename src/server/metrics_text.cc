#include "server/metrics_text.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <vector>

#include "base/bytes.h"
#include "base/metrics.h"
#include "http/metrics.h"
#include "streams/stream.h"

namespace millstream::server {
namespace {

using base::MetricsPage;

// Writes families that have one sample.
class Singles {
 public:
  explicit Singles(MetricsPage& page) : page_(page) {}
  void Count(std::string_view name, std::string_view help, const base::Counter& value) {
    Write(name, help, "counter", static_cast<double>(value.value()));
  }
  void Level(std::string_view name, std::string_view help, const base::Gauge& value) {
    Write(name, help, "gauge", static_cast<double>(value.value()));
  }
  void Durations(std::string_view name, std::string_view help,
                 const base::DurationHistogram& values) {
    page_.Family(name, help, "histogram");
    page_.Histogram(name, "", values);
  }
  void Write(std::string_view name, std::string_view help, std::string_view type, double value) {
    page_.Family(name, help, type);
    page_.Sample(name, "", value);
  }

 private:
  MetricsPage& page_;
};

std::size_t ResidentBytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long total = 0, resident = 0;
  int got = std::fscanf(file, "%lu %lu", &total, &resident);
  std::fclose(file);
  return got == 2 ? resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

std::size_t OpenFiles() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  std::size_t count = 0;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count > 3 ? count - 3 : 0;  // ".", ".." and the folder itself
}

void WriteProcess(const MetricsSources& sources, MetricsPage& page) {
  Singles out(page);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  out.Write("process_cpu_seconds_total", "CPU time, user and system.", "counter",
            seconds(usage.ru_utime) + seconds(usage.ru_stime));
  out.Write("process_resident_memory_bytes", "Resident memory.", "gauge",
            static_cast<double>(ResidentBytes()));
  out.Write("process_open_fds", "Open file descriptors.", "gauge",
            static_cast<double>(OpenFiles()));
  out.Write("process_start_time_seconds", "Unix time of the start.", "gauge",
            static_cast<double>(sources.started_ms) / 1000);
  out.Write("server_startup_seconds", "From the start of the process to serving.", "gauge",
            static_cast<double>(sources.startup_ns) * 1e-9);
  base::BlockUsage blocks = base::CurrentBlockUsage();
  out.Write("base_blocks_in_use_bytes", "Pooled buffers in use.", "gauge",
            static_cast<double>(blocks.in_use_bytes));
  out.Write("base_blocks_pooled_bytes", "Pooled buffers at rest.", "gauge",
            static_cast<double>(blocks.pooled_bytes));
}

void WriteHttp(const http::Metrics& m, MetricsPage& page) {
  Singles out(page);
  out.Count("http_connections_accepted_total", "Connections accepted.",
            m.connections_accepted_total);
  out.Count("http_connections_refused_total", "Connections closed for being too many.",
            m.connections_refused_total);
  out.Level("http_connections_open", "Connections open.", m.connections_open);
  out.Level("http_buffered_body_bytes", "Bytes of request bodies being received.",
            m.buffered_body_bytes);
  page.Family("http_requests_total", "Requests received, by version.", "counter");
  page.Sample("http_requests_total", "version=\"1\"",
              static_cast<double>(m.requests_http1_total.value()));
  page.Sample("http_requests_total", "version=\"2\"",
              static_cast<double>(m.requests_http2_total.value()));
  out.Count("http_requests_refused_total", "Malformed requests and those above a limit.",
            m.requests_refused_total);
  out.Count("http_responses_total", "Responses.", m.responses_total);
  out.Count("http_responses_5xx_total", "Responses that blame us.", m.responses_5xx_total);
  out.Count("http_received_bytes_total", "Bytes received.", m.received_bytes_total);
  out.Count("http_sent_bytes_total", "Bytes sent.", m.sent_bytes_total);
  out.Count("http_resets_total", "Connections broken and streams reset.", m.resets_total);
  out.Count("http_timeouts_total", "Connections closed for being idle or slow.", m.timeouts_total);
  out.Count("http_tls_handshakes_total", "TLS handshakes.", m.tls_handshakes_total);
  out.Count("http_tls_failures_total", "TLS handshakes that failed.", m.tls_failures_total);
  out.Count("http_unanswered_total", "Requests that a bug left unanswered.", m.unanswered_total);
}

void WriteLog(const log::Store& store, MetricsPage& page) {
  Singles out(page);
  const log::Metrics& m = store.metrics();
  out.Count("log_appended_batches_total", "Batches accepted.", m.appended_batches_total);
  out.Count("log_appended_bytes_total", "Bytes of batches accepted.", m.appended_bytes_total);
  out.Count("log_commits_total", "Group commits.", m.commits_total);
  out.Durations("log_commit_seconds", "One group commit: write and sync.", m.commit_seconds);
  out.Count("log_wal_written_bytes_total", "Bytes written ahead, padding included.",
            m.wal_bytes_written_total);
  out.Count("log_segment_written_bytes_total", "Bytes written to segments.",
            m.segment_bytes_written_total);
  out.Count("log_cache_hits_total", "Reads answered from memory.", m.cache_hits_total);
  out.Count("log_cache_misses_total", "Reads that went to disk.", m.cache_misses_total);
  out.Level("log_cache_bytes", "Recent batches in memory.", m.cache_bytes);
  out.Level("log_append_queue_bytes", "Bytes waiting for the disk.", m.append_queue_bytes);
  out.Count("log_corruptions_total", "Reads that found other bytes than were written.",
            m.corruptions_total);
  out.Level("log_sealed", "1 after a failed write or sync: nothing is accepted any more.",
            m.sealed);
  const log::RecoveryReport& recovery = store.recovery();
  out.Write("log_recovery_seconds", "Recovery at the last start.", "gauge",
            static_cast<double>(recovery.duration_ms) / 1000);
  out.Write("log_recovery_batches", "Batches replayed at the last start.", "gauge",
            static_cast<double>(recovery.batches_replayed));
  out.Write("log_recovery_torn_bytes", "Unacknowledged bytes dropped at the last start.", "gauge",
            static_cast<double>(recovery.torn_bytes_dropped));
}

void WriteAudit(const AuditMetrics& m, MetricsPage& page) {
  Singles out(page);
  out.Count("audit_recorded_total", "Audit events accepted.", m.recorded_total);
  out.Count("audit_written_total", "Audit events in the audit stream.", m.written_total);
  out.Count("audit_dropped_total", "Audit events dropped.", m.dropped_total);
  out.Level("audit_queue_events", "Audit events waiting.", m.queue_events);
}

struct StreamFamily {
  std::string_view name;
  std::string_view help;  // CloudWatch's name first
  base::Counter streams::StreamMetrics::*counter;
};

constexpr StreamFamily kStreamFamilies[] = {
    {"streams_put_record_requests_total", "PutRecord calls.",
     &streams::StreamMetrics::put_record_requests},
    {"streams_put_record_success_total", "PutRecord.Success.",
     &streams::StreamMetrics::put_record_success},
    {"streams_put_record_bytes_total", "PutRecord.Bytes.",
     &streams::StreamMetrics::put_record_bytes},
    {"streams_put_records_requests_total", "PutRecords calls.",
     &streams::StreamMetrics::put_records_requests},
    {"streams_put_records_success_total", "PutRecords.Success.",
     &streams::StreamMetrics::put_records_success},
    {"streams_put_records_records_total", "PutRecords.TotalRecords.",
     &streams::StreamMetrics::put_records_total},
    {"streams_put_records_successful_total", "PutRecords.SuccessfulRecords.",
     &streams::StreamMetrics::put_records_successful},
    {"streams_put_records_failed_total", "PutRecords.FailedRecords.",
     &streams::StreamMetrics::put_records_failed},
    {"streams_put_records_throttled_total", "PutRecords.ThrottledRecords.",
     &streams::StreamMetrics::put_records_throttled},
    {"streams_put_records_bytes_total", "PutRecords.Bytes.",
     &streams::StreamMetrics::put_records_bytes},
    {"streams_get_records_requests_total", "GetRecords calls.",
     &streams::StreamMetrics::get_records_requests},
    {"streams_get_records_success_total", "GetRecords.Success.",
     &streams::StreamMetrics::get_records_success},
    {"streams_get_records_records_total", "GetRecords.Records.",
     &streams::StreamMetrics::get_records_records},
    {"streams_get_records_bytes_total", "GetRecords.Bytes.",
     &streams::StreamMetrics::get_records_bytes},
    {"streams_subscribe_success_total", "SubscribeToShard.Success.",
     &streams::StreamMetrics::subscribe_success},
    {"streams_subscribe_rate_exceeded_total", "SubscribeToShard.RateExceeded.",
     &streams::StreamMetrics::subscribe_rate_exceeded},
    {"streams_subscribe_events_total", "SubscribeToShardEvent.Success.",
     &streams::StreamMetrics::subscribe_events},
    {"streams_subscribe_records_total", "SubscribeToShardEvent.Records.",
     &streams::StreamMetrics::subscribe_records},
    {"streams_subscribe_bytes_total", "SubscribeToShardEvent.Bytes.",
     &streams::StreamMetrics::subscribe_bytes},
};

struct ShardFamily {
  std::string_view name;
  std::string_view help;
  streams::ShardMetric metric;
  base::Counter streams::ShardMetrics::*counter;
};

constexpr ShardFamily kShardFamilies[] = {
    {"streams_shard_incoming_bytes_total", "IncomingBytes.", streams::ShardMetric::kIncomingBytes,
     &streams::ShardMetrics::incoming_bytes},
    {"streams_shard_incoming_records_total", "IncomingRecords.",
     streams::ShardMetric::kIncomingRecords, &streams::ShardMetrics::incoming_records},
    {"streams_shard_outgoing_bytes_total", "OutgoingBytes.", streams::ShardMetric::kOutgoingBytes,
     &streams::ShardMetrics::outgoing_bytes},
    {"streams_shard_outgoing_records_total", "OutgoingRecords.",
     streams::ShardMetric::kOutgoingRecords, &streams::ShardMetrics::outgoing_records},
    {"streams_shard_write_throttled_total", "WriteProvisionedThroughputExceeded.",
     streams::ShardMetric::kWriteProvisionedThroughputExceeded,
     &streams::ShardMetrics::write_throttled},
    {"streams_shard_read_throttled_total", "ReadProvisionedThroughputExceeded.",
     streams::ShardMetric::kReadProvisionedThroughputExceeded,
     &streams::ShardMetrics::read_throttled},
};

bool Enabled(const streams::StreamState& state, streams::ShardMetric metric) {
  return (state.shard_metrics >> static_cast<unsigned>(metric) & 1) != 0;
}

struct ShownStream {
  streams::StreamPtr stream;
  std::shared_ptr<const streams::StreamState> state;
  std::string labels;
};

void WriteShards(const std::vector<ShownStream>& shown, MetricsPage& page) {
  auto each = [&](std::string_view name, streams::ShardMetric metric, auto value) {
    for (const ShownStream& s : shown) {
      if (!Enabled(*s.state, metric)) continue;
      for (const streams::ShardEntry& entry : s.state->shards) {
        page.Sample(name,
                    fmt::format("{},shard=\"shardId-{:012}\"", s.labels, entry.facts.id.index),
                    static_cast<double>(value(entry.shard->metrics())));
      }
    }
  };
  for (const ShardFamily& family : kShardFamilies) {
    page.Family(family.name, family.help, "counter");
    each(family.name, family.metric,
         [&](const streams::ShardMetrics& m) { return (m.*family.counter).value(); });
  }
  constexpr std::string_view kAge = "streams_shard_iterator_age_milliseconds";
  page.Family(kAge, "IteratorAgeMilliseconds.", "gauge");
  each(kAge, streams::ShardMetric::kIteratorAgeMilliseconds,
       [](const streams::ShardMetrics& m) { return m.iterator_age_ms.value(); });
}

void WriteStreams(const streams::StreamRegistry& registry, MetricsPage& page) {
  std::vector<ShownStream> shown;
  for (const streams::StreamPtr& stream : registry.ListAll()) {
    const streams::StreamKey& key = stream->key();
    shown.push_back({stream, stream->state(),
                     fmt::format("account=\"{}\",region=\"{}\",stream=\"{}\"", key.account,
                                 key.region, MetricsPage::EscapeLabel(key.name))});
  }
  for (const StreamFamily& family : kStreamFamilies) {
    page.Family(family.name, family.help, "counter");
    for (const ShownStream& s : shown) {
      const streams::StreamMetrics& metrics = std::as_const(*s.stream).metrics();
      page.Sample(family.name, s.labels, static_cast<double>((metrics.*family.counter).value()));
    }
  }
  auto gauge = [&](std::string_view name, std::string_view help, auto value) {
    page.Family(name, help, "gauge");
    for (const ShownStream& s : shown) page.Sample(name, s.labels, static_cast<double>(value(s)));
  };
  gauge("streams_get_records_iterator_age_milliseconds", "GetRecords.IteratorAgeMilliseconds.",
        [](const ShownStream& s) {
          return std::as_const(*s.stream).metrics().get_records_iterator_age_ms.value();
        });
  gauge("streams_subscribe_behind_milliseconds", "SubscribeToShardEvent.MillisBehindLatest.",
        [](const ShownStream& s) {
          return std::as_const(*s.stream).metrics().subscribe_millis_behind.value();
        });
  gauge("streams_open_shards", "Open shards.",
        [](const ShownStream& s) { return s.state->open_shards(); });
  gauge("streams_consumers", "Registered consumers.",
        [](const ShownStream& s) { return s.state->consumers.size(); });
  WriteShards(shown, page);
}

void WriteApplications(const analytics::Applications& applications, MetricsPage& page) {
  auto list = applications.ListAll();
  std::vector<std::string> labels;
  for (const auto& item : list) {
    const analytics::ApplicationKey& key = item.application->key;
    labels.push_back(fmt::format("account=\"{}\",region=\"{}\",application=\"{}\"", key.account,
                                 key.region, MetricsPage::EscapeLabel(key.name)));
  }
  auto family = [&](std::string_view name, std::string_view help, std::string_view type,
                    auto value) {
    page.Family(name, help, type);
    for (std::size_t i = 0; i < list.size(); ++i) {
      page.Sample(name, labels[i], static_cast<double>(value(list[i])));
    }
  };
  using Item = analytics::Applications::Measured;
  using Metrics = analytics::ApplicationMetrics;
  auto count = [&](std::string_view name, std::string_view help, base::Counter Metrics::*field) {
    family(name, help, "counter", [field](const Item& i) { return ((*i.metrics).*field).value(); });
  };
  auto level = [&](std::string_view name, std::string_view help, base::Gauge Metrics::*field) {
    family(name, help, "gauge", [field](const Item& i) { return ((*i.metrics).*field).value(); });
  };
  family("analytics_running", "1 while the application runs.", "gauge", [](const Item& i) {
    return i.application->status == analytics::ApplicationStatus::kRunning ? 1 : 0;
  });
  count("analytics_records_total", "Records read (Records).", &Metrics::records_total);
  count("analytics_bytes_total", "Their bytes (Bytes).", &Metrics::bytes_total);
  level("analytics_millis_behind_latest", "Age of the oldest unread record (MillisBehindLatest).",
        &Metrics::millis_behind_latest);
  count("analytics_results_total", "Rows for outputs.", &Metrics::results_total);
  count("analytics_results_written_total", "Of these, acknowledged by their streams.",
        &Metrics::results_written_total);
  count("analytics_results_refused_total", "Tries that a stream refused; they are made again.",
        &Metrics::results_refused_total);
  count("analytics_row_errors_total", "Rows of error_stream.", &Metrics::row_errors_total);
  count("analytics_steps_total", "Steps with records or results.", &Metrics::steps_total);
  count("analytics_replayed_steps_total", "Of these, done again after a crash.",
        &Metrics::replayed_steps_total);
  count("analytics_replay_mismatches_total",
        "Results in their streams that a replay did not give again: a bug.",
        &Metrics::replay_mismatches_total);
  count("analytics_checkpoints_total", "Checkpoints written.", &Metrics::checkpoints_total);
  count("analytics_checkpoint_failures_total", "Checkpoints that could not be written.",
        &Metrics::checkpoint_failures_total);
  level("analytics_checkpoint_bytes", "Size of the last checkpoint.", &Metrics::checkpoint_bytes);
  level("analytics_pending_bytes", "Results that wait for their streams.", &Metrics::pending_bytes);
}

}  // namespace

std::string WriteMetricsText(const MetricsSources& sources) {
  MetricsPage page;
  WriteProcess(sources, page);
  if (sources.http != nullptr) WriteHttp(sources.http->metrics(), page);
  if (sources.front_door != nullptr) {
    Singles out(page);
    const aws::FrontDoorMetrics& m = sources.front_door->metrics();
    out.Count("aws_calls_total", "Requests to AWS paths.", m.requests);
    out.Count("aws_refused_total", "Answered before authentication.", m.refused);
    out.Count("aws_unauthenticated_total", "Missing or wrong signatures, unknown keys.",
              m.unauthenticated);
    out.Count("aws_access_denied_total", "Denied by policies.", m.access_denied);
    out.Count("aws_injected_faults_total", "Faults on demand.", m.injected_faults);
    sources.front_door->WriteMetrics(page);
  }
  if (sources.log != nullptr) WriteLog(*sources.log, page);
  if (sources.streams != nullptr) WriteStreams(*sources.streams, page);
  if (sources.applications != nullptr) WriteApplications(*sources.applications, page);
  if (sources.audit != nullptr) WriteAudit(sources.audit->metrics(), page);
  return page.text();
}

}  // namespace millstream::server
