// One life of librdkafka's idempotent producer: from its making to its first trouble. What it
// queued it reports on; what became of a message only a report tells.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "forward/sinks/kafka_conf.h"

struct rd_kafka_s;
struct rd_kafka_topic_s;

namespace spool {

struct KafkaRecord {
  std::string_view key;  // empty: none
  std::string_view value;
  struct Header {
    const char* name;
    std::string_view value;
  };
  std::span<const Header> headers;  // kHeadersMax at most
  static constexpr size_t kHeadersMax = 8;
};

struct KafkaReport {
  size_t tag = 0;
  int error = 0;           // librdkafka's; 0: in the log of every replica that is asked for
  int32_t partition = -1;  // -1: it was not given one yet
};

// What is wrong with the connection, since the last delivery.
struct KafkaTrouble {
  int error = 0;  // 0: nothing
  std::string text;
  bool all_down = false;  // no broker is connected, and each was tried
  bool fatal = false;     // this producer sends nothing more
};

// One thread.
class KafkaProducer {
 public:
  // Connects when there is something to send. kInvalid, with the library's words, for properties
  // it does not take, for instance certificates that cannot be read. `target` is for the log.
  static Result<std::unique_ptr<KafkaProducer>> Make(const KafkaProperties& properties,
                                                     const std::string& target);
  // What was not reported yet is given up. May take seconds while a broker does not answer.
  ~KafkaProducer();
  KafkaProducer(const KafkaProducer&) = delete;
  KafkaProducer& operator=(const KafkaProducer&) = delete;

  // Queues a copy, to be reported on under `tag`: 0. Otherwise librdkafka's error, and nothing
  // was queued.
  int Produce(std::string_view topic, const KafkaRecord& record, size_t tag);
  static bool QueueFull(int error);
  static bool Fatal(int error);

  // Waits for reports, at most so long; with `all` until there is one for everything.
  void Serve(Millis wait, bool all);
  // Those that came since the last call.
  std::vector<KafkaReport> TakeReports() { return std::exchange(reports_, {}); }
  const KafkaTrouble& trouble() const { return trouble_; }
  bool delivered_any() const { return delivered_any_; }

  // Takes back what was not sent yet, or all that has no answer. Reports tell of each.
  void TakeBackUnsent();
  void TakeBackAll();

  // The library's own callbacks.
  void OnReport(const KafkaReport& report);
  void OnTrouble(int error, std::string_view text);
  const std::string& target() const { return target_; }

 private:
  explicit KafkaProducer(std::string target) : target_(std::move(target)) {}
  rd_kafka_topic_s* Topic(std::string_view name, int* error);

  const std::string target_;
  rd_kafka_s* handle_ = nullptr;
  std::map<std::string, rd_kafka_topic_s*, std::less<>> topics_;
  std::vector<KafkaReport> reports_;
  KafkaTrouble trouble_;
  bool delivered_any_ = false;
};

}  // namespace spool
