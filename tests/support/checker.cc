#include "tests/support/checker.h"

#include <algorithm>

#include "tests/support/judgement.h"

namespace spool::testing {

using Outcome = SentRequest::Outcome;

std::vector<Violation> Judgement::All() {
  Index();
  CheckFound();
  CheckRequests();
  CheckOrder();
  CheckStreams();
  CheckCursors();
  for (const auto& [target, deliveries] : history_.deliveries) CheckTarget(target, deliveries);
  for (const std::string& text : found_.chain_breaks) Say("chain", text);
  return std::move(violations_);
}

void Judgement::Index() {
  for (const SentRequest& request : history_.requests) {
    for (const SentEvent& event : request.events) {
      sent_.emplace(event.number, &event);
      if (request.outcome == Outcome::kAcknowledged) acknowledged_.insert(event.number);
    }
  }
  for (const FoundEvent& event : found_.events) {
    if (event.number == FoundEvent::kUnknown) continue;
    if (!at_.emplace(event.number, &event).second) {
      Say("twice", Of(event.number) + " is stored at " +
                       std::to_string(at_[event.number]->sequence) + " and at " +
                       std::to_string(event.sequence));
    }
  }
}

// What is there must have been sent, as it was sent, and be dense.
void Judgement::CheckFound() {
  uint64_t before = 0;
  std::map<std::string, uint64_t> ordinals;
  for (const FoundEvent& event : found_.events) {
    const std::string what = Of(event.number) + " at sequence " + std::to_string(event.sequence);
    if (event.sequence <= before || event.sequence >= found_.end) {
      Say("hole", what + " follows " + std::to_string(before) + ", the end is " +
                      std::to_string(found_.end));
    }
    before = event.sequence;
    const auto stream = found_.streams.find(event.stream);
    if (stream == found_.streams.end()) {
      Say("unknown", what + " is in a stream '" + event.stream + "' that there is not");
      continue;
    }
    const auto ordinal = ordinals.emplace(event.stream, stream->second.evicted).first;
    if (event.ordinal != ordinal->second) {
      Say("hole", what + " has ordinal " + std::to_string(event.ordinal) + " in " + event.stream +
                      ", not " + std::to_string(ordinal->second));
    }
    ordinal->second = event.ordinal + 1;
    const auto sent = sent_.find(event.number);
    if (sent == sent_.end()) {
      Say("unknown", what + " was never sent");
      continue;
    }
    if (sent->second->hash != event.hash || sent->second->stream != event.stream) {
      Say("altered", what + " is not what was sent");
    }
    if (history_.gone.contains(event.number)) Say("risen", what + " was gone before");
    const auto place = history_.places.find(event.number);
    if (place != history_.places.end() && place->second != event.sequence) {
      Say("moved", what + " was at " + std::to_string(place->second));
    }
  }
}

bool Judgement::MayBeEvicted(const SentEvent& event, uint64_t sequence) const {
  const auto stream = found_.streams.find(event.stream);
  return stream != found_.streams.end() && stream->second.may_evict &&
         sequence < stream->second.first;
}

void Judgement::CheckRequests() {
  std::set<uint64_t> taken;  // in a request that was not refused
  for (const SentRequest& request : history_.requests) {
    if (request.outcome == Outcome::kRefused) continue;
    for (const SentEvent& event : request.events) taken.insert(event.number);
  }
  for (const SentRequest& request : history_.requests) {
    for (const Outage& outage : history_.outages) {
      if (request.outcome == Outcome::kAcknowledged && request.begun > outage.begun &&
          (outage.ended == 0 || request.ended < outage.ended)) {
        Say("false_ack", "a request from " + Of(request.events.front().number) +
                             " was acknowledged after the disk had failed");
      }
    }
    if (request.outcome == Outcome::kRefused) {
      for (const SentEvent& event : request.events) {
        if (taken.contains(event.number) || !at_.contains(event.number)) continue;
        Say("refused", Of(event.number) + " was refused and is there");
      }
      continue;
    }
    size_t there = 0;
    size_t missing = 0;
    for (size_t i = 0; i < request.events.size(); ++i) {
      const SentEvent& event = request.events[i];
      const auto at = at_.find(event.number);
      const auto place = history_.places.find(event.number);
      uint64_t known = place != history_.places.end() ? place->second : request.first;
      if (at != at_.end()) {
        ++there;
        CheckPlace(request, i, *at->second);
        continue;
      }
      // A repeat of an evicted event was answered for one that had its place long before.
      if (place == history_.places.end() && request.duplicates > 0) known = 0;
      if (MayBeEvicted(event, known)) continue;
      ++missing;
      if (request.outcome == Outcome::kAcknowledged) {
        Say("lost", Of(event.number) + " of " + event.stream + " was acknowledged in " +
                        std::to_string(request.first) + ".." + std::to_string(request.last) +
                        " and is not there");
      }
    }
    if (there > 0 && missing > 0 && request.outcome != Outcome::kAcknowledged) {
      Say("split", "of a request of " + std::to_string(request.events.size()) + " events from " +
                       Of(request.events.front().number) + " only " + std::to_string(there) +
                       " are there");
    }
  }
}

void Judgement::CheckPlace(const SentRequest& request, size_t index, const FoundEvent& event) {
  if (request.outcome != Outcome::kAcknowledged || request.duplicates > 0) return;
  const bool one_stream =
      std::all_of(request.events.begin(), request.events.end(),
                  [&](const SentEvent& e) { return e.stream == request.events[0].stream; });
  const bool fits = one_stream ? event.sequence == request.first + index
                               : event.sequence >= request.first && event.sequence <= request.last;
  if (!fits) {
    Say("misplaced", Of(event.number) + " is at " + std::to_string(event.sequence) +
                         ", acknowledged in " + std::to_string(request.first) + ".." +
                         std::to_string(request.last));
  }
}

// What was acknowledged before another was sent has the lower sequences.
void Judgement::CheckOrder() {
  struct Moment {
    uint64_t time;
    bool end;
    const SentRequest* request;
  };
  std::vector<Moment> moments;
  for (const SentRequest& request : history_.requests) {
    if (request.duplicates > 0) continue;
    moments.push_back({request.begun, false, &request});
    if (request.outcome == Outcome::kAcknowledged && request.stored > 0) {
      moments.push_back({request.ended, true, &request});
    }
  }
  std::sort(moments.begin(), moments.end(),
            [](const Moment& a, const Moment& b) { return a.time < b.time; });
  uint64_t highest = 0;  // of all that had been acknowledged
  for (const Moment& moment : moments) {
    uint64_t low = UINT64_MAX;
    uint64_t high = 0;
    for (const SentEvent& event : moment.request->events) {
      const auto at = at_.find(event.number);
      if (at == at_.end()) continue;
      low = std::min(low, at->second->sequence);
      high = std::max(high, at->second->sequence);
    }
    if (moment.end) {
      highest = std::max(highest, high);
    } else if (low <= highest) {
      const bool repeated = std::any_of(
          moment.request->events.begin(), moment.request->events.end(), [&](const SentEvent& e) {
            return sent_.at(e.number) != &e;  // sent before, and found now where it was then
          });
      if (!repeated) {
        Say("order", "a request from " + Of(moment.request->events.front().number) + " is at " +
                         std::to_string(low) + ", behind " + std::to_string(highest) +
                         " acknowledged before it was sent");
      }
    }
  }
}

void Judgement::CheckStreams() {
  uint64_t all = 0;
  std::map<std::string, uint64_t> read;
  for (const FoundEvent& event : found_.events) ++read[event.stream];
  for (const auto& [name, stream] : found_.streams) {
    all += stream.events + stream.evicted;
    if (read[name] != (stream.own ? 0 : stream.events)) {
      Say("hole", name + " has " + std::to_string(stream.events) + " events and gave " +
                      std::to_string(read[name]));
    }
    if (stream.evicted != stream.marked) {
      Say("marker", name + " evicted " + std::to_string(stream.evicted) + " events, " +
                        std::to_string(stream.marked) + " of them with a marker");
    }
    if (stream.metered.value_or(stream.evicted) != stream.evicted) {
      Say("marker", name + " evicted " + std::to_string(stream.evicted) +
                        " events, and the metrics say " + std::to_string(*stream.metered));
    }
    if (stream.evicted > 0 && !stream.may_evict) {
      Say("eviction_forbidden", name + " evicted " + std::to_string(stream.evicted));
    }
    const auto said = history_.evicted.find(name);
    if (said != history_.evicted.end() && stream.evicted < said->second) {
      Say("eviction_undone", name + " had evicted " + std::to_string(said->second) +
                                 " and now only " + std::to_string(stream.evicted));
    }
  }
  if (all + 1 != found_.end) {
    Say("hole", "the end is " + std::to_string(found_.end) + " with " + std::to_string(all) +
                    " events stored or evicted");
  }
}

std::vector<Violation> Judge(const History& history, const Found& found, size_t limit) {
  return Judgement(history, found, limit).All();
}

std::string ToText(const std::vector<Violation>& violations) {
  std::string text;
  for (const Violation& violation : violations) {
    text += violation.rule + ": " + violation.detail + "\n";
  }
  return text;
}

}  // namespace spool::testing
