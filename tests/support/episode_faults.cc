#include "tests/support/episode_faults.h"

#include <algorithm>
#include <ctime>
#include <utility>

namespace spool::testing {
namespace {

using std::chrono::milliseconds;
using Then = WayFault::Then;
using Door = ProxyFault::Door;
using Kind = HookScript::Kind;
using Random = std::mt19937_64;

size_t Some(Random& random, size_t from, size_t to) {
  return std::uniform_int_distribution<size_t>(from, to)(random);
}

// ---- on the way

enum class End { kHeal, kCut };

Fault OnTheWay(EpisodeRig& rig, Place place, const std::string& what, const ProxyFault& fault,
               End end = End::kHeal) {
  FaultProxy* proxy = &rig.proxy(place);
  return {what, false, false, [proxy, fault] { proxy->Set(fault); },
          [proxy, end] { end == End::kCut ? proxy->HealAndCut() : proxy->Heal(); }};
}

using MakeWay = std::function<Fault(EpisodeRig&, Place, Random&)>;

// Closed doors and silence.
void AddDoors(std::vector<MakeWay>& all) {
  all.push_back([](EpisodeRig& rig, Place place, Random&) {
    ProxyFault fault;
    fault.door = Door::kRefuse;
    fault.up = fault.down = {.then = Then::kReset};
    return OnTheWay(rig, place, "refused", fault);
  });
  all.push_back([](EpisodeRig& rig, Place place, Random&) {
    ProxyFault fault;
    fault.door = Door::kReset;
    fault.up = fault.down = {.then = Then::kReset};
    return OnTheWay(rig, place, "reset at the door", fault);
  });
  for (const End end : {End::kCut, End::kHeal}) {
    all.push_back([end](EpisodeRig& rig, Place place, Random& random) {
      ProxyFault fault;
      fault.door = Door::kBlackHole;
      fault.up = {.then = Then::kHold, .after = Some(random, 0, 1) * Some(random, 0, 8000)};
      fault.down = {.then = Then::kHold};
      return OnTheWay(rig, place,
                      end == End::kCut ? "black hole" : "black hole, and what was sent comes late",
                      fault, end);
    });
  }
  all.push_back([](EpisodeRig& rig, Place place, Random&) {
    ProxyFault fault;
    fault.up = {.then = Then::kSwallow};
    return OnTheWay(rig, place, "requests vanish", fault, End::kCut);
  });
  all.push_back([](EpisodeRig& rig, Place place, Random& random) {
    ProxyFault fault;
    fault.down = {.then = Then::kSwallow, .after = Some(random, 0, 1) * Some(random, 0, 600)};
    return OnTheWay(rig, place, "answers vanish", fault, End::kCut);
  });
}

// Slow ways.
void AddSlowness(std::vector<MakeWay>& all) {
  all.push_back([](EpisodeRig& rig, Place place, Random& random) {
    ProxyFault fault;
    fault.up = {.latency = milliseconds(Some(random, 1, 30)),
                .jitter = milliseconds(Some(random, 0, 40))};
    fault.down = {.latency = milliseconds(Some(random, 1, 30)),
                  .jitter = milliseconds(Some(random, 0, 40))};
    return OnTheWay(rig, place, "late and unsteady", fault);
  });
  all.push_back([](EpisodeRig& rig, Place place, Random& random) {
    ProxyFault fault;
    fault.up = {.bytes_per_second = Some(random, 1000, 30000)};
    fault.down = {.bytes_per_second = Some(random, 1000, 5000)};
    return OnTheWay(rig, place, "narrow", fault);
  });
  all.push_back([](EpisodeRig& rig, Place place, Random&) {
    ProxyFault fault;
    fault.up = fault.down = {.slice = 1};
    return OnTheWay(rig, place, "byte by byte", fault);
  });
}

// Connections that end, and bytes that are others.
void AddBreaks(std::vector<MakeWay>& all) {
  const auto add = [&all](const char* what, bool up, Then then, size_t most,
                          milliseconds slow_close = {}) {
    all.push_back([=](EpisodeRig& rig, Place place, Random& random) {
      const size_t after = Some(random, 0, most);
      ProxyFault fault;
      fault.slow_close = slow_close;
      (up ? fault.up : fault.down) = {.then = then, .after = after};
      return OnTheWay(rig, place, what + std::string(" after ") + std::to_string(after) + " bytes",
                      fault);
    });
  };
  add("requests reset", true, Then::kReset, 20000);
  add("answers reset", false, Then::kReset, 2000);
  add("requests cut", true, Then::kClose, 20000);
  add("answers cut", false, Then::kClose, 2000);
  add("each answer cut", false, Then::kClose, 0);
  add("half closed from us", true, Then::kHalfClose, 10000);
  add("half closed to us", false, Then::kHalfClose, 2000);
  add("closed slowly", false, Then::kHalfClose, 1000, milliseconds(400));
  add("garbage for answers", false, Then::kGarbage, 1000);
  add("nothing but garbage", false, Then::kGarbage, 0);
}

// ---- at a webhook

struct Said {
  const char* what;
  HookScript script;
  bool hold = false;
  bool nudge = false;
};

std::string HttpDate(int seconds_from_now) {
  const std::time_t at = std::time(nullptr) + seconds_from_now;
  std::tm parts{};
  gmtime_r(&at, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

HookScript Status(int status, const std::string& headers = {}, bool take = false) {
  HookScript script;
  script.status = status;
  script.headers = headers;
  script.take = take;
  return script;
}

HookScript Broken(Kind kind, bool take, int status = 200) {
  HookScript script;
  script.kind = kind;
  script.take = take;
  script.status = status;
  return script;
}

HookScript Poisoned(int status, uint64_t poison) {
  HookScript script = Status(status);
  script.poison = poison;
  return script;
}

HookScript Limited(size_t body_max) {
  HookScript script;
  script.body_max = body_max;
  return script;
}

HookScript Success(int status, const std::string& body) {
  HookScript script = Status(status);
  script.body = body;
  return script;
}

std::vector<Said> AllSaid() {
  std::vector<Said> all;
  for (const int status : {408, 409, 425, 429, 500, 502, 503, 504}) {
    all.push_back({"not now", Status(status)});
  }
  all.push_back({"taken, and 500", Status(500, {}, true)});
  all.push_back({"429, wait a second", Status(429, "Retry-After: 1\r\n")});
  all.push_back({"429, until a date", Status(429, "Retry-After: " + HttpDate(1) + "\r\n")});
  all.push_back(
      {"503, until a date long gone", Status(503, "Retry-After: " + HttpDate(-86400) + "\r\n")});
  all.push_back(
      {"429, wait for ages", Status(429, "Retry-After: 99999999999999999999\r\n"), false, true});
  all.push_back({"503, wait for what is no time", Status(503, "Retry-After: soon, -1\r\n")});
  for (const int status : {301, 302, 308}) {
    all.push_back({"moved", Status(status, "Location: http://127.0.0.1:1/\r\n"), true, true});
  }
  for (const int status : {401, 403, 404, 410, 415}) {
    all.push_back({"wrong address or credentials", Status(status), true, true});
  }
  for (const int status : {400, 422}) {
    all.push_back({"all refused", Status(status)});
    all.push_back({"some refused", Poisoned(status, 13)});
    all.push_back({"few refused", Poisoned(status, 101)});
  }
  all.push_back({"bodies limited", Limited(9000)});
  all.push_back({"bodies limited below some events", Limited(900)});
  all.push_back({"204", Success(204, "")});
  all.push_back({"202", Success(202, "later")});
  all.push_back({"200 and nonsense", Success(200, std::string("\0\xff{{{<html>", 11))});
  all.push_back({"silence", Broken(Kind::kSilence, false)});
  all.push_back({"taken, and silence", Broken(Kind::kSilence, true)});
  all.push_back({"taken, and an end", Broken(Kind::kClose, true)});
  all.push_back({"no HTTP", Broken(Kind::kNotHttp, false)});
  all.push_back({"taken, and half an answer", Broken(Kind::kTruncatedBody, true)});
  all.push_back({"200 and ten billion bytes", Broken(Kind::kHugeBody, false)});
  all.push_back({"500 and ten billion bytes", Broken(Kind::kHugeBody, false, 500)});
  all.push_back({"headers without end", Broken(Kind::kEndlessHeaders, true)});
  all.push_back({"one header without end", Broken(Kind::kHeadWithoutEnd, false)});
  all.push_back({"100 Continue without end", Broken(Kind::kContinueFlood, false)});
  all.push_back({"100 Continue a few times", Broken(Kind::kContinuesThenAnswer, false)});
  return all;
}

Fault AtTheHook(EpisodeRig& rig, Place place, const Said& said) {
  HookReceiver* receiver = &rig.receiver(place);
  const std::string status = said.script.kind == Kind::kAnswer && said.script.body_max == SIZE_MAX
                                 ? " (" + std::to_string(said.script.status) + ")"
                                 : "";
  return {said.what + status, said.hold, said.nudge,
          [receiver, script = said.script] { receiver->Set(script); },
          [receiver] { receiver->Set({}); }};
}

// ---- at NATS and Kafka

void AddServers(std::vector<FaultKind>& all) {
  using Make = Fault (*)(EpisodeRig&);
  const auto add = [&all](Place place, Make make) {
    all.push_back({place, true, [make](EpisodeRig& rig, Random&) { return make(rig); }});
  };
  add(Place::kNats, [](EpisodeRig& rig) {
    return Fault{"nats-server killed", false, false, [&rig] { rig.nats().Kill(); },
                 [&rig] { rig.nats().Restart(); }};
  });
  add(Place::kNats, [](EpisodeRig& rig) {
    return Fault{"nats-server stopped", false, false, [&rig] { rig.nats().Pause(); },
                 [&rig] { rig.nats().Continue(); }};
  });
  add(Place::kKafka, [](EpisodeRig& rig) {
    return Fault{"broker killed", false, false, [&rig] { rig.kafka().Kill(); },
                 [&rig] { rig.kafka().Restart(); }};
  });
  add(Place::kKafka, [](EpisodeRig& rig) {
    return Fault{"broker stopped", false, false, [&rig] { rig.kafka().Pause(); },
                 [&rig] { rig.kafka().Continue(); }};
  });
  add(Place::kNats, [](EpisodeRig& rig) {
    return Fault{"stream full", true, true,
                 [&rig] {
                   // With room for what comes meanwhile: a limit below what it holds makes the
                   // server throw its oldest away.
                   rig.nats().LimitStream(
                       EpisodeRig::kStream,
                       rig.nats().Count(EpisodeRig::kStream) + 4 * EpisodeRig::kBatchEvents);
                 },
                 [&rig] { rig.nats().LimitStream(EpisodeRig::kStream, 0); }};
  });
}

void MakeStream(EpisodeRig& rig) {
  NatsStreamOptions stream;
  stream.duplicate_window_millis = 3'600'000;
  rig.nats().AddStream(EpisodeRig::kStream, {"episodes.>"}, stream);
}

// A store that goes with all that is in it, while nothing is on its way, or while everything is:
// then no confirmation gets through any more when its contents are looked at.
void AddLosses(std::vector<FaultKind>& all) {
  for (const Place place : {Place::kNats, Place::kKafka}) {
    for (const bool calm : {true, false}) {
      const auto gone = [place, calm](EpisodeRig& rig) {
        if (calm) {
          rig.Calm(place);
        } else {
          ProxyFault still;
          still.up = still.down = {.then = Then::kHold};
          rig.proxy(place).Set(still);
        }
        rig.Keep(place);
        place == Place::kNats ? rig.nats().DeleteStream(EpisodeRig::kStream)
                              : rig.kafka().DeleteTopic(EpisodeRig::kTopic);
        calm ? rig.Resume() : rig.proxy(place).HealAndCut();
      };
      const auto back = [place](EpisodeRig& rig) {
        place == Place::kNats
            ? MakeStream(rig)
            : void(rig.kafka().CreateTopic(EpisodeRig::kTopic, EpisodeRig::kPartitions));
      };
      const std::string what = std::string(place == Place::kNats ? "stream" : "topic") +
                               (calm ? " deleted" : " deleted while it is written to");
      all.push_back({place, true, [=](EpisodeRig& rig, Random&) {
                       return Fault{what, true, true, [&rig, gone] { gone(rig); },
                                    [&rig, back] { back(rig); }};
                     }});
    }
  }
}

}  // namespace

std::vector<FaultKind> AllFaults() {
  std::vector<FaultKind> all;
  std::vector<MakeWay> ways;
  AddDoors(ways);
  AddSlowness(ways);
  AddBreaks(ways);
  for (const Place place : kAllPlaces) {
    for (const MakeWay& way : ways) {
      all.push_back({place, false, [place, way](EpisodeRig& rig, Random& random) {
                       return way(rig, place, random);
                     }});
    }
  }
  for (const Place place : {Place::kHook, Place::kBatch}) {
    for (size_t i = 0; i < AllSaid().size(); ++i) {
      all.push_back({place, false, [place, i](EpisodeRig& rig, Random&) {
                       return AtTheHook(rig, place, AllSaid()[i]);  // dates are of now
                     }});
    }
  }
  AddServers(all);
  AddLosses(all);
  return all;
}

FaultDeck::FaultDeck(uint64_t seed, size_t soon) : kinds_(AllFaults()), random_(seed) {
  Shuffle(soon);
}

void FaultDeck::Shuffle(size_t soon) {
  deck_.resize(kinds_.size());
  for (size_t i = 0; i < deck_.size(); ++i) deck_[i] = i;
  std::ranges::shuffle(deck_, random_);
  soon = std::min(soon, deck_.size());
  if (soon == 0) return;
  // The places from which the next `soon` are drawn are at the end.
  for (size_t i = 0; i + soon < deck_.size(); ++i) {
    if (!kinds_[deck_[i]].server) continue;
    size_t with = 0;
    do {
      with = deck_.size() - 1 - Some(random_, 0, soon - 1);
    } while (kinds_[deck_[with]].server);
    std::swap(deck_[i], deck_[with]);
  }
}

const FaultKind& FaultDeck::Draw(const std::vector<Place>& but) {
  while (true) {
    for (size_t i = deck_.size(); i-- > 0;) {
      const size_t kind = deck_[i];
      if (std::ranges::find(but, kinds_[kind].place) != but.end()) continue;
      deck_.erase(deck_.begin() + static_cast<std::ptrdiff_t>(i));
      return kinds_[kind];
    }
    Shuffle(0);
  }
}

}  // namespace spool::testing
