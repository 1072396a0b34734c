#include "tests/support/kafka_broker.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/assert.h"
#include "tests/support/paths.h"

namespace spool::testing {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kReadyWithin = std::chrono::seconds(60);
constexpr int kAdminMillis = 10'000;

std::string MakeDir() {
  const char* tmp = std::getenv("TMPDIR");
  std::string path = std::string(tmp != nullptr && *tmp != '\0' ? tmp : "/tmp") + "/kafka-XXXXXX";
  return mkdtemp(path.data()) != nullptr ? path : std::string();
}

// Ports that were free a moment ago, all different.
template <size_t N>
void FreePorts(int (&ports)[N]) {
  int fds[N];
  for (size_t i = 0; i < N; ++i) {
    fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (bind(fds[i], reinterpret_cast<sockaddr*>(&address), length) == 0 &&
        getsockname(fds[i], reinterpret_cast<sockaddr*>(&address), &length) == 0) {
      ports[i] = ntohs(address.sin_port);
    }
  }
  for (const int fd : fds) close(fd);
}

// Waits for the process to end, at most so long. True if it ended (and was reaped).
bool WaitForEnd(pid_t pid, int millis, int* status = nullptr) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  pollfd ended{fd, POLLIN, 0};
  const bool gone = fd >= 0 && poll(&ended, 1, millis) > 0;
  if (fd >= 0) close(fd);
  if (gone) waitpid(pid, status, 0);
  return gone;
}

// Starts a program that ends with this process; what it says goes to the end of `log`.
pid_t StartProgram(const std::vector<std::string>& command, const std::string& dir,
                   const std::string& log) {
  std::vector<char*> arguments;
  for (const std::string& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (getppid() != parent || chdir(dir.c_str()) != 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 ||
        dup2(out, 2) < 0) {
      _exit(126);
    }
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  return child;
}

// The folder of the broker's jars; empty, and a failed test, when it cannot be had.
std::string Libraries() {
  std::string path;
  FILE* script = popen((SourceDir() + "/tests/servers/kafka.sh").c_str(), "re");
  if (script == nullptr) return path;
  std::array<char, 4096> line;
  while (std::fgets(line.data(), line.size(), script) != nullptr) path += line.data();
  if (pclose(script) != 0) return {};
  while (!path.empty() && path.back() == '\n') path.pop_back();
  return path;
}

std::string TailOf(const std::string& file) {
  std::ifstream in(file);
  std::ostringstream all;
  all << in.rdbuf();
  const std::string text = all.str();
  return text.size() > 3000 ? text.substr(text.size() - 3000) : text;
}

// The outcome of one administrative request on one thing.
std::string ResultOf(rd_kafka_event_t* event) {
  if (event == nullptr) return "no answer";
  if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return rd_kafka_event_error_string(event);
  }
  size_t count = 0;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  const rd_kafka_error_t* acl_error = nullptr;
  if (const auto* created = rd_kafka_event_CreateTopics_result(event)) {
    error = rd_kafka_topic_result_error(rd_kafka_CreateTopics_result_topics(created, &count)[0]);
  } else if (const auto* deleted = rd_kafka_event_DeleteTopics_result(event)) {
    error = rd_kafka_topic_result_error(rd_kafka_DeleteTopics_result_topics(deleted, &count)[0]);
  } else if (const auto* altered = rd_kafka_event_AlterConfigs_result(event)) {
    error =
        rd_kafka_ConfigResource_error(rd_kafka_AlterConfigs_result_resources(altered, &count)[0]);
  } else if (const auto* allowed = rd_kafka_event_CreateAcls_result(event)) {
    acl_error = rd_kafka_acl_result_error(rd_kafka_CreateAcls_result_acls(allowed, &count)[0]);
  } else if (const auto* forbidden = rd_kafka_event_DeleteAcls_result(event)) {
    acl_error = rd_kafka_DeleteAcls_result_response_error(
        rd_kafka_DeleteAcls_result_responses(forbidden, &count)[0]);
  }
  if (acl_error != nullptr) error = rd_kafka_error_code(acl_error);
  return error == RD_KAFKA_RESP_ERR_NO_ERROR ? "" : rd_kafka_err2str(error);
}

// Makes a request and waits for its result; a failed test when it is a refusal.
template <class Request>
bool Ask(rd_kafka_t* admin, const std::string& what, Request request) {
  rd_kafka_queue_t* queue = rd_kafka_queue_new(admin);
  rd_kafka_AdminOptions_t* options = rd_kafka_AdminOptions_new(admin, RD_KAFKA_ADMIN_OP_ANY);
  char said[256];
  rd_kafka_AdminOptions_set_request_timeout(options, kAdminMillis, said, sizeof said);
  request(options, queue);
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, 2 * kAdminMillis);
  const std::string wrong = ResultOf(event);
  if (event != nullptr) rd_kafka_event_destroy(event);
  rd_kafka_AdminOptions_destroy(options);
  rd_kafka_queue_destroy(queue);
  if (!wrong.empty()) ADD_FAILURE() << "Kafka refuses to " << what << ": " << wrong;
  return wrong.empty();
}

rd_kafka_t* NewClient(rd_kafka_type_t type, const KafkaBroker::Config& properties) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char said[512];
  for (const auto& [name, value] : properties) {
    SPOOL_ASSERT(rd_kafka_conf_set(conf, name.c_str(), value.c_str(), said, sizeof said) ==
                 RD_KAFKA_CONF_OK);
  }
  rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
  rd_kafka_t* client = rd_kafka_new(type, conf, said, sizeof said);
  SPOOL_ASSERT(client != nullptr);
  return client;
}

}  // namespace

std::unique_ptr<KafkaBroker> KafkaBroker::Start(Options options) {
  std::unique_ptr<KafkaBroker> broker(new KafkaBroker);
  broker->options_ = options;
  broker->libs_ = Libraries();
  if (broker->libs_.empty()) {
    ADD_FAILURE() << "there is no Kafka for the tests; ./dev setup fetches it";
    return nullptr;
  }
  broker->dir_ = MakeDir();
  if (broker->MakeCertificates()) {
    // Another process may take a port in between.
    for (int attempt = 0; attempt < 3; ++attempt) {
      FreePorts(broker->ports_);
      if (broker->Configure() && broker->Format() && broker->Spawn() && broker->AwaitReady()) {
        return broker;
      }
      broker->Kill();
    }
  }
  ADD_FAILURE() << "the Kafka broker did not start: " << TailOf(broker->dir_ + "/log");
  return nullptr;
}

KafkaBroker& KafkaBroker::Shared() {
  static const std::unique_ptr<KafkaBroker> shared = Start({});
  SPOOL_ASSERT(shared != nullptr);
  SPOOL_ASSERT(shared->Up());
  return *shared;
}

KafkaBroker::~KafkaBroker() {
  if (admin_ != nullptr) rd_kafka_destroy(admin_);
  Kill();
  if (dir_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

std::string KafkaBroker::Address(size_t listener) const {
  return "127.0.0.1:" + std::to_string(ports_[listener]);
}

bool KafkaBroker::Run(const std::vector<std::string>& command) {
  const pid_t child = StartProgram(command, dir_, dir_ + "/log");
  int status = -1;
  if (child > 0 && !WaitForEnd(child, 60'000, &status)) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// An authority, the broker's certificate and a client's, and an authority that nobody uses.
bool KafkaBroker::MakeCertificates() {
  const auto authority = [this](const std::string& name) {
    return Run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=" + name,
                "-keyout", name + ".key", "-out", name + ".crt"});
  };
  const auto signed_by_us = [this](const std::string& name) {
    return Run({"openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-subj", "/CN=" + name, "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", name + ".key", "-out",
                name + ".csr"}) &&
           Run({"openssl", "x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey",
                "ca.key", "-CAcreateserial", "-days", "2", "-copy_extensions", "copy", "-out",
                name + ".crt"});
  };
  return authority("ca") && authority("stranger") && signed_by_us("broker") &&
         signed_by_us("client") &&
         Run({"sh", "-c", "cat broker.key broker.crt ca.crt >broker.pem"});
}

bool KafkaBroker::Configure() {
  std::ofstream out(dir_ + "/server.properties");
  const std::string listeners =
      "PLAINTEXT://" + plain() + ",SASL_SSL://" + sasl_ssl() + ",SSL://" + tls() + ",PROXIED://";
  const int proxy = options_.proxy_port > 0 ? options_.proxy_port : proxied_port();
  out << "process.roles=broker,controller\n"
         "node.id=1\n"
      << "controller.quorum.voters=1@" << Address(3) << "\n"
      << "listeners=" << listeners << proxied() << ",CONTROLLER://" << Address(3) << "\n"
      << "advertised.listeners=" << listeners << "127.0.0.1:" << proxy << "\n"
      << "controller.listener.names=CONTROLLER\n"
         "inter.broker.listener.name=PLAINTEXT\n"
         "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
         "SASL_SSL:SASL_SSL,SSL:SSL,PROXIED:PLAINTEXT\n"
         "sasl.enabled.mechanisms=SCRAM-SHA-512\n"
         "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config="
         "org.apache.kafka.common.security.scram.ScramLoginModule required;\n"
         "listener.name.ssl.ssl.client.auth=required\n"
         "ssl.keystore.type=PEM\n"
         "ssl.truststore.type=PEM\n"
      << "ssl.keystore.location=" << dir_ << "/broker.pem\n"
      << "ssl.truststore.location=" << dir_ << "/ca.crt\n"
      << "log.dirs=" << dir_ << "/store\n"
      << "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"
         "super.users=User:ANONYMOUS;User:CN=client\n"
         "auto.create.topics.enable=true\n"  // what clients must not make use of
         "num.partitions=1\n"
         "offsets.topic.replication.factor=1\n"
         "offsets.topic.num.partitions=1\n"
         "transaction.state.log.replication.factor=1\n"
         "transaction.state.log.min.isr=1\n"
         "group.initial.rebalance.delay.ms=0\n"
         // A broker that was killed may come back as soon as it is started again.
         "broker.session.timeout.ms=1000\n"
         "broker.heartbeat.interval.ms=200\n"
         "controller.quorum.election.timeout.ms=200\n"
         "controller.quorum.fetch.timeout.ms=500\n";
  return out.good();
}

std::vector<std::string> KafkaBroker::Java() const {
  std::vector<std::string> java = {"java", "-XX:+UseSerialGC"};
  if (options_.fast_start) {
    java.insert(java.end(), {"-Xmx256m", "-XX:TieredStopAtLevel=1"});
  } else {
    java.insert(java.end(), {"-Xmx512m"});
  }
  java.insert(java.end(), {"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", libs_ + "/*"});
  return java;
}

bool KafkaBroker::Format() {
  std::error_code ignored;
  std::filesystem::remove_all(dir_ + "/store", ignored);
  std::vector<std::string> command = Java();
  command.insert(command.end(),
                 {"kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c",
                  "server.properties", "--add-scram",
                  std::string("SCRAM-SHA-512=[name=") + kUser + ",password=" + kPassword + "]"});
  return Run(command);
}

bool KafkaBroker::Spawn() {
  std::vector<std::string> command = Java();
  command.insert(command.end(), {"kafka.Kafka", "server.properties"});
  pid_ = StartProgram(command, dir_, dir_ + "/log");
  paused_ = false;
  return pid_ > 0;
}

// Whether a broker is registered and the topics that were there have their leaders again.
bool KafkaBroker::Ready() {
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(Admin(), 1, nullptr, &metadata, 500) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return false;
  }
  bool ready = metadata->broker_cnt > 0;
  for (int t = 0; t < metadata->topic_cnt; ++t) {
    const rd_kafka_metadata_topic_t& topic = metadata->topics[t];
    for (int p = 0; p < topic.partition_cnt; ++p) ready = ready && topic.partitions[p].leader >= 0;
  }
  rd_kafka_metadata_destroy(metadata);
  return ready;
}

bool KafkaBroker::AwaitReady() {
  const auto deadline = Clock::now() + kReadyWithin;
  while (Clock::now() < deadline) {
    if (Ready()) return true;
    if (WaitForEnd(pid_, 20)) {
      pid_ = -1;
      return false;
    }
  }
  return false;
}

void KafkaBroker::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
  paused_ = false;
}

bool KafkaBroker::Restart() {
  Kill();
  const bool up = Spawn() && AwaitReady();
  if (!up) ADD_FAILURE() << "the Kafka broker did not come up again: " << TailOf(dir_ + "/log");
  return up;
}

void KafkaBroker::Pause() {
  kill(pid_, SIGSTOP);
  int status = 0;
  waitpid(pid_, &status, WUNTRACED);  // the signal is sent; only now has it stopped
  paused_ = true;
}
void KafkaBroker::Continue() {
  kill(pid_, SIGCONT);
  paused_ = false;
}

bool KafkaBroker::Up() {
  if (pid_ <= 0) return Restart();
  if (paused_) Continue();
  return AwaitReady();
}

rd_kafka_s* KafkaBroker::Admin() {
  if (admin_ == nullptr) {
    admin_ = NewClient(RD_KAFKA_PRODUCER, {{"bootstrap.servers", plain()},
                                           {"reconnect.backoff.ms", "20"},
                                           {"reconnect.backoff.max.ms", "200"},
                                           {"allow.auto.create.topics", "false"}});
  }
  return admin_;
}

bool KafkaBroker::CreateTopic(const std::string& topic, int partitions, const Config& config) {
  char said[256];
  rd_kafka_NewTopic_t* made =
      rd_kafka_NewTopic_new(topic.c_str(), partitions, 1, said, sizeof said);
  for (const auto& [name, value] : config) {
    rd_kafka_NewTopic_set_config(made, name.c_str(), value.c_str());
  }
  const bool created = Ask(Admin(), "create " + topic, [&](auto* options, auto* queue) {
    rd_kafka_CreateTopics(Admin(), &made, 1, options, queue);
  });
  rd_kafka_NewTopic_destroy(made);
  return created && AwaitTopic(topic, partitions);
}

bool KafkaBroker::DeleteTopic(const std::string& topic) {
  rd_kafka_DeleteTopic_t* gone = rd_kafka_DeleteTopic_new(topic.c_str());
  const bool deleted = Ask(Admin(), "delete " + topic, [&](auto* options, auto* queue) {
    rd_kafka_DeleteTopics(Admin(), &gone, 1, options, queue);
  });
  rd_kafka_DeleteTopic_destroy(gone);
  return deleted && AwaitTopic(topic, 0);
}

// Waits until the broker answers for so many partitions with a leader; 0: for no topic.
bool KafkaBroker::AwaitTopic(const std::string& topic, int partitions) {
  const auto deadline = Clock::now() + kReadyWithin;
  while (Clock::now() < deadline) {
    const rd_kafka_metadata_t* metadata = nullptr;
    // Asking for one topic would leave it in the client's memory.
    if (rd_kafka_metadata(Admin(), 1, nullptr, &metadata, 1000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      continue;
    }
    int led = 0;
    for (int t = 0; t < metadata->topic_cnt; ++t) {
      if (topic != metadata->topics[t].topic) continue;
      for (int p = 0; p < metadata->topics[t].partition_cnt; ++p) {
        led += metadata->topics[t].partitions[p].leader >= 0 ? 1 : 0;
      }
    }
    rd_kafka_metadata_destroy(metadata);
    if (led == partitions) return true;
  }
  ADD_FAILURE() << topic << " does not get " << partitions << " partitions";
  return false;
}

bool KafkaBroker::ConfigureTopic(const std::string& topic, const Config& config) {
  rd_kafka_ConfigResource_t* resource =
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str());
  for (const auto& [name, value] : config) {
    rd_kafka_ConfigResource_set_config(resource, name.c_str(), value.c_str());
  }
  const bool altered = Ask(Admin(), "configure " + topic, [&](auto* options, auto* queue) {
    rd_kafka_AlterConfigs(Admin(), &resource, 1, options, queue);
  });
  rd_kafka_ConfigResource_destroy(resource);
  return altered;
}

bool KafkaBroker::Allow(const std::string& topic) { return ChangeAcls(topic, true); }
bool KafkaBroker::Forbid(const std::string& topic) { return ChangeAcls(topic, false); }

bool KafkaBroker::ChangeAcls(const std::string& topic, bool allow) {
  const std::string user = std::string("User:") + kUser;
  bool good = true;
  for (const auto operation : {RD_KAFKA_ACL_OPERATION_DESCRIBE, RD_KAFKA_ACL_OPERATION_WRITE}) {
    char said[256];
    const auto make = allow ? &rd_kafka_AclBinding_new : &rd_kafka_AclBindingFilter_new;
    rd_kafka_AclBinding_t* acl =
        make(RD_KAFKA_RESOURCE_TOPIC, topic.c_str(), RD_KAFKA_RESOURCE_PATTERN_LITERAL,
             user.c_str(), "*", operation, RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, said, sizeof said);
    good &= Ask(Admin(), "change the rights on " + topic, [&](auto* options, auto* queue) {
      if (allow) {
        rd_kafka_CreateAcls(Admin(), &acl, 1, options, queue);
      } else {
        rd_kafka_DeleteAcls(Admin(), &acl, 1, options, queue);
      }
    });
    rd_kafka_AclBinding_destroy(acl);
  }
  return good;
}

std::string KafkaBroker::NewTopic(int partitions, const Config& config) {
  std::string topic = "test-" + std::to_string(++topics_made_);
  if (partitions > 0) CreateTopic(topic, partitions, config);
  return topic;
}

std::vector<KafkaStored> KafkaBroker::Read(const std::string& topic) {
  std::vector<KafkaStored> all;
  rd_kafka_t* consumer = NewClient(RD_KAFKA_CONSUMER, {{"bootstrap.servers", plain()},
                                                       {"group.id", "fixture"},
                                                       {"enable.auto.commit", "false"},
                                                       {"auto.offset.reset", "earliest"},
                                                       {"enable.partition.eof", "true"},
                                                       {"fetch.wait.max.ms", "10"},
                                                       {"fetch.message.max.bytes", "20000000"}});
  const rd_kafka_metadata_t* metadata = nullptr;
  int partitions = 0;
  if (rd_kafka_metadata(Admin(), 1, nullptr, &metadata, kAdminMillis) ==
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    for (int t = 0; t < metadata->topic_cnt; ++t) {
      if (topic == metadata->topics[t].topic) partitions = metadata->topics[t].partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
  }
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(partitions);
  for (int p = 0; p < partitions; ++p) {
    rd_kafka_topic_partition_list_add(list, topic.c_str(), p)->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_assign(consumer, list);
  std::vector<std::vector<KafkaStored>> by_partition(static_cast<size_t>(partitions));
  const auto deadline = Clock::now() + kReadyWithin;
  int ended = 0;
  while (ended < partitions && Clock::now() < deadline) {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, 100);
    if (message == nullptr) continue;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      ++ended;
    } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      KafkaStored stored;
      stored.partition = message->partition;
      stored.offset = message->offset;
      stored.has_key = message->key != nullptr;
      if (stored.has_key) stored.key.assign(static_cast<char*>(message->key), message->key_len);
      stored.value.assign(static_cast<char*>(message->payload), message->len);
      stored.timestamp = rd_kafka_message_timestamp(message, nullptr);
      rd_kafka_headers_t* headers = nullptr;
      rd_kafka_message_headers(message, &headers);
      const char* name = nullptr;
      const void* value = nullptr;
      size_t size = 0;
      for (size_t i = 0;
           headers != nullptr && rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0;
           ++i) {
        stored.headers[name] = std::string(static_cast<const char*>(value), size);
      }
      by_partition[static_cast<size_t>(message->partition)].push_back(std::move(stored));
    }
    rd_kafka_message_destroy(message);
  }
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_destroy(consumer);
  if (partitions == 0 || ended < partitions) ADD_FAILURE() << topic << " cannot be read to its end";
  for (std::vector<KafkaStored>& one : by_partition) {
    std::move(one.begin(), one.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace spool::testing
