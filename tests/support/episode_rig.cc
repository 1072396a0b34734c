#include "tests/support/episode_rig.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "tests/support/moment.h"
#include "tests/support/net_raw_client.h"

namespace spool::testing {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds kPace{25};     // of each of three producers, between small batches
constexpr seconds kOthersWithin{10};  // of what comes while something else is broken
constexpr seconds kHoldWithin{15};
// Longer than a target in hold waits for its next try: garbage may say anything, a hold included.
constexpr seconds kDrainWithin{45};

uint64_t SequenceOf(const json& event) {
  const json& sequence = event["sequence"];
  return sequence.is_string() ? std::strtoull(sequence.get<std::string>().c_str(), nullptr, 10)
                              : sequence.get<uint64_t>();
}

EpisodeTime AtMillis(int64_t since_1970) {
  const auto age = std::chrono::system_clock::now().time_since_epoch() - milliseconds(since_1970);
  return steady_clock::now() - std::chrono::duration_cast<steady_clock::duration>(age);
}

}  // namespace

const char* NameOf(Place place) {
  constexpr const char* kNames[kPlaces] = {"hook", "batch", "nats", "kafka"};
  return kNames[static_cast<size_t>(place)];
}

EpisodeRig::EpisodeRig(uint64_t seed)
    : seed_(seed),
      proxies_{FaultProxy(seed), FaultProxy(seed + 1), FaultProxy(seed + 2), FaultProxy(seed + 3)},
      nats_(NatsServer::Start()) {
  KafkaBroker::Options options;
  options.proxy_port = proxy(Place::kKafka).port();
  kafka_ = KafkaBroker::Start(options);
  if (nats_ == nullptr || kafka_ == nullptr) return;
  for (const Place place : {Place::kHook, Place::kBatch}) {
    proxy(place).SetUpstream(receiver(place).port());
  }
  proxy(Place::kNats).SetUpstream(nats_->port());
  proxy(Place::kKafka).SetUpstream(kafka_->proxied_port());
  // The window is wider than a run, so that the server never takes an event twice.
  NatsStreamOptions stream;
  stream.duplicate_window_millis = 3'600'000;
  if (!nats_->AddStream(kStream, {"episodes.>"}, stream)) return;
  if (!kafka_->CreateTopic(kTopic, kPartitions)) return;

  ingest_ = "127.0.0.1:" + std::to_string(test::UnusedPort());
  do {
    admin_ = "127.0.0.1:" + std::to_string(test::UnusedPort());
  } while (admin_ == ingest_);
  const auto at = [this](Place place) {
    return "127.0.0.1:" + std::to_string(proxy(place).port());
  };
  const std::string common =
      ", start: beginning, batch: { events: " + std::to_string(kBatchEvents) +
      " }, timeout: { connect: 300ms, request: 600ms }, retry: { first: 10ms, max: 150ms } }\n";
  std::ofstream(dir_ / "spool.yaml")
      << "version: 1\ndata_dir: " << dir_ / "data"
      << "\njournal: { disk_reserve: 0 }\n"
      << "admin: { address: \"" << admin_ << "\" }\n"
      << "sources:\n  web: { type: http, address: \"" << ingest_ << "\" }\n"
      << "targets:\n  hook: { type: webhook, url: \"http://" << at(Place::kHook) << "/hook\""
      << common << "  batch: { type: webhook, format: batch, url: \"http://" << at(Place::kBatch)
      << "/hook\"" << common << "  nats: { type: nats, url: \"nats://" << at(Place::kNats)
      << "\", subject: \"episodes.{stream}\"" << common << "  kafka: { type: kafka, brokers: [\""
      << at(Place::kKafka) << "\"], topic: " << kTopic << ", key: \"{id}\"" << common;
  spoold_ = std::make_unique<Spoold>(std::vector<std::string>{"--config", dir_ / "spool.yaml"},
                                     dir_ / "log");
  ok_ = WaitUntil([&] { return Call("GET", admin_, "/ready").status == 200; });
  if (!ok_) ADD_FAILURE() << Told();
  producers_ = std::make_unique<Producers>(ingest_, seed_, kPace);
}

EpisodeRig::~EpisodeRig() {
  if (producers_) producers_->End();
}

std::string EpisodeRig::Told() const {
  std::ifstream in(dir_ / "log", std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(in), {}};
  return all.size() > 12000 ? "…" + all.substr(all.size() - 12000) : all;
}

// All accounts, which are recorded.
json EpisodeRig::Targets() {
  const json all = Call("GET", admin_, "/api/v1/targets").Json();
  if (!all.is_object() || !all.contains("items")) {
    ADD_FAILURE() << "the program does not tell its targets:\n" << Told();
    return json::array();
  }
  for (const json& target : all["items"]) {
    const auto count = [&target](const char* key) {
      const json& value = target[key];
      return value.is_string() ? std::strtoull(value.get<std::string>().c_str(), nullptr, 10)
                               : value.get<uint64_t>();
    };
    EpisodeAccount account{count("cursor"),   count("accepted"),      count("delivered"),
                           count("filtered"), count("dead_lettered"), count("evicted"),
                           count("skipped"),  count("pending"),       count("retries")};
    const std::string name = target["name"];
    for (const Place place : {Place::kHook, Place::kBatch}) {
      if (name == NameOf(place)) account.arrived = receiver(place).distinct();
    }
    history_.targets[name].accounts.push_back(account);
  }
  return all["items"];
}

uint64_t EpisodeRig::Accepted() {
  Targets();
  return Of(Place::kHook).accounts.back().accepted;
}

bool EpisodeRig::WaitSettled(Place place, uint64_t accepted, milliseconds limit) {
  return WaitUntil(
      [&] {
        if (Targets().empty()) return false;
        const EpisodeAccount& account = Of(place).accounts.back();
        return account.accepted - account.pending >= accepted;
      },
      limit);
}

bool EpisodeRig::WaitHeld(Place place) {
  return WaitUntil(
      [&] {
        for (const json& target : Targets()) {
          if (target["name"] == NameOf(place)) return target["state"] == "hold";
        }
        return false;
      },
      kHoldWithin);
}

void EpisodeRig::Episode(int number, milliseconds time,
                         const std::vector<std::pair<Place, Fault>>& faults) {
  const EpisodeTime begun = steady_clock::now();
  Targets();
  std::vector<std::pair<uint64_t, uint64_t>> before;
  for (const auto& [place, fault] : faults) {
    before.emplace_back(Of(place).accounts.back().retries, proxy(place).accepted());
  }
  for (const auto& [place, fault] : faults) fault.begin();
  AwaitRandomMoment(time);
  bool others = true;
  const uint64_t meanwhile = Accepted();
  const EpisodeTime asked = steady_clock::now();
  for (const Place place : kAllPlaces) {
    const bool broken =
        std::ranges::any_of(faults, [&](const auto& one) { return one.first == place; });
    if (!broken) others = WaitSettled(place, meanwhile, kOthersWithin) && others;
  }
  const int64_t others_millis = (steady_clock::now() - asked) / milliseconds(1);
  std::vector<EpisodeFault> recorded;
  for (const auto& [place, fault] : faults) {
    EpisodeFault& one = recorded.emplace_back();
    one.number = number;
    one.what = std::string(NameOf(place)) + ": " + fault.what;
    one.must_hold = fault.hold;
    one.others_went_on = others;
    one.others_millis = others_millis;
    one.held = fault.hold && WaitHeld(place);
  }
  for (const auto& [place, fault] : faults) {
    fault.end();
    if (!fault.nudge) continue;
    Call("POST", admin_, std::string("/api/v1/targets/") + NameOf(place) + ":resume");
  }
  const EpisodeTime healed = steady_clock::now();
  const uint64_t accepted = Accepted();
  for (size_t i = 0; i < faults.size(); ++i) {
    const Place place = faults[i].first;
    recorded[i].drained = WaitSettled(place, accepted, kDrainWithin);
    recorded[i].felt = Of(place).accounts.back().retries > before[i].first ||
                       proxy(place).accepted() > before[i].second;
    if (!recorded[i].drained) recorded[i].what += "; " + Targets().dump();
    Of(place).disturbances.push_back({begun, healed});
  }
  for (const EpisodeFault& one : recorded) {
    std::printf("[          ] %3d %5lld ms, over %4lld ms: %s%s\n", one.number,
                static_cast<long long>((healed - begun) / milliseconds(1)),
                static_cast<long long>((steady_clock::now() - healed) / milliseconds(1)),
                one.what.c_str(), one.felt ? "" : " (not felt)");
    history_.faults.push_back(one);
    std::fflush(stdout);
  }
}

void EpisodeRig::Calm(Place place) {
  producers_->End();
  EXPECT_TRUE(WaitSettled(place, Accepted(), kDrainWithin)) << NameOf(place) << "\n" << Told();
}

void EpisodeRig::AddArrival(Place place, const std::string& text, int lane, EpisodeTime at) {
  EpisodeArrival arrival;
  arrival.number = UINT64_MAX;
  arrival.lane = lane;
  arrival.epoch = epochs_[static_cast<size_t>(place)];
  arrival.at = at;
  const json event = json::parse(text, nullptr, false);
  if (event.is_object() && event.contains("data") && event["data"].is_object()) {
    arrival.number = event["data"].value("n", UINT64_MAX);
    arrival.hash = DataHash(event["data"].dump());
    arrival.sequence = SequenceOf(event);
  }
  Of(place).arrivals.push_back(arrival);
}

void EpisodeRig::Keep(Place place) {
  if (place == Place::kNats) {
    for (const NatsStored& message : nats_->Read(kStream)) AddArrival(place, message.body, 0, {});
  } else if (place == Place::kKafka) {
    for (const KafkaStored& message : kafka_->Read(kTopic)) {
      AddArrival(place, message.value, message.partition, AtMillis(message.timestamp));
    }
  } else {
    for (const HookReceiver::Arrival& one : receiver(place).arrivals()) {
      Of(place).arrivals.push_back({one.number, one.hash, one.sequence, 0, 0, one.at});
    }
  }
  ++epochs_[static_cast<size_t>(place)];
}

void EpisodeRig::ReadJournal() {
  const HttpReply records =
      Call("GET", admin_, "/api/v1/events?stream=spool-audit&from_sequence=0&limit=10000");
  for (const json& record : ParseEvents(records).events) {
    history_.recorded.insert(SequenceOf(record));
  }
  uint64_t from = 0;
  for (bool more = true; more;) {
    const EventPage page = ParseEvents(
        Call("GET", admin_,
             "/api/v1/events?order=oldest&limit=10000&from_sequence=" + std::to_string(from)));
    ASSERT_TRUE(page.scan.is_object());
    for (const json& event : page.events) {
      history_.journal.emplace_back(event["data"].value("n", UINT64_MAX), SequenceOf(event));
    }
    const uint64_t next = page.scan["next"].get<uint64_t>();
    more = next < page.scan["end"].get<uint64_t>();
    ASSERT_TRUE(!more || next > from) << page.scan;
    from = next;
  }
}

void EpisodeRig::ReadDead(Place place) {
  std::string after;
  do {
    const json page = Call("GET", admin_,
                           std::string("/api/v1/dead-letters?limit=1000&target=") + NameOf(place) +
                               (after.empty() ? "" : "&after=" + after))
                          .Json();
    ASSERT_TRUE(page.is_object() && page.contains("items")) << page;
    for (const json& letter : page["items"]) {
      const uint64_t sequence = SequenceOf(letter);
      const auto at = std::ranges::find_if(
          history_.journal, [sequence](const auto& one) { return one.second == sequence; });
      const std::string code = letter["code"].is_string() ? letter["code"].get<std::string>() : "";
      ASSERT_NE(at, history_.journal.end()) << letter;
      Of(place).dead[at->first] = code.starts_with("http_") ? std::atoi(code.c_str() + 5) : 0;
    }
    after = page["next"].is_string() ? page["next"].get<std::string>() : "";
  } while (!after.empty());
}

EpisodeHistory EpisodeRig::Finish() {
  producers_->End();
  // Nothing has to be there but what anybody would send.
  producers_->Begin();
  const size_t before = producers_->acknowledgements();
  EXPECT_TRUE(WaitUntil([&] { return producers_->acknowledgements() > before + 3; }));
  producers_->End();
  const uint64_t accepted = Accepted();
  for (const Place place : kAllPlaces) {
    EXPECT_TRUE(WaitSettled(place, accepted, kDrainWithin)) << NameOf(place) << "\n" << Told();
  }
  Targets();
  for (uint64_t n = 0; n < producers_->sent(); ++n) {
    history_.sent.push_back(DataHash(CrashDataOf(n).dump()));
  }
  for (const SentRequest& request : producers_->Requests()) {
    if (request.outcome != SentRequest::Outcome::kAcknowledged) continue;
    for (const SentEvent& event : request.events) history_.acknowledged.push_back(event.number);
  }
  ReadJournal();
  for (const Place place : kAllPlaces) {
    Keep(place);
    ReadDead(place);
    Of(place).dedupes = place == Place::kNats;
    // One attempt is under way at a time, and one that fails with its connection is tried again on
    // another.
    const size_t in_flight = place == Place::kHook ? 1 : kBatchEvents;
    Of(place).repeats_max = in_flight * proxy(place).accepted();
    if (place != Place::kHook && place != Place::kBatch) continue;
    Of(place).repeats_max += receiver(place).unconfirmed();
    Of(place).refused = receiver(place).refused();
  }
  return history_;
}

Vitals EpisodeRig::vitals() const {
  namespace fs = std::filesystem;
  Vitals vitals;
  const std::string proc = "/proc/" + std::to_string(spoold_->pid());
  std::ifstream status(proc + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) vitals.resident = std::atoll(line.c_str() + 6) * 1024;
    if (line.starts_with("Threads:")) vitals.threads = std::atoi(line.c_str() + 8);
  }
  std::error_code gone;
  for (const auto& fd : fs::directory_iterator(proc + "/fd", gone)) {
    const std::string to = fs::read_symlink(fd.path(), gone).string();
    ++(to.starts_with("/") ? vitals.files : vitals.sockets);
  }
  return vitals;
}

Vitals EpisodeRig::DeliveredVitals() {
  for (const Place place : kAllPlaces) {
    EXPECT_TRUE(WaitSettled(place, 100, kDrainWithin)) << NameOf(place) << "\n" << Told();
  }
  return vitals();
}

Vitals EpisodeRig::SettledVitals(int threads) const {
  WaitUntil([&] { return vitals().threads <= threads; }, seconds(15));
  return vitals();
}

}  // namespace spool::testing
