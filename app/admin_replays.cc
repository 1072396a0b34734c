#include <cmath>

#include "app/admin_handlers.h"
#include "app/api_answer.h"
#include "app/json_views.h"
#include "app/request_body.h"
#include "base/time_text.h"
#include "forward/token_bucket.h"

namespace spool {
namespace {

net::HttpResponse Show(const ReplayStatus& replay, int status = 200) {
  JsonWriter out;
  WriteReplay(out, replay);
  return JsonAnswer(out.Take(), status);
}

net::HttpResponse ShowById(const AdminCall& call) {
  const Result<ReplayStatus> replay = call.parts.replays.Get(call.name);
  return replay ? Show(*replay) : AnswerOf(replay.error());
}

net::HttpResponse Do(const AdminCall& call, Status (ReplayJobs::*verb)(std::string_view)) {
  const Status done = (call.parts.replays.*verb)(call.name);
  return done ? ShowById(call) : AnswerOf(done.error());
}

// One bound of the range: a time, or a sequence in digits.
Status ReadBound(const RequestBody& body, std::string_view key, SystemTime now,
                 std::optional<SystemTime>* time, std::optional<Sequence>* sequence) {
  *sequence = body.SequenceOf(key);
  if (*sequence) return {};
  const auto text = body.Text(key);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return {};
  const Result<SystemTime> when = ParseWhen(**text, now);
  if (!when) return Fail("The member '" + std::string(key) + "' is not a time", when.error());
  *time = *when;
  return {};
}

Result<ReplayRequest> ReadRequest(const RequestBody& body, SystemTime now) {
  ReplayRequest request;
  const auto target = body.Text("target");
  if (!target) return tl::unexpected(target.error());
  if (!*target) return Fail(Code::kInvalid, "The member 'target' is missing.");
  request.target = **target;
  if (const Status from = ReadBound(body, "from", now, &request.from, &request.first); !from) {
    return tl::unexpected(from.error());
  }
  if (const Status to = ReadBound(body, "to", now, &request.to, &request.end); !to) {
    return tl::unexpected(to.error());
  }
  if (!request.from && !request.first) {
    return Fail(Code::kInvalid, "The member 'from' is missing: where the replay begins.");
  }
  auto match = body.Texts("match");
  if (!match) return tl::unexpected(match.error());
  request.match = std::move(*match);
  const auto rate = body.Number("rate");
  if (!rate) return tl::unexpected(rate.error());
  request.events_per_second = rate->value_or(0);
  const double per_second = request.events_per_second;
  if (per_second != 0 && !(per_second >= kRateMin && per_second <= kRateMax)) {
    return Fail(Code::kInvalid,
                "The member 'rate' takes events per second: 0 for no limit, or from 1/3600 to "
                "10,000,000.");
  }
  return request;
}

}  // namespace

net::HttpResponse ListReplays(const AdminCall& call) {
  JsonWriter out;
  out.BeginObject().Key("items").BeginArray();
  for (const ReplayStatus& replay : call.parts.replays.List()) WriteReplay(out, replay);
  out.EndArray().EndObject();
  return JsonAnswer(out.Take());
}

net::HttpResponse StartReplay(const AdminCall& call) {
  const auto body = ReadBody(call, {"target", "from", "to", "match", "rate", "dry_run"});
  if (!body) return AnswerOf(body.error());
  const Result<bool> dry_run = body->Flag("dry_run");
  if (!dry_run) return AnswerOf(dry_run.error());
  const Result<ReplayRequest> request = ReadRequest(*body, call.context.clock->Now());
  if (!request) return AnswerOf(request.error());
  if (*dry_run) {
    call.note.looked_only = true;
    const Result<ReplayPlan> plan = call.parts.replays.Plan(*request);
    if (!plan) return AnswerOf(plan.error());
    JsonWriter out;
    WriteReplayPlan(out, *request, *plan);
    return JsonAnswer(out.Take());
  }
  const Result<ReplayStatus> replay = call.parts.replays.Start(*request);
  if (!replay) return AnswerOf(replay.error());
  call.note.facts.emplace_back("replay", "\"" + replay->id + "\"");
  Note(call, "total", replay->total);
  net::HttpResponse response = Show(*replay, 201);
  response.headers.emplace_back("Location", "/api/v1/replays/" + replay->id);
  return response;
}

net::HttpResponse GetReplay(const AdminCall& call) { return ShowById(call); }
net::HttpResponse PauseReplay(const AdminCall& call) { return Do(call, &ReplayJobs::Pause); }
net::HttpResponse ResumeReplay(const AdminCall& call) { return Do(call, &ReplayJobs::Resume); }
net::HttpResponse CancelReplay(const AdminCall& call) { return Do(call, &ReplayJobs::Cancel); }

}  // namespace spool
