#include "ingest/sources/kafka.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/hash.h"
#include "base/log.h"
#include "spool/records.h"

namespace spool {
namespace {

constexpr int kPollMillis = 100;
constexpr int kAskMillis = 2000;
constexpr size_t kBatch = 5000;
constexpr Micros kRetryFirst = std::chrono::seconds(1);
constexpr Micros kRetryMax = std::chrono::seconds(30);
constexpr Micros kLookEvery = std::chrono::seconds(2);
constexpr Micros kCloseTime = std::chrono::seconds(3);
constexpr std::array<std::string_view, 1> kGaps{KafkaSource::kExpired};

struct ListDeleter {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};
using List = std::unique_ptr<rd_kafka_topic_partition_list_t, ListDeleter>;

List NewList() { return List(rd_kafka_topic_partition_list_new(8)); }

void ReadHeaders(const rd_kafka_message_t* message, Fetched* one) {
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : static_cast<char>(c);
    });
    std::string text(static_cast<const char*>(value), value == nullptr ? 0 : size);
    if (lower == "content-type") one->content_type = text;
    // In Kafka's binding of CloudEvents an attribute begins with "ce_".
    if (lower.starts_with("ce_")) one->headers.emplace_back("ce-" + lower.substr(3), text);
  }
}

}  // namespace

class KafkaSource::Client {
 public:
  explicit Client(KafkaSource& source) : source_(source) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() {
    if (handle_ == nullptr) return;
    rd_kafka_queue_t* const queue = rd_kafka_queue_get_consumer(handle_);
    if (rd_kafka_error_t* const error = rd_kafka_consumer_close_queue(handle_, queue)) {
      rd_kafka_error_destroy(error);
    } else {
      const Clock& clock = source_.intake_.clock();
      const SteadyTime until = clock.Steady() + kCloseTime;
      while (rd_kafka_consumer_closed(handle_) == 0 && clock.Steady() < until) {
        rd_kafka_queue_poll_callback(queue, kPollMillis);
      }
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy_flags(handle_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  }

  Status Start(const KafkaSourceSettings& settings) {
    std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)> conf(rd_kafka_conf_new(),
                                                                            &rd_kafka_conf_destroy);
    std::string refused;
    const auto set = [&](const char* name, const std::string& value) {
      if (value.empty()) return;
      // The library's words may repeat the value, which may be a password.
      if (rd_kafka_conf_set(conf.get(), name, value.c_str(), nullptr, 0) != RD_KAFKA_CONF_OK) {
        refused = name;
      }
    };
    std::string brokers;
    for (const std::string& broker : settings.brokers) {
      brokers += (brokers.empty() ? "" : ",") + broker;
    }
    set("bootstrap.servers", brokers);
    set("client.id", "spool");
    set("group.id", settings.group);
    set("enable.auto.commit", "false");
    set("enable.auto.offset.store", "false");
    set("auto.offset.reset", settings.from_end ? "latest" : "earliest");
    set("enable.partition.eof", "false");
    set("queued.max.messages.kbytes", "8192");
    set("session.timeout.ms", "20000");
    set("log.connection.close", "false");
    set("reconnect.backoff.max.ms", "2000");
    set("allow.auto.create.topics", "false");
    set("topic.metadata.refresh.interval.ms", "30000");
    const bool tls = settings.tls.has_value();
    set("security.protocol",
        settings.sasl ? (tls ? "sasl_ssl" : "sasl_plaintext") : (tls ? "ssl" : "plaintext"));
    if (tls) {
      set("ssl.ca.location", settings.tls->ca);
      set("ssl.certificate.location", settings.tls->cert);
      set("ssl.key.location", settings.tls->key);
    }
    if (settings.sasl) {
      const auto password = settings.sasl->password->Read();
      if (!password) return tl::unexpected(password.error());
      set("sasl.mechanisms", settings.sasl->mechanism);
      set("sasl.username", settings.sasl->username);
      set("sasl.password", *password);
    }
    if (!refused.empty()) return Fail(Code::kInvalid, "the property " + refused + " is refused");
    rd_kafka_conf_set_opaque(conf.get(), this);
    rd_kafka_conf_set_rebalance_cb(conf.get(), OnRebalance);
    rd_kafka_conf_set_error_cb(conf.get(), OnError);
    rd_kafka_conf_set_log_cb(conf.get(), OnLog);
    std::array<char, 512> said{};
    handle_ = rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), said.data(), said.size());
    if (handle_ == nullptr) return Fail(Code::kInvalid, said.data());
    conf.release();  // NOLINT: it is the consumer's now
    rd_kafka_poll_set_consumer(handle_);
    const List topics = NewList();
    for (const std::string& topic : settings.topics) {
      rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
    }
    if (const auto error = rd_kafka_subscribe(handle_, topics.get())) {
      return Fail(Code::kUnavailable, rd_kafka_err2str(error));
    }
    return {};
  }

  // True when there was a message.
  bool Poll(int millis) {
    rd_kafka_message_t* const message = rd_kafka_consumer_poll(handle_, millis);
    if (message == nullptr) return false;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        source_.intake_.Failed(rd_kafka_message_errstr(message));
      }
      rd_kafka_message_destroy(message);
      return false;
    }
    Fetched one;
    one.body.assign(static_cast<const char*>(message->payload), message->len);
    ReadHeaders(message, &one);
    if (one.body.empty() && one.headers.empty()) {
      one.unfit = "empty";
      one.unfit_detail = "the message holds nothing";
    }
    const Partition partition(rd_kafka_topic_name(message->rkt), message->partition);
    // With its time, since a topic that is made anew counts from the beginning again.
    one.key = partition.first + "/" + std::to_string(partition.second) + "/" +
              std::to_string(message->offset) + "/" +
              std::to_string(rd_kafka_message_timestamp(message, nullptr));
    const int64_t offset = message->offset;
    rd_kafka_message_destroy(message);
    source_.Add(*this, partition, offset, std::move(one));
    return true;
  }

  // What is stored of these partitions.
  void Commit(const std::map<Partition, Place>& places, bool wait) {
    const List list = NewList();
    for (const auto& [partition, place] : places) {
      if (place.stored < 0) continue;
      rd_kafka_topic_partition_list_add(list.get(), partition.first.c_str(), partition.second)
          ->offset = place.stored;
    }
    if (list->cnt == 0) return;
    const auto error = rd_kafka_commit(handle_, list.get(), wait ? 0 : 1);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR__NO_OFFSET) return;
    source_.intake_.Trouble(std::string("cannot commit offsets: ") + rd_kafka_err2str(error));
  }

  // What the group committed; nothing where it did not, or where that cannot be told: then the
  // library asks once more by itself.
  std::map<Partition, int64_t> Committed(const std::map<Partition, Place>& places) const {
    const List list = NewList();
    for (const auto& [partition, place] : places) {
      rd_kafka_topic_partition_list_add(list.get(), partition.first.c_str(), partition.second);
    }
    std::map<Partition, int64_t> out;
    if (rd_kafka_committed(handle_, list.get(), kAskMillis) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return out;
    }
    for (int i = 0; i < list->cnt; ++i) {
      const rd_kafka_topic_partition_t& one = list->elems[i];
      if (one.err != RD_KAFKA_RESP_ERR_NO_ERROR || one.offset < 0) continue;
      out[{one.topic, one.partition}] = one.offset;
    }
    return out;
  }
  // From the first to after the last message, as the library knows or, with `ask`, the broker.
  bool Bounds(const Partition& partition, bool ask, int64_t* low, int64_t* high) const {
    *low = *high = -1;
    const auto error =
        ask ? rd_kafka_query_watermark_offsets(handle_, partition.first.c_str(), partition.second,
                                               low, high, kAskMillis)
            : rd_kafka_get_watermark_offsets(handle_, partition.first.c_str(), partition.second,
                                             low, high);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR && *high >= 0;
  }

  bool again() const { return again_; }

 private:
  friend class KafkaSource;

  static Client& Of(void* opaque) { return *static_cast<Client*>(opaque); }

  // On our own thread, from within a poll.
  static void OnRebalance(rd_kafka_t* handle, rd_kafka_resp_err_t what,
                          rd_kafka_topic_partition_list_t* list, void* opaque) {
    Client& self = Of(opaque);
    if (what != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
      if (rd_kafka_assignment_lost(handle) == 0) self.source_.Revoked(self);
      self.source_.places_.clear();
      rd_kafka_assign(handle, nullptr);
      return;
    }
    self.source_.places_.clear();
    for (int i = 0; i < list->cnt; ++i) {
      self.source_.places_[{list->elems[i].topic, list->elems[i].partition}];
    }
    self.source_.Assigned(self);
    for (int i = 0; i < list->cnt; ++i) {
      const Place& place = self.source_.places_[{list->elems[i].topic, list->elems[i].partition}];
      if (place.next >= 0) list->elems[i].offset = place.next;
    }
    rd_kafka_assign(handle, list);
  }
  // On our own thread, too.
  static void OnError(rd_kafka_t* handle, int error, const char* reason, void* opaque) {
    Client& self = Of(opaque);
    const auto code = static_cast<rd_kafka_resp_err_t>(error);
    if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__FATAL) {
      self.again_ = true;  // with the password as it is then
    }
    self.source_.intake_.Failed(std::string(rd_kafka_err2str(code)) +
                                (reason != nullptr ? std::string(": ") + reason : ""));
    static_cast<void>(handle);
  }
  // On any thread of the library's. It never says what is in a message, nor a password.
  static void OnLog(const rd_kafka_t* /*handle*/, int level, const char* about, const char* text) {
    constexpr int kNotice = 5;
    static log::Limiter limiter;
    uint64_t held_back = 0;
    if (level > kNotice) {
      log::Debug("The Kafka client has something to say.", {{"about", about}, {"said", text}});
    } else if (std::string_view(about) != "CONFWARN" && limiter.Allow(&held_back)) {
      log::Warn("The Kafka client has trouble.", {{"said", text}, {"not_shown", held_back}});
    }
  }

  KafkaSource& source_;
  rd_kafka_t* handle_ = nullptr;
  bool again_ = false;
};

KafkaSource::KafkaSource(KafkaSourceSettings settings, IntakeOptions options, Journal& journal)
    : PulledSource(std::move(options), journal), settings_(std::move(settings)), lane_(intake_) {
  intake_.SetAddress(settings_.group);
}

KafkaSource::~KafkaSource() { Stop(intake_.clock().Steady()); }

std::span<const std::string_view> KafkaSource::own_gaps() const { return kGaps; }

Status KafkaSource::Prepare() {
  for (const std::string& broker : settings_.brokers) {
    if (broker.empty()) return Fail(Code::kInvalid, "a broker has no name");
  }
  return {};
}

std::string KafkaSource::KeyOf(const Partition& partition) const {
  const std::string begin = "place/" + intake_.options().name + "/";
  const std::string end = "/" + std::to_string(partition.second);
  const bool fits = begin.size() + partition.first.size() + end.size() <= Records::kKeyMax;
  return begin + (fits ? partition.first : Sha256Prefix(partition.first).Hex()) + end;
}

// Where to go on in each partition: where the group is, or after what is stored already. What the
// group has committed counts, unless it is where a crash came between storing and committing.
void KafkaSource::Assigned(Client& client) {
  const std::map<Partition, int64_t> all = client.Committed(places_);
  bool answers = true;
  for (auto& [partition, place] : places_) {
    place.seen = intake_.clock().Now();
    const auto found = all.find(partition);
    if (found == all.end()) continue;  // nowhere yet: as `start` says
    const int64_t committed = found->second;
    const auto kept = intake_.journal().records().Get(KeyOf(partition));
    place.next = committed;
    if (kept && *kept) {
      std::array<int64_t, 4> numbers{};
      std::string_view text = **kept;
      bool good = true;
      for (int64_t& number : numbers) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        good = good && error == std::errc();
        text.remove_prefix(static_cast<size_t>(end - text.data()));
        if (text.starts_with(' ')) text.remove_prefix(1);
      }
      const auto [version, first, next, seen] = numbers;
      if (good && version == 1) {
        place.seen = FromMicros(seen);
        if (first <= committed && committed < next) place.next = next;
      }
    }
    int64_t low = -1, high = -1;
    answers = answers && !stop_.stop_requested() && client.Bounds(partition, true, &low, &high);
    if (answers) {
      if (place.next > high) place.next = committed;  // another topic of that name
      if (place.next < low) {
        const SystemTime now = intake_.clock().Now();
        intake_.Gap(kExpired, std::min(place.seen, now), now,
                    "Kafka gave up " + std::to_string(low - place.next) + " messages of " +
                        partition.first + "/" + std::to_string(partition.second) +
                        " before they were fetched.");
        place.next = low;
      }
    }
    place.first = place.stored = place.next;
  }
  intake_.Works();
}

// Before they go to another member, what was fetched of them is stored and committed.
void KafkaSource::Revoked(Client& client) {
  if (PutGathered(client)) static_cast<void>(lane_.Flush(stop_));
  if (stop_.stop_requested()) static_cast<void>(lane_.Finish());
  client.Commit(places_, true);
}

void KafkaSource::Add(Client& client, const Partition& partition, int64_t offset, Fetched message) {
  Place& place = places_[partition];
  if (place.next >= 0 && offset > place.next) {
    int64_t low = -1, high = -1;
    if (client.Bounds(partition, false, &low, &high) && low > place.next) {
      intake_.Gap(kExpired, place.seen, intake_.clock().Now(),
                  "Kafka gave up messages of " + partition.first + "/" +
                      std::to_string(partition.second) + " before they were fetched.");
    }
  }
  if (place.first < 0) place.first = offset;
  place.next = offset + 1;
  place.seen = intake_.clock().Now();
  gathered_bytes_ += message.body.size();
  gathered_.bodies.push_back(std::move(message));
  ends_[partition] = place.next;
}

bool KafkaSource::PutGathered(Client& client) {
  if (gathered_.bodies.empty()) return true;
  Batch batch = std::exchange(gathered_, Batch());
  batch.path = settings_.as;
  gathered_bytes_ = 0;
  const auto ends = std::make_shared<std::map<Partition, int64_t>>(std::exchange(ends_, {}));
  for (const auto& [partition, end] : *ends) {
    const Place& place = places_[partition];
    batch.records.push_back({KeyOf(partition), "1 " + std::to_string(place.first) + " " +
                                                   std::to_string(end) + " " +
                                                   std::to_string(ToMicros(place.seen))});
  }
  batch.stored = [this, ends, &client] {
    std::map<Partition, Place> done;
    for (const auto& [partition, end] : *ends) {
      const auto at = places_.find(partition);
      if (at == places_.end()) continue;  // it is somebody else's now
      at->second.first = std::max(at->second.first, at->second.stored);
      at->second.stored = end;
      done[partition] = at->second;
    }
    client.Commit(done, false);
  };
  return lane_.Put(std::move(batch), stop_);
}

void KafkaSource::Run(std::stop_token stop) {
  stop_ = stop;
  const Clock& clock = intake_.clock();
  Micros retry = kRetryFirst;
  while (intake_.WaitOpen(stop)) {
    Client client(*this);
    const Status started = client.Start(settings_);
    if (!started) intake_.Failed(started.error().message);
    SteadyTime look_at = clock.Steady() + kLookEvery;
    bool run = started.has_value();
    while (run && !client.again() && !stop.stop_requested()) {
      if (!client.Poll(kPollMillis)) {
        run = lane_.Flush(stop);
      } else {
        intake_.Works();
        retry = kRetryFirst;
        while (gathered_.bodies.size() < kBatch && gathered_bytes_ < Intake::kBodyBytes &&
               client.Poll(0)) {
        }
        run = PutGathered(client);
      }
      if (clock.Steady() < look_at) continue;
      look_at = clock.Steady() + kLookEvery;
      uint64_t behind = 0;
      for (const auto& [partition, place] : places_) {
        int64_t low = -1, high = -1;
        if (client.Bounds(partition, false, &low, &high)) {
          behind += static_cast<uint64_t>(std::max<int64_t>(high - std::max(place.stored, low), 0));
        }
      }
      intake_.SetBehind(std::nullopt, behind);
    }
    if (stop.stop_requested()) static_cast<void>(lane_.Finish());
    if (started) client.Commit(places_, true);
    if (stop.stop_requested()) break;
    // The client goes, and with it what is in the journal's hands must not call it.
    static_cast<void>(lane_.Flush(stop));
    if (!intake_.Wait(retry, stop)) break;
    retry = std::min(retry * 2, kRetryMax);
  }
}

}  // namespace spool
