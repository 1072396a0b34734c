#include "ingest/classify.h"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <span>

#include "ingest/json_text.h"
#include "ingest/memo.h"

namespace spool {
namespace {

using Annotations = std::vector<std::pair<std::string_view, std::string_view>>;

// Of what no table can say: fields of an audit event beside its message.
constexpr Category kRbac{"security", "rbac"};
constexpr Category kPodSecurity{"security", "pod-security"};
constexpr Category kValidating{"admission", "validating"};
constexpr Category kMutating{"admission", "mutating"};

constexpr std::string_view kCombined = "(combined from similar events): ";
// Who refused, and why, stands at the start of a message; what follows are lists.
constexpr size_t kMessageLookedAt = size_t{16} << 10;
constexpr size_t kKindLookedAt = 1024;
constexpr std::string_view kMutationAnnotation = "mutation.webhook.admission.k8s.io/";

bool Has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

using Words = std::span<const std::string_view>;

bool HasAny(std::string_view text, Words parts) {
  return std::any_of(parts.begin(), parts.end(), [text](auto part) { return Has(text, part); });
}

bool IsOneOf(std::string_view text, Words words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}
bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> words) {
  return IsOneOf(text, Words(words.begin(), words.size()));
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
bool IsMutating(std::string_view webhook, const Annotations& annotations) {
  std::string quoted;
  AppendJsonString(webhook, &quoted);
  return std::any_of(annotations.begin(), annotations.end(), [&](const auto& annotation) {
    return annotation.first.starts_with(kMutationAnnotation) && Has(annotation.second, quoted);
  });
}

std::string_view DenyingWebhook(std::string_view message) {
  for (const std::string_view before : {"admission webhook \"", "Admission webhook \""}) {
    const std::string_view webhook =
        Quoted(message, before, '"',
               {" denied the request", " denied request", " does not support dry run"});
    if (!webhook.empty()) return webhook;
  }
  return {};
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

bool Fits(const EventRule& rule, const EventFacts& facts) {
  if (IsOneOf(facts.reason, rule.reasons) || IsOneOf(facts.kind, rule.kinds)) return true;
  for (const std::string_view prefix : rule.components) {
    if (facts.component.starts_with(prefix)) return true;
  }
  return std::any_of(rule.groups.begin(), rule.groups.end(),
                     [&](auto group) { return FitsField(group, facts.group); });
}

Category OfMessage(const EventRule& rule, std::string_view message) {
  if (rule.refusal) {
    const Category refusal = ClassifyRefusal(message, {});
    if (!refusal.empty()) return refusal;
  }
  if (!rule.until.empty()) message = message.substr(0, message.find(rule.until));
  std::string lower;
  for (const MessageTest& test : rule.message) {
    if (test.any_case && lower.empty()) lower = AsciiLower(message);
    const std::string_view text = test.any_case ? std::string_view(lower) : message;
    if (Has(text, test.also) && HasAny(text, test.contains)) return test.result;
  }
  return {};
}

Category LookUpEvent(const EventFacts& facts) {
  std::string_view message = facts.message.substr(0, kMessageLookedAt);
  while (message.starts_with(kCombined)) message.remove_prefix(kCombined.size());
  for (const EventRule& rule : EventRules()) {
    if (!Fits(rule, facts)) continue;
    const Category result = rule.looks() ? OfMessage(rule, message) : Category{};
    if (!result.empty()) return result;
    if (!rule.otherwise.empty()) return rule.otherwise;
  }
  if (const ReasonRule* rule = FindReasonRule(facts.reason, facts.kind)) return rule->result;
  return ClassifyKind(facts.group, facts.kind);
}

Category LookUpResource(std::string_view group, std::string_view resource,
                        std::string_view subresource) {
  for (const ResourceRule& rule : ResourceRules()) {
    if (FitsField(rule.resource, resource) && FitsField(rule.group, group) &&
        FitsField(rule.subresource, subresource)) {
      return rule.result;
    }
  }
  return {};  // the last rule fits everything
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
  for (const RefusalRule& rule : RefusalRules()) {
    if (HasAny(message, rule.contains)) return rule.result;
    std::string_view webhook;
    bool fits = false;
    switch (rule.test) {
      case RefusalTest::kNone: break;
      case RefusalTest::kUsageLimit: fits = HasUsageLimit(AsciiLower(message)); break;
      case RefusalTest::kCannot: fits = HasCannot(message); break;
      case RefusalTest::kPolicyDenied: fits = HasPolicyDenial(message); break;
      case RefusalTest::kWebhookDenied: webhook = DenyingWebhook(message); break;
      case RefusalTest::kWebhookFailed:
        webhook = Quoted(message, "failed calling webhook \"", '"', {});
        break;
    }
    if (!webhook.empty()) return IsMutating(webhook, annotations) ? rule.mutating : rule.result;
    if (fits) return rule.result;
  }
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
  const auto rules = EventRules();
  return std::any_of(rules.begin(), rules.end(), [reason](const EventRule& rule) {
    return rule.looks() && IsOneOf(reason, rule.reasons);
  });
}

Category ClassifyEvent(const EventFacts& facts) {
  if (!facts.message.empty()) return LookUpEvent(facts);
  thread_local const auto memo = std::make_unique<Memo<Category, 256>>();
  return memo->Of({facts.reason, facts.kind, facts.group, facts.component},
                  [&] { return LookUpEvent(facts); });
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
  thread_local const auto memo = std::make_unique<Memo<Category, 256>>();
  return memo->Of({group, resource, subresource},
                  [&] { return LookUpResource(group, resource, subresource); });
}

Category ClassifyKind(std::string_view group, std::string_view kind) {
  // No name of Kubernetes is as long; what is, is some other kind.
  return ClassifyResource(group, Plural(kind.substr(0, kKindLookedAt)), "");
}

std::string_view WellKnownGroup(std::string_view kind) {
  return GroupOfResource(Plural(kind.substr(0, kKindLookedAt)));
}

Category ClassifyBareKind(std::string_view kind) {
  return ClassifyKind(WellKnownGroup(kind), kind);
}

Category ClassifyProducer(std::string_view producer, ProducerFacts facts) {
  const auto fits = [&](const ProducerRule& rule) {
    if (rule.what.empty()) return true;
    for (const auto& [what, value] : facts) {
      if (what != rule.what) continue;
      for (const std::string_view word : rule.is) {
        if (value.size() == word.size() && AsciiLower(value) == AsciiLower(word)) return true;
      }
    }
    return false;
  };
  for (const ProducerRule& rule : ProducerRules()) {
    if (rule.producer == producer && fits(rule)) return rule.result;
  }
  return {};
}

Category ClassifyFalco(std::string_view source, std::string_view rule) {
  const FalcoRule& falco = FalcoRules();
  if (source == "internal" || rule.starts_with("Falco internal: ")) return falco.internal;
  const std::string lower = AsciiLower(rule.substr(0, kMessageLookedAt));
  return source == "k8s_audit" && HasAny(lower, falco.audit_words) ? falco.audit : falco.otherwise;
}

std::string_view GroupOf(std::string_view api_version) {
  const size_t slash = api_version.find('/');
  return slash == std::string_view::npos ? std::string_view{} : api_version.substr(0, slash);
}

}  // namespace spool
