#include "server/commands.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace millstream::server {

int Complain(const base::Error& error) {
  std::fprintf(stderr, "millstream: %s\n", error.message().c_str());
  return 1;
}

int Complain(const ConfigProblems& problems) {
  for (const ConfigProblem& problem : problems) {
    std::fprintf(stderr, "millstream: %s\n", problem.text().c_str());
  }
  return 2;
}

bool Print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) {
    return true;
  }
  if (errno != EPIPE) {
    std::fprintf(stderr, "millstream: cannot write standard output: %s\n", std::strerror(errno));
  }
  return false;
}

}  // namespace millstream::server
