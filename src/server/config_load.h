#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "server/config.h"

namespace millstream::server {

// One thing that is wrong with the configuration. Where: "millstream.toml:12:3", "environment",
// "command line".
struct ConfigProblem {
  std::string where;
  std::string key;
  std::string what;
  std::string remedy;

  // "millstream.toml:12:3: listen.prot: unknown key (did you mean listen.port?)"
  std::string text() const;
};
using ConfigProblems = std::vector<ConfigProblem>;

// What a process was started with. Later members win over earlier ones, and all over the defaults.
struct ConfigSources {
  std::string file;  // empty: none
  // Variables that begin with MILLSTREAM_. MILLSTREAM_STREAMS is "name:shards,...",
  // MILLSTREAM_ACCESS_KEYS "id:secret,...".
  std::vector<std::pair<std::string, std::string>> environment;
  struct Setting {
    std::string shown;  // as the user wrote it: "--port"
    std::string key;    // "listen.port"
    std::string value;
  };
  std::vector<Setting> settings;
  std::vector<std::string> streams;      // --stream name:shards
  std::vector<std::string> access_keys;  // --access-key id:secret
};

struct LoadedConfig {
  Config config;
  std::map<std::string, std::string, std::less<>> origins;  // key -> place; absent: the default
};

// Reads and checks everything, and reports all problems, not only the first.
tl::expected<LoadedConfig, ConfigProblems> LoadConfig(base::FileSystem& files,
                                                      const ConfigSources& sources);

// The configuration as a TOML file that would reproduce it, with where each value came from.
// Secrets are left out.
std::string PrintConfig(const LoadedConfig& loaded);

// The variables of this process that LoadConfig() wants.
std::vector<std::pair<std::string, std::string>> MillstreamEnvironment();

// True for addresses that only this machine can reach.
bool IsLoopback(std::string_view address);

// $XDG_STATE_HOME/millstream/key-ring or ~/.local/state/millstream/key-ring; empty without a home.
std::string DefaultKeyRingFile();

}  // namespace millstream::server
