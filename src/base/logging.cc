#include "base/logging.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <ctime>
#include <mutex>

namespace millstream::base {
namespace {

std::atomic<LogLevel> current_level{LogLevel::kInfo};
std::atomic<LogFormat> current_format{LogFormat::kText};
std::mutex sink_mutex;
Function<void(std::string_view)>* sink = nullptr;  // guarded by sink_mutex

constexpr std::string_view kNames[] = {"debug", "info", "warn", "error", "off"};

void AppendQuoted(std::string& line, std::string_view text) {
  line += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      line += escape;
    } else {
      line += c;
    }
  }
  line += '"';
}

bool NeedsQuotes(std::string_view text) {
  if (text.empty()) return true;
  for (char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '=' || c == '\\') return true;
  }
  return false;
}

void AppendTime(std::string& line) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  gmtime_r(&now.tv_sec, &utc);
  char text[40];
  std::size_t n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  line.append(text, n);
  std::snprintf(text, sizeof text, ".%03ldZ", now.tv_nsec / 1'000'000);
  line += text;
}

}  // namespace

void ConfigureLogging(LogOptions options) {
  current_level = options.level;
  current_format = options.format;
}

bool LogEnabled(LogLevel level) { return level >= current_level.load(std::memory_order_relaxed); }

void WriteLog(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  std::string line;
  std::string_view name = kNames[static_cast<int>(level)];
  if (current_format.load(std::memory_order_relaxed) == LogFormat::kJson) {
    line += "{\"time\":\"";
    AppendTime(line);
    line.append("\",\"level\":\"").append(name).append("\",\"event\":");
    AppendQuoted(line, event);
    for (const LogField& field : fields) {
      line += ',';
      AppendQuoted(line, field.key);
      line += ':';
      if (field.bare) {
        line += field.text;
      } else {
        AppendQuoted(line, field.text);
      }
    }
    line += "}\n";
  } else {
    AppendTime(line);
    line.append(" ").append(name).append(" ").append(event);
    for (const LogField& field : fields) {
      line.append(" ").append(field.key).append("=");
      if (NeedsQuotes(field.text)) {
        AppendQuoted(line, field.text);
      } else {
        line += field.text;
      }
    }
    line += '\n';
  }
  std::lock_guard lock(sink_mutex);
  if (sink != nullptr) {
    (*sink)(line);
    return;
  }
  [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

void RedirectLogForTest(Function<void(std::string_view line)> to) {
  std::lock_guard lock(sink_mutex);
  delete sink;
  sink = to ? new Function<void(std::string_view)>(std::move(to)) : nullptr;
}

}  // namespace millstream::base
