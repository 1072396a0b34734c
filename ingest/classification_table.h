// The rules of classification as data. First match wins in each table. classification.md in
// schemas/ tells them for people.
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

// By API group and resource. A field that is "*" fits everything; one that begins with "*." fits
// that suffix and what lies under it, one that ends with "*" that prefix.
struct ResourceRule {
  std::string_view group;
  std::string_view resource;
  std::string_view subresource;
  Category result;
};
std::span<const ResourceRule> ResourceRules();

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

// Resources whose kind is not simply known from their name ("pods" -> "Pod").
std::string_view KindOfResource(std::string_view resource);  // the resource itself if not known

}  // namespace spool
