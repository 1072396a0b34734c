// kubewatch: {"eventmeta":{"kind","name","namespace","reason"},"text","time"}, and the data of its
// CloudEvents. It tells of changes of objects; `time` is when it sent, the only time there is.
#include "ingest/classify.h"
#include "ingest/fields.h"
#include "ingest/identity.h"
#include "ingest/known_shapes.h"

namespace spool {
namespace {

// Old versions tell of a Node's state by a kind of its own.
std::string_view ObjectKind(std::string_view kind) {
  if (kind == "NodeReady" || kind == "NodeNotReady" || kind == "NodeRebooted") return "Node";
  return kind == "Backoff" ? std::string_view("Pod") : kind;
}

void Describe(const RecordContext& context, std::string_view kind, std::string_view in_namespace,
              std::string_view name, std::string_view reason, EventView* view) {
  view->producer = "kubewatch";
  view->cluster = context.cluster;
  view->namespace_ = in_namespace;
  view->kind = ObjectKind(kind);
  view->name = name;
  view->reason = reason;
  view->subject = SubjectOf(context, view->kind, in_namespace, name);
  view->severity = EventSeverity(kind == "Backoff" ? "Warning" : "Normal",
                                 kind == "NodeRebooted" ? std::string_view("Rebooted") : kind);
  if (!kind.empty() || !name.empty()) {
    view->problem_key = ProblemKeyOf(
        {context.cluster, in_namespace, view->kind, OwnerName(view->kind, name), reason});
  }
}

}  // namespace

void FillKubewatch(const RecordContext& context, const std::vector<JsonMember>& members,
                   std::string_view text, EventView* view) {
  const RecordFields f(context, members);
  const std::string_view kind = f.Text("eventmeta", "kind");
  Describe(context, kind, f.Text("eventmeta", "namespace"), f.Text("eventmeta", "name"),
           f.Text("eventmeta", "reason"), view);
  view->type = "dev.kubewatch.change.v1";
  view->source = SourceOf(context, context.cluster, view->producer);
  Category category = ClassifyProducer("kubewatch", {{"kind", kind}});
  if (category.empty()) category = ClassifyBareKind(kind);
  view->category = category.category;
  view->subcategory = category.subcategory;
  if (const auto time = LooseTime(f.Text("time"))) {
    view->time = *time;
    view->id = IdentityOf("kubewatch", {context.cluster, text});
  }
}

void FillKubewatchChange(const RecordContext& context, const std::vector<JsonMember>& members,
                         EventView* view) {
  const RecordFields f(context, members);
  const std::string_view kind = f.Text("kind");
  const std::string_view api_version = f.Text("apiVersion");
  std::string_view in_namespace, name;
  // Of a deleted object only the old one is there.
  for (const std::string_view object : {"obj", "oldObj"}) {
    const JsonMember* const metadata = f.Find(object, "metadata");
    if (metadata == nullptr || metadata->kind != JsonKind::kObject) continue;
    if (!context.ScanInner(metadata->value)) continue;
    const RecordFields inside(context, context.inner->members());
    in_namespace = inside.Text("namespace");
    name = inside.Text("name");
    if (!name.empty()) break;
  }
  Describe(context, kind, in_namespace, name, f.Text("operation"), view);
  const Category category =
      api_version.empty() ? ClassifyBareKind(kind) : ClassifyKind(GroupOf(api_version), kind);
  view->category = category.category;
  view->subcategory = category.subcategory;
}

}  // namespace spool
