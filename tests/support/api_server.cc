#include "tests/support/api_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "net/http_client.h"
#include "tests/support/free_port.h"
#include "tests/support/paths.h"

namespace spool::testing {
namespace {

constexpr std::chrono::seconds kReadyWithin{60};

// Where the program is; empty, and a failed test, when it cannot be had.
std::string Program() {
  std::string path;
  FILE* script = popen((SourceDir() + "/tests/servers/apiserver.sh").c_str(), "re");
  if (script == nullptr) return path;
  std::array<char, 4096> line;
  while (std::fgets(line.data(), line.size(), script) != nullptr) path += line.data();
  if (pclose(script) != 0) return {};
  while (!path.empty() && path.back() == '\n') path.pop_back();
  return path;
}

}  // namespace

std::unique_ptr<ApiServer> ApiServer::Start(const Options& options) {
  const std::string program = Program();
  if (program.empty()) {
    ADD_FAILURE() << "there is no API server for the tests; ./dev setup builds it";
    return nullptr;
  }
  std::unique_ptr<ApiServer> server(new ApiServer);
  std::ofstream(server->dir_ / "policy.yaml")
      << "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [ { level: RequestResponse } ]\n";
  std::ofstream(server->dir_ / "webhook.yaml")
      << "apiVersion: v1\nkind: Config\nclusters: [ { name: spool, cluster: { server: \""
      << options.webhook << "\" } } ]\n"
      << "contexts: [ { name: spool, context: { cluster: spool, user: \"\" } } ]\n"
      << "current-context: spool\n";
  if (server->Spawn(program, options) &&
      WaitUntil([&] { return server->Call("GET", "/readyz").status == 200; }, kReadyWithin)) {
    return server;
  }
  ADD_FAILURE() << "the API server does not come up: " << server->Log();
  return nullptr;
}

ApiServer::~ApiServer() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool ApiServer::Spawn(const std::string& program, const Options& options) {
  port_ = FreePort();
  int etcd = FreePort();
  while (etcd == port_) etcd = FreePort();
  std::vector<std::string> command{program,
                                   "--dir",
                                   dir_.path(),
                                   "--port",
                                   std::to_string(port_),
                                   "--etcd-port",
                                   std::to_string(etcd),
                                   "--audit-policy-file",
                                   dir_ / "policy.yaml",
                                   "--audit-webhook-config-file",
                                   dir_ / "webhook.yaml",
                                   "--audit-webhook-batch-max-wait=100ms"};
  command.insert(command.end(), options.flags.begin(), options.flags.end());
  std::vector<char*> arguments;
  for (std::string& part : command) arguments.push_back(part.data());
  arguments.push_back(nullptr);
  const std::string log = dir_ / "log";
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (getppid() != parent || dup2(out, 1) < 0 || dup2(out, 2) < 0) _exit(126);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  pid_ = child;
  return child > 0;
}

HttpReply ApiServer::Call(const std::string& method, const std::string& path,
                          const std::string& body, const HttpHeaders& headers) const {
  net::HttpClientOptions options;
  options.ca_file = dir_ / "certs/apiserver.crt";  // its own, made at its start
  const auto client = net::HttpClient::Create(options);
  net::HttpCall call;
  call.method = method;
  call.url = "https://localhost:" + std::to_string(port_) + path;
  call.headers = headers;
  if (!body.empty()) call.headers.emplace_back("Content-Type", "application/json");
  call.body = body;
  const net::HttpAnswer answer = client->Perform(call);
  HttpReply reply;
  if (answer.error) {
    reply.error = answer.error->message;
    return reply;
  }
  reply.status = answer.status;
  reply.content_type = answer.content_type;
  reply.body = answer.body;
  return reply;
}

int ApiServer::Create(const std::string& name, const std::string& space,
                      const HttpHeaders& headers) const {
  return Call(
             "POST", "/apis/wardle.example.com/v1alpha1/namespaces/" + space + "/flunders",
             R"({"apiVersion":"wardle.example.com/v1alpha1","kind":"Flunder","metadata":{"name":")" +
                 name + R"("},"spec":{"reference":"x"}})",
             headers)
      .status;
}

std::string ApiServer::Log() const {
  std::ifstream in(dir_ / "log");
  const std::string all{std::istreambuf_iterator<char>(in), {}};
  return all.size() > 3000 ? all.substr(all.size() - 3000) : all;
}

}  // namespace spool::testing
