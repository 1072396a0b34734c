#include "ingest/later_ids.h"

#include <gtest/gtest.h>

#include <string>

#include "ingest/identity.h"

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

}  // namespace
}  // namespace spool
