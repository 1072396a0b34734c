#include "tests/support/secure_spoold.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <regex>
#include <sstream>

namespace spool::testing {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void Replace(std::string* text, const std::string& what, const std::string& by) {
  for (size_t at = 0; (at = text->find(what, at)) != text->npos; at += by.size()) {
    text->replace(at, what.size(), by);
  }
}

}  // namespace

CurlReply Curl(const std::string& arguments) {
  const std::string command =
      "curl -sS --max-time 20 -w '\n%{http_code} %{http_version}' " + arguments + " 2>&1";
  CurlReply reply;
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return reply;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) reply.body.append(buffer, n);
  const int ended = pclose(pipe);
  reply.exit = WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
  const size_t last = reply.body.rfind('\n');
  if (last == reply.body.npos) return reply;
  std::istringstream(reply.body.substr(last + 1)) >> reply.status >> reply.http_version;
  reply.body.resize(last);
  return reply;
}

SecureSpoold::SecureSpoold() : ca(dir / "ca") {
  ca.Issue("server");
  ca.Issue("client", "DNS:client.example");
  Install("server");
}

void SecureSpoold::Install(const std::string& name) const {
  test::PutFile(ca.cert(name), dir / "tls.crt");
  test::PutFile(ca.key(name), dir / "tls.key");
}

std::string SecureSpoold::Write(const std::string& name, const std::string& text) const {
  std::ofstream(dir / name) << text;
  return dir / name;
}

void SecureSpoold::Configure(std::string text) {
  Replace(&text, "$TLS", "cert: $DIR/tls.crt, key: $DIR/tls.key");
  Replace(&text, "$CA", ca.ca());
  Replace(&text, "$DIR", dir.path());
  Write("spool.yaml", "version: 1\nlog: { format: json }\njournal: { disk_reserve: 0 }\n" + text);
}

::testing::AssertionResult SecureSpoold::Start(const std::vector<std::string>& under) {
  const size_t before = Log().size();
  process_ = std::make_unique<Spoold>(
      std::vector<std::string>{"--config", dir / "spool.yaml", "--data-dir", dir / "data"},
      dir / "log", under);
  std::smatch match;
  std::string log;
  const bool up = WaitUntil([&] {
    log = Log().substr(before);
    return std::regex_search(log, std::regex("spoold is up[^\n]*\n"));
  });
  if (!up) return ::testing::AssertionFailure() << log;
  if (std::regex_search(log, match, std::regex("\"ingest\":\"([0-9.:]+)"))) ingest_ = match[1];
  if (std::regex_search(log, match, std::regex("\"admin\":\"([0-9.:]+)"))) admin_ = match[1];
  return ::testing::AssertionSuccess();
}

int SecureSpoold::RunToEnd() {
  Spoold process({"--config", dir / "spool.yaml", "--data-dir", dir / "data"}, dir / "log");
  return process.Wait(std::chrono::seconds(20));
}

int SecureSpoold::Stop() {
  process_->Signal(SIGTERM);
  return process_->Wait(std::chrono::seconds(30));
}

std::string SecureSpoold::Log() const { return ReadFile(dir / "log"); }

std::string SecureSpoold::Url(bool tls, const std::string& address, const std::string& path) const {
  if (!tls) return "http://" + address + path;
  return "--cacert " + ca.ca() + " https://localhost" + address.substr(address.rfind(':')) + path;
}

std::string SecureSpoold::Ingest(const std::string& path) const {
  return Url(ingest_tls, ingest_, path);
}
std::string SecureSpoold::Admin(const std::string& path) const {
  return Url(admin_tls, admin_, path);
}

double SecureSpoold::Metric(const std::string& name, const std::string& curl_arguments) const {
  const CurlReply reply = Curl(curl_arguments + " " + Admin("/metrics"));
  const size_t at = ("\n" + reply.body).find("\n" + name + " ");
  if (at == reply.body.npos) return -1;
  return std::strtod(reply.body.c_str() + at + name.size() + 1, nullptr);
}

}  // namespace spool::testing
