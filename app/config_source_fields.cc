// The tables of the sources that fetch.
#include "app/config_field_parts.h"

namespace spool::config_fields {
namespace {

using enum FieldType;

// A table reads as rows; the formatter would give every field a line of its own.
// clang-format off

// What of a source that fetches is in what it fetches.
Field FormatField() {
  return {.name = "format", .type = kWord, .fallback = "auto",
          .words = {"auto", "json_lines", "k8s-audit", "k8s-event", "falco", "gatekeeper", "kubearmor",
                    "fluent-bit"},
          .help = "Whose records these are. `auto` and `json_lines` know them by their shape; with a "
                  "producer's name what is unlike it is treated as on that producer's HTTP path.",
          .example = "k8s-audit"};
}

Variant FileVariant() {
  return {.word = "file",
          .help = "Follows files of lines of JSON: each line is a record. It knows its place after a "
                  "restart, and files that are rotated by renaming, compressing with gzip or cutting.",
          .fields = {
              {.name = "path", .type = kText, .required = true, .min = 1, .max = 4096,
               .help = "A file, or a glob for several: `*`, `?`, `[…]` and `{a,b}`. Files with `.gz` that "
                       "it fits are read uncompressed.",
               .example = "/var/log/kube-apiserver/audit*.log"},
              FormatField(),
              {.name = "start", .type = kWord, .fallback = "beginning", .words = {"beginning", "end"},
               .help = "Whether what the files hold at the very first start is read. Files that come "
                       "later are read from their beginning.",
               .example = "end"},
              RedactField(),
          }};
}

const Section& BusTls() {
  static const Section section{
      .name = "tls",
      .help = "Speaks TLS when the key is there.",
      .fields = {
          {.name = "ca", .type = kText, .min = 1, .max = 4096,
           .help = "PEM certificates that the server's must lead to; without it the system's.",
           .example = "/etc/spool/bus/ca.crt"},
          {.name = "cert", .type = kText, .min = 1, .max = 4096,
           .help = "Our certificate, PEM. Needs `key`.", .example = "/etc/spool/bus/user.crt"},
          {.name = "key", .type = kText, .min = 1, .max = 4096,
           .help = "Belongs to `cert`; PEM without passphrase.", .example = "/etc/spool/bus/user.key"},
      }};
  return section;
}

Variant NatsVariant() {
  return {.word = "nats",
          .help = "Fetches from NATS JetStream through a durable pull consumer, which is made if it is "
                  "missing. A message is acknowledged when its events are on stable storage. Several "
                  "spools with the same `durable` share the messages.",
          .fields = {
              {.name = "url", .type = kUrl, .fallback = "nats://127.0.0.1:4222", .words = {"nats"},
               .help = "The server.", .example = "nats://nats:4222"},
              {.name = "stream", .type = kText, .required = true, .min = 1, .max = 255,
               .help = "The stream; it must exist.", .example = "EVENTS"},
              {.name = "durable", .type = kText, .fallback = "spool", .min = 1, .max = 255,
               .help = "The consumer's name.", .example = "spool"},
              {.name = "subject", .type = kText, .max = 255,
               .help = "Of the messages that are wanted, with wildcards; without it all of the stream. "
                       "Counts when the consumer is made.",
               .example = "\"events.>\""},
              FormatField(),
              {.name = "start", .type = kWord, .fallback = "beginning", .words = {"beginning", "end"},
               .help = "Whether what is in the stream when the consumer is made is read.",
               .example = "end"},
              {.name = "token", .type = kSecret, .help = "To log in with a token.",
               .example = "{ env: NATS_TOKEN }"},
              {.name = "username", .type = kText, .max = 255,
               .help = "To log in with a password; needs `password`.", .example = "spool"},
              {.name = "password", .type = kSecret, .help = "Belongs to `username`.",
               .example = "{ file: /etc/spool/secrets/nats }"},
              {.name = "tls", .type = kSection, .section = &BusTls()},
              RedactField(),
          }};
}

const Section& BusSasl() {
  static const Section section{
      .name = "sasl",
      .help = "To log in with a password.",
      .fields = {
          {.name = "mechanism", .type = kWord, .fallback = "SCRAM-SHA-512",
           .words = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}, .help = "How it is proved.",
           .example = "SCRAM-SHA-512"},
          {.name = "username", .type = kText, .min = 1, .max = 255,
           .help = "Who logs in.", .example = "spool"},
          {.name = "password", .type = kSecret,
           .help = "Read when a connection is made anew after it was refused.",
           .example = "{ file: /etc/spool/kafka/password }"},
      }};
  return section;
}

Variant KafkaVariant() {
  return {.word = "kafka",
          .help = "Fetches from Kafka (AMQ Streams, Strimzi) as a member of a consumer group. Offsets are "
                  "committed when the events before them are on stable storage. Several spools in one "
                  "group share the partitions.",
          .fields = {
              {.name = "brokers", .type = kTextList, .required = true,
               .help = "Some of the cluster's, HOST:PORT.", .example = "[\"kafka:9092\"]"},
              {.name = "topics", .type = kTextList, .required = true,
               .help = "The topics; one that begins with `^` is a regular expression.",
               .example = "[kubernetes-events]"},
              {.name = "group", .type = kText, .fallback = "spool", .min = 1, .max = 255,
               .help = "The consumer group.", .example = "spool"},
              FormatField(),
              {.name = "start", .type = kWord, .fallback = "beginning", .words = {"beginning", "end"},
               .help = "Where the group has committed nothing yet: whether what is there is read.",
               .example = "end"},
              {.name = "tls", .type = kSection, .section = &BusTls()},
              {.name = "sasl", .type = kSection, .section = &BusSasl()},
              RedactField(),
          }};
}

Variant StdinVariant() {
  return {.word = "stdin",
          .help = "Reads lines of JSON on standard input. When the pipe ends and all of it is stored, "
                  "spoold ends, unless there are other sources.",
          .fields = {FormatField(), RedactField()}};
}

}  // namespace

std::vector<Variant> PulledSources() { return {FileVariant(), KafkaVariant(), NatsVariant(), StdinVariant()}; }

// clang-format on

}  // namespace spool::config_fields
