#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "base/file_system.h"
#include "base/random.h"
#include "base/result.h"

namespace millstream::streams {

// Stands in for KMS: one secret in a file of the operator's choosing, from which the master key of
// every key id, ARN or alias is derived. Master keys wrap the data keys of streams; wrapped keys lie
// in the catalog, so the data directory alone opens nothing.
//
// Immutable after Open; thread-safe.
class KeyRing {
 public:
  using Secret = std::array<uint8_t, 32>;

  // Reads the file, or makes it with a fresh secret when missing.
  static base::Result<KeyRing> Open(base::FileSystem& files, base::Random& random,
                                    const std::string& path);
  explicit KeyRing(const Secret& secret) : secret_(secret) {}

  // `context` (the stream's uuid) must be the same at unwrapping.
  std::string Wrap(const Secret& data_key, std::string_view key_id, std::string_view context,
                   base::Random& random) const;
  // kPermissionDenied when the ring is not the one that wrapped it.
  base::Result<Secret> Unwrap(std::string_view wrapped, std::string_view key_id,
                              std::string_view context) const;

 private:
  Secret MasterKey(std::string_view key_id) const;
  Secret secret_;
};

}  // namespace millstream::streams
