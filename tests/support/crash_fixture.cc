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
  const std::string common = ", start: beginning, retry: { first: 20ms, max: 200ms } }\n";
  std::ofstream(dir_ / "spool.yaml")
      << "version: 1\ndata_dir: " << dir_ / "data"
      << "\njournal: " << journal << "\n"
      << "admin: { address: \"" << admin_ << "\" }\n"
      << "streams: { kubernetes-events: { retention: { age: 1m } } }\n"
      << "sources:\n  web: { type: http, address: \"" << ingest_ << "\" }\n"
      << "targets:\n  file: { type: file, path: " << dir_ / "out.jsonl" << common
      << "  hook: { type: webhook, format: batch, url: \"" << receiver_.url() << "\"" << common
      << "  nats: { type: nats, url: \"" << nats_->url()
      << "\", stream: CRASH, subject: \"crash.{stream}\"" << common;
  producers_ = std::make_unique<Producers>(ingest_, seed_);
}

std::unique_ptr<Spoold> Crash::Start(const std::vector<std::string>& under) {
  return std::make_unique<Spoold>(std::vector<std::string>{"--config", dir_ / "spool.yaml"}, log(),
                                  under);
}

bool Crash::WaitReady() const {
  return WaitUntil([&] { return Call("GET", admin_, "/ready").status == 200; });
}

void Crash::Pause(std::chrono::milliseconds time) {
  WaitUntil([] { return false; }, time);
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

std::optional<uint64_t> Crash::NumberOf(const json& event) const {
  if (!event.is_object() || !event.contains("data") || !event["data"].is_object()) {
    ADD_FAILURE() << "not an event of ours: " << event;
    return std::nullopt;
  }
  const uint64_t n = event["data"].value("n", UINT64_MAX);
  if (n >= producers_->sent() || event["data"] != CrashDataOf(n) ||
      event.value("producerid", "") != "c-" + std::to_string(n)) {
    ADD_FAILURE() << "never sent: " << event;
    return std::nullopt;
  }
  return n;
}

void Crash::ReadJournal(std::string& hole) {
  hole.clear();
  uint64_t from = 0;
  std::optional<uint64_t> last;
  stored_ = 0;
  before_.clear();
  place_.assign(producers_->sent(), 0);
  for (bool more = true; more;) {  // `complete` is also said of a page that its limit ended
    const EventPage page = ParseEvents(
        Call("GET", admin_,
             "/api/v1/events?order=oldest&limit=10000&from_sequence=" + std::to_string(from)));
    ASSERT_TRUE(page.scan.is_object());
    for (const json& event : page.events) {
      const auto n = NumberOf(event);
      ASSERT_TRUE(n.has_value());
      const uint64_t sequence = SequenceOf(event);
      if (last && sequence != *last + 1) {
        hole += std::to_string(sequence) + " follows " + std::to_string(*last) + "; ";
      }
      last = sequence;
      ASSERT_EQ(place_[*n], 0u) << *n << " is stored twice";
      place_[*n] = ++stored_;
    }
    const uint64_t next = page.scan["next"].get<uint64_t>();
    more = next < page.scan["end"].get<uint64_t>();
    ASSERT_TRUE(!more || next > from) << page.scan;
    from = next;
  }
}

uint64_t Crash::Evicted() const {
  uint64_t evicted = 0;
  const json status = Call("GET", admin_, "/api/v1/status").Json();
  for (const json& stream : status.at("streams")) {
    evicted += stream["evicted"].get<uint64_t>();
  }
  return evicted;
}

void Crash::CheckArrived(const std::string& target, const std::vector<json>& events) {
  SCOPED_TRACE(target);
  std::vector<bool> seen(place_.size());
  std::vector<uint64_t> before;  // what retention has taken since
  uint64_t last = 0;
  for (const json& event : events) {
    const auto n = NumberOf(event);
    ASSERT_TRUE(n.has_value());
    if (seen[*n]) continue;
    seen[*n] = true;
    if (place_[*n] == 0 && before.size() < evicted_) {
      ASSERT_EQ(last, 0u) << *n << " was delivered and is not in the journal";
      before.push_back(*n);
      continue;
    }
    ASSERT_NE(place_[*n], 0u) << *n << " was delivered and is not in the journal";
    ASSERT_EQ(place_[*n], last + 1) << *n << " came first out of the journal's order";
    last = place_[*n];
  }
  EXPECT_EQ(last, stored_) << "not all of the journal arrived";
  EXPECT_EQ(before.size(), evicted_) << "not all that was evicted had arrived";
  if (before_.empty()) before_ = before;
  EXPECT_TRUE(before == before_) << "what was evicted came in another order than elsewhere";
  std::printf("[          ] %s: %zu deliveries, %zu of them again\n", target.c_str(), events.size(),
              events.size() - static_cast<size_t>(last + evicted_));
}

void Crash::CheckEverything() {
  std::string hole;
  do {  // retention goes on meanwhile
    evicted_ = Evicted();
    ASSERT_NO_FATAL_FAILURE(ReadJournal(hole));
  } while (Evicted() != evicted_);
  ASSERT_EQ(hole, "") << evicted_ << " events evicted";
  std::vector<json> events;
  std::ifstream in(dir_ / "out.jsonl");
  for (std::string line; std::getline(in, line);) {
    events.push_back(json::parse(line, nullptr, false));
    ASSERT_FALSE(events.back().is_discarded()) << line;
  }
  ASSERT_NO_FATAL_FAILURE(CheckArrived("file", events));
  std::vector<bool> taken(place_.size());
  for (const uint64_t n : before_) taken[n] = true;
  uint64_t acknowledged = 0;
  for (const auto& [first, count] : producers_->acknowledged()) {
    for (uint64_t n = first; n < first + count; ++n, ++acknowledged) {
      ASSERT_TRUE(place_[n] != 0 || taken[n]) << n << " was acknowledged and is lost";
    }
  }
  events.clear();
  for (const std::string& body : receiver_.bodies()) {
    const json batch = json::parse(body, nullptr, false);
    ASSERT_TRUE(batch.is_array()) << body.substr(0, 200);
    events.insert(events.end(), batch.begin(), batch.end());
  }
  ASSERT_NO_FATAL_FAILURE(CheckArrived("hook", events));
  events.clear();
  std::set<std::string> ids;
  for (const NatsStored& message : nats_->Read("CRASH")) {
    events.push_back(json::parse(message.body, nullptr, false));
    ASSERT_FALSE(events.back().is_discarded()) << message.body.substr(0, 200);
    ASSERT_TRUE(ids.insert(message.id).second)
        << message.id << " is in the stream twice, though inside its duplicate window";
  }
  ASSERT_NO_FATAL_FAILURE(CheckArrived("nats", events));
  const json status = Call("GET", admin_, "/api/v1/status").Json();
  for (const json& t : status["targets"]) {
    const auto count = [&](const char* key) { return t[key].get<uint64_t>(); };
    EXPECT_EQ(count("accepted"), count("delivered") + count("filtered") + count("dead_lettered") +
                                     count("evicted") + count("skipped") + count("pending"))
        << t;
    EXPECT_EQ(count("accepted"), stored_ + evicted_) << t;
    EXPECT_EQ(count("delivered"), stored_ + evicted_) << t;
  }
  std::printf(
      "[          ] seed %llu: %llu events sent, %llu acknowledged, %llu stored; %llu batches in "
      "doubt, %llu refused; %llu evicted\n",
      static_cast<unsigned long long>(seed_), static_cast<unsigned long long>(producers_->sent()),
      static_cast<unsigned long long>(acknowledged), static_cast<unsigned long long>(stored_),
      static_cast<unsigned long long>(producers_->batches_in_doubt()),
      static_cast<unsigned long long>(producers_->refused()),
      static_cast<unsigned long long>(evicted_));
  EXPECT_GT(acknowledged, 0u);
}

}  // namespace spool::testing
