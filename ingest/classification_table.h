// The rules of classification as data: schemas/classification.json, of which the build makes
// constants. First match wins in each table. classification.md in schemas/ tells them for people.
#pragma once

#include <span>
#include <string_view>

#include "spool/event.h"

namespace spool {

struct Category {
  std::string_view category;  // infrastructure | security | admission; empty: none
  std::string_view subcategory;
  bool empty() const { return category.empty(); }
  bool operator==(const Category&) const = default;
};

// By what a refusal's message says, in order. It fits if the message has one of `contains`, or the
// test finds what it is for.
enum class RefusalTest {
  kNone,
  kUsageLimit,     // maximum cpu usage per Container is
  kCannot,         // User "jane" cannot list resource "secrets"
  kWebhookDenied,  // admission webhook "W" denied the request
  kPolicyDenied,   // ValidatingAdmissionPolicy 'p' denied request:
  kWebhookFailed,  // failed calling webhook "W"
};
struct RefusalRule {
  std::span<const std::string_view> contains;
  RefusalTest test;
  Category result;
  Category mutating;  // instead, when an annotation tells that the webhook is a mutating one
};
std::span<const RefusalRule> RefusalRules();

// By API group and resource. A field that is "*" fits everything; one that begins with "*." fits
// that suffix and what lies under it, one that ends with "*" that prefix.
struct ResourceRule {
  std::string_view group;
  std::string_view resource;
  std::string_view subresource;
  Category result;
};
std::span<const ResourceRule> ResourceRules();

// By an Event's reason, its reporter's prefix, the involved object's group or its kind: one of them
// is enough. What a rule says of the message decides then, in order; if none of it fits and there
// is no `otherwise`, the next rule is looked at.
struct MessageTest {
  std::string_view also;  // must be there too; empty: nothing
  std::span<const std::string_view> contains;
  bool any_case = false;  // then both are in lower case
  Category result;
};
struct EventRule {
  std::span<const std::string_view> reasons, components, groups, kinds;
  bool refusal = false;    // RefusalRules first
  std::string_view until;  // the message is looked at up to this
  std::span<const MessageTest> message;
  Category otherwise;
  bool looks() const { return refusal || !message.empty(); }
};
std::span<const EventRule> EventRules();

// By an Event's reason. `kind`, when given, must be that of the involved object: some reasons
// are used by several emitters.
struct ReasonRule {
  std::string_view reason;
  std::string_view kind;
  Category result;
};
// nullptr if no rule has that reason.
const ReasonRule* FindReasonRule(std::string_view reason, std::string_view kind);
std::span<const ReasonRule> ReasonRules();

// Reasons whose severity an Event's own `type` understates.
struct SeverityRule {
  std::string_view reason;
  Severity at_least;
};
std::span<const SeverityRule> SeverityRules();

// By an audit event's annotations, in order.
struct AnnotationRule {
  std::string_view prefix;    // of the key
  std::string_view suffix;    // of the key; "*.x" semantics when prefix is empty
  std::string_view contains;  // in the value; empty: anything
  Category result;
};
std::span<const AnnotationRule> AnnotationRules();

// By what a producer's record says of itself, in order: `what` names a fact (kind, type, …) and one
// of `is` must be its value; a rule without fits all of that producer.
struct ProducerRule {
  std::string_view producer;
  std::string_view what;
  std::span<const std::string_view> is;
  Category result;
};
std::span<const ProducerRule> ProducerRules();

// The API group of a resource ("rolebindings"), for producers that do not tell it; empty for the
// core group's and for what is not known.
std::string_view GroupOfResource(std::string_view resource);

// A Falco alert: its own troubles, the API server's audit if the rule has one of the words, the
// rest.
struct FalcoRule {
  Category internal;
  std::span<const std::string_view> audit_words;
  Category audit;
  Category otherwise;
};
const FalcoRule& FalcoRules();

// Of a category, in the table's order; none of an unknown one.
std::span<const std::string_view> SubcategoriesOf(std::string_view category);

struct StreamRule {
  std::string_view category;
  std::string_view stream;
};
// The stream of a category, also of none.
std::string_view StreamOf(std::string_view category);

// Resources whose kind is not simply known from their name ("pods" -> "Pod").
std::string_view KindOfResource(std::string_view resource);  // the resource itself if not known

}  // namespace spool
