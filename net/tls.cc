#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "base/time_text.h"

namespace spool::net {
namespace {

constexpr size_t kFileBytesMax = size_t{1} << 20;
constexpr int kChainMax = 16;
constexpr size_t kNamesMax = 64;
constexpr char kCiphers12[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

template <auto Function>
struct Free {
  template <class T>
  void operator()(T* object) const {
    Function(object);
  }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using SslContext = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using Ssl = std::unique_ptr<SSL, Free<SSL_free>>;

// The newest error, and none left behind for the next call.
std::string TakeError() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* const text = code == 0 ? nullptr : ERR_reason_error_string(code);
  return text == nullptr ? "unknown error" : text;
}

// Sockets by send() and recv(): OpenSSL's own BIO would raise SIGPIPE.

int SocketWrite(BIO* bio, const char* data, int bytes) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = send(static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio))), data,
                         static_cast<size_t>(bytes), MSG_NOSIGNAL);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

int SocketRead(BIO* bio, char* into, int bytes) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = recv(static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio))), into,
                         static_cast<size_t>(bytes), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(n);
}

long SocketControl(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
}

BIO_METHOD* SocketMethod() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "spool socket");
    SPOOL_ASSERT(made != nullptr);
    BIO_meth_set_write(made, SocketWrite);
    BIO_meth_set_read(made, SocketRead);
    BIO_meth_set_ctrl(made, SocketControl);
    return made;
  }();
  return method;
}

int SelectHttp11(SSL*, const unsigned char** out, unsigned char* out_bytes, const unsigned char* in,
                 unsigned in_bytes, void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_bytes, kHttp11, sizeof kHttp11, in, in_bytes) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// Never asks on a terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

Result<std::string> ReadPem(const char* what, const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::string text(kFileBytesMax + 1, '\0');
  if (in) in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad() || in.gcount() == 0) {
    const std::string why = errno == 0 ? "it is empty" : std::system_category().message(errno);
    return Fail(Code::kInvalid, std::string(what) + " " + path + " cannot be read: " + why);
  }
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > kFileBytesMax) {
    return Fail(Code::kInvalid, std::string(what) + " " + path + " is larger than 1 MiB");
  }
  return text;
}

Bio BioOf(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

SystemTime TimeOf(const ASN1_TIME* time) {
  std::tm tm{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &tm) != 1) return FromMicros(0);
  return FromMicros(int64_t{timegm(&tm)} * 1'000'000);
}

Status UseCertificate(SSL_CTX* context, const std::string& path, SystemTime* not_before,
                      SystemTime* not_after) {
  const Result<std::string> text = ReadPem("the certificate", path);
  if (!text) return tl::unexpected(text.error());
  const Bio bio = BioOf(*text);
  const Certificate leaf(PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return Fail(Code::kInvalid, "the certificate " + path + " cannot be used: " + TakeError());
  }
  *not_before = TimeOf(X509_get0_notBefore(leaf.get()));
  *not_after = TimeOf(X509_get0_notAfter(leaf.get()));
  for (int i = 0; i < kChainMax; ++i) {
    const Certificate next(PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr));
    if (!next) break;
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) {
      return Fail(Code::kInvalid, "the chain in " + path + " cannot be used: " + TakeError());
    }
  }
  ERR_clear_error();  // of the end of the file
  return {};
}

Status UseKey(SSL_CTX* context, const std::string& path) {
  Result<std::string> text = ReadPem("the key", path);
  if (!text) return tl::unexpected(text.error());
  Key key;
  {
    const Bio bio = BioOf(*text);
    key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  }
  OPENSSL_cleanse(text->data(), text->size());
  if (!key) {
    return Fail(Code::kInvalid,
                "the key " + path +
                    " cannot be used (a PEM key without passphrase is needed): " + TakeError());
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return Fail(Code::kInvalid,
                "the key " + path + " does not belong to the certificate: " + TakeError());
  }
  return {};
}

Status UseClientCa(SSL_CTX* context, const TlsFiles& files) {
  const Result<std::string> text = ReadPem("the client CA", files.client_ca);
  if (!text) return tl::unexpected(text.error());
  const Bio bio = BioOf(*text);
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  STACK_OF(X509_INFO)* const items =
      PEM_X509_INFO_read_bio(bio.get(), nullptr, NoPassphrase, nullptr);
  int authorities = 0;
  bool revocations = false;
  bool good = items != nullptr;
  for (int i = 0; good && i < sk_X509_INFO_num(items); ++i) {
    const X509_INFO* const item = sk_X509_INFO_value(items, i);
    if (item->x509 != nullptr) {
      ++authorities;
      // The names are sent, so that a client with several certificates finds the right one.
      good = X509_STORE_add_cert(store, item->x509) == 1 &&
             SSL_CTX_add_client_CA(context, item->x509) == 1;
    }
    if (item->crl != nullptr) {
      revocations = true;
      good = good && X509_STORE_add_crl(store, item->crl) == 1;
    }
  }
  sk_X509_INFO_pop_free(items, X509_INFO_free);
  if (!good || authorities == 0) {
    return Fail(Code::kInvalid, "the client CA " + files.client_ca + " cannot be used: " +
                                    (good ? "it holds no certificate" : TakeError()));
  }
  ERR_clear_error();
  if (revocations) X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
  SSL_CTX_set_verify(
      context, SSL_VERIFY_PEER | (files.client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
      nullptr);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
  return {};
}

SslContext NewContext() {
  SslContext context(SSL_CTX_new(TLS_server_method()));
  SPOOL_ASSERT(context != nullptr);
  SSL_CTX* const c = context.get();
  const bool set = SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1 &&
                   SSL_CTX_set_cipher_list(c, kCiphers12) == 1;
  SPOOL_ASSERT(set);
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                             SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // An idle connection keeps no buffers; writes may be short and come again from elsewhere.
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(c, 1);  // one call of the kernel for several records
  SSL_CTX_set_alpn_select_cb(c, SelectHttp11, nullptr);
  return context;
}

void AddName(const unsigned char* data, int bytes, std::vector<std::string>* names) {
  if (data == nullptr || bytes <= 0 || names->size() >= kNamesMax) return;
  std::string name(reinterpret_cast<const char*>(data), static_cast<size_t>(bytes));
  if (name.find('\0') != name.npos) return;
  if (std::find(names->begin(), names->end(), name) == names->end()) {
    names->push_back(std::move(name));
  }
}

void AddAlternative(const GENERAL_NAME* name, std::vector<std::string>* names) {
  if (name->type == GEN_DNS || name->type == GEN_URI || name->type == GEN_EMAIL) {
    AddName(ASN1_STRING_get0_data(name->d.ia5), ASN1_STRING_length(name->d.ia5), names);
  } else if (name->type == GEN_IPADD) {
    const int bytes = ASN1_STRING_length(name->d.iPAddress);
    char text[INET6_ADDRSTRLEN] = "";
    if (bytes != 4 && bytes != 16) return;
    inet_ntop(bytes == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), text,
              sizeof text);
    AddName(reinterpret_cast<const unsigned char*>(text), static_cast<int>(std::strlen(text)),
            names);
  }
}

std::shared_ptr<const TlsClient> ClientOf(const SSL* ssl) {
  const Certificate certificate(SSL_get1_peer_certificate(ssl));
  if (!certificate || SSL_get_verify_result(ssl) != X509_V_OK) return nullptr;
  auto client = std::make_shared<TlsClient>();
  const X509_NAME* const subject = X509_get_subject_name(certificate.get());
  for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) {
    unsigned char* text = nullptr;
    const ASN1_STRING* const entry = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    const int bytes = ASN1_STRING_to_UTF8(&text, entry);
    AddName(text, bytes, &client->names);
    OPENSSL_free(text);
  }
  auto* const others = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(others); ++i) {
    AddAlternative(sk_GENERAL_NAME_value(others, i), &client->names);
  }
  GENERAL_NAMES_free(others);
  ERR_clear_error();
  return client;
}

TlsFault FaultOf(unsigned long code) {
  const int reason = ERR_GET_REASON(code);
  switch (reason) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return TlsFault::kNoCertificate;
    case SSL_R_CERTIFICATE_VERIFY_FAILED: return TlsFault::kBadCertificate;
    case SSL_R_HTTP_REQUEST: return TlsFault::kPlainHttp;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING: return TlsFault::kLeft;
    default: break;
  }
  // An alert of the client's.
  return reason > SSL_AD_REASON_OFFSET ? TlsFault::kRefused : TlsFault::kMalformed;
}

}  // namespace

class TlsContext::Keys {
 public:
  static Result<std::shared_ptr<const Keys>> Read(const TlsFiles& files) {
    ERR_clear_error();
    auto keys = std::make_shared<Keys>();
    keys->context = NewContext();
    SSL_CTX* const c = keys->context.get();
    if (const Status ok = UseCertificate(c, files.cert, &keys->not_before, &keys->not_after); !ok)
      return tl::unexpected(ok.error());
    if (const Status ok = UseKey(c, files.key); !ok) return tl::unexpected(ok.error());
    if (!files.client_ca.empty()) {
      if (const Status ok = UseClientCa(c, files); !ok) return tl::unexpected(ok.error());
    }
    return keys;
  }
  bool InTime(SystemTime now) const { return not_before <= now && now < not_after; }

  SslContext context;
  SystemTime not_before;
  SystemTime not_after;
};

class TlsSession::Impl {
 public:
  Impl(SSL_CTX* context, int fd) : ssl(SSL_new(context)) {
    BIO* const bio = BIO_new(SocketMethod());
    SPOOL_ASSERT(ssl != nullptr && bio != nullptr);
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl.get(), bio, bio);
    SSL_set_accept_state(ssl.get());
  }

  Io Outcome(int result) {
    switch (SSL_get_error(ssl.get(), result)) {
      case SSL_ERROR_NONE: return Io::kDone;
      case SSL_ERROR_WANT_READ: return Io::kWantRead;
      case SSL_ERROR_WANT_WRITE: return Io::kWantWrite;
      case SSL_ERROR_ZERO_RETURN: return Io::kClosed;
      case SSL_ERROR_SYSCALL:
        fault = TlsFault::kLeft;
        dead = true;
        ERR_clear_error();
        return Io::kClosed;
      default: break;
    }
    dead = true;
    const unsigned long code = ERR_peek_error();
    fault = FaultOf(code);
    if (fault == TlsFault::kBadCertificate) {
      text = X509_verify_cert_error_string(SSL_get_verify_result(ssl.get()));
      ERR_clear_error();
    } else {
      text = TakeError();
    }
    return fault == TlsFault::kLeft ? Io::kClosed : Io::kFailed;
  }

  const Ssl ssl;
  TlsFault fault = TlsFault::kLeft;
  std::string text;
  std::shared_ptr<const TlsClient> client;
  bool dead = false;
};

TlsSession::TlsSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsSession::~TlsSession() = default;

Io TlsSession::Handshake() {
  ERR_clear_error();
  const Io outcome = impl_->Outcome(SSL_do_handshake(impl_->ssl.get()));
  if (outcome == Io::kDone) impl_->client = ClientOf(impl_->ssl.get());
  return outcome;
}

TlsFault TlsSession::fault() const { return impl_->fault; }
std::string_view TlsSession::fault_text() const { return impl_->text; }
const std::shared_ptr<const TlsClient>& TlsSession::client() const { return impl_->client; }

Io TlsSession::Read(char* into, size_t bytes, size_t* got) {
  ERR_clear_error();
  return impl_->Outcome(SSL_read_ex(impl_->ssl.get(), into, bytes, got));
}

Io TlsSession::Write(std::string_view data, size_t* put) {
  ERR_clear_error();
  return impl_->Outcome(SSL_write_ex(impl_->ssl.get(), data.data(), data.size(), put));
}

void TlsSession::End() {
  if (impl_->dead || SSL_in_init(impl_->ssl.get()) != 0) return;
  ERR_clear_error();
  SSL_shutdown(impl_->ssl.get());
  ERR_clear_error();
}

TlsContext::TlsContext(std::string name, TlsFiles files)
    : name_(std::move(name)),
      files_(std::move(files)),
      watch_({files_.cert, files_.key, files_.client_ca.empty() ? files_.cert : files_.client_ca}) {
}
TlsContext::~TlsContext() = default;

Result<std::unique_ptr<TlsContext>> TlsContext::Load(std::string name, TlsFiles files) {
  std::unique_ptr<TlsContext> context(new TlsContext(std::move(name), std::move(files)));
  auto keys = Keys::Read(context->files_);
  if (!keys) return tl::unexpected(keys.error());
  context->keys_ = std::move(*keys);
  if (!context->keys_->InTime(RealClock().Now())) {
    log::Error("The certificate is not valid now; clients will refuse it.",
               {{"listener", context->name_},
                {"cert", context->files_.cert},
                {"not_after", FormatTime(context->keys_->not_after)}});
  }
  struct stat key {};
  if (stat(context->files_.key.c_str(), &key) == 0 && (key.st_mode & S_IRWXO) != 0) {
    log::Warn("Every user of this machine can read the key's file.",
              {{"listener", context->name_}, {"key", context->files_.key}});
  }
  return context;
}

std::unique_ptr<TlsSession> TlsContext::Accept(int fd) const {
  std::shared_ptr<const Keys> keys;
  {
    const std::lock_guard lock(mutex_);
    keys = keys_;
  }
  // The session holds the context that it was made from.
  return std::make_unique<TlsSession>(std::make_unique<TlsSession::Impl>(keys->context.get(), fd));
}

void TlsContext::Refresh(SystemTime now, SteadyTime steady) {
  if (!watch_.Changed(now, steady)) return;
  auto keys = Keys::Read(files_);
  std::string broken = keys ? "" : keys.error().message;
  const std::lock_guard lock(mutex_);
  if (keys && !(*keys)->InTime(now) && keys_->InTime(now)) {
    broken = "the certificate " + files_.cert + " is not valid now";
  }
  const std::string was = std::exchange(broken_, broken);
  if (!broken.empty()) {
    // Each look tries again: it may have been for want of descriptors, or too early. One line and
    // one count tell of it until the files or the reason are others.
    if (!watch_.first() && was == broken) return;
    ++reload_failures_;
    log::Error(
        "The new TLS files cannot be used; the listener goes on with those it had.",
        {{"listener", name_}, {"reason", broken}, {"not_after", FormatTime(keys_->not_after)}});
    return;
  }
  watch_.Taken();
  keys_ = std::move(*keys);
  ++reloads_;
  log::Info("The TLS files were read again; new connections use them.",
            {{"listener", name_}, {"not_after", FormatTime(keys_->not_after)}});
}

void TlsContext::CountFault(TlsFault fault, std::string_view text, std::string_view peer) {
  switch (fault) {
    case TlsFault::kLeft: ++left_; return;  // a port scan, a probe: not worth a line
    case TlsFault::kNoCertificate: ++no_certificate_; break;
    case TlsFault::kBadCertificate: ++bad_certificate_; break;
    case TlsFault::kRefused: ++refused_; break;
    case TlsFault::kPlainHttp:
    case TlsFault::kMalformed: ++malformed_; break;
  }
  static log::Limiter limiter;
  if (uint64_t held_back = 0; limiter.Allow(&held_back)) {
    log::Warn("A TLS handshake failed.",
              {{"listener", name_}, {"peer", peer}, {"reason", text}, {"held_back", held_back}});
  }
}

TlsStatus TlsContext::status() const {
  TlsStatus status;
  status.handshakes = handshakes_;
  status.timed_out = timed_out_;
  status.no_certificate = no_certificate_;
  status.bad_certificate = bad_certificate_;
  status.refused = refused_;
  status.malformed = malformed_;
  status.left = left_;
  const std::lock_guard lock(mutex_);
  status.reloads = reloads_;
  status.reload_failures = reload_failures_;
  status.broken = broken_;
  status.not_after = keys_->not_after;
  return status;
}

}  // namespace spool::net
