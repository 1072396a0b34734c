#include "app/event_search.h"

#include <algorithm>
#include <deque>

#include "app/json_writer.h"
#include "app/request_body.h"
#include "base/time_text.h"
#include "forward/envelope.h"
#include "spool/reader.h"

namespace spool {
namespace {

// Events of one window of a backward scan: more than that, and the window is made smaller.
constexpr uint64_t kWindowEventsMax = 16'384;
constexpr uint64_t kWindowFirst = 256;
constexpr ReadLimits kRead{.events_max = 1000, .bytes_max = 1 << 20};

constexpr std::string_view kFields[] = {"stream", "category", "source",   "namespace",
                                        "kind",   "reason",   "severity", "name"};

bool Wanted(const EventSearch& search, const EventView& event) {
  if (search.event_from && event.time < *search.event_from) return false;
  if (search.event_to && event.time >= *search.event_to) return false;
  return search.fields.Matches(event) && search.match.Matches(event);
}

// Special streams are reached by naming them, others unless the rules exclude them.
StreamSet StreamsOf(const Matcher& fields, const Matcher& match, const Journal& journal) {
  StreamSet out;
  for (const StreamStatus& stream : journal.Streams()) {
    bool named_by_field = false;
    bool named_by_match = false;
    if (!fields.CouldMatchStream(stream.name, &named_by_field)) continue;
    if (!match.CouldMatchStream(stream.name, &named_by_match)) continue;
    if (stream.special && !named_by_field && !named_by_match) continue;
    out.Add(stream.id);
  }
  return out;
}

Result<std::optional<Sequence>> SequenceParam(const QueryParams& params, std::string_view name) {
  if (!params.Has(name)) return std::optional<Sequence>();
  const std::optional<Sequence> sequence = ParseSequence(params.Get(name));
  if (!sequence) {
    return Fail(Code::kInvalid, "The parameter '" + std::string(name) + "' takes a sequence.");
  }
  return sequence;
}

// The times of the query: they narrow the range, or choose by the events' own time.
Status ApplyTimes(const QueryParams& params, const Journal& journal, SystemTime now,
                  EventSearch* search) {
  auto from = params.Time("from", now);
  auto since = params.Time("since", now);
  auto to = params.Time("to", now);
  if (!from) return tl::unexpected(from.error());
  if (!since) return tl::unexpected(since.error());
  if (!to) return tl::unexpected(to.error());
  if (*from && *since) {
    return Fail(Code::kInvalid, "Give either 'from' or 'since'; they mean the same.");
  }
  const std::optional<SystemTime> begin = *from ? *from : *since;
  if (begin && *to && *begin > **to) return Fail(Code::kInvalid, "'from' lies after 'to'.");
  const std::string by = params.Get("by");
  if (params.Has("by") && by != "event-time" && by != "accept-time") {
    return Fail(Code::kInvalid, "The parameter 'by' takes event-time or accept-time.");
  }
  if (by == "event-time") {
    search->event_from = begin;
    search->event_to = *to;
    return {};
  }
  search->accept_to = *to;
  if (begin) {
    const Result<Sequence> at = journal.Find(*begin);
    if (!at) return tl::unexpected(at.error());
    search->range.first = std::max(search->range.first, *at);
  }
  return {};
}

Status ApplyOrder(const QueryParams& params, EventSearch* search) {
  const Result<std::optional<uint64_t>> limit = params.Number("limit", 1, kEventsLimitMax);
  if (!limit) return tl::unexpected(limit.error());
  const Result<std::optional<uint64_t>> wait = params.Number("wait", 0, 30);
  if (!wait) return tl::unexpected(wait.error());
  const std::string order = params.Get("order");
  if (params.Has("order") && order != "newest" && order != "oldest") {
    return Fail(Code::kInvalid, "The parameter 'order' takes newest or oldest.");
  }
  search->limit = limit->value_or(100);
  search->wait = std::chrono::seconds(wait->value_or(0));
  search->newest = order != "oldest";
  if (search->wait.count() == 0) return {};
  if (!params.Has("from_sequence")) {
    return Fail(Code::kInvalid, "The parameter 'wait' needs 'from_sequence'.");
  }
  if (order == "newest") {
    return Fail(Code::kInvalid, "The parameter 'wait' goes with order=oldest.");
  }
  search->newest = false;
  return {};
}

// What both directions share: the bounds and what was found so far.
class Scan {
 public:
  Scan(const EventSearch& search, const Journal& journal, std::stop_token stop)
      : search_(search), reader_(journal.NewReader(search.streams)), stop_(stop) {
    report_.end = journal.end();
  }

  Result<ScanResult> Oldest();
  Result<ScanResult> Newest();

 private:
  struct Window {
    std::deque<std::string> lines;  // the newest `keep` matches
    std::deque<Sequence> sequences;
    uint64_t events = 0;
    bool whole = true;  // false: it holds too many events and was left
    bool cut = false;   // older matches were let go of to keep the bounds
  };
  Result<Window> ReadWindow(SequenceRange range, uint64_t keep);
  bool Take(Window window);
  uint64_t Left() const {
    return report_.scanned < kScanEventsMax ? kScanEventsMax - report_.scanned : 0;
  }

  const EventSearch& search_;
  const std::unique_ptr<Reader> reader_;
  const std::stop_token stop_;
  ScanReport report_;
  // Of a backward scan: what was found, and from where on all has been looked at.
  std::deque<std::string> lines_;
  size_t bytes_ = 0;
  Sequence low_;
};

Result<ScanResult> Scan::Oldest() {
  ScanResult result;
  const SequenceRange range = search_.range;
  Sequence at = range.first;
  report_.first = at;
  bool bounded = false;
  while (at < range.end && report_.matched < search_.limit && !bounded) {
    if (stop_.stop_requested()) return Fail(Code::kCancelled, "The service is stopping.");
    if (Left() == 0) {
      bounded = true;
      break;
    }
    ReadLimits limits = kRead;
    limits.events_max = std::min<uint64_t>(limits.events_max, Left());
    const Result<Page> page = reader_->Read(at, limits);
    if (!page) return tl::unexpected(page.error());
    if (page->events.empty() && page->next <= at) break;  // nothing more can be read
    at = page->next;
    for (const EventView& event : page->events) {
      if (event.sequence >= range.end) break;
      ++report_.scanned;
      if (!Wanted(search_, event)) continue;
      const size_t before = result.lines.size();
      AppendCloudEvent(result.lines, event);
      result.lines += '\n';
      if (before > 0 && result.lines.size() > kScanBytesMax) {
        result.lines.resize(before);
        at = event.sequence;
        bounded = true;
        break;
      }
      ++report_.matched;
      if (report_.matched == search_.limit) {
        at = event.sequence + 1;
        break;
      }
    }
  }
  report_.complete = !bounded;
  report_.next = std::max(range.first, std::min(at, range.end));
  result.report = report_;
  return result;
}

// Everything of one window is read forward, since that is how chunks are read.
Result<Scan::Window> Scan::ReadWindow(SequenceRange range, uint64_t keep) {
  Window window;
  Sequence at = range.first;
  size_t bytes = 0;
  while (at < range.end) {
    if (stop_.stop_requested()) return Fail(Code::kCancelled, "The service is stopping.");
    const Result<Page> page = reader_->Read(at, kRead);
    if (!page) return tl::unexpected(page.error());
    if (page->events.empty() && page->next <= at) break;
    at = page->next;
    for (const EventView& event : page->events) {
      if (event.sequence >= range.end) break;
      ++window.events;
      if (!Wanted(search_, event)) continue;
      std::string line;
      AppendCloudEvent(line, event);
      line += '\n';
      bytes += line.size();
      window.lines.push_back(std::move(line));
      window.sequences.push_back(event.sequence);
      while (window.lines.size() > 1 && (window.lines.size() > keep || bytes > kScanBytesMax)) {
        window.cut = true;
        bytes -= window.lines.front().size();
        window.lines.pop_front();
        window.sequences.pop_front();
      }
    }
    if (window.events > kWindowEventsMax && range.end - range.first > kWindowEventsMax) {
      window.whole = false;
      break;
    }
  }
  return window;
}

// Takes the newest of `window` over, as far as the answer's bound allows. True when all of it was
// taken and nothing had been pushed out of it before.
bool Scan::Take(Window window) {
  while (!window.lines.empty()) {
    const size_t length = window.lines.back().size();
    if (!lines_.empty() && bytes_ + length > kScanBytesMax) return false;
    bytes_ += length;
    lines_.push_front(std::move(window.lines.back()));
    low_ = window.sequences.back();
    window.lines.pop_back();
    window.sequences.pop_back();
  }
  return !window.cut;
}

// Walks back in windows that grow where the streams are thin and shrink where they are dense.
Result<ScanResult> Scan::Newest() {
  const SequenceRange range = search_.range;
  low_ = std::max(range.first, range.end);
  uint64_t size = std::max(kWindowFirst, search_.limit);
  bool bounded = false;
  while (low_ > range.first && lines_.size() < search_.limit && !bounded) {
    if (Left() < kWindowEventsMax + kRead.events_max) {
      bounded = true;
      break;
    }
    const SequenceRange here{{low_.value - std::min(size, low_ - range.first)}, low_};
    Result<Window> window = ReadWindow(here, search_.limit - lines_.size());
    if (!window) return tl::unexpected(window.error());
    const uint64_t events = window->events;
    report_.scanned += events;
    if (!window->whole) {
      size = std::max(kWindowEventsMax, size / 16);
      continue;
    }
    bounded = !Take(std::move(*window)) && lines_.size() < search_.limit;
    if (!bounded && lines_.size() < search_.limit) low_ = here.first;
    if (events < kWindowEventsMax / 4) size *= 4;
  }
  ScanResult result;
  report_.matched = lines_.size();
  report_.complete = !bounded;
  report_.first = low_;
  report_.next = low_;
  result.lines.reserve(bytes_);
  for (const std::string& line : lines_) result.lines += line;
  result.report = report_;
  return result;
}

tl::unexpected<Error> NoSuchEvent() {
  return Fail(Code::kNotFound, "There is no such event among those that were looked at.");
}

std::string Render(const EventView& event) {
  std::string out;
  AppendCloudEvent(out, event);
  return out;
}

}  // namespace

Result<EventSearch> ParseEventSearch(const QueryParams& params, const Journal& journal,
                                     SystemTime now) {
  const Status known = params.Check(
      {"stream", "category", "source", "namespace", "kind", "reason", "severity", "name", "from",
       "to", "since", "from_sequence", "to_sequence", "limit", "order", "wait", "by"},
      {"match"});
  if (!known) return tl::unexpected(known.error());
  EventSearch search;
  RuleText rule;
  for (const std::string_view field : kFields) {
    if (params.Has(field)) rule.emplace_back(field, params.Get(field));
  }
  if (!rule.empty()) {
    auto fields = Matcher::Compile({rule});
    if (!fields) return tl::unexpected(fields.error());
    search.fields = std::move(*fields);
  }
  auto match = Matcher::FromArguments(params.All("match"));
  if (!match) return tl::unexpected(match.error());
  search.match = std::move(*match);
  search.streams = StreamsOf(search.fields, search.match, journal);

  search.range = journal.stored();
  const auto from = SequenceParam(params, "from_sequence");
  if (!from) return tl::unexpected(from.error());
  const auto to = SequenceParam(params, "to_sequence");
  if (!to) return tl::unexpected(to.error());
  // What waits for events that do not exist yet must not be pulled back to the end of today.
  if (*from) search.range.first = std::max(search.range.first, **from);
  search.to_sequence = *to;
  if (const Status order = ApplyOrder(params, &search); !order) {
    return tl::unexpected(order.error());
  }
  if (const Status times = ApplyTimes(params, journal, now, &search); !times) {
    return tl::unexpected(times.error());
  }
  if (const Status end = ExtendRange(journal, &search); !end) return tl::unexpected(end.error());
  return search;
}

Status ExtendRange(const Journal& journal, EventSearch* search) {
  Sequence end = journal.end();
  if (search->to_sequence) end = std::min(end, *search->to_sequence);
  if (search->accept_to) {
    const Result<Sequence> at = journal.Find(*search->accept_to);
    if (!at) return tl::unexpected(at.error());
    end = std::min(end, *at);
  }
  search->range.end = end;
  return {};
}

Result<ScanResult> RunEventSearch(const EventSearch& search, const Journal& journal,
                                  std::stop_token stop) {
  Scan scan(search, journal, stop);
  return search.newest ? scan.Newest() : scan.Oldest();
}

std::string ScanLine(const ScanReport& report) {
  JsonWriter out;
  out.BeginObject()
      .Key("scan")
      .BeginObject()
      .Field("complete", report.complete)
      .Field("first", report.first)
      .Field("next", report.next)
      .Field("end", report.end)
      .Field("scanned", report.scanned)
      .Field("matched", report.matched)
      .EndObject()
      .EndObject();
  return out.Take() + "\n";
}

Status LookUpEvent(Sequence sequence, const Journal& journal,
                   const std::function<void(const EventView&)>& found) {
  if (sequence < journal.stored().first || sequence >= journal.end()) return NoSuchEvent();
  const std::unique_ptr<Reader> reader = journal.NewReader(journal.AllWithSpecial());
  const Result<Page> page = reader->Read(sequence, {.events_max = 1, .bytes_max = 1});
  if (!page) return tl::unexpected(page.error());
  if (page->events.empty() || page->events.front().sequence != sequence) return NoSuchEvent();
  found(page->events.front());
  return {};
}

Status LookUpEvent(const Hash128& id, SystemTime since, Sequence below, const Journal& journal,
                   std::stop_token stop, const std::function<void(const EventView&)>& found) {
  const Result<Sequence> from = journal.Find(since);
  if (!from) return tl::unexpected(from.error());
  const Sequence first = std::max(*from, journal.stored().first);
  Sequence low = below.value == 0 ? journal.end() : std::min(below, journal.end());
  const std::unique_ptr<Reader> reader = journal.NewReader(journal.AllWithSpecial());
  uint64_t scanned = 0;
  // Over all streams sequences are dense, so windows of sequences are windows of events.
  for (uint64_t size = kWindowFirst; low > first; size = std::min(size * 4, kWindowEventsMax)) {
    if (scanned >= kLookupEventsMax) {
      return Fail(Code::kBusy, "The event is not among the newest " + std::to_string(scanned) +
                                   " events; go on with to_sequence=" + ToText(low) + ".");
    }
    const Sequence high = low;
    low = Sequence{high.value - std::min(size, high - first)};
    bool seen = false;
    for (Sequence at = low; at < high;) {
      if (stop.stop_requested()) return Fail(Code::kCancelled, "The service is stopping.");
      const Result<Page> page = reader->Read(at, kRead);
      if (!page) return tl::unexpected(page.error());
      if (page->events.empty() && page->next <= at) break;
      at = page->next;
      for (const EventView& event : page->events) {
        if (event.sequence >= high) break;
        ++scanned;
        if (event.id != id) continue;
        found(event);
        seen = true;
      }
    }
    if (seen) return {};
  }
  return NoSuchEvent();
}

Result<std::string> LookUpEvent(Sequence sequence, const Journal& journal) {
  std::string text;
  const Status done =
      LookUpEvent(sequence, journal, [&](const EventView& event) { text = Render(event); });
  if (!done) return tl::unexpected(done.error());
  return text;
}

Result<std::string> LookUpEvent(const Hash128& id, SystemTime since, Sequence below,
                                const Journal& journal, std::stop_token stop) {
  std::string text;
  const Status done = LookUpEvent(id, since, below, journal, std::move(stop),
                                  [&](const EventView& event) { text = Render(event); });
  if (!done) return tl::unexpected(done.error());
  return text;
}

}  // namespace spool
