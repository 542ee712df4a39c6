#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>

#include "codec/output.h"

namespace millstream::codec {

// True only when the JSON string of `text` is `text` between quotes: printable ASCII without quotes
// and backslashes. (Longer UTF-8 stands as it is, too, but asks for a check.)
bool IsPlainInJson(std::string_view text);

// Appends JSON to a Buffer or string, commas and escapes included.
//
//   JsonWriter json(buffer);
//   json.BeginObject().Field("StreamName", name).Key("Shards").BeginArray();
//   ...
//   json.EndArray().EndObject();
//
// The caller keeps the nesting right (a key before each member, as many ends as begins). Bytes that
// are not UTF-8 are written as U+FFFD, so the result is always valid JSON text. One thread.
class JsonWriter {
 public:
  explicit JsonWriter(Output out) : out_(out) {}

  JsonWriter& BeginObject() { return Open('{'); }
  JsonWriter& EndObject() { return Close('}'); }
  JsonWriter& BeginArray() { return Open('['); }
  JsonWriter& EndArray() { return Close(']'); }
  JsonWriter& Key(std::string_view name);

  JsonWriter& String(std::string_view text);
  JsonWriter& Int(int64_t value);
  JsonWriter& Uint(uint64_t value);
  JsonWriter& Double(double value);  // shortest text that reads back the same; null if not finite
  JsonWriter& Bool(bool value);
  JsonWriter& Null();
  JsonWriter& Base64(std::string_view bytes);
  // Milliseconds as epoch seconds with a fraction where needed: how AWS JSON writes a timestamp.
  JsonWriter& EpochSeconds(int64_t epoch_ms);
  JsonWriter& Raw(std::string_view json);  // a complete value, already JSON

  JsonWriter& Field(std::string_view name, std::string_view value) {
    return Key(name).String(value);
  }
  JsonWriter& Field(std::string_view name, const char* value) { return Key(name).String(value); }
  JsonWriter& Field(std::string_view name, bool value) { return Key(name).Bool(value); }
  JsonWriter& Field(std::string_view name, double value) { return Key(name).Double(value); }
  template <std::signed_integral T>
  JsonWriter& Field(std::string_view name, T value) {
    return Key(name).Int(value);
  }
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) JsonWriter& Field(std::string_view name, T value) {
    return Key(name).Uint(value);
  }

 private:
  JsonWriter& Open(char c);
  JsonWriter& Close(char c);
  void Comma() {
    if (comma_) out_.Append(',');
    comma_ = true;
  }

  Output out_;
  bool comma_ = false;  // something at this level stands before
};

// Appends `text` with the quotes and escapes of a JSON string.
void AppendJsonString(std::string_view text, Output out);

}  // namespace millstream::codec
