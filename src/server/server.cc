#include "server/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/logging.h"
#include "server/config_load.h"
#include "server/configured_applications.h"
#include "server/metrics_text.h"

namespace millstream::server {
namespace {

using base::Code;
using base::Fail;
using base::Result;
using base::Status;

Result<std::shared_ptr<const aws::CredentialSet>> MakeCredentials(const Config& config) {
  if (config.access_keys.empty()) return aws::CredentialSet::Open();
  std::vector<aws::AccessKey> keys;
  for (const AccessKeyConfig& from : config.access_keys) {
    aws::AccessKey key;
    key.access_key_id = from.id;
    key.secret = from.secret;
    key.session_token = from.session_token;
    key.account_id = from.account;
    key.principal_arn = from.principal;
    key.enabled = from.enabled;
    for (const std::string& policy : from.policies) {
      ASSIGN_OR_RETURN(auto document,
                       aws::PolicyDocument::Parse(policy, aws::PolicyKind::kIdentity));
      key.policies.push_back(std::move(document));
    }
    keys.push_back(std::move(key));
  }
  return aws::CredentialSet::Create(std::move(keys));
}

std::vector<aws::FaultRule> MakeFaultRules(const Config& config) {
  std::vector<aws::FaultRule> rules;
  for (const FaultConfig& from : config.faults) {
    rules.push_back({.service = from.service,
                     .operation = from.operation,
                     .probability = from.probability,
                     .times = from.times,
                     .delay_ms = from.delay_ms,
                     .error_code = from.error,
                     .error_message = from.message});
  }
  return rules;
}

streams::StreamKey AuditStreamKey(const Config& config) {
  return {config.default_account, config.default_region, config.audit.stream};
}

}  // namespace

Server::Server(Config config, base::Clock& clock, base::Random& random)
    : config_(std::move(config)),
      clock_(clock),
      random_(random),
      fault_random_(static_cast<uint64_t>(config_.fault_seed)),
      faults_(fault_random_) {}

Server::~Server() { Stop(); }

Result<std::unique_ptr<Server>> Server::Start(const Config& config, base::FileSystem& files,
                                              base::Clock& clock, base::Random& random,
                                              int64_t began_ns) {
  std::unique_ptr<Server> server(new Server(config, clock, random));
  TRY(server->OpenStorage(files));
  TRY(server->CreateStreams());
  TRY(server->OpenApplications(files));
  TRY(server->OpenDoor());
  TRY(server->StartLoops());
  server->startup_ns_ = clock.MonotonicNs() - began_ns;
  server->serving_ = true;
  return server;
}

Status Server::OpenStorage(base::FileSystem& files) {
  ASSIGN_OR_RETURN(auto directory, DataDirectory::Open(files, config_.data_directory));
  directory_ = std::make_unique<DataDirectory>(std::move(directory));
  TRY(OpenKeyRing(files));

  log::StoreOptions options;
  options.directory = directory_->log_directory();
  options.durability = config_.durability();
  options.interval_ms = config_.log.interval_ms;
  options.tail_cache_bytes_max = static_cast<uint64_t>(config_.log.cache_bytes);
  options.append_queue_bytes_max = static_cast<uint64_t>(config_.log.queue_bytes);
  options.segment_bytes_max = static_cast<uint64_t>(config_.log.segment_bytes);
  options.wal_file_bytes = static_cast<uint64_t>(config_.log.wal_file_bytes);
  options.reader_threads = static_cast<int>(config_.log.reader_threads);
  ASSIGN_OR_RETURN(log_, log::Store::Open(files, clock_, options));
  const log::RecoveryReport& recovery = log_->recovery();
  LOG_INFO("log opened", {"logs", recovery.logs}, {"replayed_batches", recovery.batches_replayed},
           {"torn_bytes", recovery.torn_bytes_dropped}, {"ms", recovery.duration_ms});

  ASSIGN_OR_RETURN(catalog_, catalog::Store::Open(directory_->catalog_file()));
  jobs_ = std::make_unique<base::JobPool>(base::JobPool::Options{});
  tasks_ = std::make_unique<base::TaskExecutor>(clock_, base::TaskExecutor::Options{.threads = 2});

  streams::RegistryOptions registry;
  registry.limits = config_.limits;
  registry.times = config_.transitions;
  registry.on_demand = config_.on_demand;
  ASSIGN_OR_RETURN(registry_, streams::StreamRegistry::Open({.catalog = catalog_.get(),
                                                             .log = log_.get(),
                                                             .clock = &clock_,
                                                             .random = &random_,
                                                             .key_ring = key_ring_.get()},
                                                            registry));
  registry_->StartTask(*tasks_);
  return {};
}

Status Server::OpenKeyRing(base::FileSystem& files) {
  if (config_.key_ring_file.empty()) {
    LOG_WARN("no key ring: streams cannot be encrypted", {"remedy", "set encryption.key_ring"});
    return {};
  }
  std::string folder = std::filesystem::path(config_.key_ring_file).parent_path().string();
  if (!folder.empty()) TRY(files.CreateDirectories(folder));
  auto ring = streams::KeyRing::Open(files, random_, config_.key_ring_file);
  if (!ring) return Fail(ring.error().Within("encryption.key_ring"));
  key_ring_ = std::make_unique<streams::KeyRing>(std::move(*ring));
  return {};
}

Status Server::CreateStreams() {
  auto create = [this](const streams::StreamKey& key, const streams::CreateOptions& options,
                       std::string_view where) -> Status {
    if (registry_->Find(key) != nullptr) return {};
    auto created = registry_->Create(key, options);
    if (created || created.error().reason == streams::Refusal::kStreamExists) return {};
    return Fail(Code::kFailedPrecondition, fmt::format("{}: creating stream {}: {}", where,
                                                       key.name, created.error().message));
  };
  for (const StreamConfig& stream : config_.streams) {
    streams::StreamKey key{stream.account, stream.region, stream.name};
    streams::CreateOptions options;
    if (stream.mode == "on-demand") {
      options.mode = streams::StreamMode::kOnDemand;
      options.shards = config_.on_demand.shards_initial;
    } else {
      options.shards = static_cast<uint32_t>(stream.shards);
    }
    options.tags = stream.tags;
    options.retention_ms = stream.retention_hours * 3'600'000;
    TRY(create(key, options, stream.where));
  }
  if (!config_.audit.enabled) return {};
  return create(
      AuditStreamKey(config_),
      {.shards = static_cast<uint32_t>(config_.audit.shards), .tags = {{"millstream", "audit"}}},
      "audit");
}

Status Server::OpenApplications(base::FileSystem& files) {
  analytics::RunnerEnvironment environment{.registry = registry_.get(),
                                           .log = log_.get(),
                                           .files = &files,
                                           .clock = &clock_,
                                           .random = &random_,
                                           .executor = nullptr,
                                           .jobs = nullptr};
  analytics::ApplicationsOptions options;
  options.directory = directory_->analytics_directory();
  options.threads = static_cast<int>(config_.analytics.threads);
  options.applications_max = static_cast<std::size_t>(config_.analytics.applications_max);
  options.runner.buckets_directory = config_.analytics.buckets_directory;
  options.runner.state_bytes_max = static_cast<std::size_t>(config_.analytics.state_bytes_max);
  options.runner.checkpoint_interval_ms = config_.analytics.checkpoint_interval_ms;
  ASSIGN_OR_RETURN(applications_,
                   analytics::Applications::Open(*catalog_, environment, options));
  analytics_v1_ = std::make_unique<services::kinesisanalytics::ServiceV1>(
      *applications_, *registry_, config_.analytics.buckets_directory);
  analytics_v2_ = std::make_unique<services::kinesisanalytics::ServiceV2>(
      *applications_, *registry_, config_.analytics.buckets_directory);
  applications_->StartAll();
  return StartConfiguredApplications(config_, *applications_);
}

Status Server::OpenDoor() {
  ASSIGN_OR_RETURN(auto credentials, MakeCredentials(config_));
  credentials_.Replace(std::move(credentials));
  TRY(faults_.SetRules(MakeFaultRules(config_)));

  own_paths_ = std::make_unique<OwnPaths>(*jobs_, faults_);
  own_paths_->SetReadiness([this] { return WhyNotReady(); });
  own_paths_->SetMetrics([this, started_ms = clock_.WallMs()] {
    return WriteMetricsText({.http = http_.get(),
                             .front_door = front_door_.get(),
                             .log = log_.get(),
                             .streams = registry_.get(),
                             .audit = audit_.get(),
                             .applications = applications_.get(),
                             .started_ms = started_ms,
                             .startup_ns = startup_ns_});
  });

  kinesis_ = std::make_unique<services::kinesis::KinesisService>(*registry_, *jobs_,
                                                                config_.log.page_bytes);
  aws::FrontDoorOptions options;
  options.default_region = config_.default_region;
  options.default_account = config_.default_account;
  front_door_ =
      std::make_unique<aws::FrontDoor>(clock_, random_, credentials_, *own_paths_, options);
  TRY(front_door_->Register(*kinesis_));
  TRY(front_door_->Register(*analytics_v1_));
  TRY(front_door_->Register(*analytics_v2_));
  front_door_->SetFaultPlan(&faults_);

  if (!config_.audit.enabled) return {};
  audit_ = std::make_unique<AuditTrail>(
      *registry_, clock_, random_,
      AuditTrail::Options{
          .stream = AuditStreamKey(config_),
          .level =
              config_.audit.level == "all" ? aws::AuditLevel::kAll : aws::AuditLevel::kManagement,
          .queue_events_max = static_cast<std::size_t>(config_.audit.queue_events)});
  audit_->Start(*tasks_);
  front_door_->SetAuditSink(audit_.get());
  return {};
}

Status Server::StartLoops() {
  std::size_t count = config_.listen.loops > 0 ? static_cast<std::size_t>(config_.listen.loops)
                                               : std::max(1u, std::thread::hardware_concurrency());
  std::vector<net::Loop*> loops;
  for (std::size_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(auto loop, net::Loop::Create(clock_, {.name = "loop"}));
    loop->AddTurnEndHook([log = log_.get()] { log->FlushInline(); });
    loops.push_back(loop.get());
    loops_.push_back({std::move(loop), {}});
  }
  for (LoopThread& entry : loops_) {
    entry.thread = std::thread([loop = entry.loop.get()] { loop->Run(); });
  }

  http::ServerOptions options;
  options.address = config_.listen.address;
  options.port = static_cast<uint16_t>(config_.listen.port);
  options.connections_max = static_cast<std::size_t>(config_.listen.connections_max);
  options.body_bytes_max = static_cast<std::size_t>(config_.listen.body_bytes_max);
  options.idle_timeout_ms = config_.listen.idle_timeout_ms;
  options.tls_certificate_file = config_.tls.certificate;
  options.tls_key_file = config_.tls.key;
  auto started = http::Server::Start(loops, clock_, *front_door_, options);
  if (!started) {
    return Fail(started.error().Within(
        fmt::format("listening on {}:{}", config_.listen.address, config_.listen.port)));
  }
  http_ = std::move(*started);
  return {};
}

std::string Server::WhyNotReady() const {
  if (!serving_) return "starting or stopping";
  if (log_->metrics().sealed.value() != 0) {
    return "the log was sealed after a failed write or sync; see the log lines, then restart";
  }
  return "";
}

Status Server::Reload(const Config& config) {
  ASSIGN_OR_RETURN(auto credentials, MakeCredentials(config));
  if (credentials->open() && !IsLoopback(config_.listen.address)) {
    return Fail(Code::kInvalidArgument, "without access keys everybody would be let in");
  }
  TRY(faults_.SetRules(MakeFaultRules(config)));
  credentials_.Replace(std::move(credentials));
  return {};
}

void Server::Stop() {
  if (std::exchange(stopped_, true)) return;
  serving_ = false;
  // Subscriptions have no end of their own, so they end first; then requests under way finish.
  if (kinesis_ != nullptr) kinesis_->subscriptions().Stop();
  if (http_ != nullptr) http_->Stop(config_.shutdown_grace_ms);
  if (audit_ != nullptr) audit_->Stop();
  if (analytics_v1_ != nullptr) analytics_v1_->Stop();
  if (analytics_v2_ != nullptr) analytics_v2_->Stop();
  if (applications_ != nullptr) applications_->Stop();
  if (registry_ != nullptr) registry_->Stop();
  if (jobs_ != nullptr) jobs_->Stop();
  if (log_ != nullptr) log_->Stop();
  if (tasks_ != nullptr) tasks_->Stop();
  for (LoopThread& entry : loops_) {
    if (entry.loop != nullptr) entry.loop->Stop();
    if (entry.thread.joinable()) entry.thread.join();
  }
}

}  // namespace millstream::server
