#include "server/config_file.h"

#include <fmt/format.h>

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>

#include "server/config_options.h"

namespace millstream::server {
namespace {

using base::Status;

// The lists of tables: what one may contain, for spelling hints.
const std::vector<std::string_view> kTables = {"stream", "application", "access_key", "fault"};

std::string Joined(std::string_view section, std::string_view key) {
  return section.empty() ? std::string(key) : fmt::format("{}.{}", section, key);
}

std::string KindOf(const toml::node& node) {
  if (node.is_table()) return "a table";
  if (node.is_array()) return "a list";
  if (auto* text = node.as_string()) return fmt::format("\"{}\"", text->get());
  if (auto* integer = node.as_integer()) return fmt::format("the number {}", integer->get());
  if (auto* number = node.as_floating_point()) return fmt::format("the number {}", number->get());
  if (auto* boolean = node.as_boolean()) return boolean->get() ? "true" : "false";
  return "a date or time";
}

class Reader {
 public:
  Reader(base::FileSystem& files, std::string path, LoadedConfig& loaded, ConfigProblems& problems)
      : files_(files),
        path_(std::move(path)),
        loaded_(loaded),
        problems_(problems),
        options_(OptionsOf(loaded.config)) {}

  void Read(const toml::table& root) {
    for (auto&& [key, node] : root) {
      std::string_view name = key.str();
      if (name == "stream") {
        ReadList(name, node, [this](const toml::table& table) { ReadStream(table); });
      } else if (name == "application") {
        ReadList(name, node, [this](const toml::table& table) { ReadApplication(table); });
      } else if (name == "access_key") {
        ReadList(name, node, [this](const toml::table& table) { ReadAccessKey(table); });
      } else if (name == "fault") {
        ReadList(name, node, [this](const toml::table& table) { ReadFault(table); });
      } else if (const toml::table* section = node.as_table();
                 section != nullptr && IsSection(name)) {
        for (auto&& [inner, value] : *section) ReadOption(name, inner, value, options_);
      } else {
        ReadOption("", key, node, options_);
      }
    }
  }

 private:
  std::string Place(const toml::source_region& source) const {
    return fmt::format("{}:{}:{}", path_, source.begin.line, source.begin.column);
  }
  void Complain(const toml::source_region& source, std::string key, std::string what,
                std::string remedy = "") {
    problems_.push_back({Place(source), std::move(key), std::move(what), std::move(remedy)});
  }

  bool IsSection(std::string_view name) const {
    std::string prefix = std::string(name) + ".";
    return std::any_of(options_.begin(), options_.end(),
                       [&](const Option& o) { return o.key.starts_with(prefix); });
  }

  void Unknown(std::string_view section, const toml::key& key, const std::vector<Option>& options) {
    std::vector<std::string_view> candidates;
    for (const Option& option : options) {
      auto dot = option.key.rfind('.');
      std::string_view of = dot == std::string_view::npos ? "" : option.key.substr(0, dot);
      std::string_view last =
          dot == std::string_view::npos ? option.key : option.key.substr(dot + 1);
      if (of == section) candidates.push_back(last);
      if (section.empty() && !of.empty()) candidates.push_back(of);
    }
    if (section.empty()) candidates.insert(candidates.end(), kTables.begin(), kTables.end());
    std::string_view near = DidYouMean(key.str(), candidates);
    Complain(key.source(), Joined(section, key.str()), "unknown key",
             near.empty() ? "remove it; `millstream config` prints every key"
                          : fmt::format("did you mean {}?", Joined(section, near)));
  }

  // Sets the option that `section.key` names in `options`.
  void ReadOption(std::string_view section, const toml::key& key, const toml::node& node,
                  const std::vector<Option>& options) {
    std::string full = Joined(section, key.str());
    auto option = std::find_if(options.begin(), options.end(),
                               [&](const Option& o) { return o.key == full; });
    if (option == options.end()) return Unknown(section, key, options);
    if (Status set = Set(*option, node); !set) {
      return Complain(node.source(), full, set.error().message(), std::string(option->remedy));
    }
    loaded_.origins[full] = fmt::format("{}:{}", path_, key.source().begin.line);
  }

  static Status Set(const Option& option, const toml::node& node) {
    bool wants_text = std::holds_alternative<std::string*>(option.value);
    if (auto* text = node.as_string(); text != nullptr && (wants_text || option.bytes)) {
      return SetFromText(option, text->get());
    }
    if (!wants_text) {
      if (auto* boolean = node.as_boolean()) return SetBoolean(option, boolean->get());
      if (auto* integer = node.as_integer()) return SetInteger(option, integer->get());
      if (auto* number = node.as_floating_point()) return SetNumber(option, number->get());
    }
    std::string expected = wants_text ? "text in quotes" : "a number";
    if (std::holds_alternative<bool*>(option.value)) expected = "true or false";
    return base::Fail(base::Code::kInvalidArgument,
                      fmt::format("expected {}, found {}", expected, KindOf(node)));
  }

  template <typename ReadOne>
  void ReadList(std::string_view name, const toml::node& node, ReadOne read) {
    const toml::array* list = node.as_array();
    if (list == nullptr || !list->is_homogeneous(toml::node_type::table)) {
      return Complain(node.source(), std::string(name),
                      fmt::format("expected a list of tables, found {}", KindOf(node)),
                      fmt::format("write [[{}]] in double brackets", name));
    }
    for (const toml::node& item : *list) read(*item.as_table());
  }

  bool Need(const toml::table& table, std::string_view section, std::string_view key) {
    if (table.contains(key)) return true;
    Complain(table.source(), Joined(section, key), "missing",
             fmt::format("every [[{}]] needs it", section));
    return false;
  }

  void ReadStream(const toml::table& table) {
    StreamConfig stream;
    stream.where = Place(table.source());
    std::vector<Option> options = {
        {.key = "stream.name", .flag = {}, .help = {}, .value = &stream.name},
        {.key = "stream.account", .flag = {}, .help = {}, .value = &stream.account},
        {.key = "stream.region", .flag = {}, .help = {}, .value = &stream.region},
        {.key = "stream.mode",
         .flag = {},
         .help = {},
         .value = &stream.mode,
         .choices = {"provisioned", "on-demand"}},
        {.key = "stream.shards",
         .flag = {},
         .help = {},
         .value = &stream.shards,
         .min = 1,
         .max = 10'000},
        {.key = "stream.retention_hours",
         .flag = {},
         .help = {},
         .value = &stream.retention_hours,
         .min = 24,
         .max = 8760},
    };
    for (auto&& [key, node] : table) {
      if (key.str() == "tags") {
        ReadTexts("stream.tags", node, stream.tags);
      } else {
        ReadOption("stream", key, node, options);
      }
    }
    if (Need(table, "stream", "name")) loaded_.config.streams.push_back(std::move(stream));
  }

  void ReadTexts(std::string_view name, const toml::node& node,
                 std::map<std::string, std::string>& to) {
    const toml::table* texts = node.as_table();
    if (texts == nullptr) {
      std::string_view last = name.substr(name.rfind('.') + 1);
      return Complain(node.source(), std::string(name),
                      fmt::format("expected a table, found {}", KindOf(node)),
                      fmt::format("write {} = {{ key = \"value\" }}", last));
    }
    for (auto&& [key, value] : *texts) {
      if (auto* text = value.as_string()) {
        to.emplace(key.str(), text->get());
      } else {
        Complain(value.source(), Joined(name, key.str()),
                 fmt::format("expected text, found {}", KindOf(value)));
      }
    }
  }

  void ReadApplication(const toml::table& table) {
    ApplicationConfig application;
    application.where = Place(table.source());
    std::string code_file, schema_file, document_file;
    auto text = [](std::string_view key, std::string* value) {
      return Option{.key = key, .flag = {}, .help = {}, .value = value};
    };
    std::vector<Option> options = {
        text("application.name", &application.name),
        text("application.code", &application.code),
        text("application.code_file", &code_file),
        text("application.schema_file", &schema_file),
        text("application.document_file", &document_file),
        text("application.input", &application.input),
        {.key = "application.start",
         .flag = {},
         .help = {},
         .value = &application.start,
         .choices = {"TRIM_HORIZON", "NOW"}},
        {.key = "application.output_format",
         .flag = {},
         .help = {},
         .value = &application.output_format,
         .choices = {"JSON", "CSV"}},
    };
    for (auto&& [key, node] : table) {
      if (key.str() == "outputs") {
        ReadTexts("application.outputs", node, application.outputs);
      } else {
        ReadOption("application", key, node, options);
      }
    }
    auto beside = [&](std::string_view key, const std::string& name, std::string& to) {
      if (auto content = ReadBeside("application", table, key, name)) to = std::move(*content);
    };
    beside("code_file", code_file, application.code);
    beside("schema_file", schema_file, application.schema);
    beside("document_file", document_file, application.document);
    if (!table.contains("document_file")) {
      bool whole = Need(table, "application", "name") && Need(table, "application", "input") &&
                   Need(table, "application", "schema_file");
      if (!whole) return;
      if (!table.contains("code") && !table.contains("code_file")) {
        return Complain(table.source(), "application.code", "missing", "give code or code_file");
      }
    }
    loaded_.config.applications.push_back(std::move(application));
  }

  void ReadAccessKey(const toml::table& table) {
    AccessKeyConfig access_key;
    access_key.where = Place(table.source());
    std::string secret_file, policy_file;
    std::vector<Option> options = {
        {.key = "access_key.id", .flag = {}, .help = {}, .value = &access_key.id},
        {.key = "access_key.secret", .flag = {}, .help = {}, .value = &access_key.secret},
        {.key = "access_key.secret_file", .flag = {}, .help = {}, .value = &secret_file},
        {.key = "access_key.session_token",
         .flag = {},
         .help = {},
         .value = &access_key.session_token},
        {.key = "access_key.account", .flag = {}, .help = {}, .value = &access_key.account},
        {.key = "access_key.principal", .flag = {}, .help = {}, .value = &access_key.principal},
        {.key = "access_key.enabled", .flag = {}, .help = {}, .value = &access_key.enabled},
        {.key = "access_key.policy_file", .flag = {}, .help = {}, .value = &policy_file},
        {.key = "access_key.policy", .flag = {}, .help = {}, .value = &policy_file},
    };
    for (auto&& [key, node] : table) {
      if (key.str() == "policy") {
        ReadPolicies(node, access_key);
      } else {
        ReadOption("access_key", key, node, options);
      }
    }
    if (auto text = ReadBeside("access_key", table, "secret_file", secret_file)) {
      access_key.secret = text->substr(0, text->find_first_of("\r\n"));
    }
    if (auto text = ReadBeside("access_key", table, "policy_file", policy_file)) {
      access_key.policies.push_back(std::move(*text));
    }
    if (!table.contains("secret") && !table.contains("secret_file")) {
      Complain(table.source(), "access_key.secret", "missing", "give secret or secret_file");
    }
    if (Need(table, "access_key", "id"))
      loaded_.config.access_keys.push_back(std::move(access_key));
  }

  void ReadPolicies(const toml::node& node, AccessKeyConfig& access_key) {
    if (auto* text = node.as_string()) {
      access_key.policies.push_back(text->get());
      return;
    }
    const toml::array* list = node.as_array();
    if (list == nullptr || !list->is_homogeneous(toml::node_type::string)) {
      return Complain(node.source(), "access_key.policy",
                      fmt::format("expected text or a list of texts, found {}", KindOf(node)),
                      "write the policy document as JSON between ''' and '''");
    }
    for (const toml::node& item : *list) access_key.policies.push_back(item.as_string()->get());
  }

  // Content of a file that the configuration names; a relative path is from the configuration's
  // folder.
  std::optional<std::string> ReadBeside(std::string_view section, const toml::table& table,
                                        std::string_view key, const std::string& name) {
    if (name.empty()) return std::nullopt;
    auto path = std::filesystem::path(path_).parent_path() / name;
    auto text = files_.ReadFile(path.string());
    if (text) return std::move(*text);
    Complain(table.get(key)->source(), Joined(section, key), text.error().message(),
             "name a file that the server can read");
    return std::nullopt;
  }

  void ReadFault(const toml::table& table) {
    FaultConfig fault;
    fault.where = Place(table.source());
    std::vector<Option> options = {
        {.key = "fault.service", .flag = {}, .help = {}, .value = &fault.service},
        {.key = "fault.operation", .flag = {}, .help = {}, .value = &fault.operation},
        {.key = "fault.probability",
         .flag = {},
         .help = {},
         .value = &fault.probability,
         .min = 0,
         .max = 1},
        {.key = "fault.times",
         .flag = {},
         .help = {},
         .value = &fault.times,
         .min = -1,
         .max = 1e9},
        {.key = "fault.delay_ms",
         .flag = {},
         .help = {},
         .value = &fault.delay_ms,
         .min = 0,
         .max = 600'000},
        {.key = "fault.error", .flag = {}, .help = {}, .value = &fault.error},
        {.key = "fault.message", .flag = {}, .help = {}, .value = &fault.message},
    };
    for (auto&& [key, node] : table) ReadOption("fault", key, node, options);
    if (!table.contains("error") && !table.contains("delay_ms")) {
      return Complain(
          table.source(), "fault", "does nothing",
          "give error = \"ProvisionedThroughputExceededException\", delay_ms = 100, or both");
    }
    loaded_.config.faults.push_back(std::move(fault));
  }

  base::FileSystem& files_;
  const std::string path_;
  LoadedConfig& loaded_;
  ConfigProblems& problems_;
  const std::vector<Option> options_;
};

}  // namespace

void ApplyConfigFile(base::FileSystem& files, const std::string& path, LoadedConfig& loaded,
                     ConfigProblems& problems) {
  auto text = files.ReadFile(path);
  if (!text) {
    problems.push_back({path, "", text.error().message(), "name a file that the server can read"});
    return;
  }
  toml::parse_result parsed = toml::parse(*text, path);
  if (!parsed) {
    const toml::source_position& at = parsed.error().source().begin;
    problems.push_back({fmt::format("{}:{}:{}", path, at.line, at.column), "",
                        fmt::format("not TOML: {}", parsed.error().description()), ""});
    return;
  }
  Reader(files, path, loaded, problems).Read(parsed.table());
}

}  // namespace millstream::server
