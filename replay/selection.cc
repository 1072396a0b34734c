#include "replay/selection.h"

#include <algorithm>
#include <memory>

#include "spool/reader.h"

namespace spool {
namespace {

// A job record must have room for them.
constexpr size_t kMatchTextMax = 16 << 10;

}  // namespace

Result<SequenceRange> ResolveRange(const Journal& journal, const ReplayRequest& request) {
  if (!request.from && !request.first) {
    return Fail(Code::kInvalid, "a replay needs a time or a sequence to begin at");
  }
  if (request.from && request.to && *request.from >= *request.to) {
    return Fail(Code::kInvalid, "the range is empty: it ends before it begins");
  }
  if (request.first && request.end && *request.first >= *request.end) {
    return Fail(Code::kInvalid, "the range is empty: sequence " + ToText(*request.end) +
                                    " does not lie after " + ToText(*request.first));
  }
  // What retention took before the job began is no part of it.
  SequenceRange range = journal.stored();
  range.first = std::max(range.first, Sequence{1});
  if (request.first) range.first = std::max(range.first, *request.first);
  if (request.end) range.end = std::min(range.end, *request.end);
  if (request.from) {
    const auto found = journal.Find(*request.from);
    if (!found) return Fail("cannot find where the replay begins", found.error());
    range.first = std::max(range.first, *found);
  }
  if (request.to) {
    const auto found = journal.Find(*request.to);
    if (!found) return Fail("cannot find where the replay ends", found.error());
    range.end = std::min(range.end, *found);
  }
  range.end = std::max(range.end, Sequence{1});
  range.first = std::min(range.first, range.end);
  return range;
}

Result<Matcher> CompileMatch(const ReplayRequest& request) {
  size_t bytes = 0;
  for (const std::string& argument : request.match) bytes += argument.size() + 8;
  if (bytes > kMatchTextMax) {
    return Fail(Code::kInvalid,
                "the match is longer than " + std::to_string(kMatchTextMax) + " bytes");
  }
  auto match = Matcher::FromArguments(request.match);
  if (!match) return Fail("match", match.error());
  return match;
}

StreamSet SpecialOf(const Journal& journal, const StreamSet& streams) {
  const StreamSet ordinary = journal.AllStreams();
  StreamSet special;
  for (size_t i = 0; i < kStreamsMax; ++i) {
    const StreamId id{static_cast<uint8_t>(i)};
    if (streams.Contains(id) && !ordinary.Contains(id)) special.Add(id);
  }
  return special;
}

Result<ReplayPlan> CountSelected(const Journal& journal, const Router& router, const Matcher& match,
                                 const SequenceRange& range, const std::stop_token& stop) {
  ReplayPlan plan;
  plan.range = range;
  const StreamSet streams = router.Reach(journal);
  if (streams.empty()) return plan;
  const StreamSet special = SpecialOf(journal, streams);
  const std::unique_ptr<Reader> reader = journal.NewReader(streams);
  for (Sequence at = range.first; at < range.end;) {
    if (stop.stop_requested()) return Fail(Code::kCancelled, "the replays are being stopped");
    const auto page = reader->Read(at, ReadLimits());
    if (!page) return Fail("cannot count the events of the range", page.error());
    for (const EventView& event : page->events) {
      if (event.sequence >= range.end) break;
      if (!router.Wants(event, special.Contains(event.stream_id)) || !match.Matches(event)) {
        continue;
      }
      ++plan.total;
      plan.bytes += event.data.size();
      if (!plan.oldest || event.accepted < *plan.oldest) plan.oldest = event.accepted;
      if (!plan.newest || event.accepted > *plan.newest) plan.newest = event.accepted;
    }
    if (page->next <= at) {
      return Fail(Code::kDamaged, "reading does not get past sequence " + ToText(at));
    }
    at = page->next;
  }
  return plan;
}

}  // namespace spool
