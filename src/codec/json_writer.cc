#include "codec/json_writer.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "codec/base64.h"
#include "codec/big_endian.h"
#include "codec/json_cursor.h"
#include "codec/time_format.h"
#include "codec/utf8.h"

namespace millstream::codec {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

void AppendEscape(char c, Output& out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  switch (c) {
    case '"':
      return out.Append("\\\"");
    case '\\':
      return out.Append("\\\\");
    case '\b':
      return out.Append("\\b");
    case '\f':
      return out.Append("\\f");
    case '\n':
      return out.Append("\\n");
    case '\r':
      return out.Append("\\r");
    case '\t':
      return out.Append("\\t");
    default: {
      const char escape[6] = {'\\', 'u', '0', '0', kDigits[c >> 4 & 15], kDigits[c & 15]};
      return out.Append({escape, 6});
    }
  }
}

// Text in which quotes, backslashes and control bytes are escaped.
void AppendEscaped(std::string_view text, Output& out) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const char* const stop = FindJsonStringStop(at, end);
    out.Append({at, static_cast<std::size_t>(stop - at)});
    if (stop == end) return;
    AppendEscape(*stop, out);
    at = stop + 1;
  }
}

}  // namespace

void AppendJsonString(std::string_view text, Output out) {
  out.Append('"');
  if (IsValidUtf8(text)) [[likely]] {
    AppendEscaped(text, out);
  } else {
    while (!text.empty()) {
      std::size_t valid = 0;
      while (const std::size_t length = Utf8SequenceLength(text.substr(valid))) valid += length;
      AppendEscaped(text.substr(0, valid), out);
      text.remove_prefix(valid);
      if (text.empty()) break;
      out.Append(kReplacement);
      text.remove_prefix(1);
    }
  }
  out.Append('"');
}

bool IsPlainInJson(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101'0101'0101'0101;
  constexpr uint64_t kTop = 0x80 * kOnes;
  // Eight bytes at a time: the top bit of a byte of `odd` is set where it is not plain. Borrows reach
  // the bytes above an odd one only.
  const auto odd = [](uint64_t x) {
    const uint64_t quote = x ^ ('"' * kOnes);
    const uint64_t slash = x ^ ('\\' * kOnes);
    return (x | (x + kOnes) | (x - 0x20 * kOnes) | (quote - kOnes) | (slash - kOnes)) & kTop;
  };
  const char* at = text.data();
  std::size_t left = text.size();
  uint64_t found = 0;
  for (; left >= 8; left -= 8, at += 8) found |= odd(LoadLittleEndian<uint64_t>(at));
  uint64_t last = 'a' * kOnes;
  if (left > 0) std::memcpy(&last, at, left);
  return (found | odd(last)) == 0;
}

JsonWriter& JsonWriter::Open(char c) {
  Comma();
  out_.Append(c);
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::Close(char c) {
  out_.Append(c);
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::Key(std::string_view name) {
  Comma();
  AppendJsonString(name, out_);
  out_.Append(':');
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::String(std::string_view text) {
  Comma();
  AppendJsonString(text, out_);
  return *this;
}

JsonWriter& JsonWriter::Int(int64_t value) {
  char text[24];
  return Raw({text, std::to_chars(text, text + sizeof(text), value).ptr});
}

JsonWriter& JsonWriter::Uint(uint64_t value) {
  char text[24];
  return Raw({text, std::to_chars(text, text + sizeof(text), value).ptr});
}

JsonWriter& JsonWriter::Double(double value) {
  if (!std::isfinite(value)) return Null();
  char text[32];
  return Raw({text, std::to_chars(text, text + sizeof(text), value).ptr});
}

JsonWriter& JsonWriter::Bool(bool value) { return Raw(value ? "true" : "false"); }
JsonWriter& JsonWriter::Null() { return Raw("null"); }

JsonWriter& JsonWriter::Base64(std::string_view bytes) {
  Comma();
  out_.Append('"');
  Base64Encode(bytes, out_.Extend(Base64EncodedSize(bytes.size())));
  out_.Append('"');
  return *this;
}

JsonWriter& JsonWriter::EpochSeconds(int64_t epoch_ms) {
  char text[kEpochSecondsSizeMax];
  return Raw({text, FormatEpochSeconds(epoch_ms, text)});
}

JsonWriter& JsonWriter::Raw(std::string_view json) {
  Comma();
  out_.Append(json);
  return *this;
}

}  // namespace millstream::codec
