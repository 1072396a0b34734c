#include "ingest/classification_table.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>

namespace spool {
namespace {

constexpr Category kNode{"infrastructure", "node"};
constexpr Category kPod{"infrastructure", "pod"};
constexpr Category kStorage{"infrastructure", "storage"};
constexpr Category kNetwork{"infrastructure", "network"};
constexpr Category kResource{"infrastructure", "resource"};
constexpr Category kRbac{"security", "rbac"};
constexpr Category kPodSecurity{"security", "pod-security"};
constexpr Category kImage{"security", "image"};
constexpr Category kNetworkPolicy{"security", "network-policy"};
constexpr Category kCertificate{"security", "certificate"};
constexpr Category kRuntime{"security", "runtime"};
constexpr Category kValidating{"admission", "validating"};
constexpr Category kMutating{"admission", "mutating"};
constexpr Category kQuota{"admission", "quota"};
constexpr Category kLimitRange{"admission", "limitrange"};

constexpr ResourceRule kResources[] = {
    {"", "pods", "exec", kRuntime},
    {"", "pods", "attach", kRuntime},
    {"", "pods", "portforward", kRuntime},
    {"", "pods", "ephemeralcontainers", kRuntime},
    {"", "nodes", "proxy", kRuntime},
    {"", "services", "proxy", kRuntime},
    {"", "pods", "proxy", kRuntime},
    {"security.kubearmor.com", "*", "*", kRuntime},
    {"rbac.authorization.k8s.io", "*", "*", kRbac},
    {"authorization.k8s.io", "*", "*", kRbac},
    {"authentication.k8s.io", "*", "*", kRbac},
    {"", "serviceaccounts", "*", kRbac},
    {"certificates.k8s.io", "*", "*", kCertificate},
    {"cert-manager.io", "*", "*", kCertificate},
    {"acme.cert-manager.io", "*", "*", kCertificate},
    {"*", "networkpolicies", "*", kNetworkPolicy},
    {"*", "adminnetworkpolicies", "*", kNetworkPolicy},
    {"*", "baselineadminnetworkpolicies", "*", kNetworkPolicy},
    {"*", "clusternetworkpolicies", "*", kNetworkPolicy},
    {"*", "ciliumnetworkpolicies", "*", kNetworkPolicy},
    {"*", "ciliumclusterwidenetworkpolicies", "*", kNetworkPolicy},
    {"*", "globalnetworkpolicies", "*", kNetworkPolicy},
    {"admissionregistration.k8s.io", "mutating*", "*", kMutating},
    {"admissionregistration.k8s.io", "*", "*", kValidating},
    {"mutations.gatekeeper.sh", "*", "*", kMutating},
    {"*.gatekeeper.sh", "*", "*", kValidating},
    {"kyverno.io", "*", "*", kValidating},
    {"", "resourcequotas", "*", kQuota},
    {"", "limitranges", "*", kLimitRange},
    {"", "nodes", "*", kNode},
    {"coordination.k8s.io", "leases", "*", kNode},
    {"", "pods", "*", kPod},
    {"*", "poddisruptionbudgets", "*", kPod},
    {"", "persistentvolumes", "*", kStorage},
    {"", "persistentvolumeclaims", "*", kStorage},
    {"storage.k8s.io", "*", "*", kStorage},
    {"snapshot.storage.k8s.io", "*", "*", kStorage},
    {"", "services", "*", kNetwork},
    {"", "endpoints", "*", kNetwork},
    {"discovery.k8s.io", "*", "*", kNetwork},
    {"*", "ingresses", "*", kNetwork},
    {"*", "ingressclasses", "*", kNetwork},
    {"gateway.networking.k8s.io", "*", "*", kNetwork},
    {"*", "*", "*", kResource},
};

constexpr ReasonRule kReasons[] = {
    // kubelet and node lifecycle
    {"NodeReady", "", kNode},
    {"NodeNotReady", "", kNode},
    {"NodeSchedulable", "", kNode},
    {"NodeNotSchedulable", "", kNode},
    {"Starting", "Node", kNode},
    {"KubeletSetupFailed", "", kNode},
    {"Rebooted", "", kNode},
    {"Shutdown", "Node", kNode},
    {"ContainerGCFailed", "", kNode},
    {"ImageGCFailed", "", kNode},
    {"NodeAllocatableEnforced", "", kNode},
    {"FailedNodeAllocatableEnforcement", "", kNode},
    {"InvalidDiskCapacity", "", kNode},
    {"FreeDiskSpaceFailed", "", kNode},
    {"CgroupV1", "", kNode},
    {"NodeHasSufficientMemory", "", kNode},
    {"NodeHasInsufficientMemory", "", kNode},
    {"NodeHasDiskPressure", "", kNode},
    {"NodeHasNoDiskPressure", "", kNode},
    {"NodeHasSufficientPID", "", kNode},
    {"NodeHasInsufficientPID", "", kNode},
    {"SystemOOM", "", kNode},
    {"EvictionThresholdMet", "", kNode},
    {"DeletingNode", "", kNode},
    {"DeletingNodeFailed", "", kNode},
    {"Synced", "Node", kNode},
    {"RegisteredNode", "", kNode},
    {"RemovingNode", "", kNode},
    // node-problem-detector
    {"OOMKilling", "", kNode},
    {"KernelOops", "", kNode},
    {"TaskHung", "", kNode},
    {"KubeletUnhealthy", "", kNode},
    {"ContainerdUnhealthy", "", kNode},
    {"DockerUnhealthy", "", kNode},
    {"DockerHung", "", kNode},
    {"FrequentKubeletRestart", "", kNode},
    {"FilesystemIsReadOnly", "", kNode},
    {"Ext4Error", "", kNode},
    {"XfsHasShutdown", "", kNode},
    {"MemoryReadError", "", kNode},
    {"CperHardwareErrorFatal", "", kNode},
    {"NTPIsDown", "", kNode},
    // volumes, as seen by the kubelet
    {"FailedMount", "", kStorage},
    {"FailedAttachVolume", "", kStorage},
    {"FailedMapVolume", "", kStorage},
    {"SuccessfulAttachVolume", "", kStorage},
    {"SuccessfulMountVolume", "", kStorage},
    {"AlreadyMountedVolume", "", kStorage},
    {"VolumeResizeFailed", "", kStorage},
    {"VolumeResizeSuccessful", "", kStorage},
    {"FileSystemResizeFailed", "", kStorage},
    {"FileSystemResizeSuccessful", "", kStorage},
    {"FailedMountOnFilesystemMismatch", "", kStorage},
    {"FailedDetachVolume", "", kStorage},
    {"FailedUnMount", "", kStorage},
    // the volume controllers and the resizer
    {"FailedBinding", "", kStorage},
    {"VolumeMismatch", "", kStorage},
    {"VolumeFailedRecycle", "", kStorage},
    {"VolumeRecycled", "", kStorage},
    {"RecyclerPod", "", kStorage},
    {"VolumeDelete", "", kStorage},
    {"VolumeFailedDelete", "", kStorage},
    {"ExternalProvisioning", "", kStorage},
    {"ProvisioningFailed", "", kStorage},
    {"ProvisioningCleanupFailed", "", kStorage},
    {"ProvisioningSucceeded", "", kStorage},
    {"WaitForFirstConsumer", "", kStorage},
    {"WaitForPodScheduled", "", kStorage},
    {"ExternalExpanding", "", kStorage},
    {"Resizing", "PersistentVolumeClaim", kStorage},
    {"VolumeModify", "", kStorage},
    {"VolumeModifyFailed", "", kStorage},
    {"VolumeModifySuccessful", "", kStorage},
    {"VolumeModifyCanceled", "", kStorage},
    {"FileSystemResizeRequired", "", kStorage},
    // network
    {"NetworkNotReady", "", kNetwork},
    {"DNSConfigForming", "", kNetwork},
    {"HostPortConflict", "", kNetwork},
    {"HostNetworkNotSupported", "", kNetwork},
    {"EnsuringLoadBalancer", "", kNetwork},
    {"EnsuredLoadBalancer", "", kNetwork},
    {"UpdatedLoadBalancer", "", kNetwork},
    {"SyncLoadBalancerFailed", "", kNetwork},
    {"UpdateLoadBalancerFailed", "", kNetwork},
    {"DeletingLoadBalancer", "", kNetwork},
    {"DeletedLoadBalancer", "", kNetwork},
    {"DeleteLoadBalancerFailed", "", kNetwork},
    {"UnAvailableLoadBalancer", "", kNetwork},
    {"CIDRNotAvailable", "", kNetwork},
    {"CIDRAssignmentFailed", "", kNetwork},
    {"FailedToUpdateEndpointSlices", "", kNetwork},
    {"FailedToUpdateEndpoint", "", kNetwork},
    {"FailedToCreateEndpoint", "", kNetwork},
    {"Sync", "Ingress", kNetwork},
    {"RELOAD", "", kNetwork},
    {"AnnotationParsingFailed", "", kNetwork},
};

constexpr SeverityRule kSeverities[] = {
    {"NodeNotReady", Severity::kWarning},
    {"NodeHasInsufficientMemory", Severity::kWarning},
    {"NodeHasDiskPressure", Severity::kWarning},
    {"NodeHasInsufficientPID", Severity::kWarning},
    {"EvictionThresholdMet", Severity::kWarning},
    {"Rebooted", Severity::kWarning},
    {"CIDRNotAvailable", Severity::kWarning},
    {"CIDRAssignmentFailed", Severity::kWarning},
    {"SystemOOM", Severity::kError},
    {"OOMKilling", Severity::kError},
    {"KernelOops", Severity::kError},
    {"FilesystemIsReadOnly", Severity::kError},
    {"Ext4Error", Severity::kError},
    {"XfsHasShutdown", Severity::kError},
    {"MemoryReadError", Severity::kError},
    {"CperHardwareErrorFatal", Severity::kError},
};

constexpr AnnotationRule kAnnotations[] = {
    {"pod-security.kubernetes.io/audit-violations", "", "", kPodSecurity},
    {"validation.policy.admission.k8s.io/validation_failure", "", "", kValidating},
    {"failed-open.validating", "", "", kValidating},
    {"failed-open.mutation", "", "", kMutating},
    {"", ".invalid-cert.kubernetes.io", "", kCertificate},
    {"imagepolicywebhook.image-policy.k8s.io/", "", "", kImage},
    {"mutation.webhook.admission.k8s.io/", "", "\"mutated\":true", kMutating},
};

constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
    {"pods", "Pod"},
    {"nodes", "Node"},
    {"services", "Service"},
    {"endpoints", "Endpoints"},
    {"endpointslices", "EndpointSlice"},
    {"namespaces", "Namespace"},
    {"events", "Event"},
    {"configmaps", "ConfigMap"},
    {"secrets", "Secret"},
    {"serviceaccounts", "ServiceAccount"},
    {"persistentvolumes", "PersistentVolume"},
    {"persistentvolumeclaims", "PersistentVolumeClaim"},
    {"storageclasses", "StorageClass"},
    {"csidrivers", "CSIDriver"},
    {"csinodes", "CSINode"},
    {"csistoragecapacities", "CSIStorageCapacity"},
    {"volumeattachments", "VolumeAttachment"},
    {"volumesnapshots", "VolumeSnapshot"},
    {"resourcequotas", "ResourceQuota"},
    {"limitranges", "LimitRange"},
    {"replicationcontrollers", "ReplicationController"},
    {"podtemplates", "PodTemplate"},
    {"componentstatuses", "ComponentStatus"},
    {"bindings", "Binding"},
    {"deployments", "Deployment"},
    {"replicasets", "ReplicaSet"},
    {"statefulsets", "StatefulSet"},
    {"daemonsets", "DaemonSet"},
    {"controllerrevisions", "ControllerRevision"},
    {"jobs", "Job"},
    {"cronjobs", "CronJob"},
    {"horizontalpodautoscalers", "HorizontalPodAutoscaler"},
    {"verticalpodautoscalers", "VerticalPodAutoscaler"},
    {"poddisruptionbudgets", "PodDisruptionBudget"},
    {"priorityclasses", "PriorityClass"},
    {"runtimeclasses", "RuntimeClass"},
    {"leases", "Lease"},
    {"ingresses", "Ingress"},
    {"ingressclasses", "IngressClass"},
    {"networkpolicies", "NetworkPolicy"},
    {"gateways", "Gateway"},
    {"gatewayclasses", "GatewayClass"},
    {"httproutes", "HTTPRoute"},
    {"roles", "Role"},
    {"rolebindings", "RoleBinding"},
    {"clusterroles", "ClusterRole"},
    {"clusterrolebindings", "ClusterRoleBinding"},
    {"certificatesigningrequests", "CertificateSigningRequest"},
    {"certificates", "Certificate"},
    {"certificaterequests", "CertificateRequest"},
    {"issuers", "Issuer"},
    {"clusterissuers", "ClusterIssuer"},
    {"tokenreviews", "TokenReview"},
    {"tokenrequests", "TokenRequest"},
    {"subjectaccessreviews", "SubjectAccessReview"},
    {"selfsubjectaccessreviews", "SelfSubjectAccessReview"},
    {"selfsubjectrulesreviews", "SelfSubjectRulesReview"},
    {"localsubjectaccessreviews", "LocalSubjectAccessReview"},
    {"customresourcedefinitions", "CustomResourceDefinition"},
    {"apiservices", "APIService"},
    {"validatingwebhookconfigurations", "ValidatingWebhookConfiguration"},
    {"mutatingwebhookconfigurations", "MutatingWebhookConfiguration"},
    {"validatingadmissionpolicies", "ValidatingAdmissionPolicy"},
    {"validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"},
    {"mutatingadmissionpolicies", "MutatingAdmissionPolicy"},
    {"flowschemas", "FlowSchema"},
    {"prioritylevelconfigurations", "PriorityLevelConfiguration"},
};

}  // namespace

std::span<const ResourceRule> ResourceRules() { return kResources; }
std::span<const ReasonRule> ReasonRules() { return kReasons; }
std::span<const SeverityRule> SeverityRules() { return kSeverities; }
std::span<const AnnotationRule> AnnotationRules() { return kAnnotations; }

const ReasonRule* FindReasonRule(std::string_view reason, std::string_view kind) {
  static const auto* const rules = [] {
    auto* map = new std::unordered_map<std::string_view, const ReasonRule*>();
    for (const ReasonRule& rule : kReasons) map->emplace(rule.reason, &rule);
    return map;
  }();
  const auto found = rules->find(reason);
  if (found == rules->end()) return nullptr;
  const ReasonRule* rule = found->second;
  return rule->kind.empty() || rule->kind == kind ? rule : nullptr;
}

std::string_view KindOfResource(std::string_view resource) {
  static const auto* const kinds = new std::unordered_map<std::string_view, std::string_view>(
      std::begin(kKinds), std::end(kKinds));
  const auto found = kinds->find(resource);
  return found == kinds->end() ? resource : found->second;
}

}  // namespace spool
