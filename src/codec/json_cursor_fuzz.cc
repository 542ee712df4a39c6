// Walks any bytes as a PutRecords body and as one value; what the tree takes the cursor must take.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "codec/json_cursor.h"
#include "codec/json_value.h"

namespace {

using millstream::codec::JsonCursor;
using millstream::codec::JsonDocument;
using millstream::codec::JsonScan;

void Require(bool condition) {
  if (!condition) std::abort();
}

void WalkRecords(std::string_view body) {
  JsonCursor json(body);
  std::string_view text;
  const std::unique_ptr<char[]> out(new char[body.size()]);
  if (!json.Consume('{')) return;
  while (json.Peek() == '"') {
    if (json.ConsumeKey("Records")) {
      if (!json.Consume('[')) return;
      while (json.Consume('{')) {
        do {
          if (json.ConsumeKey("Data")) {
            std::size_t written = 0;
            if (json.ReadBase64(out.get(), body.size(), written) != JsonScan::kOk) return;
            Require(written <= body.size());
          } else if (json.ReadKey(text) != JsonScan::kOk || json.SkipValue(text) != JsonScan::kOk) {
            return;
          }
        } while (json.Consume(','));
        if (!json.Consume('}')) return;
        if (!json.Consume(',')) break;
      }
      if (!json.Consume(']')) return;
    } else {
      if (json.ReadKey(text) == JsonScan::kMalformed) return;
      int64_t number;
      if (json.ReadInt64(number) != JsonScan::kOk && json.SkipValue(text) != JsonScan::kOk) return;
    }
    if (!json.Consume(',')) break;
  }
  Require(json.offset() <= body.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A copy of exactly this size, so that AddressSanitizer sees a read beyond it.
  const std::unique_ptr<char[]> copy(new char[size]);
  std::copy(data, data + size, copy.get());
  const std::string_view text(copy.get(), size);
  WalkRecords(text);

  JsonCursor json(text);
  std::string_view raw;
  const bool skipped = json.SkipValue(raw) == JsonScan::kOk && json.AtEnd();
  if (JsonDocument::Parse(text)) Require(skipped);
  const char* const end = text.data() + text.size();
  Require(millstream::codec::FindJsonStringStop(text.data(), end) ==
          millstream::codec::scalar::FindJsonStringStop(text.data(), end));
  return 0;
}
