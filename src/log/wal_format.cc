#include "log/wal_format.h"

#include <cstring>
#include <string>

#include "base/check.h"
#include "codec/big_endian.h"
#include "codec/crc32c.h"

namespace millstream::log {
namespace {

using base::Code;
using base::Fail;
using codec::LoadLittleEndian;
using codec::StoreLittleEndian;

constexpr std::string_view kFileMagic("MSWAL\0\0\1", 8);
constexpr std::size_t kFileHeaderBytes = 40;
constexpr uint32_t kGroupMagic = 0x4757'534d;  // "MSWG"
constexpr uint16_t kFrameMagic = 0x464d;       // "MF"

// How much of a frame's payload the frame's own checksum covers.
std::size_t CoveredBytes(FrameType type, std::size_t payload_bytes) {
  return type == FrameType::kBatch ? kBatchCrcStart : payload_bytes;
}

}  // namespace

std::string LogIdText(LogId log) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 0; i < 16; ++i) text[i] = kDigits[(log.value >> (60 - 4 * i)) & 0xf];
  return text;
}

void EncodeWalFileHeader(const WalFileHeader& header, char* block) {
  std::memset(block, 0, kWalBlockBytes);
  std::memcpy(block, kFileMagic.data(), kFileMagic.size());
  StoreLittleEndian<uint64_t>(block + 16, header.generation);
  StoreLittleEndian<uint64_t>(block + 24, header.previous_end);
  StoreLittleEndian<uint32_t>(block + 32, header.salt);
  StoreLittleEndian<uint32_t>(block + 8,
                              codec::Crc32c({block + 12, kFileHeaderBytes - 12}));
}

std::optional<WalFileHeader> DecodeWalFileHeader(std::string_view block) {
  if (block.size() < kFileHeaderBytes || block.substr(0, kFileMagic.size()) != kFileMagic ||
      LoadLittleEndian<uint32_t>(block.data() + 8) !=
          codec::Crc32c(block.substr(12, kFileHeaderBytes - 12))) {
    return std::nullopt;
  }
  WalFileHeader header;
  header.generation = LoadLittleEndian<uint64_t>(block.data() + 16);
  header.previous_end = LoadLittleEndian<uint64_t>(block.data() + 24);
  header.salt = LoadLittleEndian<uint32_t>(block.data() + 32);
  return header;
}

void EncodeGroupHeader(const GroupHeader& header, char* to) {
  StoreLittleEndian<uint32_t>(to, kGroupMagic);
  StoreLittleEndian<uint64_t>(to + 8, header.generation);
  StoreLittleEndian<uint32_t>(to + 16, header.salt);
  StoreLittleEndian<uint32_t>(to + 20, header.frame_count);
  StoreLittleEndian<uint64_t>(to + 24, header.position);
  StoreLittleEndian<uint64_t>(to + 32, header.length);
  StoreLittleEndian<uint64_t>(to + 40, header.durable.generation);
  StoreLittleEndian<uint64_t>(to + 48, header.durable.position);
  StoreLittleEndian<uint64_t>(to + 56, header.sequence);
  StoreLittleEndian<uint32_t>(to + 4, codec::Crc32c({to + 8, kGroupHeaderBytes - 8}));
}

std::optional<GroupHeader> DecodeGroupHeader(std::string_view bytes) {
  if (bytes.size() < kGroupHeaderBytes ||
      LoadLittleEndian<uint32_t>(bytes.data()) != kGroupMagic ||
      LoadLittleEndian<uint32_t>(bytes.data() + 4) !=
          codec::Crc32c(bytes.substr(8, kGroupHeaderBytes - 8))) {
    return std::nullopt;
  }
  const char* from = bytes.data();
  GroupHeader header;
  header.generation = LoadLittleEndian<uint64_t>(from + 8);
  header.salt = LoadLittleEndian<uint32_t>(from + 16);
  header.frame_count = LoadLittleEndian<uint32_t>(from + 20);
  header.position = LoadLittleEndian<uint64_t>(from + 24);
  header.length = LoadLittleEndian<uint64_t>(from + 32);
  header.durable.generation = LoadLittleEndian<uint64_t>(from + 40);
  header.durable.position = LoadLittleEndian<uint64_t>(from + 48);
  header.sequence = LoadLittleEndian<uint64_t>(from + 56);
  return header;
}

void EncodeFrameHeader(FrameType type, uint64_t generation, LogId log, Offset base_offset,
                       int32_t record_count, std::string_view payload, char* to) {
  CHECK(type != FrameType::kBatch || payload.size() >= kBatchHeaderBytes);
  StoreLittleEndian<uint16_t>(to, kFrameMagic);
  StoreLittleEndian<uint16_t>(to + 2, static_cast<uint16_t>(type));
  StoreLittleEndian<uint64_t>(to + 8, generation);
  StoreLittleEndian<uint64_t>(to + 16, log.value);
  StoreLittleEndian<int64_t>(to + 24, base_offset);
  StoreLittleEndian<int32_t>(to + 32, record_count);
  StoreLittleEndian<uint32_t>(to + 36, static_cast<uint32_t>(payload.size()));
  const uint32_t header_sum = codec::Crc32c({to + 8, kFrameHeaderBytes - 8},
                                            codec::Crc32c({to, 4}));
  StoreLittleEndian<uint32_t>(
      to + 4, codec::Crc32c(payload.substr(0, CoveredBytes(type, payload.size())), header_sum));
}

base::Status DecodeFrames(const GroupHeader& header, std::string_view group,
                          std::vector<WalFrame>& frames) {
  std::size_t at = kGroupHeaderBytes;
  auto bad = [&](const std::string& what) {
    return Fail(Code::kDataLoss, "frame at " + std::to_string(header.position + at) + ": " + what);
  };
  if (group.size() < kGroupHeaderBytes) return bad("expected a group header, found the end");
  for (uint32_t i = 0; i < header.frame_count; ++i) {
    if (group.size() - at < kFrameHeaderBytes) return bad("expected a header, found the end");
    const char* from = group.data() + at;
    if (LoadLittleEndian<uint16_t>(from) != kFrameMagic) return bad("no frame magic");
    const auto type = static_cast<FrameType>(LoadLittleEndian<uint16_t>(from + 2));
    const auto payload_bytes = LoadLittleEndian<uint32_t>(from + 36);
    if (type != FrameType::kBatch && type != FrameType::kDelete) {
      return bad("unknown type " + std::to_string(static_cast<uint16_t>(type)));
    }
    if (FrameBytes(payload_bytes) > group.size() - at ||
        payload_bytes < CoveredBytes(type, payload_bytes)) {
      return bad("payload length out of bounds: " + std::to_string(payload_bytes));
    }
    WalFrame frame;
    frame.type = type;
    frame.payload = group.substr(at + kFrameHeaderBytes, payload_bytes);
    const uint32_t header_sum = codec::Crc32c({from + 8, kFrameHeaderBytes - 8},
                                              codec::Crc32c({from, 4}));
    const uint32_t expected = LoadLittleEndian<uint32_t>(from + 4);
    const uint32_t found =
        codec::Crc32c(frame.payload.substr(0, CoveredBytes(type, payload_bytes)), header_sum);
    if (expected != found) {
      return bad("checksum: expected " + std::to_string(expected) + ", found " +
                 std::to_string(found));
    }
    if (LoadLittleEndian<uint64_t>(from + 8) != header.generation) {
      return bad("generation: expected " + std::to_string(header.generation) + ", found " +
                 std::to_string(LoadLittleEndian<uint64_t>(from + 8)));
    }
    frame.log.value = LoadLittleEndian<uint64_t>(from + 16);
    frame.base_offset = LoadLittleEndian<int64_t>(from + 24);
    frame.record_count = LoadLittleEndian<int32_t>(from + 32);
    frame.payload_position = header.position + at + kFrameHeaderBytes;
    if (type == FrameType::kBatch) {
      auto batch = RecordBatchView::Parse(frame.payload);
      if (!batch) return bad(batch.error().message());
      if (auto sum = batch->CheckCrc(); !sum) return bad(sum.error().message());
      if (batch->bytes().size() != payload_bytes || batch->base_offset() != frame.base_offset ||
          batch->record_count() != frame.record_count) {
        return bad("batch and frame disagree on length, offset or count");
      }
      frame.max_timestamp_ms = batch->max_timestamp_ms();
    }
    frames.push_back(frame);
    at += FrameBytes(payload_bytes);
  }
  if (at != group.size()) return bad("bytes after the last frame");
  return {};
}

}  // namespace millstream::log
