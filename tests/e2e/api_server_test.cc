// A real API server posts its audit batches to a real spoold.
#include "tests/support/api_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "tests/support/net_raw_client.h"
#include "tests/support/spoold_process.h"

namespace spool::testing {
namespace {

using nlohmann::json;

class RealApiServer : public ::testing::Test {
 protected:
  RealApiServer() {
    ingest_ = "127.0.0.1:" + std::to_string(test::UnusedPort());
    do {
      admin_ = "127.0.0.1:" + std::to_string(test::UnusedPort());
    } while (admin_ == ingest_);
    std::ofstream(dir_ / "spool.yaml")
        << "version: 1\ndata_dir: " << dir_ / "data"
        << "\ncluster: { name: test-one }\n"
        << "journal: { disk_reserve: 0 }\nadmin: { address: \"" << admin_ << "\" }\n"
        << "sources: { web: { type: http, address: \"" << ingest_ << "\" } }\n"
        << "targets: { none: { type: \"null\" } }\n";
  }
  void StartSpoold() {
    spoold_ = std::make_unique<Spoold>(std::vector<std::string>{"--config", dir_ / "spool.yaml"},
                                       dir_ / "log");
    ASSERT_TRUE(WaitUntil([&] { return Call("GET", admin_, "/ready").status == 200; }));
  }
  // What is stored of creations that are done, by the object's name.
  std::multimap<std::string, json> Created() const {
    std::multimap<std::string, json> created;
    const HttpReply reply = Call(
        "GET", admin_, "/api/v1/events?order=oldest&limit=10000&from_sequence=0&reason=create");
    for (json& event : ParseEvents(reply).events) {
      const json& data = event["data"];
      if (data.value("stage", "") != "ResponseComplete") continue;
      if (!data["responseObject"].contains("metadata")) continue;
      created.emplace(data["responseObject"]["metadata"].value("name", ""), std::move(event));
    }
    return created;
  }
  bool AllThere(const std::set<std::string>& names) const {
    const auto created = Created();
    return std::ranges::all_of(names, [&](const auto& name) { return created.contains(name); });
  }

  const AppDir dir_;
  std::string ingest_;
  std::string admin_;
  std::unique_ptr<Spoold> spoold_;
};

TEST_F(RealApiServer, ItsBatchesAreUnderstood) {
  ASSERT_NO_FATAL_FAILURE(StartSpoold());
  const auto api = ApiServer::Start({.webhook = "http://" + ingest_ + "/audit", .flags = {}});
  ASSERT_TRUE(api);
  std::set<std::string> names;
  for (int i = 0; i < 30; ++i) {
    names.insert("one-" + std::to_string(i));
    ASSERT_EQ(api->Create("one-" + std::to_string(i)), 201) << api->Log();
  }
  EXPECT_EQ(api->Create("one-0"), 409);
  // Whoever asks may choose the id of the record; it hides nothing.
  EXPECT_EQ(api->Create("mine-1", "default", {{"Audit-ID", "chosen"}}), 201);
  EXPECT_EQ(api->Create("mine-2", "default", {{"Audit-ID", "chosen"}}), 201);
  names.insert({"mine-1", "mine-2"});
  ASSERT_TRUE(WaitUntil([&] { return AllThere(names); })) << api->Log();
  std::set<std::string> ids;
  for (const auto& [name, event] : Created()) {
    EXPECT_EQ(event["producer"], "k8s-audit") << event;
    EXPECT_EQ(event["category"], "infrastructure") << event;
    EXPECT_EQ(event["cluster"], "test-one");
    EXPECT_EQ(event["namespace"], "default");
    EXPECT_EQ(event["kind"], "flunders");
    EXPECT_EQ(event["reason"], "create");
    EXPECT_EQ(event["time"].get<std::string>().substr(0, 19),
              event["data"]["stageTimestamp"].get<std::string>().substr(0, 19));
    EXPECT_TRUE(ids.insert(event["id"]).second) << event;
  }
  const json quarantined = Call("GET", admin_, "/api/v1/streams/quarantine").Json();
  EXPECT_EQ(quarantined["events"], 0) << quarantined;
}

// The server tries a batch again that was not answered: all of it is there once.
TEST_F(RealApiServer, NothingIsLostAndNothingTwiceWhenSpooldIsKilled) {
  ASSERT_NO_FATAL_FAILURE(StartSpoold());
  const auto api = ApiServer::Start({.webhook = "http://" + ingest_ + "/audit",
                                     .flags = {"--audit-webhook-initial-backoff=300ms",
                                               "--audit-webhook-batch-throttle-enable=false"}});
  ASSERT_TRUE(api);
  std::set<std::string> names;
  for (int i = 0; i < 60; ++i) {
    const std::string name = "it-" + std::to_string(i);
    ASSERT_EQ(api->Create(name), 201) << api->Log();
    names.insert(name);
    if (i % 20 == 10) {
      ASSERT_TRUE(spoold_->Kill());
      ASSERT_NO_FATAL_FAILURE(StartSpoold());
    }
  }
  ASSERT_TRUE(WaitUntil([&] { return AllThere(names); })) << api->Log();
  const auto created = Created();
  for (const std::string& name : names) EXPECT_EQ(created.count(name), 1u) << name;
}

}  // namespace
}  // namespace spool::testing
