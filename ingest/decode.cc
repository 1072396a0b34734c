#include "ingest/decode.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>

#include "ingest/classify.h"
#include "ingest/fault_text.h"
#include "ingest/identity.h"
#include "ingest/json_scan.h"
#include "ingest/json_text.h"
#include "ingest/msgpack.h"
#include "ingest/otlp.h"
#include "ingest/quarantine.h"
#include "ingest/recognise.h"
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
  Answer Quarantine(std::string_view text, const Rejected& rejected, size_t fault,
                    std::string_view producer);
  Event QuarantineEvent(QuarantineNote note);
  Event Seal(EventView* view, std::string_view record);
  void Reclassify(EventView* view, StreamId* stream) const;
  void TellApart(EventView* view);
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
  // Of what was made of the body the place is where the last piece of it was that was named.
  size_t OffsetOf(std::string_view text) {
    const std::less_equal<> before;
    if (before(in->body.data(), text.data()) &&
        before(text.data(), in->body.data() + in->body.size())) {
      offset = static_cast<size_t>(text.data() - in->body.data());
    }
    return offset;
  }
  bool SplitBody();
  bool SplitTextLines();
  bool binary() const {
    return traits.body_type == BodyType::kMsgpack || traits.body_type == BodyType::kProtobuf;
  }
  // What the body is not, when it cannot be read.
  std::string_view syntax_reason() const {
    return traits.body_type == BodyType::kMsgpack    ? "invalid_msgpack"
           : traits.body_type == BodyType::kProtobuf ? "invalid_protobuf"
                                                     : "invalid_json";
  }
  std::string FaultText(JsonFault fault, size_t at) const {
    if (!binary()) return DetailOf(fault, at);
    return (traits.body_type == BodyType::kMsgpack ? "not MessagePack at byte "
                                                   : "not an OTLP request at byte ") +
           std::to_string(at);
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
  Arena arena{[this](size_t bytes) { return Admit(out.bytes + made_bytes + bytes); }};
  const Redactor::Pay pays = [this](size_t bytes) { return arena.Pay(bytes); };
  FreshIds fresh;
  LaterIds later;
  RecordContext context;

  // Of the request at work.
  const Incoming* in = nullptr;
  RequestTraits traits;
  std::string made;       // a record made of a body that is not JSON
  size_t made_bytes = 0;  // what that may take
  size_t offset = 0;
  std::unordered_map<std::string, uint32_t> lines;  // of a shipper, by id: how often so far
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
  offset = made_bytes = 0;
  decltype(lines)().swap(lines);
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
  context.mutated_is_admission = request.mutated_is_admission;
  context.arena = &arena;
  context.inner = &inner;
  context.depth_max = options.limits.depth_max;
  context.received = request.received;
  later.Reset();
}

tl::expected<Decoded, Refusal> Decoder::Impl::Decode(const Incoming& request,
                                                     std::vector<Event>* quarantine) {
  Begin(request);
  auto decoded = DecodeRecords(quarantine);
  if (decoded) later.Finish(decoded->events);
  // Nothing of a refused request stays, and little of any.
  out = Decoded{};
  arena.Reset();
  std::string().swap(made);
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
  later.Kept(event, out.events.size());
  out.events.push_back(std::move(event));
  if (later.full()) later.Give(out.events);
  out.bytes = record_bytes + out.events.capacity() * sizeof(Event);
  return true;
}

tl::expected<Decoded, Refusal> Decoder::Impl::DecodeRecords(std::vector<Event>* quarantine) {
  const Incoming& request = *in;
  traits = TraitsOf(request.path, BodyTypeOf(request.content_type));
  const bool otlp = request.path == "/v1/logs";
  context.later = otlp || traits.on_fluent_bit ? nullptr : &later;  // those look at ids at once
  if (otlp && traits.body_type != BodyType::kRefused) traits.body_type = BodyType::kOtlpJson;
  if (otlp && IsProtobufType(request.content_type)) traits.body_type = BodyType::kProtobuf;
  const bool cloud_events =
      traits.body_type == BodyType::kCloudEvent || traits.body_type == BodyType::kCloudEventBatch;
  if (!cloud_events && !otlp && HasHeader(request, "ce-specversion")) {
    return DecodeBinary(quarantine);
  }
  if (traits.body_type == BodyType::kRefused) {
    return tl::unexpected(Refusal{415, "unsupported_media_type",
                                  otlp ? "This path takes OTLP as protobuf and as JSON."
                                       : "This path takes JSON, JSON lines, MessagePack and "
                                         "CloudEvents in JSON, all of them in UTF-8.",
                                  -1});
  }
  size_t first = request.body.find_first_not_of(" \t\r\n\x1E",
                                                request.body.starts_with("\xEF\xBB\xBF") ? 3 : 0);
  if (binary()) first = request.body.empty() ? std::string_view::npos : 0;
  if (first == std::string_view::npos) {
    if (traits.body_type == BodyType::kProtobuf) return std::move(out);  // a request of nothing
    return tl::unexpected(Refusal{400, "empty_body", "The body is empty.", 0});
  }
  if (request.path == "/falco" && request.body[first] != '{' && request.body[first] != '[') {
    traits.body_type = BodyType::kText;
  }
  const bool framed = SplitBody();
  if (overrun) {
    return tl::unexpected(Refusal{
        413, "too_many_records",
        "The body holds more than " + std::to_string(options.limits.records_max) + " records.",
        -1});
  }
  if (Over()) return RefuseStarved();
  if (readable == 0 && (records > 0 || !framed)) {
    const size_t fault = first_fault.value_or(first);
    const std::string detail = FaultText(JsonFault::kSyntax, fault);
    return RefuseWhole({.record = request.body,
                        .path = request.path,
                        .producer = {},
                        .reason = syntax_reason(),
                        .detail = detail,
                        .record_offset = 0,
                        .fault_offset = fault},
                       syntax_reason(), quarantine);
  }
  return std::move(out);
}

// True if what was seen is whole even without records.
bool Decoder::Impl::SplitBody() {
  const TranscodeLimits limits{.depth_max = options.limits.depth_max,
                               .record_bytes_max = options.limits.record_bytes_max,
                               .pay = [this](size_t bytes) {
                                 made_bytes = bytes;
                                 return bytes <= Arena::kFreeBytes || Admit(out.bytes + bytes);
                               }};
  switch (traits.body_type) {
    case BodyType::kMsgpack: SplitMsgpack(in->body, limits, &made, this); return false;
    case BodyType::kProtobuf: return SplitOtlpProtobuf(in->body, limits, &made, this);
    case BodyType::kOtlpJson: {
      // Values are deeper there than what they stand for: each level of an AnyValue is four.
      if (!MayScan(in->body)) return true;
      const JsonResult scan = scanner.Scan(in->body, 4 * options.limits.depth_max);
      if (!scan || scan.kind != JsonKind::kObject) {
        first_fault = scan.offset;
        return false;
      }
      return SplitOtlpJson(in->body, limits, &made, this);
    }
    case BodyType::kText: return SplitTextLines();
    default:
      return SplitRecords(in->body,
                          {.bare_items = traits.body_type == BodyType::kAny &&
                                         (traits.on_audit || traits.on_events)},
                          this);
  }
}

// Each line is an alert's text: as JSON it is the member that Falco's own JSON has it in.
bool Decoder::Impl::SplitTextLines() {
  std::string_view rest = in->body;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty()) continue;
    OffsetOf(line);
    made_bytes = 6 * line.size() + 16;  // at worst each byte becomes six
    if (made_bytes > Arena::kFreeBytes && !Admit(out.bytes + made_bytes)) return true;
    made.assign("{\"output\":");
    AppendJsonString(line, &made);
    made += '}';
    if (Record(made, ListKind::kNone) == Answer::kStop) break;
  }
  return true;
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
  std::string attributes;
  auto rejected = CloudEventAttributes(*in->headers, &attributes);
  if (!rejected) {
    const auto shown = Redacted(attributes, true);
    if (!shown) return RefuseStarved();
    attributes = std::string(*shown);
    if (!MayScan(attributes)) return RefuseStarved();
    if (!scanner.Scan(attributes, options.limits.depth_max)) {
      note.reason = "redaction_failed";
      note.detail = "what redaction left is not JSON";
      return QuarantineWhole(note);
    }
  }
  const auto clean = Redacted(body, view.json);
  if (!clean) return RefuseStarved();
  view.data = *clean;
  if (!rejected) rejected = FillCloudEventHeaders(context, scanner.members(), &view);
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
  JsonResult scan = scanner.Scan(text, options.limits.depth_max);
  // Bytes that do not even begin like JSON are none, whatever else is wrong with them.
  const bool begins = text.front() == '{' || text.front() == '[' || text.front() == '"';
  if (scan.fault == JsonFault::kSyntax || (scan.fault == JsonFault::kUtf8 && !begins)) {
    // Numbers that JSON does not have cost the record no more than themselves.
    const auto mended = traits.on_fluent_bit && scan.fault == JsonFault::kSyntax
                            ? MendedNumbers(context, text)
                            : std::optional<std::string_view>();
    if (Over()) return Answer::kStop;
    if (!mended || !MayScan(*mended)) return Over() ? Answer::kStop : Answer::kUnreadable;
    OffsetOf(text);
    text = *mended;
    scan = scanner.Scan(text, options.limits.depth_max);
    if (scan.fault == JsonFault::kSyntax) return Answer::kUnreadable;
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
  OffsetOf(text);
  if (const auto line = RecordInLogLine(context, scanner.members())) {
    text = *line;
    if (!MayScan(text) || !scanner.Scan(text, options.limits.depth_max)) return Answer::kStop;
  }
  if (Over()) return Answer::kStop;
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
      Admit(out.bytes + made_bytes + arena.bytes() + view.data.size()) && Keep(Seal(&view, *clean));
  return kept ? Answer::kTaken : Answer::kStop;
}

RecordHandler::Answer Decoder::Impl::Unreadable(std::string_view text) {
  if (Over()) return Answer::kStop;
  arena.Reset();
  const size_t begin = OffsetOf(text);
  JsonFault fault = JsonFault::kSyntax;
  size_t at = begin;
  if (text.size() <= options.limits.record_bytes_max && !binary()) {
    if (!MayScan(text)) return Answer::kStop;
    const JsonResult scan = scanner.Scan(text, options.limits.depth_max);
    if (!scan) {
      fault = scan.fault;
      at = begin + scan.offset;
    }
  }
  if (!first_fault) first_fault = at;
  return Quarantine(text,
                    {binary() ? syntax_reason() : ReasonOf(fault),
                     text.empty() ? "a list ends too early" : FaultText(fault, at)},
                    at, {});
}

std::optional<Rejected> Decoder::Impl::Understand(std::string_view text, ListKind list,
                                                  EventView* view, bool* ignored) {
  view->data = text;
  view->json = true;
  view->content_type = "application/json";
  return Recognise(context, traits, &scanner, text, list, view, ignored);
}

RecordHandler::Answer Decoder::Impl::Quarantine(std::string_view text, const Rejected& rejected,
                                                size_t fault, std::string_view producer) {
  if (Count() == Answer::kStop) return Answer::kStop;
  if (producer.empty() && traits.on_audit) producer = "k8s-audit";
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

// Two lines of a log may be equal to the second that their time has. In one request they are two
// lines; the whole request sent again has them in the same order.
void Decoder::Impl::TellApart(EventView* view) {
  constexpr size_t kLineBytes = 128;
  if (view->type != "dev.spool.json.v1" && view->type != "io.opentelemetry.log.v1") return;
  const std::string id = view->id.Hex();
  record_bytes += kLineBytes;  // paid for with the next event
  if (const uint32_t before = lines[id]++; before > 0) {
    view->id = IdentityOf("again", {id, std::to_string(before)});
  }
}

void Decoder::Impl::Reclassify(EventView* view, StreamId* stream) const {
  view->origin = in->origin;
  const auto own = (*in->classifier)(*view);
  if (!own) return;
  if (!own->category.empty()) {
    view->category = own->category;
    view->subcategory = own->subcategory;
    *stream = StreamFor(view->category);
  }
  if (own->severity) view->severity = *own->severity;
  if (!own->stream.empty()) *stream = options.stream(own->stream);
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
  if (traits.on_fluent_bit || view->producer == "otlp") TellApart(view);
  StreamId stream = StreamFor(view->category);
  if (in->classifier != nullptr && *in->classifier) Reclassify(view, &stream);
  return MakeEvent(*view, stream);
}

Decoder::Decoder(DecodeOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Decoder::~Decoder() = default;

tl::expected<Decoded, Refusal> Decoder::Decode(const Incoming& incoming,
                                               std::vector<Event>* quarantine) {
  return impl_->Decode(incoming, quarantine);
}

}  // namespace spool
