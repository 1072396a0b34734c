// The tables of how events are classified beyond what is built in.
#include "app/config_field_parts.h"

namespace spool::config_fields {
namespace {

using enum FieldType;

// A table reads as rows; the formatter would give every field a line of its own.
// clang-format off

const Section& ClassifySet() {
  static const Section section{
      .name = "set",
      .help = "What such an event is given; what is not written stays as the built-in rules say.",
      .fields = {
          {.name = "category", .type = kWord, .words = {"infrastructure", "security", "admission"},
           .help = "Together with `subcategory`.", .example = "infrastructure"},
          {.name = "subcategory", .type = kWord,
           .words = {"node", "pod", "storage", "network", "resource", "rbac", "pod-security", "image",
                     "network-policy", "certificate", "runtime", "validating", "mutating", "quota",
                     "limitrange"},
           .help = "One of the category's.", .example = "resource"},
          {.name = "severity", .type = kWord,
           .words = {"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"},
           .help = "How bad it is.", .example = "info"},
          {.name = "stream", .type = kName,
           .help = "The stream that keeps it; without the key that of its category.",
           .example = "kubernetes-events"},
      }};
  return section;
}

}  // namespace

const Section& ClassifyRuleSection() {
  static const Section section{
      .name = "classification rule",
      .help = "Rules of your own, in order: the first that matches an event counts, before the built-in "
              "table of `schemas/classification.md`.",
      .fields = {
          {.name = "when", .type = kRules, .required = true,
           .help = "The events, as in the `match` of a route; `source` is the configured source, too. "
                   "What the built-in rules say of an event is there to be matched.",
           .example = "{ source: web, data.team: \"*\" }"},
          {.name = "set", .type = kSection, .section = &ClassifySet()},
      }};
  return section;
}

Section Classification() {
  return {
      .name = "classification",
      .help = "The built-in rules' switches.",
      .fields = {
          {.name = "webhook_mutations", .type = kBool, .fallback = "true",
           .help = "Whether a request that a mutating webhook changed is `admission/mutating`. In a "
                   "service mesh nearly every pod is changed; then `false` keeps them where their kind "
                   "belongs.",
           .example = "false"},
      }};
}

// clang-format on

}  // namespace spool::config_fields
