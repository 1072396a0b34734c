#include <nats/nats.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <thread>

#include "base/assert.h"
#include "base/thread.h"
#include "forward/sinks/nats_answer.h"
#include "forward/sinks/nats_subject.h"
#include "forward/sinks/outcomes.h"
#include "forward/sinks/sinks.h"

namespace spool {
namespace {

template <auto Destroy>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Destroy(object);
  }
};
using Options = std::unique_ptr<natsOptions, Deleter<natsOptions_Destroy>>;
using NatsMessage = std::unique_ptr<natsMsg, Deleter<natsMsg_Destroy>>;
using JetStream = std::unique_ptr<jsCtx, Deleter<jsCtx_Destroy>>;
using StreamInfo = std::unique_ptr<jsStreamInfo, Deleter<jsStreamInfo_Destroy>>;

// A write that makes no headway for so long breaks the connection: it would hold Deliver beyond
// its deadline.
constexpr int64_t kWriteDeadlineMillis = 2000;
// How long a wait for acknowledgements goes without looking at the stop token and the connection.
constexpr int64_t kLookMillis = 25;
constexpr uint64_t kUnansweredBytesMax = uint64_t{8} << 20;
// With no stream for the subject the server says "no responders", as it does while JetStream
// starts: so many times in a row is not a start any more.
constexpr int kNoRespondersMax = 3;

// One connection and the inbox where its acknowledgements arrive. It is never reconnected by the
// library, whose buffer would send what was long given up.
struct Link {
  natsConnection* connection = nullptr;
  natsSubscription* acks = nullptr;
  std::string inbox;

  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() {
    natsSubscription_Destroy(acks);
    natsConnection_Destroy(connection);
  }
  bool connected() const { return natsConnection_Status(connection) == NATS_CONN_STATUS_CONNECTED; }
  // The connection's last error, which it keeps.
  natsStatus error(std::string* text) const {
    const char* said = nullptr;
    const natsStatus status = natsConnection_GetLastError(connection, &said);
    if (status != NATS_OK && said != nullptr) *text = said;
    return status;
  }
};

// The library keeps an error per thread and knows only its own threads' ends.
struct ThreadMemory {
  ThreadMemory() = default;
  ThreadMemory(const ThreadMemory&) = delete;
  ThreadMemory& operator=(const ThreadMemory&) = delete;
  ~ThreadMemory() { nats_ReleaseThreadMemory(); }
};

void IgnoreAsyncError(natsConnection*, natsSubscription*, natsStatus, void*) {}

Outcome FailureOf(natsStatus status, std::string_view text) {
  const auto made = [&](Verdict verdict, std::string_view code) {
    const std::string_view excerpt = text.empty() ? natsStatus_GetText(status) : text;
    return Outcome{verdict, std::string(code), Printable(excerpt), std::nullopt};
  };
  switch (status) {
    case NATS_CONNECTION_AUTH_FAILED: return made(Verdict::kHold, "nats_auth");
    case NATS_NOT_PERMITTED: return made(Verdict::kHold, "nats_not_permitted");
    case NATS_SECURE_CONNECTION_REQUIRED:
    case NATS_SECURE_CONNECTION_WANTED:
    case NATS_SSL_ERROR: return made(Verdict::kHold, "nats_tls");
    case NATS_NO_SERVER_SUPPORT: return made(Verdict::kHold, "nats_no_headers");
    case NATS_ADDRESS_MISSING:
    case NATS_INVALID_ARG: return made(Verdict::kHold, "nats_invalid_url");
    case NATS_MAX_PAYLOAD: return made(Verdict::kTooLarge, "nats_max_payload");
    case NATS_NO_RESPONDERS: return made(Verdict::kRetry, "nats_no_responders");
    case NATS_TIMEOUT: return made(Verdict::kRetry, "timeout");
    case NATS_CONNECTION_CLOSED:
    case NATS_CONNECTION_DISCONNECTED:
    case NATS_STALE_CONNECTION:
    case NATS_IO_ERROR:
    case NATS_INVALID_SUBSCRIPTION: return made(Verdict::kRetry, "connection_lost");
    default: return made(Verdict::kRetry, "nats_error");
  }
}

// Makes links. Every call here may block for as long as the timeouts allow.
class Dialer {
 public:
  Dialer(const NatsSettings& settings, const TargetTimeouts& timeout, const NatsSubject& subject)
      : settings_(settings), timeout_(timeout), subject_(subject) {}

  // Empty on failure, which `failure` then tells.
  std::unique_ptr<Link> Dial(Outcome* failure) const {
    Options options = MakeOptions(failure);
    if (!options) return nullptr;
    auto link = std::make_unique<Link>();
    natsStatus status = natsConnection_Connect(&link->connection, options.get());
    if (status != NATS_OK) {
      *failure = FailureOf(status, {});
      if (failure->verdict == Verdict::kRetry) failure->code = "connect_failed";
      return nullptr;
    }
    natsInbox* inbox = nullptr;
    status = natsInbox_Create(&inbox);
    if (status == NATS_OK) {
      link->inbox = std::string(inbox) + '.';
      natsInbox_Destroy(inbox);
      status =
          natsConnection_SubscribeSync(&link->acks, link->connection, (link->inbox + '*').c_str());
    }
    if (status == NATS_OK) status = natsSubscription_SetPendingLimits(link->acks, -1, -1);
    if (status != NATS_OK) {
      *failure = FailureOf(status, {});
      return nullptr;
    }
    if (!settings_.stream.empty() && !EnsureStream(*link, failure)) return nullptr;
    return link;
  }

 private:
  Options MakeOptions(Outcome* failure) const {
    natsOptions* raw = nullptr;
    natsStatus status = natsOptions_Create(&raw);
    Options options(raw);
    std::vector<std::string> urls;
    for (std::string_view rest = settings_.url; !rest.empty();) {
      const size_t comma = std::min(rest.find(','), rest.size());
      urls.emplace_back(rest.substr(0, comma));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    std::vector<const char*> servers;
    for (const std::string& url : urls) servers.push_back(url.c_str());
    const auto set = [&status](natsStatus result) {
      if (status == NATS_OK) status = result;
    };
    set(natsOptions_SetServers(raw, servers.data(), static_cast<int>(servers.size())));
    set(natsOptions_SetName(raw, "spool"));
    set(natsOptions_SetTimeout(raw, timeout_.connect.count()));
    set(natsOptions_SetAllowReconnect(raw, false));
    set(natsOptions_SetWriteDeadline(raw, kWriteDeadlineMillis));
    set(natsOptions_SetPingInterval(raw, 20000));
    set(natsOptions_SetMaxPingsOut(raw, 2));
    set(natsOptions_SetErrorHandler(raw, IgnoreAsyncError, nullptr));
    const auto read = [&](const std::optional<Secret>& secret, std::string* out) {
      if (!secret) return true;
      Result<std::string> value = secret->Read();
      if (value) {
        *out = std::move(*value);
        return true;
      }
      *failure = {Verdict::kHold, "no_credentials", Printable(value.error().message), {}};
      return false;
    };
    std::string token;
    std::string password;
    if (!read(settings_.token, &token) || !read(settings_.password, &password)) return nullptr;
    if (!token.empty()) set(natsOptions_SetToken(raw, token.c_str()));
    if (!settings_.username.empty()) {
      set(natsOptions_SetUserInfo(raw, settings_.username.c_str(), password.c_str()));
    }
    if (status == NATS_OK) return options;
    *failure = FailureOf(status, {});
    return nullptr;
  }

  // A stream of that name is taken as it is; whether it takes our subject the first publish shows.
  bool EnsureStream(const Link& link, Outcome* failure) const {
    jsOptions js_options;
    jsOptions_Init(&js_options);
    js_options.Wait = std::min<int64_t>(timeout_.request.count(), timeout_.connect.count());
    jsCtx* raw_js = nullptr;
    natsStatus status = natsConnection_JetStream(&raw_js, link.connection, &js_options);
    JetStream js(raw_js);
    jsErrCode number = static_cast<jsErrCode>(0);
    jsStreamInfo* raw_info = nullptr;
    if (status == NATS_OK) {
      status = js_GetStreamInfo(&raw_info, raw_js, settings_.stream.c_str(), nullptr, &number);
    }
    StreamInfo found(raw_info);
    if (status == NATS_NOT_FOUND || number == JSStreamNotFoundErr) {
      const std::string wildcard = subject_.Wildcard();
      const char* subjects[] = {wildcard.c_str()};
      jsStreamConfig config;
      jsStreamConfig_Init(&config);
      config.Name = settings_.stream.c_str();
      config.Subjects = subjects;
      config.SubjectsLen = 1;
      config.Storage = js_FileStorage;
      raw_info = nullptr;
      number = static_cast<jsErrCode>(0);
      status = js_AddStream(&raw_info, raw_js, &config, nullptr, &number);
      StreamInfo made(raw_info);
      if (number == JSStreamNameExistErr) return true;  // somebody was faster
      if (status != NATS_OK && number != 0) {
        // Overlapping subjects, limits, rights: for an operator, whatever the number.
        const char* refusal = nats_GetLastError(nullptr);
        *failure = {Verdict::kHold,
                    "nats_no_stream",
                    Printable(refusal != nullptr ? refusal : "the stream cannot be made"),
                    {}};
        return false;
      }
    }
    if (status == NATS_OK) return true;
    const char* said = nats_GetLastError(nullptr);
    *failure = number != 0 ? JetStreamError(503, number, said != nullptr ? said : "")
                           : FailureOf(status, {});
    return false;
  }

  const NatsSettings& settings_;
  const TargetTimeouts timeout_;
  const NatsSubject& subject_;
};

class NatsSink : public Sink {
 public:
  NatsSink(const NatsSettings& settings, const TargetTimeouts& timeout, NatsSubject subject)
      : settings_(settings),
        timeout_(timeout),
        subject_(std::move(subject)),
        dialer_(settings_, timeout_, subject_) {}

  Encoding encoding() const override { return Encoding::kCloudEvent; }

  Preview Show(const Message& message) const override {
    std::string subject;
    subject_.Render(*message.event, subject);
    return {"subject " + subject, {}, std::string(message.body)};
  }

  void Deliver(std::span<const Message> messages, std::span<Outcome> outcomes, SteadyTime deadline,
               std::stop_token stop) override {
    if (messages.empty()) return;
    const ThreadMemory released_at_end;
    Outcome failure;
    if (!Connected(deadline, stop, &failure)) {
      return SetAll(outcomes, failure.verdict, failure.code, failure.excerpt);
    }
    Attempt attempt{messages, outcomes, deadline, std::move(stop)};
    attempt.answered.resize(messages.size());
    ++generation_;
    Run(attempt);
    KeepOrder(attempt);
  }

 private:
  struct Attempt {
    std::span<const Message> messages;
    std::span<Outcome> outcomes;
    SteadyTime deadline;
    std::stop_token stop;
    std::vector<bool> answered;
    size_t published = 0;
    size_t answers = 0;  // of those published
    size_t oldest = 0;   // the first without an answer
    uint64_t unanswered_bytes = 0;
    bool failed = false;  // publish no more
    bool progress = false;
    SteadyTime answered_at;  // the last time something came
  };

  // Dialing has a thread of its own, because it cannot be interrupted: Deliver can.
  bool Connected(SteadyTime deadline, const std::stop_token& stop, Outcome* failure) {
    if (link_ && !suspect_ && link_->connected()) return true;
    std::unique_lock lock(mutex_);
    // One that was made after the last attempt had to go is as good as a new one.
    if (!dialing_ && fresh_ == nullptr) {
      dialing_ = true;
      lock.unlock();
      dialer_thread_ = StartThread(
          "nats-dial", [this, old = std::shared_ptr<Link>(std::move(link_))](auto) mutable {
            const ThreadMemory released_at_end;
            old.reset();
            Outcome why;
            std::unique_ptr<Link> made = dialer_.Dial(&why);
            {
              std::lock_guard guard(mutex_);
              fresh_ = std::move(made);
              why_not_ = std::move(why);
              dialing_ = false;
            }
            dialed_.notify_all();
          });
      lock.lock();
    }
    dialed_.wait_until(lock, stop, deadline, [this] { return !dialing_; });
    if (dialing_) {
      failure->code = stop.stop_requested() ? "cancelled" : "connect_failed";
      return false;
    }
    if (!fresh_) {
      *failure = why_not_;
      CountNoResponders(failure);
      return false;
    }
    link_ = std::move(fresh_);
    suspect_ = false;
    return true;
  }

  void Run(Attempt& a) {
    a.answered_at = RealClock().Steady();
    while (true) {
      while (!a.failed && a.published < a.messages.size() && WindowHasRoom(a)) PublishNext(a);
      if (a.answers == a.published && (a.failed || a.published == a.messages.size())) return;
      const SteadyTime now = RealClock().Steady();
      const SteadyTime until = std::min(a.deadline, a.answered_at + Micros(timeout_.request));
      if (a.stop.stop_requested()) return Abandon(a, {Verdict::kRetry, "cancelled", "", {}});
      if (now >= until) {
        // Silence from a server that is there: the next attempt has a connection of its own.
        suspect_ = suspect_ || !a.progress;
        return Abandon(a, {Verdict::kRetry, "timeout", "no acknowledgement in time", {}});
      }
      const int64_t left = std::chrono::ceil<Millis>(until - now).count();
      if (!TakeAnswer(a, std::min(left, kLookMillis))) return;
    }
  }

  bool WindowHasRoom(const Attempt& a) const {
    const size_t open = a.published - a.answers;
    return open == 0 || (open < static_cast<size_t>(settings_.window) &&
                         a.unanswered_bytes < kUnansweredBytesMax);
  }

  void PublishNext(Attempt& a) {
    const size_t i = a.published;
    const Message& message = a.messages[i];
    subject_.Render(*message.event, rendered_);
    reply_ = link_->inbox + std::to_string(generation_) + '-' + std::to_string(i);
    natsMsg* raw = nullptr;
    natsStatus status = NATS_MAX_PAYLOAD;
    if (message.body.size() <= static_cast<size_t>(std::numeric_limits<int>::max())) {
      status = natsMsg_Create(&raw, rendered_.c_str(), reply_.c_str(), message.body.data(),
                              static_cast<int>(message.body.size()));
    }
    NatsMessage owned(raw);
    const auto header = [&](const char* name, const char* value) {
      if (status == NATS_OK) status = natsMsgHeader_Set(raw, name, value);
    };
    header("Nats-Msg-Id", message.event->id.Hex().c_str());
    header("Content-Type", "application/cloudevents+json");
    if (!settings_.stream.empty()) header("Nats-Expected-Stream", settings_.stream.c_str());
    if (status == NATS_OK) status = natsConnection_PublishMsg(link_->connection, raw);
    if (status != NATS_OK) {
      // It may have been sent for all that; its acknowledgement is not waited for.
      a.outcomes[i] = FailureOf(status, {});
      a.failed = true;
      return;
    }
    ++a.published;
    a.unanswered_bytes += message.body.size();
  }

  // Waits for one answer, at most `millis`. False when the attempt is over.
  bool TakeAnswer(Attempt& a, int64_t millis) {
    natsMsg* raw = nullptr;
    const natsStatus status = natsSubscription_NextMsg(&raw, link_->acks, millis);
    NatsMessage answer(raw);
    if (status == NATS_OK) {
      size_t index = 0;
      if (!IndexOf(natsMsg_GetSubject(raw), &index)) return true;  // of an attempt given up
      if (index >= a.published || a.answered[index]) return true;
      Outcome outcome =
          ReadPubAck({natsMsg_GetData(raw), static_cast<size_t>(natsMsg_GetDataLength(raw))});
      if (outcome.verdict == Verdict::kDelivered || outcome.verdict == Verdict::kDuplicate) {
        no_responders_ = 0;
      }
      Settle(a, index, std::move(outcome));
      return true;
    }
    if (status == NATS_NO_RESPONDERS) {
      // The library does not tell for which; what is asked of a stream fails in order.
      if (a.oldest == a.published) return true;
      Outcome outcome = FailureOf(status, {});
      if (!a.failed) CountNoResponders(&outcome);
      suspect_ = true;  // the stream may have to be made again
      Settle(a, a.oldest, std::move(outcome));
      return true;
    }
    std::string text;
    const natsStatus error = link_->error(&text);
    if (error == NATS_NOT_PERMITTED || error == NATS_CONNECTION_AUTH_FAILED) {
      suspect_ = true;
      Abandon(a, FailureOf(error, text));
      return false;
    }
    if (status == NATS_TIMEOUT && link_->connected()) return true;
    suspect_ = true;
    Abandon(a, {Verdict::kRetry, "connection_lost", Printable(text), {}});
    return false;
  }

  void Settle(Attempt& a, size_t index, Outcome outcome) {
    const bool good =
        outcome.verdict == Verdict::kDelivered || outcome.verdict == Verdict::kDuplicate;
    a.failed = a.failed || !good;
    a.progress = true;
    a.answered_at = RealClock().Steady();
    a.outcomes[index] = std::move(outcome);
    a.answered[index] = true;
    ++a.answers;
    a.unanswered_bytes -= a.messages[index].body.size();
    while (a.oldest < a.published && a.answered[a.oldest]) ++a.oldest;
  }

  // Gives the oldest unanswered event the reason why nobody waits any more.
  void Abandon(Attempt& a, const Outcome& why) {
    if (a.oldest < a.messages.size()) a.outcomes[a.oldest] = why;
  }

  // What came after an event that has to be sent again is sent again too, in order; the server
  // knows it by its id. An event that is refused for good holds back nobody.
  static void KeepOrder(Attempt& a) {
    bool again = false;
    for (Outcome& outcome : a.outcomes) {
      if (again) outcome = Outcome{};
      again = again || outcome.verdict == Verdict::kRetry || outcome.verdict == Verdict::kHold;
    }
  }

  void CountNoResponders(Outcome* outcome) {
    if (outcome->code != "nats_no_responders") return;
    if (++no_responders_ < kNoRespondersMax) return;
    outcome->verdict = Verdict::kHold;
    outcome->code = "nats_no_stream";
    outcome->excerpt =
        Printable("no stream takes the subject " + rendered_ + ", or JetStream is off");
  }

  bool IndexOf(std::string_view subject, size_t* index) const {
    if (!subject.starts_with(link_->inbox)) return false;
    subject.remove_prefix(link_->inbox.size());
    uint64_t generation = 0;
    const char* end = subject.data() + subject.size();
    auto read = std::from_chars(subject.data(), end, generation);
    if (read.ec != std::errc() || generation != generation_) return false;
    if (read.ptr == end || *read.ptr != '-') return false;
    read = std::from_chars(read.ptr + 1, end, *index);
    return read.ec == std::errc() && read.ptr == end;
  }

  const NatsSettings settings_;
  const TargetTimeouts timeout_;
  const NatsSubject subject_;
  const Dialer dialer_;

  // Of the delivering thread.
  std::unique_ptr<Link> link_;
  bool suspect_ = false;     // replace the link before the next attempt
  uint64_t generation_ = 0;  // of attempts, so that no late answer counts for a later one
  int no_responders_ = 0;    // attempts in a row
  std::string rendered_;
  std::string reply_;

  std::mutex mutex_;
  std::condition_variable_any dialed_;
  bool dialing_ = false;  // guarded by mutex_, as the next two
  std::unique_ptr<Link> fresh_;
  Outcome why_not_;
  std::jthread dialer_thread_;  // last: joined before anything it uses goes
};

}  // namespace

std::unique_ptr<Sink> MakeNatsSink(const NatsSettings& settings, const TargetTimeouts& timeout) {
  Result<NatsSubject> subject = NatsSubject::Parse(settings.subject);
  SPOOL_ASSERT(subject.has_value());  // checked by MakeSink
  return std::make_unique<NatsSink>(settings, timeout, std::move(*subject));
}

}  // namespace spool
