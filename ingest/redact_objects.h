// Which objects of Kubernetes may hold secrets, and what a body of one leaves behind.
#pragma once

#include <string>
#include <string_view>

#include "base/hash.h"

namespace spool {

// "secrets", "serviceaccounts" with "token", …: what a request was about. Any case.
bool IsSecretResource(std::string_view resource, std::string_view subresource);
// "Secret", "SecretList", …: what a body says it is. Any case.
bool IsSecretKind(std::string_view kind);
// PodExecOptions, PodAttachOptions: `command` is what somebody typed.
bool IsExecOptions(std::string_view kind);

// The resource that a request's URI is about; empty where it is none of the API's.
struct UriResource {
  std::string_view resource, subresource;
};
UriResource ResourceOfUri(std::string_view uri);

// {"redacted":"objects","of":"Secret","name":"a","namespace":"b","bytes":812,"hmac":"…"}. `name`
// and `in_namespace` are the insides of JSON strings; left out when empty or long.
std::string BodyMark(std::string_view of, std::string_view name, std::string_view in_namespace,
                     size_t bytes, const Digest256& hmac);
bool IsBodyMark(std::string_view json);

// A pointer of a JSON patch: whether what it sets is kubectl's annotation, an environment, or data
// of a Secret or ConfigMap.
enum class PatchedPart { kOther, kLastApplied, kEnvironment, kData };
PatchedPart PartOfPatch(std::string_view pointer);

}  // namespace spool
