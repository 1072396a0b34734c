// spoolctl as a person or a script runs it: the real program, beside an admin API that answers what
// a test tells it to.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/http_server.h"

namespace spool::testing {

struct CtlResult {
  int exit = -1;    // its exit status; 128 + N when signal N ended it
  std::string out;  // on a terminal: everything it saw
  std::string err;
};

// A running spoolctl. One thread. The destructor kills what still runs.
class CtlProcess {
 public:
  struct Options {
    std::vector<std::pair<std::string, std::string>> env;  // over SPOOLCTL_* and NO_COLOR unset
    int columns = 0;  // > 0: stdin, stdout and stderr are a terminal of that width
    std::string out;  // a file that takes stdout instead of the test
  };
  static std::unique_ptr<CtlProcess> Start(const std::vector<std::string>& args, Options options);
  ~CtlProcess();
  CtlProcess(const CtlProcess&) = delete;
  CtlProcess& operator=(const CtlProcess&) = delete;

  // Reads until `text` was seen on stdout (or the terminal) or stderr; false at the end of both or
  // after 20 seconds.
  bool WaitForText(const std::string& text);
  void Type(const std::string& keys);  // on the terminal
  void Resize(int columns, int rows);  // the terminal
  void Signal(int number);
  void CloseOut();  // the reader of its stdout goes away
  // Reads to the end and waits for it. A program that is not through within 30 seconds is killed
  // and fails the test.
  CtlResult Finish();

 private:
  CtlProcess() = default;
  bool ReadSome(int timeout_millis);

  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  CtlResult result_;
};

// Runs it to its end.
CtlResult RunCtl(const std::vector<std::string>& args, CtlProcess::Options options = {});

// Answers "METHOD /path" (with or without the query, the longer match first) as told; others get a
// 404 problem. Any thread.
class FakeAdmin {
 public:
  using Reply = std::function<net::HttpResponse(const net::HttpRequest&)>;

  FakeAdmin();  // on a free port of loopback
  ~FakeAdmin();

  std::string url() const;
  void On(const std::string& method_and_path, Reply reply);
  void On(const std::string& method_and_path, int status, const std::string& json);
  // "METHOD /path?query body", in order of arrival.
  std::vector<std::string> requests() const;
  std::vector<std::string> tokens() const;  // the Authorization headers that came
  void Stop();

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Reply> replies_;
  std::vector<std::string> requests_;
  std::vector<std::string> tokens_;
  std::unique_ptr<net::HttpServer> server_;
};

// RFC 3339, so long ago.
std::string TimeAgo(const std::string& duration);

}  // namespace spool::testing
