#include "tests/support/net_raw_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <csignal>
#include <cstdlib>

namespace spool::test {
namespace {

using Clock = std::chrono::steady_clock;

bool PollFor(int fd, short events, Clock::time_point end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
  pollfd p{fd, events, 0};
  return poll(&p, 1, static_cast<int>(std::max<int64_t>(0, left))) > 0;
}

int VersionOf(int number) { return number == 0 ? 0 : TLS1_VERSION + number - 10; }

void Must(bool done) {
  if (done) return;
  ERR_print_errors_fp(stderr);
  std::abort();
}

}  // namespace

struct RawTls::Impl {
  ~Impl() {
    SSL_free(ssl);
    SSL_CTX_free(context);
  }
  SSL_CTX* context = nullptr;
  SSL* ssl = nullptr;
  int fd = -1;
};

RawTls::RawTls(const TlsClientOptions& options, int fd) : impl_(std::make_unique<Impl>()) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets that may be closed
  SSL_CTX* const context =
      options.like == nullptr ? SSL_CTX_new(TLS_client_method()) : options.like->impl_->context;
  impl_->context = context;
  if (options.like != nullptr) Must(SSL_CTX_up_ref(context) == 1);
  // Old versions are only spoken at this level.
  if (options.version_max != 0 && options.version_max < 12) {
    Must(SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0") == 1);
  }
  if (options.version_max != 0) {
    Must(SSL_CTX_set_min_proto_version(context, VersionOf(options.version_max)) == 1 &&
         SSL_CTX_set_max_proto_version(context, VersionOf(options.version_max)) == 1);
  }
  if (!options.ca.empty() && options.like == nullptr) {
    Must(SSL_CTX_load_verify_locations(context, options.ca.c_str(), nullptr) == 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }
  if (!options.cert.empty() && options.like == nullptr) {
    Must(SSL_CTX_use_certificate_file(context, options.cert.c_str(), SSL_FILETYPE_PEM) == 1 &&
         SSL_CTX_use_PrivateKey_file(context, options.key.c_str(), SSL_FILETYPE_PEM) == 1);
  }
  impl_->ssl = SSL_new(context);
  SSL_set_mode(impl_->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                               SSL_MODE_RELEASE_BUFFERS);
  impl_->fd = fd;
  Must(impl_->ssl != nullptr && SSL_set_fd(impl_->ssl, fd) == 1);
  if (!options.ca.empty()) Must(SSL_set1_host(impl_->ssl, "localhost") == 1);
  if (!options.alpn.empty()) {
    const std::string wire = static_cast<char>(options.alpn.size()) + options.alpn;
    Must(SSL_set_alpn_protos(impl_->ssl, reinterpret_cast<const unsigned char*>(wire.data()),
                             static_cast<unsigned>(wire.size())) == 0);
  }
  SSL_set_connect_state(impl_->ssl);
}

RawTls::~RawTls() = default;

// Waits for what the last call lacks and says whether to make it again.
long RawTls::Drive(int result, Clock::time_point end, bool* again) {
  *again = false;
  if (result > 0) return result;
  const int what = SSL_get_error(impl_->ssl, result);
  if (what == SSL_ERROR_ZERO_RETURN) return 0;
  if (what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE) {
    *again = PollFor(impl_->fd, what == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, end);
    if (!*again) error_ = "nothing came in time";
    return -1;
  }
  const unsigned long code = ERR_get_error();
  const char* const text = code == 0 ? nullptr : ERR_reason_error_string(code);
  error_ = text == nullptr ? "the connection broke" : text;
  return -1;
}

bool RawTls::Handshake(Limit limit) {
  const auto end = Clock::now() + limit;
  bool again = true;
  long result = -1;
  while (again) {
    ERR_clear_error();
    result = Drive(SSL_do_handshake(impl_->ssl), end, &again);
  }
  return result > 0;
}

long RawTls::Write(std::string_view bytes, Limit limit) {
  const auto end = Clock::now() + limit;
  bool again = true;
  long result = -1;
  while (again) {
    ERR_clear_error();
    result =
        Drive(SSL_write(impl_->ssl, bytes.data(), static_cast<int>(bytes.size())), end, &again);
  }
  return result > 0 ? result : -1;
}

long RawTls::Read(char* into, size_t bytes, Limit limit) {
  const auto end = Clock::now() + limit;
  bool again = true;
  long result = -1;
  while (again) {
    ERR_clear_error();
    result = Drive(SSL_read(impl_->ssl, into, static_cast<int>(bytes)), end, &again);
  }
  return result;
}

bool RawTls::Renegotiate(Limit limit) {
  if (SSL_renegotiate(impl_->ssl) != 1 || !Handshake(limit)) return false;
  // The request is out; the answer to it comes before whatever else does.
  char byte = 0;
  Read(&byte, 1, limit);
  return SSL_renegotiate_pending(impl_->ssl) == 0 && error_.empty();
}

std::string RawTls::version() const { return SSL_get_version(impl_->ssl); }

std::string RawTls::alpn() const {
  const unsigned char* data = nullptr;
  unsigned bytes = 0;
  SSL_get0_alpn_selected(impl_->ssl, &data, &bytes);
  return data == nullptr ? "" : std::string(reinterpret_cast<const char*>(data), bytes);
}

std::string RawTls::server_name() const {
  X509* const certificate = SSL_get1_peer_certificate(impl_->ssl);
  if (certificate == nullptr) return {};
  char name[256] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
  X509_free(certificate);
  return name;
}

}  // namespace spool::test
