// A spoold on one source, as a process of its own, and which numbered events are in its journal.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/app_http.h"
#include "tests/support/spoold_process.h"

namespace spool::testing {

// Events are objects with a member "n", and have neither an id nor a time of their own: one that is
// taken twice is two events. One thread.
class NumberedSpool {
 public:
  // `source` is the source's YAML mapping. Configures only.
  NumberedSpool(std::string dir, const std::string& name, const std::string& source);

  void Start();
  bool Kill() { return process_->Kill(); }  // as Spoold::Kill
  void End();                               // asks it to, and expects 0

  nlohmann::json Source() const;  // as GET /api/v1/sources tells it; an empty object: no answer
  uint64_t stored() const;        // events, in all
  nlohmann::json gaps() const;    // as GET /api/v1/source-gaps tells them
  // Adds how often each number is in its journal; it must not run.
  void Count(std::map<uint64_t, int>* numbers) const;

 private:
  const std::string dir_, name_, admin_;
  std::unique_ptr<Spoold> process_;
};

// Each of 0 to count - 1 once, and nothing else.
void ExpectEachOnce(const std::map<uint64_t, int>& numbers, uint64_t count);

}  // namespace spool::testing
