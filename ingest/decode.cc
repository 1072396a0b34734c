#include "ingest/decode.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "ingest/classify.h"
#include "ingest/identity.h"
#include "ingest/json_scan.h"
#include "ingest/json_text.h"
#include "ingest/quarantine.h"
#include "ingest/record.h"
#include "ingest/redact.h"
#include "ingest/redactor.h"
#include "ingest/shape.h"
#include "ingest/split.h"

namespace spool {
namespace {

constexpr std::string_view kDefaultStream = "kubernetes-events";
constexpr std::string_view kQuarantineStream = "quarantine";
constexpr size_t kHeapBytes = 16;  // that the heap adds to a record

std::string_view ReasonOf(JsonFault fault) {
  switch (fault) {
    case JsonFault::kNone: return "";
    case JsonFault::kSyntax: return "invalid_json";
    case JsonFault::kUtf8: return "invalid_utf8";
    case JsonFault::kDepth: return "too_deep";
    case JsonFault::kDuplicateKey: return "duplicate_key";
    case JsonFault::kTooManyMembers: return "too_many_members";
  }
  return "invalid_json";
}

std::string DetailOf(JsonFault fault, size_t offset) {
  const std::string at = " at byte " + std::to_string(offset);
  switch (fault) {
    case JsonFault::kNone: return "";
    case JsonFault::kSyntax: return "not JSON" + at;
    case JsonFault::kUtf8: return "not UTF-8" + at;
    case JsonFault::kDepth: return "nested too deeply" + at;
    case JsonFault::kDuplicateKey: return "a key is there twice, found" + at;
    case JsonFault::kTooManyMembers: return "too many members" + at;
  }
  return "not JSON" + at;
}

std::string_view Cut(std::string_view text) {
  return text.size() <= kAttributeMax ? text : CutUtf8(text, kAttributeMax);
}

bool HasHeader(const Incoming& incoming, std::string_view name) {
  if (incoming.headers == nullptr) return false;
  for (const auto& [header, value] : *incoming.headers) {
    if (header == name) return true;
  }
  return false;
}

}  // namespace

struct Decoder::Impl : RecordHandler {
  explicit Impl(DecodeOptions given)
      : options(std::move(given)),
        redactor(options.redaction ? options.redaction : Redaction::Default()) {
    default_stream = options.stream(kDefaultStream);
    quarantine_stream = options.stream(kQuarantineStream);
    for (size_t i = 0; i < kCategories.size(); ++i) {
      category_streams[i] = options.stream(StreamOf(kCategories[i]));
    }
  }

  tl::expected<Decoded, Refusal> Decode(const Incoming& request, std::vector<Event>* quarantine);
  tl::expected<Decoded, Refusal> DecodeRecords(std::vector<Event>* quarantine);
  tl::expected<Decoded, Refusal> DecodeBinary(std::vector<Event>* quarantine);
  tl::unexpected<Refusal> RefuseStarved() const;
  tl::unexpected<Refusal> RefuseWhole(const QuarantineNote& note, std::string_view code,
                                      std::vector<Event>* quarantine);
  tl::expected<Decoded, Refusal> QuarantineWhole(const QuarantineNote& note);
  void Begin(const Incoming& request);

  Answer Record(std::string_view text, ListKind list) override;
  Answer Unreadable(std::string_view text) override;

  // The record's event, or why it has none. Ignored ones have neither.
  std::optional<Rejected> Understand(std::string_view text, ListKind list, EventView* view,
                                     bool* ignored);
  std::optional<Rejected> FillByShape(const std::vector<JsonMember>& members, std::string_view text,
                                      ListKind list, EventView* view, bool* ignored);
  std::optional<Rejected> FillFrame(const ShapeMarks& marks, std::string_view text, EventView* view,
                                    bool* ignored);
  Answer Quarantine(std::string_view text, const Rejected& rejected, size_t fault,
                    std::string_view producer);
  Event QuarantineEvent(QuarantineNote note);
  Event Seal(EventView* view, std::string_view record);
  // Both are false when the memory is not given; `starved` says so then.
  bool Admit(size_t bytes);
  bool Keep(Event event);
  // What is left of it when secrets are hidden; empty when there is no memory for that.
  std::optional<std::string_view> Redacted(std::string_view text, bool json) {
    redacted = true;
    return json ? redactor.Json(text, pays) : redactor.Text(text, pays);
  }
  bool MayScan(std::string_view text) { return arena.Pay(JsonScanner::MemoryFor(text)); }
  StreamId StreamFor(std::string_view category) const;
  size_t OffsetOf(std::string_view text) const {
    return static_cast<size_t>(text.data() - in->body.data());
  }
  Answer Count() {
    if (++records <= options.limits.records_max) return Answer::kTaken;
    overrun = true;
    return Answer::kStop;
  }
  bool Over() const { return overrun || starved != Incoming::Admission::kYes; }

  static constexpr std::array<std::string_view, 3> kCategories = {"infrastructure", "security",
                                                                  "admission"};
  const DecodeOptions options;
  StreamId default_stream, quarantine_stream;
  std::array<StreamId, 3> category_streams;

  JsonScanner scanner, inner;
  Redactor redactor;
  Arena arena{[this](size_t bytes) { return Admit(out.bytes + bytes); }};
  const Redactor::Pay pays = [this](size_t bytes) { return arena.Pay(bytes); };
  FreshIds fresh;
  RecordContext context;

  // Of the request at work.
  const Incoming* in = nullptr;
  BodyType body_type = BodyType::kAny;
  bool on_audit = false, on_events = false;
  Decoded out;
  size_t records = 0;   // seen, good or bad
  size_t readable = 0;  // of these JSON, or bad for another reason than syntax
  bool overrun = false;
  bool redacted = false;                                    // the record at hand
  Incoming::Admission starved = Incoming::Admission::kYes;  // the answer that ended it
  size_t admitted = 0;                                      // bytes of events
  size_t record_bytes = 0;                                  // of these in records
  std::optional<size_t> first_fault;
  std::optional<bool> secrets;  // the body speaks of them; looked for once something is wrong
};

void Decoder::Impl::Begin(const Incoming& request) {
  in = &request;
  on_audit = request.path == "/audit";
  on_events = request.path == "/events";
  out = Decoded{};
  out.quarantine = quarantine_stream;
  records = readable = 0;
  overrun = false;
  starved = Incoming::Admission::kYes;
  admitted = record_bytes = 0;
  first_fault.reset();
  secrets.reset();
  arena.Reset();
  context.cluster = options.cluster;
  context.mutated_is_admission = options.mutated_is_admission;
  context.arena = &arena;
  context.inner = &inner;
  context.depth_max = options.limits.depth_max;
}

tl::expected<Decoded, Refusal> Decoder::Impl::Decode(const Incoming& request,
                                                     std::vector<Event>* quarantine) {
  Begin(request);
  auto decoded = DecodeRecords(quarantine);
  // Nothing of a refused request stays, and little of any.
  out = Decoded{};
  arena.Reset();
  scanner.Trim();
  inner.Trim();
  redactor.Trim();
  return decoded;
}

tl::unexpected<Refusal> Decoder::Impl::RefuseStarved() const {
  if (starved == Incoming::Admission::kNever) {
    return tl::unexpected(Refusal{413, "body_too_large",
                                  "The body's events need more memory than there may be.", -1});
  }
  return tl::unexpected(
      Refusal{503, "overloaded", "There is no memory for the body's events now.", -1});
}

// Asks in leaps, so that many small events cost few questions. Who was refused once is not given
// more later: something of the request may be missing by then.
bool Decoder::Impl::Admit(size_t bytes) {
  if (starved != Incoming::Admission::kYes) return false;
  if (bytes <= admitted || !in->admit) return true;
  const size_t leap = std::max(bytes, admitted + std::max(admitted / 4, size_t{4} << 10));
  auto answer = in->admit(leap);
  admitted = leap;
  if (answer != Incoming::Admission::kYes) {
    answer = in->admit(bytes);
    admitted = bytes;
  }
  starved = answer;
  return answer == Incoming::Admission::kYes;
}

bool Decoder::Impl::Keep(Event event) {
  record_bytes += event.record.capacity() + kHeapBytes;
  // While it grows, a vector is there twice.
  const size_t places = out.events.size() < out.events.capacity()
                            ? out.events.capacity()
                            : 3 * std::max<size_t>(out.events.size(), 1);
  if (!Admit(record_bytes + places * sizeof(Event))) return false;
  out.events.push_back(std::move(event));
  out.bytes = record_bytes + out.events.capacity() * sizeof(Event);
  return true;
}

tl::expected<Decoded, Refusal> Decoder::Impl::DecodeRecords(std::vector<Event>* quarantine) {
  const Incoming& request = *in;
  body_type = BodyTypeOf(request.content_type);
  const bool cloud_events =
      body_type == BodyType::kCloudEvent || body_type == BodyType::kCloudEventBatch;
  if (!cloud_events && HasHeader(request, "ce-specversion")) return DecodeBinary(quarantine);
  if (body_type == BodyType::kRefused) {
    return tl::unexpected(Refusal{
        415, "unsupported_media_type",
        "This path takes JSON, JSON lines and CloudEvents in JSON, all of them in UTF-8.", -1});
  }
  const size_t first = request.body.find_first_not_of(
      " \t\r\n\x1E", request.body.starts_with("\xEF\xBB\xBF") ? 3 : 0);
  if (first == std::string_view::npos) {
    return tl::unexpected(Refusal{400, "empty_body", "The body is empty.", 0});
  }
  const bool framed = SplitRecords(
      request.body, {.bare_items = body_type == BodyType::kAny && (on_audit || on_events)}, this);
  if (overrun) {
    return tl::unexpected(Refusal{
        413, "too_many_records",
        "The body holds more than " + std::to_string(options.limits.records_max) + " records.",
        -1});
  }
  if (Over()) return RefuseStarved();
  if (readable == 0 && (records > 0 || !framed)) {
    const size_t fault = first_fault.value_or(first);
    const std::string detail = DetailOf(JsonFault::kSyntax, fault);
    return RefuseWhole({.record = request.body,
                        .path = request.path,
                        .producer = {},
                        .reason = "invalid_json",
                        .detail = detail,
                        .record_offset = 0,
                        .fault_offset = fault},
                       "invalid_json", quarantine);
  }
  return std::move(out);
}

tl::unexpected<Refusal> Decoder::Impl::RefuseWhole(const QuarantineNote& note,
                                                   std::string_view code,
                                                   std::vector<Event>* quarantine) {
  quarantine->push_back(QuarantineEvent(note));
  return tl::unexpected(Refusal{400, std::string(code),
                                "The body cannot be read: " + std::string(note.detail) + ".",
                                static_cast<int64_t>(note.fault_offset)});
}

tl::expected<Decoded, Refusal> Decoder::Impl::QuarantineWhole(const QuarantineNote& note) {
  if (!Keep(QuarantineEvent(note))) return RefuseStarved();
  out.quarantined = 1;
  return std::move(out);
}

// One event in headers, its data in the body.
tl::expected<Decoded, Refusal> Decoder::Impl::DecodeBinary(std::vector<Event>* quarantine) {
  const std::string_view body = in->body;
  EventView view;
  view.content_type = in->content_type;
  view.data = body;
  view.json = false;
  QuarantineNote note{.record = body,
                      .path = in->path,
                      .producer = "cloudevents",
                      .reason = {},
                      .detail = {},
                      .record_offset = 0,
                      .fault_offset = 0};
  if (body.size() > options.limits.record_bytes_max) {
    note.reason = "too_large";
    note.detail = "the record is larger than allowed";
    return QuarantineWhole(note);
  }
  const bool json_type = IsJsonType(in->content_type);
  if (json_type && IsForeignCharset(in->content_type)) {
    return tl::unexpected(Refusal{415, "unsupported_media_type", "JSON must be in UTF-8.", -1});
  }
  if (!body.empty() && (json_type || in->content_type.empty())) {
    if (!MayScan(body)) return RefuseStarved();
    const JsonResult scan = scanner.Scan(body, options.limits.depth_max);
    if (!scan && json_type) {
      const std::string detail = DetailOf(scan.fault, scan.offset);
      note.reason = ReasonOf(scan.fault);
      note.detail = detail;
      note.fault_offset = scan.offset;
      if (scan.fault == JsonFault::kSyntax || scan.fault == JsonFault::kUtf8) {
        return RefuseWhole(note, note.reason, quarantine);
      }
      return QuarantineWhole(note);
    }
    view.json = static_cast<bool>(scan);
  }
  std::vector<std::pair<std::string, std::string>> headers;
  for (const auto& [name, value] : *in->headers) {
    const auto shown = name.starts_with("ce-") ? Redacted(value, false) : std::string_view(value);
    if (!shown) return RefuseStarved();
    headers.emplace_back(name, *shown);
  }
  const auto clean = Redacted(body, view.json);
  if (!clean) return RefuseStarved();
  view.data = *clean;
  const auto rejected = FillCloudEventHeaders(context, headers, &view);
  if (Over()) return RefuseStarved();
  if (rejected) {
    note.reason = rejected->reason;
    note.detail = rejected->detail;
    return RefuseWhole(note, note.reason, quarantine);
  }
  if (!Admit(arena.bytes() + body.size()) || !Keep(Seal(&view, *clean))) return RefuseStarved();
  return std::move(out);
}

RecordHandler::Answer Decoder::Impl::Record(std::string_view text, ListKind list) {
  if (Over()) return Answer::kStop;
  arena.Reset();
  redacted = false;
  if (text.size() > options.limits.record_bytes_max) {
    ++readable;
    return Quarantine(text, {"too_large", "the record is larger than allowed"}, OffsetOf(text), {});
  }
  if (!MayScan(text)) return Answer::kStop;
  const JsonResult scan = scanner.Scan(text, options.limits.depth_max);
  // Bytes that do not even begin like JSON are none, whatever else is wrong with them.
  const bool begins = text.front() == '{' || text.front() == '[' || text.front() == '"';
  if (scan.fault == JsonFault::kSyntax || (scan.fault == JsonFault::kUtf8 && !begins)) {
    return Answer::kUnreadable;
  }
  ++readable;
  if (!scan) {
    const size_t fault = OffsetOf(text) + scan.offset;
    return Quarantine(text, {ReasonOf(scan.fault), DetailOf(scan.fault, fault)}, fault, {});
  }
  if (scan.kind != JsonKind::kObject) {
    return Quarantine(text, {"not_an_object", "a record must be a JSON object"}, OffsetOf(text),
                      {});
  }
  // From here on nobody sees what was hidden.
  const auto clean = Redacted(text, true);
  if (!clean) return Answer::kStop;
  if (clean->data() != text.data()) {
    if (!MayScan(*clean)) return Answer::kStop;
    if (!scanner.Scan(*clean, options.limits.depth_max)) {
      return Quarantine(text, {"redaction_failed", "what redaction left is not JSON"},
                        OffsetOf(text), {});
    }
  }
  EventView view;
  bool ignored = false;
  const auto rejected = Understand(*clean, list, &view, &ignored);
  if (Over()) return Answer::kStop;
  if (rejected) {
    return Quarantine(text, *rejected, OffsetOf(text), view.producer);
  }
  if (Count() == Answer::kStop) return Answer::kStop;
  if (ignored) return Answer::kTaken;
  // A large copy is not made before it is paid for.
  const bool kept =
      Admit(out.bytes + arena.bytes() + view.data.size()) && Keep(Seal(&view, *clean));
  return kept ? Answer::kTaken : Answer::kStop;
}

RecordHandler::Answer Decoder::Impl::Unreadable(std::string_view text) {
  if (Over()) return Answer::kStop;
  arena.Reset();
  const size_t begin = OffsetOf(text);
  JsonFault fault = JsonFault::kSyntax;
  size_t at = begin;
  if (text.size() <= options.limits.record_bytes_max) {
    if (!MayScan(text)) return Answer::kStop;
    const JsonResult scan = scanner.Scan(text, options.limits.depth_max);
    if (!scan) {
      fault = scan.fault;
      at = begin + scan.offset;
    }
  }
  if (!first_fault) first_fault = at;
  return Quarantine(text,
                    {ReasonOf(fault), text.empty() ? "a list ends too early" : DetailOf(fault, at)},
                    at, {});
}

std::optional<Rejected> Decoder::Impl::Understand(std::string_view text, ListKind list,
                                                  EventView* view, bool* ignored) {
  view->data = text;
  view->json = true;
  view->content_type = "application/json";
  return FillByShape(scanner.members(), text, list, view, ignored);
}

std::optional<Rejected> Decoder::Impl::FillByShape(const std::vector<JsonMember>& members,
                                                   std::string_view text, ListKind list,
                                                   EventView* view, bool* ignored) {
  const ShapeMarks marks = LookAt(members);
  const bool cloud_event =
      body_type == BodyType::kCloudEvent || body_type == BodyType::kCloudEventBatch;
  if (cloud_event) {
    view->producer = "cloudevents";
    return FillCloudEvent(context, members, view);
  }
  // The path's own producer first, then by shape.
  if (marks.IsEvent() && on_events && !marks.specversion) {
    view->producer = "k8s-event";
    return FillK8sEvent(context, members, text, view);
  }
  if (marks.IsAudit()) {
    view->producer = "k8s-audit";
    return FillK8sAudit(context, members, view);
  }
  if (marks.specversion) {
    view->producer = "cloudevents";
    return FillCloudEvent(context, members, view);
  }
  const bool event_kind = marks.IsEventKind();
  if (marks.IsEvent()) {
    EventView event = *view;
    if (auto rejected = FillK8sEvent(context, members, text, &event)) {
      if (on_events || on_audit || list == ListKind::kEvent || event_kind ||
          rejected->reason != "missing_field") {
        view->producer = "k8s-event";
        return rejected;
      }
    } else {
      *view = event;
      return std::nullopt;
    }
  }
  if (marks.IsWatchFrame()) return FillFrame(marks, text, view, ignored);
  const bool audit_kind = marks.kind == "Event" && marks.api_version.starts_with("audit.k8s.io");
  if (on_audit || list == ListKind::kAudit || audit_kind) {
    view->producer = "k8s-audit";
    return Rejected{"missing_field", "an audit event needs an auditID and a stage"};
  }
  if (list == ListKind::kEvent || event_kind) {
    view->producer = "k8s-event";
    return Rejected{"missing_field", "an Event needs involvedObject or regarding"};
  }
  if (marks.kind == "EventList" && !marks.items) {
    const bool audit = marks.api_version.starts_with("audit.k8s.io");
    view->producer = audit ? "k8s-audit" : "k8s-event";
    return Rejected{"missing_field", "an EventList needs an array of items"};
  }
  FillJson(context, members, text, view);
  return std::nullopt;
}

// {"type":"ADDED","object":{…}}: the object is the record. A bookmark is no news.
std::optional<Rejected> Decoder::Impl::FillFrame(const ShapeMarks& marks, std::string_view text,
                                                 EventView* view, bool* ignored) {
  if (marks.type == "BOOKMARK") {
    *ignored = true;
    return std::nullopt;
  }
  if (marks.type == "ADDED" || marks.type == "MODIFIED") {
    const std::string_view object = marks.object->value;
    if (scanner.Scan(object, options.limits.depth_max)) {
      const ShapeMarks inside = LookAt(scanner.members());
      if (!inside.IsWatchFrame() && (inside.IsEvent() || inside.IsAudit())) {
        view->data = object;
        return FillByShape(scanner.members(), object, ListKind::kNone, view, ignored);
      }
    }
    scanner.Scan(text, options.limits.depth_max);
  }
  FillJson(context, scanner.members(), text, view);
  return std::nullopt;
}

RecordHandler::Answer Decoder::Impl::Quarantine(std::string_view text, const Rejected& rejected,
                                                size_t fault, std::string_view producer) {
  if (Count() == Answer::kStop) return Answer::kStop;
  if (producer.empty() && on_audit) producer = "k8s-audit";
  if (!Keep(QuarantineEvent({.record = text,
                             .path = in->path,
                             .producer = producer,
                             .reason = rejected.reason,
                             .detail = rejected.detail,
                             .record_offset = OffsetOf(text),
                             .fault_offset = fault}))) {
    return Answer::kStop;
  }
  ++out.quarantined;
  return Answer::kTaken;
}

Event Decoder::Impl::QuarantineEvent(QuarantineNote note) {
  // A piece of a Secret need not say that it is one; what is around it does.
  if (!secrets) secrets = SpeaksOfSecrets(in->body) || redactor.HidesWhatWordsDoNotTell(in->body);
  note.silent = *secrets;
  note.hash = redactor.KeyedHash(note.record);
  note.raw = options.quarantine_raw;
  EventView view;
  FillQuarantine(context, note, &view);
  view.time = in->received;
  view.id = fresh.Next();
  view.source = Cut(view.source);
  return MakeEvent(view, quarantine_stream);
}

StreamId Decoder::Impl::StreamFor(std::string_view category) const {
  for (size_t i = 0; i < kCategories.size(); ++i) {
    if (kCategories[i] == category) return category_streams[i];
  }
  return default_stream;
}

Event Decoder::Impl::Seal(EventView* view, std::string_view record) {
  // By whatever way a record came here.
  if (!std::exchange(redacted, false)) {
    view->data = Redacted(view->data, view->json).value_or(std::string_view());
  }
  if (view->time == SystemTime{}) view->time = in->received;
  if (view->id.empty()) {
    view->id = in->idempotency_key.empty()
                   ? fresh.Next()
                   : IdentityOf("request",
                                {in->path, in->idempotency_key, std::to_string(records), record});
  }
  for (std::string_view EventView::*field :
       {&EventView::source, &EventView::type, &EventView::subject, &EventView::cluster,
        &EventView::namespace_, &EventView::kind, &EventView::name, &EventView::reason,
        &EventView::content_type}) {
    view->*field = Cut(view->*field);
  }
  return MakeEvent(*view, StreamFor(view->category));
}

Decoder::Decoder(DecodeOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Decoder::~Decoder() = default;

tl::expected<Decoded, Refusal> Decoder::Decode(const Incoming& incoming,
                                               std::vector<Event>* quarantine) {
  return impl_->Decode(incoming, quarantine);
}

}  // namespace spool
