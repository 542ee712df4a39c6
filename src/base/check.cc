#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace millstream::base {

void CheckFailed(const char* file, int line, const char* expression, const char* message) {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s %s\n", file, line, expression, message);
  std::fflush(stderr);
  std::abort();
}

}  // namespace millstream::base
