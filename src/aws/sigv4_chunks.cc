#include "aws/sigv4_chunks.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "aws/request_headers.h"
#include "codec/base64.h"
#include "codec/crc32.h"
#include "codec/crc32c.h"
#include "codec/hex.h"

namespace millstream::aws {
namespace {

constexpr std::string_view kEmptySha256 =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr std::string_view kSignatureParameter = "chunk-signature=";
constexpr std::size_t kTrailerBytesMax = 16 * 1024;

tl::unexpected<ServiceError> BadFraming(std::string what) {
  ServiceError error = InvalidSignatureException("");
  error.code = "InvalidChunk";
  error.message = "The aws-chunked payload is malformed: " + std::move(what) + ".";
  return FailCall(std::move(error));
}

tl::unexpected<ServiceError> BadSignature() {
  return FailCall(InvalidSignatureException(
      "The request signature we calculated does not match the signature you provided. Check your "
      "AWS Secret Access Key and signing method. Consult the service documentation for details."));
}

bool SameSecretly(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

std::string BigEndian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFF);
  return bytes;
}

class ChunkDecoder {
 public:
  ChunkDecoder(ChunkedPayload kind, std::string_view body, const ChunkSigning& signing)
      : kind_(kind), rest_(body), signing_(signing), previous_(signing.seed_signature) {}

  Outcome<base::Bytes> Run() {
    base::Buffer decoded(rest_.size());
    while (true) {
      std::string_view header;
      if (!TakeLine(header)) return BadFraming("a chunk's header has no end");
      std::string_view chunk;
      if (auto error = TakeChunk(header, chunk)) return tl::unexpected<ServiceError>(*error);
      if (chunk.empty()) break;
      decoded.Append(chunk);
    }
    if (auto error = TakeTrailers(decoded.view())) return tl::unexpected<ServiceError>(*error);
    if (!rest_.empty()) return BadFraming("bytes follow the last chunk");
    return std::move(decoded).Share();
  }

 private:
  bool TakeLine(std::string_view& line) {
    const auto end = rest_.find("\r\n");
    if (end == std::string_view::npos) return false;
    line = rest_.substr(0, end);
    rest_.remove_prefix(end + 2);
    return true;
  }

  std::optional<ServiceError> TakeChunk(std::string_view header, std::string_view& chunk) {
    std::size_t size = 0;
    const auto [end, error] =
        std::from_chars(header.data(), header.data() + header.size(), size, 16);
    if (error != std::errc() || end == header.data()) {
      return BadFraming("a chunk's size is not a hexadecimal number").value();
    }
    std::string_view extension(end, static_cast<std::size_t>(header.data() + header.size() - end));
    if (size > rest_.size()) return BadFraming("a chunk is longer than the body").value();
    chunk = rest_.substr(0, size);
    rest_.remove_prefix(size);
    if (size > 0) {
      if (rest_.substr(0, 2) != "\r\n") return BadFraming("a chunk has no end of line").value();
      rest_.remove_prefix(2);
    }
    if (kind_ == ChunkedPayload::kUnsignedTrailer) return std::nullopt;
    if (extension.substr(0, 1) == ";") extension.remove_prefix(1);
    if (extension.substr(0, kSignatureParameter.size()) != kSignatureParameter) {
      return BadFraming("a chunk has no chunk-signature").value();
    }
    extension.remove_prefix(kSignatureParameter.size());
    return CheckSignature("AWS4-HMAC-SHA256-PAYLOAD", true, chunk, extension);
  }

  // The string to sign of a chunk has one line more than that of a trailer.
  std::optional<ServiceError> CheckSignature(std::string_view algorithm, bool of_chunk,
                                             std::string_view bytes, std::string_view signature) {
    if (signing_.key == nullptr) return std::nullopt;
    std::string to_sign(algorithm);
    to_sign.append("\n").append(signing_.timestamp).append("\n").append(signing_.scope);
    to_sign.append("\n").append(previous_).append("\n");
    if (of_chunk) to_sign.append(kEmptySha256).append("\n");
    to_sign += codec::HexEncode(codec::AsView(codec::Sha256Digest(bytes)));
    previous_ = codec::HexEncode(codec::AsView(signing_.key->Mac(to_sign)));
    if (!SameSecretly(previous_, signature)) return BadSignature().value();
    return std::nullopt;
  }

  std::optional<ServiceError> TakeTrailers(std::string_view decoded) {
    if (rest_.size() > kTrailerBytesMax) return BadFraming("its trailer is too long").value();
    std::string canonical;  // what the trailer's signature covers
    std::string_view line, signature;
    while (!rest_.empty()) {
      if (!TakeLine(line)) return BadFraming("its trailer has no end of line").value();
      if (line.empty()) break;
      const auto colon = line.find(':');
      if (colon == std::string_view::npos) return BadFraming("a trailer has no ':'").value();
      const std::string_view name = line.substr(0, colon);
      const std::string_view value = line.substr(colon + 1);
      if (EqualsLower("x-amz-trailer-signature", name)) {
        signature = value;
        continue;
      }
      if (auto error = CheckChecksum(name, value, decoded)) return error;
      canonical.append(name).append(":").append(value).append("\n");
    }
    if (kind_ != ChunkedPayload::kSignedTrailer || signing_.key == nullptr) return std::nullopt;
    return CheckSignature("AWS4-HMAC-SHA256-TRAILER", false, canonical, signature);
  }

  static std::optional<ServiceError> CheckChecksum(std::string_view name, std::string_view value,
                                                   std::string_view decoded) {
    std::string expected;
    if (EqualsLower("x-amz-checksum-crc32", name)) {
      expected = BigEndian(codec::Crc32(decoded));
    } else if (EqualsLower("x-amz-checksum-crc32c", name)) {
      expected = BigEndian(codec::Crc32c(decoded));
    } else if (EqualsLower("x-amz-checksum-sha256", name)) {
      expected = codec::AsView(codec::Sha256Digest(decoded));
    } else {
      return std::nullopt;  // other checksums and trailers are the service's business
    }
    if (codec::Base64Encode(expected) == value) return std::nullopt;
    ServiceError error = InvalidSignatureException("");
    error.code = "BadDigest";
    error.message = "The value of the trailer " + std::string(name) +
                    " does not match the checksum of the payload.";
    return error;
  }

  const ChunkedPayload kind_;
  std::string_view rest_;
  const ChunkSigning& signing_;
  std::string previous_;
};

}  // namespace

ChunkedPayload ChunkedPayloadOf(std::string_view content_sha256) {
  if (content_sha256.substr(0, 10) != "STREAMING-") return ChunkedPayload::kNone;
  if (content_sha256 == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD") return ChunkedPayload::kSigned;
  if (content_sha256 == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER") {
    return ChunkedPayload::kSignedTrailer;
  }
  if (content_sha256 == "STREAMING-UNSIGNED-PAYLOAD-TRAILER") {
    return ChunkedPayload::kUnsignedTrailer;
  }
  return ChunkedPayload::kNone;
}

Outcome<base::Bytes> DecodeChunks(ChunkedPayload kind, std::string_view body,
                                  std::string_view decoded_length, const ChunkSigning& signing) {
  auto decoded = ChunkDecoder(kind, body, signing).Run();
  if (!decoded) return decoded;
  if (!decoded_length.empty() && decoded_length != std::to_string(decoded->size())) {
    return BadFraming("it holds " + std::to_string(decoded->size()) +
                      " bytes, x-amz-decoded-content-length says " + std::string(decoded_length));
  }
  return decoded;
}

}  // namespace millstream::aws
