// Secrets that are sent to the real program are nowhere afterwards: not in its files, not in what
// the journal holds, not in its log, its metrics, its answers, and not at any target.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <regex>
#include <set>

#include "spool/journal.h"
#include "spool/reader.h"
#include "tests/support/app_http.h"
#include "tests/support/nats_server.h"
#include "tests/support/secret_shapes.h"
#include "tests/support/spoold_process.h"

namespace spool::testing {
namespace {

namespace fs = std::filesystem;

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Random ones that begin alike, so that one look finds any of them; also in base64.
class Canaries {
 public:
  std::string Next() {
    static constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    std::string canary = kHead;
    for (int i = 0; i < 14; ++i) canary += kLetters[random_() % 36];
    made_.insert(canary);
    return canary;
  }
  size_t size() const { return made_.size(); }
  // All that are in `text`.
  std::set<std::string> In(const std::string& text) const {
    std::set<std::string> found;
    for (size_t at = text.find(kHead); at != text.npos; at = text.find(kHead, at + 1)) {
      found.insert(text.substr(at, kHead.size() + 14));
    }
    const std::string coded = Base64(kHead).substr(0, 8);
    for (size_t at = text.find(coded); at != text.npos; at = text.find(coded, at + 1)) {
      found.insert("base64 " + text.substr(at, 28));
    }
    return found;
  }

 private:
  const std::string kHead = "c4n4ry";
  std::mt19937_64 random_{std::random_device{}()};
  std::set<std::string> made_;
};

class RedactionLive : public ::testing::Test {
 protected:
  void SetUp() override {
    nats_ = NatsServer::Start();
    ASSERT_NE(nats_, nullptr);
    ASSERT_TRUE(nats_->AddStream("EVENTS", {"k8s.>"}));
  }

  void Start(const std::string& rules) {
    std::ofstream config(dir_ / "spool.yaml");
    config << "version: 1\ndata_dir: " << dir_ / "data"
           << "\nlog: { level: debug }\n"
           << "admin: { address: 127.0.0.1:0 }\njournal: { disk_reserve: 64MiB }\n"
           << "sources: { web: { type: http, address: 127.0.0.1:0 } }\n"
           << "targets:\n  file: { type: file, path: " << dir_ / "out.jsonl"
           << ", start: beginning }\n  hook: { type: webhook, url: \"" << hook_.url()
           << "\", start: beginning }\n  bus: { type: nats, url: \"" << nats_->url()
           << "\", subject: \"k8s.{stream}\", stream: EVENTS, start: beginning }\n"
           << rules;
    config.close();
    spoold_ = std::make_unique<Spoold>(std::vector<std::string>{"--config", dir_ / "spool.yaml"},
                                       dir_ / "log");
    std::smatch match;
    std::string log;
    ASSERT_TRUE(WaitUntil([&] {
      log = ReadFile(dir_ / "log");
      return log.find("spoold is up") != log.npos;
    })) << log;
    ASSERT_TRUE(std::regex_search(log, match, std::regex("ingest=[\"\\[]*(127[0-9.:]+)"))) << log;
    ingest_ = match[1];
    ASSERT_TRUE(std::regex_search(log, match, std::regex("admin=[\"\\[]*(127[0-9.:]+)"))) << log;
    admin_ = match[1];
  }

  // Posts shapes with `rounds` canaries in each, twenty records a request, and waits until every
  // target has had all of them.
  void PostShapes(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      std::map<std::string, std::string> bodies;
      std::map<std::string, int> held;
      for (const SecretShape& shape : SecretShapes([this] { return canaries_.Next(); }, round)) {
        std::string& body = bodies[shape.path];
        body += shape.body + "\n";
        ++sent_;
        if (++held[shape.path] % 20 == 0) Post(shape.path, std::exchange(body, ""));
      }
      for (auto& [path, body] : bodies) {
        if (!body.empty()) Post(path, body);
      }
    }
  }
  void Post(const std::string& path, const std::string& body,
            const HttpHeaders& headers = {{"Content-Type", "application/x-ndjson"}}) {
    const HttpReply reply = Call("POST", ingest_, path, body, headers);
    EXPECT_EQ(reply.status, 200) << reply.body << body;
  }
  void AwaitTargets() {
    ASSERT_TRUE(WaitUntil([&] {
      const nlohmann::json status = Call("GET", admin_, "/api/v1/targets").Json();
      if (!status.contains("items") || status["items"].size() != 3) return false;
      for (const auto& target : status["items"]) {
        if (target["pending"].get<uint64_t>() != 0) return false;
      }
      return true;
    })) << Call("GET", admin_, "/api/v1/targets").body;
  }

  // By where they are.
  std::map<std::string, std::set<std::string>> FindAll() {
    std::map<std::string, std::set<std::string>> found;
    const auto look = [&](const std::string& where, const std::string& text) {
      if (auto in = canaries_.In(text); !in.empty()) found[where].merge(in);
    };
    for (const char* path : {"/metrics", "/api/v1/status", "/api/v1/targets", "/api/v1/streams",
                             "/api/v1/config", "/api/v1/events?limit=10000"}) {
      const HttpReply reply = Call("GET", admin_, path);
      EXPECT_EQ(reply.status, 200) << path;
      look(path, reply.body);
    }
    spoold_->Signal(SIGTERM);
    EXPECT_EQ(spoold_->Wait(std::chrono::seconds(20)), 0);
    look("log", ReadFile(dir_ / "log"));
    look("file target", ReadFile(dir_ / "out.jsonl"));
    for (const std::string& body : hook_.bodies()) look("webhook target", body);
    for (const NatsStored& message : nats_->Read("EVENTS")) look("nats target", message.body);
    size_t bytes = 0;
    for (const auto& file : fs::recursive_directory_iterator(dir_ / "data")) {
      if (!file.is_regular_file() || file.path().filename() == "RESERVE") continue;
      const std::string text = ReadFile(file.path());
      bytes += text.size();
      look("data directory", text);
    }
    EXPECT_GT(bytes, 0U);
    Journaled(look);
    return found;
  }

  // What chunks hold once they are decompressed, every stream.
  void Journaled(const std::function<void(const std::string&, const std::string&)>& look) {
    JournalOptions options;
    options.dir = dir_ / "data";
    options.streams = DefaultStreams();
    auto journal = Journal::Open(options);
    ASSERT_TRUE(journal) << journal.error().message;
    const auto reader = (*journal)->NewReader((*journal)->AllWithSpecial());
    for (Sequence at = (*journal)->stored().first; at < (*journal)->end();) {
      const auto page = reader->Read(at, {});
      ASSERT_TRUE(page) << page.error().message;
      for (const EventView& event : page->events) {
        ++journaled_;
        std::string text;
        for (const std::string_view part :
             {event.data, event.source, event.subject, event.type, event.name, event.namespace_,
              event.kind, event.reason, event.extensions, event.cluster}) {
          text.append(part).push_back('\n');
        }
        look("journal", text);
      }
      at = page->next;
    }
  }

  AppDir dir_;
  std::unique_ptr<NatsServer> nats_;
  Receiver hook_;
  std::unique_ptr<Spoold> spoold_;
  Canaries canaries_;
  std::string ingest_, admin_;
  size_t sent_ = 0;
  size_t journaled_ = 0;
};

TEST_F(RedactionLive, NoneOfAThousandCanariesIsFoundAnywhere) {
  Start("");
  PostShapes(2);
  // What is refused, goes to quarantine, or comes in headers.
  for (int i = 0; i < 40; ++i) {
    Call("POST", ingest_, "/v1/events", "{\"password\":\"" + canaries_.Next());
    Call("POST", ingest_, "/audit", "{\"auditID\":\"a\",\"x\":\"" + canaries_.Next() + "\"}");
    Call("POST", ingest_, "/v1/events",
         R"({"kind":"Event","apiVersion":"v1","env":[{"name":"A","value":")" + canaries_.Next() +
             "\"}]}");
    Call("POST", ingest_, "/v1/events", "password=" + canaries_.Next(),
         {{"Content-Type", "text/plain"},
          {"ce-specversion", "1.0"},
          {"ce-type", "t"},
          {"ce-source", "https://jane:" + canaries_.Next() + "@x"},
          {"ce-id", "i" + std::to_string(i)},
          {"ce-note", "Bearer " + canaries_.Next()},
          {"ce-coded", "%D1%8F%20Authorization%3A%20Bearer%20" + canaries_.Next()},
          {"ce-sessiontoken", canaries_.Next()}});
  }
  EXPECT_GE(canaries_.size(), 1000U);
  AwaitTargets();
  const auto found = FindAll();
  for (const auto& [where, which] : found) {
    ADD_FAILURE() << which.size() << " in " << where << ", such as " << *which.begin();
  }
  EXPECT_GE(journaled_, sent_) << "what was sent is there, without its secrets";
  EXPECT_GE(nats_->Count("EVENTS"), static_cast<int64_t>(sent_));
  struct stat about {};
  ASSERT_EQ(stat((dir_ / "data/REDACTION_KEY").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
}

// The search sees what there is: with the rules off every place has canaries.
TEST_F(RedactionLive, WithoutRulesTheSameSearchFindsThem) {
  Start(
      "redaction: { off: [objects, last-applied, keys, patterns, uris, environment] }\n"
      "quarantine: { keep: raw }\n");
  for (int i = 0; i < 30; ++i) {
    Post("/v1/events", R"({"password":")" + canaries_.Next() + "\"}");
    Post("/audit", "{\"auditID\":\"a\",\"x\":\"" + canaries_.Next() + "\"}");
  }
  AwaitTargets();
  const auto found = FindAll();
  for (const char* where : {"/api/v1/events?limit=10000", "file target", "webhook target",
                            "nats target", "data directory"}) {
    ASSERT_TRUE(found.contains(where)) << where;
    EXPECT_EQ(found.at(where).size(),
              std::string_view(where) == "data directory" ? found.at(where).size() : 30U)
        << where;
  }
  EXPECT_EQ(found.at("journal").size(), 60U) << "those in quarantine, too";
  EXPECT_FALSE(found.contains("log"));
  EXPECT_FALSE(found.contains("/metrics"));
}

// Ids and hashes are the same after a restart: the key is kept.
TEST_F(RedactionLive, ARecordSentAgainAfterARestartIsARepeat) {
  const std::string record =
      R"({"id":"x1","password":")" + canaries_.Next() + R"(","time":"2026-03-14T09:26:53Z"})";
  Start("");
  Post("/v1/events", record);
  spoold_->Signal(SIGTERM);
  ASSERT_EQ(spoold_->Wait(std::chrono::seconds(20)), 0);
  fs::remove(dir_ / "log");
  Start("");
  const HttpReply again = Call("POST", ingest_, "/v1/events", record);
  EXPECT_EQ(again.Json()["duplicates"], 1) << again.body;
  const HttpReply other = Call("POST", ingest_, "/v1/events",
                               R"({"id":"x1","password":"other","time":"2026-03-14T09:26:53Z"})");
  EXPECT_EQ(other.Json()["stored"], 1) << "what differs in its secret alone is another event";
}

}  // namespace
}  // namespace spool::testing
