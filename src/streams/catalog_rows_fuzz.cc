// Rows of the catalog are input: a damaged one must be an error, never a crash.

#include <cstdint>

#include "streams/catalog_rows.h"
#include "streams/registry.h"

using namespace millstream;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view row(reinterpret_cast<const char*>(data), size);
  (void)streams::DecodeStream("00112233445566778899aabbccddeeff", row);
  (void)streams::DecodeShard(row);
  (void)streams::DecodeDataKey(row);
  (void)streams::DecodeAccount(row);
  return 0;
}
