#include "ingest/later_ids.h"

#include <gtest/gtest.h>

#include <string>

#include "ingest/identity.h"
#include "tests/support/ingest_fixture.h"

namespace spool {
namespace {

Event Made(const Hash128& id, std::string_view data) {
  EventView view;
  view.id = id;
  view.data = data;
  return MakeEvent(view, {0});
}

TEST(LaterIds, EveryEventEndsWithTheIdThatItWouldHaveHadAtOnce) {
  LaterIds later;
  std::vector<Event> events;
  std::vector<Hash128> wanted;
  for (size_t i = 0; i < 100; ++i) {
    const std::string text(i * i, static_cast<char>('a' + i % 26));
    const std::string number = std::to_string(i);
    wanted.push_back(IdentityOf("test", {number, text}));
    Event event = Made(later.Of("test", {number, text}), text);
    if (i % 7 == 3) static_cast<void>(later.Of("of no event", {number}));
    if (i % 7 == 5) event = Made(wanted.back() = IdentityOf("at once", {number}), text);
    later.Kept(event, events.size());
    if (i % 7 == 3) {  // its stand-in is not the last one any more
      SetEventId(event, wanted.back());
    }
    events.push_back(std::move(event));
    if (later.full()) later.Give(events);
  }
  later.Give(events);
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].id, wanted[i]) << i;
    EXPECT_EQ(DecodeRecord(events[i].record)->id, wanted[i]) << i;
  }
}

TEST(LaterIds, WhatIsResetIsGivenToNobody) {
  LaterIds later;
  std::vector<Event> events;
  events.push_back(Made(later.Of("test", {"a"}), "x"));
  const Hash128 stand_in = events[0].id;
  later.Kept(events[0], 0);
  later.Reset();
  later.Give(events);
  EXPECT_EQ(events[0].id, stand_in);
}

// Whatever stands together in a request: each event has the id that it has alone.
TEST(LaterIds, ARequestOfManyGivesTheIdsOfManyRequests) {
  IngestFixture ingest({.cluster = "c"});
  std::vector<std::string> records;
  for (int i = 0; i < 100; ++i) {
    const std::string n = std::to_string(i);
    const std::string padding(static_cast<size_t>(i * 97 % 12'000), 'p');  // long ones, too
    if (i % 3 == 0) {
      records.push_back(
          R"({"apiVersion":"v1","kind":"Event","reason":"Started","metadata":{"uid":"u)" + n +
          R"(","resourceVersion":"1"},"involvedObject":{"kind":"Pod","name":"p"},"message":")" +
          padding + "\"}");
    } else if (i % 7 == 1) {
      records.push_back("{\"not\": " + n);  // cannot be read
    } else {
      records.push_back(R"({"apiVersion":"audit.k8s.io/v1","kind":"Event","auditID":"a)" + n +
                        R"(","stage":"ResponseComplete","verb":"get","requestURI":"/api/)" +
                        padding + R"(","user":{"username":"u"}})");
    }
  }
  std::string lines;
  for (const std::string& record : records) lines += record + "\n";
  const auto together = ingest.Events("/v1/events", lines, "application/x-ndjson");
  ASSERT_EQ(together.size(), records.size());
  int compared = 0;
  for (size_t i = 0; i < records.size(); ++i) {
    if (together[i].view.producer != "k8s-event" && together[i].view.producer != "k8s-audit")
      continue;
    if (together[i].stream == "quarantine") continue;
    ++compared;
    EXPECT_EQ(together[i].view.id, ingest.One("/v1/events", records[i]).view.id) << i;
    EXPECT_EQ(together[i].event.id, together[i].view.id);
  }
  EXPECT_GT(compared, 80);
}

}  // namespace
}  // namespace spool
