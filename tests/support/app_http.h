// A running service as its users meet it: a config in a directory of its own, ports that are free,
// plain HTTP calls, and a webhook receiver that can refuse and hang.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "app/config.h"
#include "app/service.h"
#include "net/http_client.h"
#include "net/http_server.h"

namespace spool::testing {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpReply {
  int status = 0;  // 0: no answer
  std::string content_type;
  std::string body;
  bool retry_after = false;
  std::string error;

  nlohmann::json Json() const;  // a discarded value when the body is none
  std::string Code() const;     // of a problem; "" when it is no well formed one
};
// One call; no answer within 40 seconds is a failure with status 0.
HttpReply Call(const std::string& method, const std::string& address, const std::string& path,
               const std::string& body = {}, const HttpHeaders& headers = {});

// Looks again and again until `done`; false after `limit`.
bool WaitUntil(const std::function<bool()>& done,
               std::chrono::milliseconds limit = std::chrono::seconds(20));

// A directory that goes when this goes.
class AppDir {
 public:
  AppDir();
  ~AppDir();
  AppDir(const AppDir&) = delete;
  AppDir& operator=(const AppDir&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A webhook that does as it is told. Any thread.
class Receiver {
 public:
  Receiver();
  ~Receiver();
  std::string url() const;
  void Answer(int status);  // 200 to begin with
  void Hang(bool hang);     // keeps requests unanswered while true
  size_t requests() const;
  std::vector<std::string> bodies() const;  // of those answered 2xx

 private:
  mutable std::mutex mutex_;
  int status_ = 200;
  bool hang_ = false;
  size_t requests_ = 0;
  std::vector<std::string> bodies_;
  std::vector<net::HttpResponder> held_;
  std::unique_ptr<net::HttpServer> server_;
};

// Ports 0, small limits, no targets, data below `dir`.
Config TestConfig(const std::string& dir);
TargetConfig FileTarget(const std::string& name, const std::string& path);
TargetConfig WebhookTarget(const std::string& name, const std::string& url);

// A service that is stopped at the end. A start that fails fails the test.
class RunningService {
 public:
  explicit RunningService(Config config, ConfigLoader load = {});
  ~RunningService();
  void Stop();
  bool ok() const { return service_ != nullptr; }
  Service& service() { return *service_; }
  std::string admin() const;
  std::string ingest() const;

  HttpReply Get(const std::string& path) const { return Call("GET", admin(), path); }
  HttpReply Post(const std::string& path, const std::string& body = {}) const {
    return Call("POST", admin(), path, body);
  }
  // Posts `count` small JSON events, numbered from `first`, in one request to /v1/events.
  HttpReply PostEvents(int count, int first = 0) const;
  nlohmann::json Status() const;
  nlohmann::json Target(const std::string& name) const;
  // Until every target has settled all it accepted.
  bool WaitSettled() const;

 private:
  std::unique_ptr<Service> service_;
};

// What GET /api/v1/events answers: the events and the last line's scan.
struct EventPage {
  std::vector<nlohmann::json> events;
  nlohmann::json scan;
};
EventPage ParseEvents(const HttpReply& reply);

size_t CountLines(const std::string& path);

}  // namespace spool::testing
