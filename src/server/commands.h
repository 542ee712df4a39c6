#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "server/command_line.h"

namespace millstream::server {

// One function per command, each in command_<name>.cc. They return the exit code: 0 done, 1 it
// failed (and says why on standard error), 2 the configuration or the command line was wrong.
int RunServe(const Invocation& invocation, int64_t began_ns);
int RunConfig(const Invocation& invocation);
int RunCertificate(const Invocation& invocation);
int RunStreams(const Invocation& invocation);
int RunPut(const Invocation& invocation);
int RunTail(const Invocation& invocation);
int RunBench(const Invocation& invocation);
int RunDoctor(const Invocation& invocation);
int RunSql(const Invocation& invocation);

// "millstream: <what failed>" on standard error; returns 1.
int Complain(const base::Error& error);
// Every problem on a line of its own; returns 2.
int Complain(const ConfigProblems& problems);

// Writes to standard output. False when nobody reads it any more, and with a complaint when it
// cannot be written.
bool Print(std::string_view text);

}  // namespace millstream::server
