// Parses any bytes; what parses must be the same after it was written and parsed again.
#include <cstdint>
#include <cstdlib>

#include "codec/json_value.h"
#include "codec/json_writer.h"

namespace {

using millstream::codec::JsonDocument;
using millstream::codec::JsonValue;
using millstream::codec::JsonWriter;

void Write(JsonValue value, JsonWriter& json) {
  switch (value.type()) {
    case JsonValue::Type::kNull:
      json.Null();
      break;
    case JsonValue::Type::kBool:
      json.Bool(value.AsBool());
      break;
    case JsonValue::Type::kNumber:
      value.AsInt64();
      value.AsUint64();
      value.AsDouble();
      json.Raw(value.NumberText());
      break;
    case JsonValue::Type::kString:
      json.String(value.AsString());
      break;
    case JsonValue::Type::kArray:
      json.BeginArray();
      for (const JsonValue element : value) Write(element, json);
      json.EndArray();
      break;
    case JsonValue::Type::kObject: {
      json.BeginObject();
      std::size_t members = 0;
      for (const JsonValue member : value) {
        json.Key(member.key());
        Write(member, json);
        ++members;
      }
      json.EndObject();
      if (members != value.size()) std::abort();
      break;
    }
  }
}

std::string Rewritten(const JsonDocument& document) {
  std::string text;
  JsonWriter json(text);
  Write(document.root(), json);
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto document = JsonDocument::Parse({reinterpret_cast<const char*>(data), size});
  if (!document) return 0;
  const std::string once = Rewritten(*document);
  const auto again = JsonDocument::Parse(once);
  if (!again || Rewritten(*again) != once) std::abort();
  return 0;
}
