// What is said for and by targets: templates of subjects, topics and keys, brokers, globs, paths
// into an event's data, and JetStream's acknowledgements.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "forward/data_path.h"
#include "forward/glob.h"
#include "forward/sinks/event_text.h"
#include "forward/sinks/kafka_conf.h"
#include "forward/sinks/nats_answer.h"
#include "forward/sinks/nats_subject.h"

namespace spool {
namespace {

// Values as hostile as the template: what an event holds is not ours to choose.
EventView HostileEvent(std::string_view value) {
  EventView event;
  event.stream = "kubernetes-events";  // a name, from the configuration
  event.category = "other";
  event.subcategory = event.namespace_ = event.kind = event.name = event.producer = event.reason =
      event.subject = value;
  return event;
}

void Templates(std::string_view text) {
  const std::string_view format = text.substr(0, text.find('\n'));
  const std::string_view value = text.substr(std::min(text.size(), format.size() + 1));
  const EventView event = HostileEvent(value);
  std::string out;
  if (const auto any = EventText::Parse("key", format)) {
    any->Render(event, "_", out);
    SPOOL_ASSERT(any->HasPlaceholder() || out == format);
    for (const std::string_view literal : any->Literals()) {
      SPOOL_ASSERT(literal.find_first_of("{}") == literal.npos && out.find(literal) != out.npos);
    }
  }
  if (const auto topic = ParseKafkaTopic(format)) {
    topic->Render(event, "_", out);
    SPOOL_ASSERT(!out.empty() &&
                 out.find_first_not_of(
                     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
                     out.npos);
  }
  if (const auto subject = NatsSubject::Parse(format)) {
    subject->Render(event, out);
    // One to publish to: no white space, no wildcard, no empty token, not the server's own.
    SPOOL_ASSERT(!out.empty() && out.find_first_of(" \t\r\n*>") == out.npos);
    SPOOL_ASSERT(out.front() != '.' && out.back() != '.' && out.find("..") == out.npos);
    SPOOL_ASSERT(out.front() != '$' && out.size() < 4096);
    const std::string wildcard = subject->Wildcard();
    SPOOL_ASSERT(std::count(wildcard.begin(), wildcard.end(), '.') ==
                 std::count(out.begin(), out.end(), '.'));
  }
  if (CheckKafkaBroker(format)) SPOOL_ASSERT(format.find_first_of(" ,\n") == format.npos);
}

bool Slowly(std::string_view pattern, std::string_view text) {
  // matches[j]: the pattern so far matches the first j bytes.
  std::vector<bool> matches(text.size() + 1, false);
  matches[0] = true;
  for (const char p : pattern) {
    std::vector<bool> next(text.size() + 1, false);
    next[0] = p == '*' && matches[0];
    for (size_t j = 1; j <= text.size(); ++j) {
      next[j] =
          p == '*' ? matches[j] || next[j - 1] : matches[j - 1] && (p == '?' || p == text[j - 1]);
    }
    matches = std::move(next);
  }
  return matches[text.size()];
}

void Globs(std::string_view text) {
  if (text.size() > 200) return;
  const std::string pattern(text.substr(0, text.find('\n')));
  const std::string subject(text.substr(std::min(text.size(), pattern.size() + 1)));
  const Glob glob(pattern);
  SPOOL_ASSERT(glob.Matches(subject) == Slowly(pattern, subject));
  SPOOL_ASSERT(glob.exact() == (pattern.find_first_of("*?") == pattern.npos));
}

void Paths(std::string_view text) {
  const std::string path(text.substr(0, text.find('\n')));
  const std::string json(text.substr(std::min(text.size(), path.size() + 1)));
  DataDocument document(json);
  const auto found = document.Find(path);
  const std::string first(found.value_or(""));
  const bool there = found.has_value();
  document.FindMember("metadata", path);
  document.Find("items.0.name");
  const auto again = document.Find(path);
  SPOOL_ASSERT(again.has_value() == there && again.value_or("") == first);
}

void Acknowledgement(std::string_view text) {
  const Outcome outcome = ReadPubAck(text);
  SPOOL_ASSERT(outcome.excerpt.size() <= 1024);
  if (outcome.verdict != Verdict::kDelivered && outcome.verdict != Verdict::kDuplicate) {
    SPOOL_ASSERT(!outcome.code.empty());
    return;
  }
  const auto json = nlohmann::json::parse(text, nullptr, false);
  SPOOL_ASSERT(json.is_object() && !json.contains("error") && json.contains("seq"));
}

}  // namespace
}  // namespace spool

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: spool::Templates(text); break;
    case 1: spool::Globs(text); break;
    case 2: spool::Paths(text); break;
    default: spool::Acknowledgement(text); break;
  }
  return 0;
}
