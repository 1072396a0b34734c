// CloudEvents 1.0: one in JSON (structured, and each of a batch), or one in headers (binary).
#include <algorithm>
#include <set>

#include "base/time_text.h"
#include "ingest/classify.h"
#include "ingest/identity.h"
#include "ingest/json_text.h"
#include "ingest/known_shapes.h"
#include "ingest/record.h"
#include "ingest/shape.h"

namespace spool {
namespace {

// Names of the envelope that an extension must not take; such a one gets "ce" in front.
bool IsTaken(std::string_view name) {
  static constexpr std::string_view kNames[] = {"specversion",
                                                "id",
                                                "source",
                                                "type",
                                                "subject",
                                                "time",
                                                "datacontenttype",
                                                "data",
                                                "data_base64",
                                                "sequence",
                                                "stream",
                                                "acceptedtime",
                                                "category",
                                                "subcategory",
                                                "severity",
                                                "cluster",
                                                "namespace",
                                                "kind",
                                                "name",
                                                "reason",
                                                "problemkey",
                                                "producer",
                                                "producerid",
                                                "replay"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

// Lower-case letters and digits, which is all that a name may have.
std::string ExtensionName(std::string_view name) {
  std::string out;
  for (const char c : AsciiLower(name)) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out.push_back(c);
  }
  if (IsTaken(out)) out.insert(0, "ce");
  return out;
}

// The inside of a JSON object.
class Extensions {
 public:
  explicit Extensions(std::string* text) : text_(*text) {}
  // More than an event may have; what comes then is not looked at.
  bool Overfull() const { return text_.size() > kAttributeMax; }
  void AddText(std::string_view name, std::string_view value) {
    if (!Begin(name)) return;
    AppendJsonString(value, &text_);
  }
  void AddRaw(std::string_view name, std::string_view json) {
    if (!Begin(name)) return;
    text_.append(json);
  }
  std::string_view text() const { return text_; }

 private:
  bool Begin(std::string_view name) {
    if (name.empty() || std::find(names_.begin(), names_.end(), name) != names_.end()) return false;
    names_.emplace_back(name);
    if (!text_.empty()) text_.push_back(',');
    AppendJsonString(name, &text_);
    text_.push_back(':');
    return true;
  }
  std::string& text_;
  std::vector<std::string> names_;
};

struct Attributes {
  std::string_view specversion, id, source, type, subject, time;

  // Where the attribute of that name has its place; null for any other.
  std::string_view* Find(std::string_view name) {
    if (name == "specversion") return &specversion;
    if (name == "id") return &id;
    if (name == "source") return &source;
    if (name == "type") return &type;
    if (name == "subject") return &subject;
    return name == "time" ? &time : nullptr;
  }
};

std::optional<Rejected> Check(const Attributes& a) {
  if (!a.specversion.starts_with("1.")) {
    return Rejected{"invalid_cloudevent", "specversion is not 1.x"};
  }
  if (a.id.empty()) return Rejected{"invalid_cloudevent", "a CloudEvent needs an id"};
  if (a.source.empty()) return Rejected{"invalid_cloudevent", "a CloudEvent needs a source"};
  if (a.type.empty()) return Rejected{"invalid_cloudevent", "a CloudEvent needs a type"};
  return std::nullopt;
}

void Apply(const RecordContext& context, const Attributes& a, EventView* view) {
  view->producer = "cloudevents";
  view->type = a.type;
  view->source = a.source;
  view->subject = a.subject;
  view->cluster = context.cluster;
  view->severity = Severity::kInfo;
  if (!a.time.empty() && !a.time.starts_with("0001-")) {
    if (const auto time = ParseRfc3339(a.time)) view->time = *time;
  }
}

// Looks into data for a shape that has rules of its own.
void ApplyData(const RecordContext& context, EventView* view) {
  if (!view->json || !view->data.starts_with('{')) return;
  if (!context.ScanInner(view->data)) return;
  // FillK8sEvent scans once more, so the members are kept aside.
  const std::vector<JsonMember> members = context.inner->members();
  const ShapeMarks marks = LookAt(members);
  const KnownShape known = KnownShapeOf(members, {});
  EventView inside;
  inside.time = {};
  inside.data = view->data;
  if (marks.IsAudit() && !FillK8sAudit(context, members, &inside)) {
  } else if (marks.IsEvent() && !FillK8sEvent(context, members, view->data, &inside)) {
  } else if (view->type == "falco.rule.output.v1") {
    FillFalco(context, members, view->data, &inside);
    view->producer = "falcosidekick";  // Falco itself sends no CloudEvents
  } else if (view->type == "KUBERNETES_TOPOLOGY_CHANGE") {
    FillKubewatchChange(context, members, &inside);
    view->producer = inside.producer;
  } else if (known != KnownShape::kNone) {
    FillKnown(known, context, members, view->data, {}, &inside);
    view->producer = inside.producer;
  } else {
    return;
  }
  view->category = inside.category;
  view->subcategory = inside.subcategory;
  view->severity = inside.severity;
  view->namespace_ = inside.namespace_;
  view->kind = inside.kind;
  view->name = inside.name;
  view->reason = inside.reason;
  view->problem_key = inside.problem_key;
  if (view->cluster.empty()) view->cluster = inside.cluster;
  if (view->subject.empty()) view->subject = inside.subject;
  if (view->time == SystemTime{}) view->time = inside.time;
}

std::optional<Rejected> Finish(const RecordContext& context, const Attributes& a,
                               Extensions* extensions, EventView* view) {
  extensions->AddText("producerid", a.id);
  if (extensions->Overfull()) {
    return Rejected{"attributes_too_large", "the extensions of a CloudEvent exceed 4096 bytes"};
  }
  view->extensions = extensions->text();
  ApplyData(context, view);
  // Kubewatch counts its ids from each start's second, and has the same source in every cluster.
  view->id = view->producer == "kubewatch"
                 ? IdentityOf("kubewatch-event", {context.cluster, a.source, a.id, view->data})
                 : IdentityOf("cloudevent", {a.source, a.id});
  return std::nullopt;
}

// A header's value as it reads: double quotes around it and backslashes in them undone, then
// percent-decoded once. Not every SDK encodes: a percent sign that begins no escape is one, and
// bytes that are not UTF-8 are the Latin-1 of old HTTP. What is encoded may still be no UTF-8.
std::string HeaderText(std::string_view value) {
  std::string unquoted;
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
    for (size_t i = 0; i < value.size(); ++i) {
      if (value[i] == '\\' && i + 1 < value.size()) ++i;
      unquoted.push_back(value[i]);
    }
    value = unquoted;
  }
  const bool latin = !IsUtf8(value);
  std::string out;
  for (size_t i = 0; i < value.size(); ++i) {
    const auto c = static_cast<unsigned char>(value[i]);
    const auto decoded = c == '%' ? PercentDecode(value.substr(i, 3)) : std::nullopt;
    if (decoded) {
      out += *decoded;
      i += 2;
    } else if (latin && c >= 0x80) {
      out.push_back(static_cast<char>(0xC0 | c >> 6));
      out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
    } else {
      out.push_back(value[i]);
    }
  }
  return out;
}

}  // namespace

std::optional<Rejected> FillCloudEvent(const RecordContext& context,
                                       const std::vector<JsonMember>& members, EventView* view) {
  Attributes a;
  const JsonMember* data = nullptr;
  const JsonMember* base64 = nullptr;
  std::string_view content_type;
  Extensions extensions(&context.arena->New());
  for (const JsonMember& m : members) {
    if (m.depth != 1 || m.kind == JsonKind::kNull) {
      if (m.depth == 1 && m.key == "data") data = &m;
      continue;
    }
    if (std::string_view* const known = a.Find(m.key))
      *known = context.Text(m);
    else if (m.key == "datacontenttype")
      content_type = context.Text(m);
    else if (m.key == "data")
      data = &m;
    else if (m.key == "data_base64")
      base64 = &m;
    else if (extensions.Overfull())
      continue;
    else if (m.kind == JsonKind::kObject || m.kind == JsonKind::kArray) {
      extensions.AddText(ExtensionName(m.key), m.value);  // no type of CloudEvents: as text
    } else if (m.kind == JsonKind::kString) {
      extensions.AddText(ExtensionName(m.key), context.Text(m));
    } else {
      extensions.AddRaw(ExtensionName(m.key), m.value);
    }
  }
  if (auto rejected = Check(a)) return rejected;
  if (data != nullptr && data->kind != JsonKind::kNull && base64 != nullptr) {
    return Rejected{"invalid_cloudevent", "data and data_base64 are both there"};
  }
  Apply(context, a, view);
  view->content_type = content_type.empty() ? std::string_view("application/json") : content_type;
  if (base64 != nullptr) {
    // Three bytes are made of four letters.
    const bool paid = context.arena->Pay(base64->value.size() / 4 * 3);
    auto bytes = paid ? DecodeBase64(context.Text(*base64)) : std::nullopt;
    if (base64->kind != JsonKind::kString || !bytes) {
      return Rejected{"invalid_cloudevent", "data_base64 is not base64"};
    }
    view->data = context.arena->New() = *std::move(bytes);
    view->json = IsJsonType(view->content_type) && context.ScanInner(view->data);
  } else if (data != nullptr) {
    // A string's value is kept without its quotes, which belong to the bytes.
    view->data = data->kind == JsonKind::kString
                     ? std::string_view(data->value.data() - 1, data->value.size() + 2)
                     : data->value;
    view->json = true;
  } else {
    view->data = {};
    view->json = false;
    view->content_type = content_type;
  }
  return Finish(context, a, &extensions, view);
}

std::optional<Rejected> CloudEventAttributes(
    const std::vector<std::pair<std::string, std::string>>& headers, std::string* json) {
  Attributes known;
  std::set<std::string_view> names;
  json->assign("{");
  for (const auto& [header, value] : headers) {
    if (!header.starts_with("ce-")) continue;
    const std::string_view name = std::string_view(header).substr(3);
    const std::string text = HeaderText(value);
    if (!IsUtf8(text)) {
      return Rejected{"invalid_cloudevent", "a ce- header is not percent-encoded UTF-8"};
    }
    if (!names.insert(name).second) {
      if (known.Find(name) == nullptr) continue;
      return Rejected{"duplicate_key", "a ce- header is there twice"};
    }
    if (names.size() > 1) json->push_back(',');
    AppendJsonString(name, json);
    json->push_back(':');
    AppendJsonString(text, json);
  }
  json->push_back('}');
  return std::nullopt;
}

std::optional<Rejected> FillCloudEventHeaders(const RecordContext& context,
                                              const std::vector<JsonMember>& members,
                                              EventView* view) {
  Attributes a;
  Extensions extensions(&context.arena->New());
  for (const JsonMember& m : members) {
    if (m.depth != 1) continue;
    if (std::string_view* const known = a.Find(m.key)) {
      *known = context.Text(m);
    } else if (m.kind == JsonKind::kString) {
      extensions.AddText(ExtensionName(m.key), context.Text(m));
    } else {
      extensions.AddText(ExtensionName(m.key), m.value);
    }
  }
  if (auto rejected = Check(a)) return rejected;
  Apply(context, a, view);
  return Finish(context, a, &extensions, view);
}

}  // namespace spool
