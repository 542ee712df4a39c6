#include "streams/key_ring.h"

#include "codec/hex.h"
#include "codec/sha256.h"
#include "streams/aes_gcm.h"

namespace millstream::streams {
namespace {

constexpr std::string_view kFirstLine = "millstream key ring 1\n";

std::string_view View(const KeyRing::Secret& secret) {
  return {reinterpret_cast<const char*>(secret.data()), secret.size()};
}

}  // namespace

base::Result<KeyRing> KeyRing::Open(base::FileSystem& files, base::Random& random,
                                    const std::string& path) {
  Secret secret;
  ASSIGN_OR_RETURN(bool exists, files.Exists(path));
  if (!exists) {
    random.Fill(secret.data(), secret.size());
    std::string content = std::string(kFirstLine) + codec::HexEncode(View(secret)) + "\n";
    TRY(files.WriteFileAtomically(path, content));
    return KeyRing(secret);
  }
  ASSIGN_OR_RETURN(std::string content, files.ReadFile(path));
  std::string_view text = content;
  if (!text.starts_with(kFirstLine)) {
    return base::Fail(base::Code::kDataLoss, "key ring " + path + ": first line is not '" +
                                                 std::string(kFirstLine.substr(0, 21)) + "'");
  }
  text.remove_prefix(kFirstLine.size());
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  if (text.size() != 2 * secret.size() ||
      !codec::HexDecode(text, reinterpret_cast<char*>(secret.data()))) {
    return base::Fail(base::Code::kDataLoss,
                      "key ring " + path + ": second line is not 64 hexadecimal digits");
  }
  return KeyRing(secret);
}

KeyRing::Secret KeyRing::MasterKey(std::string_view key_id) const {
  return codec::HmacSha256(View(secret_), "master key of " + std::string(key_id));
}

std::string KeyRing::Wrap(const Secret& data_key, std::string_view key_id,
                          std::string_view context, base::Random& random) const {
  std::string wrapped(data_key.size() + AesGcm::kOverhead, '\0');
  uint8_t nonce[AesGcm::kNonceSize];
  NextNonce(random, nonce);
  AesGcm(MasterKey(key_id)).Seal(nonce, context, View(data_key), wrapped.data());
  return wrapped;
}

base::Result<KeyRing::Secret> KeyRing::Unwrap(std::string_view wrapped, std::string_view key_id,
                                              std::string_view context) const {
  Secret secret;
  if (wrapped.size() != secret.size() + AesGcm::kOverhead ||
      !AesGcm(MasterKey(key_id))
           .Open(context, wrapped, reinterpret_cast<char*>(secret.data()))) {
    return base::Fail(base::Code::kPermissionDenied,
                      "this key ring is not the one that wrapped a data key under " +
                          std::string(key_id));
  }
  return secret;
}

}  // namespace millstream::streams
