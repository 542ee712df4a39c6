// Whatever the text, reading it ends and what it gives can be judged and written.
#include <cstddef>
#include <cstdint>

#include "analytics/discover.h"
#include "analytics/document.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  using namespace millstream::analytics;  // NOLINT: one function
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto document = ParseDocument(text)) {
    for (const Definition& d : document->applications) {
      if (d.inputs.size() < 4) (void)Check(d);
      if (!ParseSchemaDocument(SchemaDocument(d))) __builtin_trap();
    }
  }
  (void)ParseSchemaDocument(text);
  std::string_view records[] = {text.substr(0, size / 2), text.substr(size / 2)};
  (void)DiscoverSchema(records);
  return 0;
}
