#include "net/certificate.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string_view>

namespace millstream::net {
namespace {

using base::Code;
using base::Fail;
using base::Result;
using base::Status;

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* value) const {
    Free(value);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;

base::Error OpenSslError(std::string_view doing) {
  char text[256];
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  return base::Error(Code::kInternal, std::string(doing) + ": " + text);
}

std::string TextOf(BIO* bio) {
  char* data = nullptr;
  long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<std::size_t>(size));
}

std::string PemOf(const X509* certificate) {
  Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  return TextOf(bio.get());
}

std::string PemOf(const EVP_PKEY* key) {
  Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return TextOf(bio.get());
}

bool IsAddress(const std::string& name) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, name.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

// Names go into OpenSSL's extension syntax, where a comma would begin the next one.
bool IsName(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  return name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-*:") ==
         std::string_view::npos;
}

Status AddExtension(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str()));
  if (extension == nullptr || X509_add_ext(certificate, extension.get(), -1) != 1) {
    return Fail(OpenSslError("certificate extension " + value));
  }
  return {};
}

Result<Certificate> Blank(const std::string& common_name, EVP_PKEY* key,
                          const LocalCertificateOptions& options) {
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  uint64_t serial = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) {
    return Fail(OpenSslError("random serial number"));
  }
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial >> 1 | 1);
  time_t now = static_cast<time_t>(options.now_ms / 1000);
  // An hour back, for clients whose clocks are behind.
  ASN1_TIME_set(X509_getm_notBefore(certificate.get()), now - 3600);
  ASN1_TIME_set(X509_getm_notAfter(certificate.get()), now + options.days * 86400);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  auto add = [name](const char* field, const std::string& text) {
    X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(text.data()),
                               static_cast<int>(text.size()), -1, 0);
  };
  add("O", "Millstream");
  add("CN", common_name);
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

struct Authority {
  Certificate certificate;
  Key key;
};

Result<Authority> MakeAuthority(const LocalCertificateOptions& options) {
  Authority authority{nullptr, Key(EVP_EC_gen("P-256"))};
  if (authority.key == nullptr) return Fail(OpenSslError("making a key"));
  ASSIGN_OR_RETURN(authority.certificate,
                   Blank("Millstream local authority", authority.key.get(), options));
  X509* certificate = authority.certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  TRY(AddExtension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
  TRY(AddExtension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign"));
  TRY(AddExtension(certificate, certificate, NID_subject_key_identifier, "hash"));
  if (X509_sign(certificate, authority.key.get(), EVP_sha256()) == 0) {
    return Fail(OpenSslError("signing"));
  }
  return authority;
}

Result<Authority> ReadAuthority(const LocalCertificateOptions& options) {
  Bio certificate(BIO_new_mem_buf(options.ca_certificate.data(),
                                  static_cast<int>(options.ca_certificate.size())));
  Bio key(BIO_new_mem_buf(options.ca_key.data(), static_cast<int>(options.ca_key.size())));
  Authority authority{Certificate(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr)),
                      Key(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr))};
  if (authority.certificate == nullptr || authority.key == nullptr ||
      X509_check_private_key(authority.certificate.get(), authority.key.get()) != 1) {
    return Fail(Code::kInvalidArgument,
                "the authority's certificate and key do not belong together");
  }
  return authority;
}

}  // namespace

Result<LocalCertificate> MakeLocalCertificate(const LocalCertificateOptions& options) {
  std::string alternatives;
  for (const std::string& name : options.names) {
    bool address = IsAddress(name);
    if (!address && (!IsName(name) || name.find(':') != std::string::npos)) {
      return Fail(Code::kInvalidArgument, "\"" + name + "\" is neither a host name nor an address");
    }
    alternatives +=
        (alternatives.empty() ? "" : ",") + std::string(address ? "IP:" : "DNS:") + name;
  }
  if (alternatives.empty()) return Fail(Code::kInvalidArgument, "a certificate needs a name");

  ASSIGN_OR_RETURN(Authority authority,
                   options.ca_key.empty() ? MakeAuthority(options) : ReadAuthority(options));
  Key key(EVP_EC_gen("P-256"));
  if (key == nullptr) return Fail(OpenSslError("making a key"));
  ASSIGN_OR_RETURN(Certificate certificate, Blank(options.names[0], key.get(), options));
  X509* issuer = authority.certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
  TRY(AddExtension(certificate.get(), issuer, NID_basic_constraints, "critical,CA:FALSE"));
  TRY(AddExtension(certificate.get(), issuer, NID_key_usage, "critical,digitalSignature"));
  TRY(AddExtension(certificate.get(), issuer, NID_ext_key_usage, "serverAuth"));
  TRY(AddExtension(certificate.get(), issuer, NID_authority_key_identifier, "keyid"));
  TRY(AddExtension(certificate.get(), issuer, NID_subject_alt_name, alternatives));
  if (X509_sign(certificate.get(), authority.key.get(), EVP_sha256()) == 0) {
    return Fail(OpenSslError("signing"));
  }
  LocalCertificate made;
  made.ca_certificate = PemOf(issuer);
  made.ca_key = PemOf(authority.key.get());
  made.chain = PemOf(certificate.get()) + made.ca_certificate;
  made.key = PemOf(key.get());
  return made;
}

}  // namespace millstream::net
