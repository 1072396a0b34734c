#include "tests/support/certificates.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace spool::test {
namespace {

constexpr char kNewKey[] = " -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes ";

constexpr char kConfig[] = R"([ca]
default_ca=authority
[authority]
database=index.txt
new_certs_dir=.
default_md=sha256
default_crl_days=30
policy=policy
unique_subject=no
email_in_dn=no
rand_serial=yes
[policy]
commonName=supplied
)";

}  // namespace

TestCa::TestCa(std::string dir, const std::string& common_name) : dir_(std::move(dir)) {
  std::filesystem::create_directories(dir_);
  std::ofstream(dir_ + "/ca.cnf") << kConfig;
  std::ofstream(dir_ + "/index.txt").flush();
  Run("openssl req -x509" + std::string(kNewKey) +
      "-keyout ca.key -out ca.crt -days 30 -subj /CN=" + common_name +
      " -addext keyUsage=critical,keyCertSign,cRLSign");
}

void TestCa::Run(const std::string& command) const {
  const std::string all = "cd '" + dir_ + "' && (" + command + ") >log 2>&1";
  if (std::system(all.c_str()) == 0) return;
  std::ifstream log(dir_ + "/log");
  std::string line;
  while (std::getline(log, line)) std::fprintf(stderr, "%s\n", line.c_str());
  std::abort();
}

void TestCa::Issue(const std::string& name, const std::string& alternatives) const {
  Run("openssl req -x509" + std::string(kNewKey) + "-keyout " + name + ".key -out " + name +
      ".crt -days 30 -subj '/CN=" + name + "' -CA ca.crt -CAkey ca.key" +
      " -addext basicConstraints=critical,CA:false" +
      (alternatives.empty() ? "" : " -addext 'subjectAltName=" + alternatives + "'"));
}

void TestCa::IssueExpired(const std::string& name) const {
  Run("openssl req -new" + std::string(kNewKey) + "-keyout " + name + ".key -out " + name +
      ".csr -subj '/CN=" + name + "' && openssl ca -batch -notext -config ca.cnf -cert ca.crt" +
      " -keyfile ca.key -in " + name + ".csr -out " + name +
      ".crt -startdate 20200101000000Z -enddate 20200201000000Z");
}

std::string TestCa::Revoke(const std::string& name) const {
  const std::string authority = "openssl ca -config ca.cnf -cert ca.crt -keyfile ca.key ";
  Run(authority + "-revoke " + name + ".crt && " + authority +
      "-gencrl -out ca.crl && cat ca.crt ca.crl >revoking.crt");
  return dir_ + "/revoking.crt";
}

void PutFile(const std::string& from, const std::string& to) {
  std::filesystem::copy_file(from, to + ".new", std::filesystem::copy_options::overwrite_existing);
  std::filesystem::rename(to + ".new", to);
}

}  // namespace spool::test
