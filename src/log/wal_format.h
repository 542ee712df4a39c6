#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "log/log_id.h"
#include "log/record_batch.h"

// The bytes of a write-ahead log file (docs/internals/wal-format.md): a header block, then groups.
// A group is what one commit wrote: a header and frames, from one 4 KiB boundary to another.
// Integers are little-endian. Pure functions; the files are wal.h's.
namespace millstream::log {

inline constexpr std::size_t kWalBlockBytes = 4096;
inline constexpr std::size_t kGroupHeaderBytes = 64;
inline constexpr std::size_t kFrameHeaderBytes = 40;

// Written, and durable, before the first group of a file's new life.
struct WalFileHeader {
  uint64_t generation = 0;    // counts the lives of all files of a directory; from 1, no gaps
  uint32_t salt = 0;          // random: payload that looks like a group of this life has another
  uint64_t previous_end = 0;  // where the groups of generation - 1 end; nothing after it is valid
};

void EncodeWalFileHeader(const WalFileHeader& header, char* block);  // kWalBlockBytes
std::optional<WalFileHeader> DecodeWalFileHeader(std::string_view block);

// A place in the write-ahead log.
struct WalPosition {
  uint64_t generation = 0;
  uint64_t position = 0;
  friend auto operator<=>(const WalPosition&, const WalPosition&) = default;
};

struct GroupHeader {
  uint64_t generation = 0;
  uint32_t salt = 0;
  uint32_t frame_count = 0;
  uint64_t position = 0;  // of the group in its file: a copy elsewhere is not valid
  uint64_t length = 0;    // header and frames, without the padding
  // Everything before this place was durable when the group was written. That tells a torn tail
  // (no later group vouches for it) from damage (one does).
  WalPosition durable;
  uint64_t sequence = 0;  // number of the group in its file, from 0
};

void EncodeGroupHeader(const GroupHeader& header, char* to);  // kGroupHeaderBytes
// Checks magic and checksum only.
std::optional<GroupHeader> DecodeGroupHeader(std::string_view bytes);

enum class FrameType : uint16_t {
  kBatch = 1,   // the payload is a RecordBatch
  kDelete = 2,  // the log is deleted; no payload
};

struct WalFrame {
  FrameType type = FrameType::kBatch;
  LogId log;
  Offset base_offset = 0;
  int32_t record_count = 0;
  int64_t max_timestamp_ms = 0;   // from the batch; not stored again
  uint64_t payload_position = 0;  // in the file
  std::string_view payload;
};

// Bytes that a frame takes inside a group.
constexpr std::size_t FrameBytes(std::size_t payload_bytes) {
  return (kFrameHeaderBytes + payload_bytes + 7) & ~std::size_t{7};
}
constexpr std::size_t FramePaddingBytes(std::size_t payload_bytes) {
  return FrameBytes(payload_bytes) - kFrameHeaderBytes - payload_bytes;
}

// Writes the header of a frame. The checksum covers header and payload; of a batch, only as far as
// the batch's own CRC does not, so that no byte is summed twice on the way in. Readers check both.
void EncodeFrameHeader(FrameType type, uint64_t generation, LogId log, Offset base_offset,
                       int32_t record_count, std::string_view payload, char* to);

// Reads the frames of one group. `group` is the whole group, without padding, whose header was
// decoded. kDataLoss names the first bad frame by its position in the file. Frames are all there or
// none: a group is atomic.
base::Status DecodeFrames(const GroupHeader& header, std::string_view group,
                          std::vector<WalFrame>& frames);

}  // namespace millstream::log
