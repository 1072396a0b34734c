// POST /api/v1/targets/{name}:test: one event, sent by a sink of its own beside the target's.
#include <algorithm>

#include "app/admin_handlers.h"
#include "app/api_answer.h"
#include "app/event_search.h"
#include "app/json_writer.h"
#include "app/request_body.h"
#include "base/log.h"
#include "forward/envelope.h"
#include "forward/sink_factory.h"

namespace spool {
namespace {

constexpr Millis kProbeMax{20000};
// What a probe says of itself where a replay has its job's id.
constexpr std::string_view kReplay = "test";

std::string_view OutcomeName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kRetry: return "retry";
    case Verdict::kDelivered: return "delivered";
    case Verdict::kDuplicate: return "duplicate";
    case Verdict::kHold: return "hold";
    case Verdict::kReject:
    case Verdict::kRefusedTogether: return "rejected";
    case Verdict::kTooLarge: return "too_large";
  }
  return "retry";
}

net::HttpResponse Probe(const AdminCall& call, const TargetConfig& target, const EventView& event) {
  const Result<std::unique_ptr<Sink>> sink = MakeSink(target.settings.sink);
  if (!sink) return AnswerOf(sink.error());
  std::string body;
  if ((*sink)->encoding() == Encoding::kCloudEvent) AppendCloudEvent(body, event, kReplay);
  const Message message{.event = &event, .body = body, .replay = kReplay};
  Outcome outcome;
  const SteadyTime began = call.context.clock->Steady();
  (*sink)->Deliver({&message, 1}, {&outcome, 1},
                   began + std::min(kProbeMax, target.settings.sink.timeout.request), call.stop);
  const Micros took = call.context.clock->Steady() - began;
  log::Info(
      "A test event was sent to a target as an operator asked.",
      {{"target", call.name}, {"outcome", OutcomeName(outcome.verdict)}, {"code", outcome.code}});
  JsonWriter out;
  out.BeginObject()
      .Field("target", call.name)
      .Field("event_id", event.id.Hex())
      .Field("outcome", OutcomeName(outcome.verdict))
      .TextOrNull("where", (*sink)->Show(message).where)
      .TextOrNull("code", outcome.code)
      .TextOrNull("excerpt", outcome.excerpt)
      .Field("seconds", static_cast<double>(took.count()) / 1e6)
      .EndObject();
  return JsonAnswer(out.Take());
}

net::HttpResponse ProbeWithOwnEvent(const AdminCall& call, const TargetConfig& target) {
  const SystemTime now = call.context.clock->Now();
  const Journal& journal = call.parts.journal;
  std::string data = R"({"message":"A test of spool; nothing has happened.","target":)";
  AppendJsonString(data, call.name);
  data += '}';
  EventView event;
  event.id = Sha256Prefix("test " + call.name + " " + std::to_string(ToMicros(now)));
  event.stream_id = journal.FindStream("kubernetes-events").value_or(StreamId{});
  event.stream = journal.StreamName(event.stream_id);
  event.time = event.accepted = now;
  event.source = "/spool/test";
  event.type = "dev.spool.test.v1";
  event.producer = "json";
  event.reason = "Test";
  event.cluster = call.parts.config.cluster;
  event.content_type = "application/json";
  event.data = data;
  return Probe(call, target, event);
}

}  // namespace

net::HttpResponse TestTarget(const AdminCall& call) {
  const auto& targets = call.parts.config.targets;
  const auto target = std::ranges::find_if(
      targets, [&](const TargetConfig& t) { return t.settings.name == call.name; });
  if (target == targets.end()) {
    return net::Problem(404, "not_found", "There is no target of that name.");
  }
  const auto body = ReadBody(call, {"sequence"});
  if (!body) return AnswerOf(body.error());
  const auto sequence = body->SequenceOf("sequence");
  if (!sequence) return ProbeWithOwnEvent(call, *target);
  net::HttpResponse response;
  const Status looked = LookUpEvent(*sequence, call.parts.journal, [&](const EventView& event) {
    response = Probe(call, *target, event);
  });
  if (!looked && looked.error().code == Code::kNotFound) {
    return net::Problem(404, "event_not_found", "There is no event of that sequence.");
  }
  return looked ? response : AnswerOf(looked.error());
}

}  // namespace spool
