#include "aws/sigv4_canonical.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "codec/percent.h"

namespace millstream::aws {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// RFC 3986, 5.2.4, and doubled slashes as one. The result starts with '/'.
std::string NormalizedPath(std::string_view path) {
  std::vector<std::string_view> segments;
  std::size_t at = 0;
  while (at <= path.size()) {
    const auto slash = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, slash - at);
    if (segment == "..") {
      if (!segments.empty()) segments.pop_back();
    } else if (!segment.empty() && segment != ".") {
      segments.push_back(segment);
    }
    at = slash + 1;
  }
  std::string normal;
  for (const std::string_view segment : segments) normal.append("/").append(segment);
  // A trailing slash is kept, dot segments at the end count as one.
  if (normal.empty() || path.back() == '/' || path.ends_with("/.") || path.ends_with("/..")) {
    normal += '/';
  }
  return normal;
}

// Decoded and encoded again, so that every way of writing a parameter has one form. A '%' that
// introduces nothing stands for itself.
std::string Recoded(std::string_view text) {
  std::string decoded;
  if (!codec::PercentDecode(text, true, decoded)) decoded = text;
  return codec::PercentEncode(decoded);
}

}  // namespace

void AppendCanonicalPath(std::string_view path, bool is_s3, std::string& to) {
  if (path == "/" || path.empty()) {
    to += '/';
    return;
  }
  if (is_s3) {
    std::string decoded;
    if (!codec::PercentDecode(path, false, decoded)) decoded = path;
    codec::PercentEncode(decoded, true, to);
  } else {
    codec::PercentEncode(NormalizedPath(path), true, to);
  }
}

void AppendCanonicalQuery(std::string_view query, std::string_view skip, std::string& to) {
  if (query.empty()) return;
  std::vector<std::pair<std::string, std::string>> parameters;
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const std::string_view parameter = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (parameter.empty()) continue;
    const auto equals = std::min(parameter.find('='), parameter.size());
    std::string name = Recoded(parameter.substr(0, equals));
    if (!skip.empty() && name == skip) continue;
    parameters.emplace_back(std::move(name), equals == parameter.size()
                                                 ? std::string()
                                                 : Recoded(parameter.substr(equals + 1)));
  }
  std::sort(parameters.begin(), parameters.end());
  bool first = true;
  for (const auto& [name, value] : parameters) {
    if (!first) to += '&';
    first = false;
    to.append(name).append("=").append(value);
  }
}

void AppendCanonicalValue(std::string_view value, std::string& to) {
  while (!value.empty() && IsBlank(value.front())) value.remove_prefix(1);
  while (!value.empty() && IsBlank(value.back())) value.remove_suffix(1);
  if (value.empty()) return;
  if (std::memchr(value.data(), ' ', value.size()) == nullptr &&
      std::memchr(value.data(), '\t', value.size()) == nullptr) {
    to += value;
    return;
  }
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (!IsBlank(value[i])) {
      to += value[i];
    } else if (!IsBlank(value[i - 1])) {
      to += ' ';
    }
  }
}

}  // namespace millstream::aws
