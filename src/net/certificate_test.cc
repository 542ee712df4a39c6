#include "net/certificate.h"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

namespace millstream::net {
namespace {

constexpr int64_t kNowMs = 1'800'000'000'000;

struct X509Deleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, X509Deleter>;

Certificate Parse(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  Certificate certificate(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr));
  BIO_free(bio);
  return certificate;
}

bool TrustedAt(const LocalCertificate& made, int64_t when_ms) {
  Certificate authority = Parse(made.ca_certificate);
  Certificate certificate = Parse(made.chain);
  X509_STORE* store = X509_STORE_new();
  X509_STORE_add_cert(store, authority.get());
  X509_STORE_CTX* context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, certificate.get(), nullptr);
  X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
  X509_STORE_CTX_set_time(context, 0, static_cast<time_t>(when_ms / 1000));
  bool trusted = X509_verify_cert(context) == 1;
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  return trusted;
}

TEST(CertificateTest, IsTrustedByThoseWhoTrustTheAuthority) {
  auto made = MakeLocalCertificate(
      {.names = {"localhost", "127.0.0.1", "::1"}, .days = 10, .now_ms = kNowMs});
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_TRUE(TrustedAt(*made, kNowMs));
  EXPECT_FALSE(TrustedAt(*made, kNowMs + 11 * 86'400'000LL));

  Certificate certificate = Parse(made->chain);
  EXPECT_EQ(X509_check_host(certificate.get(), "localhost", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "127.0.0.1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "::1", 0), 1);
  EXPECT_EQ(X509_check_host(certificate.get(), "example.com", 0, 0, nullptr), 0);
}

TEST(CertificateTest, AnEarlierAuthoritySignsAgain) {
  auto first = MakeLocalCertificate({.names = {"a.test"}, .now_ms = kNowMs});
  ASSERT_TRUE(first);
  auto second = MakeLocalCertificate({.names = {"b.test"},
                                      .now_ms = kNowMs,
                                      .ca_certificate = first->ca_certificate,
                                      .ca_key = first->ca_key});
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_EQ(second->ca_certificate, first->ca_certificate);
  EXPECT_TRUE(TrustedAt(*second, kNowMs));
}

TEST(CertificateTest, RefusesAuthoritiesWhoseKeyIsAnothers) {
  auto a = MakeLocalCertificate({.names = {"a.test"}, .now_ms = kNowMs});
  auto b = MakeLocalCertificate({.names = {"a.test"}, .now_ms = kNowMs});
  ASSERT_TRUE(a && b);
  auto mixed = MakeLocalCertificate({.names = {"c.test"},
                                     .now_ms = kNowMs,
                                     .ca_certificate = a->ca_certificate,
                                     .ca_key = b->ca_key});
  ASSERT_FALSE(mixed);
  EXPECT_EQ(mixed.error().code(), base::Code::kInvalidArgument);
}

TEST(CertificateTest, RefusesNamesThatWouldBeSyntax) {
  for (const char* name : {"", "a,DNS:b", "a b", "a:b", "a\nb"}) {
    auto made = MakeLocalCertificate({.names = {name}, .now_ms = kNowMs});
    ASSERT_FALSE(made) << name;
    EXPECT_EQ(made.error().code(), base::Code::kInvalidArgument);
  }
  EXPECT_FALSE(MakeLocalCertificate({.names = {}, .now_ms = kNowMs}));
}

}  // namespace
}  // namespace millstream::net
