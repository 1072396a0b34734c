// What the guest said over its line, as the checker's history.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/support/checker.h"
#include "tests/support/power_events.h"

namespace spool::testing {

// One thread.
//
// Lines, of which FIRST and COUNT name a request's events:
//   b FIRST COUNT                                 it is being sent
//   a FIRST COUNT STORED DUPLICATES FIRST LAST    it was acknowledged
//   r FIRST COUNT STATUS                          it was refused
//   d NUMBER:SEQUENCE…                            the target `hook` was given these
class PowerHistory {
 public:
  void Hear(const std::string& line);
  // A line of the target `file`.
  void HearFile(uint64_t number, uint64_t sequence);

  // A life of the machine begins: numbers of its own, and what was in doubt in the life before, to
  // be sent again.
  void BeginLife();
  uint64_t life() const { return began_.size() - 1; }
  uint64_t next_number() const { return life() * kNumbersALife + 1; }
  std::vector<PowerBatch> TakeInDoubt();

  // An event that was found, of a request that the cut kept from being told.
  void Complete(uint64_t number, const PowerBatch& batch);
  // What breaks the rules in `found`, all of it; if nothing does, the history goes on from there.
  std::vector<Violation> JudgeAndSettle(const Found& found);

  static FoundEvent FoundOf(uint64_t number, const PowerBatch& batch, uint64_t data_hash);
  // Of data as the journal gives it back.
  static uint64_t HashOf(const nlohmann::json& data);

  uint64_t sent() const { return sent_; }  // events
  uint64_t acknowledged() const { return acknowledged_; }
  uint64_t delivered() const { return delivered_; }
  uint64_t in_doubt() const { return in_doubt_; }  // requests without an answer, ever
  uint64_t refused() const { return refused_; }
  // The first line that could not be understood.
  const std::string& unreadable() const { return unreadable_; }

 private:
  static constexpr uint64_t kNumbersALife = 1'000'000;

  void Send(const PowerBatch& batch, uint64_t begun);
  void Settle(const Found& found);
  // What retention took, and what never was, would only make the next judgement slower.
  void Forget(const Found& found);

  // By number, of what was sent. Deliveries are told without their bytes: that of the file is
  // compared with the journal's where a life ends in order.
  std::map<uint64_t, uint64_t> hashes_;
  History history_;
  std::map<uint64_t, size_t> requests_;  // by first number, the latest of that
  std::map<uint64_t, uint64_t> open_;    // of this life, without an answer: first number, count
  std::map<uint64_t, uint64_t> doubt_;   // of the life before
  uint64_t tick_ = 0;
  std::vector<uint64_t> began_{0};  // the tick at which each life did
  uint64_t sent_ = 0;
  uint64_t acknowledged_ = 0;
  uint64_t delivered_ = 0;
  uint64_t in_doubt_ = 0;
  uint64_t refused_ = 0;
  std::string unreadable_;
};

}  // namespace spool::testing
