#include "codec/event_stream.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "codec/big_endian.h"
#include "codec/crc32.h"

namespace millstream::codec {
namespace {

// The type byte of a header. The order of EventStreamValue's alternatives does not follow it.
enum class HeaderType : uint8_t {
  kTrue = 0,
  kFalse = 1,
  kByte = 2,
  kShort = 3,
  kInt = 4,
  kLong = 5,
  kBytes = 6,
  kString = 7,
  kTimestamp = 8,
  kUuid = 9,
};

constexpr std::size_t kPrelude = 12;  // with its checksum
constexpr std::size_t kNameMax = 255;
constexpr std::size_t kValueMax = 32767;  // as AWS has it; the length field is 16 bits

base::Status Bad(std::string message) {
  return base::Fail(base::Code::kInvalidArgument, "event-stream message: " + std::move(message));
}

std::string ChecksumMessage(const char* what, uint32_t expected, uint32_t found) {
  char text[96];
  std::snprintf(text, sizeof(text), "event-stream %s checksum: expected 0x%08x, found 0x%08x", what,
                expected, found);
  return text;
}

std::string_view VariableBytes(const EventStreamValue& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) return *text;
  if (const auto* bytes = std::get_if<EventStreamBytes>(&value)) return bytes->bytes;
  return {};
}

// Bytes of the value behind the type byte.
std::size_t ValueSize(const EventStreamValue& value) {
  struct Size {
    std::size_t operator()(bool) const { return 0; }
    std::size_t operator()(int8_t) const { return 1; }
    std::size_t operator()(int16_t) const { return 2; }
    std::size_t operator()(int32_t) const { return 4; }
    std::size_t operator()(int64_t) const { return 8; }
    std::size_t operator()(const EventStreamBytes& v) const { return 2 + v.bytes.size(); }
    std::size_t operator()(std::string_view v) const { return 2 + v.size(); }
    std::size_t operator()(EventStreamTimestamp) const { return 8; }
    std::size_t operator()(const EventStreamUuid&) const { return 16; }
  };
  return std::visit(Size{}, value);
}

// Writes type byte and value; the room is there.
class ValueWriter {
 public:
  explicit ValueWriter(char* out) : out_(out) {}
  void operator()(bool v) { Type(v ? HeaderType::kTrue : HeaderType::kFalse); }
  void operator()(int8_t v) { Number(HeaderType::kByte, v); }
  void operator()(int16_t v) { Number(HeaderType::kShort, v); }
  void operator()(int32_t v) { Number(HeaderType::kInt, v); }
  void operator()(int64_t v) { Number(HeaderType::kLong, v); }
  void operator()(const EventStreamBytes& v) { Variable(HeaderType::kBytes, v.bytes); }
  void operator()(std::string_view v) { Variable(HeaderType::kString, v); }
  void operator()(EventStreamTimestamp v) { Number(HeaderType::kTimestamp, v.epoch_ms); }
  void operator()(const EventStreamUuid& v) {
    Type(HeaderType::kUuid);
    out_ = std::copy(v.begin(), v.end(), out_);
  }
  char* end() const { return out_; }

 private:
  void Type(HeaderType type) { *out_++ = static_cast<char>(type); }
  template <typename T>
  void Number(HeaderType type, T value) {
    Type(type);
    StoreBigEndian(out_, value);
    out_ += sizeof(T);
  }
  void Variable(HeaderType type, std::string_view bytes) {
    Number(type, static_cast<uint16_t>(bytes.size()));
    out_ = std::copy(bytes.begin(), bytes.end(), out_);
  }
  char* out_;
};

template <typename T>
bool TakeNumber(std::string_view& from, T& value) {
  if (from.size() < sizeof(T)) return false;
  value = LoadBigEndian<T>(from.data());
  from.remove_prefix(sizeof(T));
  return true;
}

template <typename T>
bool TakeInto(std::string_view& from, EventStreamValue& to) {
  T value;
  if (!TakeNumber(from, value)) return false;
  to = value;
  return true;
}

bool TakeVariable(std::string_view& from, std::string_view& value) {
  uint16_t size;
  if (!TakeNumber(from, size) || from.size() < size) return false;
  value = from.substr(0, size);
  from.remove_prefix(size);
  return true;
}

// False when the value is cut off or its type unknown.
bool TakeValue(std::string_view& from, EventStreamValue& to) {
  uint8_t type;
  if (!TakeNumber(from, type)) return false;
  switch (static_cast<HeaderType>(type)) {
    case HeaderType::kTrue:
    case HeaderType::kFalse:
      to = static_cast<HeaderType>(type) == HeaderType::kTrue;
      return true;
    case HeaderType::kByte:
      return TakeInto<int8_t>(from, to);
    case HeaderType::kShort:
      return TakeInto<int16_t>(from, to);
    case HeaderType::kInt:
      return TakeInto<int32_t>(from, to);
    case HeaderType::kLong:
      return TakeInto<int64_t>(from, to);
    case HeaderType::kBytes: {
      EventStreamBytes value;
      if (!TakeVariable(from, value.bytes)) return false;
      to = value;
      return true;
    }
    case HeaderType::kString: {
      std::string_view value;
      if (!TakeVariable(from, value)) return false;
      to = value;
      return true;
    }
    case HeaderType::kTimestamp: {
      EventStreamTimestamp value;
      if (!TakeNumber(from, value.epoch_ms)) return false;
      to = value;
      return true;
    }
    case HeaderType::kUuid: {
      EventStreamUuid value;
      if (from.size() < value.size()) return false;
      std::memcpy(value.data(), from.data(), value.size());
      from.remove_prefix(value.size());
      to = value;
      return true;
    }
  }
  return false;
}

base::Status DecodeHeaders(std::string_view from, std::vector<EventStreamHeader>& headers) {
  const std::size_t size = from.size();
  while (!from.empty()) {
    const std::size_t at = kPrelude + size - from.size();
    const auto name_size = static_cast<uint8_t>(from.front());
    from.remove_prefix(1);
    if (name_size == 0 || from.size() < name_size) {
      return Bad("header name of " + std::to_string(name_size) + " bytes, at byte " +
                 std::to_string(at));
    }
    EventStreamHeader header{from.substr(0, name_size), false};
    from.remove_prefix(name_size);
    if (!TakeValue(from, header.value)) {
      return Bad("header value cut off or of unknown type, at byte " + std::to_string(at));
    }
    headers.push_back(header);
  }
  return {};
}

}  // namespace

base::Status AppendEventStreamMessage(std::span<const EventStreamHeader> headers,
                                      std::string_view payload, Output out) {
  std::size_t headers_size = 0;
  for (const EventStreamHeader& header : headers) {
    if (header.name.empty() || header.name.size() > kNameMax) {
      return Bad("header name of " + std::to_string(header.name.size()) + " bytes, limit 255");
    }
    if (VariableBytes(header.value).size() > kValueMax) {
      return Bad("header value of " + std::to_string(VariableBytes(header.value).size()) +
                 " bytes, limit 32767");
    }
    headers_size += 2 + header.name.size() + ValueSize(header.value);
  }
  if (headers_size > kEventStreamHeadersMax) {
    return Bad("headers of " + std::to_string(headers_size) + " bytes, limit " +
               std::to_string(kEventStreamHeadersMax));
  }
  if (payload.size() > kEventStreamMessageMax - kEventStreamOverhead - headers_size) {
    return Bad("payload of " + std::to_string(payload.size()) + " bytes, limit of the message " +
               std::to_string(kEventStreamMessageMax));
  }

  const std::size_t total = kEventStreamOverhead + headers_size + payload.size();
  char* const message = out.Extend(total);
  StoreBigEndian(message, static_cast<uint32_t>(total));
  StoreBigEndian(message + 4, static_cast<uint32_t>(headers_size));
  StoreBigEndian(message + 8, Crc32({message, 8}));
  char* at = message + kPrelude;
  for (const EventStreamHeader& header : headers) {
    *at++ = static_cast<char>(header.name.size());
    at = std::copy(header.name.begin(), header.name.end(), at);
    ValueWriter writer(at);
    std::visit(writer, header.value);
    at = writer.end();
  }
  at = std::copy(payload.begin(), payload.end(), at);
  StoreBigEndian(at, Crc32({message, total - 4}));
  return {};
}

std::optional<std::string_view> EventStreamMessage::FindString(std::string_view name) const {
  for (const EventStreamHeader& header : headers) {
    if (header.name != name) continue;
    if (const auto* text = std::get_if<std::string_view>(&header.value)) return *text;
    return std::nullopt;
  }
  return std::nullopt;
}

base::Result<std::size_t> DecodeEventStreamMessage(std::string_view bytes,
                                                   EventStreamMessage& message) {
  if (bytes.size() < kPrelude) return 0;
  const std::size_t total = LoadBigEndian<uint32_t>(bytes.data());
  const std::size_t headers_size = LoadBigEndian<uint32_t>(bytes.data() + 4);
  const auto prelude_crc = LoadBigEndian<uint32_t>(bytes.data() + 8);
  // Before anything is believed, and before waiting for bytes that may never come.
  const uint32_t expected_prelude = Crc32(bytes.substr(0, 8));
  if (prelude_crc != expected_prelude) {
    return base::Fail(base::Code::kDataLoss,
                      ChecksumMessage("prelude", expected_prelude, prelude_crc));
  }
  if (total < kEventStreamOverhead || total > kEventStreamMessageMax ||
      headers_size > kEventStreamHeadersMax || headers_size > total - kEventStreamOverhead) {
    TRY(Bad("total length " + std::to_string(total) + " with headers of " +
            std::to_string(headers_size)));
  }
  if (bytes.size() < total) return 0;

  const uint32_t expected = Crc32(bytes.substr(0, total - 4));
  const auto found = LoadBigEndian<uint32_t>(bytes.data() + total - 4);
  if (found != expected) {
    return base::Fail(base::Code::kDataLoss, ChecksumMessage("message", expected, found));
  }
  message.headers.clear();
  TRY(DecodeHeaders(bytes.substr(kPrelude, headers_size), message.headers));
  message.payload =
      bytes.substr(kPrelude + headers_size, total - kEventStreamOverhead - headers_size);
  return total;
}

}  // namespace millstream::codec
