// A real Kafka broker, one node in KRaft mode, on loopback, with a store of its own. Listeners as
// in Red Hat AMQ Streams: plain for the fixture, who may do everything; SASL_SSL with
// SCRAM-SHA-512, whose user may do what it is allowed; TLS with client certificates.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

struct rd_kafka_s;

namespace spool::testing {

struct KafkaStored {
  int32_t partition = 0;
  int64_t offset = 0;
  std::string key;
  bool has_key = false;
  std::string value;
  int64_t timestamp = 0;  // milliseconds since 1970, as its producer said
  std::map<std::string, std::string> headers;
};

// One thread. The destructor kills the broker and removes the store.
class KafkaBroker {
 public:
  static constexpr const char* kUser = "spool";
  static constexpr const char* kPassword = "right-horse";

  struct Options {
    bool fast_start = true;  // false: a JVM that runs at full speed, for measurements
    // What the proxied() listener tells clients to connect to, because something stands before it:
    // a port of this machine. 0: itself.
    int proxy_port = 0;
  };
  // Listens on free ports once it returns. A broker that does not come up fails the test and gives
  // nullptr.
  static std::unique_ptr<KafkaBroker> Start(Options options);
  // One for the whole program, because each takes seconds to start; up, whatever the last test
  // did to it.
  static KafkaBroker& Shared();
  ~KafkaBroker();
  KafkaBroker(const KafkaBroker&) = delete;
  KafkaBroker& operator=(const KafkaBroker&) = delete;

  std::string plain() const { return Address(0); }  // "127.0.0.1:PORT"
  std::string sasl_ssl() const { return Address(1); }
  std::string tls() const { return Address(2); }
  // Plain; a client that finds the broker here comes through proxy_port from then on.
  std::string proxied() const { return Address(4); }
  int proxied_port() const { return ports_[4]; }
  const std::string& dir() const { return dir_; }
  std::string ca_file() const { return dir_ + "/ca.crt"; }
  std::string client_cert() const { return dir_ + "/client.crt"; }
  std::string client_key() const { return dir_ + "/client.key"; }
  bool running() const { return pid_ > 0; }

  void Kill();  // SIGKILL, and waits for its end
  bool
  Restart();     // on the same ports and store; false (and a failed test) when it does not come up
  void Pause();  // SIGSTOP: connections stay open and nothing answers
  void Continue();
  bool Up();  // whatever happened to it

  // Each false, and a failed test, when the broker refuses.
  using Config = std::vector<std::pair<std::string, std::string>>;
  bool CreateTopic(const std::string& topic, int partitions = 1, const Config& config = {});
  bool DeleteTopic(const std::string& topic);
  bool ConfigureTopic(const std::string& topic, const Config& config);
  // Lets the SCRAM user write to the topic and see it, or takes that away again.
  bool Allow(const std::string& topic);
  bool Forbid(const std::string& topic);

  // A name that no test had, of a topic that exists if `partitions` is not 0.
  std::string NewTopic(int partitions = 1, const Config& config = {});

  // All messages of a topic, partition by partition in the order of their offsets; a failed test
  // when they cannot be read.
  std::vector<KafkaStored> Read(const std::string& topic);

 private:
  KafkaBroker() = default;
  std::string Address(size_t listener) const;
  bool MakeCertificates();
  bool Configure();
  bool Format();
  bool Spawn();
  bool AwaitReady();
  bool Ready();
  bool Run(const std::vector<std::string>& command);
  std::vector<std::string> Java() const;
  rd_kafka_s* Admin();
  bool ChangeAcls(const std::string& topic, bool allow);
  bool AwaitTopic(const std::string& topic, int partitions);

  Options options_;
  std::string dir_;
  std::string libs_;
  static constexpr size_t kPorts = 5;
  int ports_[kPorts] = {};  // plain, SASL_SSL, SSL, controller, proxied
  pid_t pid_ = -1;
  bool paused_ = false;
  rd_kafka_s* admin_ = nullptr;
  int topics_made_ = 0;
};

}  // namespace spool::testing
