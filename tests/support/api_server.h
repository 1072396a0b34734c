// A real Kubernetes API server on loopback, with a sample API and an audit backend that posts.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/app_http.h"

namespace spool::testing {

// One thread. The destructor ends the server and removes what it stored.
class ApiServer {
 public:
  struct Options {
    std::string webhook;             // URL that audit batches are posted to
    std::vector<std::string> flags;  // more of the server's own, e.g. --audit-webhook-mode=blocking
  };
  // Answers once it returns. A server that does not come up fails the test and gives nullptr.
  static std::unique_ptr<ApiServer> Start(const Options& options);
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  // A request as kubectl makes it; the body is JSON. Status 0: no answer.
  HttpReply Call(const std::string& method, const std::string& path, const std::string& body = {},
                 const HttpHeaders& headers = {}) const;
  // Creates an object of the sample API, "flunders" of wardle.example.com. The answer's status.
  int Create(const std::string& name, const std::string& space = "default",
             const HttpHeaders& headers = {}) const;
  std::string Log() const;  // what it said, the end of it

 private:
  ApiServer() = default;
  bool Spawn(const std::string& program, const Options& options);

  AppDir dir_;
  int port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace spool::testing
