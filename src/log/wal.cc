#include "log/wal.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/logging.h"
#include "base/random.h"
#include "log/file_window.h"

namespace millstream::log {
namespace {

using base::Code;
using base::Fail;

constexpr std::string_view kFilePrefix = "wal-";
constexpr std::size_t kZeroStep = 1u << 20;
constexpr uint64_t kPrepareStep = 8u << 20;    // what the writer may have to wait for
constexpr uint64_t kPrepareAhead = 64u << 20;  // distance that the builder keeps to the writer

std::string FileName(uint64_t number) {
  std::string digits = std::to_string(number);
  return std::string(kFilePrefix) + std::string(6 - std::min<std::size_t>(6, digits.size()), '0') +
         digits;
}

}  // namespace

bool IsNoSpace(const base::Error& error) {
  return error.code() == Code::kUnavailable &&
         error.message().find("no space left") != std::string::npos;
}

Wal::Wal(base::FileSystem& files, WalOptions options)
    : files_(files), options_(std::move(options)) {
  CHECK_MSG(options_.file_bytes % kWalBlockBytes == 0 && options_.file_bytes >= 4 * kWalBlockBytes,
            "WAL file size");
}

Wal::~Wal() = default;

base::Result<std::shared_ptr<Wal::WalFile>> Wal::OpenFile(const std::string& name, bool create) {
  auto file = std::make_shared<WalFile>();
  file->path = options_.directory + "/" + name;
  base::OpenOptions how{.write = true, .create = create, .direct_sync = options_.direct_sync};
  ASSIGN_OR_RETURN(file->file, files_.Open(file->path, how));
  ASSIGN_OR_RETURN(file->reader, files_.Open(file->path, {}));
  ASSIGN_OR_RETURN(file->prepared, file->file->Size());
  file->prepared = file->prepared / kWalBlockBytes * kWalBlockBytes;
  return file;
}

// ------------------------------------------------------------------------------------- recovery

base::Status Wal::Recover(
    uint64_t floor, uint64_t newest,
    const std::function<base::Status(const WalFrame&, WalPosition)>& visit, WalScan& scan) {
  ASSIGN_OR_RETURN(auto entries, files_.List(options_.directory));
  std::map<uint64_t, std::pair<std::shared_ptr<WalFile>, WalFileHeader>> found;
  uint64_t newest_seen = std::max(newest, floor - 1);
  for (const base::DirectoryEntry& entry : entries) {
    if (entry.name.rfind(kFilePrefix, 0) != 0) continue;
    ASSIGN_OR_RETURN(auto file, OpenFile(entry.name, false));
    ++file_count_;
    next_name_ = std::max<uint64_t>(
        next_name_, std::strtoull(entry.name.c_str() + kFilePrefix.size(), nullptr, 10) + 1);
    char start[kWalBlockBytes + kGroupHeaderBytes];
    ASSIGN_OR_RETURN(std::size_t got, file->reader->ReadAt(0, start, sizeof(start)));
    const std::string_view bytes(start, got);
    const auto header = DecodeWalFileHeader(bytes);
    if (!header) {
      // Never used, or its header write was cut off: then no group of the new life followed it.
      const auto group = got > kWalBlockBytes ? DecodeGroupHeader(bytes.substr(kWalBlockBytes))
                                              : std::nullopt;
      if (group && group->generation >= floor) {
        return Fail(Code::kDataLoss, "write-ahead log header: " + file->path +
                                         " at 0: expected generation " +
                                         std::to_string(group->generation) +
                                         ", found a bad checksum");
      }
      free_.push_back(std::move(file));
      continue;
    }
    newest_seen = std::max(newest_seen, header->generation);
    file->generation = header->generation;
    file->salt = header->salt;
    if (header->generation < floor) {
      free_.push_back(std::move(file));
    } else if (!found.emplace(header->generation, std::pair(file, *header)).second) {
      return Fail(Code::kDataLoss, "write-ahead log generation " +
                                       std::to_string(header->generation) + " twice: " +
                                       file->path);
    }
  }
  for (uint64_t generation = floor; generation <= newest_seen; ++generation) {
    if (found.contains(generation)) continue;
    return Fail(Code::kDataLoss, "write-ahead log in " + options_.directory +
                                     ": expected generation " + std::to_string(generation) +
                                     ", found none (files of " + std::to_string(floor) + " to " +
                                     std::to_string(newest_seen) + " are needed)");
  }
  for (auto it = found.begin(); it != found.end(); ++it) {
    auto next = std::next(it);
    const bool last = next == found.end();
    WalFile& file = *it->second.first;
    TRY(ScanFile(file, last ? file.prepared : next->second.second.previous_end, last, visit, scan));
    live_.emplace(it->first, it->second.first);
    previous_end_ = file.end;
  }
  next_generation_ = newest_seen + 1;
  durable_ = {newest_seen, previous_end_};
  return {};
}

// Reads the groups of one file up to `stop_at`, or up to the torn tail when it is the newest file.
base::Status Wal::ScanFile(
    WalFile& file, uint64_t stop_at, bool newest,
    const std::function<base::Status(const WalFrame&, WalPosition)>& visit, WalScan& scan) {
  FileWindow window(*file.reader, file.prepared);
  std::vector<WalFrame> frames;
  std::vector<LogId> touched;
  uint64_t at = kWalBlockBytes;
  uint64_t sequence = 0;
  std::string why;
  while (at < stop_at) {
    ASSIGN_OR_RETURN(std::string_view bytes, window.Show(at, kWalBlockBytes));
    const auto header = DecodeGroupHeader(bytes);
    if (!header || header->generation != file.generation || header->salt != file.salt ||
        header->position != at || header->sequence != sequence ||
        header->length < kGroupHeaderBytes || header->length > options_.file_bytes - at) {
      why = "expected group " + std::to_string(sequence) + ", found " +
            (header ? "one of generation " + std::to_string(header->generation) : "none");
      break;
    }
    const auto length = static_cast<std::size_t>(header->length);
    ASSIGN_OR_RETURN(bytes, window.Show(at, length));
    frames.clear();
    base::Status status = bytes.size() == length
                              ? DecodeFrames(*header, bytes, frames)
                              : Fail(Code::kDataLoss, "group is longer than the file");
    if (!status) {
      why = status.error().message();
      scan.torn_bytes += header->length;
      break;
    }
    for (const WalFrame& frame : frames) {
      touched.push_back(frame.log);
      if (auto ok = visit(frame, {file.generation, frame.payload_position}); !ok) {
        return Fail(ok.error().code(), file.path + " at " + std::to_string(at) + ": " +
                                           ok.error().message());
      }
    }
    at += AlignUp(header->length);
    ++sequence;
  }
  scan.bytes_scanned += window.bytes_read();
  if (at < stop_at && !newest) {
    return Fail(Code::kDataLoss, "write-ahead log group: " + file.path + " at " +
                                     std::to_string(at) + ": " + why + ", though the file's end is " +
                                     std::to_string(stop_at));
  }
  if (at < stop_at) TRY(FindLaterWitness(file, at, why));
  file.end = at;
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  file.touched = std::move(touched);
  return {};
}

// The scan stopped at `bad`. If a later group says that everything up to it was durable, then what
// is at `bad` is damage and not the torn end.
base::Status Wal::FindLaterWitness(WalFile& file, uint64_t bad, const std::string& why) {
  FileWindow window(*file.reader, file.prepared);
  for (uint64_t at = bad + kWalBlockBytes; at < file.prepared; at += kWalBlockBytes) {
    ASSIGN_OR_RETURN(std::string_view bytes, window.Show(at, kWalBlockBytes));
    const auto header = DecodeGroupHeader(bytes);
    if (header && header->generation == file.generation && header->salt == file.salt &&
        header->position == at && header->durable > WalPosition{file.generation, bad}) {
      return Fail(Code::kDataLoss, "write-ahead log group: " + file.path + " at " +
                                       std::to_string(bad) + ": " + why +
                                       ", though the group at " + std::to_string(at) +
                                       " was written after it was durable");
    }
  }
  return {};
}

// -------------------------------------------------------------------------------------- writing

base::Result<bool> Wal::Activate() {
  if (active_ && !options_.direct_sync) {
    // Invariant: a file is durable as a whole before the next one's header says where it ends.
    TRY(active_->file->Sync());
  }
  std::shared_ptr<WalFile> next;
  {
    std::lock_guard lock(mutex_);
    if (free_.empty()) return false;
    next = free_.front();
    // The builder may be filling it; it owns the file until then.
    if (preparing_ == next.get()) return false;
  }
  if (active_) {
    active_->end = position_.load();
    previous_end_ = active_->end;
  }
  WalFileHeader header;
  header.generation = next_generation_;
  header.previous_end = previous_end_;
  base::SystemRandom random;
  header.salt = static_cast<uint32_t>(random.Next64());
  staging_.Require(kWalBlockBytes);
  EncodeWalFileHeader(header, staging_.data());
  TRY(next->file->WriteAt(0, staging_.view(kWalBlockBytes)));
  if (!options_.direct_sync) TRY(next->file->Sync());
  {
    std::lock_guard lock(mutex_);
    free_.pop_front();
    next->generation = header.generation;
    next->salt = header.salt;
    next->end = kWalBlockBytes;
    next->touched.clear();
    next->prepared = std::max(next->prepared, uint64_t{kWalBlockBytes});
    live_.emplace(header.generation, next);
    active_ = std::move(next);
    active_generation_.store(header.generation);
    ++next_generation_;
  }
  position_.store(kWalBlockBytes);
  sequence_ = 0;
  durable_ = {header.generation, kWalBlockBytes};
  return true;
}

uint64_t Wal::room() const {
  return active_ ? options_.file_bytes - position_.load(std::memory_order_relaxed) : 0;
}

base::Status Wal::WriteGroup(std::span<WalItem> items, uint64_t* written) {
  const uint64_t position = position_.load(std::memory_order_relaxed);
  std::size_t length = kGroupHeaderBytes;
  for (const WalItem& item : items) length += FrameBytes(item.payload.size());
  const std::size_t padded = AlignUp(length);
  CHECK_MSG(padded <= room(), "group does not fit the WAL file");

  staging_.Require(padded);
  GroupHeader header;
  header.generation = active_->generation;
  header.salt = active_->salt;
  header.frame_count = static_cast<uint32_t>(items.size());
  header.position = position;
  header.length = length;
  header.durable = options_.direct_sync ? WalPosition{active_->generation, position} : durable_;
  header.sequence = sequence_;
  EncodeGroupHeader(header, staging_.data());
  char* to = staging_.data() + kGroupHeaderBytes;
  for (WalItem& item : items) {
    EncodeFrameHeader(item.type, header.generation, item.log, item.base_offset, item.record_count,
                      item.payload, to);
    to += kFrameHeaderBytes;
    item.position = {header.generation, position + static_cast<uint64_t>(to - staging_.data())};
    if (!item.payload.empty()) std::memcpy(to, item.payload.data(), item.payload.size());
    to += item.payload.size();
    const std::size_t padding = FramePaddingBytes(item.payload.size());
    std::memset(to, 0, padding);
    to += padding;
  }
  CHECK(to == staging_.data() + length);
  std::memset(to, 0, padded - length);
  {
    // Past what the builder has filled the writer extends the file itself, unless the builder is
    // just filling that part: its zeros must not land on our bytes.
    std::unique_lock lock(mutex_);
    if (position + padded > active_->prepared) {
      prepared_.wait(lock, [&] { return preparing_ != active_.get(); });
      active_->prepared = std::max(active_->prepared, position + padded);
    }
  }
  TRY(active_->file->WriteAt(position, staging_.view(padded)));
  position_.store(position + padded);
  ++sequence_;
  *written = padded;
  return {};
}

base::Status Wal::SyncFile(uint64_t generation) {
  std::shared_ptr<WalFile> file;
  {
    std::lock_guard lock(mutex_);
    auto it = live_.find(generation);
    if (it == live_.end()) return {};  // retired: its batches are in synced segments
    file = it->second;
  }
  return file->file->Sync();
}

bool Wal::wants_preparation() const {
  std::lock_guard lock(mutex_);
  if (!active_) return false;
  const uint64_t position = position_.load();
  if (active_->prepared < options_.file_bytes && active_->prepared < position + kPrepareAhead / 2) {
    return true;
  }
  return position > options_.file_bytes / 2 && free_.empty() && file_count_ < options_.files_max;
}

// ------------------------------------------------------------------------------------- building

base::Status Wal::FillZeros(WalFile& file, uint64_t from, uint64_t to) {
  if (zeros_.capacity() == 0) {
    zeros_.Require(kZeroStep);
    std::memset(zeros_.data(), 0, kZeroStep);
  }
  while (from < to) {
    const auto step = static_cast<std::size_t>(std::min<uint64_t>(kZeroStep, to - from));
    TRY(file.file->WriteAt(from, zeros_.view(step)));
    from += step;
  }
  return {};
}

base::Result<bool> Wal::Prepare(bool file_needed) {
  std::shared_ptr<WalFile> file;
  uint64_t from = 0;
  uint64_t to = 0;
  bool create = false;
  {
    std::lock_guard lock(mutex_);
    // Files that a reader held when they were retired.
    std::erase_if(lingering_, [&](std::shared_ptr<WalFile>& held) {
      if (held.use_count() > 1) return false;
      free_.push_back(std::move(held));
      return true;
    });
    const uint64_t position = position_.load();
    auto target = [&](const WalFile& of, uint64_t writer_at) {
      return std::min({options_.file_bytes, AlignUp(writer_at) + kPrepareAhead,
                       of.prepared + kPrepareStep});
    };
    if (active_ && active_->prepared < std::min(options_.file_bytes, position + kPrepareAhead)) {
      file = active_;
      to = target(*file, position);
    } else if (!free_.empty() && active_ && position > options_.file_bytes / 2 &&
               free_.front()->prepared < std::min(options_.file_bytes, kPrepareAhead)) {
      file = free_.front();
      to = target(*file, 0);
    } else if (free_.empty() && file_count_ < options_.files_max &&
               (file_needed || (active_ && position > options_.file_bytes / 2))) {
      create = true;
    }
    if (file) {
      preparing_ = file.get();
      from = file->prepared;
    }
  }
  if (create) {
    const std::string name = FileName(next_name_);
    ASSIGN_OR_RETURN(file, OpenFile(name, true));
    to = std::min<uint64_t>(options_.file_bytes, 1u << 20);
    base::Status filled = FillZeros(*file, file->prepared, to);
    if (filled && !options_.direct_sync) filled = file->file->Sync();
    if (filled) filled = files_.SyncDirectory(options_.directory);
    if (!filled) {
      const std::string path = file->path;
      file.reset();
      (void)files_.Remove(path);
      return Fail(std::move(filled).error());
    }
    ++next_name_;
    std::lock_guard lock(mutex_);
    file->prepared = to;
    ++file_count_;
    free_.push_back(std::move(file));
    return true;
  }
  if (!file) return false;
  const base::Status filled = FillZeros(*file, from, to);
  {
    std::lock_guard lock(mutex_);
    preparing_ = nullptr;
    if (filled) file->prepared = std::max(file->prepared, to);
  }
  prepared_.notify_all();
  if (!filled) return Fail(filled.error());
  return true;
}

std::vector<uint64_t> Wal::ClosedGenerations() const {
  std::lock_guard lock(mutex_);
  std::vector<uint64_t> closed;
  for (const auto& [generation, file] : live_) {
    if (file != active_) closed.push_back(generation);
  }
  return closed;
}

std::vector<LogId> Wal::TouchedBy(uint64_t generation) const {
  std::lock_guard lock(mutex_);
  auto it = live_.find(generation);
  CHECK(it != live_.end() && it->second != active_);
  return it->second->touched;
}

void Wal::Retire(uint64_t generation) {
  std::lock_guard lock(mutex_);
  auto it = live_.find(generation);
  CHECK(it != live_.end() && it->second != active_);
  std::shared_ptr<WalFile> file = std::move(it->second);
  live_.erase(it);
  file->touched.clear();
  // A reader that found its batch here before it went to a segment may still be reading.
  if (file.use_count() > 1) {
    lingering_.push_back(std::move(file));
  } else {
    free_.push_back(std::move(file));
  }
}

bool Wal::has_free() const {
  std::lock_guard lock(mutex_);
  return !free_.empty() && preparing_ != free_.front().get();
}

uint64_t Wal::oldest_generation() const {
  std::lock_guard lock(mutex_);
  return live_.empty() ? next_generation_ : live_.begin()->first;
}

base::Result<base::Bytes> Wal::ReadPayload(WalPosition at, std::size_t size) const {
  std::shared_ptr<WalFile> file;
  {
    std::lock_guard lock(mutex_);
    auto it = live_.find(at.generation);
    if (it == live_.end()) return Fail(Code::kNotFound, "write-ahead log generation retired");
    file = it->second;
  }
  base::Buffer buffer(size);
  ASSIGN_OR_RETURN(std::size_t got, file->reader->ReadAt(at.position, buffer.Room(size), size));
  buffer.Commit(got);
  auto batch = RecordBatchView::Parse(buffer.view());
  base::Status status = batch ? batch->CheckCrc() : Fail(batch.error());
  if (status && batch->bytes().size() != size) {
    status = Fail(Code::kDataLoss, "expected " + std::to_string(size) + " bytes, found " +
                                       std::to_string(batch->bytes().size()));
  }
  if (!status) {
    return Fail(Code::kDataLoss, file->path + " at " + std::to_string(at.position) + ": " +
                                     status.error().message());
  }
  return std::move(buffer).Share();
}

}  // namespace millstream::log
