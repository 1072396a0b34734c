// Botkube's webhook sink. Before 1.0: {"meta":{…},"status":{…},"summary","timestamp",…}; since then
// {"source","data":{…},"timeStamp"}, where the outer time is always Go's zero time and the
// kubernetes source's data has its fields in upper case.
#include <algorithm>

#include "ingest/classify.h"
#include "ingest/fields.h"
#include "ingest/identity.h"
#include "ingest/json_text.h"
#include "ingest/known_shapes.h"

namespace spool {
namespace {

constexpr size_t kMessagesLookedAt = size_t{16} << 10;

struct BotkubeFields {
  std::string_view kind, api_version, in_namespace, name, cluster, type, reason, level, time;
  const JsonMember* messages = nullptr;
};

Severity SeverityOf(std::string_view level, std::string_view type) {
  const std::string word = AsciiLower(level);
  if (word == "warn") return Severity::kWarning;
  if (word == "success") return Severity::kInfo;
  if (const auto severity = ParseSeverity(word); severity && !word.empty()) return *severity;
  return type == "error"     ? Severity::kError
         : type == "warning" ? Severity::kWarning
                             : Severity::kInfo;
}

// All of a list's texts in one, in which words can be looked for.
std::string_view TextOf(const RecordContext& context, const JsonMember* messages) {
  if (messages == nullptr || messages->kind != JsonKind::kArray) return {};
  std::string& text = context.arena->New();
  const std::string_view raw = messages->value.substr(0, kMessagesLookedAt);
  if (!AppendUnescaped(raw, &text)) text.assign(raw);
  // The first one begins where Kubernetes began it: its own prefix is looked for there.
  return std::string_view(text).substr(std::min(text.size(), size_t{2}));
}

}  // namespace

void FillBotkube(const RecordContext& context, const std::vector<JsonMember>& members,
                 std::string_view text, EventView* view) {
  const RecordFields f(context, members);
  BotkubeFields b;
  if (f.Has("meta")) {
    b = {f.Text("meta", "kind"),      {},
         f.Text("meta", "namespace"), f.Text("meta", "name"),
         f.Text("meta", "cluster"),   f.Text("status", "type"),
         f.Text("status", "reason"),  f.Text("status", "level"),
         f.Text("timestamp"),         f.Find("status", "messages")};
  } else {
    b = {f.Text("data", "Kind"),    f.Text("data", "APIVersion"), f.Text("data", "Namespace"),
         f.Text("data", "Name"),    f.Text("data", "Cluster"),    f.Text("data", "Type"),
         f.Text("data", "Reason"),  f.Text("data", "Level"),      f.Text("data", "TimeStamp"),
         f.Find("data", "Messages")};
  }
  const std::string_view cluster = context.cluster.empty() ? b.cluster : context.cluster;
  view->producer = "botkube";
  view->type = "io.botkube.event.v1";
  view->source = SourceOf(context, cluster, view->producer);
  view->subject = SubjectOf(context, b.kind, b.in_namespace, b.name);
  view->cluster = cluster;
  view->namespace_ = b.in_namespace;
  view->kind = b.kind;
  view->name = b.name;
  view->reason = b.reason.empty() ? b.type : b.reason;
  view->severity = std::max(SeverityOf(b.level, b.type), EventSeverity("Normal", b.reason));
  if (const auto time = LooseTime(b.time)) {
    view->time = *time;
    view->id = IdentityOf("botkube", {cluster, text});
  }
  if (b.kind.empty() && b.name.empty()) return;
  EventFacts facts;
  facts.reason = b.reason;
  facts.kind = b.kind;
  facts.group = b.api_version.empty() ? WellKnownGroup(b.kind) : GroupOf(b.api_version);
  if (NeedsMessage(b.reason)) facts.message = TextOf(context, b.messages);
  const Category category = ClassifyEvent(facts);
  view->category = category.category;
  view->subcategory = category.subcategory;
  view->problem_key =
      ProblemKeyOf({cluster, b.in_namespace, b.kind, OwnerName(b.kind, b.name), view->reason});
}

}  // namespace spool
