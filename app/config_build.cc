#include "app/config_build.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "app/config_fields.h"
#include "app/config_text.h"
#include "base/time_text.h"

namespace spool {
namespace {

std::string Where(const Place& place) {
  return fmt::format("{}:{}:{}", place.file == nullptr ? "" : place.file->name, place.line,
                     place.column);
}

std::vector<std::string_view> Names(const std::vector<Values>& sections) {
  std::vector<std::string_view> names;
  for (const Values& section : sections) names.push_back(section.name);
  return names;
}

net::HttpLimits BuildLimits(const Values& limits, ConfigProblems& problems) {
  const auto seconds = [&](std::string_view name) {
    return std::chrono::duration_cast<std::chrono::seconds>(limits.Duration(name));
  };
  net::HttpLimits out;
  out.body_bytes = static_cast<size_t>(limits.Number("body"));
  out.in_flight_bytes = static_cast<size_t>(limits.Number("in_flight"));
  out.connections = static_cast<size_t>(limits.Number("connections"));
  out.connections_per_peer = static_cast<size_t>(limits.Number("connections_per_peer"));
  out.handshake_timeout = seconds("handshake_timeout");
  out.header_timeout = seconds("header_timeout");
  out.body_timeout = seconds("body_timeout");
  out.idle_timeout = seconds("idle_timeout");
  const FieldValue& body = limits.At("body");
  const FieldValue& in_flight = limits.At("in_flight");
  if (body.good && in_flight.good && out.in_flight_bytes < out.body_bytes) {
    problems.Add(in_flight.node != nullptr ? in_flight.place : body.place,
                 fmt::format("'in_flight' ({}) must not be below 'body' ({})",
                             BoundText(*in_flight.field, in_flight.number),
                             BoundText(*body.field, body.number)));
  }
  return out;
}

// Of either listener; empty where it speaks plain TCP.
std::optional<net::TlsFiles> BuildTls(const Values& listener, ConfigProblems& problems) {
  if (!listener.Written("tls")) return std::nullopt;
  const Values& tls = listener.In("tls");
  for (const std::string_view field : {"cert", "key"}) {
    if (tls.Written(field)) continue;
    problems.Add(listener.At("tls").place, fmt::format("'tls' needs '{}'", field));
  }
  net::TlsFiles out;
  out.cert = tls.Text("cert");
  out.key = tls.Text("key");
  out.client_ca = tls.Text("client_ca");
  if (!tls.Has("client_cert")) return out;
  out.client_required = tls.Text("client_cert") == "required";
  for (const std::string_view field : {"client_cert", "client_names"}) {
    if (!tls.Written(field) || tls.Written("client_ca")) continue;
    problems.Add(tls.At(field).place, fmt::format("'{}' needs 'client_ca' beside it", field));
  }
  return out;
}

// A secret of a section that has `file` and `env`; empty with a problem told.
std::optional<Secret> BuildToken(const Values& token, std::string_view example,
                                 ConfigProblems& problems) {
  const bool file = token.Written("file");
  if (!token.At("file").good || !token.At("env").good) return std::nullopt;
  if (file == token.Written("env")) {
    problems.Add(token.place, "a token needs either file or env", std::string(example));
    return std::nullopt;
  }
  return file ? Secret::FromFile(token.Text("file")) : Secret::FromEnv(token.Text("env"));
}

HttpAuthOptions BuildAuth(const Values& source, ConfigProblems& problems) {
  HttpAuthOptions out;
  const FieldValue& tokens = source.At("tokens");
  for (const Values& token : tokens.sections) {
    if (auto secret = BuildToken(token, "write { file: PATH } or { env: NAME }", problems)) {
      out.tokens.push_back(std::move(*secret));
    }
  }
  if (tokens.node != nullptr && tokens.good && tokens.sections.empty()) {
    problems.Add(tokens.place, "'tokens' must not be empty", "leave the key out to ask for none");
  }
  if (!source.Written("tls")) return out;
  const Values& tls = source.In("tls");
  const FieldValue& names = tls.At("client_names");
  for (const TextAt& name : names.texts) out.client_names.push_back(name.text);
  if (names.node != nullptr && names.good && names.texts.empty()) {
    problems.Add(names.place, "'client_names' must not be empty",
                 "leave the key out to take every certificate of 'client_ca'");
  }
  out.either = tls.Text("client_cert") == "optional";
  if (out.either && tokens.node == nullptr) {
    problems.Add(tls.At("client_cert").place,
                 "an optional certificate needs 'tokens' for those who have none",
                 "add tokens: [ { file: PATH } ] to the source, or leave 'client_cert' out");
  }
  return out;
}

// The texts of a list that `check` lets pass; a problem for each of the others.
std::vector<std::string> CheckedTexts(const FieldValue& value, Status (*check)(std::string_view),
                                      ConfigProblems& problems) {
  std::vector<std::string> out;
  for (const TextAt& text : value.texts) {
    if (const Status good = check(text.text); !good) {
      problems.Add(text.place, good.error().message);
    } else {
      out.push_back(text.text);
    }
  }
  return out;
}

}  // namespace

std::vector<std::string> BuildRedact(const Values& source, ConfigProblems& problems) {
  std::vector<std::string> paths = CheckedTexts(source.At("redact"), CheckRedactionPath, problems);
  RedactionSettings redaction;
  redaction.paths = paths;
  if (const auto made = Redaction::Create(redaction, {}); !made) {
    problems.Add(source.At("redact").place, made.error().message);
  }
  return paths;
}

namespace {

void BuildRedaction(const Values& redaction, Config& config, ConfigProblems& problems) {
  RedactionSettings& out = config.redaction;
  for (const TextAt& off : redaction.At("off").texts) {
    for (size_t i = 0; i < kRedactionRules; ++i) {
      if (kRedactionRuleNames[i] == off.text) out.on[i] = false;
    }
  }
  out.keys = CheckedTexts(redaction.At("keys"), CheckRedactionKey, problems);
  out.patterns = CheckedTexts(redaction.At("patterns"), CheckRedactionPattern, problems);
  config.redaction_key = redaction.At("key").secret;
  for (const auto& [field, rule] :
       {std::pair{"keys", RedactionRule::kKeys}, {"patterns", RedactionRule::kPatterns}}) {
    if (out.on[static_cast<size_t>(rule)] || redaction.At(field).texts.empty()) continue;
    problems.Add(redaction.At(field).place,
                 fmt::format("'{}' has no effect while 'off' names it, too", field));
  }
}

std::vector<HttpSourceSettings> BuildHttpSources(const Values& root, ConfigProblems& problems) {
  std::vector<HttpSourceSettings> out;
  const FieldValue& sources = root.At("sources");
  if (sources.node == nullptr) {
    HttpSourceSettings web;
    web.name = "web";
    return {web};
  }
  if (sources.sections.empty() && sources.good) {
    problems.Warn(sources.place, "there are no sources: nothing will come in");
  }
  for (const Values& source : sources.sections) {
    if (source.variant == nullptr || source.variant->word != "http") continue;
    HttpSourceSettings http;
    http.name = source.name;
    http.address = source.Text("address");
    for (const TextAt& path : source.At("paths").texts) http.paths.push_back(path.text);
    const FieldValue& paths = source.At("paths");
    if (paths.node != nullptr && paths.good && paths.texts.empty()) {
      problems.Add(paths.place, "'paths' must not be empty", "leave the key out to serve all");
    }
    http.limits = BuildLimits(source.In("limits"), problems);
    const Values& quota = source.In("quota");
    http.quota.events_per_second = quota.At("events").real;
    http.quota.bytes_per_second = quota.At("bytes").real;
    http.quota.requests = static_cast<size_t>(quota.Number("in_flight"));
    http.tls = BuildTls(source, problems);
    http.auth = BuildAuth(source, problems);
    http.redact = BuildRedact(source, problems);
    out.push_back(std::move(http));
  }
  return out;
}

WhenFull ParseWhenFull(std::string_view word) {
  return word == "drop_oldest" ? WhenFull::kDropOldest : WhenFull::kReject;
}

std::vector<StreamOptions> BuildStreams(const Values& root, ConfigProblems& problems) {
  std::vector<StreamOptions> out = DefaultStreams();
  const FieldValue& streams = root.At("streams");
  for (const Values& given : streams.sections) {
    auto at = std::find_if(out.begin(), out.end(),
                           [&](const StreamOptions& s) { return s.name == given.name; });
    const bool fresh = at == out.end();
    if (fresh) {
      out.push_back({});
      at = out.end() - 1;
      at->name = given.name;
    }
    const Values& retention = given.In("retention");
    if (fresh || retention.Written("age")) at->age_max = retention.Duration("age");
    if (fresh || retention.Written("size")) {
      at->bytes_max = static_cast<uint64_t>(retention.Number("size"));
    }
    if (fresh || given.Written("when_full")) at->when_full = ParseWhenFull(given.Text("when_full"));
    if (at->when_full == WhenFull::kDropOldest && at->bytes_max == 0 &&
        given.Written("when_full")) {
      problems.Warn(given.At("when_full").place,
                    fmt::format("the stream '{}' has no size: it will give up its oldest events "
                                "only when the disk is full",
                                given.name),
                    "give it a retention size");
    }
  }
  if (out.size() > kStreamsMax - 1) {
    problems.Add(streams.place,
                 fmt::format("there are {} streams; {} are possible", out.size(), kStreamsMax - 1));
  }
  return out;
}

std::vector<RuleText> Rules(const FieldValue& value) {
  std::vector<RuleText> out;
  for (const RuleAt& rule : value.rules) out.push_back(rule.rule);
  return out;
}

std::vector<RouteSettings> BuildRoutes(const Values& root, ConfigProblems& problems) {
  std::vector<RouteSettings> out;
  const FieldValue& routes = root.At("routes");
  const FieldValue& targets = root.At("targets");
  const std::vector<std::string_view> names = Names(targets.sections);
  std::map<std::string, Place> seen;
  std::set<std::string> reached;
  for (size_t i = 0; i < routes.sections.size() && !problems.full(); ++i) {
    const Values& route = routes.sections[i];
    RouteSettings settings;
    settings.name = route.Written("name") ? route.Text("name") : fmt::format("route-{}", i + 1);
    settings.match = Rules(route.At("match"));
    settings.drop = Rules(route.At("drop"));
    if (const auto [first, fresh] = seen.emplace(settings.name, route.At("name").place); !fresh) {
      problems.Add(route.At("name").place,
                   fmt::format("the route '{}' is given twice", settings.name),
                   "the first is at " + Where(first->second));
    }
    for (const TextAt& to : route.At("to").texts) {
      if (problems.full()) break;
      if (std::find(names.begin(), names.end(), to.text) == names.end()) {
        problems.Add(to.place, fmt::format("there is no target '{}'", to.text),
                     names.empty() ? "no targets are configured" : Suggestion(to.text, names));
        continue;
      }
      if (std::find(settings.to.begin(), settings.to.end(), to.text) != settings.to.end()) {
        problems.Add(to.place, fmt::format("the target '{}' is named twice", to.text));
        continue;
      }
      settings.to.push_back(to.text);
      reached.insert(to.text);
    }
    out.push_back(std::move(settings));
  }
  if (routes.node == nullptr || !routes.good || problems.full()) return out;
  if (routes.sections.empty()) {
    problems.Warn(routes.place, "'routes' is empty: nothing will be delivered",
                  "leave the key out to deliver everything to every target");
    return out;
  }
  for (const Values& target : targets.sections) {
    if (reached.contains(target.name)) continue;
    problems.Add(target.place, fmt::format("no route leads to the target '{}'", target.name),
                 fmt::format("add it to the 'to' of a route, or add {{ name: {}, to: [{}] }}",
                             target.name, target.name));
  }
  return out;
}

AdminSettings BuildAdmin(const Values& admin, ConfigProblems& problems) {
  AdminSettings out;
  out.address = admin.Text("address");
  out.insecure = admin.Bool("insecure");
  bool good = admin.At("address").good && admin.At("insecure").good && admin.At("tokens").good;
  for (const Values& token : admin.At("tokens").sections) {
    const auto secret = BuildToken(
        token, "write { file: PATH, role: operator } or { env: NAME, role: operator }", problems);
    good &= secret.has_value() && token.At("role").good;
    if (secret) out.tokens.push_back({*secret, token.Text("role"), token.Text("name")});
  }
  out.tls = BuildTls(admin, problems);
  good &= admin.At("tls").good;
  if (out.tls && out.insecure) {
    problems.Add(admin.At("insecure").place, "'insecure' and 'tls' exclude each other");
  }
  if (!good) return out;
  if (const auto complaint = CheckAdmin(out)) {
    problems.Add(admin.At("address").place, complaint->message, complaint->hint);
  }
  return out;
}

void CheckListeners(const Values& root, ConfigProblems& problems) {
  struct Listener {
    std::string what;
    const FieldValue* value;
    ListenAddress address;
  };
  std::vector<Listener> listeners;
  const auto add = [&](std::string what, const Values& section) {
    const FieldValue& value = section.At("address");
    if (!value.good) return;
    const std::optional<ListenAddress> address = ParseListenAddress(value.text);
    if (!address) return;
    for (const Listener& other : listeners) {
      if (!SameListener(other.address, *address)) continue;
      // Point at one that was written; the other may be a default.
      const bool here = value.node != nullptr || other.value->node == nullptr;
      problems.Add(here ? value.place : other.value->place,
                   fmt::format("{} and {} would listen on the same address ({})", other.what, what,
                               value.text),
                   other.value->node != nullptr && value.node != nullptr
                       ? fmt::format("{} is at {}", other.what, Where(other.value->place))
                       : "one of them is a default");
    }
    listeners.push_back({std::move(what), &value, *address});
  };
  add("the admin listener", root.In("admin"));
  for (const Values& source : root.At("sources").sections) {
    if (source.variant != nullptr && source.Has("address")) {
      add(fmt::format("the source '{}'", source.name), source);
    }
  }
  if (root.At("sources").node != nullptr || listeners.empty()) return;
  const std::optional<ListenAddress> web = ParseListenAddress(HttpSourceSettings{}.address);
  if (web && SameListener(listeners.front().address, *web)) {
    problems.Add(root.In("admin").At("address").place,
                 "the admin listener would take the address of the default source 'web'",
                 "give it another port, or configure sources");
  }
}

}  // namespace

bool SameListener(const ListenAddress& a, const ListenAddress& b) {
  if (a.port == 0 || a.port != b.port) return false;
  return a.any || b.any || a.host == b.host;
}

std::optional<AdminComplaint> CheckAdmin(const AdminSettings& admin) {
  const std::optional<ListenAddress> address = ParseListenAddress(admin.address);
  if (!address || address->loopback) return std::nullopt;
  if (!admin.insecure && !admin.tls) {
    return AdminComplaint{
        fmt::format("the admin listener must not serve {} without TLS", admin.address),
        "add tls: { cert: PATH, key: PATH }, use a loopback address, or add insecure: true where "
        "the network is trusted"};
  }
  if (admin.tokens.empty()) {
    return AdminComplaint{
        fmt::format("the admin listener on {} needs at least one token", admin.address),
        "add tokens: [ { file: PATH, role: operator } ]"};
  }
  return std::nullopt;
}

Config BuildConfig(const Values& root, ConfigProblems& problems) {
  Config config;
  config.cluster = root.In("cluster").Text("name");
  config.data_dir = root.Text("data_dir");
  const Values& log = root.In("log");
  if (const auto level = log::ParseLevel(log.Text("level"))) config.log_level = *level;
  config.log_format = log.Text("format") == "json" ? log::Format::kJson : log::Format::kText;

  const Values& journal = root.In("journal");
  config.journal.dir = config.data_dir;
  config.journal.compression_level = static_cast<int>(journal.Number("compression_level"));
  config.journal.disk_reserve_bytes = static_cast<uint64_t>(journal.Number("disk_reserve"));
  config.journal.scrub_bytes_per_second = static_cast<uint64_t>(journal.Number("scrub"));
  config.journal.dedupe_window = journal.In("dedupe").Duration("window");
  config.journal.dedupe_entries = static_cast<size_t>(journal.In("dedupe").Number("entries"));
  const Values& dead = journal.In("dead_letters");
  config.journal.dead_letters_max = static_cast<uint64_t>(dead.Number("events"));
  config.journal.dead_letter_bytes_max = static_cast<uint64_t>(dead.Number("bytes"));
  config.journal.streams = BuildStreams(root, problems);

  config.admin = BuildAdmin(root.In("admin"), problems);
  BuildRedaction(root.In("redaction"), config, problems);
  config.quarantine_raw = root.In("quarantine").Text("keep") == "raw";
  config.http_sources = BuildHttpSources(root, problems);
  for (const Values& source : root.At("sources").sections) {
    if (source.variant == nullptr || source.variant->word == "http") continue;
    config.pulled_sources.push_back(BuildPulledSource(source, problems));
  }
  CheckListeners(root, problems);
  config.classify = BuildClassify(root, config, problems);
  config.webhook_mutations = root.In("classification").Bool("webhook_mutations");
  config.has_routes = root.Written("routes");
  config.routes = BuildRoutes(root, problems);
  const FieldValue& targets = root.At("targets");
  for (const Values& target : targets.sections) {
    if (target.variant != nullptr) config.targets.push_back(BuildTarget(target, problems));
  }
  if (targets.sections.empty() && targets.good) {
    problems.Warn(targets.place, "there are no targets: events are kept and delivered nowhere");
  }
  CheckLoops(root, config, problems);
  config.tests = BuildTests(root, config, problems);
  return config;
}

}  // namespace spool
