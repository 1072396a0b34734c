// How a verdict is reached: the journal's rules are in checker.cc, the targets' in
// checker_targets.cc.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tests/support/checker.h"

namespace spool::testing {

class Judgement {
 public:
  Judgement(const History& history, const Found& found, size_t limit)
      : history_(history), found_(found), limit_(limit) {}

  std::vector<Violation> All();

 private:
  void Say(const char* rule, std::string detail) {
    if (violations_.size() < limit_) violations_.push_back({rule, std::move(detail)});
  }
  static std::string Of(uint64_t number) { return "event " + std::to_string(number); }

  void Index();
  // The journal.
  void CheckFound();
  void CheckRequests();
  void CheckPlace(const SentRequest& request, size_t index, const FoundEvent& event);
  void CheckOrder();
  void CheckStreams();
  // Whether retention may have taken what was at or behind `sequence`.
  bool MayBeEvicted(const SentEvent& event, uint64_t sequence) const;
  // The targets.
  void CheckCursors();
  void CheckCursor(const std::string& name, const FoundCursor& cursor);
  void CheckEvictions(const std::string& name, const FoundCursor& cursor);
  void CheckStates(const std::string& name, const FoundCursor& cursor,
                   const std::vector<CursorState>& states);
  bool RestartedBetween(uint64_t begin, uint64_t end) const;
  void CheckTarget(const std::string& target, const std::vector<Delivery>& deliveries);
  void CheckDelivery(const std::string& target, const Delivery& delivery);
  void CheckRepeats(const std::string& target, const std::vector<Delivery>& deliveries);
  void CheckGiven(const std::string& target, const FoundCursor& cursor,
                  const std::set<uint64_t>& given);

  const History& history_;
  const Found& found_;
  const size_t limit_;
  std::unordered_map<uint64_t, const SentEvent*> sent_;
  std::unordered_map<uint64_t, const FoundEvent*> at_;
  std::set<uint64_t> acknowledged_;
  std::vector<Violation> violations_;
};

}  // namespace spool::testing
