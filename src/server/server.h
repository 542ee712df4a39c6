#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "analytics/applications.h"
#include "aws/credentials.h"
#include "aws/fault_plan.h"
#include "aws/front_door.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/file_system.h"
#include "base/random.h"
#include "base/result.h"
#include "catalog/store.h"
#include "http/server.h"
#include "log/store.h"
#include "net/loop.h"
#include "server/audit_trail.h"
#include "server/config.h"
#include "server/data_directory.h"
#include "server/own_paths.h"
#include "services/kinesis/service.h"
#include "services/kinesisanalytics/service_v1.h"
#include "services/kinesisanalytics/service_v2.h"
#include "streams/key_ring.h"
#include "streams/registry.h"

namespace millstream::server {

// The whole of Millstream in one process: opens what the configuration names, wires it, and serves
// until Stop(). Start, Reload and Stop from one thread.
class Server {
 public:
  // `began_ns` is the monotonic time at which the process began, for the start-up figure.
  static base::Result<std::unique_ptr<Server>> Start(const Config& config, base::FileSystem& files,
                                                     base::Clock& clock, base::Random& random,
                                                     int64_t began_ns);
  ~Server();

  uint16_t port() const { return http_->port(); }
  int64_t startup_ns() const { return startup_ns_; }
  std::size_t loops() const { return loops_.size(); }
  std::size_t streams() const { return registry_->ListAll().size(); }
  bool encryption() const { return key_ring_ != nullptr; }

  // Takes access keys and fault rules from a newer configuration; the rest needs a restart.
  base::Status Reload(const Config& config);

  // Stops accepting, lets requests under way finish within the configured grace, makes everything
  // accepted durable. Idempotent.
  void Stop();

 private:
  Server(Config config, base::Clock& clock, base::Random& random);

  base::Status OpenStorage(base::FileSystem& files);
  base::Status OpenKeyRing(base::FileSystem& files);
  base::Status CreateStreams();
  base::Status OpenApplications(base::FileSystem& files);
  base::Status OpenDoor();
  base::Status StartLoops();
  std::string WhyNotReady() const;

  struct LoopThread {
    std::unique_ptr<net::Loop> loop;
    std::thread thread;
  };

  const Config config_;
  base::Clock& clock_;
  base::Random& random_;
  base::SeededRandom fault_random_;
  int64_t startup_ns_ = 0;
  std::atomic<bool> serving_{false};
  bool stopped_ = false;

  // In the order of their making; Stop() takes them down in its own.
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<streams::KeyRing> key_ring_;
  std::unique_ptr<log::Store> log_;
  std::unique_ptr<catalog::Store> catalog_;
  std::unique_ptr<base::JobPool> jobs_;
  std::unique_ptr<base::TaskExecutor> tasks_;
  std::unique_ptr<streams::StreamRegistry> registry_;
  std::unique_ptr<services::kinesis::KinesisService> kinesis_;
  std::unique_ptr<analytics::Applications> applications_;
  std::unique_ptr<services::kinesisanalytics::ServiceV1> analytics_v1_;
  std::unique_ptr<services::kinesisanalytics::ServiceV2> analytics_v2_;
  aws::CredentialStore credentials_;
  aws::RuleFaultPlan faults_;
  std::unique_ptr<AuditTrail> audit_;
  std::unique_ptr<OwnPaths> own_paths_;
  std::unique_ptr<aws::FrontDoor> front_door_;
  std::vector<LoopThread> loops_;
  std::unique_ptr<http::Server> http_;
};

}  // namespace millstream::server
