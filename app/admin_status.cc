#include <algorithm>

#include "app/admin_handlers.h"
#include "app/api_answer.h"
#include "app/event_search.h"
#include "app/json_views.h"
#include "app/request_body.h"
#include "spool/cursor.h"

namespace spool {
namespace {

std::vector<StreamStatus> SortedStreams(const AdminParts& parts) {
  std::vector<StreamStatus> streams = parts.journal.Streams();
  std::stable_sort(streams.begin(), streams.end(), [](const auto& a, const auto& b) {
    return std::tie(a.special, a.name) < std::tie(b.special, b.name);
  });
  return streams;
}

uint64_t RunningReplays(const AdminParts& parts) {
  const std::vector<ReplayStatus> replays = parts.replays.List();
  return static_cast<uint64_t>(std::count_if(replays.begin(), replays.end(), [](const auto& r) {
    return r.state == ReplayState::kRunning;
  }));
}

}  // namespace

net::HttpResponse GetStatus(const AdminCall& call) {
  const AdminParts& parts = call.parts;
  const Micros uptime = call.context.clock->Steady() - call.context.started;
  const SequenceRange stored = parts.journal.stored();
  const DiskStatus disk = parts.journal.Disk();
  const SystemTime now = call.context.clock->Now();
  JsonWriter targets;
  bool accounted = true;
  targets.BeginArray();
  for (const auto& [name, forwarder] : parts.targets) {
    const TargetStatus status = forwarder->status();
    accounted = accounted && IsAccounted(status.account);
    WriteTarget(targets, status, now);
  }
  targets.EndArray();

  JsonWriter out;
  out.BeginObject()
      .Field("version", SPOOL_VERSION)
      .Field("ready", call.context.readiness().ready)
      .Field("uptime_seconds", std::chrono::duration_cast<std::chrono::seconds>(uptime).count())
      .Key("sequence")
      .BeginObject()
      .Field("first", stored.first)
      .Field("end", stored.end)
      .EndObject()
      .Field("accounted", accounted)
      .Key("streams")
      .BeginArray();
  for (const StreamStatus& stream : SortedStreams(parts)) WriteStream(out, stream);
  out.EndArray().Key("targets").Raw(targets.text()).Key("sources").BeginArray();
  for (const Source* source : parts.sources) WriteSource(out, source->status());
  out.EndArray().Key("dead_letters").BeginArray();
  for (const DeadLetterTotals& totals : parts.journal.dead_letters().Totals()) {
    out.BeginObject()
        .Field("target", totals.target)
        .Field("count", totals.count)
        .Field("bytes", totals.bytes)
        .Field("oldest", totals.oldest)
        .EndObject();
  }
  out.EndArray()
      .Field("replays_running", RunningReplays(parts))
      .Key("disk")
      .BeginObject()
      .Field("used_bytes", disk.used_bytes)
      .Field("free_bytes", disk.free_bytes)
      .Field("capacity_bytes", disk.capacity_bytes)
      .Field("room_bytes", disk.room_bytes)
      .Field("below_reserve", disk.below_reserve)
      .EndObject()
      .Key("warnings")
      .BeginArray();
  for (const std::string& warning : Warnings(parts)) out.Value(warning);
  out.EndArray().EndObject();
  return JsonAnswer(out.Take());
}

net::HttpResponse ListStreams(const AdminCall& call) {
  JsonWriter out;
  out.BeginObject().Key("items").BeginArray();
  for (const StreamStatus& stream : SortedStreams(call.parts)) WriteStream(out, stream);
  out.EndArray().EndObject();
  return JsonAnswer(out.Take());
}

net::HttpResponse GetStream(const AdminCall& call) {
  for (const StreamStatus& stream : call.parts.journal.Streams()) {
    if (stream.name != call.name) continue;
    JsonWriter out;
    WriteStream(out, stream);
    return JsonAnswer(out.Take());
  }
  return net::Problem(404, "not_found", "There is no stream of that name.");
}

net::HttpResponse ListSources(const AdminCall& call) {
  JsonWriter out;
  out.BeginObject().Key("items").BeginArray();
  for (const Source* source : call.parts.sources) WriteSource(out, source->status());
  out.EndArray().EndObject();
  return JsonAnswer(out.Take());
}

// Times in which a source took nothing, and ranges of events that are lost: whose they were is lost
// with them, so they may be any source's.
net::HttpResponse ListSourceGaps(const AdminCall& call) {
  if (const Status known = call.params.Check({"source"}); !known) return AnswerOf(known.error());
  const std::string source = call.params.Get("source");
  JsonWriter out;
  out.BeginObject().Key("items").BeginArray();
  for (const Marker& marker : call.parts.journal.Markers()) {
    if (marker.kind == Marker::Kind::kLost) WriteLostGap(out, marker);
  }
  const SystemTime now = call.context.clock->Now();
  for (const SourceGap& gap : call.parts.gaps.List()) {
    if (source.empty() || gap.source == source) WriteSourceGap(out, gap, now);
  }
  out.EndArray().EndObject();
  return JsonAnswer(out.Take());
}

net::HttpResponse ListMarkers(const AdminCall& call) {
  JsonWriter out;
  out.BeginObject().Key("items").BeginArray();
  for (const Marker& marker : call.parts.journal.Markers()) WriteMarker(out, marker);
  out.EndArray().EndObject();
  return JsonAnswer(out.Take());
}

net::HttpResponse GetEvent(const AdminCall& call) {
  if (const Status known = call.params.Check({"since", "to_sequence"}); !known) {
    return AnswerOf(known.error());
  }
  const Journal& journal = call.parts.journal;
  Result<std::string> event;
  if (const auto id = Hash128::FromHex(call.name)) {
    const SystemTime now = call.context.clock->Now();
    const auto since = call.params.Time("since", now);
    if (!since) return AnswerOf(since.error());
    const auto below = call.params.Number("to_sequence", 1, UINT64_MAX);
    if (!below) return AnswerOf(below.error());
    event = LookUpEvent(*id, since->value_or(now - kLookupAge), Sequence{below->value_or(0)},
                        journal, call.stop);
    if (!event && event.error().code == Code::kBusy) {
      return net::Problem(404, "scan_incomplete", event.error().message);
    }
  } else if (const auto sequence = ParseSequence(call.name)) {
    event = LookUpEvent(*sequence, journal);
  } else {
    return net::Problem(404, "not_found",
                        "An event is named by its sequence or by the 32 hex digits of its id.");
  }
  if (!event) return AnswerOf(event.error());
  net::HttpResponse response = JsonAnswer(std::move(*event));
  response.content_type = "application/cloudevents+json";
  return response;
}

}  // namespace spool
