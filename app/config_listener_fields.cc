// The tables of what listens: the admin listener and the sources.
#include "app/config_field_parts.h"

namespace spool::config_fields {
namespace {

using enum FieldType;

// A table reads as rows; the formatter would give every field a line of its own.
// clang-format off

const Section& Token() {
  static const Section section{
      .name = "token",
      .help = "A bearer token that the admin listener takes.",
      .fields = {
          {.name = "file", .type = kText, .min = 1, .max = 4096,
           .help = "The file that holds the token, or several, one a line; read again when it "
                   "changes. Either this or `env`.",
           .example = "/etc/spool/secrets/operator"},
          {.name = "env", .type = kText, .min = 1, .max = 255,
           .help = "The environment variable that holds the token. Either this or `file`.",
           .example = "SPOOL_ADMIN_TOKEN"},
          {.name = "role", .type = kWord, .fallback = "viewer",
           .words = {"viewer", "reader", "operator", "admin"},
           .help = "`viewer` sees how it goes, `reader` also what is in events, `operator` also "
                   "pauses, skips, replays and settles dead letters, `admin` may do everything.",
           .example = "operator"},
          {.name = "name", .type = kText, .min = 1, .max = 255,
           .help = "Who has the token, as the stream `spool-audit` tells of what was done; without it "
                   "the file or the variable is told.",
           .example = "on-call"},
      }};
  return section;
}

const Section& SourceToken() {
  static const Section section{
      .name = "token",
      .help = "A bearer token that the source takes.",
      .fields = {
          {.name = "file", .type = kText, .min = 1, .max = 4096,
           .help = "The file that holds the token, or several, one a line; read again when it "
                   "changes. Either this or `env`.",
           .example = "/etc/spool/secrets/ingest"},
          {.name = "env", .type = kText, .min = 1, .max = 255,
           .help = "The environment variable that holds the token. Either this or `file`.",
           .example = "SPOOL_INGEST_TOKEN"},
      }};
  return section;
}

// Of both listeners.
Field TlsCert() {
  return {.name = "cert", .type = kText, .min = 1, .max = 4096,
          .help = "Our certificate, PEM, followed by those that lead to its root. Needs `key`.",
          .example = "/etc/spool/tls/tls.crt"};
}
Field TlsKey() {
  return {.name = "key", .type = kText, .min = 1, .max = 4096,
          .help = "Belongs to `cert`; PEM without passphrase.",
          .example = "/etc/spool/tls/tls.key"};
}
Field TlsClientCa() {
  return {.name = "client_ca", .type = kText, .min = 1, .max = 4096,
          .help = "PEM certificates; when set, a client needs a certificate that leads to one of "
                  "them. Revocation lists in the file are applied; then each of them needs one.",
          .example = "/etc/spool/tls/ca.crt"};
}

const Section& AdminTls() {
  static const Section section{
      .name = "tls",
      .help = "Serves TLS 1.2 and 1.3 when the key is there. Files that change are read again; "
              "while they cannot be used, the listener goes on with what it had.",
      .fields = {TlsCert(), TlsKey(), TlsClientCa()}};
  return section;
}

const Section& SourceTls() {
  static const Section section{
      .name = "tls",
      .help = "Serves TLS 1.2 and 1.3 when the key is there. Files that change are read again; "
              "while they cannot be used, the listener goes on with what it had.",
      .fields = {
          TlsCert(), TlsKey(), TlsClientCa(),
          {.name = "client_cert", .type = kWord, .fallback = "required",
           .words = {"required", "optional"},
           .help = "`optional`: a client without a certificate needs one of the `tokens` instead. "
                   "Needs `client_ca`.",
           .example = "optional"},
          {.name = "client_names", .type = kTextList,
           .help = "The certificates that may send events, by common name or alternative name; "
                   "without the key all that `client_ca` vouches for. Needs `client_ca`.",
           .example = "[fluent-bit.logging.svc]"},
      }};
  return section;
}

}  // namespace

Section Admin() {
  return {.name = "admin",
          .help = "The listener for the API, the metrics and health.",
          .fields = {
              {.name = "address", .type = kAddress, .fallback = "127.0.0.1:8081",
               .help = "Where to listen. An address that is not loopback needs `tls`, or "
                       "`insecure: true`, and at least one token.",
               .example = "127.0.0.1:8081"},
              {.name = "tls", .type = kSection, .section = &AdminTls()},
              {.name = "insecure", .type = kBool, .fallback = "false",
               .help = "Serve without TLS on an address that is not loopback.", .example = "true"},
              {.name = "tokens", .type = kSectionList, .section = &Token(),
               .help = "Who may use the API. Without any, only loopback may, and may do all.",
               .example = "[ { file: /etc/spool/secrets/operator, role: operator } ]"},
          }};
}

Section RedactionSection() {
  return {.name = "redaction",
          .help = "What of every record is hidden before it is stored (docs/redaction.md). All rules "
                  "are on unless they are named in `off`.",
          .fields = {
              {.name = "off", .type = kTextList,
               .words = {"objects", "last-applied", "keys", "patterns", "uris", "environment"},
               .help = "The rule sets that are not applied.", .example = "[environment]"},
              {.name = "keys", .type = kTextList,
               .help = "Further names of members whose values are hidden: globs in any case, or `=~` "
                       "and an RE2 expression.",
               .example = "[pin, \"*_passcode\"]"},
              {.name = "patterns", .type = kTextList,
               .help = "RE2 expressions; what matches in any text is hidden.",
               .example = "[\"AKIA[0-9A-Z]{16}\"]"},
              {.name = "key", .type = kSecret,
               .help = "The key of the hashes that stand for what was hidden, at least 32 bytes, read "
                       "at start. Spools that share it give a record the same id. Without it the data "
                       "directory keeps one of its own.",
               .example = "{ file: /etc/spool/secrets/redaction }"},
          }};
}

Section QuarantineSection() {
  return {.name = "quarantine",
          .help = "What is kept of records that could not be understood.",
          .fields = {
              {.name = "keep", .type = kWord, .fallback = "excerpt", .words = {"excerpt", "raw"},
               .help = "`excerpt`: length, keyed hash, reason, offsets, and an excerpt without secrets "
                       "where that can be told. `raw`: also the record as it came, with the secrets "
                       "that may be in it.",
               .example = "raw"},
          }};
}

namespace {

const Section& SourceLimits() {
  static const Section section{
      .name = "limits",
      .help = "What one listener takes at most.",
      .fields = {
          {.name = "body", .type = kBytes, .fallback = "16MiB", .min = kKiB, .max = 256 * kMiB,
           .help = "The largest request body, after decompression; beyond it 413. A record in it may "
                   "have 16 MiB, 64 levels and 65,536 members in the first two of them, or goes to "
                   "`quarantine`; a request may have 131,072 records, or is refused with 413.",
           .example = "4MiB"},
          {.name = "in_flight", .type = kBytes, .fallback = "64MiB", .min = kMiB, .max = 4 * kGiB,
           .help = "All bodies in memory together, with the events made of them until they are "
                   "stored, and of request heads what is above 4KiB; beyond it 503. All sources together have the largest of their "
                   "`in_flight`. One body above 4MiB is taken at a time. Not below `body`; below "
                   "twice of it, a body that large keeps all others out while it is there, and the "
                   "events made of it may take as much again.",
           .example = "128MiB"},
          {.name = "connections", .type = kInteger, .fallback = "1024", .min = 1, .max = 65536,
           .help = "Open connections; further ones are closed at once. Each takes a file "
                   "descriptor: where the process may not have enough, there are fewer.",
           .example = "256"},
          {.name = "connections_per_peer", .type = kInteger, .fallback = "0", .min = 1,
           .max = 65536, .zero = "no limit",
           .help = "Open connections of one client address (IPv6: of one network of 64 bits); "
                   "further ones are closed at once. Behind a proxy or a node that hides who "
                   "calls, all clients are one.",
           .example = "64"},
          {.name = "handshake_timeout", .type = kDuration, .fallback = "10s", .min = kSecond,
           .max = 10 * kMinute, .step = kSecond, .help = "For the whole TLS handshake.",
           .example = "5s"},
          {.name = "header_timeout", .type = kDuration, .fallback = "10s", .min = kSecond,
           .max = 10 * kMinute, .step = kSecond, .help = "For the whole head of a request.",
           .example = "5s"},
          {.name = "body_timeout", .type = kDuration, .fallback = "30s", .min = kSecond,
           .max = kHour, .step = kSecond, .help = "For the whole body of a request.",
           .example = "1m"},
          {.name = "idle_timeout", .type = kDuration, .fallback = "90s", .min = kSecond,
           .max = kHour, .step = kSecond, .help = "Between two requests of one connection.",
           .example = "5m"},
      }};
  return section;
}

const Section& SourceQuota() {
  static const Section section{
      .name = "quota",
      .help = "What one source takes in a time; beyond it 429, with the seconds to wait in "
              "`Retry-After`. A second's worth may come at once. A request is taken while anything is "
              "left, and what it takes beyond that is waited for.",
      .fields = {
          {.name = "events", .type = kRate, .fallback = "0", .max = 10'000'000, .zero = "no limit",
           .help = "Records a second, repeats and quarantined ones included.",
           .example = "50000/s"},
          {.name = "bytes", .type = kByteRate, .fallback = "0", .min = kKiB, .max = 64 * kGiB,
           .zero = "no limit", .help = "Bytes of bodies a second, after decompression.",
           .example = "100MiB/s"},
          {.name = "in_flight", .type = kInteger, .fallback = "0", .min = 1, .max = 65536,
           .zero = "no limit",
           .help = "Requests at once, from when they are read until they are answered.",
           .example = "256"},
      }};
  return section;
}

}  // namespace

Field RedactField() {
  return {.name = "redact", .type = kTextList,
          .help = "Paths in the records whose values are hidden before they are stored, "
                  "beside what `redaction` hides: names with dots between, in double "
                  "quotes where they have dots themselves, `*` for any one, `**` for any "
                  "number. Lists are passed through.",
          .example = "[\"requestObject.data.*\"]"};
}

namespace {

Variant HttpVariant() {
  return {.word = "http",
          .help = "Listens for requests with events in their bodies.",
          .fields = {
              {.name = "address", .type = kAddress, .fallback = "127.0.0.1:8080",
               .help = "Where to listen.", .example = "0.0.0.0:8080"},
              {.name = "paths", .type = kTextList,
               .words = {"/v1/events", "/events", "/audit", "/webhook", "/botkube", "/falco",
                         "/gatekeeper", "/kubearmor", "/fluentbit",
                         "/admission/validating", "/admission/mutating", "/v1/logs"},
               .help = "The paths that it serves; without the key all. `/health` and "
                       "`/ready` are always served.",
               .example = "[/audit]"},
              {.name = "tls", .type = kSection, .section = &SourceTls()},
              {.name = "tokens", .type = kSectionList, .section = &SourceToken(),
               .help = "Who may send events; without any everybody may. `/health` and "
                       "`/ready` need none.",
               .example = "[ { file: /etc/spool/secrets/ingest } ]"},
              RedactField(),
              {.name = "limits", .type = kSection, .section = &SourceLimits()},
              {.name = "quota", .type = kSection, .section = &SourceQuota()}}};
}

std::vector<Variant> SourceVariants() {
  std::vector<Variant> all = PulledSources();
  all.insert(all.begin(), HttpVariant());
  return all;
}

}  // namespace

const Section& Source() {
  static const Section section{
      .name = "source",
      .help = "Where events come from. Without the key `sources` there is one: `web`, of type "
              "`http`, with the defaults.",
      .fields = {{.name = "type", .type = kText, .required = true, .max = 63,
                  .help = "What kind of source it is; it decides the further keys.",
                  .example = "http"}},
      .variants = SourceVariants(),
      .later_variants = {"kubernetes", "amqp", "fluent_forward", "kubearmor"}};
  return section;
}

// clang-format on

}  // namespace spool::config_fields
