// TLS 1.2 and 1.3 for the HTTP server: certificates that follow their files, and one connection's
// records. No header of OpenSSL is seen outside tls.cc.
//
// Offered are forward-secret AEAD ciphers and, by ALPN, http/1.1 alone; a client that insists on
// another protocol is refused. No renegotiation, no compression, no early data; where clients show
// certificates also no resumption, so that each connection is checked against what is trusted now.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file_watch.h"
#include "base/result.h"

namespace spool::net {

struct TlsFiles {
  std::string cert;  // PEM: the server's certificate, then what leads to the root
  std::string key;   // PEM, not encrypted
  // PEM; when set, clients are asked for a certificate that leads to one of these. Revocation
  // lists in it are applied.
  std::string client_ca;
  bool client_required = true;  // a client without a certificate is refused; of client_ca
};

// A client's certificate, which was verified. Names are the common name and the alternative names
// (DNS, URI, mail, IP), as they stand there; one with a NUL in it is left out.
struct TlsClient {
  std::vector<std::string> names;
};

struct TlsStatus {
  uint64_t handshakes = 0;  // completed
  // Not completed, by why.
  uint64_t timed_out = 0;
  uint64_t no_certificate = 0;   // the client showed none where one is required
  uint64_t bad_certificate = 0;  // not of the client CA, expired, revoked
  uint64_t refused = 0;          // the client did not like ours
  uint64_t malformed = 0;        // not TLS, or nothing that both sides speak
  uint64_t left = 0;             // the client went away
  uint64_t failed() const {
    return timed_out + no_certificate + bad_certificate + refused + malformed + left;
  }
  uint64_t reloads = 0;          // new files taken
  uint64_t reload_failures = 0;  // new files that cannot be used, and new reasons why not
  std::string broken;            // why the files as they are now cannot be used; empty: they can
  SystemTime not_after;          // of the certificate that is served
};

// What a call on a session came to.
enum class Io {
  kDone,
  kWantRead,   // again when the socket is readable
  kWantWrite,  // again when it is writable
  kClosed,     // the peer has ended it
  kFailed,     // it cannot go on
};

// Why a handshake failed.
enum class TlsFault { kLeft, kNoCertificate, kBadCertificate, kRefused, kPlainHttp, kMalformed };

// One connection's TLS over a socket that does not block and stays the caller's. One thread.
class TlsSession {
 public:
  class Impl;
  explicit TlsSession(std::unique_ptr<Impl> impl);
  ~TlsSession();

  // To be called until kDone; before it nothing else may be. kClosed and kFailed: fault().
  Io Handshake();
  TlsFault fault() const;
  // OpenSSL's words for it; not the client's.
  std::string_view fault_text() const;
  // Null if the client showed no certificate.
  const std::shared_ptr<const TlsClient>& client() const;

  // At least one byte if kDone; the socket is empty if kWantRead.
  Io Read(char* into, size_t bytes, size_t* got);
  // At least one byte of `data` if kDone. After kWantRead or kWantWrite call again with the same
  // bytes, or more that begin with them.
  Io Write(std::string_view data, size_t* put);
  // Tells the peer that nothing follows, if the socket has room. Nothing may be written after it.
  void End();

 private:
  const std::unique_ptr<Impl> impl_;
};

// A listener's certificates. Accept and status from any thread; Refresh from one at a time.
class TlsContext {
 public:
  class Keys;  // one state of the files

  // kInvalid naming the file when it cannot be read or used, or key and certificate do not belong
  // together. A certificate out of its time is taken with an ERROR in the log: without it nobody
  // could come in at all. `name` is how the log calls the listener.
  static Result<std::unique_ptr<TlsContext>> Load(std::string name, TlsFiles files);
  ~TlsContext();

  // A session with the files as they were at the last good Refresh.
  std::unique_ptr<TlsSession> Accept(int fd) const;
  // Looks whether the files have changed, and takes them if they can be used; else the old ones go
  // on, with an ERROR in the log, and each Refresh tries again: what failed may have been for want
  // of descriptors. Sessions that have begun are left alone.
  void Refresh(SystemTime now, SteadyTime steady);

  void CountHandshake() { ++handshakes_; }
  void CountFault(TlsFault fault, std::string_view text, std::string_view peer);
  void CountTimeout() { ++timed_out_; }
  TlsStatus status() const;

 private:
  TlsContext(std::string name, TlsFiles files);

  const std::string name_;
  const TlsFiles files_;
  FileWatch watch_;
  std::atomic<uint64_t> handshakes_{0}, timed_out_{0}, no_certificate_{0}, bad_certificate_{0},
      refused_{0}, malformed_{0}, left_{0};
  mutable std::mutex mutex_;
  std::shared_ptr<const Keys> keys_;  // guarded by mutex_, as all below
  uint64_t reloads_ = 0;
  uint64_t reload_failures_ = 0;
  std::string broken_;
};

}  // namespace spool::net
