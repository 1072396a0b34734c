#include "app/config_fields.h"

#include "app/config_field_parts.h"

namespace spool {
namespace {

using enum FieldType;
using namespace config_fields;

// A table reads as rows; the formatter would give every field a line of its own.
// clang-format off

Section Cluster() {
  return {.name = "cluster",
          .help = "What this spool stands in.",
          .fields = {
              {.name = "name", .type = kText, .max = 253,
               .help = "The cluster's name. It goes into the `cluster` and `source` attributes of "
                       "events that do not say theirs.",
               .example = "prod-eu"},
          }};
}

Section Log() {
  return {.name = "log",
          .help = "Logs go to stderr.",
          .fields = {
              {.name = "level", .type = kWord, .fallback = "info",
               .words = {"debug", "info", "warn", "error"},
               .help = "The least severe messages that are written.", .example = "warn"},
              {.name = "format", .type = kWord, .fallback = "text", .words = {"text", "json"},
               .help = "`text` for people, `json` for one object a line.", .example = "json"},
          }};
}

const Section& Dedupe() {
  static const Section section{
      .name = "dedupe",
      .help = "Repeats of an event from the same source are counted and not stored again while "
              "the first is inside this horizon: the smaller of the two.",
      .fields = {
          {.name = "window", .type = kDuration, .fallback = "10m", .min = kSecond,
           .max = 7 * kDay, .zero = "off", .help = "How long an event's id is remembered.",
           .example = "1h"},
          {.name = "entries", .type = kInteger, .fallback = "1000000", .min = 1000,
           .max = 20'000'000, .zero = "off",
           .help = "How many ids are remembered. They live in memory.", .example = "200000"},
      }};
  return section;
}

const Section& DeadLettersSection() {
  static const Section section{
      .name = "dead_letters",
      .help = "How many events a target may refuse for good. At either bound its forwarder holds: "
              "it keeps the next refused event, and all behind it, until there is room again.",
      .fields = {
          {.name = "events", .type = kInteger, .fallback = "1000000", .min = 1, .max = 100'000'000,
           .help = "Dead letters of one target.", .example = "100000"},
          {.name = "bytes", .type = kBytes, .fallback = "1GiB", .min = kMiB, .max = kTiB,
           .help = "Bytes of the events in one target's dead letters.", .example = "256MiB"},
      }};
  return section;
}

Section JournalSection() {
  return {.name = "journal",
          .help = "Where events are kept before and after they are delivered.",
          .fields = {
              {.name = "sync", .type = kWord, .fallback = "commit", .words = {"commit"},
               .help = "When a producer hears \"accepted\": after its events are on stable "
                       "storage. There is no other way in this version.",
               .example = "commit"},
              {.name = "compression_level", .type = kInteger, .fallback = "1", .min = 1, .max = 9,
               .help = "The zstd level of the chunks. Higher ones cost far more processor time "
                       "than they save disk.",
               .example = "3"},
              {.name = "disk_reserve", .type = kBytes, .fallback = "2GiB", .min = 64 * kMiB,
               .max = 16 * kTiB, .zero = "off",
               .help = "New events are refused with 503 while the volume has less free than this, or the "
                       "oldest go where a stream says `drop_oldest`. What every target has had "
                       "gives way before, from a quarter more on.",
               .example = "5GiB"},
              {.name = "scrub", .type = kBytes, .fallback = "4MiB", .min = 64 * kKiB, .max = kGiB,
               .zero = "off",
               .help = "How much of what is stored is read and checked a second, again and again, so "
                       "that damage is found while it can still be mended.",
               .example = "1MiB"},
              {.name = "dedupe", .type = kSection, .section = &Dedupe()},
              {.name = "dead_letters", .type = kSection, .section = &DeadLettersSection()},
          }};
}

const Section& Retention() {
  static const Section section{
      .name = "retention",
      .help = "How long a stream keeps events that every interested target has settled.",
      .fields = {
          {.name = "age", .type = kDuration, .fallback = "7d", .min = kMinute, .max = 3650 * kDay,
           .zero = "no limit",
           .help = "Settled events older than this go. The default streams have their own, below.",
           .example = "30d"},
          {.name = "size", .type = kBytes, .fallback = "0", .min = 16 * kMiB, .max = 1024 * kTiB,
           .zero = "no limit", .help = "The stream's size on disk, compressed.",
           .example = "50GiB"},
      }};
  return section;
}

const Section& Stream() {
  static const Section section{
      .name = "stream",
      .help = "The default streams are always there; a stream named here overrides what it says "
              "of them, or is one more. Names are 1 to 63 of a-z, 0-9 and '-'.",
      .fields = {
          {.name = "retention", .type = kSection, .section = &Retention()},
          {.name = "when_full", .type = kWord, .fallback = "reject",
           .words = {"reject", "drop_oldest"},
           .help = "When the size is reached and nothing settled is left to go: `reject` refuses "
                   "new events of this stream with 503, `drop_oldest` gives up the oldest, counted "
                   "and shown.",
           .example = "drop_oldest"},
      }};
  return section;
}

const Section& Route() {
  static const Section section{
      .name = "route",
      .help = "Which events go to which targets. Without the key `routes` every target gets "
              "everything. Keys in a rule are ANDed, rules in a list are ORed. A plain value is an "
              "anchored glob, `a|b` are alternatives, `=~` begins an RE2 expression, `!` negates, "
              "`>=` compares severities or numbers.",
      .fields = {
          {.name = "name", .type = kName,
           .help = "What it is called; `route-N` by its place if it has no name.",
           .example = "incidents"},
          {.name = "match", .type = kRules,
           .help = "The events it takes; without the key all.",
           .example = "[ { category: security, severity: \">=warning\" }, { kind: Node } ]"},
          {.name = "drop", .type = kRules, .help = "The events it does not take; looked at first.",
           .example = "{ namespace: \"*-test|sandbox\" }"},
          {.name = "to", .type = kTextList, .required = true, .help = "The targets' names.",
           .example = "[stdout]"},
      }};
  return section;
}

Section Whole() {
  static const Section cluster = Cluster();
  static const Section log = Log();
  static const Section journal = JournalSection();
  static const Section admin = Admin();
  static const Section redaction = RedactionSection();
  static const Section quarantine = QuarantineSection();
  static const Section classification = Classification();
  return {
      .name = "configuration",
      .help = "A YAML file, or a directory whose `*.yaml` and `*.yml` files are read as one.",
      .fields = {
          {.name = "version", .type = kInteger, .required = true, .min = 1, .max = 1,
           .help = "The version of this format.", .example = "1"},
          {.name = "cluster", .type = kSection, .section = &cluster},
          {.name = "data_dir", .type = kText, .fallback = "./spool-data", .min = 1, .max = 4096,
           .help = "Where the journal lives. Created if it is missing.",
           .example = "/var/lib/spool"},
          {.name = "log", .type = kSection, .section = &log},
          {.name = "journal", .type = kSection, .section = &journal},
          {.name = "admin", .type = kSection, .section = &admin},
          {.name = "sources", .type = kSectionMap, .section = &Source()},
          {.name = "redaction", .type = kSection, .section = &redaction},
          {.name = "quarantine", .type = kSection, .section = &quarantine},
          {.name = "streams", .type = kSectionMap, .section = &Stream()},
          {.name = "classification", .type = kSection, .section = &classification},
          {.name = "classify", .type = kSectionList, .section = &ClassifyRuleSection()},
          {.name = "routes", .type = kSectionList, .section = &Route()},
          {.name = "tests", .type = kSectionList, .section = &TestCase()},
          {.name = "targets", .type = kSectionMap, .section = &Target()},
      }};
}

constexpr DefaultStream kDefaultStreams[] = {
    {.name = "kubernetes-events", .holds = "everything no other stream takes", .age = "7d"},
    {.name = "infrastructure-changes", .holds = "category infrastructure", .age = "14d"},
    {.name = "security-events", .holds = "category security", .age = "30d"},
    {.name = "admission-control", .holds = "category admission", .age = "30d"},
    {.name = "quarantine",
     .holds = "what could not be understood; only a rule that names it reaches it",
     .age = "7d",
     .size = "256MiB",
     .when_full = "drop_oldest",
     .special = true},
    {.name = kAuditStream,
     .holds = "what was done through the admin API; only a rule that names it reaches it",
     .age = "365d",
     .size = "64MiB",
     .when_full = "drop_oldest",
     .special = true},
};

}  // namespace

const Section& ConfigSection() {
  static const Section section = Whole();
  return section;
}

// clang-format on

std::span<const DefaultStream> DefaultStreamTable() { return kDefaultStreams; }

}  // namespace spool
