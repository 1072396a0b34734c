// Answers of several replicas, kept until they can be shown as one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/ctl/printer.h"

namespace spool::ctl {

// The object's text with the replica as its first member.
std::string WithReplica(const std::string& object, const std::string& replica);

struct ReplicaEvent {
  std::string replica;
  std::string line;  // a CloudEvents object
};
// By accept time or the events' own; those of one time stay in their order.
void SortByTime(std::vector<ReplicaEvent>& events, bool by_event_time);

// One thread. What is added belongs to the replica of the last Begin.
class ReplicaMerge {
 public:
  void Begin(const std::string& name) { name_ = name; }

  void AddList(std::span<const Json> items, const View& view);
  void AddOne(const Json& item, const View& view, const std::string& details);
  void AddDone(const Json& item, std::string_view type, std::string_view name,
               std::string_view what);
  // One CloudEvents object.
  void AddEvent(const std::string& line, bool by_event_time);
  // Of all replicas' events the newest so many are shown.
  void LimitEvents(uint64_t limit) { events_max_ = limit; }
  // The events that would be shown, by time; they are not any more.
  std::vector<ReplicaEvent> TakeEvents();
  void AddFailure(const Failure& failure) { failures_.push_back(failure); }
  std::vector<Failure> TakeFailures();

  // The object's text with the replica as its first member.
  std::string WithName(const std::string& object) const;
  // "spool-0: " before every line.
  std::string Prefixed(std::string_view text) const;
  // Prints everything. `out` must not merge any more.
  void Show(Printer& out);

 private:
  enum class Kind { kNothing, kList, kOne, kDone, kEvents };
  struct Item {
    std::string replica;
    Json json;            // as the replica said it
    std::string details;  // for a person
    std::string name;     // of what was done something to
  };
  Json Named(const Item& item) const;

  std::string name_;
  Kind kind_ = Kind::kNothing;
  View view_;
  std::vector<Item> items_;
  std::vector<ReplicaEvent> events_;
  std::vector<Failure> failures_;
  std::optional<uint64_t> events_max_;
  bool by_event_time_ = false;
};

}  // namespace spool::ctl
