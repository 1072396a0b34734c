// Real client libraries post to a real spoold: the SDKs of CloudEvents and of OpenTelemetry, for
// Python and for JavaScript. What they are to send, and what is to become of it, is in
// tests/senders/*.json.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/app_http.h"
#include "tests/support/ctl_fixture.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/net_raw_client.h"
#include "tests/support/paths.h"
#include "tests/support/sample_index.h"
#include "tests/support/secret_shapes.h"
#include "tests/support/sender.h"
#include "tests/support/spoold_process.h"

namespace spool::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr int kManyRecords = 250;

struct LogSender {
  std::string program;
  std::vector<std::string> options;  // encoding and compression
  std::string name;                  // what it calls itself: its service.instance.id
};
const std::vector<LogSender>& LogSenders() {
  static const std::vector<LogSender> senders = {
      {"export_logs.py", {"none"}, "python-none"},
      {"export_logs.py", {"gzip"}, "python-gzip"},
      {"export_logs.mjs", {"json", "none"}, "javascript-json-none"},
      {"export_logs.mjs", {"json", "gzip"}, "javascript-json-gzip"},
      {"export_logs.mjs", {"protobuf", "none"}, "javascript-protobuf-none"},
      {"export_logs.mjs", {"protobuf", "gzip"}, "javascript-protobuf-gzip"}};
  return senders;
}

std::string InSenders(const std::string& file) { return SourceDir() + "/tests/senders/" + file; }
json Read(const std::string& file) {
  std::ifstream in(InSenders(file));
  return json::parse(in);
}

std::string InstanceOf(const json& event) {
  return event["data"].value(json::json_pointer("/resource/service.instance.id"), "");
}

class SendersTest : public ::testing::Test {
 protected:
  SendersTest() {
    ingest_port_ = test::UnusedPort();
    int admin = test::UnusedPort();
    while (admin == ingest_port_) admin = test::UnusedPort();
    ingest_ = "127.0.0.1:" + std::to_string(ingest_port_);
    admin_ = "127.0.0.1:" + std::to_string(admin);
  }

  // More reserve than any volume has: the disk is full.
  void StartSpoold(const std::string& reserve = "0") {
    std::ofstream(dir_ / "spool.yaml")
        << "version: 1\ndata_dir: " << dir_ / "data"
        << "\ncluster: { name: prod-eu }\njournal: { disk_reserve: " << reserve
        << " }\nadmin: { address: \"" << admin_ << "\" }\n"
        << "sources: { web: { type: http, address: \"" << ingest_ << "\" } }\n"
        << "targets: { none: { type: \"null\" } }\n";
    spoold_ = std::make_unique<Spoold>(std::vector<std::string>{"--config", dir_ / "spool.yaml"},
                                       dir_ / "spoold.log");
    ASSERT_TRUE(WaitUntil([&] {
      return Call("GET", ingest_, "/health").status == 200 &&
             Call("GET", admin_, "/health").status == 200;
    }));
  }
  json Source() const { return Call("GET", admin_, "/api/v1/sources").Json()["items"][0]; }

  // As `spoolctl events ls` shows them.
  std::vector<json> Events() const {
    const CtlResult result = RunCtl({"--server", "http://" + admin_, "events", "ls", "--since",
                                     "1h", "--limit", "10000", "-o", "json"});
    EXPECT_EQ(result.exit, 0) << result.err;
    const json parsed = json::parse(result.out, nullptr, false);
    EXPECT_TRUE(parsed.is_array()) << result.out.substr(0, 300);
    return parsed.is_array() ? parsed.get<std::vector<json>>() : std::vector<json>();
  }

  // Posts tests/senders/cloudevents.json in a mode, each from `source`. The sums of the answers.
  std::map<std::string, int> PostCloudEvents(const std::string& program, const std::string& mode,
                                             const std::string& source) const {
    std::map<std::string, int> sums;
    const auto sender = Sender::Start(
        program, {"http://" + ingest_ + "/v1/events", mode, source, InSenders("cloudevents.json")},
        dir_.path(), "cloudevents");
    if (sender == nullptr) return sums;
    EXPECT_EQ(sender->Wait(), 0) << program << " " << mode << ": " << sender->Log();
    std::istringstream answers(sender->Out());
    for (std::string line; std::getline(answers, line);) {
      const json answer = json::parse(line, nullptr, false);
      for (const char* what : {"stored", "duplicates", "quarantined"}) {
        EXPECT_TRUE(answer.is_object() && answer.contains(what)) << line;
        if (answer.is_object()) sums[what] += answer.value(what, 0);
      }
    }
    return sums;
  }

  std::unique_ptr<Sender> ExportLogs(const LogSender& sender, int port,
                                     const std::string& file) const {
    std::vector<std::string> args = {"http://127.0.0.1:" + std::to_string(port) + "/v1/logs"};
    args.insert(args.end(), sender.options.begin(), sender.options.end());
    args.push_back(file);
    return Sender::Start(sender.program, args, dir_.path(), sender.name);
  }
  // All of them at once, with many records each, which have numbers.
  std::vector<std::unique_ptr<Sender>> ExportManyLogs(int port) const {
    json records = json::array();
    for (int n = 0; n < kManyRecords; ++n) {
      records.push_back({{"time", std::to_string(1'795'155'099'000'000'000 + n * 1'000)},
                         {"severityNumber", 9},
                         {"body", "one of many"},
                         {"attributes", {{"n", n}}}});
    }
    json group;
    group["resource"]["k8s.namespace.name"] = "shop";
    group["records"] = std::move(records);
    std::ofstream(dir_ / "many.json") << "[" << group << "]";
    std::vector<std::unique_ptr<Sender>> running;
    for (const LogSender& sender : LogSenders()) {
      running.push_back(ExportLogs(sender, port, dir_ / "many.json"));
      if (running.back() == nullptr) return {};
    }
    return running;
  }
  // That each has been through, and that each record is there, and once.
  void ExpectAllOfManyOnce(const std::vector<std::unique_ptr<Sender>>& running) const {
    ASSERT_FALSE(running.empty());
    for (const auto& sender : running) {
      EXPECT_EQ(sender->Wait(), 0) << sender->name() << ": " << sender->Log();
    }
    std::map<std::string, std::multiset<int>> stored;
    std::set<std::string> ids;
    for (const json& event : Events()) {
      stored[InstanceOf(event)].insert(
          event["data"].value(json::json_pointer("/attributes/n"), -1));
      EXPECT_TRUE(ids.insert(event["id"]).second) << event;
    }
    std::multiset<int> all;
    for (int n = 0; n < kManyRecords; ++n) all.insert(n);
    for (const auto& sender : running) EXPECT_EQ(stored[sender->name()], all) << sender->name();
    EXPECT_EQ(stored.size(), running.size());
    EXPECT_EQ(Source()["quarantined"], 0);
  }

  const AppDir dir_;
  int ingest_port_;
  std::string ingest_, admin_;
  std::unique_ptr<Spoold> spoold_;
};

// Both say in their logs that they try again: "retrying in", "Scheduling export retry".
bool TriesAgain(const Sender& sender) {
  const std::string log = sender.Log();
  return log.find("retrying in") != log.npos || log.find("export retry in") != log.npos;
}
bool AllTryAgain(const std::vector<std::unique_ptr<Sender>>& running) {
  return WaitUntil([&] {
    return std::all_of(running.begin(), running.end(),
                       [](const auto& sender) { return TriesAgain(*sender); });
  });
}

// What is wrong with an event that came of `entry`; empty when nothing is.
std::string WrongCloudEvent(const json& entry, const std::string& mode, const json& event) {
  json expected = entry["stored"];
  for (const auto& [name, value] : entry["attributes"].items()) {
    if (name == "id") {
      expected["producerid"] = value;
    } else if (name != "time" && name != "severity") {  // under other names, or in another form
      // A header has no numbers.
      expected[name] = mode == "binary" && value.is_number() ? json(value.dump()) : value;
    }
  }
  if (entry.contains("data")) expected["data"] = entry["data"];
  if (entry.contains("base64")) expected["data_base64"] = entry["base64"];
  // A body that is no JSON is bytes, a member of a structured event is a text.
  if (entry.contains("text") && mode != "binary") expected["data"] = entry["text"];
  if (entry.contains("text") && mode == "binary") {
    expected["data_base64"] = Base64(entry["text"].get<std::string>());
  }
  return Mismatch(expected, event);
}

TEST_F(SendersTest, CloudEventsOfBothSdksAreUnderstoodInEveryMode) {
  ASSERT_NO_FATAL_FAILURE(StartSpoold());
  const json entries = Read("cloudevents.json");
  const auto count = static_cast<int>(entries.size());
  std::vector<std::pair<std::string, std::string>> sent;  // source and mode
  for (const char* mode : {"structured", "binary", "batch"}) {
    for (const char* program : {"post_cloudevents.py", "post_cloudevents.mjs"}) {
      sent.emplace_back(std::string("/") + program + "/" + mode, mode);
      const auto sums = PostCloudEvents(program, mode, sent.back().first);
      const std::map<std::string, int> all = {
          {"stored", count}, {"duplicates", 0}, {"quarantined", 0}};
      EXPECT_EQ(sums, all) << program << " " << mode;
    }
  }
  const std::vector<json> events = Events();
  EXPECT_EQ(events.size(), sent.size() * entries.size());
  std::set<std::string> ids;
  for (const auto& [source, mode] : sent) {
    for (const json& entry : entries) {
      const std::string id = entry["attributes"]["id"];
      size_t found = 0;
      for (const json& event : events) {
        if (event["source"] != source || event.value("producerid", "") != id) continue;
        ++found;
        EXPECT_EQ(WrongCloudEvent(entry, mode, event), "") << source << ": " << event.dump(1);
        EXPECT_TRUE(ids.insert(event["id"]).second) << event;
      }
      EXPECT_EQ(found, 1U) << source << " " << id;
    }
  }
}

// By source and id: in whatever mode, of whatever SDK.
TEST_F(SendersTest, ACloudEventThatIsSentAgainIsStoredOnce) {
  ASSERT_NO_FATAL_FAILURE(StartSpoold());
  const auto count = static_cast<int>(Read("cloudevents.json").size());
  int stored = 0;
  for (const char* mode : {"binary", "structured", "batch"}) {
    for (const char* program : {"post_cloudevents.mjs", "post_cloudevents.py"}) {
      auto sums = PostCloudEvents(program, mode, "/same");
      EXPECT_EQ(sums["stored"] + sums["duplicates"], count) << program << " " << mode;
      stored += sums["stored"];
    }
  }
  EXPECT_EQ(stored, count);
  EXPECT_EQ(Events().size(), static_cast<size_t>(count));
  EXPECT_EQ(Source()["duplicates"], 5 * count);
}

// What is wrong with an event that came of `entry` of `group`; empty when nothing is.
std::string WrongLog(const json& group, const json& entry, const json& event) {
  json expected = group["all"];
  expected.update(entry["stored"]);
  std::string wrong = Mismatch(expected, event);
  const json& data = event["data"];
  wrong += Mismatch(group["resource"], data["resource"]);
  json record = {{"timeUnixNano", entry["time"]}, {"body", entry["body"]}};
  for (const char* name : {"severityText", "eventName"}) {
    if (entry.contains(name)) record[name] = entry[name];
  }
  if (entry["severityNumber"] != 0) record["severityNumber"] = entry["severityNumber"];
  if (entry.contains("attributes")) record["attributes"] = entry["attributes"];
  return wrong + Mismatch(record, data);
}

TEST_F(SendersTest, LogsOfBothSdksAreUnderstoodInEveryEncoding) {
  ASSERT_NO_FATAL_FAILURE(StartSpoold());
  for (const LogSender& one : LogSenders()) {
    const auto sender = ExportLogs(one, ingest_port_, InSenders("logs.json"));
    ASSERT_TRUE(sender);
    EXPECT_EQ(sender->Wait(), 0) << one.name << ": " << sender->Log();
  }
  size_t expected = 0;
  std::set<std::string> ids;
  const std::vector<json> events = Events();
  for (const json& group : Read("logs.json")) {
    for (const json& entry : group["records"]) {
      // An object of Kubernetes in the body is one event, whoever tells of it.
      const bool object = entry["body"].contains("involvedObject");
      std::multiset<std::string> from;
      for (const json& event : events) {
        if (event["data"]["timeUnixNano"] != entry["time"]) continue;
        from.insert(InstanceOf(event));
        EXPECT_EQ(WrongLog(group, entry, event), "") << event.dump(1);
        EXPECT_TRUE(ids.insert(event["id"]).second) << event;
      }
      std::multiset<std::string> all;
      for (const LogSender& one : LogSenders()) {
        if (all.empty() || !object) all.insert(one.name);
      }
      EXPECT_EQ(from, all) << entry;
      expected += all.size();
    }
  }
  EXPECT_EQ(events.size(), expected);
  EXPECT_EQ(Source()["quarantined"], 0);
}

TEST_F(SendersTest, LogsWaitForASpooldThatIsNotUpYet) {
  const auto running = ExportManyLogs(ingest_port_);
  ASSERT_FALSE(running.empty());
  ASSERT_TRUE(AllTryAgain(running));
  ASSERT_NO_FATAL_FAILURE(StartSpoold());
  ExpectAllOfManyOnce(running);
}

TEST_F(SendersTest, LogsThatAreRefusedWith503ComeAgain) {
  ASSERT_NO_FATAL_FAILURE(StartSpoold("16TiB"));
  const auto running = ExportManyLogs(ingest_port_);
  ASSERT_FALSE(running.empty());
  ASSERT_TRUE(AllTryAgain(running));
  EXPECT_THAT(Call("GET", admin_, "/metrics").body,
              HasSubstr("spool_ingest_requests_total{source=\"web\",code=\"503\"}"));
  for (const auto& sender : running) {
    EXPECT_THAT(sender->Log(), ::testing::AnyOf(HasSubstr("retrying in 5.00s"),
                                                HasSubstr("export retry in 5000ms")))
        << "as Retry-After asks";
  }
  EXPECT_EQ(Source()["events"], 0);
  ASSERT_TRUE(spoold_->Kill());
  ASSERT_NO_FATAL_FAILURE(StartSpoold());
  ExpectAllOfManyOnce(running);
}

// They were stored, and the senders never hear of it.
TEST_F(SendersTest, LogsWhoseAnswerIsLostAreStoredOnce) {
  ASSERT_NO_FATAL_FAILURE(StartSpoold());
  FaultProxy proxy;
  proxy.SetUpstream(ingest_port_);
  ProxyFault lost;
  lost.down.then = WayFault::Then::kReset;
  proxy.Set(lost);
  const auto running = ExportManyLogs(proxy.port());
  ASSERT_FALSE(running.empty());
  ASSERT_TRUE(AllTryAgain(running));
  EXPECT_GT(Source()["events"], 0);
  proxy.Heal();
  ExpectAllOfManyOnce(running);
  EXPECT_GE(Source()["duplicates"], 100);
}

}  // namespace
}  // namespace spool::testing
