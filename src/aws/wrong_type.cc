#include "aws/wrong_type.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace millstream::aws {
namespace {

std::string_view JavaClass(WireType found) {
  switch (found) {
    case WireType::kBoolean: return "java.lang.Boolean";
    case WireType::kNumber: return "com.amazon.coral.value.json.numbers.TruncatingBigNumber";
    case WireType::kBytes: return "java.nio.HeapByteBuffer";
    default: return "java.lang.String";
  }
}

std::string_view Target(Kind wanted) {
  switch (wanted) {
    case Kind::kBoolean: return "an Boolean";
    case Kind::kInteger: return "an Integer";
    case Kind::kLong: return "an Long";
    case Kind::kFloat: return "an Float";
    case Kind::kDouble: return "an Double";
    case Kind::kBlob: return "a Blob";
    case Kind::kTimestamp: return "milliseconds since epoch";
    default: return "an String";
  }
}

char ToUpper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool IsBase64Character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/' || c == '=';
}

bool EqualsIgnoringCase(std::string_view text, std::string_view upper) {
  return text.size() == upper.size() &&
         std::equal(text.begin(), text.end(), upper.begin(),
                    [](char a, char b) { return ToUpper(a) == b; });
}

}  // namespace

ServiceError WrongType(Kind wanted, WireType found, std::string_view text) {
  if (found == WireType::kList) {
    return SerializationException("Start of list found where not expected");
  }
  if (found == WireType::kStructureOrMap) {
    return SerializationException("Start of structure or map found where not expected.");
  }
  if (wanted == Kind::kList) return SerializationException("Expected list or null");
  if (wanted == Kind::kMap) return SerializationException("Expected map or null");
  if (wanted == Kind::kStructure) return SerializationException("Expected null");
  std::string message;
  if (wanted == Kind::kBoolean && found == WireType::kString) {
    message = "'";
    for (char c : text) message += ToUpper(c);
    message += "'";
  } else {
    message.append("class ").append(JavaClass(found));
  }
  message.append(" can not be converted to ").append(Target(wanted));
  return SerializationException(std::move(message));
}

ServiceError NotBase64(std::string_view text) {
  std::string message = "'";
  message.append(text).append("' can not be converted to a Blob: ");
  if (text.size() % 4 != 0) {
    message.append("Base64 encoded length is expected a multiple of 4 bytes but found: ");
    message.append(std::to_string(text.size()));
    return SerializationException(std::move(message));
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool data_after_padding = text[i] == '=' && i + 1 < text.size() && text[i + 1] != '=';
    if (IsBase64Character(text[i]) && !data_after_padding) continue;
    // The whole character, should it be one of several bytes.
    std::size_t end = i + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
    message.append("Invalid Base64 character: '").append(text.substr(i, end - i)).append("'");
    return SerializationException(std::move(message));
  }
  message.append("Invalid last non-pad Base64 character dectected");
  return SerializationException(std::move(message));
}

bool ParseBoolean(std::string_view text, bool& value) {
  for (std::string_view word : {"TRUE", "1", "YES"}) {
    if (EqualsIgnoringCase(text, word)) {
      value = true;
      return true;
    }
  }
  for (std::string_view word : {"FALSE", "0", "NO"}) {
    if (EqualsIgnoringCase(text, word)) {
      value = false;
      return true;
    }
  }
  return false;
}

ServiceError TooManyElements() {
  return SerializationException("The request has more than " + std::to_string(kElementsMax) +
                                " list and map elements");
}

ServiceError TooDeep() {
  return SerializationException("The request is nested more than " + std::to_string(kDepthMax) +
                                " levels deep");
}

int32_t ClampToInt32(int64_t value) {
  return static_cast<int32_t>(std::clamp<int64_t>(value, INT32_MIN, INT32_MAX));
}

int64_t ClampToInt64(double value) {
  if (std::isnan(value)) return 0;
  value = std::floor(value);
  if (value >= 0x1p63) return INT64_MAX;
  if (value < -0x1p63) return INT64_MIN;
  return static_cast<int64_t>(value);
}

int64_t ClampTimestamp(int64_t epoch_ms) {
  return std::clamp<int64_t>(epoch_ms, -62'135'596'800'000, 253'402'300'799'999);
}

}  // namespace millstream::aws
