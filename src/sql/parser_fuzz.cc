#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sql/parser.h"

// Any text either parses or fails with a message that names a place.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto result = millstream::sql::Parse({reinterpret_cast<const char*>(data), size});
  if (!result && result.error().message().compare(0, 5, "line ") != 0) __builtin_trap();
  return 0;
}
