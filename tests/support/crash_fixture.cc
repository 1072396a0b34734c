#include "tests/support/crash_fixture.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "tests/support/net_raw_client.h"

namespace spool::testing {

using nlohmann::json;

namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

constexpr uint64_t kBatch = 200;  // events that a target may be given again after a kill
constexpr const char* kTargets[] = {"file", "hook", "nats"};

uint64_t SequenceOf(const json& event) {
  const json& sequence = event["sequence"];
  return sequence.is_string() ? std::strtoull(sequence.get<std::string>().c_str(), nullptr, 10)
                              : sequence.get<uint64_t>();
}

}  // namespace

Crash::Crash(const std::string& journal) : nats_(NatsServer::Start()) {
  if (nats_ == nullptr) std::abort();  // has said why
  const char* given = std::getenv("SPOOL_CRASH_SEED");
  seed_ = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  random_.seed(seed_);
  ingest_ = "127.0.0.1:" + std::to_string(test::UnusedPort());
  do {
    admin_ = "127.0.0.1:" + std::to_string(test::UnusedPort());
  } while (admin_ == ingest_);
  const std::string common = ", start: beginning, batch: { events: " + std::to_string(kBatch) +
                             " }, retry: { first: 20ms, max: 200ms } }\n";
  std::ofstream(dir_ / "spool.yaml")
      << "version: 1\ndata_dir: " << dir_ / "data"
      << "\njournal: " << journal << "\n"
      << "admin: { address: \"" << admin_ << "\" }\n"
      << "streams:\n  kubernetes-events: { retention: { age: 1m } }\n"
      << "  security-events: { retention: { size: 16MiB }, when_full: drop_oldest }\n"
      << "sources:\n  web: { type: http, address: \"" << ingest_ << "\" }\n"
      << "targets:\n  file: { type: file, path: " << dir_ / "out.jsonl" << common
      << "  hook: { type: webhook, format: batch, url: \"" << receiver_.url() << "\"" << common
      << "  nats: { type: nats, url: \"" << nats_->url()
      << "\", stream: CRASH, subject: \"crash.{stream}\"" << common;
  producers_ = std::make_unique<Producers>(ingest_, seed_);
}

std::unique_ptr<Spoold> Crash::Start(const std::vector<std::string>& under) {
  restarts_.push_back(producers_->Tick());
  return std::make_unique<Spoold>(std::vector<std::string>{"--config", dir_ / "spool.yaml"}, log(),
                                  under);
}

bool Crash::WaitReady() const {
  return WaitUntil([&] { return Call("GET", admin_, "/ready").status == 200; });
}

std::chrono::milliseconds Crash::Random(int from, int to) {
  return std::chrono::milliseconds(std::uniform_int_distribution<int>(from, to)(random_));
}

std::string Crash::Told() const {
  return "seed " + std::to_string(seed_) + ", log:\n" + ReadFile(log());
}

bool Crash::WaitSettled() const {
  return WaitUntil(
      [&] {
        const json status = Call("GET", admin_, "/api/v1/status").Json();
        if (!status.is_object() || !status.value("accounted", false)) return false;
        for (const json& target : status["targets"]) {
          if (target["pending"] != 0) return false;
        }
        return status["targets"].size() == 3;
      },
      std::chrono::seconds(60));
}

// What was not sent by the producers has no number.
FoundEvent Crash::ToFound(const json& event) const {
  FoundEvent found;
  if (!event.is_object() || !event.contains("sequence") || !event.contains("data")) return found;
  const json& data = event["data"];
  found.sequence = SequenceOf(event);
  found.stream = event.value("stream", "");
  found.hash = CrashHashOf(data);
  const uint64_t n = data.is_object() ? data.value("n", UINT64_MAX) : UINT64_MAX;
  if (event.value("producerid", "") == "c-" + std::to_string(n)) found.number = n;
  return found;
}

void Crash::ReadEvents(Found& found) const {
  uint64_t from = 0;
  for (bool more = true; more;) {  // `complete` is also said of a page that its limit ended
    const EventPage page = ParseEvents(
        Call("GET", admin_,
             "/api/v1/events?order=oldest&limit=10000&from_sequence=" + std::to_string(from)));
    ASSERT_TRUE(page.scan.is_object());
    for (const json& event : page.events) found.events.push_back(ToFound(event));
    const uint64_t next = page.scan["next"].get<uint64_t>();
    found.end = page.scan["end"].get<uint64_t>();
    more = next < found.end;
    ASSERT_TRUE(!more || next > from) << page.scan;
    from = next;
  }
}

void Crash::ReadStatus(Found& found) const {
  json status;
  json markers;
  std::string metrics;
  do {  // retention goes on meanwhile
    status = Call("GET", admin_, "/api/v1/status").Json();
    metrics = Call("GET", admin_, "/metrics").body;
    markers = Call("GET", admin_, "/api/v1/markers").Json();
  } while (Call("GET", admin_, "/api/v1/status").Json().at("streams") != status.at("streams"));
  for (const json& stream : status["streams"]) {
    const std::string name = stream["name"];
    FoundStream& s = found.streams[name];
    s.first = stream["first_sequence"];
    s.evicted = stream["evicted"];
    s.events = stream["events"];
    s.metered = 0;
    const std::string metric = "spool_stream_removed_events_total{stream=\"" + name + "\"} ";
    if (const size_t at = metrics.find(metric); at != std::string::npos) {
      s.metered = static_cast<uint64_t>(std::strtod(metrics.c_str() + at + metric.size(), nullptr));
    }
    s.may_lose = name == "security-events";
    s.may_evict = s.may_lose || name == "kubernetes-events";
    s.own = name == "spool-audit";
  }
  for (const json& marker : markers["items"]) {
    if (marker["kind"] != "evicted") continue;
    FoundStream& stream = found.streams[marker["subject"]];
    stream.marked += marker["events"].get<uint64_t>();
    stream.undelivered += marker["undelivered"].get<uint64_t>();
  }
  for (const json& target : status["targets"]) {
    FoundCursor cursor;
    const auto count = [&](const char* key) { return target[key].get<uint64_t>(); };
    cursor.next = count("cursor");
    cursor.account = {count("accepted"),      count("delivered"),  count("filtered"),
                      count("dead_lettered"), count("evicted"),    count("skipped"),
                      count("pending"),       count("duplicates"), count("retries")};
    for (const auto& [name, stream] : found.streams) {
      if (name != "quarantine" && name != "spool-audit") cursor.streams.insert(name);
    }
    found.cursors["target/" + target["name"].get<std::string>()] = std::move(cursor);
  }
  // What retention took after it was read is not to be held against it.
  std::map<std::string, uint64_t> ordinals;
  std::erase_if(found.events, [&](const FoundEvent& event) {
    const auto stream = found.streams.find(event.stream);
    return stream != found.streams.end() && event.sequence < stream->second.first;
  });
  for (FoundEvent& event : found.events) {
    const auto stream = found.streams.find(event.stream);
    const uint64_t first = stream == found.streams.end() ? 0 : stream->second.evicted;
    event.ordinal = ordinals.emplace(event.stream, first).first->second++;
  }
}

void Crash::ReadTargets(History& history) {
  const auto give = [&](const char* target, const json& event) {
    const FoundEvent found = ToFound(event);
    history.deliveries[target].push_back({found.number, found.sequence, found.hash});
  };
  for (const char* target : kTargets) history.deliveries[target];
  std::ifstream in(dir_ / "out.jsonl");
  for (std::string line; std::getline(in, line);) give("file", json::parse(line, nullptr, false));
  for (const std::string& body : receiver_.bodies()) {
    const json batch = json::parse(body, nullptr, false);
    EXPECT_TRUE(batch.is_array()) << body.substr(0, 200);
    for (const json& event : batch) give("hook", event);
  }
  std::set<std::string> ids;
  for (const NatsStored& message : nats_->Read("CRASH")) {
    give("nats", json::parse(message.body, nullptr, false));
    EXPECT_TRUE(ids.insert(message.id).second)
        << message.id << " is in the stream twice, though inside its duplicate window";
  }
}

void Crash::CheckEverything() {
  Found found;
  ASSERT_NO_FATAL_FAILURE(ReadEvents(found));
  ASSERT_NO_FATAL_FAILURE(ReadStatus(found));
  ASSERT_EQ(found.cursors.size(), std::size(kTargets));
  found.drained = true;
  History history;
  history.requests = producers_->Requests();
  history.evicted = evicted_;
  history.restarts = restarts_;
  history.in_hand_max = kBatch;
  ReadTargets(history);
  // Where an event was when it was delivered, it is still.
  for (const auto& [target, deliveries] : history.deliveries) {
    for (const Delivery& delivery : deliveries) {
      history.places.emplace(delivery.number, delivery.sequence);
    }
  }
  const std::string wrong = ToText(Judge(history, found));
  EXPECT_TRUE(wrong.empty()) << wrong;
  for (const auto& [name, stream] : found.streams) evicted_[name] = stream.evicted;
  Report(history, found);
}

void Crash::Report(const History& history, const Found& found) const {
  uint64_t acknowledged = 0;
  for (const SentRequest& request : history.requests) {
    if (request.outcome != SentRequest::Outcome::kAcknowledged) continue;
    acknowledged += request.events.size();
  }
  std::printf(
      "[          ] seed %llu: %llu events sent, %llu acknowledged, %zu stored; %llu batches "
      "in doubt, %llu refused\n",
      static_cast<unsigned long long>(seed_), static_cast<unsigned long long>(producers_->sent()),
      static_cast<unsigned long long>(acknowledged), found.events.size(),
      static_cast<unsigned long long>(producers_->batches_in_doubt()),
      static_cast<unsigned long long>(producers_->refused()));
  for (const auto& [name, stream] : found.streams) {
    if (stream.evicted == 0) continue;
    std::printf("[          ] %s: %llu evicted, %llu of them undelivered\n", name.c_str(),
                static_cast<unsigned long long>(stream.evicted),
                static_cast<unsigned long long>(stream.undelivered));
  }
  for (const auto& [target, deliveries] : history.deliveries) {
    std::set<uint64_t> given;
    for (const Delivery& delivery : deliveries) given.insert(delivery.number);
    std::printf("[          ] %s: %zu deliveries, %zu of them again\n", target.c_str(),
                deliveries.size(), deliveries.size() - given.size());
  }
  EXPECT_GT(acknowledged, 0u);
}

}  // namespace spool::testing
