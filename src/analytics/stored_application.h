#pragma once

#include <string>
#include <string_view>

#include "analytics/definition.h"
#include "base/result.h"

namespace millstream::analytics {

// An application as the catalog remembers it.
struct StoredApplication {
  ApplicationKey key;
  std::string directory;  // of its checkpoint, under the analytics directory; never used again
  bool runs = false;      // was started and not stopped: starts again with the server
  Definition definition;
};

// JSON, for people who look into the catalog.
std::string EncodeApplication(const StoredApplication& application);
// kDataLoss when it is not what EncodeApplication wrote.
base::Result<StoredApplication> DecodeApplication(std::string_view json);

}  // namespace millstream::analytics
