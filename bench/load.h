// Events as a pump hands them to a sink, and what every benchmark of a sink needs.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "bench/events.h"
#include "forward/sink.h"

namespace spool::bench {

// Rendered before any clock starts: that is the pump's work. Views point into the rest.
struct Load {
  std::vector<K8sEvent> made;
  std::vector<std::string> subjects;
  std::vector<EventView> events;
  std::vector<std::string> bodies;
  std::vector<Message> messages;

  double body_bytes() const;  // of one event, on average
};
Load MakeLoad(size_t count);

// All of the load through the sink, in attempts of at most so many events and bytes. Every event
// has to be delivered at the first attempt, or the program ends. Seconds.
double DeliverAll(Sink& sink, const Load& load, size_t events_max, size_t bytes_max);

double Since(std::chrono::steady_clock::time_point start);
// Of what is given, which is not empty; `part` from 0 to 1.
double Quantile(std::vector<double> of, double part);
inline double Median(std::vector<double> of) { return Quantile(std::move(of), 0.5); }

}  // namespace spool::bench
