#include "log/record_batch.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/check.h"
#include "codec/base64.h"
#include "codec/big_endian.h"
#include "codec/crc32c.h"
#include "codec/varint.h"

namespace millstream::log {
namespace {

using base::Code;
using base::Fail;
using codec::LoadBigEndian;
using codec::StoreBigEndian;

// Places in the header. Everything is big-endian.
constexpr std::size_t kBaseOffset = 0;
constexpr std::size_t kBatchLength = 8;
constexpr std::size_t kLeaderEpoch = 12;
constexpr std::size_t kMagic = 16;
constexpr std::size_t kCrc = 17;
constexpr std::size_t kAttributes = 21;
constexpr std::size_t kLastOffsetDelta = 23;
constexpr std::size_t kBaseTimestamp = 27;
constexpr std::size_t kMaxTimestamp = 35;
constexpr std::size_t kProducerId = 43;
constexpr std::size_t kProducerEpoch = 51;
constexpr std::size_t kBaseSequence = 53;
constexpr std::size_t kRecordCount = 57;
// batchLength counts from the byte after itself.
constexpr std::size_t kLengthEnd = 12;
// Attributes byte, offset delta and the like: all that is not key, value, headers.
constexpr std::size_t kRecordOverheadMax =
    codec::kVarintSizeMax * 4 + codec::kVarlongSizeMax + 1 + codec::kVarintSizeMax;

std::size_t NullableSize(std::string_view bytes) {
  if (bytes.data() == nullptr) return 1;
  return codec::VarintSize(static_cast<int32_t>(bytes.size())) + bytes.size();
}

char* WriteNullable(std::string_view bytes, char* out) {
  if (bytes.data() == nullptr) return codec::WriteVarint(-1, out);
  out = codec::WriteVarint(static_cast<int32_t>(bytes.size()), out);
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

// Takes a length and so many bytes from the front of `from`.
bool ReadNullable(std::string_view& from, std::string_view& bytes) {
  int32_t size;
  if (!codec::ReadVarint(from, size)) return false;
  if (size < 0) {
    bytes = {};
    return size == -1;
  }
  if (static_cast<std::size_t>(size) > from.size()) return false;
  bytes = from.substr(0, static_cast<std::size_t>(size));
  from.remove_prefix(static_cast<std::size_t>(size));
  return true;
}

}  // namespace

RecordBatchBuilder::RecordBatchBuilder(int64_t base_timestamp_ms, std::size_t capacity)
    : buffer_(std::max(capacity, kBatchHeaderBytes)), base_timestamp_ms_(base_timestamp_ms) {
  std::memset(buffer_.Room(kBatchHeaderBytes), 0, kBatchHeaderBytes);
  buffer_.Commit(kBatchHeaderBytes);
  last_start_ = kBatchHeaderBytes;
}

std::size_t RecordBatchBuilder::RecordBytesMax(std::size_t key_bytes, std::size_t value_bytes,
                                               std::span<const RecordHeader> headers) {
  std::size_t size = kRecordOverheadMax + key_bytes + value_bytes;
  for (const RecordHeader& header : headers) {
    size += 2 * codec::kVarintSizeMax + header.key.size() + header.value.size();
  }
  return size;
}

RecordBatchBuilder::Opened RecordBatchBuilder::Open(std::string_view key, std::size_t value_bytes,
                                                    std::span<const RecordHeader> headers,
                                                    int64_t timestamp_delta_ms, std::size_t slack) {
  CHECK(value_bytes < (1u << 30));
  const auto value_size = static_cast<int32_t>(value_bytes);
  std::size_t body = 1 + codec::VarlongSize(timestamp_delta_ms) + codec::VarintSize(record_count_) +
                     NullableSize(key) + codec::VarintSize(value_size) + value_bytes +
                     codec::VarintSize(static_cast<int32_t>(headers.size()));
  for (const RecordHeader& header : headers) {
    body += codec::VarintSize(static_cast<int32_t>(header.key.size())) + header.key.size() +
            NullableSize(header.value);
  }
  const std::size_t total = codec::VarintSize(static_cast<int32_t>(body)) + body;
  char* out = codec::WriteVarint(static_cast<int32_t>(body), buffer_.Room(total + slack));
  *out++ = 0;  // record attributes: unused by Kafka
  out = codec::WriteVarlong(timestamp_delta_ms, out);
  out = codec::WriteVarint(record_count_, out);
  out = WriteNullable(key, out);
  return {codec::WriteVarint(value_size, out), total};
}

void RecordBatchBuilder::Close(const Opened& record, char* value_end,
                               std::span<const RecordHeader> headers, int64_t timestamp_delta_ms) {
  char* out = codec::WriteVarint(static_cast<int32_t>(headers.size()), value_end);
  for (const RecordHeader& header : headers) {
    out = codec::WriteVarint(static_cast<int32_t>(header.key.size()), out);
    if (!header.key.empty()) std::memcpy(out, header.key.data(), header.key.size());
    out += header.key.size();
    out = WriteNullable(header.value, out);
  }
  last_start_ = buffer_.size();
  CHECK(out == buffer_.data() + last_start_ + record.total);
  buffer_.Commit(record.total);
  max_delta_before_last_ms_ = max_delta_ms_;
  max_delta_ms_ =
      record_count_ == 0 ? timestamp_delta_ms : std::max(max_delta_ms_, timestamp_delta_ms);
  ++record_count_;
}

char* RecordBatchBuilder::AddUnfilled(std::string_view key, std::size_t value_bytes,
                                      std::span<const RecordHeader> headers,
                                      int64_t timestamp_delta_ms) {
  const Opened record = Open(key, value_bytes, headers, timestamp_delta_ms, 0);
  Close(record, record.value + value_bytes, headers, timestamp_delta_ms);
  return record.value;
}

void RecordBatchBuilder::Add(std::string_view key, std::string_view value,
                             std::span<const RecordHeader> headers, int64_t timestamp_delta_ms) {
  if (value.data() == nullptr) {
    // A null value is as long as an empty one on the wire: the length's zero becomes -1.
    char* place = AddUnfilled(key, 0, headers, timestamp_delta_ms);
    codec::WriteVarint(-1, place - 1);
    return;
  }
  char* place = AddUnfilled(key, value.size(), headers, timestamp_delta_ms);
  std::memcpy(place, value.data(), value.size());
}

bool RecordBatchBuilder::AddBase64(std::string_view key, std::string_view base64_value,
                                   std::size_t value_size, std::span<const RecordHeader> headers,
                                   int64_t timestamp_delta_ms) {
  const Opened record = Open(key, value_size, headers, timestamp_delta_ms, codec::kBase64Slack);
  if (!codec::Base64DecodeWithSlack(base64_value, value_size, record.value)) return false;
  Close(record, record.value + value_size, headers, timestamp_delta_ms);
  return true;
}

void RecordBatchBuilder::DropLast() {
  CHECK(record_count_ > 0 && last_start_ < buffer_.size());
  buffer_.Truncate(last_start_);
  max_delta_ms_ = max_delta_before_last_ms_;
  --record_count_;
}

Batch RecordBatchBuilder::Finish() && {
  CHECK_MSG(record_count_ > 0, "a batch without records");
  char* header = buffer_.data();
  StoreBigEndian<int64_t>(header + kBaseOffset, 0);
  StoreBigEndian(header + kBatchLength, static_cast<int32_t>(buffer_.size() - kLengthEnd));
  StoreBigEndian<int32_t>(header + kLeaderEpoch, 0);
  header[kMagic] = 2;
  StoreBigEndian<int16_t>(header + kAttributes, 0);  // no compression, CreateTime
  StoreBigEndian<int32_t>(header + kLastOffsetDelta, record_count_ - 1);
  StoreBigEndian<int64_t>(header + kBaseTimestamp, base_timestamp_ms_);
  StoreBigEndian<int64_t>(header + kMaxTimestamp, base_timestamp_ms_ + max_delta_ms_);
  StoreBigEndian<int64_t>(header + kProducerId, -1);
  StoreBigEndian<int16_t>(header + kProducerEpoch, -1);
  StoreBigEndian<int32_t>(header + kBaseSequence, -1);
  StoreBigEndian<int32_t>(header + kRecordCount, record_count_);
  StoreBigEndian<uint32_t>(header + kCrc, codec::Crc32c(buffer_.view().substr(kBatchCrcStart)));
  Batch batch;
  batch.record_count = record_count_;
  batch.max_timestamp_ms = base_timestamp_ms_ + max_delta_ms_;
  batch.bytes = std::move(buffer_);
  record_count_ = 0;
  return batch;
}

std::optional<std::string_view> RecordView::Header(std::string_view name) const {
  std::string_view rest = headers_bytes;
  for (int32_t i = 0; i < header_count; ++i) {
    std::string_view header_key;
    std::string_view header_value;
    if (!ReadNullable(rest, header_key) || !ReadNullable(rest, header_value)) return std::nullopt;
    if (header_key == name) return header_value;
  }
  return std::nullopt;
}

std::optional<std::size_t> RecordBatchView::SizeFromPrefix(std::string_view first_12_bytes) {
  if (first_12_bytes.size() < kLengthEnd) return std::nullopt;
  const auto length = LoadBigEndian<int32_t>(first_12_bytes.data() + kBatchLength);
  if (length < static_cast<int32_t>(kBatchHeaderBytes - kLengthEnd)) return std::nullopt;
  return static_cast<std::size_t>(length) + kLengthEnd;
}

base::Result<RecordBatchView> RecordBatchView::Parse(std::string_view bytes) {
  const std::optional<std::size_t> size = SizeFromPrefix(bytes);
  if (!size || *size > bytes.size()) {
    return Fail(Code::kDataLoss, "record batch length: expected at most " +
                                     std::to_string(bytes.size()) + " bytes, found " +
                                     (size ? std::to_string(*size) : "no valid length"));
  }
  RecordBatchView batch(bytes.substr(0, *size));
  if (bytes[kMagic] != 2) {
    return Fail(Code::kDataLoss, "record batch magic: expected 2, found " +
                                     std::to_string(static_cast<int>(bytes[kMagic])));
  }
  const auto count = batch.record_count();
  const auto last_delta = LoadBigEndian<int32_t>(bytes.data() + kLastOffsetDelta);
  if (count < 1 || last_delta != count - 1) {
    return Fail(Code::kDataLoss, "record batch: " + std::to_string(count) +
                                     " records with last offset delta " +
                                     std::to_string(last_delta));
  }
  // Seven bytes is the least that a record takes.
  if (!batch.compressed() && static_cast<std::size_t>(count) > (*size - kBatchHeaderBytes) / 7) {
    return Fail(Code::kDataLoss, "record batch: " + std::to_string(count) + " records do not fit " +
                                     std::to_string(*size) + " bytes");
  }
  if (batch.base_offset() < 0 || batch.base_offset() > INT64_MAX - count) {
    return Fail(Code::kDataLoss,
                "record batch base offset: found " + std::to_string(batch.base_offset()));
  }
  return batch;
}

base::Status RecordBatchView::CheckCrc() const {
  const uint32_t found = codec::Crc32c(bytes_.substr(kBatchCrcStart));
  if (found == crc()) return {};
  return Fail(Code::kDataLoss, "record batch checksum: expected " + std::to_string(crc()) +
                                   ", found " + std::to_string(found));
}

Offset RecordBatchView::base_offset() const {
  return LoadBigEndian<int64_t>(bytes_.data() + kBaseOffset);
}
Offset RecordBatchView::last_offset() const {
  return base_offset() + LoadBigEndian<int32_t>(bytes_.data() + kLastOffsetDelta);
}
uint32_t RecordBatchView::crc() const { return LoadBigEndian<uint32_t>(bytes_.data() + kCrc); }
int16_t RecordBatchView::attributes() const {
  return LoadBigEndian<int16_t>(bytes_.data() + kAttributes);
}
int64_t RecordBatchView::base_timestamp_ms() const {
  return LoadBigEndian<int64_t>(bytes_.data() + kBaseTimestamp);
}
int64_t RecordBatchView::max_timestamp_ms() const {
  return LoadBigEndian<int64_t>(bytes_.data() + kMaxTimestamp);
}
int64_t RecordBatchView::producer_id() const {
  return LoadBigEndian<int64_t>(bytes_.data() + kProducerId);
}
int32_t RecordBatchView::record_count() const {
  return LoadBigEndian<int32_t>(bytes_.data() + kRecordCount);
}

RecordReader::RecordReader(const RecordBatchView& batch)
    : rest_(batch.bytes().substr(kBatchHeaderBytes)),
      base_offset_(batch.base_offset()),
      base_timestamp_ms_(batch.base_timestamp_ms()),
      append_time_ms_(batch.max_timestamp_ms()),
      log_append_time_(batch.log_append_time()),
      count_(batch.record_count()) {
  if (batch.compressed()) {
    status_ = Fail(Code::kNotSupported,
                   "record batch is compressed: codec " + std::to_string(batch.attributes() & 0x7));
  }
}

bool RecordReader::Malformed(const char* what) {
  status_ = Fail(Code::kDataLoss, "record " + std::to_string(next_) + " of the batch at offset " +
                                      std::to_string(base_offset_) + ": " + what);
  return false;
}

bool RecordReader::Next(RecordView& record) {
  if (!status_) return false;
  if (next_ == count_) {
    return rest_.empty() ? false : Malformed("bytes after the last record");
  }
  int32_t size;
  if (!codec::ReadVarint(rest_, size) || size < 0 ||
      static_cast<std::size_t>(size) > rest_.size()) {
    return Malformed("length out of bounds");
  }
  // Reading records is waiting for memory. Sizes are much alike: this is about where the one after
  // the next two begins. (An address beyond the batch does no harm.)
  __builtin_prefetch(rest_.data() + 3 * static_cast<std::size_t>(size));
  std::string_view body = rest_.substr(0, static_cast<std::size_t>(size));
  if (body.empty()) return Malformed("empty");
  body.remove_prefix(1);  // attributes
  int64_t timestamp_delta;
  int32_t offset_delta;
  if (!codec::ReadVarlong(body, timestamp_delta) || !codec::ReadVarint(body, offset_delta)) {
    return Malformed("deltas cut off");
  }
  if (offset_delta != next_) return Malformed("offset delta out of order");
  if (!ReadNullable(body, record.key)) return Malformed("key out of bounds");
  if (!ReadNullable(body, record.value)) return Malformed("value out of bounds");
  if (!codec::ReadVarint(body, record.header_count) || record.header_count < 0 ||
      static_cast<std::size_t>(record.header_count) > body.size() / 2) {
    return Malformed("header count out of bounds");
  }
  record.headers_bytes = body;
  for (int32_t i = 0; i < record.header_count; ++i) {
    std::string_view key;
    std::string_view value;
    if (!ReadNullable(body, key) || key.data() == nullptr || !ReadNullable(body, value)) {
      return Malformed("header out of bounds");
    }
  }
  if (!body.empty()) return Malformed("bytes after the last header");
  record.offset = base_offset_ + offset_delta;
  int64_t timestamp;
  if (__builtin_add_overflow(base_timestamp_ms_, timestamp_delta, &timestamp)) {
    return Malformed("timestamp out of bounds");
  }
  record.timestamp_ms = log_append_time_ ? append_time_ms_ : timestamp;
  rest_.remove_prefix(static_cast<std::size_t>(size));
  ++next_;
  return true;
}

void StampBaseOffset(char* batch, Offset base_offset) {
  StoreBigEndian<int64_t>(batch + kBaseOffset, base_offset);
}

base::Status CheckBatch(std::string_view bytes) {
  ASSIGN_OR_RETURN(const RecordBatchView batch, RecordBatchView::Parse(bytes));
  TRY(batch.CheckCrc());
  if (batch.compressed()) return {};
  RecordReader reader(batch);
  RecordView record;
  while (reader.Next(record)) {
  }
  return reader.status();
}

}  // namespace millstream::log
