// Opening a data directory: the manifest says what segments have, the WAL has the rest.
#include <utility>

#include "base/logging.h"
#include "log/store_impl.h"

namespace millstream::log {
namespace {

using base::Code;
using base::Fail;

constexpr std::string_view kManifestName = "/manifest";

std::string ParentOf(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Creates a directory so that it, and each parent that was missing, survives a power cut.
base::Status CreateDurably(base::FileSystem& files, const std::string& path) {
  std::vector<std::string> parents;
  for (std::string up = path; up != "." && up != "/"; up = ParentOf(up)) {
    ASSIGN_OR_RETURN(const bool exists, files.Exists(up));
    if (exists) break;
    parents.push_back(ParentOf(up));
  }
  TRY(files.CreateDirectories(path));
  for (auto it = parents.rbegin(); it != parents.rend(); ++it) TRY(files.SyncDirectory(*it));
  return {};
}

}  // namespace

base::Status StoreImpl::Recover() {
  const int64_t started_ns = clock_.MonotonicNs();
  const std::string& directory = options_.directory;
  const std::string manifest_path = directory + std::string(kManifestName);
  Manifest manifest;
  ASSIGN_OR_RETURN(const bool known, files_.Exists(manifest_path));
  if (!known) {
    // The manifest is the first file of a new directory: if there is a log, it has been lost.
    ASSIGN_OR_RETURN(const bool wal, files_.Exists(directory + "/wal"));
    if (wal) {
      ASSIGN_OR_RETURN(const auto entries, files_.List(directory + "/wal"));
      if (!entries.empty()) {
        return Fail(Code::kDataLoss, "expected " + manifest_path + " beside " + directory +
                                         "/wal, found none");
      }
    }
    TRY(CreateDurably(files_, directory + "/wal"));
    TRY(CreateDurably(files_, directory + "/logs"));
    // A crash between these lines leaves names that nothing depends on yet.
    TRY(files_.SyncDirectory(ParentOf(directory)));
    TRY(files_.SyncDirectory(directory));
    TRY(files_.WriteFileAtomically(manifest_path, EncodeManifest(manifest)));
  } else {
    ASSIGN_OR_RETURN(const std::string bytes, files_.ReadFile(manifest_path));
    auto decoded = DecodeManifest(bytes);
    if (!decoded) return Fail(decoded.error().Within(manifest_path));
    manifest = std::move(*decoded);
  }
  logs_.reserve(manifest.logs.size());
  for (ManifestLog& from : manifest.logs) {
    auto log = std::make_shared<Log>(from.id);
    log->start_offset = from.start_offset;
    log->flushed_end = log->durable_end = log->assigned_end = from.end_offset;
    log->last_timestamp_ms = from.last_timestamp_ms;
    log->segments = std::move(from.segments);
    logs_.emplace(from.id, std::move(log));
  }

  // Logs with frames that do not fit; a later frame may say that the log was deleted.
  std::map<LogId, std::string> unknown;
  WalScan scan;
  TRY(wal_.Recover(
      manifest.wal_floor, manifest.wal_newest,
      [&](const WalFrame& frame, WalPosition at) { return VisitFrame(frame, at, unknown); }, scan));
  if (!unknown.empty()) return Fail(Code::kDataLoss, unknown.begin()->second);
  TRY(FindOrphans());

  recovery_.logs = logs_.size();
  recovery_.wal_bytes_scanned = scan.bytes_scanned;
  recovery_.torn_bytes_dropped = scan.torn_bytes;
  recovery_.duration_ms = (clock_.MonotonicNs() - started_ns) / 1'000'000;
  if (known) {
    LOG_INFO("log recovered", {"directory", directory}, {"logs", recovery_.logs},
             {"wal_bytes", recovery_.wal_bytes_scanned},
             {"batches_replayed", recovery_.batches_replayed},
             {"torn_bytes_dropped", recovery_.torn_bytes_dropped},
             {"ms", recovery_.duration_ms});
  }
  return {};
}

base::Status StoreImpl::VisitFrame(const WalFrame& frame, WalPosition at,
                                   std::map<LogId, std::string>& unknown) {
  auto it = logs_.find(frame.log);
  if (frame.type == FrameType::kDelete) {
    if (it != logs_.end()) logs_.erase(it);
    unknown.erase(frame.log);
    return {};
  }
  if (unknown.contains(frame.log)) return {};
  if (it == logs_.end()) it = logs_.emplace(frame.log, std::make_shared<Log>(frame.log)).first;
  Log& log = *it->second;
  const Offset end = frame.base_offset + frame.record_count;
  if (end <= log.flushed_end) return {};  // a segment has it
  if (frame.base_offset != log.durable_end) {
    unknown.emplace(frame.log, "log " + LogIdText(frame.log) + ": write-ahead log generation " +
                                   std::to_string(at.generation) + " at " +
                                   std::to_string(at.position) + ": expected offset " +
                                   std::to_string(log.durable_end) + ", found " +
                                   std::to_string(frame.base_offset));
    return {};
  }
  TailEntry& entry = log.entries.emplace_back();
  entry.base_offset = frame.base_offset;
  entry.max_timestamp_ms = frame.max_timestamp_ms;
  entry.wal = at;
  entry.size = static_cast<uint32_t>(frame.payload.size());
  entry.record_count = frame.record_count;
  log.durable_end = log.assigned_end = end;
  log.pending_bytes += entry.size;
  log.last_timestamp_ms = std::max(log.last_timestamp_ms, entry.max_timestamp_ms);
  ++recovery_.batches_replayed;
  return {};
}

// Directories of logs that neither the manifest nor the WAL knows: deleted, but not unlinked before
// the end. The builder finishes that.
base::Status StoreImpl::FindOrphans() {
  const std::string root = options_.directory + "/logs";
  ASSIGN_OR_RETURN(const auto groups, files_.List(root));
  for (const base::DirectoryEntry& group : groups) {
    if (!group.is_directory) continue;
    ASSIGN_OR_RETURN(const auto entries, files_.List(root + "/" + group.name));
    for (const base::DirectoryEntry& entry : entries) {
      char* end = nullptr;
      const LogId id{std::strtoull(entry.name.c_str(), &end, 16)};
      if (entry.name.size() != 16 || *end != '\0' || logs_.contains(id)) continue;
      orphan_trees_.push_back(root + "/" + group.name + "/" + entry.name);
    }
  }
  return {};
}

base::Status StoreImpl::Start() {
  // One file to append to, so that the first append does not wait. A full disk does not keep the
  // store from being read.
  auto prepared = wal_.has_free() ? base::Result<bool>(true) : wal_.Prepare(true);
  if (!prepared && !IsNoSpace(prepared.error())) return Fail(prepared.error());
  if (prepared && !wal_.has_free()) {
    // Crash after crash has left every file with something to replay.
    base::Status built = RetireClosed();
    if (!built && !IsNoSpace(built.error())) return built;
  }
  if (wal_.has_free()) {
    auto activated = wal_.Activate();
    if (!activated && !IsNoSpace(activated.error())) return Fail(activated.error());
  }
  started_ = true;
  builder_woken_ = true;  // what was replayed goes to segments, and the WAL is filled ahead
  writer_ = std::thread([this] { RunWriter(); });
  builder_ = std::thread([this] { RunBuilder(); });
  return {};
}

}  // namespace millstream::log
