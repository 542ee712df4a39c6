#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "base/logging.h"
#include "server/commands.h"
#include "server/server.h"

namespace millstream::server {
namespace {

base::LogOptions LoggingOptions(const LoggingConfig& config) {
  base::LogOptions options;
  options.level = config.level == "debug"   ? base::LogLevel::kDebug
                  : config.level == "warn"  ? base::LogLevel::kWarn
                  : config.level == "error" ? base::LogLevel::kError
                  : config.level == "off"   ? base::LogLevel::kOff
                                            : base::LogLevel::kInfo;
  options.format = config.format == "json" ? base::LogFormat::kJson : base::LogFormat::kText;
  return options;
}

// Connections, segments and write-ahead files all take descriptors; the default of 1024 is for
// programs that use select().
void RaiseFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

// The signals that the main thread waits for; blocked before any thread starts, so that no thread
// is interrupted by them.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return signals;
}

std::string Host(const std::string& address) {
  if (address == "0.0.0.0" || address == "::") return "localhost";
  return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

void PrintBanner(const Config& config, const Server& server) {
  std::string where = fmt::format("{}:{}", Host(config.listen.address), server.port());
  std::string out =
      fmt::format("Millstream {} serves Amazon Kinesis on http://{}{}\n", MILLSTREAM_VERSION, where,
                  config.tls.certificate.empty() ? "" : fmt::format(" and https://{}", where));
  out += fmt::format("  data        {} ({}), {} streams\n", config.data_directory,
                     config.durability() == log::Durability::kSync
                         ? "an acknowledged record is on disk"
                         : fmt::format("synced every {} ms", config.log.interval_ms),
                     server.streams());
  out += fmt::format("  signatures  {}\n",
                     config.access_keys.empty()
                         ? "not verified: any credentials are accepted on this machine"
                         : fmt::format("verified, {} access keys", config.access_keys.size()));
  out += fmt::format("  limits      {}\n",
                     config.limits_mode == "on" ? "as AWS has them" : config.limits_mode);
  if (config.audit.enabled) out += fmt::format("  audit       stream {}\n", config.audit.stream);
  out += fmt::format("  look        http://{0}/health/ready  http://{0}/metrics\n", where);
  out += fmt::format("  try         AWS_ENDPOINT_URL=http://{} aws kinesis list-streams\n", where);
  Print(out);
}

// The log is sealed for good after a failed sync; whoever supervises the process should know.
int WaitForEnd(const Invocation& invocation, base::FileSystem& files, const sigset_t& signals,
               Server& server) {
  while (true) {
    int signal = 0;
    ::sigwait(&signals, &signal);
    if (signal != SIGHUP) {
      LOG_INFO("stopping", {"signal", ::sigabbrev_np(signal)});
      return signal;
    }
    auto loaded = LoadConfig(files, invocation.config);
    if (!loaded) {
      for (const auto& problem : loaded.error())
        LOG_ERROR("configuration not reloaded", {"problem", problem.text()});
      continue;
    }
    if (auto reloaded = server.Reload(loaded->config); !reloaded) {
      LOG_ERROR("configuration not reloaded", {"problem", reloaded.error().message()});
    } else {
      LOG_INFO("access keys and faults reloaded",
               {"access_keys", loaded->config.access_keys.size()});
    }
  }
}

}  // namespace

int RunServe(const Invocation& invocation, int64_t began_ns) {
  base::RealFileSystem files;
  auto loaded = LoadConfig(files, invocation.config);
  if (!loaded) return Complain(loaded.error());
  const Config& config = loaded->config;
  base::ConfigureLogging(LoggingOptions(config.logging));
  RaiseFileLimit();
  sigset_t signals = BlockSignals();

  base::SystemClock clock;
  base::SystemRandom random;
  auto started = Server::Start(config, files, clock, random, began_ns);
  if (!started) return Complain(started.error());
  Server& server = **started;

  if (!config.listen.port_file.empty()) {
    auto written =
        files.WriteFileAtomically(config.listen.port_file, fmt::format("{}\n", server.port()));
    if (!written) return Complain(written.error().Within("listen.port_file"));
  }
  LOG_INFO("serving", {"address", config.listen.address}, {"port", server.port()},
           {"loops", server.loops()},
           {"startup_ms", static_cast<double>(server.startup_ns() / 10'000) / 100});
  if (config.logging.format == "text" && config.logging.level != "off") PrintBanner(config, server);

  WaitForEnd(invocation, files, signals, server);
  // A second signal ends the process at once: the default action, for whoever is impatient.
  std::thread impatience([signals] {
    int signal = 0;
    ::sigwait(&signals, &signal);
    std::_Exit(128 + signal);
  });
  impatience.detach();
  server.Stop();
  LOG_INFO("stopped");
  return 0;
}

int RunConfig(const Invocation& invocation) {
  base::RealFileSystem files;
  auto loaded = LoadConfig(files, invocation.config);
  if (!loaded) return Complain(loaded.error());
  return Print(PrintConfig(*loaded)) ? 0 : 1;
}

}  // namespace millstream::server
