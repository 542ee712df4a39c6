#include "services/kinesis/put_request.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "codec/base64.h"
#include "codec/big_endian.h"
#include "codec/cbor.h"
#include "codec/json_cursor.h"
#include "codec/md5.h"
#include "codec/utf8.h"

namespace millstream::services::kinesis {
namespace {

using codec::CborItems;
using codec::CborReader;
using codec::CborType;
using codec::JsonCursor;
using codec::JsonScan;
using streams::PutEntry;

constexpr std::size_t kRecordsMax = 500;
// Up to this many bytes a key cannot exceed AWS's 256 UTF-16 units; longer ones may or may not.
constexpr std::size_t kKeyBytesMax = 256;

// One record's members while they are being read.
struct RecordParts {
  std::string_view data, key, explicit_hash;
  bool has_data = false, has_key = false, has_explicit = false;
};

bool Finish(const RecordParts& parts, bool base64, PutRequest& request) {
  if (!parts.has_data || !parts.has_key) return false;
  if (parts.key.empty() || parts.key.size() > kKeyBytesMax) return false;
  PutEntry entry;
  entry.partition_key = parts.key;
  entry.data = parts.data;
  entry.data_is_base64 = base64;
  if (base64) {
    auto size = codec::Base64DecodedSize(parts.data);
    if (!size) return false;
    entry.data_size = static_cast<uint32_t>(*size);
  } else {
    entry.data_size = static_cast<uint32_t>(parts.data.size());
  }
  if (parts.has_explicit) {
    auto hash = streams::ParseHashKey(parts.explicit_hash);
    if (!hash) return false;
    entry.hash = *hash;
    entry.explicit_hash = true;
  }
  request.payload_bytes += entry.data_size + parts.key.size();
  request.entries.push_back(entry);
  return request.entries.size() <= kRecordsMax;
}

bool ReadJsonString(JsonCursor& json, std::string_view& value) {
  return json.ReadString(value) == JsonScan::kOk;
}

// Reads the value of `key` if it belongs to a record. False: not JSON we take; `known` false: not a
// record's member.
bool ReadJsonRecordMember(JsonCursor& json, std::string_view key, RecordParts& parts, bool& known) {
  known = true;
  // A member that comes twice: the generic engine also looks at the one that does not count.
  if (key == "Data") {
    if (std::exchange(parts.has_data, true)) return false;
    return ReadJsonString(json, parts.data);
  }
  if (key == "PartitionKey") {
    if (std::exchange(parts.has_key, true)) return false;
    return ReadJsonString(json, parts.key);
  }
  if (key == "ExplicitHashKey") {
    if (parts.has_explicit) return false;
    if (json.Peek() == 'n') return json.ReadNull() == JsonScan::kOk;
    parts.has_explicit = true;
    return ReadJsonString(json, parts.explicit_hash);
  }
  known = false;
  return true;
}

bool ReadJsonRecord(JsonCursor& json, PutRequest& request) {
  if (!json.Consume('{')) return false;
  RecordParts parts;
  do {
    std::string_view key;
    bool known;
    if (json.ReadKey(key) != JsonScan::kOk) return false;
    if (!ReadJsonRecordMember(json, key, parts, known) || !known) return false;
  } while (json.Consume(','));
  return json.Consume('}') && Finish(parts, true, request);
}

// The text around a record's two values. Programs write all records alike, so that after the first
// one three comparisons do for what a cursor would read byte by byte.
struct RecordShape {
  std::string_view before, between, after;
  bool data_first = false;
};

// Longer ones have white space or members in them that are not worth a guess.
constexpr std::size_t kShapePartMax = 64;

// Learns from a record that is `text` and was read to `entry`. False: not one to learn from.
bool LearnShape(std::string_view text, const PutEntry& entry, RecordShape& shape) {
  if (entry.explicit_hash) return false;
  shape.data_first = entry.data.data() < entry.partition_key.data();
  const std::string_view first = shape.data_first ? entry.data : entry.partition_key;
  const std::string_view second = shape.data_first ? entry.partition_key : entry.data;
  const char* const end = text.data() + text.size();
  shape.before = {text.data(), static_cast<std::size_t>(first.data() - text.data())};
  const char* const first_end = first.data() + first.size();
  shape.between = {first_end, static_cast<std::size_t>(second.data() - first_end)};
  const char* const second_end = second.data() + second.size();
  shape.after = {second_end, static_cast<std::size_t>(end - second_end)};
  return std::max({shape.before.size(), shape.between.size(), shape.after.size()}) <= kShapePartMax;
}

bool TakePart(const char*& at, const char* end, std::string_view part) {
  if (static_cast<std::size_t>(end - at) < part.size()) return false;
  if (std::memcmp(at, part.data(), part.size()) != 0) return false;
  at += part.size();
  return true;
}

// Takes a record of the shape if one comes next, else nothing. The parts end and begin with the
// values' quotes, so that a string with an escape does not match.
bool TakeAlike(JsonCursor& json, const RecordShape& shape, RecordParts& parts) {
  const std::string_view rest = json.rest();
  const char* at = rest.data();
  const char* const end = at + rest.size();
  if (!TakePart(at, end, shape.before)) return false;
  const char* const first = at;
  at = codec::FindJsonStringStop(at, end);
  const char* const first_end = at;
  if (!TakePart(at, end, shape.between)) return false;
  const char* const second = at;
  at = codec::FindJsonStringStop(at, end);
  const char* const second_end = at;
  if (!TakePart(at, end, shape.after)) return false;
  std::string_view values[2] = {{first, static_cast<std::size_t>(first_end - first)},
                                {second, static_cast<std::size_t>(second_end - second)}};
  parts.data = values[shape.data_first ? 0 : 1];
  parts.key = values[shape.data_first ? 1 : 0];
  parts.has_data = parts.has_key = true;
  json.Advance(static_cast<std::size_t>(at - rest.data()));
  return true;
}

bool ReadJsonRecords(JsonCursor& json, PutRequest& request) {
  if (!json.Consume('[')) return false;
  RecordShape shape;
  bool learnt = false;
  do {
    json.SkipSpace();
    RecordParts parts;
    if (learnt && TakeAlike(json, shape, parts)) {
      if (!Finish(parts, true, request)) return false;
      continue;
    }
    const std::string_view text = json.rest();
    if (!ReadJsonRecord(json, request)) return false;
    learnt =
        LearnShape(text.substr(0, text.size() - json.rest().size()), request.entries.back(), shape);
  } while (json.Consume(','));
  return json.Consume(']');
}

// True with `value` set if `key` names the stream.
bool StreamMember(std::string_view key, PutRequest& request, std::string_view*& value) {
  if (key == "StreamName") {
    value = &request.stream_name;
  } else if (key == "StreamARN") {
    value = &request.stream_arn;
  } else {
    return false;
  }
  return true;
}

bool ParseJson(std::string_view body, bool single, PutRequest& request) {
  JsonCursor json(body);
  if (!json.Consume('{')) return false;
  RecordParts parts;
  bool has_records = single;
  do {
    std::string_view key;
    if (json.ReadKey(key) != JsonScan::kOk) return false;
    std::string_view* stream = nullptr;
    if (StreamMember(key, request, stream)) {
      if (!stream->empty() || !ReadJsonString(json, *stream)) return false;
    } else if (single) {
      bool known;
      if (!ReadJsonRecordMember(json, key, parts, known) || !known) return false;
    } else if (key == "Records" && !has_records) {
      has_records = true;
      if (!ReadJsonRecords(json, request)) return false;
    } else {
      return false;
    }
  } while (json.Consume(','));
  if (!json.Consume('}') || !json.AtEnd() || !has_records) return false;
  return !single || Finish(parts, true, request);
}

// Text of CBOR that is one definite string; others are left to the generic engine.
bool ReadCborString(CborReader& cbor, CborType type, std::string_view& value) {
  if (cbor.Peek() != type) return false;
  value = type == CborType::kText ? cbor.ReadText() : cbor.ReadBytes();
  return cbor.ok();
}

bool ReadCborRecordMember(CborReader& cbor, std::string_view key, RecordParts& parts) {
  if (key == "Data") {
    parts.has_data = true;
    return ReadCborString(cbor, CborType::kBytes, parts.data);
  }
  if (key == "PartitionKey") {
    parts.has_key = true;
    return ReadCborString(cbor, CborType::kText, parts.key);
  }
  if (key == "ExplicitHashKey") {
    if (cbor.ConsumeNull()) return true;
    parts.has_explicit = true;
    return ReadCborString(cbor, CborType::kText, parts.explicit_hash);
  }
  return false;
}

bool ReadCborRecords(CborReader& cbor, PutRequest& request) {
  if (cbor.Peek() != CborType::kArray) return false;
  for (CborItems records = cbor.ReadArray(); cbor.Next(records);) {
    if (cbor.Peek() != CborType::kMap) return false;
    RecordParts parts;
    for (CborItems members = cbor.ReadMap(); cbor.Next(members);) {
      if (!ReadCborRecordMember(cbor, cbor.ReadText(), parts)) return false;
    }
    if (!cbor.ok() || !Finish(parts, false, request)) return false;
  }
  return cbor.ok();
}

bool ParseCbor(std::string_view body, bool single, PutRequest& request) {
  CborReader cbor(body);
  if (cbor.Peek() != CborType::kMap) return false;
  RecordParts parts;
  bool has_records = single;
  for (CborItems members = cbor.ReadMap(); cbor.Next(members);) {
    std::string_view key = cbor.ReadText();
    std::string_view* stream = nullptr;
    if (StreamMember(key, request, stream)) {
      if (!ReadCborString(cbor, CborType::kText, *stream)) return false;
    } else if (single) {
      if (!ReadCborRecordMember(cbor, key, parts)) return false;
    } else if (key == "Records" && !has_records) {
      has_records = true;
      if (!ReadCborRecords(cbor, request)) return false;
    } else {
      return false;
    }
  }
  if (!cbor.ok() || !cbor.AtEnd() || !has_records) return false;
  return !single || Finish(parts, false, request);
}

bool IsAscii(std::string_view text) {
  constexpr uint64_t kTopBits = 0x8080'8080'8080'8080;
  uint64_t all = 0;
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left >= 8; left -= 8, at += 8) all |= codec::LoadLittleEndian<uint64_t>(at);
  for (; left > 0; --left, ++at) all |= static_cast<unsigned char>(*at);
  return (all & kTopBits) == 0;
}

// Checks the keys' text and hashes those that chose no place themselves, in lanes.
bool PlaceEntries(PutRequest& request) {
  thread_local std::vector<std::string_view> keys;
  thread_local std::vector<codec::Uint128> hashes;
  keys.clear();
  for (const PutEntry& entry : request.entries) {
    if (!IsAscii(entry.partition_key) && !codec::IsValidUtf8(entry.partition_key)) return false;
    keys.push_back(entry.partition_key);
  }
  hashes.resize(keys.size());
  codec::Md5HashKeys(keys, hashes);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!request.entries[i].explicit_hash) request.entries[i].hash = hashes[i];
  }
  return true;
}

bool Parse(std::string_view body, bool cbor, bool single, PutRequest& request) {
  request.Clear();
  if (!(cbor ? ParseCbor(body, single, request) : ParseJson(body, single, request))) return false;
  if (request.entries.empty()) return false;
  if (request.stream_name.empty() == request.stream_arn.empty()) return false;  // both or neither
  if (!IsAscii(request.stream_name) || !IsAscii(request.stream_arn)) return false;  // no stream's
  return PlaceEntries(request);
}

}  // namespace

void PutRequest::Clear() {
  stream_name = {};
  stream_arn = {};
  entries.clear();
  payload_bytes = 0;
}

bool ParsePutRecords(std::string_view body, bool cbor, PutRequest& request) {
  return Parse(body, cbor, false, request);
}

bool ParsePutRecord(std::string_view body, bool cbor, PutRequest& request) {
  return Parse(body, cbor, true, request);
}

}  // namespace millstream::services::kinesis
