#include "app/json_views.h"

#include <algorithm>

#include "forward/envelope.h"

namespace spool {
namespace {

std::string_view WhenFullName(WhenFull when_full) {
  return when_full == WhenFull::kReject ? "reject" : "drop_oldest";
}

std::string_view MarkerKindName(Marker::Kind kind) {
  switch (kind) {
    case Marker::Kind::kEvicted: return "evicted";
    case Marker::Kind::kSkipped: return "skipped";
    case Marker::Kind::kLost: return "lost";
  }
  return "lost";
}

}  // namespace

bool IsAccounted(const Account& account) {
  return account.accepted == account.settled() + account.pending;
}

std::optional<double> LagSeconds(const TargetStatus& target, SystemTime now) {
  if (target.account.pending == 0) return 0.0;
  if (!target.oldest_pending) return std::nullopt;
  const Micros waited = std::max(now - *target.oldest_pending, Micros(0));
  return static_cast<double>(waited.count()) / 1e6;
}

void WriteStream(JsonWriter& out, const StreamStatus& stream) {
  out.BeginObject()
      .Field("name", stream.name)
      .Field("events", stream.events)
      .Field("bytes", stream.bytes)
      .Field("raw_bytes", stream.raw_bytes)
      .Field("oldest", stream.oldest)
      .Field("newest", stream.newest)
      .Field("first_sequence", stream.first)
      .Field("needed_bytes", stream.needed_bytes)
      .Field("full", stream.full)
      .Field("evicted", stream.evicted)
      .Key("retention")
      .BeginObject()
      .Field("age_seconds",
             std::chrono::duration_cast<std::chrono::seconds>(stream.age_max).count())
      .Field("bytes", stream.bytes_max)
      .Field("when_full", WhenFullName(stream.when_full))
      .EndObject()
      .EndObject();
}

void WriteTarget(JsonWriter& out, const TargetStatus& target, SystemTime now) {
  const Account& account = target.account;
  const PumpStatus& pump = target.pump;
  out.BeginObject()
      .Field("name", target.name)
      .Field("type", target.type)
      .Field("state", TargetStateName(pump.state))
      .Field("cursor", target.cursor)
      .Field("lag_events", account.pending);
  const std::optional<double> lag = LagSeconds(target, now);
  lag ? out.Field("lag_seconds", *lag) : out.Key("lag_seconds").Null();
  out.Field("accepted", account.accepted)
      .Field("delivered", account.delivered)
      .Field("filtered", account.filtered)
      .Field("dead_lettered", account.dead_lettered)
      .Field("evicted", account.evicted)
      .Field("skipped", account.skipped)
      .Field("pending", account.pending)
      .Field("duplicates", account.duplicates)
      .Field("retries", account.retries)
      .Field("attempts", pump.attempts)
      .TextOrNull("last_error", pump.last_error)
      .Field("last_error_at", pump.last_error_at)
      .Field("last_success_at", pump.last_success_at)
      .Field("retry_at", pump.retry_at)
      .EndObject();
}

void WriteSource(JsonWriter& out, const SourceStatus& source) {
  out.BeginObject()
      .Field("name", source.name)
      .Field("type", source.type)
      .Field("state", source.state)
      .TextOrNull("address", source.address)
      .Field("requests", source.requests)
      .Field("events", source.events)
      .Field("duplicates", source.duplicates)
      .Field("quarantined", source.quarantined)
      .Field("lost", source.lost)
      .Field("throttled", source.refused.quota)
      .Field("rejected", source.refused.total())
      .Field("bytes", source.bytes)
      .Field("last_event", source.last_event)
      .TextOrNull("last_error", source.last_error)
      .Field("last_error_at", source.last_error_at);
  source.behind_bytes ? out.Field("behind_bytes", *source.behind_bytes)
                      : out.Key("behind_bytes").Null();
  source.behind_messages ? out.Field("behind_messages", *source.behind_messages)
                         : out.Key("behind_messages").Null();
  out.EndObject();
}

void WriteDeadLetter(JsonWriter& out, const DeadLetter& letter, bool with_event) {
  out.BeginObject()
      .Field("id", ToText(letter.id))
      .Field("target", letter.id.target)
      .Field("sequence", letter.id.sequence)
      .Field("event_id", letter.event_id.Hex())
      .Field("stream", letter.stream)
      .Field("reason", letter.reason)
      .TextOrNull("code", letter.code)
      .Field("attempts", letter.attempts)
      .Field("first_failed", letter.first_failed)
      .Field("last_failed", letter.last_failed)
      .Field("retry_wanted", letter.retry_wanted)
      .TextOrNull("replay", letter.id.replay)
      .TextOrNull("excerpt", letter.excerpt);
  if (with_event) {
    out.Key("event");
    const Result<EventView> view = letter.View();
    if (view) {
      std::string event;
      AppendCloudEvent(event, *view, letter.id.replay);
      out.Raw(event);
    } else {
      out.Null();
    }
  }
  out.EndObject();
}

void WriteReplay(JsonWriter& out, const ReplayStatus& replay) {
  out.BeginObject()
      .Field("id", replay.id)
      .Field("target", replay.request.target)
      .Field("state", ReplayStateName(replay.state))
      .Field("from", replay.request.from)
      .Field("to", replay.request.to)
      .Field("first", replay.range.first)
      .Field("end", replay.range.end)
      .Key("match")
      .BeginArray();
  for (const std::string& rule : replay.request.match) out.Value(rule);
  out.EndArray()
      .Field("rate", replay.request.events_per_second)
      .Field("total", replay.total)
      .Field("settled", replay.settled)
      .Field("delivered", replay.delivered)
      .Field("rejected", replay.rejected)
      .Field("evicted", replay.evicted)
      .TextOrNull("error", replay.error)
      .Field("created", replay.created)
      .Field("finished", replay.finished)
      .EndObject();
}

void WriteReplayPlan(JsonWriter& out, const ReplayRequest& request, const ReplayPlan& plan) {
  out.BeginObject()
      .Field("target", request.target)
      .Field("from", request.from)
      .Field("to", request.to)
      .Field("first", plan.range.first)
      .Field("end", plan.range.end)
      .Field("total", plan.total)
      .Field("bytes", plan.bytes)
      .Field("oldest", plan.oldest)
      .Field("newest", plan.newest)
      .EndObject();
}

void WriteSourceGap(JsonWriter& out, const SourceGap& gap, SystemTime now) {
  const Micros lasted = std::max(gap.to.value_or(now) - gap.from, Micros(0));
  out.BeginObject()
      .Field("id", std::to_string(gap.number))
      .Field("source", gap.source)
      .Field("cause", gap.cause)
      .Field("from", gap.from)
      .Field("to", gap.to)
      .Field("seconds", static_cast<double>(lasted.count()) / 1e6)
      .EndObject();
}

void WriteLostGap(JsonWriter& out, const Marker& marker) {
  out.BeginObject()
      .Field("id", "lost-" + ToText(marker.range.first))
      .Key("source")
      .Null()
      .Field("cause", "lost")
      .Key("from")
      .Null()
      .Key("to")
      .Null()
      .Key("seconds")
      .Null()
      .Field("stream", marker.subject)
      .Field("first", marker.range.first)
      .Field("end", marker.range.end)
      .Field("events", marker.events)
      .Field("time", marker.time)
      .EndObject();
}

void WriteMarker(JsonWriter& out, const Marker& marker) {
  out.BeginObject()
      .Field("kind", MarkerKindName(marker.kind))
      .Field("subject", marker.subject)
      .Field("first", marker.range.first)
      .Field("end", marker.range.end)
      .Field("events", marker.events)
      .Field("undelivered", marker.undelivered)
      .Field("bytes", marker.bytes)
      .Field("cause", marker.cause)
      .Field("time", marker.time)
      .EndObject();
}

}  // namespace spool
