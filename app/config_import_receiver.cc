#include "app/config_import_receiver.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <initializer_list>
#include <map>

namespace spool {
namespace {

using Kind = YamlNode::Kind;

std::string Text(const YamlNode* map, std::string_view key) {
  const YamlNode* node = map == nullptr ? nullptr : map->Find(key);
  return node == nullptr || node->kind != Kind::kScalar ? "" : node->text;
}

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// As YAML takes a plain scalar: not a number, not a boolean.
bool IsText(const std::string& text) {
  if (text == "true" || text == "false" || text == "True" || text == "False") return false;
  char* end = nullptr;
  std::strtod(text.c_str(), &end);
  return text.empty() || *end != '\0';
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// Keys of a section that the exporter does not know: it never looked at them.
void CheckKeys(const YamlNode* map, std::string_view prefix,
               std::initializer_list<std::string_view> known, ImportedTarget& target) {
  if (map == nullptr) return;
  for (const YamlNode::Entry& entry : map->entries) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    target.never_worked.emplace_back(entry.place.line,
                                     std::string(prefix) + entry.key +
                                         ": a receiver has no such key, so it was never looked at");
  }
}

// What became null there, and what made every delivery fail.
void CheckLayout(const YamlNode& node, const std::string& path, ImportedTarget& target) {
  const auto never = [&](const std::string& what) {
    target.never_worked.emplace_back(node.start.line, path + ": " + what);
  };
  switch (node.kind) {
    case Kind::kMap:
      for (const YamlNode::Entry& entry : node.entries) {
        CheckLayout(entry.value, path + "." + entry.key, target);
      }
      return;
    case Kind::kList:
      for (size_t i = 0; i < node.items.size(); ++i) {
        CheckLayout(node.items[i], path + "[" + std::to_string(i) + "]", target);
      }
      return;
    case Kind::kNull: return;
    case Kind::kScalar: break;
  }
  if (!node.quoted && !IsText(node.text)) {
    never("numbers and booleans were not rendered: " + OneLine(node.text) + " was sent as null");
  }
  for (size_t at = 0; (at = node.text.find("{{", at)) != node.text.npos;) {
    at = node.text.find("}}", at);
    if (at != node.text.npos) continue;
    never("the template does not end, so nothing was ever sent");
    return;
  }
}

bool HasTemplate(const std::string& text) { return text.find("{{") != std::string::npos; }

// Files of a TLS section; `host` and 'insecure' have no equal.
std::string TlsText(const YamlNode* tls, ImportedTarget& target) {
  if (tls == nullptr) return "";
  std::string out;
  const auto add = [&](std::string_view theirs, const char* ours) {
    const std::string file = Text(tls, theirs);
    if (!file.empty()) out += (out.empty() ? "" : ", ") + std::string(ours) + ": " + YamlText(file);
  };
  add("caFile", "ca");
  add("certFile", "cert");
  add("keyFile", "key");
  if (Text(tls, "insecureSkipVerify") == "true") {
    target.not_kept.push_back("tls.insecureSkipVerify: certificates are always checked; give a ca");
  }
  if (!Text(tls, "serverName").empty()) {
    target.not_kept.push_back("tls.serverName: the certificate is checked against the URL's host");
  }
  return out;
}

void AddHeaders(const YamlNode* headers, ImportedTarget& target) {
  if (headers == nullptr) return;
  std::string out;
  for (const YamlNode::Entry& entry : headers->entries) {
    constexpr std::string_view kOwn[] = {"content-type",   "content-length",    "host",
                                         "connection",     "transfer-encoding", "expect",
                                         "idempotency-key"};
    const std::string lower = Lower(entry.key);
    if (std::find(std::begin(kOwn), std::end(kOwn), lower) != std::end(kOwn)) {
      target.not_kept.push_back("headers." + entry.key + ": the target sets it itself");
    } else if (HasTemplate(entry.value.text)) {
      target.not_kept.push_back("headers." + entry.key +
                                ": headers cannot be made from the event yet");
    } else {
      out += (out.empty() ? "" : ", ") + YamlText(entry.key) + ": " + YamlText(entry.value.text);
    }
  }
  if (!out.empty()) target.lines.push_back("headers: { " + out + " }");
}

void Webhook(const YamlNode& of, ImportedTarget& target) {
  CheckKeys(&of, "", {"endpoint", "tls", "layout", "headers"}, target);
  CheckKeys(of.Find("tls"), "tls.",
            {"insecureSkipVerify", "serverName", "caFile", "keyFile", "certFile"}, target);
  const std::string endpoint = Text(&of, "endpoint");
  if (!endpoint.starts_with("http://") && !endpoint.starts_with("https://")) {
    target.why_not = "its endpoint " + YamlText(endpoint) + " is no URL";
    return;
  }
  target.lines = {target.name + ":", "type: webhook", "url: " + YamlText(endpoint)};
  AddHeaders(of.Find("headers"), target);
  if (const std::string tls = TlsText(of.Find("tls"), target);
      !tls.empty() && endpoint.starts_with("https://")) {
    target.lines.push_back("tls: { " + tls + " }");
  }
}

void Kafka(const YamlNode& of, ImportedTarget& target) {
  CheckKeys(&of, "",
            {"topic", "brokers", "layout", "clientId", "compressionCodec", "version", "tls", "sasl",
             "avro"},
            target);
  CheckKeys(of.Find("tls"), "tls.",
            {"enable", "caFile", "certFile", "keyFile", "insecureSkipVerify"}, target);
  CheckKeys(of.Find("sasl"), "sasl.", {"enable", "username", "password", "mechanism"}, target);
  std::string brokers;
  if (const YamlNode* list = of.Find("brokers"); list != nullptr) {
    for (const YamlNode& broker : list->items) {
      brokers += (brokers.empty() ? "" : ", ") + YamlText(broker.text);
    }
  }
  const std::string topic = Text(&of, "topic");
  if (brokers.empty() || topic.empty()) {
    target.why_not = "it needs brokers and a topic";
    return;
  }
  target.lines = {target.name + ":", "type: kafka", "brokers: [" + brokers + "]",
                  "topic: " + YamlText(topic)};
  target.not_kept.push_back(
      "key: it was the Event's uid, and is the object's name here, so that events "
      "of one object stay in order");
  const std::string codec = Lower(Text(&of, "compressionCodec"));
  if (codec == "none" || codec == "gzip" || codec == "snappy" || codec == "lz4" ||
      codec == "zstd") {
    target.lines.push_back("compression: " + codec);
  }
  const YamlNode* tls = of.Find("tls");
  if (Text(tls, "enable") == "true") {
    const std::string files = TlsText(tls, target);
    target.lines.push_back(files.empty() ? "tls: {}" : "tls: { " + files + " }");
  }
  const YamlNode* sasl = of.Find("sasl");
  if (Text(sasl, "enable") == "true") {
    const std::string theirs = Lower(Text(sasl, "mechanism"));
    const char* mechanism = theirs == "sha512"   ? "SCRAM-SHA-512"
                            : theirs == "sha256" ? "SCRAM-SHA-256"
                                                 : "PLAIN";
    target.lines.push_back(std::string("sasl: { mechanism: ") + mechanism +
                           ", username: " + YamlText(Text(sasl, "username")) +
                           ", password: { env: KAFKA_PASSWORD } }");
    target.not_kept.push_back(
        "sasl.password: put it into the variable KAFKA_PASSWORD, or name a file");
  }
  for (const char* key : {"clientId", "version"}) {
    if (Text(&of, key).empty()) continue;
    target.not_kept.push_back(std::string(key) + ": spool has its own, which brokers agree to");
  }
  if (of.Find("avro") != nullptr) target.not_kept.push_back("avro: the value is JSON");
}

void File(const YamlNode& of, ImportedTarget& target) {
  CheckKeys(&of, "", {"path", "layout", "maxsize", "maxage", "maxbackups", "deDot"}, target);
  const std::string path = Text(&of, "path");
  if (path.empty()) {
    target.why_not = "it has no path";
    return;
  }
  target.lines = {target.name + ":", "type: file", "path: " + YamlText(path)};
  for (const std::string_view key : {"maxsize", "maxage", "maxbackups"}) {
    if (of.Find(key) == nullptr) continue;
    target.not_kept.push_back(std::string(key) +
                              ": the file is not rotated; let logrotate copy and cut it");
  }
}

void Stdout(const YamlNode& of, ImportedTarget& target) {
  CheckKeys(&of, "", {"deDot", "layout"}, target);
  target.lines = {target.name + ":", "type: stdout"};
}

using Make = void (*)(const YamlNode&, ImportedTarget&);
const std::map<std::string, Make>& Makers() {
  static const std::map<std::string, Make> makers = {
      {"webhook", Webhook}, {"kafka", Kafka}, {"file", File}, {"stdout", Stdout}};
  return makers;
}

// In the exporter's order: of several in one receiver the first is the receiver.
constexpr std::string_view kKinds[] = {
    "inMemory", "pipe",     "webhook",    "file",     "syslog",   "stdout",      "elasticsearch",
    "kinesis",  "firehose", "opensearch", "opsgenie", "sqs",      "sns",         "slack",
    "kafka",    "pubsub",   "opscenter",  "teams",    "bigquery", "eventbridge", "loki"};

}  // namespace

std::string OneLine(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

// Variables are filled in anywhere in the exporter's file, also where they are written $NAME.
std::string YamlText(std::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '$' && IsNameStart(next)) {
      size_t end = i + 1;
      while (end < text.size() &&
             (IsNameStart(text[end]) || (text[end] >= '0' && text[end] <= '9'))) {
        ++end;
      }
      out += "${" + std::string(text.substr(i + 1, end - i - 1)) + "}";
      i = end - 1;
    } else if (c == '$' && next != '{') {
      out += "$$";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string SpoolName(std::string_view text) {
  std::string out;
  for (const char c : Lower(text)) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (good) {
      out += c;
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  while (out.ends_with('-')) out.pop_back();
  if (out.size() > 63) out.resize(63);
  return out.empty() ? "target" : out;
}

ImportedTarget ImportReceiver(const YamlNode& node) {
  ImportedTarget target;
  target.receiver = Text(&node, "name");
  target.name = SpoolName(target.receiver);
  std::string_view kind;
  const YamlNode* of = nullptr;
  for (const std::string_view known : kKinds) {
    const YamlNode* section = node.Find(known);
    if (section == nullptr) continue;
    if (of == nullptr && section->kind != Kind::kNull) {
      kind = known;
      of = section;
      continue;
    }
    target.never_worked.emplace_back(
        section->start.line,
        std::string(known) + ": " +
            (section->kind == Kind::kNull
                 ? "it is empty, and so is none"
                 : "a receiver is of one kind, and this one is of the kind " + std::string(kind)));
  }
  for (const YamlNode::Entry& entry : node.entries) {
    if (entry.key == "name" ||
        std::find(std::begin(kKinds), std::end(kKinds), entry.key) != std::end(kKinds)) {
      continue;
    }
    target.never_worked.emplace_back(
        entry.place.line,
        OneLine(entry.key) + ": a receiver has no such key, so it was never looked at");
  }
  if (of == nullptr) {
    target.why_not = "it says no kind of receiver";
  } else if (const auto maker = Makers().find(std::string(kind)); maker == Makers().end()) {
    target.why_not = "spool has no target of the kind " + std::string(kind) +
                     " yet; a webhook target reaches whatever takes HTTP";
  } else {
    maker->second(*of, target);
  }
  if (of != nullptr) {
    const YamlNode* layout = of->Find("layout");
    if (layout != nullptr && layout->kind != Kind::kNull) {
      CheckLayout(*layout, "layout", target);
      target.not_kept.push_back("layout: payloads cannot be laid out yet; the whole event is sent");
    }
    if (Text(of, "deDot") == "true") {
      target.not_kept.push_back("deDot: dots in the keys of labels and annotations stay");
    }
  }
  if (target.lines.empty()) target.not_kept.clear();  // told by why_not
  for (std::string& note : target.not_kept) note = target.receiver + ": " + note;
  for (auto& [line, note] : target.never_worked) note = target.receiver + ": " + note;
  return target;
}

}  // namespace spool
