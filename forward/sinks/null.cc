#include "forward/sinks/outcomes.h"
#include "forward/sinks/sinks.h"

namespace spool {
namespace {

class NullSink : public Sink {
 public:
  Encoding encoding() const override { return Encoding::kNone; }
  void Deliver(std::span<const Message>, std::span<Outcome> outcomes, SteadyTime,
               std::stop_token) override {
    for (Outcome& outcome : outcomes) outcome.verdict = Verdict::kDelivered;
  }
  Preview Show(const Message&) const override { return {"nowhere", {}, {}}; }
};

}  // namespace

std::unique_ptr<Sink> MakeNullSink() { return std::make_unique<NullSink>(); }

}  // namespace spool
