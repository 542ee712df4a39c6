#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analytics/definition.h"
#include "base/file_system.h"
#include "base/result.h"
#include "sql/application.h"

// Reference tables: objects of buckets and files, read as a whole. Until there is an S3 door, a
// bucket is a directory: arn:aws:s3:::prices is <buckets_directory>/prices.
namespace millstream::analytics {

inline constexpr uint64_t kReferenceBytesMax = 1u << 30;  // AWS's

// Where the data lies. kNotSupported for a bucket when no directory for buckets is configured;
// kInvalidArgument for keys that lead out of it.
base::Result<std::string> ReferencePath(const ReferenceDataSource& source,
                                        const std::string& buckets_directory);

// The bytes of a file within the limit. kNotFound names the file.
base::Result<std::string> ReadReference(base::FileSystem& files, const std::string& path);

// The table with its rows. Rows that do not fit the schema are left out; `failed`, when given, counts
// them.
base::Result<sql::TableConfig> MakeTable(const ReferenceDataSource& source, std::string_view bytes,
                                         uint64_t* failed = nullptr);

// Changes when the file does: its size and time of change. 0 when it cannot be looked at.
uint64_t FileVersion(const std::string& path);

}  // namespace millstream::analytics
