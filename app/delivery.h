// The forwarders of the configured targets: started, replaced one by one, stopped.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/config.h"
#include "base/result.h"
#include "forward/forwarder.h"
#include "forward/route.h"
#include "forward/sink.h"
#include "spool/journal.h"

namespace spool {

// The routes that lead to a target, compiled. Errors as Router::Compile.
Result<Router> RouterOf(const Config& config, const std::string& target);

// Start, Change and Stop by one thread at a time; targets() by any.
class Delivery {
 public:
  using Targets = std::map<std::string, std::shared_ptr<Forwarder>>;

  // `journal` must outlive it and every forwarder that targets() gave.
  explicit Delivery(Journal& journal) : journal_(journal) {}
  ~Delivery() { Stop(RealClock().Steady()); }
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  // Every target of the configuration takes its place and begins. Errors as Forwarder::Start; those
  // before it run then.
  Status Start(const Config& config);

  // Everything that a change needs. Nothing runs yet, and nothing that runs knows of it.
  struct Ready {
    std::string name;
    TargetSettings settings;
    Router router;
    std::unique_ptr<Sink> sink;
    Sequence start;
  };
  struct Prepared {
    std::vector<Ready> begin;          // of targets that are new or changed
    std::vector<std::string> removed;  // of targets that go
  };
  // kInvalid naming the target for settings or routes that can never work, kStorage or kDamaged
  // when its start cannot be found. `config` has each of `names`.
  Result<Prepared> Prepare(const Config& config, const std::vector<std::string>& names,
                           std::vector<std::string> removed) const;
  // Stops what is changed or removed as Forwarder::Stop, and begins what is new, each target by
  // itself: one that hangs holds up no other. kStorage when the journal fails; the target concerned
  // does not run then.
  Status Change(Prepared prepared, SteadyTime deadline);

  // All at once, so that one target that hangs takes no time from the others.
  void Stop(SteadyTime deadline);
  // What runs. Forwarders that are stopped meanwhile go on answering what does not need a cursor.
  Targets targets() const;

 private:
  Result<Sequence> StartOf(const TargetConfig& target) const;
  Status Replace(const std::string& name, Ready* ready, SteadyTime deadline);

  Journal& journal_;
  bool started_ = false;
  mutable std::mutex mutex_;
  Targets targets_;  // guarded by mutex_
};

}  // namespace spool
