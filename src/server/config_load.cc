#include "server/config_load.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <set>

#include "aws/arn.h"
#include "aws/policy.h"
#include "server/config_file.h"
#include "server/config_options.h"

extern char** environ;

namespace millstream::server {
namespace {

constexpr std::string_view kStreamsVariable = "MILLSTREAM_STREAMS";
constexpr std::string_view kAccessKeysVariable = "MILLSTREAM_ACCESS_KEYS";
constexpr std::string_view kConfigVariable = "MILLSTREAM_CONFIG";

std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    auto comma = text.find(',');
    if (comma != 0) parts.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return parts;
}

bool IsName(std::string_view name, std::size_t max) {
  return !name.empty() && name.size() <= max && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
}

// us-east-1, us-gov-west-1
bool IsRegion(std::string_view region) {
  bool letters = !region.empty() && std::all_of(region.begin(), region.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  return letters && region.size() <= 32 && std::count(region.begin(), region.end(), '-') >= 2 &&
         region.back() >= '0' && region.back() <= '9';
}

class Loader {
 public:
  Loader(base::FileSystem& files, const ConfigSources& sources)
      : files_(files), sources_(sources) {}

  tl::expected<LoadedConfig, ConfigProblems> Load() {
    std::string file = sources_.file;
    for (const auto& [name, value] : sources_.environment) {
      if (name == kConfigVariable && file.empty()) file = value;
    }
    if (!file.empty()) ApplyConfigFile(files_, file, loaded_, problems_);
    ApplyEnvironment();
    ApplySettings();
    if (problems_.empty()) Check();
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    return std::move(loaded_);
  }

 private:
  Config& config() { return loaded_.config; }

  // Where a key was set, for problems that show only when everything is known.
  std::string OriginOf(std::string_view key) const {
    auto at = loaded_.origins.find(key);
    return at == loaded_.origins.end() ? "default" : at->second;
  }
  void Complain(std::string where, std::string key, std::string what, std::string remedy) {
    problems_.push_back({std::move(where), std::move(key), std::move(what), std::move(remedy)});
  }

  void ApplyEnvironment() {
    std::vector<Option> options = OptionsOf(config());
    for (const auto& [name, value] : sources_.environment) {
      std::string where = "environment";
      if (name == kConfigVariable) continue;
      if (name == kStreamsVariable) {
        for (const std::string& item : SplitList(value)) AddStream(item, name);
        continue;
      }
      if (name == kAccessKeysVariable) {
        for (const std::string& item : SplitList(value)) AddAccessKey(item, name);
        continue;
      }
      auto option = std::find_if(options.begin(), options.end(),
                                 [&](const Option& o) { return o.environment_name() == name; });
      if (option == options.end()) {
        std::vector<std::string> names;
        for (const Option& o : options) names.push_back(o.environment_name());
        std::vector<std::string_view> candidates(names.begin(), names.end());
        candidates.insert(candidates.end(),
                          {kStreamsVariable, kAccessKeysVariable, kConfigVariable});
        std::string_view near = DidYouMean(name, candidates);
        Complain(where, name, "unknown variable",
                 near.empty() ? "unset it; `millstream config` prints every key"
                              : fmt::format("did you mean {}?", near));
        continue;
      }
      if (auto set = SetFromText(*option, value); !set) {
        Complain(where, name, set.error().message(), std::string(option->remedy));
      } else {
        loaded_.origins[std::string(option->key)] = fmt::format("environment {}", name);
      }
    }
  }

  void ApplySettings() {
    std::vector<Option> options = OptionsOf(config());
    for (const auto& setting : sources_.settings) {
      auto option = std::find_if(options.begin(), options.end(),
                                 [&](const Option& o) { return o.key == setting.key; });
      if (option == options.end()) {
        std::vector<std::string_view> candidates;
        for (const Option& o : options) candidates.push_back(o.key);
        std::string_view near = DidYouMean(setting.key, candidates);
        Complain("command line", setting.key, "unknown key",
                 near.empty() ? "`millstream config` prints every key"
                              : fmt::format("did you mean {}?", near));
        continue;
      }
      if (auto set = SetFromText(*option, setting.value); !set) {
        Complain("command line", setting.shown, set.error().message(), std::string(option->remedy));
      } else {
        loaded_.origins[std::string(option->key)] = fmt::format("command line {}", setting.shown);
      }
    }
    for (const std::string& item : sources_.streams) AddStream(item, "--stream");
    for (const std::string& item : sources_.access_keys) AddAccessKey(item, "--access-key");
  }

  // "name", "name:shards" or "name:on-demand"
  void AddStream(std::string_view text, std::string_view shown) {
    StreamConfig stream;
    stream.where = std::string(shown);
    auto colon = text.find(':');
    stream.name = std::string(text.substr(0, colon));
    if (colon != std::string_view::npos) {
      std::string_view shards = text.substr(colon + 1);
      auto [end, error] =
          std::from_chars(shards.data(), shards.data() + shards.size(), stream.shards);
      if (shards == "on-demand") {
        stream.mode = "on-demand";
      } else if (error != std::errc() || end != shards.data() + shards.size() ||
                 stream.shards < 1 || stream.shards > 10'000) {
        return Complain(std::string(shown), std::string(text),
                        "expected name:shards with 1 to 10000 shards",
                        "write for example orders:4 or orders:on-demand");
      }
    }
    config().streams.push_back(std::move(stream));
  }

  void AddAccessKey(std::string_view text, std::string_view shown) {
    auto colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) {
      // The text is not repeated: it may be a secret.
      return Complain(std::string(shown), "", "expected id:secret",
                      "write for example AKIDEXAMPLE:secret");
    }
    AccessKeyConfig key;
    key.id = std::string(text.substr(0, colon));
    key.secret = std::string(text.substr(colon + 1));
    key.where = std::string(shown);
    config().access_keys.push_back(std::move(key));
  }

  void Check() {
    CheckListen();
    CheckLimits();
    if (!aws::IsAccountId(config().default_account)) {
      Complain(OriginOf("defaults.account"), "defaults.account",
               fmt::format("\"{}\" is no account", config().default_account),
               "write twelve digits");
    }
    if (!IsRegion(config().default_region)) {
      Complain(OriginOf("defaults.region"), "defaults.region",
               fmt::format("\"{}\" is no region", config().default_region),
               "write for example us-east-1");
    }
    if (config().data_directory.empty()) {
      Complain(OriginOf("data_directory"), "data_directory", "empty", "name a folder");
    }
    if (config().key_ring_file.empty()) config().key_ring_file = DefaultKeyRingFile();
    CheckStreams();
    CheckAccessKeys();
  }

  void CheckListen() {
    std::string& address = config().listen.address;
    in6_addr any;
    if (address == "localhost") address = "127.0.0.1";
    if (inet_pton(AF_INET, address.c_str(), &any) != 1 &&
        inet_pton(AF_INET6, address.c_str(), &any) != 1) {
      Complain(OriginOf("listen.address"), "listen.address",
               fmt::format("\"{}\" is no IP address", address), "write for example 127.0.0.1");
    } else if (!IsLoopback(address) && config().access_keys.empty()) {
      Complain(
          OriginOf("listen.address"), "listen.address",
          fmt::format("{} can be reached from other machines, and without access keys everybody "
                      "would be let in",
                      address),
          "configure at least one [[access_key]], or listen on 127.0.0.1");
    }
    if (config().tls.certificate.empty() != config().tls.key.empty()) {
      std::string_view has = config().tls.key.empty() ? "tls.certificate" : "tls.key";
      Complain(OriginOf(has), std::string(has), "certificate and key are needed together",
               "`millstream certificate` makes both");
    }
    for (auto [key, path] :
         {std::pair<std::string_view, std::string>{"tls.certificate", config().tls.certificate},
          {"tls.key", config().tls.key}}) {
      if (path.empty()) continue;
      if (auto text = files_.ReadFile(path); !text) {
        Complain(OriginOf(key), std::string(key), text.error().message(),
                 "name a file that the server can read; `millstream certificate` makes one");
      }
    }
  }

  void CheckLimits() {
    config().limits.enforced = config().limits_mode != "off";
    if (config().limits_mode == "custom") return;
    for (const auto& [key, origin] : loaded_.origins) {
      if (key.starts_with("limits.") && key != "limits.mode") {
        Complain(origin, key,
                 fmt::format("has no effect with limits.mode = \"{}\"", config().limits_mode),
                 "write limits.mode = \"custom\" or remove it");
      }
    }
  }

  void CheckStreams() {
    std::set<std::string> seen;
    if (config().audit.enabled && !IsName(config().audit.stream, 128)) {
      Complain(OriginOf("audit.stream"), "audit.stream",
               fmt::format("\"{}\" is no stream name", config().audit.stream),
               "use 1 to 128 letters, digits, '_', '-' and '.'");
    }
    for (StreamConfig& stream : config().streams) {
      if (stream.account.empty()) stream.account = config().default_account;
      if (stream.region.empty()) stream.region = config().default_region;
      if (!IsName(stream.name, 128)) {
        Complain(stream.where, "stream.name", fmt::format("\"{}\" is no stream name", stream.name),
                 "use 1 to 128 letters, digits, '_', '-' and '.'");
      }
      if (!aws::IsAccountId(stream.account)) {
        Complain(stream.where, "stream.account",
                 fmt::format("\"{}\" is no account", stream.account), "write twelve digits");
      }
      if (!IsRegion(stream.region)) {
        Complain(stream.where, "stream.region", fmt::format("\"{}\" is no region", stream.region),
                 "write for example us-east-1");
      }
      if (!seen.insert(stream.account + "/" + stream.region + "/" + stream.name).second) {
        Complain(stream.where, "stream.name", fmt::format("\"{}\" is there twice", stream.name),
                 "remove one of them");
      }
    }
  }

  void CheckAccessKeys() {
    std::set<std::string> seen;
    for (AccessKeyConfig& key : config().access_keys) {
      if (key.account.empty()) key.account = config().default_account;
      if (!aws::IsAccountId(key.account)) {
        Complain(key.where, "access_key.account", fmt::format("\"{}\" is no account", key.account),
                 "write twelve digits");
      }
      if (key.id.empty() || key.secret.empty()) {
        Complain(key.where, "access_key", "id and secret must not be empty", "");
      }
      if (!seen.insert(key.id).second) {
        Complain(key.where, "access_key.id", fmt::format("\"{}\" is there twice", key.id),
                 "remove one of them");
      }
      for (const std::string& policy : key.policies) {
        auto parsed = aws::PolicyDocument::Parse(policy, aws::PolicyKind::kIdentity);
        if (!parsed)
          Complain(key.where, "access_key.policy", parsed.error().message(),
                   "mend the policy document");
      }
    }
  }

  base::FileSystem& files_;
  const ConfigSources& sources_;
  LoadedConfig loaded_;
  ConfigProblems problems_;
};

}  // namespace

std::string ConfigProblem::text() const {
  std::string out = where;
  if (!key.empty()) out += (out.empty() ? "" : ": ") + key;
  out += (out.empty() ? "" : ": ") + what;
  if (!remedy.empty()) out += fmt::format(" ({})", remedy);
  return out;
}

tl::expected<LoadedConfig, ConfigProblems> LoadConfig(base::FileSystem& files,
                                                      const ConfigSources& sources) {
  return Loader(files, sources).Load();
}

std::vector<std::pair<std::string, std::string>> MillstreamEnvironment() {
  std::vector<std::pair<std::string, std::string>> variables;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    std::string_view text = *variable;
    auto equals = text.find('=');
    if (!text.starts_with("MILLSTREAM_") || equals == std::string_view::npos) continue;
    variables.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

bool IsLoopback(std::string_view address) {
  std::string text(address);
  in_addr four;
  if (inet_pton(AF_INET, text.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
  in6_addr six;
  return inet_pton(AF_INET6, text.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

std::string DefaultKeyRingFile() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && state[0] == '/') return fmt::format("{}/millstream/key-ring", state);
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/')
    return fmt::format("{}/.local/state/millstream/key-ring", home);
  return "";
}

}  // namespace millstream::server
