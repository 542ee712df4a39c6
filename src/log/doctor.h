#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"

namespace millstream::log {

struct DoctorReport {
  uint64_t logs = 0;
  uint64_t segments = 0;
  uint64_t segment_bytes = 0;
  uint64_t wal_bytes = 0;
  uint64_t batches = 0;
  uint64_t records = 0;
  uint64_t torn_bytes = 0;             // at the end of the WAL; never acknowledged, no damage
  std::vector<std::string> damage;     // file, position, expected and found; the first kDamageMax
  std::vector<std::string> leftovers;  // files that the next start removes
  static constexpr std::size_t kDamageMax = 1000;

  bool healthy() const { return damage.empty(); }
};

// Reads a whole data directory and checks everything that can be: the manifest, each batch's and
// each record's structure, checksums, offsets without a gap from segments into the write-ahead log,
// both index files against the log. Changes nothing. No store may have the directory open.
// Fails only when files cannot be read; damage is the report's matter.
base::Result<DoctorReport> Examine(base::FileSystem& files, const std::string& directory);

}  // namespace millstream::log
