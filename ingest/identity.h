// Names: which record is this (event id), and which trouble is it about (problem key).
//
// Both are the first 128 bits of SHA-256 over a canonical text: a version, what it is of, and
// each field with its length in front, so that no field's content can pass for another field.
// The texts are part of the product's contract: ids must not change from release to release.
#pragma once

#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/hash.h"

namespace spool {

// "v1|<what>|<length>:<field>|…" hashed, without making that text.
Hash128 IdentityOf(std::string_view what, std::initializer_list<std::string_view> fields);

// Gives the pieces of that text, one after another, to `take(std::string_view)`.
template <class Take>
void ForIdentity(std::string_view what, std::initializer_list<std::string_view> fields,
                 const Take& take) {
  take("v1|");
  take(what);
  for (const std::string_view field : fields) {
    char length[24];
    length[0] = '|';
    char* const end = std::to_chars(length + 1, length + sizeof length - 1, field.size()).ptr;
    *end = ':';
    take(std::string_view(length, static_cast<size_t>(end + 1 - length)));
    take(field);
  }
}

// IdentityOf("problem", fields). The last ones of each thread are remembered, since the hash costs
// more than all else that is done with these fields.
Hash128 ProblemKeyOf(std::initializer_list<std::string_view> fields);

// The name of what owns the object: a pod's name without what its controller appended
// ("api-7c9d8f6b5-x2x4z", "proxy-x2x4z" and "web-0" are of "api", "proxy" and "web"), a
// ReplicaSet's without its template hash; any other name as it is. Only the alphabet that
// Kubernetes makes suffixes from is cut (no vowels, no 0, 1, 3), so "my-nginx" stays whole.
std::string_view OwnerName(std::string_view kind, std::string_view name);

// Ids for records that have none of their own.
class FreshIds {
 public:
  Hash128 Next();

 private:
  static constexpr size_t kBatch = 256;
  uint8_t random_[kBatch * 16];
  size_t left_ = 0;
};

}  // namespace spool
