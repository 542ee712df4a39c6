#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/function.h"

// A log line is an event with fields, one line per thing that an operator can act on:
//
//   LOG_WARN("segment sealed after failed sync", {"shard", id}, {"error", error.message()});
//
// Nothing per record; never record data or credentials. Thread-safe.
namespace millstream::base {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

class LogField {
 public:
  LogField(std::string_view name, std::string_view value) : key(name), text(value) {}
  LogField(std::string_view name, const char* value) : key(name), text(value) {}
  LogField(std::string_view name, const std::string& value) : key(name), text(value) {}
  LogField(std::string_view name, bool value)
      : key(name), text(value ? "true" : "false"), bare(true) {}
  template <typename T>
    requires(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>)
  LogField(std::string_view name, T value) : key(name), text(std::to_string(value)), bare(true) {}

  std::string_view key;
  std::string text;
  bool bare = false;  // a number or boolean: no quotes in JSON
};

enum class LogFormat { kText, kJson };

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
};

void ConfigureLogging(LogOptions options);
bool LogEnabled(LogLevel level);
void WriteLog(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);

// Sends lines elsewhere than stderr; tests use it. An empty function restores stderr.
void RedirectLogForTest(Function<void(std::string_view line)> sink);

}  // namespace millstream::base

#define MS_LOG(level, event, ...)                                                  \
  do {                                                                             \
    if (::millstream::base::LogEnabled(level))                                     \
      ::millstream::base::WriteLog(level, event, {__VA_ARGS__});                   \
  } while (false)
#define LOG_DEBUG(event, ...) MS_LOG(::millstream::base::LogLevel::kDebug, event, ##__VA_ARGS__)
#define LOG_INFO(event, ...) MS_LOG(::millstream::base::LogLevel::kInfo, event, ##__VA_ARGS__)
#define LOG_WARN(event, ...) MS_LOG(::millstream::base::LogLevel::kWarn, event, ##__VA_ARGS__)
#define LOG_ERROR(event, ...) MS_LOG(::millstream::base::LogLevel::kError, event, ##__VA_ARGS__)
