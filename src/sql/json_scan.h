#pragma once

#include <cstddef>
#include <cstdint>

// Steps over texts and nested values of JSON many bytes at a time: what FlatJson does not look
// into. All functions stay within [at, end).
namespace millstream::sql {

// What was met on the way.
struct JsonScanned {
  bool ascii = true;     // false: there may have been bytes above 0x7F (never true when there were)
  bool escapes = false;  // of EndOfText: the text has escapes
};

// The closing quote of the text whose bytes begin at `at`, or nullptr when it has none, holds a
// control character or an escape that is none. The kernel is the best one for this CPU.
using EndOfTextKernel = const char* (*)(const char* at, const char* end, JsonScanned& scanned);
extern const EndOfTextKernel EndOfText;

// Behind the closing bracket of the object or array that begins at `at`, or nullptr. Brackets must
// be closed by their own kind, at most 63 deep, and texts are right in themselves; nothing else is
// looked at. With `lines` a line end between values is wrong too.
using EndOfNestedKernel = const char* (*)(const char* at, const char* end, bool lines,
                                          JsonScanned& scanned);
extern const EndOfNestedKernel EndOfNested;

// Behind the escape at `at`, which is a backslash, or nullptr: unknown ones and lone surrogates.
const char* EndOfEscape(const char* at, const char* end);

// The plain forms of the above, which those with vectors are tested against.
namespace scalar {
const char* EndOfText(const char* at, const char* end, JsonScanned& scanned);
const char* EndOfNested(const char* at, const char* end, bool lines, JsonScanned& scanned);
}  // namespace scalar

}  // namespace millstream::sql
