// Category, subcategory and severity by the ordered rules of schemas/classification.json, which
// schemas/classification.md tells. Pure functions over what the producers' files read from a
// record.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ingest/classification_table.h"
#include "spool/event.h"

namespace spool {

struct AuditFacts {
  std::string_view stage;
  std::string_view verb;
  int code = 0;              // of the response; 0 when there is none
  std::string_view message;  // of the response, unescaped
  std::string_view group, resource, subresource;
  bool impersonated = false;
  std::vector<std::pair<std::string_view, std::string_view>> annotations;  // unescaped

  std::string_view Annotation(std::string_view key) const;
};

struct EventFacts {
  std::string_view reason;
  std::string_view message;    // unescaped
  std::string_view kind;       // of the involved object
  std::string_view group;      // of its apiVersion
  std::string_view component;  // who reported
};

struct AuditVerdict {
  Category category;
  bool denied = false;  // refused by authorization or admission
};

AuditVerdict ClassifyAudit(const AuditFacts& facts, bool mutated_is_admission = true);
Severity AuditSeverity(const AuditFacts& facts, const AuditVerdict& verdict);

Category ClassifyEvent(const EventFacts& facts);
// True if ClassifyEvent looks at the message for this reason; its unescaping can be saved
// otherwise.
bool NeedsMessage(std::string_view reason);
// `type` is the Event's own: Normal or Warning.
Severity EventSeverity(std::string_view type, std::string_view reason);

Category ClassifyResource(std::string_view group, std::string_view resource,
                          std::string_view subresource);
// A kind as written ("NetworkPolicy"), by its plural.
Category ClassifyKind(std::string_view group, std::string_view kind);

// The same for a producer that does not tell the group: that of the kind where it is well known.
Category ClassifyBareKind(std::string_view kind);
// The well known group of a kind as written; empty for the core group and for what is not known.
std::string_view WellKnownGroup(std::string_view kind);

// What a producer's record says of itself: ("type", "MatchedNetworkPolicy").
using ProducerFacts = std::initializer_list<std::pair<std::string_view, std::string_view>>;
// By the rules of that producer, without regard to case; empty if none fits.
Category ClassifyProducer(std::string_view producer, ProducerFacts facts);

// A Falco alert by its source and rule.
Category ClassifyFalco(std::string_view source, std::string_view rule);

// What a refusal's message says of who refused; empty if it says nothing. The annotations tell a
// mutating webhook from a validating one.
Category ClassifyRefusal(
    std::string_view message,
    const std::vector<std::pair<std::string_view, std::string_view>>& annotations);

// "apps/v1" -> "apps", "v1" -> "".
std::string_view GroupOf(std::string_view api_version);

}  // namespace spool
