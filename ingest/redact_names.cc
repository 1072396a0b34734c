#include "ingest/redact_names.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/hash.h"
#include "ingest/json_text.h"
#include "ingest/redact_compiled.h"

namespace spool {
namespace {

// Of these everything below the member goes.
constexpr std::string_view kSecretWords[] = {
    "password",   "passwd",       "passphrase",    "apikey",  "accesskey",
    "privatekey", "signingkey",   "encryptionkey", "sshkey",  "authorization",
    "cookie",     "dockerconfig", "dockercfg",     "private", "bearer"};
// Of these an object may be no more than a reference.
constexpr std::string_view kReferenceWords[] = {"secret", "token", "credential"};
constexpr std::string_view kWholeNames[] = {"pass", "pw", "pwd", "auth"};
// What comes behind such a word in names whose value is not the secret.
constexpr std::string_view kHarmlessEnds[] = {
    "name",   "names",      "ref",       "refs",         "namespace", "selector",
    "type",   "kind",       "path",      "file",         "dir",       "mount",
    "url",    "uri",        "endpoint",  "seconds",      "version",   "count",
    "expiry", "expiration", "ttl",       "policy",       "strategy",  "enabled",
    "limit",  "audience",   "audiences", "issuer",       "provider",  "class",
    "length", "algorithm",  "keyid",     "credentialid", "manager",   "controller"};
constexpr std::string_view kHarmlessParts[] = {"authorizationk8sio", "authenticationk8sio",
                                               "secretsstorecsi"};

bool Contains(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

// In lower case, without what separates words.
std::string Folded(std::string_view name) {
  std::string out;
  out.reserve(name.size());
  for (const char c : name) {
    if (c == '-' || c == '_' || c == '.' || c == '/' || c == ' ' || c == ':') continue;
    out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  }
  return out;
}

constexpr std::pair<std::string_view, Member> kMembers[] = {
    {"kind", Member::kKind},
    {"name", Member::kName},
    {"Name", Member::kName},
    {"namespace", Member::kNamespace},
    {"key", Member::kKey},
    {"Key", Member::kKey},
    {"value", Member::kValue},
    {"Value", Member::kValue},
    {"env", Member::kEnv},
    {"command", Member::kCommand},
    {"op", Member::kOp},
    {"path", Member::kPath},
    {"objectRef", Member::kObjectRef},
    {"resource", Member::kResource},
    {"subresource", Member::kSubresource},
    {"subResource", Member::kSubresource},
    {"requestObject", Member::kBody},
    {"responseObject", Member::kBody},
    {"object", Member::kObject},
    {"oldObject", Member::kObject},
    {"requestURI", Member::kRequestUri},
    {"metadata", Member::kMetadata},
    {"kubectl.kubernetes.io/last-applied-configuration", Member::kLastApplied},
    {"data_base64", Member::kBase64},
};

// What an object may have that only says which one is meant.
constexpr std::string_view kReferenceNames[] = {"kind",
                                                "name",
                                                "namespace",
                                                "uid",
                                                "apiVersion",
                                                "resourceVersion",
                                                "fieldPath",
                                                "apiGroup",
                                                "group",
                                                "version",
                                                "controller",
                                                "blockOwnerDeletion",
                                                "deleted",
                                                "reason",
                                                "cluster",
                                                "labels",
                                                "annotations",
                                                "ownerReferences",
                                                "optional",
                                                "secretName",
                                                "defaultMode",
                                                "mode",
                                                "path",
                                                "audience",
                                                "expirationSeconds",
                                                "resource"};

}  // namespace

NameKind KindOfName(std::string_view name) {
  constexpr size_t kLookedAt = 1024;
  const std::string folded = Folded(name.substr(0, kLookedAt));
  const std::string_view text = folded;
  NameKind kind = NameKind::kPlain;
  for (const std::string_view word : kReferenceWords) {
    if (Contains(text, word)) kind = NameKind::kReference;
  }
  for (const std::string_view word : kSecretWords) {
    if (Contains(text, word)) kind = NameKind::kSecret;
  }
  for (const std::string_view word : kWholeNames) {
    if (text == word) kind = NameKind::kSecret;
  }
  if (text.ends_with("pwd")) kind = NameKind::kSecret;
  // What an object of the API was made of, as Falco's plugin for audit events tells it.
  if (name.starts_with("ka.req.configmap.obj")) kind = NameKind::kSecret;
  if (kind == NameKind::kPlain) return kind;
  // "MY_SECRET_2" is as good as "MY_SECRET".
  const auto ends = [text](std::string_view end) { return text.ends_with(end); };
  const auto part = [text](std::string_view word) { return Contains(text, word); };
  if (std::any_of(std::begin(kHarmlessEnds), std::end(kHarmlessEnds), ends) ||
      std::any_of(std::begin(kHarmlessParts), std::end(kHarmlessParts), part)) {
    return NameKind::kPlain;
  }
  return kind;
}

NameFacts NameTable::Look(std::string_view name) const {
  NameFacts facts;
  if (redaction_.on(RedactionRule::kKeys)) {
    facts.kind = KindOfName(name);
    if (redaction_.compiled().IsSecretName(name)) facts.kind = NameKind::kSecret;
  }
  for (const auto& [text, member] : kMembers) {
    if (text == name) facts.member = member;
  }
  if (name.starts_with("patch.webhook.admission.k8s.io/")) facts.member = Member::kPatchNote;
  // In any spelling of the annotation.
  if (facts.member == Member::kOther && name.ends_with("last-applied-configuration")) {
    facts.member = Member::kLastApplied;
  }
  facts.reference = std::find(std::begin(kReferenceNames), std::end(kReferenceNames), name) !=
                    std::end(kReferenceNames);
  return facts;
}

const NameFacts& NameTable::Find(std::string_view name) {
  if (name.size() > kNameMax || name.empty()) {
    last_ = Look(name);
    return last_;
  }
  Slot& slot = slots_[FastHash64(name) % kSlots];
  if (slot.size != name.size() || std::memcmp(slot.name.data(), name.data(), name.size()) != 0) {
    slot.facts = Look(name);
    slot.size = static_cast<uint8_t>(name.size());
    std::memcpy(slot.name.data(), name.data(), name.size());
  }
  return slot.facts;
}

}  // namespace spool
