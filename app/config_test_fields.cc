// The table of the configuration's own tests.
#include "app/config_field_parts.h"

namespace spool::config_fields {
namespace {

using enum FieldType;

// A table reads as rows; the formatter would give every field a line of its own.
// clang-format off

const Section& TestEvent() {
  static const Section section{
      .name = "event",
      .help = "What is sent: a request's body, as a producer would post it.",
      .fields = {
          {.name = "file", .type = kText,
           .help = "A file with the body; seen from the configuration's folder. Either this or "
                   "`json`.",
           .example = "samples/denied.json"},
          {.name = "json", .type = kText,
           .help = "The body itself. Either this or `file`.",
           .example = "'{\"kind\":\"Event\",\"involvedObject\":{\"kind\":\"Node\",\"name\":\"n1\"},\"reason\":\"NodeNotReady\"}'"},
          {.name = "path", .type = kText, .fallback = "/v1/events",
           .help = "The path it is posted to.", .example = "/audit"},
          {.name = "source", .type = kName, .help = "The source that takes it; without the key the first.",
           .example = "web"},
      }};
  return section;
}

const Section& TestExpect() {
  static const Section section{
      .name = "expect",
      .help = "What becomes of it; what is not written is not looked at. A body of several events must "
              "do so with each.",
      .fields = {
          {.name = "stream", .type = kText, .help = "The stream that keeps it.",
           .example = "security-events"},
          {.name = "routes", .type = kTextList,
           .help = "The routes that take it, all of them, in any order.", .example = "[archive]"},
          {.name = "targets", .type = kTextList,
           .help = "The targets that it goes to, all of them, in any order.", .example = "[stdout]"},
          {.name = "match", .type = kRules, .help = "Rules, as in routes, of which one matches it.",
           .example = "{ category: security, severity: \">=warning\" }"},
      }};
  return section;
}

}  // namespace

const Section& TestCase() {
  static const Section section{
      .name = "test",
      .help = "A test of this very configuration, for `spoolctl config test`. `spoold` itself only "
              "checks how it is written.",
      .fields = {
          {.name = "name", .type = kText, .required = true,
           .help = "What it shows, as a sentence.", .example = "denied pods page nobody"},
          {.name = "event", .type = kSection, .section = &TestEvent()},
          {.name = "expect", .type = kSection, .section = &TestExpect()},
      }};
  return section;
}

// clang-format on

}  // namespace spool::config_fields
