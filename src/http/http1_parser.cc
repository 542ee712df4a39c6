#include "http/http1_parser.h"

#include <algorithm>
#include <cstring>

#include "http/characters.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace millstream::http {
namespace {

// The first byte at or after `at` that is a control character (below 0x20 or 0x7f) other than a
// tab; `end` when there is none. Line ends are found and values checked in one pass.
const char* FindControl(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i last_control = _mm_set1_epi8(0x1f);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7f);
  while (end - at >= 16) {
    __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
    __m128i found =
        _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), low), _mm_cmpeq_epi8(bytes, del));
    int mask = _mm_movemask_epi8(found);
    if (mask != 0) return at + __builtin_ctz(static_cast<unsigned>(mask));
    at += 16;
  }
#endif
  while (at < end && IsValueChar(*at)) ++at;
  return at;
}

HeadParse Incomplete() { return {ParseState::kIncomplete, 0, {}}; }
HeadParse Error(int status, const char* text) { return {ParseState::kError, 0, {status, text}}; }

// What stands where a line should end.
enum class LineEnd { kCrLf, kIncomplete, kBad };

LineEnd CheckLineEnd(const char* at, const char* end) {
  if (at == end) return LineEnd::kIncomplete;
  if (*at != '\r') return LineEnd::kBad;
  if (at + 1 == end) return LineEnd::kIncomplete;
  return at[1] == '\n' ? LineEnd::kCrLf : LineEnd::kBad;
}

constexpr const char* kBadLineEnd = "a line must end with CR LF and hold no control characters";

bool ParseContentLength(std::string_view value, uint64_t& length) {
  if (value.empty() || value.size() > 18) return false;
  length = 0;
  for (char c : value) {
    if (c < '0' || c > '9') return false;
    length = length * 10 + static_cast<uint64_t>(c - '0');
  }
  return true;
}

// Calls `member` with each element of a comma-separated list.
template <typename F>
void ForEachListMember(std::string_view list, F member) {
  while (!list.empty()) {
    std::size_t comma = list.find(',');
    std::string_view one = TrimBlanks(list.substr(0, comma));
    if (!one.empty()) member(one);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

bool IsAuthority(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c > 0x20 && c < 0x7f && c != '/' && c != '?' && c != '#' && c != '@' && c != '\\' &&
           c != ',' && c != '"' && c != '<' && c != '>';
  });
}

// State of one head's parsing beyond the head itself.
struct Scan {
  Http1Head& head;
  bool host_seen = false;
  bool transfer_encoding_seen = false;
  bool connection_close = false;
  bool connection_keep_alive = false;
  bool connection_upgrade = false;
  bool connection_http2_settings = false;
  bool upgrade_h2c = false;
  int http2_settings_count = 0;
  ParseError error{0, nullptr};

  void Refuse(int status, const char* text) {
    if (error.status == 0) error = {status, text};
  }

  void TransferEncoding(std::string_view value) {
    if (transfer_encoding_seen) return Refuse(400, "transfer-encoding is given more than once");
    transfer_encoding_seen = true;
    if (head.minor_version == 0) return Refuse(400, "transfer-encoding needs HTTP/1.1");
    if (!EqualsIgnoringCase(value, "chunked")) {
      return Refuse(501, "the only transfer-encoding supported is chunked");
    }
    head.chunked = true;
  }

  void ContentLength(std::string_view value) {
    if (head.content_length) return Refuse(400, "content-length is given more than once");
    uint64_t length;
    if (!ParseContentLength(value, length)) {
      return Refuse(400, "content-length is not a decimal number");
    }
    head.content_length = length;
  }

  void Connection(std::string_view value) {
    ForEachListMember(value, [this](std::string_view option) {
      if (EqualsIgnoringCase(option, "close")) connection_close = true;
      if (EqualsIgnoringCase(option, "keep-alive")) connection_keep_alive = true;
      if (EqualsIgnoringCase(option, "upgrade")) connection_upgrade = true;
      if (EqualsIgnoringCase(option, "http2-settings")) connection_http2_settings = true;
    });
  }

  void Host(std::string_view value) {
    if (host_seen) return Refuse(400, "host is given more than once");
    host_seen = true;
    if (!IsAuthority(value)) return Refuse(400, "host is not a valid authority");
    if (head.authority.empty()) head.authority = value;
  }

  // Only a few names concern the connection; their lengths tell most others apart at once.
  void Header(std::string_view name, std::string_view value) {
    switch (name.size()) {
      case 4:
        if (EqualsIgnoringCase(name, "host")) Host(value);
        break;
      case 6:
        if (EqualsIgnoringCase(name, "expect")) {
          if (!EqualsIgnoringCase(value, "100-continue")) {
            return Refuse(417, "the only expectation supported is 100-continue");
          }
          head.expect_continue = head.minor_version >= 1;
        }
        break;
      case 7:
        if (EqualsIgnoringCase(name, "upgrade")) {
          ForEachListMember(value, [this](std::string_view protocol) {
            if (EqualsIgnoringCase(protocol, "h2c")) upgrade_h2c = true;
          });
        }
        break;
      case 10:
        if (EqualsIgnoringCase(name, "connection")) Connection(value);
        break;
      case 14:
        if (EqualsIgnoringCase(name, "content-length")) ContentLength(value);
        if (EqualsIgnoringCase(name, "http2-settings")) {
          ++http2_settings_count;
          head.http2_settings = value;
        }
        break;
      case 17:
        if (EqualsIgnoringCase(name, "transfer-encoding")) TransferEncoding(value);
        break;
      default:
        break;
    }
  }

  void Finish() {
    if (head.chunked && head.content_length) {
      Refuse(400, "content-length and transfer-encoding exclude each other");
    }
    if (head.minor_version >= 1 && !host_seen) Refuse(400, "HTTP/1.1 needs a host header");
    head.keep_alive = !connection_close && (head.minor_version >= 1 || connection_keep_alive);
    head.upgrade_h2c = upgrade_h2c && connection_upgrade && connection_http2_settings &&
                       http2_settings_count == 1 && head.minor_version >= 1;
  }
};

// Splits an absolute URI ("http://host/path") into authority and the rest.
bool SplitAbsoluteTarget(Http1Head& head) {
  std::size_t scheme = head.target.find("://");
  if (scheme == std::string_view::npos) return false;
  std::string_view name = head.target.substr(0, scheme);
  if (!EqualsIgnoringCase(name, "http") && !EqualsIgnoringCase(name, "https")) return false;
  std::string_view rest = head.target.substr(scheme + 3);
  std::size_t path = rest.find_first_of("/?");
  head.authority = rest.substr(0, path);
  if (path == std::string_view::npos) {
    head.target = "/";
  } else if (rest[path] == '/') {
    head.target = rest.substr(path);
  } else {
    return false;  // "http://host?query": no client sends it, and path and query would not be views
  }
  return !head.authority.empty() && IsAuthority(head.authority);
}

// The request line in [at, end of line). Returns nullptr when it is good.
const ParseError* ParseRequestLine(std::string_view line, Http1Head& head) {
  static constexpr ParseError kBadLine{400, "malformed request line"};
  static constexpr ParseError kBadMethod{400, "malformed method"};
  static constexpr ParseError kBadTarget{400, "malformed request target"};
  static constexpr ParseError kBadVersion{505, "the HTTP version is not supported"};
  static constexpr ParseError kConnect{501, "CONNECT is not supported"};
  std::size_t first = line.find(' ');
  if (first == std::string_view::npos || first == 0) return &kBadLine;
  std::size_t last = line.find(' ', first + 1);
  if (last == std::string_view::npos || last == first + 1) return &kBadLine;
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  std::string_view version = line.substr(last + 1);
  if (!std::all_of(head.method.begin(), head.method.end(), IsTokenChar)) return &kBadMethod;
  if (version == "HTTP/1.1") {
    head.minor_version = 1;
  } else if (version == "HTTP/1.0") {
    head.minor_version = 0;
  } else {
    return version.starts_with("HTTP/") ? &kBadVersion : &kBadLine;
  }
  if (head.method == "CONNECT") return &kConnect;
  if (head.target.front() != '/') {
    bool asterisk = head.target == "*" && head.method == "OPTIONS";
    if (!asterisk && !SplitAbsoluteTarget(head)) return &kBadTarget;
  }
  if (std::memchr(head.target.data(), '\t', head.target.size()) != nullptr) return &kBadTarget;
  return nullptr;
}

}  // namespace

HeadParse ParseHttp1Head(std::string_view bytes, Http1Head& head) {
  const char* const begin = bytes.data();
  const char* const end = begin + bytes.size();
  const char* at = begin;
  // An empty line before a request is left over from sloppy clients (RFC 9112, 2.2).
  for (int i = 0; i < 2 && end - at >= 2 && at[0] == '\r' && at[1] == '\n'; ++i) at += 2;

  head.authority = {};
  head.header_count = 0;
  head.content_length.reset();
  head.chunked = head.expect_continue = head.upgrade_h2c = false;
  head.http2_settings = {};

  const char* line_end = FindControl(at, end);
  switch (CheckLineEnd(line_end, end)) {
    case LineEnd::kIncomplete:
      return Incomplete();
    case LineEnd::kBad:
      return Error(400, kBadLineEnd);
    case LineEnd::kCrLf:
      break;
  }
  std::string_view request_line(at, static_cast<std::size_t>(line_end - at));
  if (const ParseError* error = ParseRequestLine(request_line, head)) {
    return Error(error->status, error->text);
  }
  at = line_end + 2;

  Scan scan{head};
  while (true) {
    if (at == end) return Incomplete();
    if (*at == '\r') {
      if (at + 1 == end) return Incomplete();
      if (at[1] != '\n') return Error(400, kBadLineEnd);
      at += 2;
      break;
    }
    if (*at == ' ' || *at == '\t') return Error(400, "a header line must not be folded");
    const char* name = at;
    while (at < end && IsTokenChar(*at)) ++at;
    if (at == end) return Incomplete();
    if (*at != ':' || at == name) return Error(400, "malformed header name");
    std::string_view name_view(name, static_cast<std::size_t>(at - name));
    ++at;
    line_end = FindControl(at, end);
    switch (CheckLineEnd(line_end, end)) {
      case LineEnd::kIncomplete:
        return Incomplete();
      case LineEnd::kBad:
        return Error(400, kBadLineEnd);
      case LineEnd::kCrLf:
        break;
    }
    if (head.header_count == kHeadersMax) return Error(431, "too many header lines");
    std::string_view value = TrimBlanks({at, static_cast<std::size_t>(line_end - at)});
    head.headers[head.header_count++] = {name_view, value};
    scan.Header(name_view, value);
    at = line_end + 2;
  }
  scan.Finish();
  if (scan.error.status != 0) return Error(scan.error.status, scan.error.text);
  return {ParseState::kComplete, static_cast<std::size_t>(at - begin), {}};
}

ParseState ChunkDecoder::Fail(int status, const char* text) {
  error_ = {status, text};
  return ParseState::kError;
}

ParseState ChunkDecoder::Decode(std::string_view bytes, base::Buffer& body, std::size_t& consumed) {
  const char* const end = bytes.data() + bytes.size();
  const char* at = bytes.data();
  consumed = 0;
  while (at < end) {
    if (state_ == State::kData) {
      auto part = static_cast<std::size_t>(
          std::min<uint64_t>(chunk_left_, static_cast<uint64_t>(end - at)));
      body.Append({at, part});
      at += part;
      chunk_left_ -= part;
      if (chunk_left_ == 0) state_ = State::kDataCr;
      continue;
    }
    const char c = *at++;
    switch (state_) {
      case State::kSize: {
        int digit = c >= '0' && c <= '9'                           ? c - '0'
                    : LowerAscii(c) >= 'a' && LowerAscii(c) <= 'f' ? LowerAscii(c) - 'a' + 10
                                                                   : -1;
        if (digit >= 0) {
          if (++size_digits_ > 15) return Fail(400, "the chunk size is too long");
          chunk_left_ = chunk_left_ * 16 + static_cast<uint64_t>(digit);
          break;
        }
        if (size_digits_ == 0) return Fail(400, "the chunk size is not a hexadecimal number");
        if (c == '\r') {
          state_ = State::kSizeLf;
        } else if (c == ';') {
          state_ = State::kExtension;
        } else {
          return Fail(400, "the chunk size is not a hexadecimal number");
        }
        break;
      }
      case State::kExtension:
        if (c == '\r') {
          state_ = State::kSizeLf;
        } else if (!IsValueChar(c)) {
          return Fail(400, "malformed chunk extension");
        } else if (overhead_bytes_left_-- == 0) {
          return Fail(431, "chunk extensions and trailers are too long");
        }
        break;
      case State::kSizeLf:
        if (c != '\n') return Fail(400, "a chunk size must end with CR LF");
        if (body.size() > body_bytes_max_ || chunk_left_ > body_bytes_max_ - body.size()) {
          return Fail(413, "the request body is too large");
        }
        size_digits_ = 0;
        state_ = chunk_left_ == 0 ? State::kTrailerStart : State::kData;
        break;
      case State::kData:
        break;  // handled above
      case State::kDataCr:
        if (c != '\r') return Fail(400, "a chunk must end with CR LF");
        state_ = State::kDataLf;
        break;
      case State::kDataLf:
        if (c != '\n') return Fail(400, "a chunk must end with CR LF");
        state_ = State::kSize;
        break;
      case State::kTrailerStart:
        if (c == '\r') {
          state_ = State::kEndLf;
          break;
        }
        if (!IsTokenChar(c)) return Fail(400, "malformed trailer");
        state_ = State::kTrailerName;
        [[fallthrough]];
      case State::kTrailerName:
        if (overhead_bytes_left_-- == 0) {
          return Fail(431, "chunk extensions and trailers are too long");
        }
        if (c == ':') {
          state_ = State::kTrailerValue;
        } else if (!IsTokenChar(c)) {
          return Fail(400, "malformed trailer");
        }
        break;
      case State::kTrailerValue:
        if (c == '\r') {
          state_ = State::kTrailerLf;
        } else if (!IsValueChar(c)) {
          return Fail(400, "malformed trailer");
        } else if (overhead_bytes_left_-- == 0) {
          return Fail(431, "chunk extensions and trailers are too long");
        }
        break;
      case State::kTrailerLf:
        if (c != '\n') return Fail(400, "malformed trailer");
        state_ = State::kTrailerStart;
        break;
      case State::kEndLf:
        if (c != '\n') return Fail(400, "malformed trailer");
        consumed = static_cast<std::size_t>(at - bytes.data());
        return ParseState::kComplete;
    }
  }
  consumed = bytes.size();
  return ParseState::kIncomplete;
}

}  // namespace millstream::http
