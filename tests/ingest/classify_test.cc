// Every row of the classification, and the traps in it.
#include "ingest/classify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/support/ingest_fixture.h"
#include "tests/support/linear_time.h"

namespace spool {
namespace {

std::string Text(const Category& c) {
  return std::string(c.category) + "/" + std::string(c.subcategory);
}

struct Audit {
  int code = 200;
  std::string_view message;
  std::vector<std::pair<std::string_view, std::string_view>> annotations;
  std::string_view verb = "create";
  std::string_view group, resource = "pods", subresource;
  bool impersonated = false;

  AuditFacts Facts() const {
    AuditFacts facts;
    facts.stage = "ResponseComplete";
    facts.verb = verb;
    facts.code = code;
    facts.message = message;
    facts.group = group;
    facts.resource = resource;
    facts.subresource = subresource;
    facts.impersonated = impersonated;
    facts.annotations = annotations;
    return facts;
  }
};

TEST(ClassifyAudit, EveryRowInOrder) {
  const std::pair<std::string_view, std::string_view> forbid{"authorization.k8s.io/decision",
                                                             "forbid"};
  const std::pair<std::string_view, std::string_view> allow{"authorization.k8s.io/decision",
                                                            "allow"};
  const std::pair<std::string_view, std::string_view> mutation{
      "mutation.webhook.admission.k8s.io/round_0_index_0",
      R"({"configuration":"c","webhook":"m.example.com","mutated":false})"};
  const std::pair<std::string_view, std::string_view> mutated{
      "mutation.webhook.admission.k8s.io/round_0_index_0",
      R"({"configuration":"c","webhook":"m.example.com","mutated":true})"};
  const struct {
    const char* rule;
    Audit audit;
    const char* expected;
  } rows[] = {
      {"A1", {403, "exceeded quota: x", {forbid}}, "security/rbac"},
      {"A2", {401}, "security/rbac"},
      {"A3a",
       {403, "pods \"w\" is forbidden: exceeded quota: c, requested: cpu=1", {allow}},
       "admission/quota"},
      {"A3a", {403, "failed quota: c: must specify cpu"}, "admission/quota"},
      {"A3a", {403, "status unknown for quota: c"}, "admission/quota"},
      {"A3a", {403, "insufficient quota to match these scopes"}, "admission/quota"},
      {"A3b",
       {403, "[maximum cpu usage per Container is 1, but limit is 2, x]"},
       "admission/limitrange"},
      {"A3b", {403, "Minimum memory usage per Pod is 1Gi."}, "admission/limitrange"},
      {"A3b", {403, "cpu max limit to request ratio per Container is 2"}, "admission/limitrange"},
      {"A3c",
       {403, "pods \"w\" is forbidden: violates PodSecurity \"baseline:latest\": x"},
       "security/pod-security"},
      {"A3d", {403, "image policy webhook backend denied one or more images"}, "security/image"},
      {"A3d", {403, "image policy webook backend denied one or more images"}, "security/image"},
      {"A3d", {403, "one or more images rejected by webhook backend"}, "security/image"},
      {"A3e",
       {403, "user \"x\" is attempting to grant RBAC permissions not currently held:"},
       "security/rbac"},
      {"A3e",
       {403,
        "secrets is forbidden: User \"jane\" cannot list resource \"secrets\" in API group \"\""},
       "security/rbac"},
      {"A3e", {403, "forbidden: User \"u\" cannot head path \"/\""}, "security/rbac"},
      {"A3f",
       {400, "admission webhook \"v.example.com\" denied the request: no"},
       "admission/validating"},
      {"A3f",
       {403, "admission webhook \"m.example.com\" denied the request: no", {mutation}},
       "admission/mutating"},
      {"A3f",
       {403, "admission webhook \"v.example.com\" denied the request: no", {mutation}},
       "admission/validating"},
      {"A3f", {400, "admission webhook \"v\" does not support dry run"}, "admission/validating"},
      {"A3g",
       {422, "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: x"},
       "admission/validating"},
      {"A3g", {422, "ValidatingAdmissionPolicy 'p' denied request: x"}, "admission/validating"},
      {"A3h",
       {500, "Internal error occurred: failed calling webhook \"v\": timeout"},
       "admission/validating"},
      {"A3h",
       {500, "failed calling webhook \"m.example.com\": timeout", {mutation}},
       "admission/mutating"},
      {"A3i",
       {403, "", {allow, {"pod-security.kubernetes.io/enforce-policy", "baseline:latest"}}},
       "security/pod-security"},
      {"A3j", {403, "", {allow}}, "admission/validating"},
      {"A3j no", {403, "", {allow}, "get"}, "infrastructure/pod"},
      {"A3j no",
       {403, "", {allow}, "create", "rbac.authorization.k8s.io", "roles"},
       "security/rbac"},
      {"A3 no", {201, "exceeded quota: x"}, "infrastructure/pod"},
      {"A3 no", {404, "pods \"x\" not found"}, "infrastructure/pod"},
      {"A4a",
       {201, "", {{"pod-security.kubernetes.io/audit-violations", "would violate"}}},
       "security/pod-security"},
      {"A4a no",
       {201, "", {{"pod-security.kubernetes.io/enforce-policy", "privileged:latest"}}},
       "infrastructure/pod"},
      {"A4b",
       {201, "", {{"validation.policy.admission.k8s.io/validation_failure", "[]"}}},
       "admission/validating"},
      {"A4c",
       {201, "", {{"failed-open.validating.webhook.admission.k8s.io/round_0_index_1", "v"}}},
       "admission/validating"},
      {"A4c",
       {201, "", {{"failed-open.mutation.webhook.admission.k8s.io/round_0_index_1", "m"}}},
       "admission/mutating"},
      {"A4e",
       {201, "", {{"missing-san.invalid-cert.kubernetes.io/host.example", "x"}}},
       "security/certificate"},
      {"A4f",
       {201, "", {{"imagepolicywebhook.image-policy.k8s.io/failed-open", "true"}}},
       "security/image"},
      {"A4d", {201, "", {mutated}}, "admission/mutating"},
      {"A4d no", {201, "", {mutation}}, "infrastructure/pod"},
      {"A4a first",
       {201, "", {mutated, {"pod-security.kubernetes.io/audit-violations", "x"}}},
       "security/pod-security"},
      {"A4g", {200, "", {}, "get", "", "pods", "", true}, "security/rbac"},
      {"A5", {200, "", {}, "get", "", ""}, "infrastructure/resource"},
      {"A5", {200, "", {}, "update", "", "nodes", "status"}, "infrastructure/node"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(Text(ClassifyAudit(row.audit.Facts()).category), row.expected)
        << row.rule << ": " << row.audit.message;
  }
}

TEST(ClassifyAudit, MutationsNeedNotCount) {
  const Audit audit{
      201, "", {{"mutation.webhook.admission.k8s.io/round_0_index_0", "\"mutated\":true"}}};
  EXPECT_EQ(Text(ClassifyAudit(audit.Facts(), true).category), "admission/mutating");
  EXPECT_EQ(Text(ClassifyAudit(audit.Facts(), false).category), "infrastructure/pod");
}

TEST(ClassifyAudit, SeverityComesFromTheAnswer) {
  const auto severity = [](const Audit& audit, std::string_view stage = "ResponseComplete") {
    AuditFacts facts = audit.Facts();
    facts.stage = stage;
    return AuditSeverity(facts, ClassifyAudit(facts));
  };
  EXPECT_EQ(severity({200}), Severity::kInfo);
  EXPECT_EQ(severity({404}), Severity::kInfo);
  EXPECT_EQ(severity({401}), Severity::kWarning);
  EXPECT_EQ(severity({403}), Severity::kWarning);
  EXPECT_EQ(severity({422, "ValidatingAdmissionPolicy 'p' denied request: x"}), Severity::kWarning);
  EXPECT_EQ(severity({500}), Severity::kError);
  EXPECT_EQ(severity({0}, "Panic"), Severity::kError);
  EXPECT_EQ(severity({0, "", {{"authorization.k8s.io/decision", "forbid"}}}), Severity::kWarning);
}

TEST(ClassifyResource, EveryRow) {
  const struct {
    std::string_view group, resource, subresource, expected;
  } rows[] = {
      {"", "pods", "exec", "security/runtime"},
      {"", "pods", "attach", "security/runtime"},
      {"", "pods", "portforward", "security/runtime"},
      {"", "pods", "ephemeralcontainers", "security/runtime"},
      {"", "pods", "proxy", "security/runtime"},
      {"", "nodes", "proxy", "security/runtime"},
      {"", "services", "proxy", "security/runtime"},
      {"security.kubearmor.com", "kubearmorpolicies", "", "security/runtime"},
      {"rbac.authorization.k8s.io", "clusterrolebindings", "", "security/rbac"},
      {"authorization.k8s.io", "subjectaccessreviews", "", "security/rbac"},
      {"authentication.k8s.io", "tokenreviews", "", "security/rbac"},
      {"", "serviceaccounts", "", "security/rbac"},
      {"", "serviceaccounts", "token", "security/rbac"},
      {"certificates.k8s.io", "certificatesigningrequests", "approval", "security/certificate"},
      {"cert-manager.io", "certificates", "", "security/certificate"},
      {"acme.cert-manager.io", "challenges", "", "security/certificate"},
      {"networking.k8s.io", "networkpolicies", "", "security/network-policy"},
      {"crd.projectcalico.org", "networkpolicies", "", "security/network-policy"},
      {"policy.networking.k8s.io", "adminnetworkpolicies", "", "security/network-policy"},
      {"policy.networking.k8s.io", "baselineadminnetworkpolicies", "", "security/network-policy"},
      {"policy.networking.k8s.io", "clusternetworkpolicies", "", "security/network-policy"},
      {"cilium.io", "ciliumnetworkpolicies", "", "security/network-policy"},
      {"cilium.io", "ciliumclusterwidenetworkpolicies", "", "security/network-policy"},
      {"crd.projectcalico.org", "globalnetworkpolicies", "", "security/network-policy"},
      {"admissionregistration.k8s.io", "mutatingwebhookconfigurations", "", "admission/mutating"},
      {"admissionregistration.k8s.io", "validatingadmissionpolicies", "", "admission/validating"},
      {"mutations.gatekeeper.sh", "assign", "", "admission/mutating"},
      {"constraints.gatekeeper.sh", "k8srequiredlabels", "", "admission/validating"},
      {"templates.gatekeeper.sh", "constrainttemplates", "", "admission/validating"},
      {"kyverno.io", "clusterpolicies", "", "admission/validating"},
      {"", "resourcequotas", "", "admission/quota"},
      {"", "limitranges", "", "admission/limitrange"},
      {"", "nodes", "status", "infrastructure/node"},
      {"coordination.k8s.io", "leases", "", "infrastructure/node"},
      {"", "pods", "", "infrastructure/pod"},
      {"", "pods", "log", "infrastructure/pod"},
      {"", "pods", "eviction", "infrastructure/pod"},
      {"policy", "poddisruptionbudgets", "", "infrastructure/pod"},
      {"", "persistentvolumes", "", "infrastructure/storage"},
      {"", "persistentvolumeclaims", "status", "infrastructure/storage"},
      {"storage.k8s.io", "storageclasses", "", "infrastructure/storage"},
      {"snapshot.storage.k8s.io", "volumesnapshots", "", "infrastructure/storage"},
      {"", "services", "", "infrastructure/network"},
      {"", "endpoints", "", "infrastructure/network"},
      {"discovery.k8s.io", "endpointslices", "", "infrastructure/network"},
      {"networking.k8s.io", "ingresses", "", "infrastructure/network"},
      {"networking.k8s.io", "ingressclasses", "", "infrastructure/network"},
      {"gateway.networking.k8s.io", "httproutes", "", "infrastructure/network"},
      {"apps", "deployments", "", "infrastructure/resource"},
      {"serving.knative.dev", "services", "", "infrastructure/resource"},
      {"", "configmaps", "", "infrastructure/resource"},
      {"", "", "", "infrastructure/resource"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(Text(ClassifyResource(row.group, row.resource, row.subresource)), row.expected)
        << row.group << " " << row.resource << "/" << row.subresource;
  }
}

TEST(ClassifyEvent, EveryRowAndEveryTrap) {
  const struct {
    const char* rule;
    EventFacts facts;  // reason, message, kind, group, component
    const char* expected;
  } rows[] = {
      {"E0",
       {"FailedCreate", "(combined from similar events): Error creating: exceeded quota: c",
        "ReplicaSet", "apps", ""},
       "admission/quota"},
      {"E1", {"Anything", "", "Pod", "", "gatekeeper-audit"}, "admission/validating"},
      {"E1", {"FailedAdmission", "", "Namespace", "", ""}, "admission/validating"},
      {"E1", {"DryrunViolation", "", "Pod", "", ""}, "admission/validating"},
      {"E1", {"WarningAdmission", "", "Pod", "", ""}, "admission/validating"},
      {"E1", {"AuditViolation", "", "Pod", "", ""}, "admission/validating"},
      {"E1", {"Issuing", "", "Certificate", "cert-manager.io", ""}, "security/certificate"},
      {"E1", {"Failed", "", "Challenge", "acme.cert-manager.io", ""}, "security/certificate"},
      {"E1",
       {"Generated", "", "Certificate", "", "cert-manager-certificates-key-manager"},
       "security/certificate"},
      {"E1",
       {"Requested", "", "CertificateSigningRequest", "certificates.k8s.io", ""},
       "security/certificate"},
      {"E2",
       {"FailedCreate",
        "Error creating: pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": y",
        "ReplicaSet", "apps", ""},
       "security/pod-security"},
      {"E2",
       {"FailedCreate", "Error creating: admission webhook \"v\" denied the request: no", "Job",
        "batch", ""},
       "admission/validating"},
      {"E2",
       {"FailedCreate", "Error creating: pods \"x\" is forbidden: something", "DaemonSet", "apps",
        ""},
       "admission/validating"},
      {"E2",
       {"ReplicaSetCreateError", "maximum cpu usage per Pod is 1", "Deployment", "apps", ""},
       "admission/limitrange"},
      {"E2",
       {"FailedCreate", "create Pod web-0 in StatefulSet web failed error: insufficient quota",
        "StatefulSet", "apps", ""},
       "admission/quota"},
      {"E2 no",
       {"FailedCreate", "Error creating: timeout", "ReplicaSet", "apps", ""},
       "infrastructure/resource"},
      {"E3",
       {"Failed", "Failed to pull image \"x\": pull access denied for x", "Pod", "", "kubelet"},
       "security/image"},
      {"E3",
       {"Failed", "Failed to pull image \"x\": 401 Unauthorized", "Pod", "", "kubelet"},
       "security/image"},
      {"E3",
       {"Failed", "Failed to pull image \"x\": x509: unknown authority", "Pod", "", "kubelet"},
       "security/image"},
      {"E3",
       {"InspectFailed", "Image SignatureValidationFailed", "Pod", "", "kubelet"},
       "security/image"},
      {"E3 no",
       {"BackOff", "Back-off pulling image \"x\"", "Pod", "", "kubelet"},
       "infrastructure/pod"},
      {"E3 no", {"Failed", "Error: unauthorized", "Pod", "", "kubelet"}, "infrastructure/pod"},
      {"E4 node", {"NodeNotReady", "", "Node", "", "node-controller"}, "infrastructure/node"},
      {"E4 node",
       {"NodeNotReady", "Node is not ready", "Pod", "", "node-controller"},
       "infrastructure/node"},
      {"E4 node", {"OOMKilling", "", "Node", "", "kernel-monitor"}, "infrastructure/node"},
      {"E4 node", {"Starting", "", "Node", "", "kubelet"}, "infrastructure/node"},
      {"E4 storage", {"FailedMount", "", "Pod", "", "kubelet"}, "infrastructure/storage"},
      {"E4 storage",
       {"ProvisioningFailed", "", "PersistentVolumeClaim", "", ""},
       "infrastructure/storage"},
      {"E4 network", {"NetworkNotReady", "", "Pod", "", "kubelet"}, "infrastructure/network"},
      {"E4 network", {"SyncLoadBalancerFailed", "", "Service", "", ""}, "infrastructure/network"},
      {"E4 network",
       {"Sync", "", "Ingress", "networking.k8s.io", "nginx-ingress-controller"},
       "infrastructure/network"},
      {"E4 no", {"Sync", "", "Deployment", "apps", ""}, "infrastructure/resource"},
      {"E4 sandbox",
       {"FailedCreatePodSandBox", "failed to setup network for sandbox: Unauthorized", "Pod", "",
        ""},
       "infrastructure/network"},
      {"E4 sandbox",
       {"FailedCreatePodSandBox", "plugin CNI failed", "Pod", "", ""},
       "infrastructure/network"},
      {"E4 sandbox",
       {"FailedCreatePodSandBox", "no image: Unauthorized", "Pod", "", ""},
       "infrastructure/pod"},
      {"E4 sched",
       {"FailedScheduling", "0/3 nodes: 3 Insufficient cpu. preemption: no volume", "Pod", "", ""},
       "infrastructure/resource"},
      {"E4 sched",
       {"FailedScheduling", "0/3 nodes: Too many pods.", "Pod", "", ""},
       "infrastructure/resource"},
      {"E4 sched",
       {"FailedScheduling", "pod has unbound immediate PersistentVolumeClaims", "Pod", "", ""},
       "infrastructure/storage"},
      {"E4 sched",
       {"FailedScheduling", "3 node(s) had taints. preemption: Insufficient cpu", "Pod", "", ""},
       "infrastructure/pod"},
      {"E5", {"Pulled", "", "Pod", "", "kubelet"}, "infrastructure/pod"},
      {"E5", {"Whatever", "", "NetworkPolicy", "networking.k8s.io", ""}, "security/network-policy"},
      {"E5", {"Whatever", "", "Ingress", "networking.k8s.io", ""}, "infrastructure/network"},
      {"E5", {"Whatever", "", "Endpoints", "", ""}, "infrastructure/network"},
      {"E5", {"Whatever", "", "ResourceQuota", "", ""}, "admission/quota"},
      {"E5",
       {"Whatever", "", "Gateway", "gateway.networking.k8s.io", ""},
       "infrastructure/network"},
      {"E5", {"ScalingReplicaSet", "", "Deployment", "apps", ""}, "infrastructure/resource"},
      {"E5", {"NoPods", "", "PodDisruptionBudget", "policy", ""}, "infrastructure/pod"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(Text(ClassifyEvent(row.facts)), row.expected)
        << row.rule << " " << row.facts.reason << ": " << row.facts.message;
  }
}

TEST(ClassifyEvent, EveryReasonOfTheTableIsFound) {
  for (const ReasonRule& rule : ReasonRules()) {
    const EventFacts facts{rule.reason, "", rule.kind.empty() ? "Widget" : rule.kind, "", ""};
    EXPECT_EQ(ClassifyEvent(facts), rule.result) << rule.reason;
  }
}

TEST(ClassifyEvent, TypeIsNotSeverityWhereItUnderstates) {
  EXPECT_EQ(EventSeverity("Normal", "Pulled"), Severity::kInfo);
  EXPECT_EQ(EventSeverity("Warning", "Unhealthy"), Severity::kWarning);
  EXPECT_EQ(EventSeverity("", "Unhealthy"), Severity::kInfo);
  EXPECT_EQ(EventSeverity("Normal", "NodeNotReady"), Severity::kWarning);
  EXPECT_EQ(EventSeverity("Normal", "CIDRNotAvailable"), Severity::kWarning);
  EXPECT_EQ(EventSeverity("Warning", "OOMKilling"), Severity::kError);
}

TEST(Classify, FalcoBySourceAndRule) {
  EXPECT_EQ(Text(ClassifyFalco("internal", "x")), "infrastructure/node");
  EXPECT_EQ(Text(ClassifyFalco("syscall", "Falco internal: metrics snapshot")),
            "infrastructure/node");
  EXPECT_EQ(Text(ClassifyFalco("k8s_audit", "Attach to cluster-admin Role")), "security/rbac");
  EXPECT_EQ(Text(ClassifyFalco("k8s_audit", "Create Privileged Pod")), "security/runtime");
  EXPECT_EQ(Text(ClassifyFalco("syscall", "Terminal shell in container")), "security/runtime");
}

TEST(Classify, ACategoryHasItsStream) {
  IngestFixture ingest;
  EXPECT_EQ(ingest.One("/events", EventText{}.Json()).stream, "infrastructure-changes");
  EXPECT_EQ(ingest.One("/events", EventText{.component = "gatekeeper-webhook"}.Json()).stream,
            "admission-control");
  EXPECT_EQ(ingest.One("/events", EventText{.api_version = "cert-manager.io/v1"}.Json()).stream,
            "security-events");
  EXPECT_EQ(ingest.One("/v1/events", "{}").stream, "kubernetes-events");
}

TEST(Classify, MessagesAreReadThroughTheirEscapes) {
  IngestFixture ingest;
  const ReadBack e = ingest.One(
      "/events",
      EventText{.reason = "FailedCreate",
                .message =
                    R"(Error creating: admission webhook \"v\" denied the request: \u003cno\u003e)",
                .kind = "ReplicaSet"}
          .Json());
  EXPECT_EQ(e.view.category, "admission");
  AuditText audit;
  audit.status =
      R"({"code":403,"message":"pods \"w\" is forbidden: violates PodSecurity \"baseline\": x"})";
  EXPECT_EQ(ingest.One("/audit", audit.Json()).view.subcategory, "pod-security");
}

// Messages made to have the same words looked for again and again, as long as they are looked at.
TEST(ClassifyRefusal, WorksInLinearTimeWhateverTheMessageSays) {
  for (const char* piece :
       {"User \"", "User \"a\" cannot ", "\" cannot ", "maximum ", "admission webhook \"",
        "failed calling webhook \"", "ValidatingAdmissionPolicy '", "User \" cannot x"}) {
    const auto make = [piece](size_t size) {
      // The end that each of the pieces waits for comes last.
      std::string text;
      while (text.size() + 32 < size) text += piece;
      return text + "\" cannot x";
    };
    size_t found = 0;
    const auto classify = [&found](const std::string& text) {
      for (int i = 0; i < 50; ++i) found += ClassifyRefusal(text, {}).empty() ? 0 : 1;
    };
    EXPECT_LT(GrowthOverEightfold(size_t{2} << 10, make, classify), kGrowthMax) << piece;
    if (std::string_view(piece).find("webhook") == std::string_view::npos) {
      EXPECT_EQ(found, 0U) << piece;
    }
  }
}

// As the rule reads: a user, the first "cannot" behind it, a verb, and what it was about.
bool SaysCannot(std::string_view text) {
  for (size_t at = text.find("User \""); at != text.npos; at = text.find("User \"", at + 1)) {
    const size_t cannot = text.find("\" cannot ", at + 6);
    if (cannot == text.npos) continue;
    std::string_view rest = text.substr(cannot + 9);
    rest.remove_prefix(std::min(rest.find(' '), rest.size()));
    if (rest.starts_with(" resource \"") || rest.starts_with(" path \"")) return true;
  }
  return false;
}

TEST(ClassifyRefusal, FindsTheForbiddenWhereverTheyStand) {
  constexpr std::string_view kPieces[] = {
      "User \"", "\" cannot ", " cannot ", "list", " resource \"", " path \"", "User",
      " \"",     " ",          "\"",       "a"};
  std::mt19937 random(7);
  size_t said = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    for (size_t n = random() % 14; n > 0; --n) text += kPieces[random() % std::size(kPieces)];
    const bool says = SaysCannot(text);
    said += says ? 1 : 0;
    ASSERT_EQ(Text(ClassifyRefusal(text, {})), says ? "security/rbac" : "/") << text;
  }
  EXPECT_GT(said, 1000U);
}

// The same through a request: what one record costs does not depend on what it says.
TEST(ClassifyRefusal, OneRecordCannotHoldAListenerUp) {
  IngestFixture ingest;
  std::string message;
  while (message.size() < (size_t{8} << 20)) message += "User \\\"";
  const std::string body =
      AuditText{.status = R"({"code":403,"message":")" + message + R"( x\" cannot y"})"}.Json();
  const double begin = ThreadSeconds();
  EXPECT_EQ(ingest.One("/audit", body).view.producer, "k8s-audit");
  EXPECT_LT(ThreadSeconds() - begin, 2.0);
}

TEST(ClassifyRefusal, LooksAtTheStartOfAMessageOnly) {
  const std::string told = "exceeded quota: ";
  EXPECT_EQ(Text(ClassifyRefusal(std::string(10'000, 'x') + told, {})), "admission/quota");
  EXPECT_EQ(Text(ClassifyRefusal(std::string(20'000, 'x') + told, {})), "/");
}

}  // namespace
}  // namespace spool
