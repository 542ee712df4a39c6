#include "net/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "base/bytes.h"

namespace millstream::net {
namespace {

constexpr std::size_t kReadAheadBytes = 64 << 10;
constexpr std::size_t kRecordBytes = 16 << 10;
// Encrypted bytes gathered for one send().
constexpr std::size_t kUnsentBytesMax = 128 << 10;

std::string OpenSslErrors() {
  std::string text;
  while (unsigned long code = ERR_get_error()) {
    char line[256];
    ERR_error_string_n(code, line, sizeof line);
    if (!text.empty()) text += "; ";
    text += line;
  }
  return text.empty() ? "unknown error" : text;
}

// What OpenSSL reads and writes through: a socket whose output is gathered, so that all records of
// one flush, and the messages of one handshake flight, leave with one system call. A short read is
// remembered: the read that OpenSSL would make to find the socket empty is answered without one.
struct Channel {
  int fd = -1;
  base::Buffer unsent;
  bool drained = false;
  bool ended = false;
};

Channel& ChannelOf(BIO* bio) { return *static_cast<Channel*>(BIO_get_data(bio)); }

int ChannelWrite(BIO* bio, const char* data, std::size_t size, std::size_t* written) {
  ChannelOf(bio).unsent.Append({data, size});
  *written = size;
  return 1;
}

int ChannelRead(BIO* bio, char* to, std::size_t size, std::size_t* read) {
  Channel& channel = ChannelOf(bio);
  BIO_clear_retry_flags(bio);
  while (!channel.drained) {
    ssize_t got = recv(channel.fd, to, size, 0);
    if (got > 0) {
      *read = static_cast<std::size_t>(got);
      channel.drained = *read < size;
      return 1;
    }
    if (got < 0 && errno == EINTR) continue;
    channel.ended = got == 0;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    return 0;
  }
  BIO_set_retry_read(bio);
  return 0;
}

long ChannelControl(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return ChannelOf(bio).ended ? 1 : 0;
  return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
}

BIO_METHOD* ChannelMethod() {
  static BIO_METHOD* method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gathering socket");
    BIO_meth_set_write_ex(made, ChannelWrite);
    BIO_meth_set_read_ex(made, ChannelRead);
    BIO_meth_set_ctrl(made, ChannelControl);
    return made;
  }();
  return method;
}

class TlsTransport final : public Transport {
 public:
  TlsTransport(Socket socket, SSL* ssl) : socket_(std::move(socket)), ssl_(ssl) {
    channel_.fd = socket_.fd();
    BIO* bio = BIO_new(ChannelMethod());
    BIO_set_data(bio, &channel_);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_, bio, bio);
  }
  ~TlsTransport() override { SSL_free(ssl_); }

  IoResult Read(char* to, std::size_t size) override;
  IoResult Write(const iovec* parts, int count) override;
  bool has_unsent() const override { return channel_.unsent.size() > sent_; }
  void ShutdownWrite() override;
  bool tls() const override { return true; }
  std::string_view alpn() const override;
  int fd() const override { return socket_.fd(); }

  // One step of a client's handshake: 1 done, 0 waits for the peer, -1 failed.
  int Connect();

 private:
  bool SendUnsent();
  // Takes `size` bytes; fewer only when the connection is broken (`failed_`).
  std::size_t Encrypt(const char* data, std::size_t size);

  Socket socket_;
  SSL* const ssl_;
  Channel channel_;
  std::size_t sent_ = 0;  // of channel_.unsent
  bool failed_ = false;
};

IoResult TlsTransport::Read(char* to, std::size_t size) {
  channel_.drained = false;
  std::size_t total = 0;
  IoResult::State end = IoResult::State::kOk;
  // One record at a time until the socket is empty, so that a short count means what it should.
  while (total < size) {
    ERR_clear_error();
    std::size_t got = 0;
    int result = SSL_read_ex(ssl_, to + total, size - total, &got);
    if (result == 1) {
      total += got;
      continue;
    }
    switch (SSL_get_error(ssl_, result)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE:
        end = IoResult::State::kWouldBlock;
        break;
      case SSL_ERROR_ZERO_RETURN:
        end = IoResult::State::kClosed;
        break;
      default:
        ERR_clear_error();
        end = IoResult::State::kFailed;
        break;
    }
    break;
  }
  // Handshake messages and alerts. What the socket does not take waits for writability.
  if (has_unsent() && !SendUnsent()) return {IoResult::State::kFailed};
  if (total > 0) return {IoResult::State::kOk, total};  // a close or failure shows in the next call
  return {end};
}

bool TlsTransport::SendUnsent() {
  while (has_unsent()) {
    ssize_t sent = send(socket_.fd(), channel_.unsent.data() + sent_,
                        channel_.unsent.size() - sent_, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK;
    }
    sent_ += static_cast<std::size_t>(sent);
  }
  channel_.unsent = base::Buffer();
  sent_ = 0;
  return true;
}

std::size_t TlsTransport::Encrypt(const char* data, std::size_t size) {
  std::size_t taken = 0;
  while (taken < size) {
    ERR_clear_error();
    std::size_t wrote = 0;
    int result = SSL_write_ex(ssl_, data + taken, size - taken, &wrote);
    if (result != 1) {
      // The buffer always takes everything, so only a broken connection ends up here.
      ERR_clear_error();
      failed_ = true;
      break;
    }
    taken += wrote;
  }
  return taken;
}

int TlsTransport::Connect() {
  ERR_clear_error();
  channel_.drained = false;
  int result = SSL_connect(ssl_);
  int error = SSL_get_error(ssl_, result);
  if (has_unsent() && !SendUnsent()) return -1;
  if (result == 1) return 1;
  return error == SSL_ERROR_WANT_READ ? 0 : -1;
}

IoResult TlsTransport::Write(const iovec* parts, int count) {
  std::size_t total = 0;
  char gathered[kRecordBytes];
  std::size_t gathered_size = 0;
  for (int i = 0; i < count && !failed_; ++i) {
    // Small parts share a record.
    const char* data = static_cast<const char*>(parts[i].iov_base);
    std::size_t size = parts[i].iov_len;
    while (size > 0 && !failed_) {
      if (channel_.unsent.size() - sent_ + gathered_size >= kUnsentBytesMax) {
        total += Encrypt(gathered, gathered_size);
        gathered_size = 0;
        if (!SendUnsent()) failed_ = true;
        if (failed_ || has_unsent()) break;
      }
      std::size_t part;
      if (gathered_size == 0 && size >= kRecordBytes) {
        part = Encrypt(data, kRecordBytes);
        total += part;
      } else {
        part = std::min(size, kRecordBytes - gathered_size);
        std::memcpy(gathered + gathered_size, data, part);
        gathered_size += part;
        if (gathered_size == kRecordBytes) {
          total += Encrypt(gathered, gathered_size);
          gathered_size = 0;
        }
      }
      data += part;
      size -= part;
    }
    if (size > 0) break;
  }
  if (gathered_size > 0 && !failed_) total += Encrypt(gathered, gathered_size);
  if (!failed_ && !SendUnsent()) failed_ = true;
  if (failed_) return {IoResult::State::kFailed};
  return {IoResult::State::kOk, total};
}

void TlsTransport::ShutdownWrite() {
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
  SendUnsent();
  shutdown(socket_.fd(), SHUT_WR);
}

std::string_view TlsTransport::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

int SelectAlpn(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
               const unsigned char* offered, unsigned offered_size, void*) {
  static constexpr unsigned char kOurs[] = "\x02h2\x08http/1.1";
  unsigned char* match = nullptr;
  int result =
      SSL_select_next_proto(&match, chosen_size, kOurs, sizeof kOurs - 1, offered, offered_size);
  *chosen = match;
  // A client that knows neither is served as if it had not asked.
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

base::Result<std::unique_ptr<TlsContext>> TlsContext::Load(const std::string& certificate_file,
                                                           const std::string& key_file) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  if (context == nullptr) return base::Fail(base::Code::kInternal, "TLS: " + OpenSslErrors());
  std::unique_ptr<TlsContext> made(new TlsContext(context));
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_NO_COMPRESSION | SSL_OP_PRIORITIZE_CHACHA |
                                   // HTTP frames its messages; many clients just close.
                                   SSL_OP_IGNORE_UNEXPECTED_EOF);
  // HTTP/2 wants AEAD with forward secrecy (RFC 9113, 9.2.2); nobody who speaks to us lacks it.
  SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, kReadAheadBytes);
  SSL_CTX_set_num_tickets(context, 1);
  static constexpr unsigned char kSessionContext[] = "millstream";
  SSL_CTX_set_session_id_context(context, kSessionContext, sizeof kSessionContext - 1);
  SSL_CTX_set_alpn_select_cb(context, SelectAlpn, nullptr);
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1) {
    return base::Fail(
        base::Code::kInvalidArgument,
        "reading the TLS certificate " + certificate_file + " failed: " + OpenSslErrors());
  }
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return base::Fail(base::Code::kInvalidArgument,
                      "reading the TLS key " + key_file + " failed: " + OpenSslErrors());
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    return base::Fail(
        base::Code::kInvalidArgument,
        "the TLS key " + key_file + " does not belong to the certificate " + certificate_file);
  }
  return made;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

std::unique_ptr<Transport> TlsContext::Accept(Socket socket) const {
  SSL* ssl = SSL_new(context_);
  if (ssl == nullptr) return nullptr;
  SSL_set_accept_state(ssl);
  return std::make_unique<TlsTransport>(std::move(socket), ssl);
}

base::Result<std::unique_ptr<Transport>> ConnectTls(Socket socket,
                                                    const TlsClientOptions& options) {
  ERR_clear_error();
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                            SSL_CTX_free);
  if (context == nullptr) return base::Fail(base::Code::kInternal, "TLS: " + OpenSslErrors());
  if (options.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else if (SSL_CTX_load_verify_locations(context.get(), options.ca_file.c_str(), nullptr) != 1) {
    return base::Fail(base::Code::kInvalidArgument,
                      "reading " + options.ca_file + " failed: " + OpenSslErrors());
  }
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (options.verify) SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL* ssl = SSL_new(context.get());  // holds the context
  if (ssl == nullptr) return base::Fail(base::Code::kInternal, "TLS: " + OpenSslErrors());
  auto transport = std::make_unique<TlsTransport>(std::move(socket), ssl);
  X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(parameters, options.host.c_str()) != 1) {
    X509_VERIFY_PARAM_set1_host(parameters, options.host.c_str(), 0);
    SSL_set_tlsext_host_name(ssl, options.host.c_str());
  }
  std::string alpn = std::string(1, static_cast<char>(options.alpn.size())) + options.alpn;
  SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(alpn.data()),
                      static_cast<unsigned>(alpn.size()));
  while (true) {
    int state = transport->Connect();
    if (state == 1) return std::unique_ptr<Transport>(std::move(transport));
    if (state < 0) {
      std::string reason = OpenSslErrors();
      if (SSL_get_verify_result(ssl) != X509_V_OK) {
        reason = X509_verify_cert_error_string(SSL_get_verify_result(ssl));
      }
      return base::Fail(base::Code::kUnavailable, "TLS handshake failed: " + reason);
    }
    pollfd wait{transport->fd(), POLLIN, 0};
    if (poll(&wait, 1, static_cast<int>(options.timeout_ms)) == 0) {
      return base::Fail(base::Code::kUnavailable, "TLS handshake failed: timed out");
    }
  }
}

}  // namespace millstream::net
