#include "forward/sinks/kafka_producer.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/log.h"
#include "forward/sinks/kafka_error.h"
#include "forward/sinks/outcomes.h"

namespace spool {
namespace {

KafkaProducer* Of(void* opaque) { return static_cast<KafkaProducer*>(opaque); }

void* TagOpaque(size_t tag) { return reinterpret_cast<void*>(static_cast<uintptr_t>(tag)); }

void Report(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  Of(opaque)->OnReport({static_cast<size_t>(reinterpret_cast<uintptr_t>(message->_private)),
                        message->err, message->partition});
}

void Trouble(rd_kafka_t*, int error, const char* reason, void* opaque) {
  Of(opaque)->OnTrouble(error, reason != nullptr ? reason : "");
}

// On any thread of the library's. It never says what is in a message, nor a password.
void Log(const rd_kafka_t* handle, int level, const char* about, const char* text) {
  constexpr int kNotice = 5;
  static log::Limiter limiter;
  uint64_t held_back = 0;
  if (level > kNotice) {
    log::Debug("The Kafka client has something to say.", {{"about", about}, {"said", text}});
  } else if (std::string_view(about) != "CONFWARN" && limiter.Allow(&held_back)) {
    log::Warn("The Kafka client has trouble.", {{"target", Of(rd_kafka_opaque(handle))->target()},
                                                {"said", Printable(text)},
                                                {"not_shown", held_back}});
  }
}

}  // namespace

Result<std::unique_ptr<KafkaProducer>> KafkaProducer::Make(const KafkaProperties& properties,
                                                           const std::string& target) {
  std::unique_ptr<KafkaProducer> made(new KafkaProducer(target));
  std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)> conf(rd_kafka_conf_new(),
                                                                          &rd_kafka_conf_destroy);
  std::array<char, 512> said{};
  for (const auto& [name, value] : properties) {
    const auto set =
        rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), said.data(), said.size());
    // The library's words may repeat the value, which may be a password.
    if (set != RD_KAFKA_CONF_OK)
      return Fail(Code::kInvalid, "the property " + name + " is refused");
  }
  rd_kafka_conf_set_opaque(conf.get(), made.get());
  rd_kafka_conf_set_dr_msg_cb(conf.get(), Report);
  rd_kafka_conf_set_error_cb(conf.get(), Trouble);
  rd_kafka_conf_set_log_cb(conf.get(), Log);
  made->handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), said.data(), said.size());
  if (made->handle_ == nullptr) return Fail(Code::kInvalid, Printable(said.data()));
  conf.release();  // it is the producer's now
  return made;
}

KafkaProducer::~KafkaProducer() {
  if (handle_ == nullptr) return;
  rd_kafka_purge(
      handle_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
  for (const auto& [name, topic] : topics_) rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(handle_);
}

rd_kafka_topic_s* KafkaProducer::Topic(std::string_view name, int* error) {
  if (const auto known = topics_.find(name); known != topics_.end()) return known->second;
  std::string text(name);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(handle_, text.c_str(), nullptr);
  if (topic == nullptr) {
    *error = rd_kafka_last_error();
    return nullptr;
  }
  return topics_.emplace(std::move(text), topic).first->second;
}

int KafkaProducer::Produce(std::string_view topic, const KafkaRecord& record, size_t tag) {
  SPOOL_ASSERT(record.headers.size() <= KafkaRecord::kHeadersMax);
  int failed = RD_KAFKA_RESP_ERR__INVALID_ARG;
  rd_kafka_topic_t* to = Topic(topic, &failed);
  if (to == nullptr) return failed;
  std::array<rd_kafka_vu_t, 5 + KafkaRecord::kHeadersMax> parts;
  size_t count = 0;
  const auto add = [&](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
    parts[count].vtype = type;
    return parts[count++];
  };
  // The library copies keys and values and never writes to them.
  const auto bytes = [](std::string_view of) { return const_cast<char*>(of.data()); };
  add(RD_KAFKA_VTYPE_RKT).u.rkt = to;
  add(RD_KAFKA_VTYPE_MSGFLAGS).u.i = RD_KAFKA_MSG_F_COPY;
  add(RD_KAFKA_VTYPE_OPAQUE).u.ptr = TagOpaque(tag);
  add(RD_KAFKA_VTYPE_VALUE).u.mem = {bytes(record.value), record.value.size()};
  if (!record.key.empty()) {
    add(RD_KAFKA_VTYPE_KEY).u.mem = {bytes(record.key), record.key.size()};
  }
  for (const KafkaRecord::Header& header : record.headers) {
    add(RD_KAFKA_VTYPE_HEADER).u.header = {header.name, header.value.data(),
                                           static_cast<ssize_t>(header.value.size())};
  }
  rd_kafka_error_t* error = rd_kafka_produceva(handle_, parts.data(), count);
  if (error == nullptr) return 0;
  failed = rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  return failed;
}

bool KafkaProducer::QueueFull(int error) { return error == RD_KAFKA_RESP_ERR__QUEUE_FULL; }
bool KafkaProducer::Fatal(int error) { return error == RD_KAFKA_RESP_ERR__FATAL; }

void KafkaProducer::Serve(Millis wait, bool all) {
  const int millis = static_cast<int>(std::max<int64_t>(wait.count(), 0));
  if (all) {
    rd_kafka_flush(handle_, millis);
  } else {
    rd_kafka_poll(handle_, millis);
  }
}

void KafkaProducer::TakeBackUnsent() {
  rd_kafka_purge(handle_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING);
}
void KafkaProducer::TakeBackAll() {
  rd_kafka_purge(
      handle_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

void KafkaProducer::OnReport(const KafkaReport& report) {
  reports_.push_back(report);
  if (report.error != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  delivered_any_ = true;
  if (!trouble_.fatal) trouble_ = {};
}

void KafkaProducer::OnTrouble(int error, std::string_view text) {
  if (error == RD_KAFKA_RESP_ERR__FATAL) {
    std::array<char, 512> why{};
    trouble_.error = rd_kafka_fatal_error(handle_, why.data(), why.size());
    trouble_.text = why.data();
    trouble_.fatal = true;
    return;
  }
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    trouble_.all_down = true;
    if (trouble_.error == 0) trouble_.error = error;
    return;
  }
  // A refusal says more than the loss of the connection that follows it.
  const auto refusal = [](int of) { return of != 0 && KafkaFailure(of).verdict == Verdict::kHold; };
  if (trouble_.fatal || (refusal(trouble_.error) && !refusal(error))) return;
  trouble_.error = error;
  trouble_.text = text;
}

}  // namespace spool
