// A real spoold with a null target, in a directory of its own that goes with it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/spoold_process.h"

namespace spool::bench {

// One thread. Whatever goes wrong ends the program.
class Service {
 public:
  // An http source for each of `sources`: what its YAML mapping has beside type and address, as
  // ", quota: { events: 5000/s }". They all listen when this returns.
  Service(const std::string& base, const std::vector<std::string>& sources);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  int port(size_t source) const { return ports_[source]; }
  double cpu_seconds() const;  // of the process, user and system

 private:
  std::string dir_;
  std::vector<int> ports_;
  std::unique_ptr<testing::Spoold> spoold_;
};

}  // namespace spool::bench
