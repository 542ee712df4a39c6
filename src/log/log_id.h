#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace millstream::log {

// Names a log for ever: never used again after deletion. Chosen by the caller (the catalog).
struct LogId {
  uint64_t value = 0;
  friend auto operator<=>(const LogId&, const LogId&) = default;
};

// Sixteen hexadecimal digits: the name of the log's directory.
std::string LogIdText(LogId log);

}  // namespace millstream::log

template <>
struct std::hash<millstream::log::LogId> {
  std::size_t operator()(millstream::log::LogId log) const noexcept {
    return static_cast<std::size_t>((log.value ^ (log.value >> 32)) * 0x9e3779b97f4a7c15u);
  }
};
