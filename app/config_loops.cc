// A bus that is both source and target: what is delivered would come in again, for ever.
#include <fmt/format.h>

#include <algorithm>

#include "app/config_build.h"
#include "forward/sinks/nats_subject.h"

namespace spool {
namespace {

// "127.0.0.1:4222" of "nats://user:word@localhost/", as far as a text tells.
std::string ServerOf(std::string_view url, std::string_view port) {
  if (const size_t scheme = url.find("://"); scheme != url.npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find('/'));
  if (const size_t user = url.rfind('@'); user != url.npos) url.remove_prefix(user + 1);
  std::string server(url);
  if (server.find(':', server.rfind(']') == server.npos ? 0 : server.rfind(']')) == server.npos) {
    server += fmt::format(":{}", port);
  }
  std::transform(server.begin(), server.end(), server.begin(), [](unsigned char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : static_cast<char>(c);
  });
  if (server.starts_with("localhost:")) server.replace(0, 9, "127.0.0.1");
  if (server.starts_with("[::1]:")) server.replace(0, 5, "127.0.0.1");
  return server;
}

// Whether some subject fits both.
bool Overlap(std::string_view a, std::string_view b) {
  for (;;) {
    const size_t dot_a = a.find('.'), dot_b = b.find('.');
    const std::string_view token_a = a.substr(0, dot_a), token_b = b.substr(0, dot_b);
    if (token_a == ">" || token_b == ">") return true;
    if (token_a != token_b && token_a != "*" && token_b != "*") return false;
    if (dot_a == a.npos || dot_b == b.npos) return dot_a == a.npos && dot_b == b.npos;
    a.remove_prefix(dot_a + 1);
    b.remove_prefix(dot_b + 1);
  }
}

// The source fetches what the target publishes, as far as the configuration tells.
bool IsLoop(const NatsSourceSettings& source, const NatsSettings& target) {
  const auto same = [&](const std::string& url) {
    return ServerOf(url, "4222") == ServerOf(target.url, "4222");
  };
  if (std::none_of(source.urls.begin(), source.urls.end(), same)) return false;
  // Two streams of one server have no subject in common.
  if (!target.stream.empty() && target.stream != source.stream) return false;
  if (source.subject.empty()) return true;
  const auto subject = NatsSubject::Parse(target.subject);
  return !subject || Overlap(source.subject, subject->Wildcard());
}

// The same of a topic; one that the source names by an expression may be any.
bool IsLoop(const KafkaSourceSettings& source, const KafkaSettings& target,
            const std::vector<StreamOptions>& streams) {
  const auto at = [&](const std::string& broker) {
    return std::any_of(target.brokers.begin(), target.brokers.end(), [&](const std::string& other) {
      return ServerOf(broker, "9092") == ServerOf(other, "9092");
    });
  };
  if (std::none_of(source.brokers.begin(), source.brokers.end(), at)) return false;
  return std::any_of(source.topics.begin(), source.topics.end(), [&](const std::string& topic) {
    if (topic.starts_with('^') || topic == target.topic) return true;
    if (target.topic.find('{') == std::string::npos) return false;
    // With a stream's name in it; of other attributes it cannot be told.
    if (target.topic.find('{') != target.topic.find("{stream}")) return true;
    return std::any_of(streams.begin(), streams.end(), [&](const StreamOptions& stream) {
      std::string made = target.topic;
      made.replace(made.find("{stream}"), 8, stream.name);
      return made == topic || made.find('{') != std::string::npos;
    });
  });
}

}  // namespace

void CheckLoops(const Values& root, const Config& config, ConfigProblems& problems) {
  const auto place = [&](const std::string& name) {
    for (const Values& source : root.At("sources").sections) {
      if (source.name == name) return source.place;
    }
    return root.place;
  };
  for (const PulledSourceConfig& source : config.pulled_sources) {
    for (const TargetConfig& target : config.targets) {
      bool loop = false;
      const auto& sink = target.settings.sink.of;
      if (const auto* const from = std::get_if<NatsSourceSettings>(&source.of)) {
        const auto* const to = std::get_if<NatsSettings>(&sink);
        loop = to != nullptr && IsLoop(*from, *to);
      } else if (const auto* const from = std::get_if<KafkaSourceSettings>(&source.of)) {
        const auto* const to = std::get_if<KafkaSettings>(&sink);
        loop = to != nullptr && IsLoop(*from, *to, config.journal.streams);
      }
      if (!loop) continue;
      problems.Add(
          place(source.name),
          fmt::format("the source '{}' would fetch what the target '{}' publishes, and so "
                      "take it in again and again",
                      source.name, target.settings.name),
          "let the source fetch only what others publish there ('subject', 'topics'), or the "
          "target publish elsewhere");
    }
  }
}

}  // namespace spool
