#include "ingest/redact_objects.h"

#include <algorithm>
#include <iterator>

#include "ingest/json_text.h"

namespace spool {
namespace {

constexpr std::string_view kMarkBegin = "{\"redacted\":\"objects\",\"of\":\"";
constexpr std::string_view kHmac = "\"hmac\":\"";
constexpr size_t kHexDigits = 64;
constexpr size_t kNameMax = 253;
constexpr size_t kMarkMax = 1024;

bool SameFold(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
         });
}

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> lower) {
  return std::any_of(lower.begin(), lower.end(), [text](auto w) { return SameFold(text, w); });
}

// Takes what is up to the next slash.
std::string_view Segment(std::string_view* path) {
  const size_t end = std::min(path->find('/'), path->size());
  const std::string_view segment = path->substr(0, end);
  path->remove_prefix(std::min(end + 1, path->size()));
  return segment;
}

}  // namespace

bool IsSecretResource(std::string_view resource, std::string_view subresource) {
  if (IsOneOf(resource, {"secrets", "secret", "configmaps", "configmap", "tokenreviews",
                         "certificatesigningrequests"})) {
    return true;
  }
  return SameFold(resource, "serviceaccounts") && SameFold(subresource, "token");
}

bool IsSecretKind(std::string_view kind) {
  return IsOneOf(
      kind, {"secret", "secretlist", "configmap", "configmaplist", "tokenreview", "tokenrequest",
             "certificatesigningrequest", "certificatesigningrequestlist"});
}

bool IsExecOptions(std::string_view kind) {
  return IsOneOf(kind, {"podexecoptions", "podattachoptions"});
}

UriResource ResourceOfUri(std::string_view uri) {
  uri = uri.substr(0, uri.find_first_of("?#"));
  while (uri.starts_with('/')) uri.remove_prefix(1);
  const std::string_view root = Segment(&uri);
  if (root == "apis") Segment(&uri);
  if (root != "api" && root != "apis") return {};
  Segment(&uri);  // the version
  std::string_view resource = Segment(&uri);
  if (resource == "watch" || resource == "proxy") resource = Segment(&uri);
  if (resource == "namespaces") {
    const std::string_view name = Segment(&uri);
    const std::string_view inside = Segment(&uri);
    if (name.empty() || inside.empty() || inside == "finalize" || inside == "status") {
      return {resource, inside};
    }
    resource = inside;
  }
  Segment(&uri);  // the name
  return {resource, Segment(&uri)};
}

std::string BodyMark(std::string_view of, std::string_view name, std::string_view in_namespace,
                     size_t bytes, const Digest256& hmac) {
  std::string out(kMarkBegin);
  out.append(of.size() <= kNameMax ? of : std::string_view("body")).push_back('"');
  const auto add = [&out](std::string_view key, std::string_view value) {
    if (value.empty() || value.size() > kNameMax) return;
    out.append(",\"").append(key).append("\":\"").append(value).push_back('"');
  };
  add("name", name);
  add("namespace", in_namespace);
  out.append(",\"bytes\":").append(std::to_string(bytes)).push_back(',');
  out.append(kHmac).append(Hex(hmac)).append("\"}");
  return out;
}

bool IsBodyMark(std::string_view json) {
  constexpr size_t kTail = kHmac.size() + kHexDigits + 2;
  if (json.size() > kMarkMax || json.size() < kMarkBegin.size() + kTail) return false;
  if (!json.starts_with(kMarkBegin)) return false;
  const std::string_view tail = json.substr(json.size() - kTail);
  if (!tail.starts_with(kHmac) || !tail.ends_with("\"}")) return false;
  const std::string_view digits = tail.substr(kHmac.size(), kHexDigits);
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (!std::all_of(digits.begin(), digits.end(), hex)) return false;
  // Of the members between, each is one that a mark has, and the last is a number.
  std::string_view inside = json.substr(kMarkBegin.size(), json.size() - kMarkBegin.size() - kTail);
  const auto text = [&inside] {
    const size_t end = inside.find('"');
    if (end > kNameMax) return false;  // also when there is none
    inside.remove_prefix(end + 1);
    return true;
  };
  if (!text()) return false;
  for (const std::string_view key : {",\"name\":\"", ",\"namespace\":\""}) {
    if (!inside.starts_with(key)) continue;
    inside.remove_prefix(key.size());
    if (!text()) return false;
  }
  constexpr std::string_view kBytes = ",\"bytes\":";
  if (!inside.starts_with(kBytes) || !inside.ends_with(',')) return false;
  inside = inside.substr(kBytes.size(), inside.size() - kBytes.size() - 1);
  return !inside.empty() && inside.size() <= 20 &&
         std::all_of(inside.begin(), inside.end(), [](char c) { return c >= '0' && c <= '9'; });
}

PatchedPart PartOfPatch(std::string_view pointer) {
  PatchedPart part = PatchedPart::kOther;
  bool first = true;
  while (pointer.starts_with('/')) pointer.remove_prefix(1);
  while (!pointer.empty()) {
    const std::string_view segment = Segment(&pointer);
    if (segment.ends_with("last-applied-configuration")) return PatchedPart::kLastApplied;
    if (segment == "env") part = PatchedPart::kEnvironment;
    if (first && IsOneOf(segment, {"data", "stringdata", "binarydata"})) part = PatchedPart::kData;
    first = false;
  }
  return part;
}

}  // namespace spool
