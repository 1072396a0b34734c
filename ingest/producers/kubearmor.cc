// KubeArmor: alerts, logs and messages. The relay writes keys as in the .proto ("HostName"), the
// agent in lower camel case ("hostName", "hostPPid"); so keys are compared without regard to case.
#include <charconv>

#include "ingest/classify.h"
#include "ingest/fields.h"
#include "ingest/identity.h"
#include "ingest/json_text.h"
#include "ingest/known_shapes.h"

namespace spool {
namespace {

// A policy's severity is "1" to "10"; whatever it is, the policy was matched.
Severity AlertSeverity(std::string_view text) {
  int severity = 0;
  std::from_chars(text.data(), text.data() + text.size(), severity);
  if (severity >= 8) return Severity::kCritical;
  return severity >= 5 ? Severity::kError : Severity::kWarning;
}

Severity MessageSeverity(std::string_view level) {
  const std::string word = AsciiLower(level);
  if (word == "warn") return Severity::kWarning;
  if (word == "err") return Severity::kError;
  return word.empty() ? Severity::kInfo : ParseSeverity(word).value_or(Severity::kInfo);
}

}  // namespace

void FillKubeArmor(const RecordContext& context, const std::vector<JsonMember>& members,
                   std::string_view text, EventView* view) {
  const RecordFields f(context, members, RecordFields::Case::kAny);
  const std::string_view type = f.Text("type");
  const std::string_view operation = f.Text("operation");
  const bool message = type == "Message";
  const bool alert = type.starts_with("Matched");
  const std::string_view cluster =
      context.cluster.empty() ? f.Text("clustername") : context.cluster;
  const std::string_view pod = f.Text("podname");
  const std::string_view host = f.Text("hostname");
  const std::string_view policy = f.Text("policyname");
  view->producer = "kubearmor";
  view->type = message ? "io.kubearmor.message.v1"
               : alert ? "io.kubearmor.alert.v1"
                       : "io.kubearmor.log.v1";
  view->source = SourceOf(context, cluster, view->producer);
  view->cluster = cluster;
  view->namespace_ = f.Text("namespacename");
  view->kind = !pod.empty() ? "Pod" : host.empty() ? std::string_view{} : "Node";
  view->name = pod.empty() ? host : pod;
  view->reason = message ? type : alert && !policy.empty() ? policy : operation;
  view->subject = SubjectOf(context, view->kind, view->namespace_, view->name);
  view->severity = message ? MessageSeverity(f.Text("level"))
                   : alert ? AlertSeverity(f.Scalar("severity"))
                           : Severity::kInfo;
  const Category category =
      ClassifyProducer("kubearmor", {{"type", type}, {"operation", operation}});
  view->category = category.category;
  view->subcategory = category.subcategory;
  auto time = LooseTime(f.Text("updatedtime"));
  if (!time) time = EpochTime(f.Scalar("timestamp"));
  if (time) {
    view->time = *time;
    view->id = IdentityOf("kubearmor", {cluster, text});
  }
  if (!alert) return;  // telemetry is no trouble
  std::string_view owner = f.Text("owner", "name");
  if (owner.empty()) owner = OwnerName(view->kind, view->name);
  view->problem_key = ProblemKeyOf({cluster, view->namespace_, view->kind, owner, view->reason});
}

}  // namespace spool
