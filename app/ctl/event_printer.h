// Events as they arrive, in the form that was asked for.
#pragma once

#include <span>
#include <string>

#include "app/ctl/printer.h"
#include "app/ctl/replica_merge.h"

namespace spool::ctl {

// What the event says, for a person: the producer's message, or what an audit record tells of.
std::string MessageOf(const Json& data);

// One thread. Bytes of json and jsonl are the server's; a terminal gets hostile ones escaped.
class EventPrinter {
 public:
  // `endless`: a json answer is one value after another instead of an array.
  // `by_event_time` shows the events' own time first; `replicas`, whose they are.
  EventPrinter(Printer& out, bool by_event_time, bool endless, bool replicas = false);
  void Add(std::span<const std::string> lines);  // CloudEvents objects
  // REQUIRES: made with `replicas`.
  void Add(std::span<const ReplicaEvent> events);
  void Finish();  // after the last Add

 private:
  void Print(const std::string& line, const std::string& replica);
  void Show();
  void AddRow(const std::string& line, const std::string& replica);

  Printer& out_;
  const bool by_event_time_;
  const bool endless_;
  const bool replicas_;
  Table table_;
  size_t printed_ = 0;
};

}  // namespace spool::ctl
