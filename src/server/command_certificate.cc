#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/clock.h"
#include "base/file_system.h"
#include "net/certificate.h"
#include "server/commands.h"

namespace millstream::server {
namespace {

using base::Code;
using base::Fail;
using base::Result;
using base::Status;

struct Paths {
  explicit Paths(const std::string& directory)
      : ca(directory + "/ca.pem"),
        ca_key(directory + "/ca-key.pem"),
        certificate(directory + "/server.pem"),
        key(directory + "/server-key.pem") {}
  std::string ca, ca_key, certificate, key;
};

// The authority made earlier in this folder is used again, so that clients go on trusting it.
Status ReadAuthority(base::FileSystem& files, const Paths& paths,
                     net::LocalCertificateOptions& options) {
  ASSIGN_OR_RETURN(bool has_certificate, files.Exists(paths.ca));
  ASSIGN_OR_RETURN(bool has_key, files.Exists(paths.ca_key));
  if (!has_certificate && !has_key) return {};
  if (has_certificate != has_key) {
    return Fail(
        Code::kFailedPrecondition,
        fmt::format("{} and {} belong together; restore the missing one or remove the other",
                    paths.ca, paths.ca_key));
  }
  ASSIGN_OR_RETURN(options.ca_certificate, files.ReadFile(paths.ca));
  ASSIGN_OR_RETURN(options.ca_key, files.ReadFile(paths.ca_key));
  return {};
}

Status WritePrivate(base::FileSystem& files, const std::string& path, const std::string& content) {
  mode_t before = ::umask(077);
  Status written = files.WriteFileAtomically(path, content);
  ::umask(before);
  return written;
}

Status MakeFiles(const CertificateOptions& options) {
  base::RealFileSystem files;
  Paths paths(options.directory);
  net::LocalCertificateOptions make;
  make.names = {"localhost", "127.0.0.1", "::1"};
  make.names.insert(make.names.end(), options.names.begin(), options.names.end());
  make.days = options.days;
  make.now_ms = base::SystemClock().WallMs();
  TRY(files.CreateDirectories(options.directory));
  TRY(ReadAuthority(files, paths, make));
  bool again = !make.ca_key.empty();
  ASSIGN_OR_RETURN(auto made, net::MakeLocalCertificate(make));
  if (!again) {
    TRY(WritePrivate(files, paths.ca_key, made.ca_key));
    TRY(files.WriteFileAtomically(paths.ca, made.ca_certificate));
  }
  TRY(WritePrivate(files, paths.key, made.key));
  TRY(files.WriteFileAtomically(paths.certificate, made.chain));
  Print(fmt::format(
      "{} certificate authority {}\ncertificate {} for {}, valid {} days\n\n"
      "serve:  millstream serve --tls-certificate {} --tls-key {}\n"
      "trust:  AWS_CA_BUNDLE={} AWS_ENDPOINT_URL=https://localhost:4566 aws kinesis list-streams\n",
      again ? "kept the" : "made a", paths.ca, paths.certificate, fmt::join(make.names, ", "),
      make.days, paths.certificate, paths.key, std::filesystem::absolute(paths.ca).string()));
  return {};
}

}  // namespace

int RunCertificate(const Invocation& invocation) {
  Status made = MakeFiles(invocation.certificate);
  return made ? 0 : Complain(made.error());
}

}  // namespace millstream::server
