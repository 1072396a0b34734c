#include <algorithm>

#include "app/admin_handlers.h"
#include "app/api_answer.h"
#include "app/json_views.h"
#include "app/request_body.h"
#include "base/log.h"
#include "base/time_text.h"
#include "spool/cursor.h"
#include "spool/records.h"

namespace spool {
namespace {

Forwarder* Find(const AdminCall& call) {
  const auto it = call.parts.targets.find(call.name);
  return it == call.parts.targets.end() ? nullptr : it->second;
}

net::HttpResponse NoSuchTarget() {
  return net::Problem(404, "not_found", "There is no target of that name.");
}

net::HttpResponse Show(const AdminCall& call, const Forwarder& forwarder) {
  JsonWriter out;
  WriteTarget(out, forwarder.status(), call.context.clock->Now());
  return JsonAnswer(out.Take());
}

// The place that an operator named: a sequence, or the first event accepted at or after a time.
Result<Sequence> PlaceOf(const RequestBody& body, const AdminCall& call, bool* by_time) {
  *by_time = false;
  if (const auto sequence = body.SequenceOf("to")) return *sequence;
  const auto text = body.Text("to");
  if (!text) return Fail(Code::kInvalid, "The member 'to' takes a time or a sequence.");
  if (!*text) return Fail(Code::kInvalid, "The member 'to' is missing: a time or a sequence.");
  const Result<SystemTime> time = ParseWhen(**text, call.context.clock->Now());
  if (!time) return Fail("The member 'to' is neither a sequence nor a time", time.error());
  *by_time = true;
  return call.parts.journal.Find(*time);
}

}  // namespace

net::HttpResponse ListTargets(const AdminCall& call) {
  const SystemTime now = call.context.clock->Now();
  JsonWriter out;
  out.BeginObject().Key("items").BeginArray();
  for (const auto& [name, forwarder] : call.parts.targets) {
    WriteTarget(out, forwarder->status(), now);
  }
  out.EndArray().EndObject();
  return JsonAnswer(out.Take());
}

net::HttpResponse GetTarget(const AdminCall& call) {
  const Forwarder* forwarder = Find(call);
  return forwarder == nullptr ? NoSuchTarget() : Show(call, *forwarder);
}

net::HttpResponse PauseTarget(const AdminCall& call) {
  Forwarder* forwarder = Find(call);
  if (forwarder == nullptr) return NoSuchTarget();
  if (const Status done = forwarder->Pause(); !done) return AnswerOf(done.error());
  return Show(call, *forwarder);
}

net::HttpResponse ResumeTarget(const AdminCall& call) {
  Forwarder* forwarder = Find(call);
  if (forwarder == nullptr) return NoSuchTarget();
  if (const Status done = forwarder->Resume(); !done) return AnswerOf(done.error());
  return Show(call, *forwarder);
}

net::HttpResponse SkipTarget(const AdminCall& call) {
  Forwarder* forwarder = Find(call);
  if (forwarder == nullptr) return NoSuchTarget();
  const auto body = ReadBody(call, {"to"});
  if (!body) return AnswerOf(body.error());
  bool by_time = false;
  const Result<Sequence> to = PlaceOf(*body, call, &by_time);
  if (!to) return AnswerOf(to.error());
  const uint64_t before = forwarder->status().account.skipped;
  if (const Status done = forwarder->SkipTo(*to); !done) {
    // Who says "to now" to a target that came there by itself has what was wanted.
    const bool there = by_time && forwarder->status().cursor >= *to;
    if (done.error().code != Code::kInvalid || !there) return AnswerOf(done.error());
  }
  const uint64_t skipped = forwarder->status().account.skipped - before;
  Note(call, "place", to->value);
  Note(call, "skipped", skipped);
  JsonWriter out;
  out.BeginObject().Field("target", call.name).Field("skipped", skipped).EndObject();
  return JsonAnswer(out.Take());
}

net::HttpResponse RemoveTarget(const AdminCall& call) {
  const bool configured = std::ranges::any_of(
      call.parts.config.targets,
      [&](const TargetConfig& target) { return target.settings.name == call.name; });
  if (configured) {
    return net::Problem(409, "conflict",
                        "The target is configured; only one that is not can be given up.");
  }
  for (const CursorStatus& cursor : AbandonedCursors(call.parts)) {
    if (cursor.name != call.name) continue;
    // With its place goes that it was paused, or the next target of the name would begin so.
    Status done = call.parts.journal.records().Remove("paused/" + call.name);
    if (done) done = call.parts.journal.RemoveCursor("target/" + call.name);
    if (!done) return AnswerOf(done.error());
    Note(call, "pending", cursor.account.pending);
    log::Warn("The place of a target that is not configured any more was given up.",
              {{"target", call.name}, {"pending", cursor.account.pending}});
    JsonWriter out;
    out.BeginObject()
        .Field("target", call.name)
        .Field("pending", cursor.account.pending)
        .EndObject();
    return JsonAnswer(out.Take());
  }
  return NoSuchTarget();
}

}  // namespace spool
