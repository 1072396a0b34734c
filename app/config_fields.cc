#include "app/config_fields.h"

namespace spool {
namespace {

using enum FieldType;

constexpr int64_t kMillisecond = 1000;
constexpr int64_t kSecond = 1000 * kMillisecond;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;
constexpr int64_t kKiB = 1024;
constexpr int64_t kMiB = 1024 * kKiB;
constexpr int64_t kGiB = 1024 * kMiB;
constexpr int64_t kTiB = 1024 * kGiB;

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

const Section& SourceLimits() {
  static const Section section{
      .name = "limits",
      .help = "What one listener takes at most.",
      .fields = {
          {.name = "body", .type = kBytes, .fallback = "16MiB", .min = kKiB, .max = 256 * kMiB,
           .help = "The largest request body, after decompression; beyond it 413. A record in it may "
                   "have 16 MiB, 64 levels and 65,536 members in the first two of them, or goes to "
                   "`quarantine`; a request may have 10,000 records, or is refused with 413.",
           .example = "4MiB"},
          {.name = "in_flight", .type = kBytes, .fallback = "64MiB", .min = kMiB, .max = 4 * kGiB,
           .help = "All bodies in memory together, with the events made of them until they are "
                   "stored; beyond it 503. All sources together have the largest of their "
                   "`in_flight`. One body above 4MiB is taken at a time. Not below `body`; below "
                   "twice of it, a body that large keeps all others out while it is there, and the "
                   "events made of it may take as much again.",
           .example = "128MiB"},
          {.name = "connections", .type = kInteger, .fallback = "1024", .min = 1, .max = 65536,
           .help = "Open connections; further ones are closed at once. Each takes a file "
                   "descriptor: where the process may not have enough, there are fewer.",
           .example = "256"},
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

const Section& Source() {
  static const Section section{
      .name = "source",
      .help = "Where events come from. Without the key `sources` there is one: `web`, of type "
              "`http`, with the defaults.",
      .fields = {{.name = "type", .type = kText, .required = true, .max = 63,
                  .help = "What kind of source it is; it decides the further keys.",
                  .example = "http"}},
      .variants = {{.word = "http",
                    .help = "Listens for requests with events in their bodies.",
                    .fields =
                        {{.name = "address", .type = kAddress, .fallback = "127.0.0.1:8080",
                          .help = "Where to listen.", .example = "0.0.0.0:8080"},
                         {.name = "paths", .type = kTextList,
                          .words = {"/v1/events", "/events", "/audit"},
                          .help = "The paths that it serves; without the key all. `/health` and "
                                  "`/ready` are always served.",
                          .example = "[/audit]"},
                         {.name = "tls", .type = kSection, .section = &SourceTls()},
                         {.name = "tokens", .type = kSectionList, .section = &SourceToken(),
                          .help = "Who may send events; without any everybody may. `/health` and "
                                  "`/ready` need none.",
                          .example = "[ { file: /etc/spool/secrets/ingest } ]"},
                         {.name = "limits", .type = kSection, .section = &SourceLimits()},
                         {.name = "quota", .type = kSection, .section = &SourceQuota()}}}},
      .later_variants = {"kubernetes", "file", "nats", "kafka", "amqp", "fluent_forward",
                         "kubearmor", "stdin"}};
  return section;
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

const Section& Batch() {
  static const Section section{
      .name = "batch",
      .help = "How much is delivered at once.",
      .fields = {
          {.name = "events", .type = kInteger, .fallback = "1000", .min = 1, .max = 10'000,
           .help = "Events at most.", .example = "200"},
          {.name = "bytes", .type = kBytes, .fallback = "1MiB", .min = kKiB, .max = 16 * kMiB,
           .help = "Bytes of payload at most; a larger event goes alone.", .example = "256KiB"},
          {.name = "wait", .type = kDuration, .fallback = "0s", .max = kMinute,
           .help = "How long to wait for a fuller batch, counted from its first event.",
           .example = "200ms"},
      }};
  return section;
}

const Section& Timeout() {
  static const Section section{
      .name = "timeout",
      .help = "How long an attempt may take.",
      .fields = {
          {.name = "connect", .type = kDuration, .fallback = "5s", .min = 10 * kMillisecond,
           .max = 5 * kMinute, .step = kMillisecond,
           .help = "To reach the target. Not above `request`.", .example = "2s"},
          {.name = "request", .type = kDuration, .fallback = "30s", .min = 10 * kMillisecond,
           .max = 10 * kMinute, .step = kMillisecond, .help = "For the whole exchange.",
           .example = "10s"},
      }};
  return section;
}

const Section& Retry() {
  static const Section section{
      .name = "retry",
      .help = "The pause after a failure: random up to `first`, doubled each time, up to `max`. "
              "Retries never end; `max_age` ends the wait for an event.",
      .fields = {
          {.name = "first", .type = kDuration, .fallback = "1s", .min = kMillisecond, .max = kHour,
           .help = "The longest first pause. Not above `max`.", .example = "500ms"},
          {.name = "max", .type = kDuration, .fallback = "2m", .min = kMillisecond, .max = kDay,
           .help = "The longest pause.", .example = "5m"},
      }};
  return section;
}

// What a client needs, of a webhook or of Kafka.
std::vector<Field> ClientTls() {
  return {
      {.name = "ca", .type = kText, .min = 1, .max = 4096,
       .help = "PEM certificates to trust instead of the system's.",
       .example = "/etc/spool/tls/ca.crt"},
      {.name = "cert", .type = kText, .min = 1, .max = 4096,
       .help = "Our certificate, PEM; needs `key`.", .example = "/etc/spool/tls/client.crt"},
      {.name = "key", .type = kText, .min = 1, .max = 4096, .help = "Belongs to `cert`, PEM.",
       .example = "/etc/spool/tls/client.key"},
  };
}

const Section& WebhookTls() {
  static const Section section{
      .name = "tls",
      .help = "For an `https` URL. Without the key the system's authorities are trusted and no "
              "certificate is shown. Files that change are read again.",
      .fields = ClientTls()};
  return section;
}

Variant Webhook() {
  return {.word = "webhook",
          .help = "Posts CloudEvents to an HTTP server; any 2xx answer counts as delivered.",
          .fields = {
              {.name = "url", .type = kUrl, .required = true, .words = {"http", "https"},
               .help = "Where to post.", .example = "https://example.org/hook"},
              {.name = "format", .type = kWord, .fallback = "structured",
               .words = {"structured", "batch", "jsonl"},
               .help = "`structured` is one event a request, `batch` a JSON array, `jsonl` one "
                       "event a line.",
               .example = "batch"},
              {.name = "headers", .type = kTextMap, .help = "Sent with every request.",
               .example = "{ X-Team: platform }"},
              {.name = "bearer", .type = kSecret, .help = "Sent as `Authorization: Bearer`.",
               .example = "{ file: /etc/spool/secrets/hook }"},
              {.name = "tls", .type = kSection, .section = &WebhookTls()},
          }};
}

Variant Nats() {
  return {.word = "nats",
          .help = "Publishes to NATS JetStream, each event acknowledged and with `Nats-Msg-Id`.",
          .fields = {
              {.name = "url", .type = kUrl, .fallback = "nats://127.0.0.1:4222",
               .words = {"nats"}, .help = "The server.", .example = "nats://nats:4222"},
              {.name = "subject", .type = kText, .fallback = "spool.{stream}", .min = 1,
               .max = 255, .help = "The subject; `{stream}` is the event's stream.",
               .example = "\"events.{stream}\""},
              {.name = "stream", .type = kText, .max = 255,
               .help = "A JetStream stream that is created with that subject if it is missing; "
                       "without the key it must exist.",
               .example = "EVENTS"},
              {.name = "window", .type = kInteger, .fallback = "256", .min = 1, .max = 65536,
               .help = "Publishes without an acknowledgement at most.", .example = "1000"},
              {.name = "token", .type = kSecret, .help = "To log in with a token.",
               .example = "{ env: NATS_TOKEN }"},
              {.name = "username", .type = kText, .max = 255,
               .help = "To log in with a password; needs `password`.", .example = "spool"},
              {.name = "password", .type = kSecret, .help = "Belongs to `username`.",
               .example = "{ file: /etc/spool/secrets/nats }"},
          }};
}

const Section& KafkaTls() {
  static const Section section{
      .name = "tls",
      .help = "Connects with TLS when the key is there; `tls: {}` trusts the system's authorities. "
              "Files that change are read again.",
      .fields = {
          {.name = "ca", .type = kText, .min = 1, .max = 4096,
           .help = "PEM certificates to trust instead of the system's.",
           .example = "/etc/spool/kafka/ca.crt"},
          {.name = "cert", .type = kText, .min = 1, .max = 4096,
           .help = "Our certificate, PEM; needs `key`.",
           .example = "/etc/spool/kafka/user.crt"},
          {.name = "key", .type = kText, .min = 1, .max = 4096, .help = "Belongs to `cert`, PEM.",
           .example = "/etc/spool/kafka/user.key"},
      }};
  return section;
}

const Section& KafkaSasl() {
  static const Section section{
      .name = "sasl",
      .help = "Logs in when the key is there.",
      .fields = {
          {.name = "mechanism", .type = kWord, .fallback = "SCRAM-SHA-512",
           .words = {"SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"}, .help = "How.",
           .example = "PLAIN"},
          {.name = "username", .type = kText, .min = 1, .max = 255, .help = "Who; required.",
           .example = "spool"},
          {.name = "password", .type = kSecret, .help = "Required.",
           .example = "{ file: /etc/spool/kafka/password }"},
      }};
  return section;
}

Variant Kafka() {
  return {.word = "kafka",
          .help = "Produces to Kafka (AMQ Streams, Strimzi), idempotently, each event reported as "
                  "stored by all replicas in sync. The value is the CloudEvent, the headers are "
                  "`content-type` and `ce_id`, `ce_source`, `ce_type`, `ce_specversion`; a replayed "
                  "event has `ce_replay`. Unless `batch` says otherwise, `batch.events` is 5000 "
                  "and `batch.bytes` 4MiB.",
          .fields = {
              {.name = "brokers", .type = kTextList, .required = true,
               .help = "Some of the cluster's brokers, each `HOST:PORT`.",
               .example = "[\"kafka:9093\"]"},
              {.name = "topic", .type = kText, .fallback = "{stream}", .min = 1, .max = 255,
               .help = "The topic, which must exist. `{stream}`, `{category}` and `{severity}` are "
                       "the event's; `{{ .event.stream }}` means the same as `{stream}`.",
               .example = "\"k8s.{stream}\""},
              {.name = "key", .type = kText, .fallback = "{subject}", .max = 255,
               .help = "Events with the same key stay in order. `{stream}` `{category}` "
                       "`{subcategory}` `{severity}` `{producer}` `{cluster}` `{namespace}` `{kind}` "
                       "`{name}` `{reason}` `{subject}` `{source}` `{type}` `{problemkey}` `{id}` "
                       "are the event's. One whose key is empty goes to any partition.",
               .example = "\"{cluster}/{namespace}\""},
              {.name = "compression", .type = kWord, .fallback = "lz4",
               .words = {"none", "gzip", "snappy", "lz4", "zstd"},
               .help = "What requests are compressed with; `zstd` needs brokers of 2.1 or later.",
               .example = "zstd"},
              {.name = "tls", .type = kSection, .section = &KafkaTls()},
              {.name = "sasl", .type = kSection, .section = &KafkaSasl()},
          }};
}

const Section& Target() {
  static const Section section{
      .name = "target",
      .help = "Where events go. Names are 1 to 63 of a-z, 0-9 and '-'; a target's place in the "
              "journal is kept under its name.",
      .fields = {
          {.name = "type", .type = kText, .required = true, .max = 63,
           .help = "What kind of target it is; it decides the further keys.",
           .example = "webhook"},
          {.name = "batch", .type = kSection, .section = &Batch()},
          {.name = "timeout", .type = kSection, .section = &Timeout()},
          {.name = "retry", .type = kSection, .section = &Retry()},
          {.name = "concurrency", .type = kInteger, .fallback = "1", .min = 1, .max = 64,
           .help = "Requests at once. Above 1 the order between requests is given up. It counts "
                   "for a `webhook` whose format is `structured`.",
           .example = "8"},
          {.name = "rate", .type = kRate, .fallback = "0", .max = 10'000'000, .zero = "no limit",
           .help = "Events a second at most.", .example = "100/s"},
          {.name = "max_age", .type = kDuration, .fallback = "0s", .min = kSecond,
           .max = 3650 * kDay, .zero = "never",
           .help = "An event that is not delivered at this age becomes a dead letter.",
           .example = "3d"},
          {.name = "start", .type = kWhen, .fallback = "now",
           .help = "Where a new target begins: `now`, `beginning` (what was kept before it came), "
                   "or a time. A target that has begun goes on from where it is.",
           .example = "beginning"},
      },
      .variants = {Webhook(),
                   Nats(),
                   Kafka(),
                   {.word = "file",
                    .help = "Appends JSON lines to a file, synced once a batch.",
                    .fields = {{.name = "path", .type = kText, .required = true, .min = 1,
                                .max = 4096, .help = "The file.",
                                .example = "/var/log/spool/events.jsonl"}}},
                   {.word = "stdout", .help = "Prints JSON lines.", .fields = {}},
                   {.word = "null", .help = "Takes everything and keeps nothing.", .fields = {}}},
      .later_variants = {"amqp", "servicenow", "glpi", "splunk", "elastic", "qradar", "syslog",
                         "relp", "sentinel", "slack", "otlp"}};
  return section;
}

Section Whole() {
  static const Section cluster = Cluster();
  static const Section log = Log();
  static const Section journal = JournalSection();
  static const Section admin = Admin();
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
          {.name = "streams", .type = kSectionMap, .section = &Stream()},
          {.name = "routes", .type = kSectionList, .section = &Route()},
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
};

}  // namespace

const Section& ConfigSection() {
  static const Section section = Whole();
  return section;
}

// clang-format on

std::span<const DefaultStream> DefaultStreamTable() { return kDefaultStreams; }

}  // namespace spool
