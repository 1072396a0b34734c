// What the name of a member says: that its value is a secret, or what it is in an object of
// Kubernetes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/redaction.h"

namespace spool {

// kReference: the value is a secret, but an object there may only name one (a volume's `secret`,
// `imagePullSecrets`).
enum class NameKind : uint8_t { kPlain, kReference, kSecret };
// By the words in it, in any case and spelling: "dbPassword", "DB_PASSWORD", "db-password".
NameKind KindOfName(std::string_view name);

// Members that rules look at.
enum class Member : uint8_t {
  kOther,
  kKind,
  kName,
  kNamespace,
  kKey,
  kValue,
  kEnv,
  kCommand,
  kOp,
  kPath,
  kObjectRef,
  kResource,
  kSubresource,
  kBody,    // requestObject, responseObject
  kObject,  // object, oldObject: of an AdmissionReview, or of a watch frame
  kRequestUri,
  kMetadata,
  kLastApplied,
  kPatchNote,  // the annotation with a webhook's patch
  kBase64,     // data_base64 of a CloudEvent
};

struct NameFacts {
  NameKind kind = NameKind::kPlain;
  Member member = Member::kOther;
  bool reference = false;  // says which object is meant, not what is in it
};

// Remembers what it was asked. One thread.
class NameTable {
 public:
  // `redaction` must outlive the table.
  explicit NameTable(const Redaction& redaction) : redaction_(redaction), slots_(kSlots) {}
  const NameFacts& Find(std::string_view name);

 private:
  static constexpr size_t kSlots = 512;
  static constexpr size_t kNameMax = 47;
  struct Slot {
    uint8_t size = 0;
    std::array<char, kNameMax> name;
    NameFacts facts;
  };
  NameFacts Look(std::string_view name) const;
  const Redaction& redaction_;
  std::vector<Slot> slots_;
  NameFacts last_;  // of a name that is too long to be kept
};

}  // namespace spool
