#include <algorithm>

#include "app/admin_handlers.h"
#include "app/api_answer.h"
#include "app/event_search.h"
#include "app/explain.h"
#include "app/request_body.h"

namespace spool {
namespace {

// Of one request's events so many are explained.
constexpr size_t kEventsMax = 100;
constexpr size_t kMemoryMax = size_t{32} << 20;

const HttpSource* SourceOf(const AdminCall& call) {
  const std::vector<const HttpSource*>& sources = call.parts.http_sources;
  if (!call.params.Has("source")) return sources.empty() ? nullptr : sources.front();
  const auto it = std::ranges::find_if(
      sources, [&](const HttpSource* s) { return s->status().name == call.params.Get("source"); });
  return it == sources.end() ? nullptr : *it;
}

// Events that were decoded but not stored, explained one by one.
net::HttpResponse Explain(const AdminCall& call, const std::vector<Event>& events,
                          const std::string& origin, SystemTime now) {
  JsonWriter out;
  out.BeginObject().Field("events", events.size()).Key("items").BeginArray();
  for (size_t i = 0; i < events.size() && i < kEventsMax; ++i) {
    Result<EventView> view = DecodeRecord(events[i].record);
    if (!view) return AnswerOf(view.error());
    view->id = events[i].id;
    view->time = events[i].time;
    view->stream_id = events[i].stream;
    view->stream = call.parts.journal.StreamName(events[i].stream);
    view->origin = origin;
    view->accepted = now;
    if (const Status written = WriteExplanation(out, call.parts, *view); !written) {
      return AnswerOf(written.error());
    }
  }
  out.EndArray().EndObject();
  return JsonAnswer(out.Take());
}

}  // namespace

net::HttpResponse ExplainEvent(const AdminCall& call) {
  if (const Status known = call.params.Check({"since", "to_sequence"}); !known) {
    return AnswerOf(known.error());
  }
  const Journal& journal = call.parts.journal;
  JsonWriter out;
  Status written;
  const auto found = [&](const EventView& event) {
    out = JsonWriter();
    written = WriteExplanation(out, call.parts, event);
  };
  Status looked;
  if (const auto id = Hash128::FromHex(call.name)) {
    const SystemTime now = call.context.clock->Now();
    const auto since = call.params.Time("since", now);
    if (!since) return AnswerOf(since.error());
    const auto below = call.params.Number("to_sequence", 1, UINT64_MAX);
    if (!below) return AnswerOf(below.error());
    looked = LookUpEvent(*id, since->value_or(now - kLookupAge), Sequence{below->value_or(0)},
                         journal, call.stop, found);
    if (!looked && looked.error().code == Code::kBusy) {
      return net::Problem(404, "scan_incomplete", looked.error().message);
    }
  } else if (const auto sequence = ParseSequence(call.name)) {
    looked = LookUpEvent(*sequence, journal, found);
  } else {
    return net::Problem(404, "not_found",
                        "An event is named by its sequence or by the 32 hex digits of its id.");
  }
  if (!looked) return AnswerOf(looked.error());
  if (!written) return AnswerOf(written.error());
  return JsonAnswer(out.Take());
}

net::HttpResponse ExplainEvents(const AdminCall& call) {
  if (const Status known = call.params.Check({"source", "path"}); !known) {
    return AnswerOf(known.error());
  }
  const std::string path = call.params.Has("path") ? call.params.Get("path") : "/v1/events";
  const auto& paths = HttpSource::KnownPaths();
  if (std::ranges::find(paths, path) == paths.end()) {
    std::string all;
    for (const std::string& one : paths) all += (all.empty() ? "" : ", ") + one;
    return net::Problem(400, "invalid", "The parameter 'path' is one of " + all + ".");
  }
  const HttpSource* source = SourceOf(call);
  if (source == nullptr) {
    return call.params.Has("source")
               ? net::Problem(404, "not_found", "There is no http source of that name.")
               : net::Problem(409, "conflict",
                              "There is no http source, so nothing reads such a request.");
  }
  const SystemTime now = call.context.clock->Now();
  std::vector<Event> quarantine;
  auto decoded = source->Try({.path = path,
                              .content_type = call.request.Header("content-type"),
                              .idempotency_key = {},
                              .headers = &call.request.headers,
                              .body = call.request.body,
                              .received = now,
                              .admit =
                                  [](size_t bytes) {
                                    return bytes <= kMemoryMax ? Incoming::Admission::kYes
                                                               : Incoming::Admission::kNever;
                                  }},
                             &quarantine);
  const std::string origin = source->status().name;
  if (decoded) return Explain(call, decoded->events, origin, now);
  if (!quarantine.empty()) return Explain(call, quarantine, origin, now);
  const Refusal& refusal = decoded.error();
  return net::Problem(refusal.status, refusal.code, refusal.detail, refusal.offset);
}

}  // namespace spool
