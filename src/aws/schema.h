#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aws/error.h"

// Tables that describe a service's model: made by tools/generate.py from models/<service>.json,
// walked by the engines (json_engine.h, cbor_engine.h) and by validation.h. All tables are constant
// and live as long as the process.
namespace millstream::aws {

enum class Kind : uint8_t {
  kString,     // std::string (enumerations too)
  kBoolean,    // bool
  kInteger,    // int32_t
  kLong,       // int64_t
  kFloat,      // float
  kDouble,     // double
  kBlob,       // base::Bytes
  kTimestamp,  // int64_t, milliseconds since the epoch
  kList,       // std::vector<Element>
  kMap,        // std::map<std::string, Value>
  kStructure,  // a generated struct; a union is one with exactly one member set
};

// std::optional<T> without T. Constant per type.
struct OptionalAccess {
  const void* (*get)(const void* optional);  // null when empty
  void* (*emplace)(void* optional);          // a fresh default value
  void (*reset)(void* optional);
};

struct ListAccess {
  std::size_t (*size)(const void* list);
  const void* (*at)(const void* list, std::size_t index);
  void* (*append)(void* list);  // valid until the next append
};

struct MapAccess {
  std::size_t (*size)(const void* map);
  void* (*put)(void* map, std::string_view key);  // replaces what was there
  // Calls visit(context, key, value) in key order.
  void (*each)(const void* map, void* context,
               void (*visit)(void* context, const std::string& key, const void* value));
};

struct StructureAccess {
  void* (*create)();
  void (*destroy)(void* structure);
};

inline constexpr int64_t kNoMin = INT64_MIN;
inline constexpr int64_t kNoMax = INT64_MAX;
inline constexpr uint16_t kNoPattern = UINT16_MAX;
inline constexpr uint8_t kNotRequired = UINT8_MAX;

enum class Location : uint8_t { kBody, kHeader, kUri, kQueryString, kStatusCode, kPayload };

struct MemberSchema {
  std::string_view name;           // on the wire: "StreamName"
  std::string_view location_name;  // header, query parameter or XML name where it differs
  const ShapeSchema* shape;
  uint32_t offset;                 // of the field in the struct
  uint8_t required_bit;            // bit of the struct's `present` mask, or kNotRequired
  Location location;
  // Set when the field is a std::optional, that is for every member that is not required.
  const OptionalAccess* optional;

  bool required() const { return required_bit != kNotRequired; }
  // The value inside `structure`, or null when an optional member is absent. Required members are
  // always there in C++; whether the client sent them says the structure's `present` mask.
  const void* Get(const void* structure) const {
    const void* field = static_cast<const char*>(structure) + offset;
    return optional != nullptr ? optional->get(field) : field;
  }
  // The value to write to; an optional member becomes set.
  void* Set(void* structure) const {
    void* field = static_cast<char*>(structure) + offset;
    return optional != nullptr ? optional->emplace(field) : field;
  }
};

// One shape of the model. Fields that a kind does not use are empty.
struct ShapeSchema {
  std::string_view name;
  Kind kind;
  // Constraints: value of numbers; length of strings (code points), blobs, lists and maps.
  int64_t min = kNoMin;
  int64_t max = kNoMax;
  std::string_view pattern = {};        // as the model writes it, for messages
  uint16_t pattern_index = kNoPattern;  // into ServiceSchema::patterns
  std::span<const std::string_view> enum_values = {};
  // kList and kMap
  const ShapeSchema* element = nullptr;  // of a list; the value of a map
  const ShapeSchema* key = nullptr;
  const ListAccess* list = nullptr;
  const MapAccess* map = nullptr;
  bool flattened = false;  // XML and query lists
  // kStructure
  std::span<const MemberSchema> members = {};  // in the model's order
  std::span<const uint16_t> by_name = {};      // indexes into `members`, sorted by name
  const StructureAccess* structure = nullptr;
  uint32_t present_offset = 0;  // of the uint32_t mask of required members that were on the wire
  bool has_required = false;
  bool is_union = false;

  const MemberSchema* Find(std::string_view member_name) const;
};

struct ErrorSchema {
  std::string_view name;  // "ResourceNotFoundException"
  std::string_view code;  // on the wire; the name unless the model says otherwise
  int http_status;
  Fault fault;
  const ShapeSchema* shape;
};

struct OperationSchema {
  std::string_view name;
  uint16_t index;  // dense per service, in the model's order
  const ShapeSchema* input;
  const ShapeSchema* output;  // an empty structure where the model has none
  bool has_input;             // false: the model has no input (or output) shape at all;
  bool has_output;            // an operation without output answers an empty body
  std::string_view http_method;
  std::string_view http_uri;
  std::span<const ErrorSchema* const> errors;
  // Of an event stream output: the one event that is not an exception. Empty and null otherwise.
  std::string_view event_name = {};
  const ShapeSchema* event = nullptr;
};

struct ServiceSchema {
  std::string_view name;             // of the model file: "kinesis"
  std::string_view signing_name;     // in credential scopes and ARNs: "kinesis"
  std::string_view endpoint_prefix;  // first label of hosts
  std::string_view api_version;
  std::string_view target_prefix;    // of X-Amz-Target: "Kinesis_20131202"
  std::string_view json_version;     // "1.0", "1.1" or empty
  std::string_view protocol;         // botocore's name: "json", "query", "rest-json", "rest-xml"
  std::string_view error_namespace;  // prefix of __type where AWS sends one
  std::string_view java_package;     // prefix of structures printed inside validation messages
  std::span<const OperationSchema> operations;
  std::span<const uint16_t> operations_by_name;  // sorted
  std::span<const ErrorSchema> errors;
  std::span<const std::string_view> patterns;  // RE2 syntax, whole-string

  const OperationSchema* Find(std::string_view operation) const;
};

// Owns one generated struct whose type only the schema knows: a decoded input.
class Instance {
 public:
  Instance() = default;
  explicit Instance(const ShapeSchema& shape)
      : shape_(&shape), value_(shape.structure->create()) {}
  Instance(Instance&& other) noexcept
      : shape_(std::exchange(other.shape_, nullptr)), value_(std::exchange(other.value_, nullptr)) {}
  Instance& operator=(Instance&& other) noexcept {
    std::swap(shape_, other.shape_);
    std::swap(value_, other.value_);
    return *this;
  }
  ~Instance() {
    if (value_ != nullptr) shape_->structure->destroy(value_);
  }

  const ShapeSchema& shape() const { return *shape_; }
  void* get() { return value_; }
  const void* get() const { return value_; }
  // The caller knows the type (generated dispatch does).
  template <typename T>
  T& As() {
    return *static_cast<T*>(value_);
  }

 private:
  const ShapeSchema* shape_ = nullptr;
  void* value_ = nullptr;
};

// Access tables of C++ types; instantiated by generated code only.
template <typename T>
inline constexpr OptionalAccess kOptionalAccess = {
    [](const void* optional) -> const void* {
      const auto& value = *static_cast<const std::optional<T>*>(optional);
      return value.has_value() ? &*value : nullptr;
    },
    [](void* optional) -> void* { return &static_cast<std::optional<T>*>(optional)->emplace(); },
    [](void* optional) { static_cast<std::optional<T>*>(optional)->reset(); }};

template <typename T>
inline constexpr ListAccess kListAccess = {
    [](const void* list) { return static_cast<const std::vector<T>*>(list)->size(); },
    [](const void* list, std::size_t index) -> const void* {
      return &(*static_cast<const std::vector<T>*>(list))[index];
    },
    [](void* list) -> void* { return &static_cast<std::vector<T>*>(list)->emplace_back(); }};

template <typename T>
inline constexpr MapAccess kMapAccess = {
    [](const void* map) { return static_cast<const std::map<std::string, T>*>(map)->size(); },
    [](void* map, std::string_view key) -> void* {
      auto& value = (*static_cast<std::map<std::string, T>*>(map))[std::string(key)];
      value = T();
      return &value;
    },
    [](const void* map, void* context,
       void (*visit)(void*, const std::string&, const void*)) {
      for (const auto& [key, value] : *static_cast<const std::map<std::string, T>*>(map)) {
        visit(context, key, &value);
      }
    }};

template <typename T>
inline constexpr StructureAccess kStructureAccess = {
    []() -> void* { return new T(); },
    [](void* structure) { delete static_cast<T*>(structure); }};

}  // namespace millstream::aws
