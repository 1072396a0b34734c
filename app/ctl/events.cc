#include <deque>

#include "app/ctl/commands.h"
#include "app/ctl/event_pages.h"
#include "app/ctl/event_printer.h"
#include "app/ctl/events_follow.h"
#include "app/ctl/replica_merge.h"
#include "app/ctl/replicas.h"
#include "app/ctl/text.h"

namespace spool::ctl {
namespace {

constexpr uint64_t kNewestByDefault = 100;
constexpr char kSinceByDefault[] = "1h";
constexpr Millis kRetry{1000};
constexpr Millis kLookUp{20000};  // on top of the timeout: an id is searched for

// Where a scan stopped without having seen everything.
struct Stop {
  uint64_t scanned = 0;
  uint64_t at = 0;
};

std::string GoOn(const EventQuery& query, const PageSpan& span, const Stop& stop, uint64_t found) {
  std::string text = "spoolctl events ls";
  const auto add = [&](const std::string& flag, const std::string& value) {
    if (!value.empty()) text += " --" + flag + " " + ShellQuote(value);
  };
  for (const auto& [key, value] : query.fields) add(key, value);
  for (const std::string& rule : query.match) add("match", rule);
  add("since", query.since);
  add("from", query.from);
  add("to", query.to);
  if (query.by_event_time) add("by", "event-time");
  if (span.newest) {
    add("limit", std::to_string(query.limit.value_or(kNewestByDefault) - found));
    if (query.from_sequence) add("from-sequence", std::to_string(*query.from_sequence));
    add("to-sequence", std::to_string(stop.at));
  } else {
    add("from-sequence", std::to_string(stop.at));
    if (query.to_sequence) add("to-sequence", std::to_string(*query.to_sequence));
  }
  return text;
}

void SayIncomplete(Session& session, const EventQuery& query, const PageSpan& span,
                   const Stop& stop, uint64_t found) {
  session.out.Note("incomplete: looked through " + Count(stop.scanned, "event") + ", " +
                   (span.newest ? "back to" : "up to") + " sequence " + std::to_string(stop.at));
  session.out.Note("  to go on: " + GoOn(query, span, stop, found));
  session.out.Note("  to look further at once: --scan N, or --scan all");
}

// The newest `limit`, printed oldest first: pages are kept until the last is there.
int Newest(Session& session, const EventQuery& query, EventPrinter& printer, uint64_t limit,
           std::optional<uint64_t> end) {
  PageSpan span{.newest = true, .from = query.from_sequence, .to = end};
  std::deque<std::vector<std::string>> pages;
  uint64_t found = 0;
  uint64_t idle = 0;  // looked at without a match
  uint64_t scanned = 0;
  uint64_t page_limit = kPageEvents;
  std::optional<Stop> stop;
  while (found < limit) {
    uint64_t want = std::min(page_limit, limit - found);
    const uint64_t asked = want;
    Outcome<EventPage> page = FetchPage(session.client, query, span, &want);
    if (!page) return session.End(page.error());
    if (want < asked) page_limit = want;
    const uint64_t got = page->lines.size();
    found += got;
    scanned += page->scanned;
    idle += page->scanned > got ? page->scanned - got : 0;
    const uint64_t next = got >= want ? SequenceOf(page->lines.front()) : page->next;
    const bool full = got >= want;
    pages.push_front(std::move(page->lines));
    if (!full && page->complete) break;
    if (span.to && next >= *span.to) break;  // the server came no further
    span.to = next;
    if (!full && idle >= query.scan_max) {
      stop = Stop{scanned, next};
      break;
    }
  }
  for (const auto& lines : pages) printer.Add(lines);
  if (!stop) return kDone;
  SayIncomplete(session, query, span, *stop, found);
  return kPartly;
}

// Everything of the range, oldest first, as it comes.
int Oldest(Session& session, const EventQuery& query, EventPrinter& printer,
           std::optional<uint64_t> end) {
  PageSpan span{.newest = false, .from = query.from_sequence, .to = end};
  uint64_t idle = 0;
  uint64_t scanned = 0;
  uint64_t limit = kPageEvents;
  for (;;) {
    Outcome<EventPage> page = FetchPage(session.client, query, span, &limit);
    if (!page) return session.End(page.error());
    const uint64_t got = page->lines.size();
    scanned += page->scanned;
    idle += page->scanned > got ? page->scanned - got : 0;
    const bool full = got >= limit;
    const uint64_t next = full ? SequenceOf(page->lines.back()) + 1 : page->next;
    printer.Add(page->lines);
    if (!full && page->complete) return kDone;
    if (span.from && next <= *span.from) return kDone;  // the server came no further
    span.from = next;
    if (!full && idle >= query.scan_max) {
      SayIncomplete(session, query, span, {scanned, next}, 0);
      return kPartly;
    }
  }
}

int Follow(Session& session, const EventQuery& query, EventPrinter& printer, uint64_t from) {
  uint64_t limit = kPageEvents;
  Outage outage;
  while (!session.interrupt.raised()) {
    // Answered at once: that it is back is not to be told only with its next event.
    if (outage.on() && FetchEnd(session.client)) {
      session.out.Note("connected again");
      outage.Over();
    }
    const auto news = FetchNews(session.client, query, &from, &limit);
    if (news) {
      if (outage.on()) session.out.Note("connected again");
      outage.Over();
      printer.Add(*news);
      continue;
    }
    if (session.interrupt.raised()) break;
    if (news.error().exit != kUnreachable) return session.End(news.error());
    const SteadyTime now = RealClock().Steady();
    if (outage.Notice(now)) session.out.Note("the connection is lost, trying again");
    if (outage.TooLong(now)) return session.End(news.error());
    session.interrupt.Wait(kRetry);
  }
  return kInterrupted;
}

}  // namespace

int EventsLs(Session& session, const EventQuery& wish) {
  EventQuery query = wish;
  const bool lower = !query.since.empty() || !query.from.empty() || query.from_sequence;
  const bool any = lower || !query.to.empty() || query.to_sequence || query.limit;
  if (!any) query.since = kSinceByDefault;
  ReplicaMerge* const merge = session.out.merge();
  if (merge != nullptr && !(lower && !query.limit)) {
    merge->LimitEvents(query.limit.value_or(kNewestByDefault));
  }
  std::optional<uint64_t> end = query.to_sequence;
  uint64_t follow_from = 0;
  if (query.follow) {  // what is stored later is for the second part
    const Outcome<uint64_t> there = FetchEnd(session.client);
    if (!there) return session.End(there.error());
    end = follow_from = *there;
  }
  std::optional<Interrupt::Gentle> gentle;
  if (query.follow) gentle.emplace(session.interrupt);
  EventPrinter printer(session.out, query.by_event_time, query.follow);
  const bool all = lower && !query.limit;
  const int listed =
      all ? Oldest(session, query, printer, end)
          : Newest(session, query, printer, query.limit.value_or(kNewestByDefault), end);
  if (listed == kDone || listed == kPartly) printer.Finish();
  if (!query.follow || (listed != kDone && listed != kPartly)) return listed;
  return Follow(session, query, printer, follow_from);
}

int EventsLsOfReplicas(Session& session, const EventQuery& query) {
  if (session.replicas->size() == 1) return EventsLs(session, query);
  if (!query.follow) {
    return RunOnEach(session, [&](Session& one) { return EventsLs(one, query); });
  }
  return FollowReplicas(session, query);
}

int EventsGet(Session& session, const std::string& name, const EventQuery& query) {
  const std::string id = Bare(name, "event");
  const bool sequence = id.find_first_not_of("0123456789") == id.npos && id.size() < 20;
  const bool hex = id.find_first_not_of("0123456789abcdefABCDEF") == id.npos && id.size() == 32;
  if (id.empty() || (!sequence && !hex)) {
    return session.End({kUsage, "'" + Visible(id) + "' names no event",
                        "an event is named by its sequence or by the 32 hex digits of its id"});
  }
  std::string path = "/api/v1/events/" + PercentEncode(id);
  std::string params;
  if (!query.since.empty()) params += "&since=" + PercentEncode(query.since);
  if (query.to_sequence) params += "&to_sequence=" + std::to_string(*query.to_sequence);
  if (!params.empty()) path += "?" + params.substr(1);
  Outcome<std::string> event = session.client.GetText(path, kLookUp);
  if (!event) {
    Failure failure = event.error();
    if (failure.code == "scan_incomplete") {  // it says from where to go on
      return session.End({kPartly, failure.message, "go on with --to-sequence"});
    }
    if (failure.exit == kNotFound) {
      failure.message = "there is no event '" + Visible(id) + "'";
      failure.next = "it was never stored, or retention has taken it";
      if (!sequence) {
        failure.message += query.since.empty() ? " in the last 24 hours" : " since " + query.since;
        failure.next = "look further back with --since, e.g. --since 7d";
      }
    }
    return session.End(failure);
  }
  while (event->ends_with('\n')) event->pop_back();
  if (!session.out.format_given() || session.out.format() == Format::kJson) {
    session.out.Pretty(*event);
    return kDone;
  }
  if (session.out.format() == Format::kYaml) {
    const Result<Json> json = Json::Parse(*event);
    if (json && session.out.merge() != nullptr) {
      session.out.One(*json, {"event", "events", "id", nullptr}, nullptr);
      return kDone;
    }
    session.out.Raw(json ? json->Yaml() : session.out.Safe(*event) + "\n");
    return kDone;
  }
  EventPrinter printer(session.out, false, false);
  printer.Add(std::span(&*event, 1));
  return kDone;
}

}  // namespace spool::ctl
