#include "log/segment.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "codec/big_endian.h"

namespace millstream::log {
namespace {

using base::Code;
using base::Fail;
using codec::LoadBigEndian;
using codec::StoreBigEndian;

constexpr std::size_t kNameDigits = 20;
constexpr std::size_t kReadAhead = 64u << 10;

void AppendIndexEntry(base::Buffer& to, Offset relative, uint64_t position) {
  char* at = to.Room(kIndexEntryBytes);
  StoreBigEndian(at, static_cast<uint32_t>(relative));
  StoreBigEndian(at + 4, static_cast<uint32_t>(position));
  to.Commit(kIndexEntryBytes);
}

void AppendTimeIndexEntry(base::Buffer& to, int64_t timestamp_ms, Offset relative) {
  char* at = to.Room(kTimeIndexEntryBytes);
  StoreBigEndian(at, timestamp_ms);
  StoreBigEndian(at + 8, static_cast<uint32_t>(relative));
  to.Commit(kTimeIndexEntryBytes);
}

base::Result<std::unique_ptr<base::File>> OpenAtLength(base::FileSystem& files,
                                                       const std::string& path, uint64_t length) {
  ASSIGN_OR_RETURN(auto file, files.Open(path, {.write = true, .create = length == 0}));
  ASSIGN_OR_RETURN(const uint64_t found, file->Size());
  if (found < length) {
    return Fail(Code::kDataLoss, "segment length: " + path + ", expected " +
                                     std::to_string(length) + ", found " + std::to_string(found));
  }
  if (found > length) TRY(file->Truncate(length));
  return file;
}

// The greatest entry of an index file for which `before` holds, by binary search. Entries are in
// ascending order. nullopt when it holds for none.
template <typename Entry, typename Decode, typename Before>
base::Result<std::optional<Entry>> LastBefore(base::File& file, uint64_t bytes,
                                              std::size_t entry_bytes, const Decode& decode,
                                              const Before& before) {
  uint64_t low = 0;
  uint64_t high = bytes / entry_bytes;
  std::optional<Entry> best;
  char raw[kTimeIndexEntryBytes];
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    ASSIGN_OR_RETURN(const std::size_t got, file.ReadAt(middle * entry_bytes, raw, entry_bytes));
    if (got < entry_bytes) {
      high = middle;
      continue;
    }
    const Entry entry = decode(std::string_view(raw, entry_bytes));
    if (before(entry)) {
      best = entry;
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return best;
}

// Reads one stretch of the log file and takes the batches from `from` on out of it.
// `position` is the beginning of a batch that starts at or before `from`.
class SegmentScan {
 public:
  SegmentScan(base::File& file, const SegmentInfo& info, uint64_t position)
      : file_(file), info_(info), position_(position) {}

  base::Result<std::vector<StoredBatch>> Collect(Offset from, ReadLimits limits) {
    std::vector<StoredBatch> batches;
    std::size_t bytes = 0;
    int32_t records = 0;
    Offset expected = -1;
    while (position_ < info_.bytes) {
      ASSIGN_OR_RETURN(const std::size_t size, LoadBatch(limits.bytes_max - bytes));
      const std::string_view whole = chunk_.view().substr(position_ - chunk_start_, size);
      auto batch = RecordBatchView::Parse(whole);
      if (!batch) return Damage(batch.error().message());
      if (expected >= 0 && batch->base_offset() != expected) {
        return Damage("expected offset " + std::to_string(expected) + ", found " +
                      std::to_string(batch->base_offset()));
      }
      expected = batch->next_offset();
      if (batch->base_offset() < info_.base || expected > info_.end) {
        return Damage("offset out of the segment: found " + std::to_string(batch->base_offset()));
      }
      if (batch->last_offset() >= from) {
        if (batches.empty() && batch->base_offset() > from) {
          return Damage("expected offset " + std::to_string(from) + ", found " +
                        std::to_string(batch->base_offset()));
        }
        if (!batches.empty() && bytes + size > limits.bytes_max) break;
        if (auto sum = batch->CheckCrc(); !sum) return Damage(sum.error().message());
        batches.push_back({chunk_.Slice(position_ - chunk_start_, size), batch->base_offset(),
                           batch->record_count(), batch->max_timestamp_ms()});
        bytes += size;
        records += batch->record_count();
        if (records >= limits.records_max || bytes >= limits.bytes_max) break;
      }
      position_ += size;
    }
    if (batches.empty()) return Damage("expected offset " + std::to_string(from) + ", found the end");
    return batches;
  }

 private:
  // Makes the batch at position_ part of the chunk; returns its size.
  base::Result<std::size_t> LoadBatch(std::size_t wanted) {
    uint64_t have = chunk_start_ + chunk_.size();
    if (position_ < chunk_start_ || position_ + kBatchHeaderBytes > have) {
      TRY(Load(std::max(wanted, kReadAhead)));
      have = chunk_start_ + chunk_.size();
    }
    const auto size =
        RecordBatchView::SizeFromPrefix(chunk_.view().substr(position_ - chunk_start_));
    if (!size) return Damage("no batch length");
    if (position_ + *size > info_.bytes) {
      return Damage("expected a batch of at most " + std::to_string(info_.bytes - position_) +
                    " bytes, found " + std::to_string(*size));
    }
    if (position_ + *size > have) {
      TRY(Load(std::max(wanted, *size)));
      if (chunk_.size() < *size) return Damage("batch cut off by the end of the file");
    }
    return *size;
  }

  base::Status Load(std::size_t size) {
    size = static_cast<std::size_t>(std::min<uint64_t>(size, info_.bytes - position_));
    base::Buffer buffer(size);
    ASSIGN_OR_RETURN(const std::size_t got, file_.ReadAt(position_, buffer.Room(size), size));
    buffer.Commit(got);
    chunk_ = std::move(buffer).Share();
    chunk_start_ = position_;
    if (got < size) {
      return Damage("expected " + std::to_string(info_.bytes) + " bytes in the file, found " +
                    std::to_string(position_ + got));
    }
    return {};
  }

  tl::unexpected<base::Error> Damage(const std::string& what) const {
    return Fail(Code::kDataLoss, "segment " + file_.path() + " at " + std::to_string(position_) +
                                     ": " + what);
  }

  base::File& file_;
  const SegmentInfo& info_;
  uint64_t position_;
  base::Bytes chunk_;
  uint64_t chunk_start_ = 0;
};

}  // namespace

std::string LogDirectory(std::string_view root, LogId log) {
  const std::string name = LogIdText(log);
  // 256 directories between, so that none has many thousand entries.
  return std::string(root) + "/logs/" + name.substr(14) + "/" + name;
}

std::string SegmentPath(std::string_view log_directory, Offset base, std::string_view suffix) {
  const std::string digits = std::to_string(base);
  std::string path(log_directory);
  path += '/';
  path.append(kNameDigits - digits.size(), '0');
  path += digits;
  path += suffix;
  return path;
}

std::optional<Offset> SegmentBaseFromName(std::string_view name, std::string_view* suffix) {
  if (name.size() <= kNameDigits || name[0] != '0') return std::nullopt;  // int64 has 19 digits
  Offset base = 0;
  for (char c : name.substr(0, kNameDigits)) {
    if (c < '0' || c > '9') return std::nullopt;
    if (__builtin_mul_overflow(base, 10, &base) || __builtin_add_overflow(base, c - '0', &base)) {
      return std::nullopt;
    }
  }
  *suffix = name.substr(kNameDigits);
  if (*suffix != ".log" && *suffix != ".index" && *suffix != ".timeindex") return std::nullopt;
  return base;
}

IndexEntry DecodeIndexEntry(std::string_view bytes, Offset base) {
  return {base + LoadBigEndian<uint32_t>(bytes.data()),
          LoadBigEndian<uint32_t>(bytes.data() + 4)};
}

TimeIndexEntry DecodeTimeIndexEntry(std::string_view bytes, Offset base) {
  return {LoadBigEndian<int64_t>(bytes.data()),
          base + LoadBigEndian<uint32_t>(bytes.data() + 8)};
}

base::Result<std::unique_ptr<SegmentWriter>> SegmentWriter::Open(base::FileSystem& files,
                                                                 const std::string& log_directory,
                                                                 const SegmentInfo& info) {
  auto writer = std::make_unique<SegmentWriter>();
  writer->base_ = info.base;
  // Index files may be cut to nothing and still belong to a segment with content.
  ASSIGN_OR_RETURN(writer->log_, OpenAtLength(files, SegmentPath(log_directory, info.base, ".log"),
                                              info.bytes));
  ASSIGN_OR_RETURN(writer->index_,
                   OpenAtLength(files, SegmentPath(log_directory, info.base, ".index"),
                                info.index_bytes));
  ASSIGN_OR_RETURN(writer->time_index_,
                   OpenAtLength(files, SegmentPath(log_directory, info.base, ".timeindex"),
                                info.time_index_bytes));
  writer->files_ = &files;
  const uint64_t tail_start = info.bytes / AlignedBuffer::kAlignment * AlignedBuffer::kAlignment;
  writer->tail_.resize(static_cast<std::size_t>(info.bytes - tail_start));
  ASSIGN_OR_RETURN(const std::size_t got, writer->log_->ReadAt(tail_start, writer->tail_.data(),
                                                               writer->tail_.size()));
  if (got != writer->tail_.size()) {
    return Fail(Code::kDataLoss, "segment length: " + writer->log_->path() + ", expected " +
                                     std::to_string(info.bytes) + ", found " +
                                     std::to_string(tail_start + got));
  }
  return writer;
}

base::Status SegmentWriter::Append(std::span<const StoredBatch> batches, SegmentInfo& info,
                                   std::size_t direct_bytes_min, AlignedBuffer& staging) {
  SegmentInfo next = info;
  base::Buffer index;
  base::Buffer time_index;
  std::size_t total = tail_.size();
  for (const StoredBatch& batch : batches) total += batch.bytes.size();
  // The block that the log ends in is written again, whole, with what it has already.
  staging.Require(AlignUp(total));
  std::memcpy(staging.data(), tail_.data(), tail_.size());
  char* to = staging.data() + tail_.size();
  for (const StoredBatch& batch : batches) {
    CHECK_MSG(batch.base_offset == next.end, "segment offsets have a gap");
    const Offset last = batch.next_offset() - 1;
    if (next.bytes == 0) {
      const auto view = RecordBatchView::Parse(batch.bytes.view());
      next.first_timestamp_ms = view ? view->base_timestamp_ms() : batch.max_timestamp_ms;
      next.max_timestamp_ms = batch.max_timestamp_ms;
      next.max_timestamp_offset = last;
    } else if (batch.max_timestamp_ms > next.max_timestamp_ms) {
      next.max_timestamp_ms = batch.max_timestamp_ms;
      next.max_timestamp_offset = last;
    }
    // Kafka's rule: an entry for the first batch after an interval, giving its last offset and
    // where it begins.
    if (next.bytes_since_index > kIndexIntervalBytes) {
      AppendIndexEntry(index, last - next.base, next.bytes);
      if (next.max_timestamp_ms > next.indexed_timestamp_ms) {
        AppendTimeIndexEntry(time_index, next.max_timestamp_ms,
                             next.max_timestamp_offset - next.base);
        next.indexed_timestamp_ms = next.max_timestamp_ms;
      }
      next.bytes_since_index = 0;
    }
    std::memcpy(to, batch.bytes.data(), batch.bytes.size());
    to += batch.bytes.size();
    next.bytes += batch.bytes.size();
    next.bytes_since_index += batch.bytes.size();
    next.end = batch.next_offset();
  }
  if (total - tail_.size() >= direct_bytes_min) {
    if (!direct_log_) {
      ASSIGN_OR_RETURN(direct_log_,
                       files_->Open(log_->path(), {.write = true, .direct = true}));
    }
    std::memset(to, 0, AlignUp(total) - total);
    padded_ = true;
    TRY(direct_log_->WriteAt(info.bytes - tail_.size(), staging.view(AlignUp(total))));
  } else {
    TRY(log_->WriteAt(info.bytes, staging.view(total).substr(tail_.size())));
  }
  if (!index.empty()) TRY(index_->WriteAt(info.index_bytes, index.view()));
  if (!time_index.empty()) TRY(time_index_->WriteAt(info.time_index_bytes, time_index.view()));
  next.index_bytes += index.size();
  next.time_index_bytes += time_index.size();
  const std::size_t tail_bytes = total % AlignedBuffer::kAlignment;
  tail_.assign(staging.data() + (total - tail_bytes), tail_bytes);
  info = next;
  return {};
}

base::Status SegmentWriter::CutPadding(const SegmentInfo& info) {
  if (padded_) TRY(log_->Truncate(info.bytes));
  padded_ = false;
  return {};
}

base::Status SegmentWriter::Close(SegmentInfo& info) {
  TRY(CutPadding(info));
  if (info.max_timestamp_ms <= info.indexed_timestamp_ms) return {};
  base::Buffer entry;
  AppendTimeIndexEntry(entry, info.max_timestamp_ms, info.max_timestamp_offset - info.base);
  TRY(time_index_->WriteAt(info.time_index_bytes, entry.view()));
  info.time_index_bytes += entry.size();
  info.indexed_timestamp_ms = info.max_timestamp_ms;
  return {};
}

base::Result<std::vector<StoredBatch>> ReadSegment(FileCache& cache,
                                                   const std::string& log_directory,
                                                   const SegmentInfo& info, Offset from,
                                                   ReadLimits limits, bool* index_damaged) {
  CHECK(from >= info.base && from < info.end);
  *index_damaged = false;
  ASSIGN_OR_RETURN(auto log, cache.Open(SegmentPath(log_directory, info.base, ".log")));
  uint64_t position = 0;
  if (info.index_bytes > 0) {
    ASSIGN_OR_RETURN(auto index, cache.Open(SegmentPath(log_directory, info.base, ".index")));
    ASSIGN_OR_RETURN(
        const auto entry,
        (LastBefore<IndexEntry>(
            *index, info.index_bytes, kIndexEntryBytes,
            [&](std::string_view raw) { return DecodeIndexEntry(raw, info.base); },
            [&](const IndexEntry& e) { return e.offset <= from; })));
    if (entry) position = entry->position;
  }
  if (position > 0) {
    // The index is only a hint: what it points at must be a batch of the right offsets.
    char prefix[kBatchHeaderBytes];
    ASSIGN_OR_RETURN(const std::size_t got, log->ReadAt(position, prefix, sizeof(prefix)));
    const std::string_view header(prefix, got);
    const bool sane = position < info.bytes && got == sizeof(prefix) && prefix[16] == 2 &&
                      RecordBatchView::SizeFromPrefix(header).has_value() &&
                      LoadBigEndian<int64_t>(prefix) >= info.base &&
                      LoadBigEndian<int64_t>(prefix) <= from;
    if (sane) {
      auto batches = SegmentScan(*log, info, position).Collect(from, limits);
      if (batches) return batches;
    }
    *index_damaged = !sane;
  }
  // Right away when the index has nothing, and as the judge when what it led to did not read well:
  // the search from the start names the first place that is damaged.
  auto batches = SegmentScan(*log, info, 0).Collect(from, limits);
  if (batches && position > 0) *index_damaged = true;
  return batches;
}

base::Result<Offset> LowerBoundByTime(FileCache& cache, const std::string& log_directory,
                                      const SegmentInfo& info, int64_t timestamp_ms) {
  if (info.time_index_bytes == 0) return info.base;
  ASSIGN_OR_RETURN(auto file, cache.Open(SegmentPath(log_directory, info.base, ".timeindex")));
  ASSIGN_OR_RETURN(
      const auto entry,
      (LastBefore<TimeIndexEntry>(
          *file, info.time_index_bytes, kTimeIndexEntryBytes,
          [&](std::string_view raw) { return DecodeTimeIndexEntry(raw, info.base); },
          [&](const TimeIndexEntry& e) { return e.timestamp_ms < timestamp_ms; })));
  if (!entry || entry->offset < info.base || entry->offset >= info.end) return info.base;
  return entry->offset + 1;
}

}  // namespace millstream::log
