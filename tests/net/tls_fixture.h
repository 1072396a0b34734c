// The server of server_fixture.h behind TLS, with an authority of its own.
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/net/server_fixture.h"
#include "tests/support/certificates.h"

namespace spool::net {

using test::TlsClientOptions;

// A directory that goes when this goes.
class ScratchDir {
 public:
  ScratchDir() {
    std::string name = std::filesystem::temp_directory_path() / "spool-tls-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~ScratchDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class TlsTest : public HttpServerTest {
 protected:
  TlsTest() : ca_(dir_ / "ca") {
    ca_.Issue("server");
    test::PutFile(ca_.cert("server"), Cert());
    test::PutFile(ca_.key("server"), Key());
    tls_ = TlsFiles{.cert = Cert(), .key = Key(), .client_ca = ""};
  }
  std::string Cert() const { return dir_ / "tls.crt"; }
  std::string Key() const { return dir_ / "tls.key"; }
  void AskForCertificates(bool required = true) {
    tls_->client_ca = ca_.ca();
    tls_->client_required = required;
  }
  // What a client needs; with a certificate of `name` if given.
  TlsClientOptions Client(const std::string& name = "") const {
    TlsClientOptions options;
    options.ca = ca_.ca();
    if (name.empty()) return options;
    options.cert = ca_.cert(name);
    options.key = ca_.key(name);
    return options;
  }
  // Dies if the handshake fails.
  RawSocket Secure(const TlsClientOptions& options) {
    RawSocket socket = Connect();
    EXPECT_TRUE(socket.StartTls(options)) << socket.tls().error();
    return socket;
  }
  // One request over a connection of its own; empty when there is no answer, whatever the reason.
  RawAnswer SecureExchange(const TlsClientOptions& options, std::string_view bytes) {
    RawSocket socket = Connect();
    if (!socket.StartTls(options) || !socket.Send(bytes)) return {};
    return socket.ReadAnswer().value_or(RawAnswer{});
  }
  TlsStatus Status() const { return *server_->tls(); }

  const ScratchDir dir_;
  const test::TestCa ca_;
};

inline const std::string kGet = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

}  // namespace spool::net
