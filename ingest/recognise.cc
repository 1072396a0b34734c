#include "ingest/recognise.h"

#include "ingest/fields.h"
#include "ingest/json_text.h"
#include "ingest/known_shapes.h"

namespace spool {
namespace {

// One record's way through the shapes.
class Recogniser {
 public:
  Recogniser(const RecordContext& context, const RequestTraits& request, JsonScanner* scanner)
      : context_(context), request_(request), scanner_(*scanner) {}

  std::optional<Rejected> Fill(const std::vector<JsonMember>& members, std::string_view text,
                               ListKind list, EventView* view, bool* ignored);

 private:
  std::optional<Rejected> FillFrame(const ShapeMarks& marks, std::string_view text, EventView* view,
                                    bool* ignored);

  const RecordContext& context_;
  const RequestTraits& request_;
  JsonScanner& scanner_;
};

std::optional<Rejected> Recogniser::Fill(const std::vector<JsonMember>& members,
                                         std::string_view text, ListKind list, EventView* view,
                                         bool* ignored) {
  const ShapeMarks marks = LookAt(members);
  if (request_.body_type == BodyType::kOtlpJson || request_.body_type == BodyType::kProtobuf) {
    FillOtlp(context_, members, text, view);
    return std::nullopt;
  }
  const bool cloud_event = request_.body_type == BodyType::kCloudEvent ||
                           request_.body_type == BodyType::kCloudEventBatch;
  if (cloud_event) {
    view->producer = "cloudevents";
    return FillCloudEvent(context_, members, view);
  }
  // The path's own producer first, then by shape.
  if (marks.IsEvent() && request_.on_events && !marks.specversion) {
    view->producer = "k8s-event";
    return FillK8sEvent(context_, members, text, view);
  }
  if (marks.IsAudit()) {
    view->producer = "k8s-audit";
    return FillK8sAudit(context_, members, view);
  }
  if (marks.specversion) {
    view->producer = "cloudevents";
    return FillCloudEvent(context_, members, view);
  }
  const bool event_kind = marks.IsEventKind();
  if (marks.IsEvent()) {
    EventView event = *view;
    if (auto rejected = FillK8sEvent(context_, members, text, &event)) {
      if (request_.on_events || request_.on_audit || list == ListKind::kEvent || event_kind ||
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
  const KnownShape known = KnownShapeOf(members, request_.path);
  if (known != KnownShape::kNone) {
    FillKnown(known, context_, members, text, request_.path, view);
    return std::nullopt;
  }
  const bool audit_kind = marks.kind == "Event" && marks.api_version.starts_with("audit.k8s.io");
  if (request_.on_audit || list == ListKind::kAudit || audit_kind) {
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
  FillJson(context_, members, text, view);
  return std::nullopt;
}

// {"type":"ADDED","object":{…}}: the object is the record. A bookmark is no news.
std::optional<Rejected> Recogniser::FillFrame(const ShapeMarks& marks, std::string_view text,
                                              EventView* view, bool* ignored) {
  if (marks.type == "BOOKMARK") {
    *ignored = true;
    return std::nullopt;
  }
  if (marks.type == "ADDED" || marks.type == "MODIFIED") {
    const std::string_view object = marks.object->value;
    if (scanner_.Scan(object, context_.depth_max)) {
      const ShapeMarks inside = LookAt(scanner_.members());
      if (!inside.IsWatchFrame() && (inside.IsEvent() || inside.IsAudit())) {
        view->data = object;
        return Fill(scanner_.members(), object, ListKind::kNone, view, ignored);
      }
    }
    scanner_.Scan(text, context_.depth_max);
  }
  FillJson(context_, scanner_.members(), text, view);
  return std::nullopt;
}

// What Fluent Bit's kubernetes filter adds to a line of a container.
void FillPod(const RecordContext& context, const std::vector<JsonMember>& members,
             EventView* view) {
  const RecordFields f(context, members);
  view->namespace_ = f.Text("kubernetes", "namespace_name");
  view->name = f.Text("kubernetes", "pod_name");
  if (!view->name.empty()) view->kind = "Pod";
  view->subject = SubjectOf(context, view->kind, view->namespace_, view->name);
}

bool IsWordChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '-' || c == '.' || c == '_';
}

bool IsNoNumber(std::string_view word) {
  if (word.starts_with('-') || word.starts_with('+')) word.remove_prefix(1);
  if (word.size() != 3 && word.size() != 8) return false;
  const std::string lower = AsciiLower(word);
  return lower == "nan" || lower == "inf" || lower == "infinity";
}

}  // namespace

RequestTraits TraitsOf(std::string_view path, BodyType body_type) {
  RequestTraits traits;
  traits.path = path;
  traits.body_type = body_type;
  traits.on_audit = path == "/audit";
  traits.on_events = path == "/events";
  traits.on_fluent_bit = path == "/fluentbit";
  return traits;
}

std::optional<Rejected> Recognise(const RecordContext& context, const RequestTraits& request,
                                  JsonScanner* scanner, std::string_view text, ListKind list,
                                  EventView* view, bool* ignored) {
  auto rejected =
      Recogniser(context, request, scanner).Fill(scanner->members(), text, list, view, ignored);
  // What it carries is told by the type; who brought it, by the producer.
  if (request.on_fluent_bit && view->producer != "cloudevents") {
    if (view->producer == "json") FillPod(context, scanner->members(), view);
    view->producer = "fluent-bit";
    if (!rejected) view->source = SourceOf(context, view->cluster, view->producer);
  }
  return rejected;
}

std::optional<std::string_view> RecordInLogLine(const RecordContext& context,
                                                const std::vector<JsonMember>& members) {
  for (const JsonMember& m : members) {
    if (m.depth != 1 || m.kind != JsonKind::kString || (m.key != "log" && m.key != "message")) {
      continue;
    }
    if (!m.value.starts_with("{\\\"") && !m.value.starts_with("{ ")) continue;
    // What a record of its own says in its message is its own words, whatever they look like.
    const ShapeMarks outer = LookAt(members);
    if (outer.IsAudit() || outer.IsEvent() || outer.specversion || outer.IsWatchFrame() ||
        KnownShapeOf(members, {}) != KnownShape::kNone) {
      return std::nullopt;
    }
    std::string_view line = context.Text(m);
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r' || line.back() == ' ')) {
      line.remove_suffix(1);
    }
    if (line.empty() || !context.ScanInner(line)) continue;
    const std::vector<JsonMember>& inside = context.inner->members();
    const ShapeMarks marks = LookAt(inside);
    if (marks.IsAudit() || marks.IsEvent() || KnownShapeOf(inside, {}) != KnownShape::kNone) {
      return line;
    }
  }
  return std::nullopt;
}

std::optional<std::string_view> MendedNumbers(const RecordContext& context, std::string_view text) {
  std::string* mended = nullptr;
  size_t kept = 0;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\') ++i;
      }
      ++i;
      continue;
    }
    if (!IsWordChar(text[i])) {
      ++i;
      continue;
    }
    const size_t begin = i;
    while (i < text.size() && IsWordChar(text[i])) ++i;
    if (!IsNoNumber(text.substr(begin, i - begin))) continue;
    if (mended == nullptr) {
      // A null is at most one byte longer than what it stands for.
      if (!context.arena->Pay(text.size() + text.size() / 3)) return std::nullopt;
      mended = &context.arena->New();
    }
    mended->append(text, kept, begin - kept).append("null");
    kept = i;
  }
  if (mended == nullptr) return std::nullopt;
  mended->append(text, kept);
  return *mended;
}

}  // namespace spool
