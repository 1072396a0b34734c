#include "spool/body.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "spool/event.h"

namespace spool {
namespace {

// An event that owns its texts.
struct Owned {
  std::string kind, namespace_, name, subject, source, type, reason, extensions, data;
  int64_t time = 0;
  Hash128 problem_key;
  Severity severity = Severity::kInfo;
  bool json = true;

  EventView View() const {
    EventView view;
    view.kind = kind;
    view.namespace_ = namespace_;
    view.name = name;
    view.subject = subject;
    view.source = source;
    view.type = type;
    view.reason = reason;
    view.extensions = extensions;
    view.data = data;
    view.time = FromMicros(time);
    view.problem_key = problem_key;
    view.severity = severity;
    view.json = json;
    return view;
  }
};

// As one record, which has every field.
std::string RecordOf(const EventView& view) { return MakeEvent(view, {0}).record; }

std::string BodyOf(BodyEncoder& encoder) {
  std::string body = "of another";
  encoder.TakeInto(body);
  return body;
}

void ExpectRoundTrip(const std::vector<Owned>& events) {
  BodyEncoder encoder;
  for (int round = 0; round < 2; ++round) {  // the encoder begins anew after TakeInto
    for (const Owned& event : events) encoder.Add(event.View());
    const std::string body = BodyOf(encoder);
    auto reader = BodyReader::Open(body);
    ASSERT_TRUE(reader);
    std::vector<EventView> read(events.size());
    for (EventView& view : read) ASSERT_TRUE(reader->Next(&view));
    EventView none;
    EXPECT_FALSE(reader->Next(&none));
    for (size_t i = 0; i < events.size(); ++i) {  // all at the end: nothing moved meanwhile
      EXPECT_EQ(RecordOf(read[i]), RecordOf(events[i].View())) << "event " << i;
    }
  }
}

TEST(Body, GivesEveryFieldBackAsItWas) {
  Owned pod{.kind = "Pod", .namespace_ = "shop", .name = "api-1", .subject = "Pod/shop/api-1"};
  pod.data = R"({"involvedObject":{"kind":"Pod","namespace":"shop","name":"api-1"}})";
  Owned other = pod;
  other.name = "worker-22";
  other.subject = "Pod/shop/worker-22";
  other.data = R"({"involvedObject":{"kind":"Pod","namespace":"shop","name":"worker-22"}})";
  other.problem_key = FastHash128("trouble");
  other.severity = Severity::kEmergency;
  Owned node{.kind = "Node", .name = "n1", .subject = "Node/n1", .data = "{}"};
  node.time = -5;
  Owned odd{.kind = "Pod", .namespace_ = "shop", .name = "api-1", .subject = "Pod/shopapi-1/"};
  odd.data = "not json at all";
  odd.json = false;
  odd.time = std::numeric_limits<int64_t>::max();
  Owned empty;
  empty.time = std::numeric_limits<int64_t>::min();
  Owned far{.name = "far-away", .data = std::string(5000, ' ') + "far-away"};
  ExpectRoundTrip({pod, other, node, odd, empty, far, pod, other, odd});
}

TEST(Body, GivesRandomEventsBack) {
  std::mt19937_64 random(7);
  const auto text = [&](size_t max) {
    std::string out(random() % (max + 1), ' ');
    for (char& c : out) c = static_cast<char>('a' + random() % 3);
    return out;
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<Owned> events;
    for (uint64_t i = random() % 20; i > 0; --i) {
      Owned e{.kind = text(3), .namespace_ = text(6), .name = text(8), .source = text(5)};
      e.type = text(2);
      e.reason = text(9);
      e.extensions = text(4);
      e.data = text(200);
      const std::string composed =
          e.kind + "/" + (e.namespace_.empty() ? "" : e.namespace_ + "/") + e.name;
      e.subject = random() % 2 == 0 ? composed : text(12);
      e.time = static_cast<int64_t>(random());
      if (random() % 2 == 0) e.problem_key = FastHash128(text(1));
      e.json = random() % 2 == 0;
      events.push_back(std::move(e));
    }
    ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(events));
  }
}

TEST(Body, WhatThePayloadSaysAlreadyCostsNextToNothing) {
  const std::string uid(36, 'u');
  const auto size = [&](bool named) {
    BodyEncoder encoder;
    for (int i = 0; i < 1000; ++i) {
      Owned e;
      const std::string name = "api-" + std::to_string(100000 + i);
      e.data = R"({"metadata":{"namespace":"payments","name":")" + name + R"("},"kind":"Pod"})";
      if (named) {
        e.kind = "Pod";
        e.namespace_ = "payments";
        e.name = name;
        e.subject = "Pod/payments/" + name;
        e.source = "/clusters/prod-eu";
        e.reason = "BackOff";
      }
      encoder.Add(e.View());
    }
    return BodyOf(encoder).size();
  };
  EXPECT_LT(size(true), size(false) + 8 * 1000);
}

TEST(Body, DamagedBytesAreRefusedOrReadAndNeverReadBeyond) {
  BodyEncoder encoder;
  Owned pod{.kind = "Pod", .namespace_ = "shop", .name = "api-1", .subject = "Pod/shop/api-1"};
  pod.data = R"({"name":"api-1","namespace":"shop"})";
  pod.problem_key = FastHash128("x");
  for (int i = 0; i < 3; ++i) encoder.Add(pod.View());
  const std::string body = BodyOf(encoder);
  for (size_t at = 0; at < body.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string damaged = body;
      damaged[at] = static_cast<char>(value);
      auto reader = BodyReader::Open(damaged);
      if (!reader) continue;
      EventView view;
      size_t read = 0;
      while (read < 100 && reader->Next(&view)) {
        ++read;
        ASSERT_GE(view.data.data(), damaged.data());
        ASSERT_LE(view.data.data() + view.data.size(), damaged.data() + damaged.size());
        RecordOf(view);
      }
    }
  }
}

}  // namespace
}  // namespace spool
