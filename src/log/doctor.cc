#include "log/doctor.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "log/file_window.h"
#include "log/manifest.h"
#include "log/wal.h"

namespace millstream::log {
namespace {

using base::Code;

class Examination {
 public:
  Examination(base::FileSystem& files, std::string directory)
      : files_(files), directory_(std::move(directory)) {}

  base::Result<DoctorReport> Run() {
    const std::string path = directory_ + "/manifest";
    ASSIGN_OR_RETURN(const std::string bytes, files_.ReadFile(path));
    auto manifest = DecodeManifest(bytes);
    if (!manifest) {
      Damage(path + ": " + manifest.error().message());
      return std::move(report_);
    }
    report_.logs = manifest->logs.size();
    for (const ManifestLog& log : manifest->logs) {
      ends_[log.id] = log.end_offset;
      const std::string directory = LogDirectory(directory_, log.id);
      std::set<Offset> known;
      for (const SegmentInfo& segment : log.segments) {
        known.insert(segment.base);
        ++report_.segments;
        TRY(CheckSegment(directory, segment));
      }
      TRY(FindLeftovers(directory, known));
    }
    TRY(CheckWal(*manifest));
    return std::move(report_);
  }

 private:
  void Damage(std::string what) {
    if (report_.damage.size() < DoctorReport::kDamageMax) report_.damage.push_back(std::move(what));
  }
  static std::string At(const std::string& path, uint64_t position) {
    return path + " at " + std::to_string(position) + ": ";
  }

  // A file that must be at least so long; null, with the damage noted, when it is not.
  base::Result<std::unique_ptr<base::File>> OpenChecked(const std::string& path, uint64_t bytes) {
    auto file = files_.Open(path, {});
    if (!file && file.error().code() == Code::kNotFound) {
      Damage(path + ": expected " + std::to_string(bytes) + " bytes, found no such file");
      return nullptr;
    }
    if (!file) return file;
    ASSIGN_OR_RETURN(const uint64_t found, (*file)->Size());
    if (found >= bytes) return file;
    Damage(path + ": expected " + std::to_string(bytes) + " bytes, found " + std::to_string(found));
    return nullptr;
  }

  base::Status CheckSegment(const std::string& directory, const SegmentInfo& segment) {
    const std::string log_path = SegmentPath(directory, segment.base, ".log");
    const std::string index_path = SegmentPath(directory, segment.base, ".index");
    const std::string time_path = SegmentPath(directory, segment.base, ".timeindex");
    ASSIGN_OR_RETURN(auto log, OpenChecked(log_path, segment.bytes));
    ASSIGN_OR_RETURN(auto index, OpenChecked(index_path, segment.index_bytes));
    ASSIGN_OR_RETURN(auto times, OpenChecked(time_path, segment.time_index_bytes));
    if (!log) return {};
    FileWindow window(*log, segment.bytes);
    // Both indexes name batches in ascending order: they are walked beside the log.
    uint64_t index_at = 0;
    uint64_t times_at = 0;
    int64_t indexed_before_ms = INT64_MIN;
    FileWindow index_bytes(index ? *index : *log, index ? segment.index_bytes : 0);
    FileWindow time_bytes(times ? *times : *log, times ? segment.time_index_bytes : 0);
    Offset expected = segment.base;
    uint64_t at = 0;
    while (at < segment.bytes) {
      ASSIGN_OR_RETURN(std::string_view bytes, window.Show(at, kBatchHeaderBytes));
      const auto size = RecordBatchView::SizeFromPrefix(bytes);
      if (!size || *size > segment.bytes - at) {
        Damage(At(log_path, at) + "expected a batch, found no valid length");
        break;
      }
      ASSIGN_OR_RETURN(bytes, window.Show(at, *size));
      if (auto checked = CheckBatch(bytes); !checked) {
        Damage(At(log_path, at) + checked.error().message());
      }
      auto batch = RecordBatchView::Parse(bytes);
      if (!batch) break;
      if (batch->base_offset() != expected) {
        Damage(At(log_path, at) + "expected offset " + std::to_string(expected) + ", found " +
               std::to_string(batch->base_offset()));
      }
      expected = batch->next_offset();
      ++report_.batches;
      report_.records += static_cast<uint64_t>(batch->record_count());

      ASSIGN_OR_RETURN(std::string_view raw, index_bytes.Show(index_at, kIndexEntryBytes));
      while (raw.size() == kIndexEntryBytes) {
        const IndexEntry entry = DecodeIndexEntry(raw, segment.base);
        if (entry.position > at) break;
        if (entry.position < at || entry.offset != batch->last_offset()) {
          Damage(At(index_path, index_at) + "expected a batch at " + std::to_string(entry.position) +
                 " that ends with offset " + std::to_string(entry.offset) + ", found none");
        }
        index_at += kIndexEntryBytes;
        ASSIGN_OR_RETURN(raw, index_bytes.Show(index_at, kIndexEntryBytes));
      }
      ASSIGN_OR_RETURN(raw, time_bytes.Show(times_at, kTimeIndexEntryBytes));
      while (raw.size() == kTimeIndexEntryBytes) {
        const TimeIndexEntry entry = DecodeTimeIndexEntry(raw, segment.base);
        if (entry.offset > batch->last_offset()) break;
        if (entry.offset != batch->last_offset() ||
            entry.timestamp_ms != batch->max_timestamp_ms() ||
            entry.timestamp_ms <= indexed_before_ms) {
          Damage(At(time_path, times_at) + "expected a batch that ends with offset " +
                 std::to_string(entry.offset) + " and timestamp " +
                 std::to_string(entry.timestamp_ms) + ", found none");
        }
        indexed_before_ms = entry.timestamp_ms;
        times_at += kTimeIndexEntryBytes;
        ASSIGN_OR_RETURN(raw, time_bytes.Show(times_at, kTimeIndexEntryBytes));
      }
      at += *size;
    }
    if (at == segment.bytes && expected != segment.end) {
      Damage(At(log_path, at) + "expected the end at offset " + std::to_string(segment.end) +
             ", found " + std::to_string(expected));
    }
    if (at == segment.bytes && (index_at < segment.index_bytes && index)) {
      Damage(At(index_path, index_at) + "entry beyond the end of the log");
    }
    if (at == segment.bytes && (times_at < segment.time_index_bytes && times)) {
      Damage(At(time_path, times_at) + "entry beyond the end of the log");
    }
    report_.segment_bytes += segment.bytes;
    return {};
  }

  base::Status FindLeftovers(const std::string& directory, const std::set<Offset>& known) {
    auto entries = files_.List(directory);
    if (!entries && entries.error().code() == Code::kNotFound && known.empty()) return {};
    if (!entries) return base::Fail(entries.error());
    for (const base::DirectoryEntry& entry : *entries) {
      std::string_view suffix;
      const auto base = SegmentBaseFromName(entry.name, &suffix);
      if (!base || !known.contains(*base)) {
        report_.leftovers.push_back(directory + "/" + entry.name);
      }
    }
    return {};
  }

  base::Status CheckWal(const Manifest& manifest) {
    // The size limit of a group is the file's; any file may be as long as the largest ever set.
    Wal wal(files_, {.directory = directory_ + "/wal",
                     .file_bytes = uint64_t{1} << 40,
                     .files_max = INT32_MAX,
                     .direct_sync = false});
    std::map<LogId, std::string> misfits;  // unless their log turns out to be deleted
    WalScan scan;
    auto visit = [&](const WalFrame& frame, WalPosition at) -> base::Status {
      if (frame.type == FrameType::kDelete) {
        ends_.erase(frame.log);
        misfits.erase(frame.log);
        return {};
      }
      if (misfits.contains(frame.log)) return {};
      ++report_.batches;
      report_.records += static_cast<uint64_t>(frame.record_count);
      if (auto checked = CheckBatch(frame.payload); !checked) {
        Damage("write-ahead log generation " + std::to_string(at.generation) + " at " +
               std::to_string(at.position) + ": " + checked.error().message());
      }
      auto [end, fresh] = ends_.try_emplace(frame.log, 0);
      report_.logs += fresh;
      const Offset next = frame.base_offset + frame.record_count;
      if (next <= end->second) return {};  // a segment has it
      if (frame.base_offset != end->second) {
        misfits[frame.log] = "log " + LogIdText(frame.log) + ": write-ahead log generation " +
                             std::to_string(at.generation) + " at " + std::to_string(at.position) +
                             ": expected offset " + std::to_string(end->second) + ", found " +
                             std::to_string(frame.base_offset);
        return {};
      }
      end->second = next;
      return {};
    };
    auto recovered = wal.Recover(manifest.wal_floor, manifest.wal_newest, visit, scan);
    if (!recovered && recovered.error().code() != Code::kDataLoss) return recovered;
    if (!recovered) Damage(recovered.error().message());
    for (const auto& [log, what] : misfits) Damage(what);
    report_.wal_bytes = scan.bytes_scanned;
    report_.torn_bytes = scan.torn_bytes;
    return {};
  }

  base::FileSystem& files_;
  const std::string directory_;
  DoctorReport report_;
  std::map<LogId, Offset> ends_;
};

}  // namespace

base::Result<DoctorReport> Examine(base::FileSystem& files, const std::string& directory) {
  return Examination(files, directory).Run();
}

}  // namespace millstream::log
