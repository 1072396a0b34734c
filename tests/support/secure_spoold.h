// A spoold with listeners on free ports, certificates of an authority of its own, and curl to talk
// to it as people do.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/app_http.h"
#include "tests/support/certificates.h"
#include "tests/support/spoold_process.h"

namespace spool::testing {

struct CurlReply {
  int exit = -1;  // curl's own: 0, 35 handshake, 56 cut, 60 not trusted, …
  int status = 0;
  std::string http_version;
  std::string body;
};
// `arguments` are words for a shell.
CurlReply Curl(const std::string& arguments);

// The directory, the certificates "server" and "client", and the process. One thread.
class SecureSpoold {
 public:
  SecureSpoold();

  // Writes the configuration: `text` follows version, log and journal. "$DIR" in it is the
  // directory, "$TLS" the cert and key that the server is given.
  void Configure(std::string text);
  // Until its log tells that it is up. `under` as Spoold's.
  ::testing::AssertionResult Start(const std::vector<std::string>& under = {});
  int Stop();
  // Of a start that is to fail: its exit status; -1 if it goes on.
  int RunToEnd();

  std::string ingest() const { return ingest_; }  // "127.0.0.1:41233"
  std::string admin() const { return admin_; }
  std::string Log() const;
  // Puts NAME.crt and NAME.key of the authority in the server's place.
  void Install(const std::string& name) const;
  std::string Write(const std::string& name, const std::string& text) const;
  // One value of /metrics; -1 when it is not there.
  double Metric(const std::string& name, const std::string& curl_arguments = {}) const;
  // "--cacert … https://localhost:PORT/path" of either listener.
  std::string Ingest(const std::string& path) const;
  std::string Admin(const std::string& path) const;

  const AppDir dir;
  const test::TestCa ca;
  bool admin_tls = false;
  bool ingest_tls = false;

 private:
  std::string Url(bool tls, const std::string& address, const std::string& path) const;

  std::unique_ptr<Spoold> process_;
  std::string ingest_;
  std::string admin_;
};

}  // namespace spool::testing
