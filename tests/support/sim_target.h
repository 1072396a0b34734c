// A target that misbehaves in every way the sink's contract allows, and remembers what it was sent.
#pragma once

#include <functional>
#include <map>
#include <random>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "forward/sink.h"
#include "spool/sequence.h"

namespace spool {

// What must become of an event in the end, unless retention, an operator or its age comes first.
enum class Nature {
  kGood,      // delivered
  kFiltered,  // no route wants it
  kPoison,    // rejected by name
  kTogether,  // any request that has it is refused without saying why
  kHuge,      // too large even alone
};

struct Weather {
  int fault_percent = 0;         // of attempts that go wrong
  size_t request_max = 1 << 20;  // larger attempts are refused as too large
  bool unordered = false;        // outcomes behind a failure may be successes
};

// One thread. Outside everything that is restarted. `violation` says what was sent that may not be.
class SimTarget final : public Sink {
 public:
  // What is true around it when something arrives.
  struct World {
    const Clock* clock = nullptr;
    std::function<Sequence()> cursor;               // what is before it was settled
    std::function<bool(uint64_t)> may_be_left_out;  // of the first attempts, which come in order
    std::function<bool(uint64_t)> is_expired;       // too old to be sent
    std::function<bool(uint64_t)> is_wanted;        // a dead letter that an operator wants sent
  };
  // By sequence. `natures` may change only of what is not under way.
  SimTarget(std::mt19937_64& random, const std::vector<Nature>& natures, World world)
      : random_(random), natures_(natures), world_(std::move(world)) {}

  Encoding encoding() const override { return Encoding::kCloudEvent; }
  void Deliver(std::span<const Message> messages, std::span<Outcome> outcomes, SteadyTime,
               std::stop_token stop) override;

  // A restart or a skip of ours forgets what was answered but not yet passed by the cursor.
  void Forget() { answered_.clear(); }
  // Nobody waits for what the target wished any more.
  void ForgetWishes() { not_before_ = redrive_not_before_ = {}; }
  // Whether an answer in this life of the pump settled it as delivered.
  bool SaidYes(uint64_t sequence) const {
    const auto found = answered_.find(sequence);
    return found != answered_.end() && found->second;
  }

  Weather weather;
  std::stop_source* cut = nullptr;  // stopped in the middle of the next attempt
  std::set<uint64_t> confirmed;     // the target said yes at least once
  size_t attempts = 0;
  size_t redrives = 0;
  std::string violation;

 private:
  int Roll(int sides) { return static_cast<int>(random_() % static_cast<uint64_t>(sides)); }
  Nature NatureOf(const Message& message) const {
    return natures_.at(message.event->sequence.value);
  }
  void CheckRequest(std::span<const Message> messages);
  void CheckBody(const Message& message);
  void Fault(std::span<const Message> messages, std::span<Outcome> outcomes, SteadyTime& wish);
  void TakePart(std::span<const Message> messages, std::span<Outcome> outcomes, const char* code);
  void Answer(std::span<const Message> messages, std::span<Outcome> outcomes);
  void Confirm(const Message& message, Outcome& outcome);

  std::mt19937_64& random_;
  const std::vector<Nature>& natures_;
  const World world_;
  SteadyTime not_before_{};          // the target's last wish
  SteadyTime redrive_not_before_{};  // one that it had when a dead letter was sent again
  uint64_t first_attempts_end_ = 0;  // the highest sequence ever handed over
  std::map<uint64_t, bool> answered_;
  std::unordered_map<uint64_t, std::string> bodies_;
};

}  // namespace spool
