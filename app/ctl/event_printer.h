// Events as they arrive, in the form that was asked for.
#pragma once

#include <span>
#include <string>

#include "app/ctl/printer.h"

namespace spool::ctl {

// The rows of a table of events; `by_event_time` shows the events' own time first.
Table EventTable(bool wide, bool by_event_time);
void AddEventRow(Table& table, const std::string& line, bool wide, bool by_event_time);
// What the event says, for a person: the producer's message, or what an audit record tells of.
std::string MessageOf(const Json& data);

// One thread. Bytes of json and jsonl are the server's; a terminal gets hostile ones escaped.
class EventPrinter {
 public:
  // `endless`: a json answer is one value after another instead of an array.
  EventPrinter(Printer& out, bool by_event_time, bool endless);
  void Add(std::span<const std::string> lines);  // CloudEvents objects
  void Finish();                                 // after the last Add

 private:
  Printer& out_;
  const bool by_event_time_;
  const bool endless_;
  Table table_;
  size_t printed_ = 0;
};

}  // namespace spool::ctl
