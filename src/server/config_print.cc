#include <fmt/format.h>

#include "server/config_load.h"
#include "server/config_options.h"

namespace millstream::server {
namespace {

void PrintOptions(const LoadedConfig& loaded, Config& config, std::string& out) {
  std::string_view section;
  for (const Option& option : OptionsOf(config)) {
    auto dot = option.key.find('.');
    std::string_view of =
        dot == std::string_view::npos ? std::string_view() : option.key.substr(0, dot);
    std::string_view name = dot == std::string_view::npos ? option.key : option.key.substr(dot + 1);
    // The figures of [limits] are refused in the other modes, so they are shown as comments there.
    bool inactive = of == "limits" && name != "mode" && config.limits_mode != "custom";
    if (of != section) {
      out += fmt::format("\n[{}]\n", of);
      section = of;
    }
    auto origin = loaded.origins.find(option.key);
    std::string line = fmt::format("{}{} = {}", inactive ? "# " : "", name, ValueText(option));
    out += fmt::format(
        "{:<44}  # {}. {}\n", line, option.help,
        origin == loaded.origins.end() ? "Default." : fmt::format("From {}.", origin->second));
  }
}

void PrintStream(const StreamConfig& stream, std::string& out) {
  out += fmt::format(
      "\n[[stream]]  # From {}.\nname = {}\naccount = {}\nregion = {}\nmode = {}\nshards = {}\n"
      "retention_hours = {}\n",
      stream.where, TomlString(stream.name), TomlString(stream.account), TomlString(stream.region),
      TomlString(stream.mode), stream.shards, stream.retention_hours);
  if (stream.tags.empty()) return;
  out += "[stream.tags]\n";
  for (const auto& [key, value] : stream.tags) {
    out += fmt::format("{} = {}\n", TomlString(key), TomlString(value));
  }
}

void PrintApplication(const ApplicationConfig& application, std::string& out) {
  out += fmt::format("\n[[application]]  # From {}.\nname = {}\nstart = {}\n", application.where,
                     TomlString(application.name), TomlString(application.start));
  if (!application.document.empty()) {
    out += fmt::format("# document_file = ({} bytes)\n", application.document.size());
    return;
  }
  out += fmt::format("input = {}\noutput_format = {}\n# schema_file = ({} bytes)\ncode = {}\n",
                     TomlString(application.input), TomlString(application.output_format),
                     application.schema.size(), TomlString(application.code));
  if (application.outputs.empty()) return;
  out += "[application.outputs]\n";
  for (const auto& [stream, to] : application.outputs) {
    out += fmt::format("{} = {}\n", TomlString(stream), TomlString(to));
  }
}

void PrintAccessKey(const AccessKeyConfig& key, std::string& out) {
  out +=
      fmt::format("\n[[access_key]]  # From {}.\nid = {}\n# secret = (not shown)\naccount = {}\n",
                  key.where, TomlString(key.id), TomlString(key.account));
  if (!key.session_token.empty()) out += "# session_token = (not shown)\n";
  if (!key.principal.empty()) out += fmt::format("principal = {}\n", TomlString(key.principal));
  if (!key.enabled) out += "enabled = false\n";
  if (key.policies.empty()) return;
  out += "policy = [\n";
  for (const std::string& policy : key.policies) out += fmt::format("  {},\n", TomlString(policy));
  out += "]\n";
}

}  // namespace

std::string PrintConfig(const LoadedConfig& loaded) {
  Config config = loaded.config;
  std::string out;
  PrintOptions(loaded, config, out);
  for (const StreamConfig& stream : config.streams) PrintStream(stream, out);
  for (const ApplicationConfig& application : config.applications) {
    PrintApplication(application, out);
  }
  for (const AccessKeyConfig& key : config.access_keys) PrintAccessKey(key, out);
  for (const FaultConfig& fault : config.faults) {
    out += fmt::format(
        "\n[[fault]]  # From {}.\nservice = {}\noperation = {}\nprobability = {}\ntimes = "
        "{}\ndelay_ms = {}\n",
        fault.where, TomlString(fault.service), TomlString(fault.operation), fault.probability,
        fault.times, fault.delay_ms);
    if (!fault.error.empty()) out += fmt::format("error = {}\n", TomlString(fault.error));
    if (!fault.message.empty()) out += fmt::format("message = {}\n", TomlString(fault.message));
  }
  return out;
}

}  // namespace millstream::server
