#include "codec/json_span.h"

namespace millstream::codec {

std::size_t JsonSpan(std::string_view text) {
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (quoted) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        quoted = false;
        if (depth == 0) return i + 1;
      }
      continue;
    }
    switch (c) {
      case '"':
        quoted = true;
        break;
      case '{':
      case '[':
        ++depth;
        break;
      case '}':
      case ']':
        if (depth <= 1) return depth == 0 && i > 0 ? i : i + 1;
        --depth;
        break;
      case ' ':
      case '\t':
      case '\n':
      case '\r':
      case ',':
        if (depth == 0 && i > 0) return i;
        break;
      default:
        break;
    }
  }
  return std::string_view::npos;
}

}  // namespace millstream::codec
