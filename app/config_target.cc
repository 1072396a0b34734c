// Targets: what the table of fields cannot say, and their settings.
#include <fmt/format.h>

#include <algorithm>

#include "app/config_build.h"
#include "app/config_fields.h"
#include "app/config_text.h"
#include "base/time_text.h"
#include "forward/sinks/kafka_conf.h"

namespace spool {
namespace {

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

bool IsHeaderName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

// `small` must not exceed `large`.
void CheckOrder(const Values& section, std::string_view small, std::string_view large,
                ConfigProblems& problems) {
  const FieldValue& a = section.At(small);
  const FieldValue& b = section.At(large);
  if (!a.good || !b.good || a.number <= b.number) return;
  problems.Add(a.node != nullptr ? a.place : b.place,
               fmt::format("'{}' ({}) must not be above '{}' ({})", small,
                           BoundText(*a.field, a.number), large, BoundText(*b.field, b.number)));
}

void CheckHeaders(const Values& target, ConfigProblems& problems) {
  const FieldValue& headers = target.At("headers");
  if (!headers.good || headers.node == nullptr) return;
  constexpr std::string_view kOwn[] = {"content-type",      "content-length", "host",
                                       "transfer-encoding", "connection",     "expect"};
  std::vector<std::string> seen;
  for (const auto& [name, value] : headers.text_map) {
    const std::string lower = Lower(name.text);
    if (!IsHeaderName(name.text)) {
      problems.Add(name.place, fmt::format("'{}' is not a header's name", name.text));
    } else if (std::find(std::begin(kOwn), std::end(kOwn), lower) != std::end(kOwn)) {
      problems.Add(name.place,
                   fmt::format("the header '{}' is set by the target itself", name.text));
    } else if (std::find(seen.begin(), seen.end(), lower) != seen.end()) {
      problems.Add(name.place, fmt::format("the header '{}' is given twice", name.text));
    }
    seen.push_back(lower);
    const YamlNode* node = headers.node->Find(name.text);
    if (lower != "authorization" && lower != "proxy-authorization" && lower != "cookie") continue;
    if (node == nullptr) continue;
    problems.Hide(*node);
    if (lower == "authorization" && target.Written("bearer")) {
      problems.Add(name.place, "the header Authorization is already set by 'bearer'");
    } else if (!node->substituted) {
      problems.Warn(name.place,
                    fmt::format("the header '{}' holds a secret in plain text", name.text),
                    "use bearer: { file: PATH }, or \"${VARIABLE}\" for the value");
    }
  }
}

void CheckClientTls(const Values& tls, ConfigProblems& problems) {
  if (tls.Written("cert") == tls.Written("key")) return;
  const bool cert = tls.Written("cert");
  problems.Add(
      tls.At(cert ? "cert" : "key").place,
      fmt::format("'{}' needs '{}' beside it", cert ? "cert" : "key", cert ? "key" : "cert"));
}

WebhookSettings BuildWebhook(const Values& target, ConfigProblems& problems) {
  WebhookSettings out;
  out.url = target.Text("url");
  // What comes from a variable may be a secret: the path of a Slack webhook is one.
  const YamlNode* url = target.At("url").node;
  if (url != nullptr && url->substituted) out.shown_url = url->written;
  const std::string& format = target.Text("format");
  out.format = format == "batch"   ? WebhookSettings::Format::kBatch
               : format == "jsonl" ? WebhookSettings::Format::kJsonLines
                                   : WebhookSettings::Format::kStructured;
  CheckHeaders(target, problems);
  for (const auto& [name, value] : target.At("headers").text_map) {
    out.headers.emplace_back(name.text, value);
  }
  out.bearer = target.At("bearer").secret;
  out.concurrency = static_cast<int>(target.Number("concurrency"));
  const Values& tls = target.In("tls");
  out.tls = {tls.Text("ca"), tls.Text("cert"), tls.Text("key")};
  CheckClientTls(tls, problems);
  if (target.Written("tls") && target.At("url").good && !out.url.starts_with("https:")) {
    problems.Add(target.At("tls").place, "'tls' needs a 'url' that begins with https://");
  }
  return out;
}

void CheckSubject(const FieldValue& subject, ConfigProblems& problems) {
  if (!subject.good) return;
  std::string text = subject.text;
  constexpr std::string_view kStream = "{stream}";
  for (size_t at = text.find(kStream); at != std::string::npos; at = text.find(kStream, at)) {
    text.replace(at, kStream.size(), "s");
  }
  const bool bad = text.find_first_of(" {}*>") != std::string::npos || text.front() == '.' ||
                   text.back() == '.' || text.find("..") != std::string::npos;
  if (!bad) return;
  problems.Add(subject.place, "'subject' is not a subject to publish to",
               "words joined by '.', without wildcards; {stream} is the event's stream");
}

NatsSettings BuildNats(const Values& target, ConfigProblems& problems) {
  NatsSettings out;
  out.url = target.Text("url");
  out.subject = target.Text("subject");
  out.stream = target.Text("stream");
  out.window = static_cast<int>(target.Number("window"));
  out.token = target.At("token").secret;
  out.username = target.Text("username");
  out.password = target.At("password").secret;
  CheckSubject(target.At("subject"), problems);
  if (const FieldValue& stream = target.At("stream");
      stream.good && stream.text.find_first_of(" .*>/\\") != std::string::npos) {
    problems.Add(stream.place, "'stream' must not hold spaces, '.', '*', '>', '/' or '\\'");
  }
  if (target.Written("username") != target.Written("password")) {
    const bool user = target.Written("username");
    problems.Add(target.At(user ? "username" : "password").place,
                 fmt::format("'{}' needs '{}' beside it", user ? "username" : "password",
                             user ? "password" : "username"));
  } else if (target.Written("token") && target.Written("username")) {
    problems.Add(target.At("token").place, "'token' and 'username' exclude each other");
  }
  return out;
}

KafkaSettings BuildKafka(const Values& target, ConfigProblems& problems) {
  KafkaSettings out;
  for (const TextAt& broker : target.At("brokers").texts) {
    out.brokers.push_back(broker.text);
    if (const Status ok = CheckKafkaBroker(broker.text); !ok) {
      problems.Add(broker.place, fmt::format("'{}' {}", broker.text, ok.error().message));
    }
  }
  out.topic = target.Text("topic");
  out.key = target.Text("key");
  const auto check = [&](std::string_view field, const auto& parsed) {
    if (target.At(field).good && !parsed) {
      problems.Add(target.At(field).place, parsed.error().message);
    }
  };
  check("topic", ParseKafkaTopic(out.topic));
  check("key", ParseKafkaKey(out.key));
  out.compression = target.Text("compression");
  if (target.Written("tls")) {
    const Values& tls = target.In("tls");
    out.tls = KafkaTls{tls.Text("ca"), tls.Text("cert"), tls.Text("key")};
    CheckClientTls(tls, problems);
  }
  if (target.Written("sasl")) {
    const Values& sasl = target.In("sasl");
    out.sasl = KafkaSasl{sasl.Text("mechanism"), sasl.Text("username"), sasl.At("password").secret};
    for (const std::string_view field : {"username", "password"}) {
      if (sasl.Written(field)) continue;
      problems.Add(target.At("sasl").place, fmt::format("'sasl' needs '{}'", field));
    }
    if (!out.tls) {
      problems.Warn(target.At("sasl").place,
                    fmt::format("the target '{}' logs in without TLS", target.name),
                    "add tls: {}, or tls: { ca: PATH }");
    }
  }
  return out;
}

void SetStart(const FieldValue& start, TargetConfig& out) {
  if (start.text == "beginning") {
    out.start = TargetConfig::Start::kBeginning;
  } else if (start.text != "now") {
    out.start = TargetConfig::Start::kTime;
    if (const auto time = ParseWhen(start.text, RealClock().Now())) out.start_time = *time;
  }
}

// A broker answers for many messages at once: what an attempt costs beside them shrinks with its
// size.
void BatchForABroker(const Values& target, TargetSettings& settings) {
  const Values& batch = target.In("batch");
  const auto take = [&](std::string_view field, std::string_view text) {
    FieldValue value;
    value.field = batch.At(field).field;
    Field fallback = *value.field;
    fallback.fallback = text;
    TakeFallback(fallback, value);
    return static_cast<size_t>(value.number);
  };
  if (!batch.Written("events")) settings.batch.events = take("events", kBrokerBatchEvents);
  if (!batch.Written("bytes")) settings.batch.bytes = take("bytes", kBrokerBatchBytes);
}

}  // namespace

TargetConfig BuildTarget(const Values& target, ConfigProblems& problems) {
  TargetConfig out;
  TargetSettings& settings = out.settings;
  settings.name = target.name;
  settings.type = target.variant->word;
  settings.sink.target = target.name;
  const auto millis = [&](std::string_view name) {
    return std::chrono::duration_cast<Millis>(target.In("timeout").Duration(name));
  };
  settings.sink.timeout = {millis("connect"), millis("request")};
  CheckOrder(target.In("timeout"), "connect", "request", problems);
  settings.batch = {static_cast<size_t>(target.In("batch").Number("events")),
                    static_cast<size_t>(target.In("batch").Number("bytes")),
                    target.In("batch").Duration("wait")};
  settings.retry.first = target.In("retry").Duration("first");
  settings.retry.max = target.In("retry").Duration("max");
  CheckOrder(target.In("retry"), "first", "max", problems);
  settings.events_per_second = target.At("rate").real;
  settings.age_max = target.Duration("max_age");
  SetStart(target.At("start"), out);

  bool concurrent = false;
  if (settings.type == "webhook") {
    WebhookSettings webhook = BuildWebhook(target, problems);
    concurrent = webhook.format == WebhookSettings::Format::kStructured;
    settings.sink.of = std::move(webhook);
  } else if (settings.type == "nats") {
    settings.sink.of = BuildNats(target, problems);
    BatchForABroker(target, settings);
  } else if (settings.type == "kafka") {
    settings.sink.of = BuildKafka(target, problems);
    BatchForABroker(target, settings);
  } else if (settings.type == "file") {
    settings.sink.of = FileSettings{target.Text("path")};
  } else if (settings.type == "stdout") {
    settings.sink.of = StdoutSettings{};
  } else {
    settings.sink.of = NullSettings{};
  }
  const FieldValue& concurrency = target.At("concurrency");
  if (concurrency.good && concurrency.number > 1 && !concurrent) {
    problems.Warn(concurrency.place,
                  fmt::format("'concurrency' has no effect on the target '{}'", target.name),
                  "it counts for a webhook whose format is structured");
  }
  return out;
}

}  // namespace spool
