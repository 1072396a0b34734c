#include "ingest/classify.h"

#include <algorithm>

#include "ingest/json_text.h"

namespace spool {
namespace {

using Annotations = std::vector<std::pair<std::string_view, std::string_view>>;

constexpr Category kRbac{"security", "rbac"};
constexpr Category kPodSecurity{"security", "pod-security"};
constexpr Category kImage{"security", "image"};
constexpr Category kCertificate{"security", "certificate"};
constexpr Category kRuntime{"security", "runtime"};
constexpr Category kValidating{"admission", "validating"};
constexpr Category kMutating{"admission", "mutating"};
constexpr Category kQuota{"admission", "quota"};
constexpr Category kLimitRange{"admission", "limitrange"};
constexpr Category kPodTrouble{"infrastructure", "pod"};
constexpr Category kNetwork{"infrastructure", "network"};
constexpr Category kStorage{"infrastructure", "storage"};
constexpr Category kResource{"infrastructure", "resource"};
constexpr Category kNode{"infrastructure", "node"};

constexpr std::string_view kCombined = "(combined from similar events): ";
// Who refused, and why, stands at the start of a message; what follows are lists.
constexpr size_t kMessageLookedAt = size_t{16} << 10;
constexpr std::string_view kMutationAnnotation = "mutation.webhook.admission.k8s.io/";

bool Has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool HasAny(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [text](auto part) { return Has(text, part); });
}

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

// The word between the end of `before` and the next `quote`, if `after` follows it at once;
// npos-free: empty when the message has no such thing.
std::string_view Quoted(std::string_view text, std::string_view before, char quote,
                        std::initializer_list<std::string_view> after) {
  for (size_t at = text.find(before); at != std::string_view::npos;
       at = text.find(before, at + 1)) {
    const size_t begin = at + before.size();
    const size_t end = text.find(quote, begin);
    if (end == std::string_view::npos) return {};
    const std::string_view rest = text.substr(end + 1);
    if (after.size() == 0 ||
        std::any_of(after.begin(), after.end(), [rest](auto a) { return rest.starts_with(a); })) {
      return text.substr(begin, end - begin);
    }
  }
  return {};
}

// "maximum cpu usage per Container is ", in either case.
bool HasUsageLimit(std::string_view lower) {
  for (const std::string_view word : {"maximum ", "minimum "}) {
    for (size_t at = lower.find(word); at != std::string_view::npos;
         at = lower.find(word, at + 1)) {
      const bool starts =
          at == 0 || !((lower[at - 1] >= 'a' && lower[at - 1] <= 'z') ||
                       (lower[at - 1] >= '0' && lower[at - 1] <= '9') || lower[at - 1] == '_');
      std::string_view rest = lower.substr(at + word.size());
      const size_t what = rest.find(' ');
      if (!starts || what == 0 || what == std::string_view::npos) continue;
      rest.remove_prefix(what);
      constexpr std::string_view kUsage = " usage per ";
      if (!rest.starts_with(kUsage)) continue;
      rest.remove_prefix(kUsage.size());
      const size_t type = rest.find(' ');
      if (type != 0 && type != std::string_view::npos && rest.substr(type).starts_with(" is ")) {
        return true;
      }
    }
  }
  return false;
}

// User "jane" cannot list resource "secrets" · cannot head path "/"
bool HasCannot(std::string_view text) {
  constexpr std::string_view kUser = "User \"";
  constexpr std::string_view kCannot = "\" cannot ";
  for (size_t at = text.find(kUser); at != std::string_view::npos;) {
    const size_t cannot = text.find(kCannot, at + kUser.size());
    if (cannot == std::string_view::npos) return false;
    std::string_view rest = text.substr(cannot + kCannot.size());
    const size_t verb = rest.find(' ');
    if (verb == std::string_view::npos) return false;
    rest.remove_prefix(verb);
    if (rest.starts_with(" resource \"") || rest.starts_with(" path \"")) return true;
    // Every user in front of this verb would find it again; the next one may share its quote.
    at = text.find(kUser, cannot + 1 - kUser.size());
  }
  return false;
}

bool HasPolicyDenial(std::string_view text) {
  const size_t at = text.find("ValidatingAdmissionPolicy '");
  return at != std::string_view::npos && Has(text.substr(at), "denied request: ");
}

// Every call of a mutating webhook, a refused one too, leaves its name in an annotation; a
// validating one leaves none. The message is the same for both.
Category OfWebhook(std::string_view webhook, const Annotations& annotations) {
  std::string quoted;
  AppendJsonString(webhook, &quoted);
  for (const auto& [key, value] : annotations) {
    if (key.starts_with(kMutationAnnotation) && Has(value, quoted)) return kMutating;
  }
  return kValidating;
}

bool FitsField(std::string_view pattern, std::string_view value) {
  if (pattern == "*") return true;
  if (pattern.starts_with("*.")) {
    return value == pattern.substr(2) || value.ends_with(pattern.substr(1));
  }
  if (pattern.ends_with('*')) return value.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == value;
}

std::string Plural(std::string_view kind) {
  std::string word = AsciiLower(kind);
  word.erase(std::remove(word.begin(), word.end(), ' '), word.end());
  if (word == "endpoints" || word.empty()) return word;
  const char last = word.back();
  const char before = word.size() > 1 ? word[word.size() - 2] : ' ';
  if (last == 'y' && !IsOneOf({&before, 1}, {"a", "e", "i", "o", "u"})) {
    word.pop_back();
    return word + "ies";
  }
  if (last == 's' && before != 's') return word;  // a plural already
  if (last == 's' || last == 'x' || last == 'z') return word + "es";
  return word + "s";
}

bool FitsAnnotation(const AnnotationRule& rule, std::string_view key, std::string_view value) {
  if (!rule.prefix.empty() && !key.starts_with(rule.prefix)) return false;
  if (!rule.suffix.empty()) {  // of the part before the slash
    const size_t slash = key.find('/');
    if (!key.substr(0, slash).ends_with(rule.suffix)) return false;
  }
  return rule.contains.empty() || Has(value, rule.contains);
}

Category OfImagePull(std::string_view message) {
  const std::string lower = AsciiLower(message);
  if (!Has(lower, "image")) return {};
  return HasAny(lower,
                {"signaturevalidationfailed", "pull access denied", "authorization failed",
                 "no basic auth credentials", "unauthorized", "denied: ", "403 forbidden", "x509:"})
             ? kImage
             : Category{};
}

Category OfScheduling(std::string_view message) {
  message = message.substr(0, message.find(" preemption: "));
  if (HasAny(message, {"Insufficient ", "Too many pods"})) return kResource;
  const std::string lower = AsciiLower(message);
  return HasAny(lower, {"persistentvolumeclaim", "volume"}) ? kStorage : kPodTrouble;
}

bool IsFailedCreate(std::string_view reason) {
  return IsOneOf(reason, {"FailedCreate", "ReplicaSetCreateError", "FailedUpdate", "FailedDelete"});
}

bool IsImageReason(std::string_view reason) {
  return IsOneOf(reason, {"Failed", "InspectFailed", "ErrImageNeverPull", "BackOff"});
}

}  // namespace

std::string_view AuditFacts::Annotation(std::string_view key) const {
  for (const auto& [name, value] : annotations) {
    if (name == key) return value;
  }
  return {};
}

Category ClassifyRefusal(std::string_view message, const Annotations& annotations) {
  message = message.substr(0, kMessageLookedAt);
  if (message.empty()) return {};
  if (HasAny(message, {"exceeded quota: ", "failed quota: ", "status unknown for quota: ",
                       "insufficient quota"})) {
    return kQuota;
  }
  if (HasUsageLimit(AsciiLower(message)) || Has(message, "max limit to request ratio per ")) {
    return kLimitRange;
  }
  if (Has(message, "violates PodSecurity \"")) return kPodSecurity;
  if (HasAny(message, {"image policy webhook backend denied", "image policy webook backend denied",
                       "images rejected by webhook backend"})) {
    return kImage;
  }
  if (Has(message, "attempting to grant RBAC permissions not currently held") ||
      HasCannot(message)) {
    return kRbac;
  }
  for (const std::string_view before : {"admission webhook \"", "Admission webhook \""}) {
    const std::string_view webhook =
        Quoted(message, before, '"',
               {" denied the request", " denied request", " does not support dry run"});
    if (!webhook.empty()) return OfWebhook(webhook, annotations);
  }
  if (HasPolicyDenial(message)) return kValidating;
  const std::string_view failed = Quoted(message, "failed calling webhook \"", '"', {});
  if (!failed.empty()) return OfWebhook(failed, annotations);
  return {};
}

AuditVerdict ClassifyAudit(const AuditFacts& facts, bool mutated_is_admission) {
  const bool forbidden = facts.Annotation("authorization.k8s.io/decision") == "forbid";
  if (forbidden || facts.code == 401) return {kRbac, true};
  if (facts.code >= 400) {
    const Category refusal = ClassifyRefusal(facts.message, facts.annotations);
    if (!refusal.empty()) return {refusal, true};
  }
  const Category object = ClassifyResource(facts.group, facts.resource, facts.subresource);
  if (facts.code == 403) {
    for (const auto& [key, value] : facts.annotations) {
      if (key.starts_with("pod-security.kubernetes.io/")) return {kPodSecurity, true};
    }
    if (IsOneOf(facts.verb, {"create", "update", "patch", "delete"}) &&
        object.category == "infrastructure") {
      return {kValidating, true};
    }
  }
  for (const AnnotationRule& rule : AnnotationRules()) {
    if (rule.result == kMutating && !rule.contains.empty() && !mutated_is_admission) continue;
    for (const auto& [key, value] : facts.annotations) {
      if (FitsAnnotation(rule, key, value)) return {rule.result, false};
    }
  }
  if (facts.impersonated) return {kRbac, false};
  return {object, false};
}

Severity AuditSeverity(const AuditFacts& facts, const AuditVerdict& verdict) {
  if (facts.code >= 500 || facts.stage == "Panic") return Severity::kError;
  if (facts.code == 401 || facts.code == 403 || verdict.denied) return Severity::kWarning;
  return Severity::kInfo;
}

bool NeedsMessage(std::string_view reason) {
  return IsFailedCreate(reason) || IsImageReason(reason) || reason == "FailedCreatePodSandBox" ||
         reason == "FailedScheduling";
}

Category ClassifyEvent(const EventFacts& facts) {
  std::string_view message = facts.message.substr(0, kMessageLookedAt);
  while (message.starts_with(kCombined)) message.remove_prefix(kCombined.size());
  if (facts.component.starts_with("gatekeeper-") ||
      IsOneOf(facts.reason,
              {"FailedAdmission", "DryrunViolation", "WarningAdmission", "AuditViolation"})) {
    return kValidating;
  }
  if (facts.component.starts_with("cert-manager") || FitsField("*.cert-manager.io", facts.group) ||
      facts.kind == "CertificateSigningRequest") {
    return kCertificate;
  }
  if (IsFailedCreate(facts.reason)) {
    const Category refusal = ClassifyRefusal(message, {});
    if (!refusal.empty()) return refusal;
    if (Has(message, " is forbidden: ")) return kValidating;
  }
  if (IsImageReason(facts.reason)) {
    const Category image = OfImagePull(message);
    if (!image.empty()) return image;
  }
  if (facts.reason == "FailedCreatePodSandBox") {
    const std::string lower = AsciiLower(message);
    return HasAny(lower, {"network", "cni"}) ? kNetwork : kPodTrouble;
  }
  if (facts.reason == "FailedScheduling") return OfScheduling(message);
  if (const ReasonRule* rule = FindReasonRule(facts.reason, facts.kind)) return rule->result;
  return ClassifyKind(facts.group, facts.kind);
}

Severity EventSeverity(std::string_view type, std::string_view reason) {
  Severity severity = type == "Warning" ? Severity::kWarning : Severity::kInfo;
  for (const SeverityRule& rule : SeverityRules()) {
    if (rule.reason == reason) severity = std::max(severity, rule.at_least);
  }
  return severity;
}

Category ClassifyResource(std::string_view group, std::string_view resource,
                          std::string_view subresource) {
  for (const ResourceRule& rule : ResourceRules()) {
    if (FitsField(rule.resource, resource) && FitsField(rule.group, group) &&
        FitsField(rule.subresource, subresource)) {
      return rule.result;
    }
  }
  return kResource;
}

Category ClassifyKind(std::string_view group, std::string_view kind) {
  return ClassifyResource(group, Plural(kind), "");
}

Category ClassifyFalco(std::string_view source, std::string_view rule) {
  if (source == "internal" || rule.starts_with("Falco internal: ")) return kNode;
  if (source == "k8s_audit" &&
      HasAny(AsciiLower(rule),
             {"role", "serviceaccount", "disallowed k8s user", "anonymous", "administrative"})) {
    return kRbac;
  }
  return kRuntime;
}

std::string_view GroupOf(std::string_view api_version) {
  const size_t slash = api_version.find('/');
  return slash == std::string_view::npos ? std::string_view{} : api_version.substr(0, slash);
}

std::string_view StreamOf(std::string_view category) {
  if (category == "infrastructure") return "infrastructure-changes";
  if (category == "security") return "security-events";
  if (category == "admission") return "admission-control";
  return "kubernetes-events";
}

}  // namespace spool
