#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

// Kafka's RecordBatch, magic 2: the one form in which records travel and rest
// (docs/internals/segment-format.md).
namespace millstream::log {

// Position of a record in its log: 0, 1, 2 ... without gaps.
using Offset = int64_t;

inline constexpr std::size_t kBatchHeaderBytes = 61;
// The CRC-32C covers everything from here on; what comes before may be stamped later.
inline constexpr std::size_t kBatchCrcStart = 21;

// A batch as it goes in: one RecordBatch whose baseOffset field is still zero; the store stamps it
// (the CRC does not cover it).
struct Batch {
  base::Buffer bytes;
  int32_t record_count = 0;
  int64_t max_timestamp_ms = 0;
};

// A header of a record. Keys are short names; a value without data() is null.
struct RecordHeader {
  std::string_view key;
  std::string_view value;
};

// Writes records straight into the buffer that becomes the log's bytes: no copy is made later.
//
// Timestamps are of type CreateTime, although arrival times are what we store: with LogAppendTime
// Kafka's readers replace each record's time by the batch's, and the deltas would be lost.
// A key or value whose data() is null is written as Kafka's null. Not thread-safe.
class RecordBatchBuilder {
 public:
  // `capacity` is a guess of the final size; a good one saves copies while growing.
  explicit RecordBatchBuilder(int64_t base_timestamp_ms, std::size_t capacity = 4096);

  // The room that one record takes at most, for the guess above.
  static std::size_t RecordBytesMax(std::size_t key_bytes, std::size_t value_bytes,
                                    std::span<const RecordHeader> headers = {});

  void Add(std::string_view key, std::string_view value, std::span<const RecordHeader> headers = {},
           int64_t timestamp_delta_ms = 0);
  // Decodes the value, of size codec::Base64DecodedSize(base64_value), into its place. False, and
  // nothing is added, when it is not base64.
  [[nodiscard]] bool AddBase64(std::string_view key, std::string_view base64_value,
                               std::size_t value_size, std::span<const RecordHeader> headers = {},
                               int64_t timestamp_delta_ms = 0);
  // Adds a record whose value the caller writes to the returned place before the next call.
  [[nodiscard]] char* AddUnfilled(std::string_view key, std::size_t value_bytes,
                                  std::span<const RecordHeader> headers = {},
                                  int64_t timestamp_delta_ms = 0);
  // Takes the last record back. Once per Add.
  void DropLast();

  int32_t record_count() const { return record_count_; }
  std::size_t size() const { return buffer_.size(); }

  // Completes header and CRC. Requires a record at least. The builder is empty afterwards.
  Batch Finish() &&;

 private:
  struct Opened {
    char* value;
    std::size_t total;
  };
  // Writes a record up to its value and makes room for the rest and `slack`; Close writes what
  // follows the value, which ends at `value_end`.
  Opened Open(std::string_view key, std::size_t value_bytes, std::span<const RecordHeader> headers,
              int64_t timestamp_delta_ms, std::size_t slack);
  void Close(const Opened& record, char* value_end, std::span<const RecordHeader> headers,
             int64_t timestamp_delta_ms);

  base::Buffer buffer_;
  const int64_t base_timestamp_ms_;
  int64_t max_delta_ms_ = 0;
  int64_t max_delta_before_last_ms_ = 0;
  std::size_t last_start_ = 0;
  int32_t record_count_ = 0;
};

// A record inside a batch; the views live as long as the batch's bytes.
struct RecordView {
  Offset offset = 0;
  int64_t timestamp_ms = 0;
  std::string_view key;    // data() is null for Kafka's null
  std::string_view value;  // the same
  std::string_view headers_bytes;
  int32_t header_count = 0;

  // Looks one header up by its key; nullopt when absent.
  std::optional<std::string_view> Header(std::string_view name) const;
};

// The header of a batch and its bytes, with the bounds checked. Cheap to copy; owns nothing.
class RecordBatchView {
 public:
  // Reads the batch that `bytes` begins with. kDataLoss when it is not a whole batch. Does not
  // read the records: CheckCrc() for their integrity, RecordReader for their structure.
  static base::Result<RecordBatchView> Parse(std::string_view bytes);

  // Bytes that the batch takes, from its first 12 bytes; nullopt when that is no sane length.
  static std::optional<std::size_t> SizeFromPrefix(std::string_view first_12_bytes);

  base::Status CheckCrc() const;

  std::string_view bytes() const { return bytes_; }
  Offset base_offset() const;
  Offset last_offset() const;
  Offset next_offset() const { return last_offset() + 1; }
  uint32_t crc() const;
  int16_t attributes() const;
  int64_t base_timestamp_ms() const;
  int64_t max_timestamp_ms() const;
  int64_t producer_id() const;
  int32_t record_count() const;
  bool compressed() const { return (attributes() & 0x7) != 0; }
  bool log_append_time() const { return (attributes() & 0x8) != 0; }

 private:
  explicit RecordBatchView(std::string_view bytes) : bytes_(bytes) {}
  std::string_view bytes_;
};

// Walks the records of a batch.
//
//   RecordReader reader(batch);
//   RecordView record;
//   while (reader.Next(record)) ...
//   if (!reader.status()) ...
class RecordReader {
 public:
  explicit RecordReader(const RecordBatchView& batch);

  // False at the end and at the first malformed record.
  bool Next(RecordView& record);
  // kDataLoss for malformed records, kNotSupported for a compressed batch.
  const base::Status& status() const { return status_; }

 private:
  bool Malformed(const char* what);

  std::string_view rest_;
  Offset base_offset_;
  int64_t base_timestamp_ms_;
  int64_t append_time_ms_;  // for LogAppendTime batches
  bool log_append_time_;
  int32_t count_;
  int32_t next_ = 0;
  base::Status status_;
};

// Writes the base offset into a batch.
void StampBaseOffset(char* batch, Offset base_offset);

// Everything that can be checked: header, CRC, each record. Compressed batches: header and CRC.
base::Status CheckBatch(std::string_view bytes);

}  // namespace millstream::log
