#include "bench/load.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "forward/envelope.h"

namespace spool::bench {

double Load::body_bytes() const {
  double bytes = 0;
  for (const std::string& body : bodies) bytes += static_cast<double>(body.size());
  return bytes / static_cast<double>(bodies.size());
}

Load MakeLoad(size_t count) {
  Load load;
  EventMaker maker(7);
  for (size_t i = 0; i < count; ++i) {
    load.made.push_back(maker.Next());
    load.subjects.push_back("Pod/" + load.made[i].namespace_ + "/" + load.made[i].name);
  }
  load.bodies.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const K8sEvent& event = load.made[i];
    EventView view;
    view.sequence = {i + 1};
    view.id = Sha256Prefix(event.uid);
    view.time = view.accepted = RealClock().Now();
    view.stream = "kubernetes-events";
    view.source = "/clusters/prod-eu";
    view.type = "io.k8s.event.v1";
    view.producer = "k8s-event";
    view.cluster = "prod-eu";
    view.namespace_ = event.namespace_;
    view.kind = "Pod";
    view.name = event.name;
    view.subject = load.subjects[i];
    view.reason = event.reason;
    view.content_type = "application/json";
    view.data = event.json;
    AppendCloudEvent(load.bodies[i], view);
    load.events.push_back(view);
  }
  for (size_t i = 0; i < count; ++i) load.messages.push_back({&load.events[i], load.bodies[i], {}});
  return load;
}

double DeliverAll(Sink& sink, const Load& load, size_t events_max, size_t bytes_max) {
  std::vector<Outcome> outcomes;
  const auto start = std::chrono::steady_clock::now();
  for (size_t at = 0, count = 0; at < load.messages.size(); at += count) {
    size_t bytes = 0;
    for (count = 0; at + count < load.messages.size() && count < events_max; ++count) {
      bytes += load.messages[at + count].body.size();
      if (bytes > bytes_max && count > 0) break;
    }
    outcomes.assign(count, {});
    sink.Deliver(std::span(load.messages).subspan(at, count), outcomes,
                 RealClock().Steady() + std::chrono::seconds(30), {});
    for (const Outcome& outcome : outcomes) {
      if (outcome.verdict == Verdict::kDelivered) continue;
      std::fprintf(stderr, "not delivered: %s %s\n", outcome.code.c_str(), outcome.excerpt.c_str());
      std::exit(1);
    }
  }
  return Since(start);
}

double Since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double Quantile(std::vector<double> of, double part) {
  std::ranges::sort(of);
  const auto at = static_cast<size_t>(part * static_cast<double>(of.size()));
  return of[std::min(at, of.size() - 1)];
}

}  // namespace spool::bench
