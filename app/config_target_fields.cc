// The tables of targets.
#include "app/config_field_parts.h"

namespace spool::config_fields {
namespace {

using enum FieldType;

// A table reads as rows; the formatter would give every field a line of its own.
// clang-format off

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
          .help = "Publishes to NATS JetStream, each event acknowledged and with `Nats-Msg-Id`. Unless "
                  "`batch` says otherwise, `batch.events` is 5000 and `batch.bytes` 4MiB.",
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

}  // namespace

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
           .help = "Where a new target begins: `now`, a time, or `beginning`: with the first event "
                   "of all if it is there at the start that makes the journal. One that comes "
                   "later, by a reload or a restart, begins with `now` then, and with what is "
                   "stored by `spoold publish`. A target that has begun goes on from where it is.",
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

// clang-format on

}  // namespace spool::config_fields
