// What a configuration would do with an event: its stream, the routes that take it, and the targets
// it goes to. No journal, no network.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "base/result.h"
#include "forward/route.h"
#include "spool/event.h"

namespace spool {

// Where an event goes, names in the order of the configuration.
struct TrialPlaces {
  std::vector<std::string> routes;
  std::vector<std::string> targets;
  bool operator==(const TrialPlaces&) const = default;
};

// One event that a source would make of a body.
struct TrialEvent {
  Event event;  // its record is what the journal would keep
  std::string stream;
  bool special = false;  // of the stream
  // Valid as long as this object is where it is.
  Result<EventView> View() const;
};

// How an attempt of that target would address the event, for people: "topic k8s, key a/b" of Kafka,
// "subject spool.x" of NATS, the form of a webhook. Empty for a target that has no address for
// each.
std::string AddressOf(const TargetSettings& target, const EventView& event);

// Immutable; any thread. The configuration must outlive it.
class ConfigTrial {
 public:
  // kInvalid for routes that do not compile.
  static Result<ConfigTrial> Create(const Config& config);

  // As the source of that name would; kInvalid with the refusal's sentence when the request would
  // be refused as a whole.
  Result<std::vector<TrialEvent>> Take(std::string_view body, std::string_view path,
                                       std::string_view source = {}) const;
  // `event` has its stream and, for rules that ask for it, its origin.
  TrialPlaces Judge(const EventView& event, bool special) const;

 private:
  struct Way {
    std::string name;
    std::vector<std::string> to;
    Router router;
  };
  explicit ConfigTrial(const Config& config) : config_(&config) {}

  const Config* config_;
  std::vector<Way> ways_;
};

// One of the configuration's tests, run.
struct TestFailure {
  std::string what;  // "stream", "routes", "targets", "match", "event"
  std::string expected;
  std::string is;
};
struct TestResult {
  const ConfigTest* test = nullptr;
  std::string event;  // the first that failed, or the only one, in one line
  std::vector<TestFailure> failures;
};
// All of them, in order; reads the events' files. kInvalid as Create.
Result<std::vector<TestResult>> RunTests(const Config& config);

}  // namespace spool
