#include "analytics/reference_data.h"

#include <fmt/format.h>

#include <filesystem>

namespace millstream::analytics {
namespace {

using base::Code;
using base::Fail;

// "a/b.csv", but nothing that climbs.
bool StaysInside(std::string_view path) {
  if (path.empty() || path.front() == '/' || path.find('\0') != std::string_view::npos) {
    return false;
  }
  for (const auto& part : std::filesystem::path(path)) {
    if (part == "..") return false;
  }
  return true;
}

}  // namespace

base::Result<std::string> ReferencePath(const ReferenceDataSource& source,
                                        const std::string& buckets_directory) {
  if (!source.file_path.empty()) return source.file_path;
  if (buckets_directory.empty()) {
    return Fail(Code::kNotSupported,
                "reference table " + source.table_name +
                    ": buckets are not supported yet; set analytics.buckets_directory, under which "
                    "each bucket is a directory");
  }
  std::string_view bucket = ResourceName(source.bucket_arn);
  if (!StaysInside(bucket) || bucket.find('/') != std::string_view::npos ||
      !StaysInside(source.file_key)) {
    return Fail(Code::kInvalidArgument,
                fmt::format("reference table {}: no bucket and key: {}, {}", source.table_name,
                            source.bucket_arn, source.file_key));
  }
  return fmt::format("{}/{}/{}", buckets_directory, bucket, source.file_key);
}

base::Result<std::string> ReadReference(base::FileSystem& files, const std::string& path) {
  {
    ASSIGN_OR_RETURN(auto file, files.Open(path, {}));
    ASSIGN_OR_RETURN(uint64_t size, file->Size());
    if (size > kReferenceBytesMax) {
      return Fail(Code::kInvalidArgument, fmt::format("{} has {} bytes; a reference table has {} "
                                                      "at most",
                                                      path, size, kReferenceBytesMax));
    }
  }
  return files.ReadFile(path);
}

base::Result<sql::TableConfig> MakeTable(const ReferenceDataSource& source, std::string_view bytes,
                                         uint64_t* failed) {
  sql::TableConfig table;
  table.name = source.table_name;
  table.columns = SchemaColumns(source.schema);
  // The types as the engine reads them from their texts.
  sql::ApplicationConfig config;
  config.inputs.push_back({.name = "T", .columns = table.columns, .has_shards = false});
  base::ManualClock clock;
  ASSIGN_OR_RETURN(auto application, sql::Application::Create("", config, clock));
  ASSIGN_OR_RETURN(auto columns, application->Columns("T"));

  auto mapper = sql::InputMapper::Create(
      source.schema, false,
      [&](const sql::Batch& rows) {
        for (int row = 0; row < rows.rows; ++row) {
          std::vector<sql::Value> values;
          for (std::size_t c = 0; c < columns.size(); ++c) {
            values.push_back(rows.columns[c]->GetValue(row, columns[c].type));
          }
          table.rows.push_back(std::move(values));
        }
      },
      [&](std::string, int64_t, std::string_view) {
        if (failed != nullptr) ++*failed;
      });
  if (!mapper) return Fail(mapper.error().Within("reference table " + source.table_name));
  (*mapper)->Map(bytes, {});
  (*mapper)->Flush();
  return table;
}

uint64_t FileVersion(const std::string& path) {
  std::error_code error;
  auto changed = std::filesystem::last_write_time(path, error);
  if (error) return 0;
  auto size = std::filesystem::file_size(path, error);
  if (error) return 0;
  return static_cast<uint64_t>(changed.time_since_epoch().count()) * 31 + size + 1;
}

}  // namespace millstream::analytics
