#pragma once

#include <string>

#include "base/file_system.h"
#include "server/config_load.h"

namespace millstream::server {

// Applies a TOML file to `loaded`. Problems are added with line and column; what is fine is applied
// all the same, so that one run shows every problem.
void ApplyConfigFile(base::FileSystem& files, const std::string& path, LoadedConfig& loaded,
                     ConfigProblems& problems);

}  // namespace millstream::server
