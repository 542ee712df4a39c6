#include "aws/json_engine.h"

#include <cmath>
#include <optional>
#include <string>

#include "aws/wrong_type.h"
#include "codec/base64.h"
#include "codec/json_value.h"
#include "codec/json_writer.h"
#include "codec/time_format.h"

namespace millstream::aws {
namespace {

using codec::JsonValue;
using codec::JsonWriter;

WireType TypeOf(JsonValue json) {
  switch (json.type()) {
    case JsonValue::Type::kBool: return WireType::kBoolean;
    case JsonValue::Type::kNumber: return WireType::kNumber;
    case JsonValue::Type::kArray: return WireType::kList;
    case JsonValue::Type::kObject: return WireType::kStructureOrMap;
    default: return WireType::kString;
  }
}

// Walks one document beside the tables. The first failure ends the walk.
class Decoder {
 public:
  bool Structure(const ShapeSchema& shape, JsonValue json, void* into, int depth);
  ServiceError TakeError() { return std::move(*error_); }

 private:
  bool Value(const ShapeSchema& shape, JsonValue json, void* into, int depth);
  bool List(const ShapeSchema& shape, JsonValue json, void* into, int depth);
  bool Map(const ShapeSchema& shape, JsonValue json, void* into, int depth);
  bool Boolean(JsonValue json, void* into);
  bool Number(const ShapeSchema& shape, JsonValue json, void* into);
  bool Blob(JsonValue json, void* into);
  bool Timestamp(JsonValue json, void* into);

  bool Fail(ServiceError error) {
    error_ = std::move(error);
    return false;
  }
  bool CountElement() {
    return ++elements_ <= kElementsMax || Fail(TooManyElements());
  }

  std::optional<ServiceError> error_;
  std::size_t elements_ = 0;
};

bool Decoder::Structure(const ShapeSchema& shape, JsonValue json, void* into, int depth) {
  if (!json.is_object()) return Fail(WrongType(Kind::kStructure, TypeOf(json)));
  if (depth > kDepthMax) return Fail(TooDeep());
  uint32_t present = 0;
  for (JsonValue member_json : json) {
    if (member_json.is_null()) continue;
    const MemberSchema* member = shape.Find(member_json.key());
    if (member == nullptr) continue;
    if (!Value(*member->shape, member_json, member->Set(into), depth)) return false;
    if (member->required()) present |= 1u << member->required_bit;
  }
  if (shape.has_required) {
    *reinterpret_cast<uint32_t*>(static_cast<char*>(into) + shape.present_offset) = present;
  }
  return true;
}

bool Decoder::Value(const ShapeSchema& shape, JsonValue json, void* into, int depth) {
  switch (shape.kind) {
    case Kind::kString:
      if (!json.is_string()) return Fail(WrongType(shape.kind, TypeOf(json)));
      static_cast<std::string*>(into)->assign(json.AsString());
      return true;
    case Kind::kBoolean: return Boolean(json, into);
    case Kind::kInteger:
    case Kind::kLong:
    case Kind::kFloat:
    case Kind::kDouble: return Number(shape, json, into);
    case Kind::kBlob: return Blob(json, into);
    case Kind::kTimestamp: return Timestamp(json, into);
    case Kind::kList: return List(shape, json, into, depth + 1);
    case Kind::kMap: return Map(shape, json, into, depth + 1);
    case Kind::kStructure: return Structure(shape, json, into, depth + 1);
  }
  return false;
}

// A null inside a list keeps its place as an empty element, so that answers that go by position
// (PutRecords) stay aligned; the constraints then name what it lacks.
bool Decoder::List(const ShapeSchema& shape, JsonValue json, void* into, int depth) {
  if (!json.is_array()) return Fail(WrongType(Kind::kList, TypeOf(json)));
  if (depth > kDepthMax) return Fail(TooDeep());
  for (JsonValue element : json) {
    if (!CountElement()) return false;
    void* slot = shape.list->append(into);
    if (!element.is_null() && !Value(*shape.element, element, slot, depth)) return false;
  }
  return true;
}

bool Decoder::Map(const ShapeSchema& shape, JsonValue json, void* into, int depth) {
  if (!json.is_object()) return Fail(WrongType(Kind::kMap, TypeOf(json)));
  if (depth > kDepthMax) return Fail(TooDeep());
  for (JsonValue value : json) {
    if (value.is_null()) continue;
    if (!CountElement()) return false;
    if (!Value(*shape.element, value, shape.map->put(into, value.key()), depth)) return false;
  }
  return true;
}

bool Decoder::Boolean(JsonValue json, void* into) {
  bool& value = *static_cast<bool*>(into);
  if (json.is_bool()) {
    value = json.AsBool();
    return true;
  }
  if (json.is_string() && ParseBoolean(json.AsString(), value)) return true;
  // AWS takes numbers with a fraction and no others.
  if (json.is_number() && json.NumberText().find_first_of(".eE") != std::string_view::npos) {
    value = json.AsDouble().value_or(1) != 0;
    return true;
  }
  return Fail(WrongType(Kind::kBoolean, TypeOf(json),
                        json.is_string() ? json.AsString() : std::string_view()));
}

bool Decoder::Number(const ShapeSchema& shape, JsonValue json, void* into) {
  const bool floating = shape.kind == Kind::kFloat || shape.kind == Kind::kDouble;
  double real = 0;
  if (json.is_number()) {
    const bool negative = json.NumberText().starts_with('-');
    real = json.AsDouble().value_or(negative ? -HUGE_VAL : HUGE_VAL);
  } else if (floating && json.is_string() && json.AsString() == "NaN") {
    real = std::nan("");
  } else if (floating && json.is_string() && json.AsString() == "Infinity") {
    real = HUGE_VAL;
  } else if (floating && json.is_string() && json.AsString() == "-Infinity") {
    real = -HUGE_VAL;
  } else {
    return Fail(WrongType(shape.kind, TypeOf(json)));
  }
  if (shape.kind == Kind::kFloat) {
    *static_cast<float*>(into) = static_cast<float>(real);
  } else if (shape.kind == Kind::kDouble) {
    *static_cast<double*>(into) = real;
  } else {
    const int64_t whole = json.AsInt64().value_or(ClampToInt64(real));
    if (shape.kind == Kind::kInteger) {
      *static_cast<int32_t*>(into) = ClampToInt32(whole);
    } else {
      *static_cast<int64_t*>(into) = whole;
    }
  }
  return true;
}

bool Decoder::Blob(JsonValue json, void* into) {
  if (!json.is_string()) return Fail(WrongType(Kind::kBlob, TypeOf(json)));
  const std::string_view text = json.AsString();
  const auto size = codec::Base64DecodedSize(text);
  if (!size) return Fail(NotBase64(text));
  base::Buffer bytes;
  const auto written = codec::Base64Decode(text, bytes.Room(*size + 1));
  if (!written) return Fail(NotBase64(text));
  bytes.Commit(*written);
  *static_cast<base::Bytes*>(into) = std::move(bytes).Share();
  return true;
}

bool Decoder::Timestamp(JsonValue json, void* into) {
  if (!json.is_number()) return Fail(WrongType(Kind::kTimestamp, TypeOf(json)));
  int64_t& ms = *static_cast<int64_t*>(into);
  const auto parsed = codec::ParseEpochSeconds(json.NumberText());
  const int64_t beyond = json.NumberText().starts_with('-') ? INT64_MIN : INT64_MAX;
  ms = ClampTimestamp(parsed.value_or(beyond));
  return true;
}

void WriteStructure(JsonWriter& json, const ShapeSchema& shape, const void* value);

void WriteReal(JsonWriter& json, double value) {
  if (std::isnan(value)) {
    json.String("NaN");
  } else if (std::isinf(value)) {
    json.String(value > 0 ? "Infinity" : "-Infinity");
  } else {
    json.Double(value);
  }
}

void WriteValue(JsonWriter& json, const ShapeSchema& shape, const void* value) {
  switch (shape.kind) {
    case Kind::kString: json.String(*static_cast<const std::string*>(value)); break;
    case Kind::kBoolean: json.Bool(*static_cast<const bool*>(value)); break;
    case Kind::kInteger: json.Int(*static_cast<const int32_t*>(value)); break;
    case Kind::kLong: json.Int(*static_cast<const int64_t*>(value)); break;
    case Kind::kFloat: WriteReal(json, static_cast<double>(*static_cast<const float*>(value))); break;
    case Kind::kDouble: WriteReal(json, *static_cast<const double*>(value)); break;
    case Kind::kBlob: json.Base64(static_cast<const base::Bytes*>(value)->view()); break;
    case Kind::kTimestamp: json.EpochSeconds(*static_cast<const int64_t*>(value)); break;
    case Kind::kList: {
      json.BeginArray();
      const std::size_t size = shape.list->size(value);
      for (std::size_t i = 0; i < size; ++i) {
        WriteValue(json, *shape.element, shape.list->at(value, i));
      }
      json.EndArray();
      break;
    }
    case Kind::kMap: {
      struct Context {
        JsonWriter& json;
        const ShapeSchema& element;
      } context{json, *shape.element};
      json.BeginObject();
      shape.map->each(value, &context,
                      [](void* opaque, const std::string& key, const void* entry) {
                        auto& to = *static_cast<Context*>(opaque);
                        to.json.Key(key);
                        WriteValue(to.json, to.element, entry);
                      });
      json.EndObject();
      break;
    }
    case Kind::kStructure:
      json.BeginObject();
      WriteStructure(json, shape, value);
      json.EndObject();
      break;
  }
}

// The members, without braces.
void WriteStructure(JsonWriter& json, const ShapeSchema& shape, const void* value) {
  for (const MemberSchema& member : shape.members) {
    const void* field = member.Get(value);
    if (field == nullptr) continue;
    json.Key(member.name);
    WriteValue(json, *member.shape, field);
  }
}

}  // namespace

void JsonEngine::AddHeaders(http::Response& response) const {
  response.headers.AppendLines(protocol_ == Protocol::kJson10
                                   ? "content-type: application/x-amz-json-1.0\r\n"
                                   : "content-type: application/x-amz-json-1.1\r\n");
}

std::string_view JsonEngine::content_type() const {
  return protocol_ == Protocol::kJson10 ? "application/x-amz-json-1.0"
                                        : "application/x-amz-json-1.1";
}

Outcome<Instance> JsonEngine::DecodeInput(const OperationSchema& operation,
                                          const http::Request& request) const {
  return DecodeShape(*operation.input, request.body);
}

Outcome<Instance> JsonEngine::DecodeShape(const ShapeSchema& shape, base::Bytes body) const {
  auto document = codec::JsonDocument::Parse(body.view());
  // AWS gives no text for a body that does not parse, nor for one that is a bare scalar.
  if (!document) return FailCall(SerializationException());
  const JsonValue root = document->root();
  if (!root.is_object() && !root.is_array()) return FailCall(SerializationException());
  Instance instance(shape);
  Decoder decoder;
  if (!decoder.Structure(shape, root, instance.get(), 0)) return FailCall(decoder.TakeError());
  return instance;
}

void JsonEngine::EncodeShape(const ShapeSchema& shape, const void* value,
                             base::Buffer& into) const {
  JsonWriter json(into);
  WriteValue(json, shape, value);
}

void JsonEngine::EncodeOutput(const OperationSchema& operation, const void* output,
                              http::Response& response) const {
  response.status = 200;
  AddHeaders(response);
  if (!operation.has_output) return;
  base::Buffer body;
  EncodeShape(*operation.output, output, body);
  response.body = std::move(body).Share();
}

void JsonEngine::EncodeError(const ServiceSchema* service, const ServiceError& error,
                             http::Response& response) const {
  response.status = error.http_status;
  AddHeaders(response);
  base::Buffer body;
  JsonWriter json(body);
  json.BeginObject();
  if (service != nullptr && !service->error_namespace.empty()) {
    json.Field("__type", std::string(service->error_namespace) + "#" + error.code);
  } else {
    json.Field("__type", error.code);
  }
  if (!error.message.empty()) json.Field(error.message_member, error.message);
  if (error.shape != nullptr) WriteStructure(json, *error.shape, error.members.get());
  json.EndObject();
  response.body = std::move(body).Share();
}

}  // namespace millstream::aws
