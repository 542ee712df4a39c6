#pragma once

#include <string>
#include <string_view>

namespace millstream::codec {

// Appends `text` with everything but RFC 3986's unreserved characters (letters, digits, -._~) as
// %XX in upper case: the encoding that SigV4 signs. With `keep_slash` a '/' stays (URI paths).
void PercentEncode(std::string_view text, bool keep_slash, std::string& to);
std::string PercentEncode(std::string_view text, bool keep_slash = false);

// Appends the decoded text; with `plus_is_space` as HTML forms write it. False when a '%' is not
// followed by two hex digits; `to` is then undefined.
[[nodiscard]] bool PercentDecode(std::string_view text, bool plus_is_space, std::string& to);

}  // namespace millstream::codec
