// Certificates of a day, made by the openssl program as people make theirs.
#pragma once

#include <string>

namespace spool::test {

// A certificate authority in a directory of its own. Everything it issues is NAME.crt and NAME.key
// there. Dies rather than let a test run without its certificates.
class TestCa {
 public:
  // `dir` is made if it is missing.
  explicit TestCa(std::string dir, const std::string& common_name = "test-ca");

  std::string ca() const { return dir_ + "/ca.crt"; }
  std::string cert(const std::string& name) const { return dir_ + "/" + name + ".crt"; }
  std::string key(const std::string& name) const { return dir_ + "/" + name + ".key"; }

  // A certificate with the common name `name`; `alternatives` as openssl writes them, for a server
  // the loopback names. Anew if it exists.
  void Issue(const std::string& name,
             const std::string& alternatives = "DNS:localhost,IP:127.0.0.1") const;
  void IssueExpired(const std::string& name) const;
  // A file with the authority and its list of what is revoked.
  std::string Revoke(const std::string& name) const;

 private:
  void Run(const std::string& command) const;

  const std::string dir_;
};

// Replaces `to` by what is in `from`, as a whole.
void PutFile(const std::string& from, const std::string& to);

}  // namespace spool::test
