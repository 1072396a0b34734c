#include "tests/support/episode_judge.h"

#include <algorithm>
#include <unordered_map>

namespace spool::testing {
namespace {

std::string Text(uint64_t value) { return std::to_string(value); }

class Judgement {
 public:
  Judgement(const EpisodeHistory& history, size_t limit, std::chrono::milliseconds grace)
      : history_(history), limit_(limit), grace_(grace) {
    for (size_t i = 0; i < history.journal.size(); ++i) {
      const auto [number, sequence] = history.journal[i];
      if (!place_.emplace(number, i + 1).second) Say("twice", Text(number) + " in the journal");
      uint64_t expected = i > 0 ? history.journal[i - 1].second + 1 : sequence;
      while (history.recorded.contains(expected)) ++expected;
      if (sequence != expected) {
        Say("misplaced", "a hole in the journal before sequence " + Text(sequence));
      }
    }
  }

  std::vector<EpisodeViolation> Run() {
    for (const uint64_t number : history_.acknowledged) {
      if (!place_.contains(number)) Say("unstored", Text(number) + " was acknowledged");
    }
    for (const auto& [name, target] : history_.targets) {
      Arrivals(name, target);
      DeadLetters(name, target);
      Accounts(name, target);
    }
    for (const EpisodeFault& fault : history_.faults) {
      const std::string what = "episode " + std::to_string(fault.number) + ", " + fault.what;
      if (fault.must_hold && !fault.held) Say("not_held", what);
      if (!fault.drained) Say("stuck", what);
      if (!fault.others_went_on) Say("slowed", what);
    }
    return std::move(found_);
  }

 private:
  void Say(const std::string& rule, const std::string& detail) {
    if (++said_[rule] <= limit_) found_.push_back({rule, detail});
  }

  static bool Calm(const EpisodeTarget& target, EpisodeTime from, EpisodeTime to,
                   std::chrono::milliseconds grace) {
    return std::ranges::none_of(target.disturbances, [&](const EpisodeSpan& span) {
      return span.begin <= to + grace && span.end >= from - grace;
    });
  }

  void Arrivals(const std::string& name, const EpisodeTarget& target) {
    std::unordered_map<uint64_t, EpisodeArrival> last_of;
    std::map<int, uint64_t> last_in_lane;
    uint64_t repeats = 0;
    for (const EpisodeArrival& arrival : target.arrivals) {
      const std::string who = name + ": " + Text(arrival.number);
      const auto place = place_.find(arrival.number);
      if (arrival.number >= history_.sent.size() || place == place_.end()) {
        Say("unknown", who + " was never sent, or is not in the journal");
        continue;
      }
      if (arrival.hash != history_.sent[arrival.number]) Say("altered", who);
      if (arrival.sequence != history_.journal[place->second - 1].second) {
        Say("misplaced", who + " says sequence " + Text(arrival.sequence));
      }
      const auto [before, first] = last_of.emplace(arrival.number, arrival);
      if (first) {
        uint64_t& newest = last_in_lane[arrival.lane];
        if (place->second <= newest) {
          Say("order",
              who + " came first after place " + Text(newest) + ", it has " + Text(place->second));
        }
        newest = std::max(newest, place->second);
        continue;
      }
      ++repeats;
      if (target.dedupes && before->second.epoch == arrival.epoch) Say("twice", who);
      if (before->second.at != EpisodeTime{} && arrival.at != EpisodeTime{} &&
          Calm(target, before->second.at, arrival.at, grace_)) {
        Say("calm_repeat", who);
      }
      before->second = arrival;
    }
    if (repeats > target.repeats_max) {
      Say("repeats", name + ": " + Text(repeats) + ", at most " + Text(target.repeats_max) +
                         " can be accounted for");
    }
    for (const auto& [number, sequence] : history_.journal) {
      if (!last_of.contains(number) && !target.dead.contains(number)) {
        Say("lost", name + ": " + Text(number) + ", sequence " + Text(sequence));
      }
    }
  }

  void DeadLetters(const std::string& name, const EpisodeTarget& target) {
    for (const auto& [number, code] : target.dead) {
      const auto refused = target.refused.find(number);
      if (refused == target.refused.end() || refused->second != code) {
        Say("dead_letter", name + ": " + Text(number) + " with code " + std::to_string(code) +
                               ", which the target did not refuse so");
      }
    }
  }

  void Accounts(const std::string& name, const EpisodeTarget& target) {
    EpisodeAccount before;
    for (const EpisodeAccount& a : target.accounts) {
      const uint64_t sum =
          a.delivered + a.filtered + a.dead_lettered + a.evicted + a.skipped + a.pending;
      if (a.accepted != sum) {
        Say("account", name + ": " + Text(a.accepted) + " accepted and " + Text(sum) +
                           " accounted for at cursor " + Text(a.cursor));
      }
      if (a.cursor < before.cursor || a.delivered < before.delivered ||
          a.accepted < before.accepted || a.dead_lettered < before.dead_lettered) {
        Say("cursor_back", name + ": from " + Text(before.cursor) + " to " + Text(a.cursor));
      }
      if (a.arrived != UINT64_MAX && a.delivered > a.arrived) {
        Say("early", name + ": " + Text(a.delivered) + " counted as delivered, " + Text(a.arrived) +
                         " had arrived");
      }
      before = a;
    }
    const uint64_t stored = history_.journal.size();
    if (before.accepted != stored || before.dead_lettered != target.dead.size() ||
        before.delivered != stored - target.dead.size() || before.pending != 0 ||
        before.filtered + before.evicted + before.skipped != 0) {
      Say("counted", name + ": " + Text(before.delivered) + " delivered, " +
                         Text(before.dead_lettered) + " dead letters, " + Text(before.pending) +
                         " pending; found " + Text(stored) + " stored and " +
                         Text(target.dead.size()) + " dead letters");
    }
  }

  const EpisodeHistory& history_;
  const size_t limit_;
  const std::chrono::milliseconds grace_;
  std::unordered_map<uint64_t, uint64_t> place_;  // from 1
  std::map<std::string, size_t> said_;
  std::vector<EpisodeViolation> found_;
};

}  // namespace

std::vector<EpisodeViolation> JudgeEpisodes(const EpisodeHistory& history, size_t limit,
                                            std::chrono::milliseconds grace) {
  return Judgement(history, limit, grace).Run();
}

std::string ToText(const std::vector<EpisodeViolation>& violations) {
  std::string text;
  for (const EpisodeViolation& one : violations) text += one.rule + ": " + one.detail + "\n";
  return text;
}

}  // namespace spool::testing
