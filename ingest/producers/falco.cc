// Falco's alerts as JSON, its plain text lines (which decode wraps as {"output":…}), and what
// Falcosidekick makes of either.
#include <charconv>
#include <cstdlib>

#include "ingest/classify.h"
#include "ingest/fields.h"
#include "ingest/identity.h"
#include "ingest/json_text.h"
#include "ingest/known_shapes.h"

namespace spool {
namespace {

Severity SeverityOf(std::string_view priority) {
  const std::string word = AsciiLower(priority);
  if (word == "informational") return Severity::kInfo;
  return word.empty() ? Severity::kInfo : ParseSeverity(word).value_or(Severity::kInfo);
}

// The word behind "k8s.ns=" in an alert's text.
std::string_view WordAfter(std::string_view text, std::string_view key) {
  for (size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    if (at > 0 && text[at - 1] != ' ' && text[at - 1] != '(') continue;
    const std::string_view word = text.substr(at + key.size());
    return word.substr(0, word.find_first_of(" )"));
  }
  return {};
}

// Falco prints this where it knows no value.
std::string_view Known(std::string_view value) {
  return value == "<NA>" || value == "null" ? std::string_view{} : value;
}

// "13:44:05.478445995: " at the beginning of an alert's text, in the time of Falco's machine.
struct TextHead {
  std::optional<Micros> of_day;
  std::optional<SystemTime> time;
  std::string_view rest;
};

TextHead HeadOf(std::string_view text) {
  TextHead head;
  head.rest = text;
  const size_t end = text.substr(0, 48).find(": ");
  if (end == std::string_view::npos) return head;
  const std::string_view word = text.substr(0, end);
  const auto two = [&](size_t at) {
    int value = -1;
    std::from_chars(word.data() + at, word.data() + at + 2, value);
    return value;
  };
  if (const auto time = LooseTime(word)) {  // time_format_iso_8601
    head.time = time;
    head.rest = text.substr(end + 2);
  } else if (word.size() >= 8 && word[2] == ':' && word[5] == ':') {
    const int hour = two(0), minute = two(3), second = two(6);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
      return head;
    }
    int64_t micros = 0, unit = 100'000;
    for (size_t i = 9; i < word.size() && unit > 0 && word[8] == '.'; ++i, unit /= 10) {
      if (word[i] < '0' || word[i] > '9') return head;
      micros += (word[i] - '0') * unit;
    }
    head.of_day = Micros((hour * int64_t{3600} + minute * 60 + second) * 1'000'000 + micros);
    head.rest = text.substr(end + 2);
  }
  return head;
}

// The day is the one that brings it nearest to now. A clock in another zone is hours away, and then
// says nothing.
std::optional<SystemTime> NearestTo(SystemTime now, Micros of_day) {
  constexpr int64_t kDay = int64_t{86'400} * 1'000'000;
  constexpr int64_t kNear = int64_t{600} * 1'000'000;
  const int64_t at = ToMicros(now);
  const int64_t midnight = at - at % kDay;
  for (const int64_t day : {int64_t{0}, -kDay, kDay}) {
    const int64_t time = midnight + day + of_day.count();
    if (std::abs(time - at) <= kNear) return FromMicros(time);
  }
  return std::nullopt;
}

void FillText(const RecordContext& context, std::string_view text, EventView* view) {
  const TextHead head = HeadOf(text);
  const std::string_view priority = head.rest.substr(0, head.rest.find_first_of(" :"));
  view->severity = SeverityOf(priority);
  for (const std::string_view key : {"k8s.ns=", "k8s_ns=", "k8s_ns_name=", "k8s.ns.name="}) {
    if (view->namespace_.empty()) view->namespace_ = Known(WordAfter(text, key));
  }
  for (const std::string_view key : {"k8s.pod=", "k8s_pod_name=", "k8s.pod.name=", "pod="}) {
    if (view->name.empty()) view->name = Known(WordAfter(text, key));
  }
  if (!view->name.empty()) view->kind = "Pod";
  const Category category = ClassifyFalco({}, head.rest);
  view->category = category.category;
  view->subcategory = category.subcategory;
  if (head.time) {
    view->time = *head.time;
  } else if (head.of_day) {
    if (const auto time = NearestTo(context.received, *head.of_day)) view->time = *time;
  }
  // The clock has nanoseconds, so an equal text is the same alert sent again.
  if (head.time || head.of_day) view->id = IdentityOf("falco-text", {context.cluster, text});
}

}  // namespace

void FillFalco(const RecordContext& context, const std::vector<JsonMember>& members,
               std::string_view text, EventView* view) {
  const RecordFields f(context, members);
  const std::string_view uuid = f.Text("uuid");
  const std::string_view rule = f.Text("rule");
  const std::string_view output = f.Text("output");
  view->producer = uuid.empty() ? "falco" : "falcosidekick";
  view->type = "org.falco.alert.v1";
  view->source = SourceOf(context, context.cluster, view->producer);
  view->cluster = context.cluster;
  if (rule.empty() && !output.empty()) {
    FillText(context, output, view);
    view->subject = SubjectOf(context, view->kind, view->namespace_, view->name);
    return;
  }
  const std::string_view source = f.Text("source");
  view->reason = rule;
  view->severity = SeverityOf(f.Text("priority"));
  view->namespace_ = Known(f.Text("output_fields", "k8s.ns.name"));
  view->name = Known(f.Text("output_fields", "k8s.pod.name"));
  if (!view->name.empty()) view->kind = "Pod";
  if (source == "k8s_audit") {  // what the audited request was about
    view->namespace_ = Known(f.Text("output_fields", "ka.target.namespace"));
    view->name = Known(f.Text("output_fields", "ka.target.name"));
    view->kind = KindOfResource(Known(f.Text("output_fields", "ka.target.resource")));
  }
  view->subject = SubjectOf(context, view->kind, view->namespace_, view->name);
  const Category category = ClassifyFalco(source, rule);
  view->category = category.category;
  view->subcategory = category.subcategory;
  const std::string_view time = f.Text("time");
  if (const auto at = LooseTime(time)) view->time = *at;
  const std::string_view hostname = f.Text("hostname");
  if (!uuid.empty()) {
    view->id = IdentityOf("falcosidekick", {context.cluster, uuid, time, rule});
  } else if (!time.empty()) {
    // Where the text is switched off, the whole record tells alerts apart.
    view->id = IdentityOf("falco",
                          {context.cluster, time, hostname, rule, output.empty() ? text : output});
  }
  const std::string_view where = view->name.empty() ? hostname : view->name;
  view->problem_key = ProblemKeyOf(
      {context.cluster, view->namespace_, view->kind, OwnerName(view->kind, where), rule});
}

}  // namespace spool
