#include "app/admin_handlers.h"
#include "app/api_answer.h"
#include "app/json_views.h"
#include "app/request_body.h"
#include "base/log.h"
#include "spool/dead_letters.h"

namespace spool {
namespace {

constexpr uint64_t kLimitMax = 1000;
constexpr size_t kPage = 16;  // a dead letter carries its event: so many are in memory at once
// One request for many: what it looks at, and how long it changes things (each is synced).
constexpr uint64_t kBulkMax = 200'000;
constexpr Micros kBulkTime = std::chrono::seconds(5);

net::HttpResponse NoSuchLetter() {
  return net::Problem(404, "not_found", "There is no dead letter of that id.");
}

net::HttpResponse Show(const DeadLetter& letter, bool with_event) {
  JsonWriter out;
  WriteDeadLetter(out, letter, with_event);
  return JsonAnswer(out.Take());
}

enum class Verb { kRetry, kDrop };

Forwarder* TargetOf(const AdminCall& call, const std::string& name) {
  const auto it = call.parts.targets.find(name);
  return it == call.parts.targets.end() ? nullptr : it->second;
}

// A reload may have put another in its place since the request began, which saw no wish yet.
void Wake(const AdminCall& call, const std::string& name, Forwarder& forwarder) {
  call.context.wake ? call.context.wake(name) : forwarder.Wake();
}

Result<DeadLetter> Find(const AdminCall& call) {
  const auto id = ParseDeadLetterId(call.name);
  if (!id) return Fail(Code::kNotFound, "There is no dead letter of that id.");
  return call.parts.journal.dead_letters().Get(*id);
}

net::HttpResponse DoOne(const AdminCall& call, Verb verb) {
  const Result<DeadLetter> letter = Find(call);
  if (!letter) {
    return letter.error().code == Code::kNotFound ? NoSuchLetter() : AnswerOf(letter.error());
  }
  DeadLetters& letters = call.parts.journal.dead_letters();
  Forwarder* forwarder = TargetOf(call, letter->id.target);
  if (verb == Verb::kRetry && forwarder == nullptr) {
    return net::Problem(409, "conflict", "Its target is not configured any more.");
  }
  const Status done =
      verb == Verb::kRetry ? letters.WantRetry(letter->id) : letters.Drop(letter->id);
  if (!done) return done.error().code == Code::kNotFound ? NoSuchLetter() : AnswerOf(done.error());
  if (verb == Verb::kRetry) Wake(call, letter->id.target, *forwarder);
  if (verb == Verb::kDrop) {
    log::Info("A dead letter was dropped as an operator asked.", {{"id", ToText(letter->id)}});
  }
  return Show(*letter, false);
}

struct Bulk {
  uint64_t matched = 0;
  uint64_t done = 0;
};

Result<Bulk> DoAll(const AdminCall& call, const std::string& target, const std::string& reason,
                   Verb verb) {
  DeadLetters& letters = call.parts.journal.dead_letters();
  const SteadyTime deadline = call.context.clock->Steady() + kBulkTime;
  Bulk bulk;
  std::optional<DeadLetterId> after;
  for (uint64_t seen = 0; seen < kBulkMax && !call.stop.stop_requested();) {
    const Result<std::vector<DeadLetter>> page = letters.List(target, after, kPage);
    if (!page) return tl::unexpected(page.error());
    for (const DeadLetter& letter : *page) {
      if (!reason.empty() && letter.reason != reason) continue;
      ++bulk.matched;
      if (call.context.clock->Steady() >= deadline) continue;
      Status done;
      if (verb == Verb::kDrop) {
        done = letters.Drop(letter.id);
      } else if (!letter.retry_wanted) {
        done = letters.WantRetry(letter.id);
      }
      if (done) {
        ++bulk.done;
      } else if (done.error().code != Code::kNotFound) {
        return tl::unexpected(done.error());
      }
    }
    seen += page->size();
    if (page->size() < kPage) break;
    after = page->back().id;
  }
  return bulk;
}

net::HttpResponse DoMany(const AdminCall& call, Verb verb) {
  const auto body = ReadBody(call, {"target", "reason"});
  if (!body) return AnswerOf(body.error());
  const auto target = body->Text("target");
  if (!target) return AnswerOf(target.error());
  const auto reason = body->Text("reason");
  if (!reason) return AnswerOf(reason.error());
  if (!*target || (*target)->empty()) {
    return net::Problem(400, "invalid", "The member 'target' is missing.");
  }
  Forwarder* forwarder = TargetOf(call, **target);
  if (verb == Verb::kRetry && forwarder == nullptr) {
    return net::Problem(404, "not_found", "There is no target of that name.");
  }
  const Result<Bulk> bulk = DoAll(call, **target, reason->value_or(""), verb);
  if (forwarder != nullptr) Wake(call, **target, *forwarder);
  if (!bulk) return AnswerOf(bulk.error());
  if (forwarder == nullptr && bulk->matched == 0) {
    return net::Problem(404, "not_found", "There is no target of that name.");
  }
  log::Info(verb == Verb::kRetry ? "Dead letters will be retried as an operator asked."
                                 : "Dead letters were dropped as an operator asked.",
            {{"target", **target}, {"matched", bulk->matched}, {"done", bulk->done}});
  Note(call, "matched", bulk->matched);
  Note(call, "done", bulk->done);
  JsonWriter out;
  out.BeginObject().Field("matched", bulk->matched).Field("done", bulk->done).EndObject();
  return JsonAnswer(out.Take());
}

}  // namespace

net::HttpResponse ListDeadLetters(const AdminCall& call) {
  if (const Status known = call.params.Check({"target", "after", "limit"}); !known) {
    return AnswerOf(known.error());
  }
  const auto limit = call.params.Number("limit", 1, kLimitMax);
  if (!limit) return AnswerOf(limit.error());
  std::optional<DeadLetterId> after;
  if (call.params.Has("after")) {
    after = ParseDeadLetterId(call.params.Get("after"));
    if (!after) {
      return net::Problem(400, "invalid", "The parameter 'after' takes a dead letter's id.");
    }
  }
  const std::string target = call.params.Get("target");
  if (call.params.Has("target") && target.empty()) {
    return net::Problem(400, "invalid", "The parameter 'target' is empty.");
  }
  const DeadLetters& letters = call.parts.journal.dead_letters();
  JsonWriter out;
  out.BeginObject().Key("items").BeginArray();
  uint64_t left = limit->value_or(100);
  bool more = true;
  while (left > 0 && more) {
    const size_t want = std::min<uint64_t>(left, kPage);
    const Result<std::vector<DeadLetter>> page = letters.List(target, after, want);
    if (!page) return AnswerOf(page.error());
    for (const DeadLetter& letter : *page) WriteDeadLetter(out, letter, false);
    if (!page->empty()) after = page->back().id;
    left -= page->size();
    more = page->size() == want;
  }
  if (more) {
    const Result<std::vector<DeadLetter>> rest = letters.List(target, after, 1);
    if (!rest) return AnswerOf(rest.error());
    more = !rest->empty();
  }
  out.EndArray().TextOrNull("next", more && after ? ToText(*after) : "").EndObject();
  return JsonAnswer(out.Take());
}

net::HttpResponse GetDeadLetter(const AdminCall& call) {
  const Result<DeadLetter> letter = Find(call);
  if (letter) return Show(*letter, true);
  return letter.error().code == Code::kNotFound ? NoSuchLetter() : AnswerOf(letter.error());
}

net::HttpResponse RetryDeadLetter(const AdminCall& call) { return DoOne(call, Verb::kRetry); }
net::HttpResponse DropDeadLetter(const AdminCall& call) { return DoOne(call, Verb::kDrop); }
net::HttpResponse RetryDeadLetters(const AdminCall& call) { return DoMany(call, Verb::kRetry); }
net::HttpResponse DropDeadLetters(const AdminCall& call) { return DoMany(call, Verb::kDrop); }

}  // namespace spool
