#include "base/clock.h"
#include "server/commands.h"

int main(int argc, char** argv) {
  using namespace millstream::server;  // NOLINT: the program's own namespace
  const int64_t began_ns = millstream::base::SystemClock().MonotonicNs();
  auto invocation = ParseCommandLine(argc, argv);
  if (!invocation) return invocation.error();
  switch (invocation->command) {
    case Command::kServe:
      return RunServe(*invocation, began_ns);
    case Command::kConfig:
      return RunConfig(*invocation);
    case Command::kCertificate:
      return RunCertificate(*invocation);
    case Command::kStreams:
      return RunStreams(*invocation);
    case Command::kPut:
      return RunPut(*invocation);
    case Command::kTail:
      return RunTail(*invocation);
    case Command::kBench:
      return RunBench(*invocation);
    case Command::kDoctor:
      return RunDoctor(*invocation);
    case Command::kSql:
      return RunSql(*invocation);
    case Command::kVersion:
      return Print("millstream " MILLSTREAM_VERSION "\n") ? 0 : 1;
  }
}
