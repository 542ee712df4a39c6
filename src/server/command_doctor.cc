#include <fmt/format.h>

#include <string>

#include "base/file_system.h"
#include "catalog/store.h"
#include "log/doctor.h"
#include "server/commands.h"
#include "server/data_directory.h"

namespace millstream::server {
namespace {

using base::Result;

void Say(std::string_view text) { Print(std::string(text) + "\n"); }

// Takes the directory's lock first, so that no server writes while it is read.
Result<int> Examine(base::FileSystem& files, const std::string& path) {
  ASSIGN_OR_RETURN(auto directory, DataDirectory::Open(files, path));
  ASSIGN_OR_RETURN(auto catalog, catalog::Store::Open(directory.catalog_file()));
  Say("catalog: opens, and SQLite's own check passes");
  ASSIGN_OR_RETURN(auto report, log::Examine(files, directory.log_directory()));
  Say(fmt::format(
      "log: {} logs, {} segments of {} bytes, {} bytes written ahead, {} batches, {} records",
      report.logs, report.segments, report.segment_bytes, report.wal_bytes, report.batches,
      report.records));
  if (report.torn_bytes > 0) {
    Say(fmt::format("log: {} torn bytes at the end of the write-ahead log, never acknowledged",
                    report.torn_bytes));
  }
  for (const std::string& file : report.leftovers)
    Say("leftover: " + file + " (the next start removes it)");
  for (const std::string& damage : report.damage) Say("DAMAGE: " + damage);
  Say(report.healthy() ? "healthy" : fmt::format("{} places of damage", report.damage.size()));
  return report.healthy() ? 0 : 1;
}

}  // namespace

int RunDoctor(const Invocation& invocation) {
  base::RealFileSystem files;
  std::string path = invocation.doctor.directory;
  if (path.empty()) {
    auto loaded = LoadConfig(files, invocation.config);
    if (!loaded) return Complain(loaded.error());
    path = loaded->config.data_directory;
  }
  auto exists = files.Exists(path + "/format");
  if (!exists || !*exists) {
    return Complain(
        base::Error(base::Code::kNotFound,
                    path + " is no data directory of Millstream (it has no file `format`)"));
  }
  auto examined = Examine(files, path);
  return examined ? *examined : Complain(examined.error());
}

}  // namespace millstream::server
