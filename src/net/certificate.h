#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace millstream::net {

// Keys and certificates as PEM texts.
struct LocalCertificate {
  std::string ca_certificate;  // what clients are told to trust
  std::string ca_key = {};
  std::string chain;  // what the server shows: its certificate, then the authority's
  std::string key;
};

struct LocalCertificateOptions {
  std::vector<std::string> names = {};  // DNS names and IP addresses; at least one
  int64_t days = 825;
  int64_t now_ms = 0;
  // Of an authority made earlier, to sign one more certificate; empty: a new authority.
  std::string ca_certificate = {};
  std::string ca_key = {};
};

// Makes a local certificate authority (P-256) and a server certificate signed by it, for TLS on
// machines of one's own. The authority may sign end certificates only.
base::Result<LocalCertificate> MakeLocalCertificate(const LocalCertificateOptions& options);

}  // namespace millstream::net
