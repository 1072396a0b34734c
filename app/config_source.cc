// From checked values to the settings of sources that fetch.
#include "app/config_build.h"
#include "forward/sinks/kafka_conf.h"

namespace spool {
namespace {

std::string PathOf(std::string_view format) {
  if (format == "k8s-audit") return "/audit";
  if (format == "k8s-event") return "/events";
  if (format == "falco") return "/falco";
  if (format == "gatekeeper") return "/gatekeeper";
  if (format == "kubearmor") return "/kubearmor";
  if (format == "fluent-bit") return "/fluentbit";
  return "/v1/events";
}

FileSourceSettings BuildFile(const Values& source) {
  FileSourceSettings file;
  file.path = source.Text("path");
  file.as = PathOf(source.Text("format"));
  file.from_end = source.Text("start") == "end";
  return file;
}

StdinSourceSettings BuildStdin(const Values& source) {
  StdinSourceSettings out;
  out.as = PathOf(source.Text("format"));
  return out;
}

std::optional<ClientTls> BuildClientTls(const Values& source, ConfigProblems& problems) {
  if (!source.Written("tls")) return std::nullopt;
  const Values& tls = source.In("tls");
  if (tls.Written("cert") != tls.Written("key")) {
    problems.Add(source.At("tls").place, "'cert' and 'key' need each other");
  }
  return ClientTls{tls.Text("ca"), tls.Text("cert"), tls.Text("key")};
}

NatsSourceSettings BuildNatsSource(const Values& source, ConfigProblems& problems) {
  NatsSourceSettings out;
  out.urls = {source.Text("url")};
  out.stream = source.Text("stream");
  out.durable = source.Text("durable");
  out.subject = source.Text("subject");
  out.as = PathOf(source.Text("format"));
  out.from_end = source.Text("start") == "end";
  out.token = source.At("token").secret;
  out.username = source.Text("username");
  out.password = source.At("password").secret;
  out.tls = BuildClientTls(source, problems);
  for (const std::string_view field : {"stream", "durable"}) {
    const FieldValue& value = source.At(field);
    if (!value.good || value.text.find_first_of(" .*>/\\") == std::string::npos) continue;
    problems.Add(value.place,
                 "'" + std::string(field) + "' must not hold spaces, '.', '*', '>', '/' or '\\'");
  }
  if (source.Written("username") != source.Written("password")) {
    const bool user = source.Written("username");
    problems.Add(
        source.At(user ? "username" : "password").place,
        user ? "'username' needs 'password' beside it" : "'password' needs 'username' beside it");
  } else if (source.Written("token") && source.Written("username")) {
    problems.Add(source.At("token").place, "'token' and 'username' exclude each other");
  }
  return out;
}

KafkaSourceSettings BuildKafkaSource(const Values& source, ConfigProblems& problems) {
  KafkaSourceSettings out;
  for (const TextAt& broker : source.At("brokers").texts) {
    if (const Status good = CheckKafkaBroker(broker.text); !good) {
      problems.Add(broker.place, "the broker '" + broker.text + "' " + good.error().message);
    }
    out.brokers.push_back(broker.text);
  }
  for (const TextAt& topic : source.At("topics").texts) out.topics.push_back(topic.text);
  for (const std::string_view field : {"brokers", "topics"}) {
    const FieldValue& value = source.At(field);
    if (value.node != nullptr && value.good && value.texts.empty()) {
      problems.Add(value.place, "'" + std::string(field) + "' must not be empty");
    }
  }
  out.group = source.Text("group");
  out.as = PathOf(source.Text("format"));
  out.from_end = source.Text("start") == "end";
  out.tls = BuildClientTls(source, problems);
  if (source.Written("sasl")) {
    const Values& sasl = source.In("sasl");
    out.sasl =
        ClientSasl{sasl.Text("mechanism"), sasl.Text("username"), sasl.At("password").secret};
    for (const std::string_view field : {"username", "password"}) {
      if (sasl.Written(field)) continue;
      problems.Add(source.At("sasl").place, "'sasl' needs '" + std::string(field) + "'");
    }
  }
  return out;
}

}  // namespace

PulledSourceConfig BuildPulledSource(const Values& source, ConfigProblems& problems) {
  PulledSourceConfig out;
  out.name = source.name;
  out.redact = BuildRedact(source, problems);
  if (source.variant->word == "file") out.of = BuildFile(source);
  if (source.variant->word == "stdin") out.of = BuildStdin(source);
  if (source.variant->word == "kafka") out.of = BuildKafkaSource(source, problems);
  if (source.variant->word == "nats") out.of = BuildNatsSource(source, problems);
  return out;
}

}  // namespace spool
