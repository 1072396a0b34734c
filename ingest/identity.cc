#include "ingest/identity.h"

#include <cstring>
#include <memory>

#include "ingest/memo.h"

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

Hash128 IdentityOf(std::string_view what, std::initializer_list<std::string_view> fields) {
  Sha256Pieces text;
  ForIdentity(what, fields, [&text](std::string_view piece) { text.Add(piece); });
  return text.Prefix();
}

Hash128 ProblemKeyOf(std::initializer_list<std::string_view> fields) {
  thread_local const auto memo = std::make_unique<Memo<Hash128, 1024>>();
  return memo->Of(fields, [fields] { return IdentityOf("problem", fields); });
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
