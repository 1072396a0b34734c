// Every producer posts to a real spoold as it is configured, and a person sees what came of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "tests/support/app_http.h"
#include "tests/support/ctl_fixture.h"
#include "tests/support/sample_index.h"
#include "tests/support/spoold_process.h"

namespace spool::testing {
namespace {

using nlohmann::json;

// A spoold with one http source, in a directory of its own.
class ProducersTest : public ::testing::Test {
 protected:
  void Start(const std::string& more = {}) {
    std::ofstream(dir_ / "spool.yaml")
        << "version: 1\ncluster: { name: prod-eu }\nlog: { format: json }\n"
           "journal: { disk_reserve: 0 }\nadmin: { address: 127.0.0.1:0 }\n"
           "sources: { web: { type: http, address: 127.0.0.1:0 } }\n"
           "targets: { sink: { type: \"null\" } }\n"
        << more;
    spoold_ = std::make_unique<Spoold>(
        std::vector<std::string>{"--config", dir_ / "spool.yaml", "--data-dir", dir_ / "data"},
        dir_ / "log");
    static const std::regex kUp(R"re(is up.*"ingest":"([^"]+)".*"admin":"([^"]+)")re");
    std::smatch found;
    std::string log;
    ASSERT_TRUE(WaitUntil([&] {
      std::ifstream in(dir_ / "log");
      log.assign(std::istreambuf_iterator<char>(in), {});
      return std::regex_search(log, found, kUp);
    })) << log;
    ingest_ = found[1].str();
    admin_ = found[2].str();
  }

  HttpReply Post(const ProducerSample& sample) const {
    HttpHeaders headers = sample.headers;
    headers.emplace_back("Content-Type", sample.content_type);
    return Call("POST", ingest_, sample.path, sample.body, headers);
  }

  // As `spoolctl events ls` shows them, in the order in which they were stored.
  std::vector<json> Events(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> args = {"--server", "http://" + admin_, "events", "ls", "--since",
                                     "1h",       "--limit",          "1000",   "-o", "json"};
    args.insert(args.end(), more.begin(), more.end());
    const CtlResult result = RunCtl(args);
    EXPECT_EQ(result.exit, 0) << result.err;
    const json parsed = json::parse(result.out, nullptr, false);
    EXPECT_TRUE(parsed.is_array()) << result.out.substr(0, 300);
    std::vector<json> events;
    if (parsed.is_array()) events.assign(parsed.begin(), parsed.end());
    std::sort(events.begin(), events.end(), [](const json& a, const json& b) {
      return std::stoull(a["sequence"].get<std::string>()) <
             std::stoull(b["sequence"].get<std::string>());
    });
    return events;
  }

  const AppDir dir_;
  std::string ingest_, admin_;
  std::unique_ptr<Spoold> spoold_;
};

TEST_F(ProducersTest, EachIsUnderstoodAsWhatItIs) {
  Start();
  ASSERT_FALSE(HasFatalFailure());
  std::set<std::string> categories;
  size_t seen = 0;
  for (const ProducerSample& sample : ProducerSamples()) {
    const HttpReply reply = Post(sample);
    EXPECT_EQ(reply.status, 200) << sample.name << ": " << reply.body;
    std::vector<json> events;
    // An admission review is answered before it is stored.
    ASSERT_TRUE(WaitUntil([&] {
      events = Events();
      return events.size() >= seen + sample.events.size();
    })) << sample.name;
    ASSERT_EQ(events.size(), seen + sample.events.size()) << sample.name;
    // Within one request streams keep their own order, so each finds its own.
    std::vector<json> fresh(events.begin() + static_cast<std::ptrdiff_t>(seen), events.end());
    for (const json& expected : sample.events) {
      const auto found = std::find_if(fresh.begin(), fresh.end(), [&](const json& event) {
        return Mismatch(expected, event).empty();
      });
      if (found == fresh.end()) {
        ADD_FAILURE() << sample.name << " has no " << expected << "\nbut:\n" << json(fresh).dump(1);
        continue;
      }
      EXPECT_EQ((*found)["id"].get<std::string>().size(), 32U);
      EXPECT_EQ(found->value("cluster", ""), "prod-eu");
      if (found->contains("category")) {
        categories.insert((*found)["category"].get<std::string>() + "/" +
                          (*found)["subcategory"].get<std::string>());
      }
      fresh.erase(found);
    }
    seen = events.size();
  }
  EXPECT_EQ(Events({"--stream", "quarantine"}).size(), 0U);
  // Every one that there is.
  EXPECT_THAT(categories,
              ::testing::UnorderedElementsAre(
                  "infrastructure/node", "infrastructure/pod", "infrastructure/storage",
                  "infrastructure/network", "infrastructure/resource", "security/rbac",
                  "security/pod-security", "security/image", "security/network-policy",
                  "security/certificate", "security/runtime", "admission/validating",
                  "admission/mutating", "admission/quota", "admission/limitrange"));
}

// What a producer sends once more, because it did not hear our answer, is stored once.
TEST_F(ProducersTest, WhatComesAgainIsKnownAgain) {
  Start();
  ASSERT_FALSE(HasFatalFailure());
  const std::vector<ProducerSample> samples = ProducerSamples();
  size_t expected = 0, once_more = 0;
  for (const ProducerSample& sample : samples) {
    EXPECT_EQ(Post(sample).status, 200) << sample.name;
    expected += sample.events.size();
    if (sample.fresh) once_more += sample.events.size();
  }
  ASSERT_TRUE(WaitUntil([&] { return Events().size() >= expected; }));
  std::set<std::string> ids;
  for (const json& event : Events()) ids.insert(event["id"]);
  EXPECT_EQ(ids.size(), expected);
  for (auto it = samples.rbegin(); it != samples.rend(); ++it) {
    EXPECT_EQ(Post(*it).status, 200) << it->name;
  }
  ASSERT_TRUE(WaitUntil([&] {
    const json source = Call("GET", admin_, "/api/v1/sources").Json()["items"][0];
    return source["events"].get<size_t>() + source["duplicates"].get<size_t>() >= 2 * expected;
  }));
  EXPECT_EQ(Events().size(), expected + once_more);
}

TEST_F(ProducersTest, EachIsAnsweredAsItNeeds) {
  Start();
  ASSERT_FALSE(HasFatalFailure());
  for (const ProducerSample& sample : ProducerSamples()) {
    const HttpReply reply = Post(sample);
    EXPECT_EQ(reply.status, 200) << sample.name;
    if (!sample.answer.is_null()) {
      const json answer = reply.Json();
      EXPECT_EQ(answer["kind"], "AdmissionReview");
      EXPECT_EQ(answer["apiVersion"], sample.answer["apiVersion"]);
      EXPECT_EQ(answer["response"]["uid"], sample.answer["uid"]);
      EXPECT_EQ(answer["response"]["allowed"], true);
      EXPECT_EQ(answer["response"].size(), 2U);
    } else if (sample.path == "/v1/logs") {
      EXPECT_EQ(reply.body, "{}");
      EXPECT_EQ(reply.content_type, "application/json");
    } else if (sample.path != "/v1/events") {
      EXPECT_EQ(reply.body, "") << sample.name;
      EXPECT_EQ(reply.content_type, "") << sample.name;
    }
  }
}

}  // namespace
}  // namespace spool::testing
