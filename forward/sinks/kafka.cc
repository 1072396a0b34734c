#include <sys/stat.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "base/assert.h"
#include "base/thread.h"
#include "forward/sinks/event_text.h"
#include "forward/sinks/kafka_conf.h"
#include "forward/sinks/kafka_error.h"
#include "forward/sinks/kafka_producer.h"
#include "forward/sinks/outcomes.h"
#include "forward/sinks/sinks.h"

namespace spool {
namespace {

// How long a wait for reports goes without looking at the stop token and the connection.
constexpr Millis kLook{25};
// After the first failure: for the answers that are still under way.
constexpr Millis kDrain{1000};
// For the reports of what was taken back.
constexpr Millis kTakeBack{500};
// The least patience with a producer that has delivered nothing: the library looks once a second
// for topics that nobody knows, and only then says so.
constexpr Millis kFirstReport{3000};
constexpr int64_t kNoFile = -1;

// What a file is, as far as one look can tell: it changes when the file is replaced or written.
std::string FileMark(const std::string& path) {
  if (path.empty()) return {};
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return std::to_string(kNoFile);
  return std::to_string(found.st_ino) + '/' + std::to_string(found.st_size) + '/' +
         std::to_string(found.st_mtim.tv_sec) + '.' + std::to_string(found.st_mtim.tv_nsec);
}

struct Credentials {
  std::string password;
  std::string files;  // the marks of the certificates
  bool operator==(const Credentials&) const = default;
};

class KafkaSink : public Sink {
 public:
  KafkaSink(const KafkaSettings& settings, const TargetTimeouts& timeout, std::string target,
            EventText topic, EventText key)
      : settings_(settings),
        timeout_(timeout),
        target_(std::move(target)),
        topic_(std::move(topic)),
        key_(std::move(key)) {}

  Encoding encoding() const override { return Encoding::kCloudEvent; }

  Preview Show(const Message& message) const override {
    std::string topic;
    std::string key;
    topic_.Render(*message.event, "_", topic);
    key_.Render(*message.event, {}, key);
    return {"topic " + topic + (key.empty() ? "" : ", key " + key), {}, std::string(message.body)};
  }

  void Deliver(std::span<const Message> messages, std::span<Outcome> outcomes, SteadyTime deadline,
               std::stop_token stop) override {
    if (messages.empty()) return;
    Outcome failure;
    if (!Ready(deadline, stop, &failure)) {
      return SetAll(outcomes, failure.verdict, failure.code, failure.excerpt);
    }
    Attempt attempt{messages, outcomes, deadline, std::move(stop)};
    lanes_.assign(messages.size(), Lane());
    Run(attempt);
    Explain(attempt);
    if (attempt.failed) KeepOrder(attempt);
    if (attempt.over) Retire();
  }

 private:
  // Where an event goes: what arrives in one lane arrives in order.
  struct Lane {
    size_t topic = 0;  // index into topics_
    int32_t partition = -1;
    bool Meets(const Lane& other) const {
      return topic == other.topic &&
             (partition == other.partition || partition < 0 || other.partition < 0);
    }
  };
  struct Attempt {
    std::span<const Message> messages;
    std::span<Outcome> outcomes;
    SteadyTime deadline;
    std::stop_token stop;
    size_t produced = 0;
    size_t open = 0;  // produced and not reported
    size_t open_bytes = 0;
    bool no_room = false;        // until the next report
    bool failed = false;         // produce no more
    bool over = false;           // nor with this producer
    SteadyTime progress_at;      // the last time something was delivered
    SteadyTime drain_until;      // when over
    std::optional<Outcome> why;  // for the first event that has no reason of its own
    bool all_produced() const { return failed || produced == messages.size(); }
  };

  static bool Refused(const KafkaTrouble& trouble) {
    return trouble.error != 0 && KafkaFailure(trouble.error).verdict == Verdict::kHold;
  }
  static SteadyTime Now() { return RealClock().Steady(); }

  // ---- the producer's life

  bool Ready(SteadyTime deadline, const std::stop_token& stop, Outcome* failure) {
    Credentials now;
    const bool readable = ReadCredentials(&now, failure);
    // While a secret is being replaced, what we have goes on.
    if (producer_ && readable && now != credentials_) Retire();
    if (producer_) {
      producer_->Serve(Millis(0), false);
      // What was refused while nobody had anything to send may not be refused now.
      if (!producer_->trouble().fatal && !Refused(producer_->trouble())) return true;
      Retire();
    }
    if (!readable) return false;
    {
      std::unique_lock lock(mutex_);
      if (!ended_.wait_until(lock, stop, deadline, [this] { return !ending_; })) {
        failure->code = stop.stop_requested() ? "cancelled" : "timeout";
        return false;
      }
    }
    auto made =
        KafkaProducer::Make(MakeKafkaProperties(settings_, timeout_, now.password), target_);
    if (!made) {
      *failure = {Verdict::kHold, "kafka_config", Printable(made.error().message), {}};
      return false;
    }
    producer_ = std::move(*made);
    credentials_ = std::move(now);
    return true;
  }

  bool ReadCredentials(Credentials* out, Outcome* failure) const {
    if (settings_.tls) {
      out->files = FileMark(settings_.tls->ca_file) + ' ' + FileMark(settings_.tls->cert_file) +
                   ' ' + FileMark(settings_.tls->key_file);
    }
    if (!settings_.sasl) return true;
    Result<std::string> password = settings_.sasl->password->Read();
    if (!password) {
      *failure = {Verdict::kHold, "no_credentials", Printable(password.error().message), {}};
      return false;
    }
    out->password = std::move(*password);
    return true;
  }

  // Ends the producer on a thread of its own, because a broker that does not answer delays it.
  void Retire() {
    {
      std::lock_guard lock(mutex_);
      ending_ = true;
    }
    ender_ = StartThread(
        "kafka-end",
        [this, old = std::shared_ptr<KafkaProducer>(std::move(producer_))](auto) mutable {
          old.reset();
          {
            std::lock_guard lock(mutex_);
            ending_ = false;
          }
          ended_.notify_all();
        });
  }

  // ---- one attempt

  void Run(Attempt& a) {
    a.progress_at = Now();
    while (true) {
      while (!a.all_produced() && HasRoom(a)) ProduceNext(a);
      if (a.open == 0 && a.all_produced()) return;
      if (!GoOn(a)) break;
      producer_->Serve(kLook, a.all_produced());
      SettleReports(a);
    }
    a.failed = a.over = true;
    producer_->TakeBackAll();
    const SteadyTime until = Now() + kTakeBack;
    while (a.open > 0 && Now() < until) {
      producer_->Serve(kLook, true);
      SettleReports(a);
    }
  }

  static bool HasRoom(const Attempt& a) {
    if (a.open == 0) return true;
    return !a.no_room && a.open_bytes + a.messages[a.produced].body.size() <= kKafkaOpenBytesMax;
  }

  void ProduceNext(Attempt& a) {
    const size_t i = a.produced;
    const Message& message = a.messages[i];
    const EventView& event = *message.event;
    lanes_[i].topic = TopicIndex(event);
    key_.Render(event, {}, key_text_);
    const std::string id = event.id.Hex();
    KafkaRecord::Header headers[KafkaRecord::kHeadersMax] = {
        {"content-type", "application/cloudevents+json; charset=UTF-8"},
        {"ce_specversion", "1.0"},
        {"ce_id", id},
    };
    size_t count = 3;
    const auto add = [&](const char* name, std::string_view value) {
      if (!value.empty()) headers[count++] = {name, value};
    };
    add("ce_source", event.source);
    add("ce_type", event.type);
    add("ce_replay", message.replay);
    const int error = producer_->Produce(topics_[lanes_[i].topic],
                                         {key_text_, message.body, {headers, count}}, i);
    if (error == 0) {
      ++a.produced;
      ++a.open;
      a.open_bytes += message.body.size();
    } else if (KafkaProducer::QueueFull(error) && a.open > 0) {
      a.no_room = true;
    } else if (KafkaProducer::Fatal(error)) {
      GiveUp(a, KafkaFailure(producer_->trouble().fatal ? producer_->trouble().error : error,
                             producer_->trouble().text));
    } else {
      a.outcomes[i] = KafkaFailure(error);
      a.failed = true;
      if (a.outcomes[i].verdict != Verdict::kTooLarge) GiveUp(a, std::nullopt);
    }
  }

  // False when nothing is to be waited for any more; `a.why` then says the reason.
  bool GoOn(Attempt& a) {
    const SteadyTime now = Now();
    if (a.stop.stop_requested()) {
      a.why = {Verdict::kRetry, "cancelled", "", {}};
      return false;
    }
    if (a.over) return now < std::min(a.deadline, a.drain_until);
    const KafkaTrouble& trouble = producer_->trouble();
    const auto told = [&] { return KafkaFailure(trouble.error, trouble.text); };
    if (trouble.fatal) {
      GiveUp(a, told());
      return true;
    }
    const bool refused = Refused(trouble);
    if (trouble.all_down && refused) {
      a.why = told();
      return false;
    }
    // A producer that has delivered is worth waiting for: it knows what a broker that is started
    // again has already.
    const Millis patience = producer_->delivered_any() ? timeout_.connect : Millis(0);
    if (trouble.all_down && now >= a.progress_at + patience) {
      a.why = {Verdict::kRetry, "connect_failed", told().excerpt, {}};
      return false;
    }
    const Millis silence =
        producer_->delivered_any() ? timeout_.request : std::max(timeout_.request, kFirstReport);
    if (now >= std::min(a.deadline, a.progress_at + Micros(silence))) {
      a.why = refused ? told()
                      : Outcome{Verdict::kRetry, "timeout", "no report of delivery in time", {}};
      return false;
    }
    return true;
  }

  // Sends nothing more, but hears what is under way.
  void GiveUp(Attempt& a, std::optional<Outcome> why) {
    if (!a.why) a.why = std::move(why);
    a.failed = true;
    if (a.over) return;
    a.over = true;
    a.drain_until = Now() + kDrain;
    producer_->TakeBackUnsent();
  }

  void SettleReports(Attempt& a) {
    for (const KafkaReport& report : producer_->TakeReports()) {
      SPOOL_ASSERT(report.tag < a.produced && a.open > 0);
      --a.open;
      a.open_bytes -= a.messages[report.tag].body.size();
      a.no_room = false;
      lanes_[report.tag].partition = report.partition;
      Outcome& outcome = a.outcomes[report.tag];
      if (report.error == 0) {
        outcome.verdict = Verdict::kDelivered;
        a.progress_at = Now();
        continue;
      }
      if (!KafkaTookBack(report.error)) {
        outcome = KafkaFailure(report.error);
        outcome.excerpt = Printable(topics_[lanes_[report.tag].topic] + ": " + outcome.excerpt);
      }
      GiveUp(a, std::nullopt);
    }
  }

  // The first event that was not delivered says why, also when it was only taken back because of
  // another.
  void Explain(Attempt& a) {
    const auto first = std::ranges::find_if(
        a.outcomes, [](const Outcome& o) { return o.verdict != Verdict::kDelivered; });
    if (first == a.outcomes.end() || !first->code.empty()) return;
    const auto told =
        std::ranges::find_if(a.outcomes, [](const Outcome& o) { return !o.code.empty(); });
    if (told != a.outcomes.end()) {
      if (told->verdict == Verdict::kRetry) *first = *told;
      return;
    }
    // What the library takes back when it can go on no more comes as if it was asked to.
    const KafkaTrouble& trouble = producer_->trouble();
    if (!a.why && trouble.fatal) a.why = KafkaFailure(trouble.error, trouble.text);
    if (a.why) *first = *a.why;
  }

  // What comes after an event that has to be sent again is sent again too, in order, when it went
  // to the same partition; it may be there already when it was under way with the other.
  void KeepOrder(Attempt& a) {
    std::vector<Lane> again;
    for (size_t i = 0; i < a.outcomes.size(); ++i) {
      if (i >= a.produced && i > 0 && a.outcomes[i].code.empty()) return;  // never tried
      Lane& lane = lanes_[i];
      const bool waits = std::ranges::any_of(again, [&](const Lane& l) { return l.Meets(lane); });
      if (a.outcomes[i].verdict != Verdict::kDelivered) {
        if (!waits) again.push_back(lane);
      } else if (waits) {
        a.outcomes[i] = Outcome{};
      }
    }
  }

  size_t TopicIndex(const EventView& event) {
    topic_.Render(event, "_", topic_text_);
    if (last_topic_ < topics_.size() && topics_[last_topic_] == topic_text_) return last_topic_;
    const auto known = std::ranges::find(topics_, topic_text_);
    last_topic_ = static_cast<size_t>(known - topics_.begin());
    if (known == topics_.end()) topics_.push_back(topic_text_);
    return last_topic_;
  }

  const KafkaSettings settings_;
  const TargetTimeouts timeout_;
  const std::string target_;
  const EventText topic_;
  const EventText key_;

  // Of the delivering thread.
  std::unique_ptr<KafkaProducer> producer_;
  Credentials credentials_;          // with which it was made
  std::vector<std::string> topics_;  // as many as the template can make: streams and severities
  size_t last_topic_ = 0;
  std::vector<Lane> lanes_;  // of the events of the attempt
  std::string topic_text_;
  std::string key_text_;

  std::mutex mutex_;
  std::condition_variable_any ended_;
  bool ending_ = false;  // guarded by mutex_
  std::jthread ender_;   // last: joined before anything it uses goes
};

}  // namespace

std::unique_ptr<Sink> MakeKafkaSink(const KafkaSettings& settings, const TargetTimeouts& timeout,
                                    const std::string& target) {
  Result<EventText> topic = ParseKafkaTopic(settings.topic);
  Result<EventText> key = ParseKafkaKey(settings.key);
  SPOOL_ASSERT(topic.has_value() && key.has_value());  // checked by MakeSink
  return std::make_unique<KafkaSink>(settings, timeout, target, std::move(*topic), std::move(*key));
}

}  // namespace spool
