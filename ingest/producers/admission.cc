// AdmissionReview requests as a webhook sees them. What is asked for may still be refused by
// somebody else, and a dry run changes nothing: the event tells of the request alone.
#include "ingest/classify.h"
#include "ingest/fields.h"
#include "ingest/identity.h"
#include "ingest/known_shapes.h"

namespace spool {
namespace {

struct ObjectMeta {
  std::string_view name, in_namespace;
};

// Of request.object or request.oldObject; a name that is still to be made is what it begins with.
ObjectMeta MetaOf(const RecordContext& context, const JsonMember* object) {
  ObjectMeta meta;
  if (object == nullptr || object->kind != JsonKind::kObject) return meta;
  if (!context.ScanInner(object->value)) return meta;
  const RecordFields f(context, context.inner->members());
  meta.name = f.Text("metadata", "name");
  if (meta.name.empty()) meta.name = f.Text("metadata", "generateName");
  meta.in_namespace = f.Text("metadata", "namespace");
  return meta;
}

}  // namespace

void FillAdmissionReview(const RecordContext& context, const std::vector<JsonMember>& members,
                         std::string_view path, EventView* view) {
  const RecordFields f(context, members);
  std::string_view kind;
  if (const JsonMember* m = f.Find("request", "kind");
      m != nullptr && m->kind == JsonKind::kObject && context.ScanInner(m->value)) {
    kind = RecordFields(context, context.inner->members()).Text("kind");
  }
  std::string_view name = f.Text("request", "name");
  std::string_view in_namespace = f.Text("request", "namespace");
  if (name.empty()) {
    ObjectMeta meta = MetaOf(context, f.Find("request", "object"));
    if (meta.name.empty()) meta = MetaOf(context, f.Find("request", "oldObject"));
    name = meta.name;
    if (in_namespace.empty()) in_namespace = meta.in_namespace;
  }
  const std::string_view uid = f.Text("request", "uid");
  view->producer = "admission-review";
  view->type = "io.k8s.admission.v1";
  view->source = SourceOf(context, context.cluster, view->producer);
  view->cluster = context.cluster;
  view->namespace_ = in_namespace;
  view->kind = kind;
  view->name = name;
  view->reason = f.Text("request", "operation");
  view->subject = SubjectOf(context, kind, in_namespace, name);
  view->severity = Severity::kInfo;
  const Category category = ClassifyProducer(view->producer, {{"path", path}});
  view->category = category.category;
  view->subcategory = category.subcategory;
  const JsonMember* const dry = f.Find("request", "dryRun");
  if (dry != nullptr && dry->kind == JsonKind::kTrue) view->extensions = "\"dryrun\":true";
  // A webhook that is called once more is given the same uid, and may see what others changed.
  if (!uid.empty())
    view->id = IdentityOf("admission", {context.cluster, uid, category.subcategory});
}

}  // namespace spool
