#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "log/log_id.h"
#include "log/segment.h"

// The file `manifest` of a data directory: which segments exist, how long each is for certain, and
// where the write-ahead log takes over. With it, opening ten thousand logs opens no segment.
// Format: docs/internals/segment-format.md.
namespace millstream::log {

struct ManifestLog {
  LogId id;
  Offset start_offset = 0;
  Offset end_offset = 0;  // of the segments; also when there are none left
  int64_t last_timestamp_ms = 0;
  std::vector<SegmentInfo> segments;
};

struct Manifest {
  uint64_t wal_floor = 1;   // the oldest generation that is needed
  uint64_t wal_newest = 0;  // the newest one that was in use; less than the floor when none is needed
  std::vector<ManifestLog> logs;
};

std::string EncodeManifest(const Manifest& manifest);
base::Result<Manifest> DecodeManifest(std::string_view bytes);

}  // namespace millstream::log
