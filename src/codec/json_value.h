#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millstream::codec {

inline constexpr int kJsonDepthMax = 64;

namespace internal {
// One value in the array of a document; children follow their parent.
struct JsonNode {
  enum class Kind : uint8_t { kNull, kFalse, kTrue, kNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  bool hidden = false;         // a later member of the same object has the same name
  uint32_t span = 1;           // nodes of this value with all its children
  const char* text = nullptr;  // of strings (unescaped) and numbers (as written)
  std::size_t size = 0;        // of the text; number of elements or visible members
  const char* key = nullptr;   // when it is the value of a member
  std::size_t key_size = 0;
};
}  // namespace internal

// One value of a JsonDocument, which must outlive it. A pointer: copy it freely. Read-only and
// hence usable by several threads.
class JsonValue {
 public:
  enum class Type { kNull, kBool, kNumber, kString, kArray, kObject };

  Type type() const;
  std::string_view type_name() const;  // "object", "number", ...
  bool is_null() const { return type() == Type::kNull; }
  bool is_bool() const { return type() == Type::kBool; }
  bool is_number() const { return type() == Type::kNumber; }
  bool is_string() const { return type() == Type::kString; }
  bool is_array() const { return type() == Type::kArray; }
  bool is_object() const { return type() == Type::kObject; }

  // Requires the right type.
  bool AsBool() const;
  std::string_view AsString() const;
  std::string_view NumberText() const;  // exactly as written, e.g. "1.50e3"

  // The number when it is whole and fits ("3", "3.0" and "3e2" are whole); nullopt otherwise,
  // also for other types.
  std::optional<int64_t> AsInt64() const;
  std::optional<uint64_t> AsUint64() const;
  // The nearest double; nullopt for other types and for numbers beyond its range.
  std::optional<double> AsDouble() const;

  // Elements of an array or members of an object; 0 for other types.
  std::size_t size() const;

  // The member of that name; of several the last one. Empty when there is none or this is no
  // object. Linear in the number of members.
  class Found;
  Found Find(std::string_view name) const;

  // Forward iteration over the elements of an array or the members of an object (in text order,
  // of members of one name only the last). Over anything else it is empty.
  //   for (JsonValue member : object) use(member.key(), member.AsString());
  class Iterator;
  Iterator begin() const;
  Iterator end() const;

  // The name, when this is the value of a member; else empty.
  std::string_view key() const { return {node_->key, node_->key_size}; }

 private:
  friend class JsonDocument;
  explicit JsonValue(const internal::JsonNode* node) : node_(node) {}
  const internal::JsonNode* node_;
};

class JsonValue::Iterator {
 public:
  JsonValue operator*() const { return JsonValue(node_); }
  Iterator& operator++();
  friend bool operator==(const Iterator& a, const Iterator& b) { return a.node_ == b.node_; }

 private:
  friend class JsonValue;
  Iterator(const internal::JsonNode* node, const internal::JsonNode* end)
      : node_(node), end_(end) {}
  const internal::JsonNode* node_;
  const internal::JsonNode* end_;
};

// A value or nothing, used like an optional. Its `*` gives the value itself and not a reference, so
// that `for (JsonValue element : *object.Find("list"))` does not walk through a dead temporary.
class JsonValue::Found {
 public:
  Found() = default;
  explicit Found(JsonValue value) : value_(value) {}

  explicit operator bool() const { return value_.has_value(); }
  bool has_value() const { return value_.has_value(); }
  JsonValue operator*() const { return *value_; }  // requires has_value()
  const JsonValue* operator->() const { return &*value_; }

 private:
  std::optional<JsonValue> value_;
};

// A parsed JSON text, immutable. Owns all that its values show; the text itself may go away.
class JsonDocument {
 public:
  // Fails with kInvalidArgument and "<what>, at byte N" on anything that is not one JSON value of
  // valid UTF-8, nested at most kJsonDepthMax deep. Numbers of any length and precision are kept.
  static base::Result<JsonDocument> Parse(std::string_view text);

  JsonValue root() const { return JsonValue(nodes_.data()); }

 private:
  JsonDocument() = default;
  // Invariant: both keep their memory when the document moves, so values stay valid.
  std::unique_ptr<char[]> text_;
  std::vector<internal::JsonNode> nodes_;
};

}  // namespace millstream::codec
