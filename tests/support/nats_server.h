// A real nats-server with JetStream, on loopback, with a store of its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace spool::testing {

struct NatsServerOptions {
  std::string token;        // when set, clients must present it
  int64_t max_payload = 0;  // bytes; 0: the server's own 1 MiB
  std::string extra;        // further lines of the configuration
  bool jetstream = true;
};

struct NatsStreamOptions {
  int64_t messages_max = 0;  // beyond it new messages are refused; 0: no limit
  int64_t message_bytes_max = 0;
  int64_t duplicate_window_millis = 0;  // 0: the server's two minutes
};

struct NatsStored {
  uint64_t sequence = 0;
  std::string subject;
  std::string id;  // Nats-Msg-Id
  std::string content_type;
  std::string body;
};

// One thread. The destructor kills the server and removes the store.
class NatsServer {
 public:
  // Listens on a free port once it returns. A server that does not come up fails the test and
  // gives nullptr.
  static std::unique_ptr<NatsServer> Start(NatsServerOptions options = {});
  ~NatsServer();
  NatsServer(const NatsServer&) = delete;
  NatsServer& operator=(const NatsServer&) = delete;

  std::string url() const;  // "nats://127.0.0.1:PORT"
  int port() const { return port_; }
  pid_t pid() const { return pid_; }
  bool running() const { return pid_ > 0; }

  void Kill();       // SIGKILL, and waits for its end
  void Terminate();  // SIGTERM, and waits for its end
  bool Restart();    // on the same port and store, after Kill or Terminate; false (and a failed
                     //   test) when it does not come up
  void Pause();      // SIGSTOP: connections stay open and nothing answers
  void Continue();   // SIGCONT
  // Used from the next Restart on.
  void SetOptions(NatsServerOptions options) { options_ = std::move(options); }

  // False, and a failed test, when the server refuses.
  bool AddStream(const std::string& name, const std::vector<std::string>& subjects,
                 const NatsStreamOptions& options = {});
  bool DeleteStream(const std::string& name);
  // Beyond so many the stream refuses new messages; 0: no limit.
  bool LimitStream(const std::string& name, int64_t messages_max);
  // All messages of a stream in its order; a failed test when they cannot be read.
  std::vector<NatsStored> Read(const std::string& stream);
  // How many messages the stream holds; -1 when there is no such stream.
  int64_t Count(const std::string& stream);

 private:
  NatsServer() = default;
  bool Spawn();
  bool AwaitReady();

  NatsServerOptions options_;
  std::string dir_;
  int port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace spool::testing
