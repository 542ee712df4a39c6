#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millstream::codec {

// How a read of the cursor ended. After anything but kOk the caller gives up the cursor and takes
// the general path (JsonDocument), which knows escapes and words the errors.
enum class JsonScan : uint8_t {
  kOk,
  kEscapes,    // a string with escapes: right JSON, but no view can show its value
  kMalformed,  // not what was asked for, or not JSON
  kNoRoom,     // ReadBase64 only: the caller's memory does not suffice
};

// Walks a JSON text once, forward, without copies: the base of hot paths that know the shape they
// expect. Strings come back as views into the text. All reads skip white space before the value,
// stay within the text whatever it holds, and do not allocate.
//
//   JsonCursor json(body);
//   if (!json.Consume('{')) return fall_back();
//   ...
//
// Does not check that strings are UTF-8: do that (IsValidUtf8) where it matters. One thread.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text)
      : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()) {}

  void SkipSpace() {
    // Most texts come from machines and have no white space at all.
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }

  // The next byte that is no white space, not taken; '\0' at the end.
  char Peek() {
    SkipSpace();
    return at_ == end_ ? '\0' : *at_;
  }

  // Takes `c` if it comes next.
  [[nodiscard]] bool Consume(char c) {
    SkipSpace();
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }

  // Takes `"name":` with exactly these bytes, no escapes, if it comes next; else nothing. A cheap
  // guess at the usual order of keys before ReadKey().
  [[nodiscard]] bool ConsumeKey(std::string_view name);

  // A string without escapes. With kEscapes `raw` is the text between the quotes as it stands and
  // the cursor is behind the string, so that a caller can go on with UnescapeJson().
  [[nodiscard]] JsonScan ReadString(std::string_view& raw);

  // A string and the colon behind it.
  [[nodiscard]] JsonScan ReadKey(std::string_view& raw);

  // A string of base64 without escapes, decoded in the same pass that finds its end. `written` is
  // the size of the value at `out`. kNoRoom when `room` does not suffice.
  [[nodiscard]] JsonScan ReadBase64(char* out, std::size_t room, std::size_t& written);

  // A whole number without fraction and exponent that fits.
  [[nodiscard]] JsonScan ReadInt64(int64_t& value);
  [[nodiscard]] JsonScan ReadUint64(uint64_t& value);
  [[nodiscard]] JsonScan ReadBool(bool& value);
  [[nodiscard]] JsonScan ReadNull();

  // Any value, checked for structure, nested at most 64 deep. `raw` is its text.
  [[nodiscard]] JsonScan SkipValue(std::string_view& raw);

  // True when nothing but white space is left.
  [[nodiscard]] bool AtEnd() {
    SkipSpace();
    return at_ == end_;
  }

  std::size_t offset() const { return static_cast<std::size_t>(at_ - begin_); }
  std::string_view rest() const { return {at_, static_cast<std::size_t>(end_ - at_)}; }
  void Advance(std::size_t bytes) { at_ += bytes; }  // requires bytes <= rest().size()

 private:
  const char* begin_;
  const char* at_;
  const char* end_;
};

// The first '"', '\\' or control byte (< 0x20) in [at, end), or `end`.
const char* FindJsonStringStop(const char* at, const char* end);

// Appends the value of a JSON string given as the text between its quotes. False when an escape is
// wrong; a lone surrogate is wrong too. `to` is then undefined.
[[nodiscard]] bool UnescapeJson(std::string_view raw, std::string& to);

namespace internal {
// The end of the number at `at` by JSON's grammar, or nullptr if there is none.
const char* JsonNumberEnd(const char* at, const char* end);
}  // namespace internal

namespace scalar {
const char* FindJsonStringStop(const char* at, const char* end);
}  // namespace scalar

}  // namespace millstream::codec
