// Reads any bytes item by item, by type and by skipping; both must take the same bytes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "codec/cbor.h"

namespace {

using millstream::codec::CborItems;
using millstream::codec::CborReader;
using millstream::codec::CborType;

void Read(CborReader& cbor, int depth) {
  CborReader after_tags(cbor.rest());
  millstream::codec::CborHead head;
  while (after_tags.ReadHead(head) && head.type == CborType::kTag) {
  }
  if (!after_tags.ok()) return cbor.Fail("malformed");
  switch (head.type) {
    case CborType::kUnsigned:
      cbor.ReadUint64();
      break;
    case CborType::kNegative:
      if (head.argument <= INT64_MAX) {
        cbor.ReadInt64();
      } else {
        cbor.Skip();
      }
      break;
    case CborType::kBytes:
      cbor.ReadBytes();
      break;
    case CborType::kText:
      cbor.ReadText();
      break;
    case CborType::kFloat:
      cbor.ReadDouble();
      break;
    case CborType::kBool:
      cbor.ReadBool();
      break;
    case CborType::kArray:
    case CborType::kMap: {
      if (depth == millstream::codec::kCborDepthMax) return cbor.Fail("too deep");
      const bool map = head.type == CborType::kMap;
      CborItems items = map ? cbor.ReadMap() : cbor.ReadArray();
      while (cbor.Next(items)) {
        Read(cbor, depth + 1);
        if (map) Read(cbor, depth + 1);
      }
      break;
    }
    default:
      cbor.Skip();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::unique_ptr<char[]> copy(new char[size]);
  std::copy(data, data + size, copy.get());
  const std::string_view bytes(copy.get(), size);

  CborReader skipping(bytes);
  skipping.Skip();
  CborReader reading(bytes);
  Read(reading, 0);
  if (skipping.ok() != reading.ok()) std::abort();
  if (skipping.ok() && skipping.offset() != reading.offset()) std::abort();
  CborReader timestamps(bytes);
  timestamps.ReadEpochMs();
  return 0;
}
