#include "log/manifest.h"

#include "codec/big_endian.h"
#include "codec/crc32c.h"

namespace millstream::log {
namespace {

using base::Code;
using base::Fail;

constexpr std::string_view kMagic("MSMAN\0\0\1", 8);
constexpr std::size_t kLogBytes = 40;
constexpr std::size_t kSegmentBytes = 80;

void Put(std::string& to, uint64_t value) {
  char bytes[8];
  codec::StoreLittleEndian(bytes, value);
  to.append(bytes, sizeof(bytes));
}

// Takes integers from the front; zero when there are none left (sizes are checked before).
struct Source {
  std::string_view rest;
  uint64_t Take() {
    if (rest.size() < 8) return 0;
    const auto value = codec::LoadLittleEndian<uint64_t>(rest.data());
    rest.remove_prefix(8);
    return value;
  }
  int64_t TakeSigned() { return static_cast<int64_t>(Take()); }
};

}  // namespace

std::string EncodeManifest(const Manifest& manifest) {
  std::string bytes;
  std::size_t segments = 0;
  for (const ManifestLog& log : manifest.logs) segments += log.segments.size();
  bytes.reserve(64 + manifest.logs.size() * kLogBytes + segments * kSegmentBytes);
  bytes += kMagic;
  Put(bytes, manifest.wal_floor);
  Put(bytes, manifest.wal_newest);
  Put(bytes, manifest.logs.size());
  for (const ManifestLog& log : manifest.logs) {
    Put(bytes, log.id.value);
    Put(bytes, static_cast<uint64_t>(log.start_offset));
    Put(bytes, static_cast<uint64_t>(log.end_offset));
    Put(bytes, static_cast<uint64_t>(log.last_timestamp_ms));
    Put(bytes, log.segments.size());
    for (const SegmentInfo& segment : log.segments) {
      Put(bytes, static_cast<uint64_t>(segment.base));
      Put(bytes, static_cast<uint64_t>(segment.end));
      Put(bytes, segment.bytes);
      Put(bytes, segment.index_bytes);
      Put(bytes, segment.time_index_bytes);
      Put(bytes, static_cast<uint64_t>(segment.first_timestamp_ms));
      Put(bytes, static_cast<uint64_t>(segment.max_timestamp_ms));
      Put(bytes, static_cast<uint64_t>(segment.max_timestamp_offset));
      Put(bytes, static_cast<uint64_t>(segment.indexed_timestamp_ms));
      Put(bytes, segment.bytes_since_index);
    }
  }
  Put(bytes, codec::Crc32c(bytes));
  return bytes;
}

base::Result<Manifest> DecodeManifest(std::string_view bytes) {
  if (bytes.size() < 40 || bytes.substr(0, kMagic.size()) != kMagic) {
    return Fail(Code::kDataLoss, "manifest: no magic number");
  }
  const std::string_view body = bytes.substr(0, bytes.size() - 8);
  const auto expected = codec::LoadLittleEndian<uint64_t>(bytes.data() + body.size());
  const uint64_t found = codec::Crc32c(body);
  if (expected != found) {
    return Fail(Code::kDataLoss, "manifest checksum: expected " + std::to_string(expected) +
                                     ", found " + std::to_string(found));
  }
  Source source{body.substr(kMagic.size())};
  Manifest manifest;
  manifest.wal_floor = source.Take();
  manifest.wal_newest = source.Take();
  const uint64_t logs = source.Take();
  if (manifest.wal_floor == 0 || logs > source.rest.size() / kLogBytes) {
    return Fail(Code::kDataLoss, "manifest: counts out of bounds");
  }
  manifest.logs.reserve(logs);
  for (uint64_t i = 0; i < logs; ++i) {
    ManifestLog& log = manifest.logs.emplace_back();
    log.id.value = source.Take();
    log.start_offset = source.TakeSigned();
    log.end_offset = source.TakeSigned();
    log.last_timestamp_ms = source.TakeSigned();
    const uint64_t segments = source.Take();
    if (segments > source.rest.size() / kSegmentBytes) {
      return Fail(Code::kDataLoss, "manifest: counts out of bounds");
    }
    log.segments.reserve(segments);
    for (uint64_t s = 0; s < segments; ++s) {
      SegmentInfo& segment = log.segments.emplace_back();
      segment.base = source.TakeSigned();
      segment.end = source.TakeSigned();
      segment.bytes = source.Take();
      segment.index_bytes = source.Take();
      segment.time_index_bytes = source.Take();
      segment.first_timestamp_ms = source.TakeSigned();
      segment.max_timestamp_ms = source.TakeSigned();
      segment.max_timestamp_offset = source.TakeSigned();
      segment.indexed_timestamp_ms = source.TakeSigned();
      segment.bytes_since_index = source.Take();
      if (s > 0 && segment.base != log.segments[s - 1].end) {
        return Fail(Code::kDataLoss, "manifest: segments of log " + LogIdText(log.id) +
                                         " have a gap at " + std::to_string(segment.base));
      }
    }
    if (!log.segments.empty() && log.segments.back().end != log.end_offset) {
      return Fail(Code::kDataLoss, "manifest: log " + LogIdText(log.id) + " ends at " +
                                       std::to_string(log.end_offset) + ", its segments at " +
                                       std::to_string(log.segments.back().end));
    }
  }
  if (!source.rest.empty()) return Fail(Code::kDataLoss, "manifest: bytes after the last log");
  return manifest;
}

}  // namespace millstream::log
