#include "streams/shard_iterator.h"

#include <fmt/format.h>

#include <cstring>
#include <ctime>
#include <optional>

#include "codec/base64.h"
#include "codec/big_endian.h"
#include "streams/aes_gcm.h"

namespace millstream::streams {
namespace {

constexpr std::string_view kPrefix("\0\0\0\0\0\0\0\1", 8);
constexpr char kFormat = 1;
constexpr std::size_t kFixedBytes = 1 + 8 + 16 + 4 + 8 + 3;  // with the lengths of three names
constexpr std::size_t kTokenBytesMax = 384;                  // base64 stays within 512 characters

tl::unexpected<base::Error> Invalid() {
  return base::Fail(base::Code::kInvalidArgument, "Invalid ShardIterator.");
}

void AppendName(std::string& to, std::string_view name) {
  to.push_back(static_cast<char>(name.size()));
  to += name;
}

std::optional<std::string_view> TakeName(std::string_view& from) {
  if (from.empty()) return std::nullopt;
  auto size = static_cast<unsigned char>(from[0]);
  if (from.size() < std::size_t{1} + size) return std::nullopt;
  std::string_view name = from.substr(1, size);
  from.remove_prefix(std::size_t{1} + size);
  return name;
}

// As Java prints dates: "Thu Jan 22 01:22:02 UTC 2015".
std::string JavaDate(int64_t ms) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm when{};
  gmtime_r(&seconds, &when);
  return fmt::format("{} {} {:02} {:02}:{:02}:{:02} UTC {}", kDays[when.tm_wday],
                     kMonths[when.tm_mon], when.tm_mday, when.tm_hour, when.tm_min, when.tm_sec,
                     when.tm_year + 1900);
}

}  // namespace

IteratorSealer::IteratorSealer(const Key& key, base::Random& random)
    : key_(key), random_(random) {}

std::string IteratorSealer::Seal(const ShardIterator& iterator) const {
  const StreamKey& stream = iterator.stream;
  std::string text;
  text.reserve(256);
  text.push_back(kFormat);
  char fixed[36];
  codec::StoreBigEndian<int64_t>(fixed, iterator.issued_ms);
  std::memcpy(fixed + 8, iterator.uuid.data(), 16);
  codec::StoreBigEndian<uint32_t>(fixed + 24, iterator.shard.index);
  codec::StoreBigEndian<int64_t>(fixed + 28, iterator.offset);
  text.append(fixed, sizeof fixed);
  AppendName(text, stream.account);
  AppendName(text, stream.region);
  AppendName(text, stream.name);
  // Sizes as AWS's tokens have them: 152 bytes for short names, then in steps of 16.
  std::size_t sealed = 144 + (stream.name.size() + 2) / 16 * 16;
  while (sealed < text.size() + AesGcm::kOverhead) sealed += 16;
  text.resize(sealed - AesGcm::kOverhead, '\0');

  std::string token(kPrefix);
  token.resize(kPrefix.size() + sealed);
  uint8_t nonce[AesGcm::kNonceSize];
  NextNonce(random_, nonce);
  AesGcm(key_).Seal(nonce, kPrefix, text, token.data() + kPrefix.size());
  return codec::Base64Encode(token);
}

base::Result<ShardIterator> IteratorSealer::Open(std::string_view token) const {
  if (token.size() >= 2 && token.front() == '"' && token.back() == '"') {
    token = token.substr(1, token.size() - 2);
  }
  auto size = codec::Base64DecodedSize(token);
  if (!size || *size < kPrefix.size() + AesGcm::kOverhead + kFixedBytes ||
      *size > kTokenBytesMax) {
    return Invalid();
  }
  char bytes[kTokenBytesMax];
  auto decoded = codec::Base64Decode(token, bytes);
  if (!decoded || std::string_view(bytes, kPrefix.size()) != kPrefix) {
    return Invalid();
  }
  std::string_view sealed(bytes + kPrefix.size(), *decoded - kPrefix.size());
  char text_bytes[kTokenBytesMax];
  if (!AesGcm(key_).Open(kPrefix, sealed, text_bytes)) return Invalid();
  std::string_view text(text_bytes, sealed.size() - AesGcm::kOverhead);
  if (text[0] != kFormat) return Invalid();

  ShardIterator iterator;
  iterator.issued_ms = codec::LoadBigEndian<int64_t>(text.data() + 1);
  std::memcpy(iterator.uuid.data(), text.data() + 9, 16);
  iterator.shard.index = codec::LoadBigEndian<uint32_t>(text.data() + 25);
  iterator.offset = codec::LoadBigEndian<int64_t>(text.data() + 29);
  text.remove_prefix(37);
  auto account = TakeName(text);
  auto region = account ? TakeName(text) : std::nullopt;
  auto name = region ? TakeName(text) : std::nullopt;
  if (!name || iterator.offset < 0) return Invalid();
  iterator.stream = StreamKeyView(*account, *region, *name).ToKey();
  return iterator;
}

base::Status IteratorSealer::CheckAge(const ShardIterator& iterator, int64_t now_ms) {
  if (iterator.issued_ms > now_ms + ShardIterator::kLifeMs) return Invalid();
  if (now_ms - iterator.issued_ms <= ShardIterator::kLifeMs) return {};
  return base::Fail(
      base::Code::kExpired,
      fmt::format("Iterator expired. The iterator was created at time {} while right now it is {} "
                  "which is further in the future than the tolerated delay of {} milliseconds.",
                  JavaDate(iterator.issued_ms), JavaDate(now_ms), ShardIterator::kLifeMs));
}

}  // namespace millstream::streams
