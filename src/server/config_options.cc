#include "server/config_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>

namespace millstream::server {
namespace {

using base::Code;
using base::Fail;
using base::Result;
using base::Status;

constexpr double kBig = 9.0e15;  // integers stay exact below it

Status OutOfRange(const Option& option, std::string_view found) {
  return Fail(Code::kInvalidArgument,
              fmt::format("expected a number from {:.15g} to {:.15g}, found {}", option.min,
                          option.max, found));
}

Status WrongType(const Option& option, std::string_view found) {
  struct Name {
    std::string operator()(std::string*) const {
      return option.choices.empty() ? "text"
                                    : fmt::format("one of {}", fmt::join(option.choices, ", "));
    }
    std::string operator()(bool*) const { return "true or false"; }
    std::string operator()(double*) const { return "a number"; }
    std::string operator()(int64_t*) const {
      return option.bytes ? "a number of bytes (such as 1048576 or \"256MiB\")" : "a whole number";
    }
    std::string operator()(int32_t*) const { return "a whole number"; }
    std::string operator()(uint32_t*) const { return "a whole number"; }
    const Option& option;
  };
  return Fail(Code::kInvalidArgument,
              fmt::format("expected {}, found {}", std::visit(Name{option}, option.value), found));
}

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

}  // namespace

std::string Option::environment_name() const {
  std::string name = "MILLSTREAM_";
  for (char c : key) {
    name += c == '.' ? '_' : (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return name;
}

std::vector<Option> OptionsOf(Config& c) {
  auto text = [](std::string_view key, std::string* value, std::string_view flag,
                 std::string_view help) {
    return Option{.key = key, .flag = flag, .help = help, .value = value};
  };
  auto choice = [](std::string_view key, std::string* value, std::string_view flag,
                   std::vector<std::string_view> choices, std::string_view help) {
    return Option{
        .key = key, .flag = flag, .help = help, .value = value, .choices = std::move(choices)};
  };
  auto number = [](std::string_view key, auto* value, double min, double max, std::string_view help,
                   std::string_view flag = {}) {
    return Option{.key = key, .flag = flag, .help = help, .value = value, .min = min, .max = max};
  };
  auto bytes = [](std::string_view key, int64_t* value, double min, double max,
                  std::string_view help) {
    return Option{.key = key,
                  .flag = {},
                  .help = help,
                  .value = value,
                  .min = min,
                  .max = max,
                  .bytes = true};
  };
  auto flag = [](std::string_view key, bool* value, std::string_view help) {
    return Option{.key = key, .flag = {}, .help = help, .value = value};
  };
  constexpr double kDayMs = 86'400'000;
  constexpr double kMiB = 1 << 20;

  std::vector<Option> options = {
      text("data_directory", &c.data_directory, "--data-directory", "Where everything is kept"),

      text("listen.address", &c.listen.address, "--address", "Address to listen on"),
      number("listen.port", &c.listen.port, 0, 65535, "Port; 0 lets the system choose", "--port"),
      text("listen.port_file", &c.listen.port_file, "--port-file",
           "File that gets the port once the server answers"),
      number("listen.loops", &c.listen.loops, 0, 256, "Event loops; 0 is one per core", "--loops"),
      number("listen.connections_max", &c.listen.connections_max, 1, 1'000'000,
             "Connections at a time; further ones are closed"),
      bytes("listen.body_bytes_max", &c.listen.body_bytes_max, kMiB, 1024 * kMiB,
            "Largest request body; larger ones get 413"),
      number("listen.idle_timeout_ms", &c.listen.idle_timeout_ms, 1000, kDayMs,
             "Connections without requests are closed after this"),

      text("tls.certificate", &c.tls.certificate, "--tls-certificate",
           "PEM file of the certificate chain (see `millstream certificate`)"),
      text("tls.key", &c.tls.key, "--tls-key", "PEM file of its private key"),

      choice("log.durability", &c.log.durability, "--durability", {"sync", "interval"},
             "sync: acknowledged is on disk; interval: synced every log.interval_ms"),
      number("log.interval_ms", &c.log.interval_ms, 1, 60'000,
             "With durability interval: what a power cut can lose"),
      bytes("log.cache_bytes", &c.log.cache_bytes, kMiB, 1024 * 1024 * kMiB,
            "Memory for recent records"),
      bytes("log.queue_bytes", &c.log.queue_bytes, 16 * kMiB, 1024 * 1024 * kMiB,
            "Bytes that may wait for the disk; above it puts are refused"),
      bytes("log.segment_bytes", &c.log.segment_bytes, kMiB, 2047 * kMiB,
            "Size of one segment file of a shard"),
      bytes("log.wal_file_bytes", &c.log.wal_file_bytes, 16 * kMiB, 4096 * kMiB,
            "Size of one write-ahead file; two or more are kept"),
      number("log.reader_threads", &c.log.reader_threads, 1, 64, "Threads for reads from disk"),
      bytes("log.page_bytes", &c.log.page_bytes, 16 * kMiB, 1024 * 1024 * kMiB,
            "Memory for GetRecords pages that readers do not take; they get smaller, then are "
            "refused"),

      choice("limits.mode", &c.limits_mode, "--limits", {"on", "off", "custom"},
             "on: AWS's limits; off: none on rates and counts; custom: the figures of [limits]"),
      number("limits.write_bytes_per_s", &c.limits.write_bytes_per_s, 1, kBig, "Per shard"),
      number("limits.write_records_per_s", &c.limits.write_records_per_s, 1, kBig, "Per shard"),
      number("limits.write_burst_bytes", &c.limits.write_burst_bytes, 1, kBig,
             "Per shard, for records above 1 MiB"),
      number("limits.read_bytes_per_s", &c.limits.read_bytes_per_s, 1, kBig, "Per shard"),
      number("limits.read_calls_per_s", &c.limits.read_calls_per_s, 1, kBig, "Per shard"),
      number("limits.fan_out_bytes_per_s", &c.limits.fan_out_bytes_per_s, 1, kBig,
             "Per consumer and shard"),
      number("limits.shards_max", &c.limits.shards_max, 1, kBig, "Per account and region"),
      number("limits.on_demand_streams_max", &c.limits.on_demand_streams_max, 1, kBig,
             "Per account and region"),
      number("limits.streams_creating_max", &c.limits.streams_creating_max, 1, kBig,
             "Per account and region, in CREATING"),
      number("limits.consumers_max", &c.limits.consumers_max, 1, kBig, "Per stream"),
      number("limits.consumers_creating_max", &c.limits.consumers_creating_max, 1, kBig,
             "Per stream, in CREATING"),
      number("limits.shard_count_updates_per_day", &c.limits.shard_count_updates_per_day, 1, kBig,
             "UpdateShardCount, per stream"),
      number("limits.shard_count_max", &c.limits.shard_count_max, 1, kBig,
             "Largest target of UpdateShardCount"),
      number("limits.on_demand_shards_max", &c.limits.on_demand_shards_max, 1, kBig, "Per stream"),
      flag("limits.control_rates", &c.limits.control_rates,
           "Calls per second of control operations"),

      number("transitions.create_ms", &c.transitions.create_ms, 0, kDayMs, "Time in CREATING"),
      number("transitions.update_ms", &c.transitions.update_ms, 0, kDayMs, "Time in UPDATING"),
      number("transitions.delete_ms", &c.transitions.delete_ms, 0, kDayMs, "Time in DELETING"),
      number("transitions.consumer_ms", &c.transitions.consumer_ms, 0, kDayMs,
             "Time of a consumer in CREATING and DELETING"),

      number("on_demand.interval_ms", &c.on_demand.interval_ms, 100, kDayMs,
             "How often the load of on-demand streams is judged"),
      number("on_demand.split_above", &c.on_demand.split_above, 0.01, 1,
             "Share of a shard's quota that makes it split"),
      number("on_demand.merge_below", &c.on_demand.merge_below, 0, 1,
             "Share of the capacity at the peak that lets shards merge"),
      number("on_demand.shrink_after_ms", &c.on_demand.shrink_after_ms, 1000, 30 * kDayMs,
             "How long a peak is remembered"),

      text("defaults.account", &c.default_account, "--account",
           "Account of callers that name none (open mode)"),
      text("defaults.region", &c.default_region, "--region", "Region of unsigned requests"),
      text("encryption.key_ring", &c.key_ring_file, "--key-ring",
           "File of the secret that stands in for KMS; made when missing; keep it off the data's "
           "disk"),

      flag("audit.enabled", &c.audit.enabled, "Write every API call to a stream"),
      text("audit.stream", &c.audit.stream, "", "Name of that stream"),
      choice("audit.level", &c.audit.level, "", {"all", "management"},
             "management: without the calls that carry records"),
      number("audit.shards", &c.audit.shards, 1, 1000, "Shards of the stream when it is created"),
      number("audit.queue_events", &c.audit.queue_events, 100, 10'000'000,
             "Events that may wait; above it they are dropped and counted"),

      text("analytics.buckets_directory", &c.analytics.buckets_directory, "",
           "Folder in which each bucket of reference data is a folder; empty: none"),
      number("analytics.threads", &c.analytics.threads, 1, 256, "Threads that run SQL applications"),
      number("analytics.checkpoint_interval_ms", &c.analytics.checkpoint_interval_ms, 100, kDayMs,
             "How much is replayed at most after a crash"),
      number("analytics.applications_max", &c.analytics.applications_max, 1, 100'000,
             "Per account and region"),
      bytes("analytics.state_bytes_max", &c.analytics.state_bytes_max, kMiB, 1024 * 1024 * kMiB,
            "What one window, join or sort of an application may hold; beyond it the application stops"),

      choice("logging.level", &c.logging.level, "--log-level",
             {"debug", "info", "warn", "error", "off"}, "Least severe line to write"),
      choice("logging.format", &c.logging.format, "--log-format", {"text", "json"},
             "Form of log lines on standard error"),
      number("shutdown.grace_ms", &c.shutdown_grace_ms, 0, 3'600'000,
             "Time for requests under way when the server stops"),
      number("faults.seed", &c.fault_seed, 0, kBig, "Makes the draws of [[fault]] repeatable"),
  };
  return options;
}

Status SetInteger(const Option& option, int64_t value) {
  auto number = static_cast<double>(value);
  auto in_range = [&] { return number >= option.min && number <= option.max; };
  if (auto* v = std::get_if<int64_t*>(&option.value)) {
    if (!in_range()) return OutOfRange(option, std::to_string(value));
    **v = value;
  } else if (auto* i = std::get_if<int32_t*>(&option.value)) {
    if (!in_range()) return OutOfRange(option, std::to_string(value));
    **i = static_cast<int32_t>(value);
  } else if (auto* u = std::get_if<uint32_t*>(&option.value)) {
    if (!in_range()) return OutOfRange(option, std::to_string(value));
    **u = static_cast<uint32_t>(value);
  } else if (std::holds_alternative<double*>(option.value)) {
    return SetNumber(option, number);
  } else {
    return WrongType(option, fmt::format("the number {}", value));
  }
  return {};
}

Status SetNumber(const Option& option, double value) {
  auto* target = std::get_if<double*>(&option.value);
  if (target == nullptr) return WrongType(option, fmt::format("the number {}", value));
  if (!(value >= option.min && value <= option.max)) {
    return OutOfRange(option, fmt::format("{}", value));
  }
  **target = value;
  return {};
}

Status SetBoolean(const Option& option, bool value) {
  auto* target = std::get_if<bool*>(&option.value);
  if (target == nullptr) return WrongType(option, value ? "true" : "false");
  **target = value;
  return {};
}

Status SetFromText(const Option& option, std::string_view text) {
  std::string quoted = fmt::format("\"{}\"", text);
  if (auto* target = std::get_if<std::string*>(&option.value)) {
    if (!option.choices.empty() &&
        std::find(option.choices.begin(), option.choices.end(), text) == option.choices.end()) {
      return WrongType(option, quoted);
    }
    (*target)->assign(text);
    return {};
  }
  if (std::holds_alternative<bool*>(option.value)) {
    if (text == "true" || text == "on" || text == "1") return SetBoolean(option, true);
    if (text == "false" || text == "off" || text == "0") return SetBoolean(option, false);
    return WrongType(option, quoted);
  }
  if (std::holds_alternative<double*>(option.value)) {
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return WrongType(option, quoted);
    return SetNumber(option, value);
  }
  if (option.bytes) {
    auto value = ParseByteCount(text);
    return value ? SetInteger(option, *value) : WrongType(option, quoted);
  }
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return WrongType(option, quoted);
  return SetInteger(option, value);
}

std::string ValueText(const Option& option) {
  struct Text {
    std::string operator()(const std::string* v) const { return TomlString(*v); }
    std::string operator()(const bool* v) const { return *v ? "true" : "false"; }
    std::string operator()(const double* v) const { return fmt::format("{}", *v); }
    std::string operator()(const int64_t* v) const { return fmt::format("{}", *v); }
    std::string operator()(const int32_t* v) const { return fmt::format("{}", *v); }
    std::string operator()(const uint32_t* v) const { return fmt::format("{}", *v); }
  };
  return std::visit(Text(), option.value);
}

std::string_view DidYouMean(std::string_view word,
                            const std::vector<std::string_view>& candidates) {
  std::string_view best;
  // Two slips (or one swap) are forgiven in short words, a third of the letters in long ones.
  std::size_t best_distance = (word.size() < 4 ? 1 : std::max<std::size_t>(2, word.size() / 3)) + 1;
  for (std::string_view candidate : candidates) {
    std::size_t distance = EditDistance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

Result<int64_t> ParseByteCount(std::string_view text) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  static constexpr std::pair<std::string_view, int64_t> kUnits[] = {
      {"", 1},          {"B", 1},         {"KB", 1000},    {"MB", 1'000'000}, {"GB", 1'000'000'000},
      {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
  if (error == std::errc() && number >= 0) {
    for (auto [name, factor] : kUnits) {
      if (unit == name && number <= INT64_MAX / factor) return number * factor;
    }
  }
  return Fail(Code::kInvalidArgument, fmt::format("\"{}\" is not a number of bytes", text));
}

std::string TomlString(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace millstream::server
