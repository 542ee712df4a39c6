#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "server/config.h"

namespace millstream::server {

// One scalar that an operator can set: in the file under `key`, in the environment as
// MILLSTREAM_<KEY>, on the command line with `--set key=value` or its own flag. Points into a
// Config.
struct Option {
  std::string_view key;   // "listen.port"
  std::string_view flag;  // "--port"; empty: only --set
  std::string_view help;
  std::variant<std::string*, bool*, int64_t*, int32_t*, uint32_t*, double*> value;
  double min = 0;
  double max = 0;
  std::vector<std::string_view> choices = {};  // of a string
  bool bytes = false;                          // also takes "256MiB"
  std::string_view remedy = {};                // said after what was wrong

  std::string environment_name() const;
};

// The table, in the order of the documentation.
std::vector<Option> OptionsOf(Config& config);

// Sets an option from text, as the environment and the command line give it. The error says what
// was expected and found, without naming the place.
base::Status SetFromText(const Option& option, std::string_view text);
base::Status SetInteger(const Option& option, int64_t value);
base::Status SetNumber(const Option& option, double value);
base::Status SetBoolean(const Option& option, bool value);

// The value as TOML writes it.
std::string ValueText(const Option& option);

// The nearest of `candidates` when it is near enough to be a slip; empty otherwise.
std::string_view DidYouMean(std::string_view word, const std::vector<std::string_view>& candidates);

// "1048576", "256MiB", "1 GB" (decimal) -> bytes.
base::Result<int64_t> ParseByteCount(std::string_view text);

// A basic TOML string, quoted.
std::string TomlString(std::string_view text);

}  // namespace millstream::server
