#include "app/ctl/event_pages.h"

#include <cstdlib>

#include "app/ctl/text.h"

namespace spool::ctl {
namespace {

std::string PathOf(const EventQuery& query, const PageSpan& span, uint64_t limit) {
  std::string path = "/api/v1/events?order=" + std::string(span.newest ? "newest" : "oldest") +
                     "&limit=" + std::to_string(limit);
  const auto add = [&](const std::string& key, const std::string& value) {
    if (!value.empty()) path += "&" + key + "=" + PercentEncode(value);
  };
  for (const auto& [key, value] : query.fields) add(key, value);
  for (const std::string& rule : query.match) add("match", rule);
  if (span.times) {
    add("since", query.since);
    add("from", query.from);
    add("to", query.to);
    if (query.by_event_time) add("by", "event-time");
  }
  if (span.from) add("from_sequence", std::to_string(*span.from));
  if (span.to) add("to_sequence", std::to_string(*span.to));
  if (span.wait > 0) add("wait", std::to_string(span.wait));
  return path;
}

Outcome<EventPage> Read(const std::string& text) {
  EventPage page;
  bool ended = false;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.empty()) continue;
    if (line.starts_with("{\"scan\":")) {
      const Result<Json> last = Json::Parse(line);
      if (!last) break;
      const Json scan = (*last)["scan"];
      page.complete = scan["complete"].Flag();
      page.next = scan["next"].Number();
      page.scanned = scan["scanned"].Number();
      ended = true;
      break;
    }
    page.lines.push_back(std::move(line));
  }
  if (!ended) return End(kFailed, "the answer ended before its last line", "try again");
  return page;
}

}  // namespace

Outcome<EventPage> FetchPage(Client& client, const EventQuery& query, const PageSpan& span,
                             uint64_t* limit) {
  for (;;) {
    Outcome<std::string> text =
        client.GetText(PathOf(query, span, *limit), std::chrono::seconds(span.wait));
    if (text) return Read(*text);
    if (!text.error().too_large || *limit == 1) return tl::unexpected<Failure>(text.error());
    *limit = std::max<uint64_t>(1, *limit / 4);
  }
}

Outcome<uint64_t> FetchEnd(Client& client) {
  const Outcome<Json> status = client.Get("/api/v1/status");
  if (!status) return tl::unexpected<Failure>(status.error());
  return (*status)["sequence"]["end"].Number();
}

Outcome<std::vector<std::string>> FetchNews(Client& client, const EventQuery& query, uint64_t* from,
                                            uint64_t* limit) {
  const PageSpan span{.newest = false, .from = *from, .times = false, .wait = kFollowWait};
  Outcome<EventPage> page = FetchPage(client, query, span, limit);
  if (!page) return tl::unexpected<Failure>(page.error());
  const bool full = page->lines.size() >= *limit;
  const uint64_t next = full ? SequenceOf(page->lines.back()) + 1 : page->next;
  *from = std::max(*from, next);
  return std::move(page->lines);
}

uint64_t SequenceOf(const std::string& line) {
  const Result<Json> event = Json::Parse(line);
  if (!event) return 0;
  const std::string text = (*event)["sequence"].Text();  // CloudEvents has it as a string
  return std::strtoull(text.c_str(), nullptr, 10);
}

}  // namespace spool::ctl
