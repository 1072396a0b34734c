// Requests that are made before the clock starts, and a client that costs little beside the server.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace spool::bench {

// `records` as one POST: to /v1/events as an array of Events, to /audit as the API server's batch.
std::string EventsRequest(const std::vector<std::string>& records);
std::string AuditRequest(const std::vector<std::string>& records);

// Records of a Metadata policy, `count` of them, of some 1.1 kB; no two are alike.
std::vector<std::string> MakeAudits(size_t count);

// A connection to 127.0.0.1, kept alive. One thread.
class Connection {
 public:
  explicit Connection(int port);  // ends the program when nobody listens
  static bool Listens(int port);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  struct Answer {
    int status = 0;
    int retry_after = 0;  // seconds; 0: not said
  };
  // Sends one request and reads its answer; ends the program when the connection does.
  Answer Send(const std::string& request);

  // The two halves of it, for a client of several connections.
  void Begin(const std::string& request);
  std::optional<Answer> Continue();  // what can be sent and read without waiting
  int descriptor() const { return fd_; }
  bool sending() const { return left_ > 0; }

 private:
  int fd_;
  const char* next_ = nullptr;
  size_t left_ = 0;
  std::string in_;
};

// All `requests`, each once, over so many connections. Answers other than 200 end the program.
// Seconds.
double PostAll(int port, const std::vector<std::string>& requests, size_t connections);

}  // namespace spool::bench
