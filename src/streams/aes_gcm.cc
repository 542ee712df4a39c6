#include "streams/aes_gcm.h"

#include <openssl/evp.h>

#include <cstring>

#include "base/check.h"

namespace millstream::streams {
namespace {

EVP_CIPHER_CTX* Context(void* context) { return static_cast<EVP_CIPHER_CTX*>(context); }
const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

void NextNonce(base::Random& random, uint8_t (&nonce)[AesGcm::kNonceSize]) {
  struct Run {
    bool started = false;
    uint32_t high = 0;
    uint64_t low = 0;
  };
  thread_local Run run;
  if (!run.started) {
    random.Fill(&run.high, sizeof run.high);
    random.Fill(&run.low, sizeof run.low);
    run.started = true;
  }
  if (++run.low == 0) ++run.high;
  std::memcpy(nonce, &run.high, sizeof run.high);
  std::memcpy(nonce + sizeof run.high, &run.low, sizeof run.low);
}

AesGcm::AesGcm(const Key& key) : context_(EVP_CIPHER_CTX_new()) {
  CHECK(context_ != nullptr);
  CHECK(EVP_CipherInit_ex(Context(context_), EVP_aes_256_gcm(), nullptr, key.data(), nullptr, 1) ==
        1);
}

AesGcm::~AesGcm() { EVP_CIPHER_CTX_free(Context(context_)); }

void AesGcm::Seal(const uint8_t (&nonce)[kNonceSize], std::string_view context,
                  std::string_view plain, char* out) {
  EVP_CIPHER_CTX* cipher = Context(context_);
  auto* to = reinterpret_cast<unsigned char*>(out);
  int size = 0;
  std::memcpy(to, nonce, kNonceSize);
  CHECK(EVP_CipherInit_ex(cipher, nullptr, nullptr, nullptr, nonce, 1) == 1);
  if (!context.empty()) {
    CHECK(EVP_CipherUpdate(cipher, nullptr, &size, Bytes(context),
                           static_cast<int>(context.size())) == 1);
  }
  size = 0;
  if (!plain.empty()) {
    CHECK(EVP_CipherUpdate(cipher, to + kNonceSize, &size, Bytes(plain),
                           static_cast<int>(plain.size())) == 1);
  }
  CHECK(static_cast<std::size_t>(size) == plain.size());
  unsigned char* tag = to + kNonceSize + plain.size();
  int rest = 0;
  CHECK(EVP_CipherFinal_ex(cipher, tag, &rest) == 1 && rest == 0);
  CHECK(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, kTagSize, tag) == 1);
}

bool AesGcm::Open(std::string_view context, std::string_view sealed, char* out) {
  if (sealed.size() < kOverhead) return false;
  EVP_CIPHER_CTX* cipher = Context(context_);
  auto* to = reinterpret_cast<unsigned char*>(out);
  std::string_view text = sealed.substr(kNonceSize, sealed.size() - kOverhead);
  unsigned char tag[kTagSize];
  std::memcpy(tag, sealed.data() + sealed.size() - kTagSize, kTagSize);
  int size = 0;
  if (EVP_CipherInit_ex(cipher, nullptr, nullptr, nullptr, Bytes(sealed), 0) != 1) return false;
  if (!context.empty() && EVP_CipherUpdate(cipher, nullptr, &size, Bytes(context),
                                           static_cast<int>(context.size())) != 1) {
    return false;
  }
  if (!text.empty() && EVP_CipherUpdate(cipher, to, &size, Bytes(text),
                                        static_cast<int>(text.size())) != 1) {
    return false;
  }
  if (EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, kTagSize, tag) != 1) return false;
  unsigned char end[16];
  return EVP_CipherFinal_ex(cipher, end, &size) == 1;
}

}  // namespace millstream::streams
