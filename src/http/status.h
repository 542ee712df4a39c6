#pragma once

#include <string_view>

namespace millstream::http {

// The reason phrase of a status; "Status" for those that have none here.
std::string_view ReasonPhrase(int status);

// Whether a response of that status never has a body (RFC 9110, 6.4.1).
inline bool IsBodyless(int status) { return status < 200 || status == 204 || status == 304; }

}  // namespace millstream::http
