#include "ingest/identity.h"

#include <charconv>
#include <cstring>

namespace spool {
namespace {

constexpr size_t kPodSuffix = 5;

bool IsSuffixChar(char c) {
  return std::string_view("bcdfghjklmnpqrstvwxz2456789").find(c) != std::string_view::npos;
}

// Cuts "-" and `least` to `most` characters of Kubernetes' alphabet off the end.
bool CutSuffix(std::string_view* name, size_t least, size_t most) {
  const size_t dash = name->rfind('-');
  if (dash == std::string_view::npos || dash == 0) return false;
  const std::string_view suffix = name->substr(dash + 1);
  if (suffix.size() < least || suffix.size() > most) return false;
  for (const char c : suffix) {
    if (!IsSuffixChar(c)) return false;
  }
  *name = name->substr(0, dash);
  return true;
}

// Cuts a StatefulSet's ordinal.
bool CutOrdinal(std::string_view* name) {
  const size_t dash = name->rfind('-');
  if (dash == std::string_view::npos || dash == 0) return false;
  const std::string_view digits = name->substr(dash + 1);
  if (digits.empty() || digits.size() > 4) return false;
  for (const char c : digits) {
    if (c < '0' || c > '9') return false;
  }
  *name = name->substr(0, dash);
  return true;
}

}  // namespace

Hash128 IdentityOf(std::string_view what, std::initializer_list<std::string_view> fields,
                   std::string* scratch) {
  scratch->assign("v1|");
  scratch->append(what);
  for (const std::string_view field : fields) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, field.size()).ptr;
    scratch->push_back('|');
    scratch->append(digits, static_cast<size_t>(end - digits));
    scratch->push_back(':');
    scratch->append(field);
  }
  return Sha256Prefix(*scratch);
}

std::string_view OwnerName(std::string_view kind, std::string_view name) {
  if (kind == "Pod") {
    if (CutSuffix(&name, kPodSuffix, kPodSuffix)) {
      CutSuffix(&name, 6, 10);
    } else {
      CutOrdinal(&name);
    }
  } else if (kind == "ReplicaSet") {
    CutSuffix(&name, 6, 10);
  }
  return name;
}

Hash128 FreshIds::Next() {
  if (left_ == 0) {
    FillRandom(random_);
    left_ = kBatch;
  }
  --left_;
  Hash128 id;
  std::memcpy(id.bytes.data(), random_ + left_ * 16, 16);
  return id;
}

}  // namespace spool
