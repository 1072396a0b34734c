#include "ingest/sources/nats.h"

#include <nats/nats.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <unordered_set>
#include <utility>

#include "base/log.h"
#include "spool/records.h"

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
using Message = std::unique_ptr<natsMsg, Deleter<natsMsg_Destroy>>;
using ConsumerInfo = std::unique_ptr<jsConsumerInfo, Deleter<jsConsumerInfo_Destroy>>;
using StreamInfo = std::unique_ptr<jsStreamInfo, Deleter<jsStreamInfo_Destroy>>;
using MetaData = std::unique_ptr<jsMsgMetaData, Deleter<jsMsgMetaData_Destroy>>;

constexpr int64_t kNanosInMilli = 1'000'000;
constexpr int64_t kConnectMillis = 2000;
constexpr int64_t kRequestMillis = 2000;
constexpr int64_t kFetchMillis = 250;  // how long a fetch waits for a first message
constexpr int64_t kFlushMillis = 1000;
constexpr int kBatch = 2000;
// Above what a message may have (64 MiB at most, 1 MiB unless the server says otherwise).
constexpr int64_t kFetchBytes = int64_t{8} << 20;
constexpr int64_t kFetchBytesMax = int64_t{72} << 20;
constexpr Micros kRetryFirst = std::chrono::milliseconds(200);
constexpr Micros kRetryMax = std::chrono::seconds(10);
constexpr Micros kLookEvery = std::chrono::seconds(5);
constexpr std::array<std::string_view, 1> kGaps{NatsSource::kExpired};

// The library keeps an error per thread and knows only its own threads' ends.
struct ThreadMemory {
  ThreadMemory() = default;
  ThreadMemory(const ThreadMemory&) = delete;
  ThreadMemory& operator=(const ThreadMemory&) = delete;
  ~ThreadMemory() { nats_ReleaseThreadMemory(); }
};

void IgnoreAsyncError(natsConnection*, natsSubscription*, natsStatus, void*) {}

std::string Text(natsStatus status) {
  const char* const said = nats_GetLastError(nullptr);
  std::string text = natsStatus_GetText(status);
  if (said != nullptr && *said != '\0' && text != said) text += std::string(" (") + said + ")";
  return text;
}

Error Why(const std::string& what, natsStatus status) {
  return {Code::kUnavailable, what + ": " + Text(status)};
}

void ReadHeaders(natsMsg* message, Fetched* one) {
  const char** keys = nullptr;
  int count = 0;
  if (natsMsgHeader_Keys(message, &keys, &count) != NATS_OK) return;
  for (int i = 0; i < count; ++i) {
    const char* value = nullptr;
    if (natsMsgHeader_Get(message, keys[i], &value) != NATS_OK || value == nullptr) continue;
    std::string name = keys[i];
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : static_cast<char>(c);
    });
    if (name == "content-type") one->content_type = value;
    if (name.starts_with("ce-")) one->headers.emplace_back(std::move(name), value);
  }
  free(keys);  // NOLINT: the library's array, as its header asks for
}

}  // namespace

std::string EncodeSequences(std::vector<uint64_t> numbers) {
  std::sort(numbers.begin(), numbers.end());
  std::string out;
  for (size_t i = 0; i < numbers.size();) {
    size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] <= numbers[last] + 1) ++last;
    if (!out.empty()) out += ' ';
    out += std::to_string(numbers[i]);
    if (numbers[last] > numbers[i]) out += '-' + std::to_string(numbers[last]);
    i = last + 1;
  }
  return out;
}

std::optional<std::vector<uint64_t>> DecodeSequences(std::string_view text) {
  constexpr size_t kMost = 100'000;
  std::vector<uint64_t> out;
  const auto number = [&text](uint64_t* value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
    if (error != std::errc()) return false;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    return true;
  };
  while (!text.empty()) {
    uint64_t first = 0, last = 0;
    if (!number(&first)) return std::nullopt;
    last = first;
    if (text.starts_with('-')) {
      text.remove_prefix(1);
      if (!number(&last)) return std::nullopt;
    }
    if (last < first || last - first >= kMost || out.size() + (last - first) >= kMost) {
      return std::nullopt;
    }
    for (uint64_t one = first; one <= last; ++one) out.push_back(one);
    if (text.empty()) break;
    if (!text.starts_with(' ')) return std::nullopt;
    text.remove_prefix(1);
    if (text.empty()) return std::nullopt;
  }
  return out;
}

// One connection and its subscription. Never reconnected by the library.
class NatsSource::Link {
 public:
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() {
    natsSubscription_Destroy(subscription_);
    jsCtx_Destroy(js_);
    natsConnection_Destroy(connection_);
  }

  Status Connect(const NatsSourceSettings& settings) {
    auto options = MakeOptions(settings);
    if (!options) return tl::unexpected(options.error());
    natsStatus status = natsConnection_Connect(&connection_, options->get());
    if (status != NATS_OK) return tl::unexpected(Why("cannot connect", status));
    jsOptions js_options;
    jsOptions_Init(&js_options);
    js_options.Wait = kRequestMillis;
    status = natsConnection_JetStream(&js_, connection_, &js_options);
    if (status != NATS_OK) return tl::unexpected(Why("no JetStream", status));
    std::string filter;  // the consumer's
    if (const Status consumer = EnsureConsumer(settings, &filter); !consumer) return consumer;
    jsSubOptions sub;
    jsSubOptions_Init(&sub);
    sub.Stream = settings.stream.c_str();
    sub.Consumer = settings.durable.c_str();
    // Some subject has to be named, and it must be the consumer's if that has one.
    if (filter.empty()) filter = ">";
    jsErrCode number = static_cast<jsErrCode>(0);
    status = js_PullSubscribe(&subscription_, js_, filter.c_str(), settings.durable.c_str(),
                              nullptr, &sub, &number);
    if (status != NATS_OK) {
      return tl::unexpected(Why("cannot use the consumer " + settings.durable, status));
    }
    natsSubscription_SetPendingLimits(subscription_, -1, -1);
    return {};
  }

  Result<ConsumerInfo> Consumer(const NatsSourceSettings& settings) const {
    jsConsumerInfo* info = nullptr;
    jsErrCode number = static_cast<jsErrCode>(0);
    const natsStatus status = js_GetConsumerInfo(&info, js_, settings.stream.c_str(),
                                                 settings.durable.c_str(), nullptr, &number);
    if (status == NATS_OK) return ConsumerInfo(info);
    if (status == NATS_NOT_FOUND) {
      return Fail(Code::kNotFound, "there is no consumer " + settings.durable);
    }
    return tl::unexpected(Why("cannot look at the consumer " + settings.durable, status));
  }
  Result<StreamInfo> Stream(const NatsSourceSettings& settings) const {
    jsStreamInfo* info = nullptr;
    jsErrCode number = static_cast<jsErrCode>(0);
    const natsStatus status =
        js_GetStreamInfo(&info, js_, settings.stream.c_str(), nullptr, &number);
    if (status == NATS_OK) return StreamInfo(info);
    if (status == NATS_NOT_FOUND) {
      return Fail(Code::kNotFound, "there is no stream " + settings.stream);
    }
    return tl::unexpected(Why("cannot look at the stream " + settings.stream, status));
  }

  bool connected() const {
    return natsConnection_Status(connection_) == NATS_CONN_STATUS_CONNECTED;
  }
  natsSubscription* subscription() const { return subscription_; }
  // What was acknowledged is with the server.
  void Flush() const {
    if (connected()) natsConnection_FlushTimeout(connection_, kFlushMillis);
  }

 private:
  static Result<Options> MakeOptions(const NatsSourceSettings& settings) {
    natsOptions* raw = nullptr;
    natsStatus status = natsOptions_Create(&raw);
    Options options(raw);
    const auto set = [&status](natsStatus result) {
      if (status == NATS_OK) status = result;
    };
    std::vector<const char*> servers;
    for (const std::string& url : settings.urls) servers.push_back(url.c_str());
    set(natsOptions_SetServers(raw, servers.data(), static_cast<int>(servers.size())));
    set(natsOptions_SetName(raw, "spool"));
    set(natsOptions_SetTimeout(raw, kConnectMillis));
    set(natsOptions_SetAllowReconnect(raw, false));
    set(natsOptions_SetPingInterval(raw, 20'000));
    set(natsOptions_SetMaxPingsOut(raw, 2));
    set(natsOptions_SetErrorHandler(raw, IgnoreAsyncError, nullptr));
    std::string token, password;
    for (const auto& [secret, to] :
         {std::pair{&settings.token, &token}, std::pair{&settings.password, &password}}) {
      if (!*secret) continue;
      Result<std::string> value = (*secret)->Read();
      if (!value) return tl::unexpected(value.error());
      *to = std::move(*value);
    }
    if (!token.empty()) set(natsOptions_SetToken(raw, token.c_str()));
    if (!settings.username.empty()) {
      set(natsOptions_SetUserInfo(raw, settings.username.c_str(), password.c_str()));
    }
    if (settings.tls) {
      set(natsOptions_SetSecure(raw, true));
      if (!settings.tls->ca.empty()) {
        set(natsOptions_LoadCATrustedCertificates(raw, settings.tls->ca.c_str()));
      }
      if (!settings.tls->cert.empty()) {
        set(natsOptions_LoadCertificatesChain(raw, settings.tls->cert.c_str(),
                                              settings.tls->key.c_str()));
      }
    }
    if (status != NATS_OK) return tl::unexpected(Why("cannot use the settings", status));
    return options;
  }

  Status EnsureConsumer(const NatsSourceSettings& settings, std::string* filter) const {
    // First, since a consumer of a stream that is not there says less.
    if (const auto stream = Stream(settings); !stream) return tl::unexpected(stream.error());
    const auto found = Consumer(settings);
    if (found && (*found)->Config->AckPolicy != js_AckExplicit) {
      return Fail(Code::kInvalid,
                  "the consumer " + settings.durable + " does not wait for acknowledgements");
    }
    if (found) {
      const char* const its = (*found)->Config->FilterSubject;
      *filter = its == nullptr ? "" : its;
      return {};
    }
    *filter = settings.subject;
    if (found.error().code != Code::kNotFound) return tl::unexpected(found.error());
    jsConsumerConfig config;
    jsConsumerConfig_Init(&config);
    config.Durable = settings.durable.c_str();
    config.AckPolicy = js_AckExplicit;
    config.AckWait = int64_t{30'000} * kNanosInMilli;
    config.MaxAckPending = int64_t{8} * kBatch;
    config.DeliverPolicy = settings.from_end ? js_DeliverNew : js_DeliverAll;
    if (!settings.subject.empty()) config.FilterSubject = settings.subject.c_str();
    jsConsumerInfo* info = nullptr;
    jsErrCode number = static_cast<jsErrCode>(0);
    const natsStatus status =
        js_AddConsumer(&info, js_, settings.stream.c_str(), &config, nullptr, &number);
    const ConsumerInfo made(info);
    if (status == NATS_OK) return {};
    return tl::unexpected(Why("cannot make the consumer " + settings.durable, status));
  }

  natsConnection* connection_ = nullptr;
  jsCtx* js_ = nullptr;
  natsSubscription* subscription_ = nullptr;
};

// The messages of one batch. Those that were not settled when it goes are given back.
struct NatsSource::Taken {
  const std::shared_ptr<Link> link;  // first: messages know it
  std::vector<Message> messages;
  explicit Taken(std::shared_ptr<Link> of) : link(std::move(of)) {}
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;
  ~Taken() {
    for (const Message& one : messages) natsMsg_Nak(one.get(), nullptr);
  }
  void Acknowledge() {
    for (const Message& one : messages) natsMsg_Ack(one.get(), nullptr);
    messages.clear();
  }
};

NatsSource::NatsSource(NatsSourceSettings settings, IntakeOptions options, Journal& journal)
    : PulledSource(std::move(options), journal), settings_(std::move(settings)), lane_(intake_) {
  intake_.SetAddress(settings_.stream + "/" + settings_.durable);
}

NatsSource::~NatsSource() { Stop(intake_.clock().Steady()); }

std::span<const std::string_view> NatsSource::own_gaps() const { return kGaps; }

std::string NatsSource::KeyOf() const { return "place/" + intake_.options().name; }

// "1 CREATED EXPIRED NUMBERS": what may come again, of which stream.
Status NatsSource::Prepare() {
  const auto kept = intake_.journal().records().Get(KeyOf());
  if (!kept) return tl::unexpected(kept.error());
  if (!*kept) return {};
  std::string_view text = **kept;
  uint64_t fields[3] = {};
  bool good = true;
  for (uint64_t& field : fields) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), field);
    good = good && error == std::errc() && end != text.data() + text.size() && *end == ' ';
    if (good) text.remove_prefix(static_cast<size_t>(end - text.data()) + 1);
  }
  const auto numbers = DecodeSequences(text);
  if (!good || fields[0] != 1 || !numbers) {
    log::Warn("What a source had stored last cannot be read; some of it may be stored again.",
              {{"source", intake_.options().name}});
    return {};
  }
  created_ = fields[1];
  told_expired_ = fields[2];
  stored_.insert(numbers->begin(), numbers->end());
  last_ = *numbers;
  return {};
}

void NatsSource::Run(std::stop_token stop) {
  const ThreadMemory released_at_end;
  Micros retry = kRetryFirst;
  while (intake_.WaitOpen(stop)) {
    const auto link = std::make_shared<Link>();
    if (const Status connected = link->Connect(settings_); !connected) {
      intake_.Failed(connected.error().message);
      if (!intake_.Wait(retry, stop)) break;
      retry = std::min(retry * 2, kRetryMax);
      continue;
    }
    retry = kRetryFirst;
    intake_.Works();
    Fetch(link, stop);
    // What is in the journal's hands is acknowledged while there is somebody to tell.
    if (stop.stop_requested()) static_cast<void>(lane_.Finish());
    link->Flush();
    if (!stop.stop_requested() && link->connected()) continue;  // what is missing is made
    if (!stop.stop_requested()) intake_.Failed("the connection is lost");
  }
}

// What the stream gave up before it was fetched, and how much there is.
void NatsSource::Look(const Link& link) {
  const auto consumer = link.Consumer(settings_);
  const auto stream = link.Stream(settings_);
  if (!consumer || !stream) {
    intake_.Trouble(!consumer ? consumer.error().message : stream.error().message);
    return;
  }
  const jsConsumerInfo& at = **consumer;
  intake_.SetBehind(std::nullopt, at.NumPending + static_cast<uint64_t>(at.NumAckPending));
  const auto created = static_cast<uint64_t>((*stream)->Created);
  if (created != created_) {
    created_ = created;
    before_last_.clear();
    last_.clear();
    stored_.clear();
    told_expired_ = 0;
  }
  const uint64_t first = (*stream)->State.FirstSeq;
  // A consumer that has had nothing began where the stream did then.
  if (at.Delivered.Stream == 0 || first <= told_expired_) return;
  if (first <= std::max(at.AckFloor.Stream, at.Delivered.Stream) + 1) return;
  told_expired_ = first;
  const SystemTime now = intake_.clock().Now();
  const SystemTime from = at.Delivered.Last > 0 ? FromMicros(at.Delivered.Last / 1000) : now;
  intake_.Gap(kExpired, std::min(from, now), now,
              "The stream " + settings_.stream + " gave up messages " +
                  std::to_string(at.Delivered.Stream + 1) + " to " + std::to_string(first - 1) +
                  " before they were fetched.");
}

void NatsSource::Fetch(const std::shared_ptr<Link>& link, const std::stop_token& stop) {
  Look(*link);
  const Clock& clock = intake_.clock();
  SteadyTime look_at = clock.Steady() + kLookEvery;
  int64_t bytes_max = kFetchBytes;
  while (!stop.stop_requested() && link->connected()) {
    if (!intake_.WaitOpen(stop)) return;
    if (clock.Steady() >= look_at) {
      Look(*link);
      look_at = clock.Steady() + kLookEvery;
    }
    jsFetchRequest request;
    jsFetchRequest_Init(&request);
    request.Batch = kBatch;
    request.MaxBytes = bytes_max;
    request.Expires = kFetchMillis * kNanosInMilli;
    natsMsgList list{};
    const natsStatus status = natsSubscription_FetchRequest(&list, link->subscription(), &request);
    if (status == NATS_TIMEOUT && list.Count == 0) {
      // Nothing more just now: what was put is acknowledged at once.
      if (!lane_.Flush(stop)) return;
      continue;
    }
    if (status != NATS_OK && list.Count == 0) {
      if (!link->connected()) return;
      const std::string why = Text(status);
      if (why.find("MaxBytes") != std::string::npos && bytes_max < kFetchBytesMax) {
        bytes_max = kFetchBytesMax;
        continue;
      }
      intake_.Failed("cannot fetch: " + why);
      if (!intake_.Wait(std::chrono::seconds(1), stop)) return;
      // The consumer may be gone, or the stream: the next link makes what is missing.
      return;
    }
    intake_.Works();
    const auto taken = std::make_shared<Taken>(link);
    std::vector<uint64_t> numbers;
    Batch batch;
    batch.path = settings_.as;
    for (int i = 0; i < list.Count; ++i) {
      Message message(std::exchange(list.Msgs[i], nullptr));
      jsMsgMetaData* raw = nullptr;
      if (natsMsg_GetMetaData(&raw, message.get()) != NATS_OK) continue;
      const MetaData meta(raw);
      const uint64_t number = meta->Sequence.Stream;
      if (meta->NumDelivered > 1 && stored_.contains(number)) {
        natsMsg_Ack(message.get(), nullptr);
        continue;
      }
      Fetched& one = batch.bodies.emplace_back();
      one.body.assign(natsMsg_GetData(message.get()),
                      static_cast<size_t>(natsMsg_GetDataLength(message.get())));
      one.key = settings_.stream + "/" + std::to_string(created_) + "/" + std::to_string(number);
      ReadHeaders(message.get(), &one);
      if (one.body.empty() && one.headers.empty()) {
        one.unfit = "empty";
        one.unfit_detail = "the message holds nothing";
      }
      numbers.push_back(number);
      taken->messages.push_back(std::move(message));
    }
    natsMsgList_Destroy(&list);
    if (taken->messages.empty()) continue;
    // The acknowledgements of the batch before the last one are with the server, since it answered
    // what was asked after them.
    for (const uint64_t one : before_last_) stored_.erase(one);
    before_last_ = std::exchange(last_, numbers);
    std::vector<uint64_t> all = before_last_;
    all.insert(all.end(), last_.begin(), last_.end());
    batch.records.push_back({KeyOf(), "1 " + std::to_string(created_) + " " +
                                          std::to_string(told_expired_) + " " +
                                          EncodeSequences(std::move(all))});
    batch.stored = [this, taken, numbers = std::move(numbers)] {
      stored_.insert(numbers.begin(), numbers.end());
      taken->Acknowledge();
    };
    if (!lane_.Put(std::move(batch), stop)) return;
  }
}

}  // namespace spool
