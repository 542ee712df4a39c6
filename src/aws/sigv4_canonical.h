#pragma once

#include <string>
#include <string_view>

// The normal forms that both ends of AWS Signature Version 4 must agree on. Pure functions.
namespace millstream::aws {

inline constexpr std::string_view kSigV4Algorithm = "AWS4-HMAC-SHA256";
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

// Appends the path as it is signed. `path` is as sent, percent-encoded. S3 signs it encoded once
// and as it is; every other service removes dot segments and doubled slashes and encodes again.
void AppendCanonicalPath(std::string_view path, bool is_s3, std::string& to);

// Appends the parameters sorted and encoded; the parameter `skip` is left out (X-Amz-Signature).
void AppendCanonicalQuery(std::string_view query, std::string_view skip, std::string& to);

// Appends a header's value without blanks at its ends, runs of blanks inside as one space.
void AppendCanonicalValue(std::string_view value, std::string& to);

}  // namespace millstream::aws
