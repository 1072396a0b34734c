// Fluent Bit's MessagePack becomes what its JSON would have been, and a broken one costs little.
#include "ingest/msgpack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "tests/support/ingest_fixture.h"
#include "tests/support/linear_time.h"

namespace spool {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::string Pack(const json& value) {
  const std::vector<uint8_t> bytes = json::to_msgpack(value);
  return {bytes.begin(), bytes.end()};
}
std::string Big32(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}
// Fluentd's EventTime: extension type 0 of eight bytes.
std::string EventTime(uint32_t seconds, uint32_t nanos) {
  return std::string("\xd7\x00", 2) + Big32(seconds) + Big32(nanos);
}
// [[time, metadata], record]
std::string Entry(const std::string& time, const json& metadata, const json& record) {
  return "\x92\x92" + time + Pack(metadata) + Pack(record);
}

std::vector<ReadBack> Take(IngestFixture& ingest, const std::string& body) {
  return ingest.Events("/fluentbit", body, "application/msgpack");
}

TEST(Msgpack, RecordsBecomeTheJsonThatFluentBitWouldSend) {
  IngestFixture ingest({.cluster = "c"});
  const json event = json::parse(EventText{}.Json());
  const auto events =
      Take(ingest, Entry(EventTime(1795155095, 402113007), json::object(), event) +
                       Entry(EventTime(1795155096, 0), {{"k", "v"}}, {{"a", 1}}) + "\x92" +
                       Pack(1795155097.5) + Pack({{"log", "old form"}, {"n", -5}, {"t", true}}));
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(ingest.quarantined, 0U);
  EXPECT_EQ(events[0].view.producer, "fluent-bit");
  EXPECT_EQ(events[0].view.type, "io.k8s.event.v1");
  EXPECT_THAT(std::string(events[0].view.data), HasSubstr("{\"date\":1795155095.402113007,"));
  json data = json::parse(events[0].view.data);
  data.erase("date");
  EXPECT_EQ(data, event);
  EXPECT_EQ(events[1].view.data,
            R"({"date":1795155096.0,"__internal__":{"log_metadata":{"k":"v"}},"a":1})");
  EXPECT_EQ(FormatTime(events[1].view.time), "2026-11-20T06:11:36.000000Z");
  EXPECT_EQ(events[2].view.data, R"({"date":1795155097.5,"log":"old form","n":-5,"t":true})");
}

// Every type and size of the format, against a library that knows it.
TEST(Msgpack, EveryTypeIsRead) {
  std::mt19937_64 random(7);
  const std::function<json(int)> make = [&](int depth) -> json {
    const auto pick = [&](uint64_t n) { return random() % n; };
    switch (pick(depth > 0 ? 9 : 7)) {
      case 0: return nullptr;
      case 1: return pick(2) == 0;
      case 2: return static_cast<int64_t>(random()) >> pick(64);
      case 3: return random() >> pick(64);
      case 4: return static_cast<double>(static_cast<int64_t>(random())) / 1024;
      case 5: return std::string(pick(3) == 0 ? pick(70'000) : pick(300), 'x');
      case 6: return "\x01\"\\\xc3\xa4";
      case 7: {
        json list = json::array();
        for (size_t i = pick(3) == 0 ? pick(40) : pick(4); i > 0; --i)
          list.push_back(make(depth - 1));
        return list;
      }
      default: {
        json map = json::object();
        for (size_t i = pick(3) == 0 ? pick(40) : pick(4); i > 0; --i) {
          map["k" + std::to_string(i)] = make(depth - 1);
        }
        return map;
      }
    }
  };
  IngestFixture ingest;
  for (int round = 0; round < 200; ++round) {
    json record = {{"v", make(4)}};
    const auto events = Take(ingest, Entry(EventTime(1, 0), json::object(), record));
    ASSERT_EQ(events.size(), 1U);
    json data = json::parse(events[0].view.data);
    data.erase("date");
    EXPECT_EQ(data, record);
  }
}

TEST(Msgpack, NumbersThatJsonDoesNotHaveAreNull) {
  IngestFixture ingest;
  const auto events = Take(ingest, Entry(EventTime(9, 5), json::object(),
                                         {{"a", std::nan("")}, {"b", HUGE_VAL}, {"c", 1.5}}));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].view.data, R"({"date":9.000000005,"a":null,"b":null,"c":1.5})");
}

TEST(Msgpack, MarksOfGroupsAreNoRecords) {
  IngestFixture ingest;
  const auto events =
      Take(ingest, Entry(EventTime(0xFFFFFFFF, 0), json::object(), {{"g", 1}}) +
                       Entry(EventTime(5, 0), json::object(), {{"a", 1}}) +
                       Entry(EventTime(0xFFFFFFFE, 0), json::object(), json::object()));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].view.data, R"({"date":5.0,"a":1})");
}

TEST(Msgpack, ABrokenRecordCostsOnlyItself) {
  IngestFixture ingest;
  json deep = 1;
  for (int i = 0; i < 80; ++i) deep = json::array({deep});
  const auto events =
      Take(ingest, Entry(EventTime(5, 0), json::object(), {{"a", 1}}) + Pack("no record") +
                       Entry(EventTime(5, 0), json::object(), {{"deep", deep}}) +
                       Entry(EventTime(6, 0), json::object(), {{"b", 1}}));
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(ingest.quarantined, 2U);
  EXPECT_EQ(events[1].stream, "quarantine");
  EXPECT_EQ(events[2].stream, "quarantine");
  EXPECT_THAT(std::string(events[2].view.data), HasSubstr("invalid_msgpack"));
  EXPECT_EQ(events[3].view.data, R"({"date":6.0,"b":1})");
}

TEST(Msgpack, ABodyThatIsCutOffKeepsWhatCameWhole) {
  IngestFixture ingest;
  const std::string whole = Entry(EventTime(5, 0), json::object(), {{"a", 1}});
  const std::string body = whole + Entry(EventTime(6, 0), json::object(), {{"long", "0123456789"}});
  for (size_t size = whole.size() + 1; size < body.size(); ++size) {
    const auto events = Take(ingest, body.substr(0, size));
    ASSERT_EQ(events.size(), 2U) << size;
    EXPECT_EQ(ingest.quarantined, 1U);
    EXPECT_EQ(events[0].view.data, R"({"date":5.0,"a":1})");
  }
  const auto refused = ingest.Decode("/fluentbit", "\xc1\xc1", "application/msgpack");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 400);
  EXPECT_EQ(refused.error().code, "invalid_msgpack");
  EXPECT_EQ(ingest.quarantine.size(), 1U);
}

// Lengths that promise more than there is take no memory and no time.
TEST(Msgpack, WhatIsPromisedIsNotBelieved) {
  IngestFixture ingest;
  for (const std::string_view body :
       {std::string_view("\xdd\xff\xff\xff\xff", 5), std::string_view("\xdf\xff\xff\xff\xff", 5),
        std::string_view("\xdb\xff\xff\xff\xff", 5), std::string_view("\xc6\xff\xff\xff\xff", 5),
        std::string_view("\xc9\xff\xff\xff\xff\x00", 6)}) {
    EXPECT_FALSE(ingest.Decode("/fluentbit", body, "application/msgpack"));
    EXPECT_FALSE(
        ingest.Decode("/fluentbit", "\x92\x92\x01\x80" + std::string(body), "application/msgpack"));
  }
  EXPECT_LT(GrowthOverEightfold(
                4'000, [](size_t n) { return std::string(n, '\x91') + "\x01"; },
                [&](const std::string& body) {
                  EXPECT_FALSE(ingest.Decode("/fluentbit", body, "application/msgpack"));
                }),
            kGrowthMax);
}

}  // namespace
}  // namespace spool
