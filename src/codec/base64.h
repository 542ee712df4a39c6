#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

// Base64 with the standard alphabet and padding (RFC 4648, section 4).
//
// Decoding is strict: padding is obligatory, nothing may stand between the characters, and the bits
// that the padding leaves over must be zero, so that every value has exactly one text.
namespace millstream::codec {

constexpr std::size_t Base64EncodedSize(std::size_t size) { return (size + 2) / 3 * 4; }

// Writes exactly Base64EncodedSize(bytes.size()) characters and returns their end.
char* Base64Encode(std::string_view bytes, char* out);
std::string Base64Encode(std::string_view bytes);

// The size of what `text` decodes to, from its length and padding alone; nullopt when the length is
// no multiple of four.
std::optional<std::size_t> Base64DecodedSize(std::string_view text);

// Writes exactly Base64DecodedSize(text) bytes and returns their number; nullopt when `text` is not
// base64 (then `out` is undefined, but nothing beyond that size was written).
std::optional<std::size_t> Base64Decode(std::string_view text, char* out);
std::optional<std::string> Base64Decode(std::string_view text);

// Decodes `text` with whole vectors to its end: up to kBase64Slack bytes behind the value may be
// overwritten. False when `text` is not the base64 of a value of `size` bytes.
inline constexpr std::size_t kBase64Slack = 32;
[[nodiscard]] bool Base64DecodeWithSlack(std::string_view text, std::size_t size, char* out);

// What a decode of a value whose end is not known yet came to.
struct Base64Run {
  enum class End {
    kStopped,   // at text[consumed], which is no base64 character, or at the end of the text
    kBadValue,  // what came before the stop is not a complete base64 value
    kNoRoom,    // `room` does not suffice; nothing can be said about the rest
  };
  End end = End::kStopped;
  std::size_t consumed = 0;  // characters of the value, padding included
  std::size_t written = 0;
};

// Decodes the value that `text` begins with, up to the first byte that is neither of the alphabet
// nor padding. Scan and decode are one pass: a parser standing behind the opening quote of a JSON
// string finds the closing one at text[consumed]. Writes at most `room` bytes.
Base64Run Base64DecodeUntil(std::string_view text, char* out, std::size_t room);

// The portable twins of the vector kernels, for differential tests and benchmarks.
namespace scalar {
char* Base64Encode(std::string_view bytes, char* out);
Base64Run Base64DecodeUntil(std::string_view text, char* out, std::size_t room);
}  // namespace scalar

}  // namespace millstream::codec
