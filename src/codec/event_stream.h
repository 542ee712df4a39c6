#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "codec/output.h"

// Messages of application/vnd.amazon.eventstream:
//
//   u32 total length | u32 headers length | u32 CRC-32 of these 8 bytes
//   headers          | payload            | u32 CRC-32 of all before
//
// all big endian. A header is u8 name length, name, u8 type, value.
namespace millstream::codec {

struct EventStreamTimestamp {
  int64_t epoch_ms = 0;
  friend bool operator==(const EventStreamTimestamp&, const EventStreamTimestamp&) = default;
};
struct EventStreamBytes {
  std::string_view bytes;
  friend bool operator==(const EventStreamBytes&, const EventStreamBytes&) = default;
};
using EventStreamUuid = std::array<uint8_t, 16>;

// std::string_view is the string type, which all of AWS's own headers use.
using EventStreamValue = std::variant<bool, int8_t, int16_t, int32_t, int64_t, EventStreamBytes,
                                      std::string_view, EventStreamTimestamp, EventStreamUuid>;

struct EventStreamHeader {
  std::string_view name;  // 1 to 255 bytes
  EventStreamValue value;
  friend bool operator==(const EventStreamHeader&, const EventStreamHeader&) = default;
};

inline constexpr std::size_t kEventStreamOverhead = 16;  // prelude, its CRC, message CRC
inline constexpr std::size_t kEventStreamHeadersMax = 128 << 10;
inline constexpr std::size_t kEventStreamMessageMax = 24u << 20;

// Appends one message. Fails with kInvalidArgument, having appended nothing, when a name or value
// is too long for the format or the message exceeds the limits above.
base::Status AppendEventStreamMessage(std::span<const EventStreamHeader> headers,
                                      std::string_view payload, Output out);

// Views into the bytes it was decoded from.
struct EventStreamMessage {
  std::vector<EventStreamHeader> headers;
  std::string_view payload;

  // The string header of that name, e.g. ":event-type".
  std::optional<std::string_view> FindString(std::string_view name) const;
};

// Decodes the message that `bytes` begins with and returns its size, or 0 when more bytes are
// needed. Fails with kDataLoss when a checksum does not match, kInvalidArgument when the message
// is malformed or over the limits.
base::Result<std::size_t> DecodeEventStreamMessage(std::string_view bytes,
                                                   EventStreamMessage& message);

}  // namespace millstream::codec
